"""The list of jobs: what it is filtered by, and what stands beside each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from accounts.models import User
from transfers.jobs.models import Hold, Job, Run, Schedule
from transfers.jobs.permissions import jobs_open_to
from transfers.storable import storable_text

#: marks beside a job
RUNS_BESIDE_A_JOB = 10
#: What a list of runs needs not; both may be large.
HEAVY = ("inputs", "result")

STATES = {
    "failing": "Last run failed",
    "trouble": "Failed, stalled or skipped last",
    "busy": "Running now",
    "waiting": "Waits",
    "well": "Last run succeeded",
    "never": "Has never run",
}
_LAST = {
    "failing": Q(last_state=Run.State.FAILED),
    "trouble": Q(
        last_state__in=[
            Run.State.FAILED,
            Run.State.STALLED,
            Run.State.SKIPPED,
            Run.State.SUCCEEDED_WITH_SKIPS,
        ]
    ),
    "busy": Q(last_state__in=Run.UNDER_WAY),
    "waiting": Q(last_state=Run.State.WAITING),
    "well": Q(last_state__in=[Run.State.SUCCEEDED, Run.State.SUCCEEDED_WITH_SKIPS]),
    "never": Q(last_state=None),
}
PAUSED = {"yes": "Paused", "no": "Not paused", "off": "Switched off", "old": "Archive"}


@dataclass(frozen=True)
class Search:
    """What a query asks for; what makes no sense is left out."""

    text: str = ""
    kind: str = ""
    owner: str = ""
    account: str = ""
    collection: str = ""
    state: str = ""
    paused: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Search:
        return cls(
            text=storable_text(query.get("q", "").strip())[:100],
            kind=_one_of(query.get("kind", ""), Job.Kind.values),
            owner=_id(query.get("owner", "")),
            account=_id(query.get("account", "")),
            collection=_id(query.get("collection", "")),
            state=_one_of(query.get("state", ""), STATES),
            paused=_one_of(query.get("paused", ""), PAUSED),
        )

    @property
    def is_empty(self) -> bool:
        return self == Search()


def _one_of(word: str, known: Any) -> str:
    return word if word in known else ""


def _id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def found(user: User, search: Search) -> QuerySet[Job]:
    """The jobs that ``user`` may see and that fit, with what the list shows of each."""
    last = Run.objects.filter(job=OuterRef("pk")).order_by("-created_at")
    holds = Hold.objects.in_force().filter(job=OuterRef("pk"))
    due = Schedule.objects.filter(job=OuterRef("pk"), next_run_at__isnull=False)
    rows = (
        jobs_open_to(user)
        .select_related("service_account", "owner")
        .annotate(
            last_state=Subquery(last.values("state")[:1]),
            is_paused=Exists(holds),
            next_run_at=Subquery(due.order_by("next_run_at").values("next_run_at")[:1]),
        )
        .order_by("name")
    )
    return rows.filter(_conditions(search))


def _conditions(search: Search) -> Q:
    wanted = Q(archived_at__isnull=search.paused != "old")
    if search.text:
        wanted &= (
            Q(name__icontains=search.text)
            | Q(label__icontains=search.text)
            | Q(source_name__icontains=search.text)
            | Q(destination_name__icontains=search.text)
            | Q(source_path__icontains=search.text)
            | Q(destination_path__icontains=search.text)
        )
    if search.kind:
        wanted &= Q(kind=search.kind)
    if search.owner:
        wanted &= Q(owner=search.owner)
    if search.account:
        wanted &= Q(service_account=search.account)
    if search.collection:
        wanted &= Q(source_collection=search.collection) | Q(
            destination_collection=search.collection
        )
    if search.state:
        wanted &= _LAST[search.state]
    if search.paused in ("yes", "no"):
        wanted &= Q(is_paused=search.paused == "yes")
    if search.paused == "off":
        wanted &= Q(enabled=False)
    return wanted


def choices(user: User) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: owners, accounts and collections of one's jobs."""
    rows = jobs_open_to(user).filter(archived_at=None)
    owners = {row.owner for row in rows.select_related("owner").only("owner")[:2000]}
    accounts = rows.values_list("service_account", "service_account__name").distinct()
    names: dict[str, str] = {}
    for side in ("source", "destination"):
        for pk, name in rows.values_list(
            f"{side}_collection", f"{side}_name"
        ).distinct():
            if pk:
                names[str(pk)] = name or names.get(str(pk), "")
    return {
        "owners": sorted(((str(each.pk), str(each)) for each in owners), key=_by_name),
        "accounts": sorted(((str(pk), name) for pk, name in accounts), key=_by_name),
        "collections": sorted(
            ((pk, name or pk) for pk, name in names.items()), key=_by_name
        ),
    }


def _by_name(pair: tuple[str, str]) -> str:
    return pair[1].casefold()


def latest_runs(job_ids: list[UUID]) -> dict[UUID, list[Run]]:
    """``{job: its last runs}``, the oldest first, in one query."""
    numbered = (
        Run.objects.filter(job_id__in=job_ids)
        .defer(*HEAVY)
        .annotate(
            age=Window(
                RowNumber(),
                partition_by=[F("job_id")],
                order_by=F("created_at").desc(),
            )
        )
        .filter(age__lte=RUNS_BESIDE_A_JOB)
        .order_by("created_at")
    )
    runs: dict[UUID, list[Run]] = {}
    for run in numbered:
        runs.setdefault(run.job_id, []).append(run)
    return runs


def waiting(user: User) -> QuerySet[Run]:
    """Runs that wait or do not move, the oldest first; each says why."""
    rows = Run.objects.filter(state__in=[Run.State.WAITING, Run.State.STALLED])
    return (
        rows.filter(job__in=jobs_open_to(user))
        .defer(*HEAVY)
        .select_related("job__service_account", "job__owner")
        .order_by("created_at")
    )
