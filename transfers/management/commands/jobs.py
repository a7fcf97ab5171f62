"""``manage.py jobs``: what the staff desk does, from a shell."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from portal.globus.errors import PortalError
from transfers.jobs import describing, exporting, importing, pausing, permissions
from transfers.jobs.holds import Holds
from transfers.jobs.incoming import CannotImport
from transfers.jobs.models import Hold, Job, Run
from transfers.jobs.permissions import Action
from transfers.jobs.searching import HEAVY
from transfers.management.acting import (
    EXIT_CODES,
    FAILED,
    NOT_ALLOWED,
    NOT_FOUND,
    WRONG_INPUT,
    acting_person,
    add_person,
    named_job,
    shown,
)

RUNS_SHOWN = 10
#: what is said of a job that was so before
_UNCHANGED = {"paused": "was paused already", "resumed": "was not paused"}


class Command(BaseCommand):
    help = f"Lists, shows, pauses, resumes, exports and imports jobs. {EXIT_CODES}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="all jobs, a line each")
        listed.add_argument("--archived", action="store_true", help="the archive")
        shows = verbs.add_parser("show", help="what one job is, and its last runs")
        shows.add_argument("name")
        for verb in ("pause", "resume"):
            held = verbs.add_parser(verb, help=f"{verb} jobs")
            held.add_argument("name", nargs="+")
            held.add_argument(
                "--reason", required=verb == "pause", default="", help="why"
            )
        export = verbs.add_parser("export", help="print a job to take along")
        export.add_argument("name")
        export.add_argument("--format", choices=[*exporting.FORMATS], default="json")
        taken = verbs.add_parser("import", help="make a job of an exported one")
        taken.add_argument("file", help="a file with the JSON, or - for the input")
        taken.add_argument("--name", default="", help="what it is called here")
        taken.add_argument("--owner", help="who looks after it: an identity's username")
        for each in verbs.choices.values():
            each.add_argument("--json", action="store_true", help="print JSON")
            add_person(each)

    def handle(self, *args: Any, **options: Any) -> None:
        person = acting_person(options["as_person"])
        verb: Callable[[User | None, dict[str, Any]], None] = {
            "list": self._list,
            "show": self._show,
            "pause": self._pause,
            "resume": self._resume,
            "export": self._export,
            "import": self._import,
        }[options["verb"]]
        verb(person, options)

    def _list(self, person: User | None, options: dict[str, Any]) -> None:
        rows = Job.objects.all()
        if person is not None:
            rows = permissions.jobs_open_to(person)
        rows = rows.filter(archived_at__isnull=not options["archived"])
        rows = rows.select_related("service_account", "owner")
        held = set(Hold.objects.in_force().values_list("job", flat=True))
        found = [_facts(job, is_paused=job.pk in held) for job in rows]
        if options["json"]:
            self._print_json(found)
            return
        for each in found:
            state = "paused" if each["paused"] else "on" if each["enabled"] else "off"
            self.stdout.write(
                f"{shown(each['name'])}\t{each['kind']}\t{state}\t"
                f"{shown(each['service_account'])}"
            )

    def _show(self, person: User | None, options: dict[str, Any]) -> None:
        job = named_job(options["name"], person, Action.SEE)
        rows = list(job.schedules.order_by("created_at"))
        in_force = Hold.objects.in_force()
        own, wider = (
            [hold.says for hold in held.select_related("by", "service_account")]
            for held in (in_force.filter(job=job), in_force.beyond(job))
        )
        holds = [*own, *wider]
        runs = job.runs.defer(*HEAVY)[:RUNS_SHOWN]
        if options["json"]:
            self._print_json(
                _facts(job, is_paused=bool(own))
                | {
                    "says": describing.paragraph(job, rows),
                    "holds": holds,
                    "next": [_iso(row.next_run_at) for row in rows],
                    "runs": [_run_facts(run) for run in runs],
                }
            )
            return
        self.stdout.write(describing.paragraph(job, rows))
        for says in holds:
            self.stdout.write(shown(says))
        for row in rows:
            if row.next_run_at:
                self.stdout.write(f"Next: {row.next_run_at:%Y-%m-%d %H:%M} UTC")
        for run in runs:
            self.stdout.write(
                f"{run.created_at:%Y-%m-%d %H:%M} {run.get_state_display()}: "
                f"{shown(run.says)}"
            )

    def _pause(self, person: User | None, options: dict[str, Any]) -> None:
        if not options["reason"].strip():
            raise CommandError("Say why, with --reason.", returncode=WRONG_INPUT)
        rows = self._named(person, options["name"])
        done = pausing.pause(rows, by=person, reason=options["reason"])
        self._report("paused", rows, done, as_json=options["json"])

    def _resume(self, person: User | None, options: dict[str, Any]) -> None:
        rows = self._named(person, options["name"])
        done = pausing.resume(rows, by=person, reason=options["reason"])
        held = self._report("resumed", rows, done, as_json=options["json"])
        if held:
            raise CommandError(
                f"Still held back: {', '.join(map(shown, held))}.", returncode=FAILED
            )

    def _named(self, person: User | None, names: list[str]) -> list[Job]:
        """Each of them once, and all of them before anything is done to one."""
        return [named_job(name, person, Action.EDIT) for name in dict.fromkeys(names)]

    def _report(
        self, verb: str, rows: list[Job], done: list[Job], *, as_json: bool
    ) -> dict[str, str]:
        """Says of each job what became of it.

        :returns: by name, what holds back those that were to go on
        """
        in_force = Holds.in_force()
        held = {job.name: in_force.holding(job) for job in rows}
        held = {name: says for name, says in held.items() if says}
        unchanged = [job.name for job in rows if job not in done]
        if as_json:
            self._print_json(
                {
                    verb: [job.name for job in done],
                    "unchanged": unchanged,
                    "held": held,
                }
            )
        else:
            for name in (job.name for job in rows):
                became = _UNCHANGED[verb] if name in unchanged else verb
                why = "" if became == "paused" else held.get(name, "")
                said = f"{name}: {became}. {why}" if why else f"{name}: {became}"
                self.stdout.write(shown(said))
        return held

    def _export(self, person: User | None, options: dict[str, Any]) -> None:
        job = named_job(options["name"], person, Action.SEE)
        _, _, write = exporting.FORMATS[options["format"]]
        text = write(job)
        if options["json"] and options["format"] != "json":
            self._print_json({"job": job.name, "text": text})
        else:
            self.stdout.write(text, ending="")

    def _import(self, person: User | None, options: dict[str, Any]) -> None:
        if person is not None and options["owner"]:
            raise CommandError(
                "Whoever acts with --as looks after the job; leave --owner out.",
                returncode=WRONG_INPUT,
            )
        owner = person or acting_person(options["owner"])
        if owner is None:
            raise CommandError(
                "Say who looks after the job, with --owner.", returncode=WRONG_INPUT
            )
        if not permissions.is_staff(owner):
            raise CommandError(
                f"{owner} is not staff, so jobs are not for them.",
                returncode=NOT_ALLOWED,
            )
        try:
            job = importing.take_in(
                _read(options["file"]), by=owner, name=options["name"]
            )
        except CannotImport as err:
            raise CommandError(
                "\n".join(shown(each) for each in err.problems),
                returncode=WRONG_INPUT,
            ) from err
        except PortalError as err:
            raise CommandError(err.advice, returncode=1) from err
        if options["json"]:
            self._print_json(_facts(job, is_paused=False))
            return
        self.stdout.write(
            f"{shown(job.name)}: imported, switched off until somebody switches it on."
        )

    def _print_json(self, found: Any) -> None:
        self.stdout.write(json.dumps(found, indent=2))


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as err:
        raise CommandError(
            f"{name} cannot be read: {err.strerror}.", returncode=NOT_FOUND
        ) from err


def _facts(job: Job, *, is_paused: bool) -> dict[str, Any]:
    return {
        "id": str(job.pk),
        "name": job.name,
        "kind": job.kind,
        "enabled": job.enabled,
        "paused": is_paused,
        "archived": job.archived_at is not None,
        "service_account": job.service_account.name,
        "owner": str(job.owner),
        "depth": job.depth,
        "filters": job.filters,
    }


def _run_facts(run: Run) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "state": run.state,
        "says": run.says,
        "scheduled_for": _iso(run.scheduled_for),
        "created_at": _iso(run.created_at),
        "finished_at": _iso(run.finished_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
