"""``manage.py jobs`` and ``run_job``: their output, their statuses, whose rights."""

from __future__ import annotations

import json
from argparse import _SubParsersAction
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import (
    CommandError,
    call_command,
    get_commands,
    load_command_class,
)

from sandbox import seed
from tests.factories import make_job, make_run, make_user
from transfers.jobs.models import Job, JobRole, Run

pytestmark = pytest.mark.django_db(transaction=True)


EVERY_NIGHT = {"kind": "cron", "cron": "0 2 * * *", "zone": "UTC"}


def manage(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def status_of(*arguments):
    try:
        manage(*arguments)
    except CommandError as err:
        return err.returncode
    return 0


@pytest.fixture
def job(service_account):
    return make_job(
        service_account,
        name="nightly",
        kind="transfer",
        destination_path="/incoming/x/",
        options={"sync_level": 1},
    )


def test_jobs_are_listed_and_shown(job):
    make_run(job, state="failed", says="No \x1b[31mroom.")
    assert manage("jobs", "list").startswith("nightly\ttransfer\ton\t")
    [found] = json.loads(manage("jobs", "list", "--json"))
    assert (found["name"], found["paused"], found["enabled"]) == (
        "nightly",
        False,
        True,
    )
    page = manage("jobs", "show", "nightly")
    assert "When somebody runs it," in page
    assert "Failed: No \\x1b[31mroom." in page
    [run] = json.loads(manage("jobs", "show", "nightly", "--json"))["runs"]
    assert run["state"] == "failed"


def test_a_job_is_paused_with_a_reason_and_resumed(job):
    assert "nightly: paused" in manage("jobs", "pause", "nightly", "--reason", "power")
    assert "power" in manage("jobs", "show", "nightly")
    assert json.loads(manage("jobs", "list", "--json"))[0]["paused"]
    assert json.loads(manage("jobs", "resume", "nightly", "--json")) == {
        "resumed": ["nightly"]
    }
    assert not job.holds.in_force().exists()


def test_a_job_goes_out_and_comes_in_elsewhere(job, tmp_path, service_account):
    text = manage("jobs", "export", "nightly")
    file = tmp_path / "job.json"
    file.write_text(text)
    owner = make_user(is_staff=True, preferred_username="grace@uni.example")
    Job.objects.all().delete()
    said = manage("jobs", "import", str(file), "--owner", "grace@uni.example")
    assert "switched off" in said
    copy = Job.objects.get()
    assert (copy.owner, copy.enabled, copy.options) == (owner, False, {"sync_level": 1})
    again = json.loads(manage("jobs", "export", "nightly"))
    before = json.loads(text)
    for found in (again, before):
        found.pop("enabled")
        for side in ("source", "destination"):
            found[f"{side}_collection"].pop("name")
    assert again == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.clear(), "not a job of Causeway"),
        (lambda d: d["service_account"].update(client_id="x"), "no service account"),
        (lambda d: d["source_collection"].update(id="x"), "no usable “id”"),
        (
            lambda d: d["source_collection"].update(id=seed.GROUP_USERS),
            "There is no source collection",
        ),
        (lambda d: d.update(kind="juggle"), "kind"),
        (lambda d: d.update(color="red"), "There is no part “color”"),
        (lambda d: d.update(policies=[]), "has to be an object"),
        (lambda d: d["policies"].update(missed_most="many"), "missed_most"),
        (lambda d: d.update(schedules=[{"kind": "cron", "cron": "x"}]), "Schedule 1"),
        (lambda d: d.update(groups=[{"name": "nobody here"}]), "There is no group"),
        (lambda d: d.update(options={"frobnicate": 1}), "frobnicate"),
        (lambda d: d.update(items=[{"x": 1}]), "Item 1"),
        (lambda d: d.update(items="x"), "items"),
        (
            lambda d: d.update(
                items=[{"source_path": "/a", "destination_path": "/{huh}/b"}]
            ),
            "Item 1: There is no field {huh}",
        ),
        (lambda d: d.update(destination_path="/{huh}/"), "There is no field {huh}"),
        (lambda d: d.update(schedules=[EVERY_NIGHT] * 21), "at most 20 schedules"),
        (
            lambda d: d.update(schedules=[EVERY_NIGHT | {"zone": "Mars/Base"}]),
            "Schedule 1: There is no time zone “Mars/Base”",
        ),
        (
            lambda d: d.update(schedules=[EVERY_NIGHT | {"cron": "0 0 30 2 *"}]),
            "Schedule 1: The day “30” is wrong",
        ),
        (lambda d: d["told"].update(tell_events=["rain"]), "Tell of"),
        (lambda d: d.update(name=["a"]), "name"),
        (lambda d: d.update(source_path="/a\nb"), "control character"),
    ],
)
def test_what_is_wrong_with_a_document_is_said(job, tmp_path, change, words):
    document = json.loads(manage("jobs", "export", "nightly"))
    document["name"] = "another"
    change(document)
    file = tmp_path / "job.json"
    file.write_text(json.dumps(document))
    make_user(is_staff=True, preferred_username="grace@uni.example")
    with pytest.raises(CommandError, match=words) as failed:
        manage("jobs", "import", str(file), "--owner", "grace@uni.example")
    assert failed.value.returncode == 4
    assert Job.objects.count() == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5000, "\x00"])
