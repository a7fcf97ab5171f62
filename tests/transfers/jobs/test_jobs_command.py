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

from accounts.models import AuditEvent
from sandbox import seed
from tests.factories import make_job, make_run, make_user
from transfers.jobs.holds import hold
from transfers.jobs.models import Hold, Job, JobRole, Run

pytestmark = pytest.mark.django_db(transaction=True)


EVERY_NIGHT = {"kind": "cron", "cron": "0 2 * * *", "zone": "UTC"}
AN_ITEM = {"source_path": "/a", "destination_path": "/b"}
#: a byte that is no UTF-8, as Python gets it from a shell
ODD_BYTE = "\udcff"


def filter_of(**fields):
    return {"sync_level": 1, "filter_rules": [{"name": "*.x"} | fields]}


def window(**fields):
    return {"days": [0], "from": "08:00", "to": "18:00"} | fields


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
        "resumed": ["nightly"],
        "unchanged": [],
        "held": {},
    }
    assert not job.holds.in_force().exists()


def test_a_job_that_is_paused_already_or_not_paused_says_so(job):
    """What was asked for is so, and a script may ask twice: it is no failure."""
    assert manage("jobs", "resume", "nightly") == "nightly: was not paused\n"
    manage("jobs", "pause", "nightly", "nightly", "--reason", "power")
    again = manage("jobs", "pause", "nightly", "--reason", "lunch")
    assert again.startswith("nightly: was paused already. The job is paused")
    assert "power" in again
    assert json.loads(
        manage("jobs", "pause", "nightly", "--reason", "x", "--json")
    ) == {
        "paused": [],
        "unchanged": ["nightly"],
        "held": {"nightly": "The job is paused (by an operator): power"},
    }
    assert job.holds.count() == 1
    assert AuditEvent.objects.filter(kind="job:hold:pause").count() == 1
    manage("jobs", "resume", "nightly")
    assert json.loads(manage("jobs", "resume", "nightly", "--json")) == {
        "resumed": [],
        "unchanged": ["nightly"],
        "held": {},
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_a_job_that_something_else_holds_back_does_not_go_on_and_says_so(job, as_json):
    hold(job.service_account, mode=Hold.Mode.DRAIN, by=None, reason="new secret")
    shown = json.loads(manage("jobs", "show", "nightly", "--json"))
    assert not shown["paused"]
    assert "new secret" in " ".join(shown["holds"])
    manage("jobs", "pause", "nightly", "--reason", "power")
    for word in ("resumed", "was not paused"):
        out = StringIO()
        with pytest.raises(CommandError, match="Still held back: nightly") as failed:
            call_command("jobs", "resume", "nightly", json=as_json, stdout=out)
        assert failed.value.returncode == 1
        assert "is being drained (by an operator): new secret" in out.getvalue()
        assert as_json or f"nightly: {word}. The service" in out.getvalue()


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
        (lambda d: d.update(filters=None), "“filters” cannot be null"),
        (lambda d: d.update(filters=0), "written as a JSON object"),
        (lambda d: d["told"].update(tell_events=[["failed"]]), "Tell of"),
        (lambda d: d.update(options=filter_of(type=True)), "filter_rules"),
        (lambda d: d.update(options=filter_of(method=["exclude"])), "filter_rules"),
        (lambda d: d.update(items=[AN_ITEM | {"external_checksum": 5}]), "hexadecimal"),
        (lambda d: d.update(items=[AN_ITEM | {"recursive": "x"}]), "true or false"),
        *(
            (lambda d, odd=odd: d.update(schedules=[EVERY_NIGHT | odd]), words)
            for odd, words in (
                ({"start_at": "0001-01-01T00:00:00+14:00"}, "“start_at” cannot be"),
                ({"start_at": "2030-01-01T00:00:00"}, "“start_at” cannot be"),
                ({"end_at": "2030-01-01T00:00:00"}, "“end_at” cannot be"),
                ({"blackouts": [window(days=[0.0])]}, "Window 1 needs days"),
                ({"blackouts": [window(to="09:00+01:00")]}, "Window 1 needs days"),
            )
        ),
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


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("jobs", "show", ODD_BYTE), 2),
        (("jobs", "pause", ODD_BYTE, "--reason", "x"), 2),
        (("jobs", "pause", "nightly", "--reason", ODD_BYTE), 0),
        (("jobs", "resume", ODD_BYTE), 2),
        (("jobs", "export", ODD_BYTE), 2),
        (("jobs", "list", "--as", ODD_BYTE), 2),
        (("jobs", "import", ODD_BYTE, "--owner", ODD_BYTE), 2),
        (("run_job", ODD_BYTE), 2),
        (("run_job", "nightly", "--reason", ODD_BYTE), 0),
        (("run_job", "nightly", "--as", "\x1b[31m"), 2),
    ],
)
def test_what_no_name_can_be_is_not_found_and_does_no_harm(
    job, messages, arguments, status
):
    try:
        said = manage(*arguments)
    except CommandError as err:
        said, found = str(err), err.returncode
    else:
        found = 0
    assert found == status
    assert said.replace("\n", "").isprintable()


def test_a_job_that_is_taken_in_may_be_called_by_any_bytes(job, sandbox, tmp_path):
    document = tmp_path / "job.json"
    document.write_text(manage("jobs", "export", "nightly"))
    make_user(is_staff=True, preferred_username="grace@uni.example")
    owner = ("--owner", "grace@uni.example")
    assert status_of("jobs", "import", str(document), "--name", ODD_BYTE, *owner) == 0
    assert Job.objects.filter(name__endswith="\N{REPLACEMENT CHARACTER}").exists()


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