def test_what_is_no_document_is_said(text, tmp_path):
    file = tmp_path / "x"
    file.write_text(text)
    make_user(is_staff=True, preferred_username="grace@uni.example")
    assert status_of("jobs", "import", str(file), "--owner", "grace@uni.example") == 4


def test_exit_statuses(job, tmp_path):
    assert status_of("jobs", "show", "nightly") == 0
    assert status_of("jobs", "show", "nothing") == 2
    assert status_of("run_job", "nothing") == 2
    assert status_of("jobs", "import", str(tmp_path / "none")) in (2, 4)
    assert status_of("jobs", "pause", "nightly", "--reason", " ") == 4
    assert status_of("run_job", "nightly", "--as", "nobody") == 2
    assert status_of("run_job", "nightly", "--wait", "--timeout", "0") == 5
    runs_before = Run.objects.count()
    for wrong in ("nan", "inf", "-1", "soon"):
        with pytest.raises(CommandError, match="invalid"):
            call_command("run_job", "nightly", "--wait", f"--timeout={wrong}")
    assert Run.objects.count() == runs_before
    Job.objects.update(enabled=False)
    assert status_of("run_job", "nightly") == 2


#: what each of the verbs is called with, about the job of the test
COMMANDS = {
    "jobs list": (),
    "jobs show": ("nightly",),
    "jobs export": ("nightly",),
    "jobs import": ("{document}", "--name", "taken in"),
    "run_job": ("nightly",),
    "jobs pause": ("nightly", "--reason", "x"),
    "jobs resume": ("nightly",),
}
#: those that are about the whole portal: whoever has a shell, and nobody by name
OF_OPERATORS = {
    "check_credentials",
    "doctor",
    "rotate_vault",
    "seed_demo",
    "verify_audit",
}
OURS = ("accounts", "portal", "transfers")


def parser_of(name):
    app = get_commands()[name]
    return load_command_class(app, name).create_parser("manage.py", name)


def verbs_of(name):
    """A command by itself, or each of its verbs."""
    for action in parser_of(name)._actions:
        if isinstance(action, _SubParsersAction):
            return {f"{name} {verb}": each for verb, each in action.choices.items()}
    return {name: parser_of(name)}


def test_every_command_of_the_portal_has_its_row():
    """Found among Django's commands, whatever somebody adds to them."""
    names = {name for name, app in get_commands().items() if app in OURS}
    assert names >= OF_OPERATORS
    verbs = {}
    for name in names - OF_OPERATORS:
        verbs |= verbs_of(name)
    assert verbs.keys() == COMMANDS.keys()
    for parser in verbs.values():
        assert "--as" in parser.format_help()
    for name in OF_OPERATORS:
        assert "--as" not in parser_of(name).format_help()


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        # list, show, export, import, run, pause, resume
        ("nobody", (2, 2, 2, 2, 2, 2, 2)),
        ("researcher", (0, 3, 3, 3, 3, 3, 3)),
        ("switched off", (0, 3, 3, 3, 3, 3, 3)),
        ("others", (0, 2, 2, 0, 2, 2, 2)),
        ("see", (0, 0, 0, 0, 3, 3, 3)),
        ("run", (0, 0, 0, 0, 0, 3, 3)),
        ("edit", (0, 0, 0, 0, 0, 0, 0)),
        ("owner", (0, 0, 0, 0, 0, 0, 0)),
        ("admin", (0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_each_command_as_each_role(job, sandbox, messages, tmp_path, role, statuses):
    for word in ("see", "run", "edit", "others"):
        group = Group.objects.create(name=word)
        if word != "others":
            JobRole.objects.create(
                job=job, group=group, can_run=word == "run", can_edit=word == "edit"
            )
    document = tmp_path / "job.json"
    document.write_text(manage("jobs", "export", "nightly"))
    person = job.owner
    if role != "owner":
        person = make_user()
        person.groups.set(Group.objects.filter(name=role))
    person.is_staff = role != "researcher"
    person.is_superuser = role == "admin"
    person.is_active = role != "switched off"
    person.preferred_username = "" if role == "nobody" else "somebody@uni.example"
    person.save()
    found = {
        name: status_of(
            *name.split(),
            *(each.format(document=document) for each in arguments),
            "--as",
            "somebody@uni.example",
        )
        for name, arguments in COMMANDS.items()
    }
    assert tuple(found.values()) == statuses, found
    assert Run.objects.filter(triggered_by=person).exists() == (statuses[4] == 0)
    assert Job.objects.filter(name="taken in").exists() == (statuses[3] == 0)
    assert job.holds.filter(by=person).exists() == (statuses[5] == 0)
    if role != "nobody":
        listed = manage("jobs", "list", "--as", "somebody@uni.example")
        assert ("nightly" in listed) == (statuses[1] == 0)


def test_who_takes_a_job_in_looks_after_it(job, sandbox, tmp_path):
    document = tmp_path / "job.json"
    document.write_text(manage("jobs", "export", "nightly"))
    make_user(is_staff=True, preferred_username="grace@uni.example")
    both = ("--as", "grace@uni.example", "--owner", "emmy@uni.example")
    assert status_of("jobs", "import", str(document), "--name", "x", *both) == 4
    assert status_of("jobs", "import", str(document), "--name", "x") == 4
    assert not Job.objects.filter(name="x").exists()
