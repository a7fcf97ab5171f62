"""The form of a job: it leads, it looks at Globus, and it says what is wrong where."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts import webhooks
from accounts.models import Webhook
from sandbox import seed
from tests.factories import make_job, make_run, make_service_account, make_user
from transfers.jobs import form_looks, planning, saving
from transfers.jobs.exchange import Parts
from transfers.jobs.form import MOST_GROUPS
from transfers.jobs.form_page import MOST_FURTHER
from transfers.jobs.models import Job, Schedule

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = "<script>alert(1)</script>\u202e/"


def mirror(account, **fields):
    """What a browser sends for a nightly mirror."""
    return {
        "name": "nightly mirror",
        "kind": "mirror",
        "service_account": str(account.pk),
        "source_collection": seed.HARVEST,
        "source_path": "/sensors/",
        "destination_collection": seed.ARCHIVE,
        "destination_path": "/incoming/{scheduled_for:%Y-%m-%d}/",
        "recursive": "on",
        "sync_level": "1",
        "verify_checksum": "on",
        "when": "cron",
        "cron": "0 2 * * *",
        "zone": "Europe/London",
        "overlap_policy": "queue",
        "missed_policy": "once",
        "stall_policy": "tell",
        "tell_events": ["failed", "recovered"],
        "tell_owner": "on",
        "enabled": "on",
        "do": "save",
    } | fields


def text_of(answer):
    return answer.content.decode()


def test_a_nightly_mirror_is_made_and_says_what_it_is(browser, service_account, grace):
    answer = browser.post("/jobs/new/", mirror(service_account))
    assert answer.status_code == 302, text_of(answer)
    job = Job.objects.get()
    assert (job.kind, job.options["sync_level"], job.owner) == ("mirror", 1, grace)
    assert (job.source_name, job.destination_name) != ("", "")
    schedule = Schedule.objects.get()
    assert schedule.next_run_at is not None
    page = text_of(browser.get(answer["Location"]))
    assert "Every night at 02:00 Europe/London" in page
    assert f"{service_account.name} mirrors /sensors/ on {job.source_name}" in page
    assert "If the run before still moves, the new one waits." in page
    assert "Grace Hopper hears of failures and recoveries." in page
    assert page.count("<li>\n        <time") == 10


def test_the_form_comes_back_as_it_was_saved(browser, service_account):
    rules = "exclude *.tmp\ninclude dir results\nexclude *"
    fields = {
        "filter_rules": rules,
        "days_off": "2030-12-24\n2030-12-25",
        "blackouts": "Mon-Fri 08:00-18:00\nSat, Sun 22:00-06:00",
        "fail_on_quota_errors": "on",
        "globus_mail": ["failed"],
        "retry_attempts": "3",
        "retry_causes": ["globus"],
        "end_at": "2031-01-01T00:00",
    }
    browser.post("/jobs/new/", mirror(service_account, **fields))
    job = Job.objects.get()
    before = (job.options, Schedule.objects.values().get())
    page = browser.get(f"/jobs/{job.pk}/edit/")
    sent = {"do": "save"}
    for form in page.context["forms"].all:
        for bound in form:
            value = bound.value()
            if value not in (None, False, [], ""):
                sent[bound.html_name] = "on" if value is True else value
    answer = browser.post(f"/jobs/{job.pk}/edit/", sent)
    assert answer.status_code == 302, text_of(answer)
    job.refresh_from_db()
    assert (job.options, Schedule.objects.values().get()) == before
    assert job.options["filter_rules"][1] == {
        "DATA_TYPE": "filter_rule",
        "method": "include",
        "type": "dir",
        "name": "results",
    }
    assert job.options["notify_on_failed"] is True
    assert job.options["notify_on_succeeded"] is False
    assert job.versions.count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cron": "* * *"}, "five fields"),
        ({"cron": "* * * * * *"}, "more often than once a minute"),
        ({"cron": "0 0 30 2 *"}, "no month named here has such a day"),
        ({"when": "rule", "rule": "FREQ=NEVER"}, "rule"),
        ({"zone": "Europe/Atlantis"}, "There is no time zone “Europe/Atlantis”"),
        ({"when": "once", "start_at": "2001-01-01T00:00"}, "has passed"),
        ({"when": "interval", "interval_minutes": "0"}, "greater than or equal to 1"),
        ({"days_off": "tomorrow"}, "Line 1: “tomorrow” is not a date"),
        ({"blackouts": "always"}, "Line 1: “always” is not a window"),
        ({"sync_level": ""}, "Say how a mirror tells which files differ"),
        ({"filter_rules": "exclude *.tmp\nmaybe x"}, "Line 2: “maybe x” is no filter"),
        ({"delete_extra": "on"}, "Type /incoming/"),
        ({"delete_extra": "on", "delete_confirm": "yes"}, "exactly"),
        ({"batch": "a b\nc\n"}, "Line 2: Only one path stands here"),
        ({"batch": "a x\nb x\n"}, "Line 2: It would arrive where line 1 does"),
        ({"batch": "a b\n\na {huh}/b\nc\n"}, "Line 3: There is no field {huh}"),
        ({"batch": "a b\n\na {huh}/b\nc\n"}, "Line 4: Only one path stands here"),
        ({"destination_path": "/{huh}/"}, "There is no field {huh}"),
        ({"source_path": "/a{b/"}, "A brace { stands alone"),
        ({"when": "rule", "rule": "FREQ=SECONDLY"}, "more often than once a minute"),
        ({"kind": "transfer", "delete_extra": "on"}, "Only a mirror may delete"),
        ({"destination_path": "/sensors/../x/"}, "not allowed in a path"),
        ({"missed_most": "0"}, "greater than or equal to 1"),
        *(
            ({"when": when, name: moment, "zone": zone}, "Give a year from 1900")
            for when, name, moment, zone in (
                ("once", "start_at", "9999-12-31T23:59", "America/New_York"),
                ("interval", "start_at", "0001-01-01T00:00", "Asia/Kolkata"),
                ("cron", "end_at", "9999-12-31T23:59", "UTC"),
            )
        ),
    ],
)
def test_each_mistake_has_its_sentence_and_nothing_is_lost(
    browser, service_account, fields, words
):
    page = text_of(browser.post("/jobs/new/", mirror(service_account, **fields)))
    assert words in page
    assert "This is not saved yet" in page
    assert 'value="nightly mirror"' in page
    assert not Job.objects.exists()
    if "batch" in fields:
        assert fields["batch"] in page


def test_a_moment_that_nobody_changes_stays_to_the_second(browser, service_account):
    """The field of a moment has neither seconds nor the second of two hours."""
    twice = datetime(2027, 10, 31, 1, 30, 20, tzinfo=UTC)  # the second half past one
    job = make_job(service_account, kind="mirror", name="nightly mirror")
    planning.save(
        Schedule(
            job=job,
            kind="interval",
            interval_minutes=7,
            zone="Europe/London",
            start_at=twice,
        )
    )
    changed = mirror(
        service_account,
        when="interval",
        interval_minutes="7",
        start_at="2027-10-31T01:30",
        label="another",
    )
    answer = browser.post(f"/jobs/{job.pk}/edit/", changed)
    assert answer.status_code == 302, text_of(answer)
    assert Schedule.objects.get().start_at == twice
    changed["start_at"] = "2027-10-31T01:31"
    browser.post(f"/jobs/{job.pk}/edit/", changed)
    assert Schedule.objects.get().start_at != twice


def test_deleting_is_typed_out_once_and_again_for_another_place(
    browser, service_account
):
    deletes = {"delete_extra": "on", "destination_path": "/incoming/all/"}
    confirmed = deletes | {"delete_confirm": "/incoming/all/"}
    browser.post("/jobs/new/", mirror(service_account, **confirmed))
    job = Job.objects.get()
    assert job.delete_extra
    address = f"/jobs/{job.pk}/edit/"
    assert browser.post(address, mirror(service_account, **deletes)).status_code == 302
    other = mirror(service_account, **confirmed | {"destination_path": "/incoming/b/"})
    assert "Type /incoming/b/ here" in text_of(browser.post(address, other))


def test_a_batch_lies_below_the_two_folders(browser, service_account):
    fields = {
        "kind": "transfer",
        "batch": "a.txt b.txt\n-r sub /elsewhere/\n",
        "destination_path": "/incoming/all/",
    }
    answer = browser.post("/jobs/new/", mirror(service_account, **fields))
    assert answer.status_code == 302, text_of(answer)
    assert Job.objects.get().items == [
        {
            "source_path": "/sensors/a.txt",
            "destination_path": "/incoming/all/b.txt",
            "recursive": None,
        },
        {
            "source_path": "/sensors/sub",
            "destination_path": "/elsewhere/",
            "recursive": True,
        },
    ]


def test_a_batch_comes_from_a_file_and_stays_for_correction(browser, service_account):
    fields = {"kind": "transfer", "destination_path": "/incoming/all/"}
    bad = SimpleUploadedFile("b.txt", b"a.txt b.txt\nalone\n\xff.txt c.txt\n")
    data = mirror(service_account, **fields) | {"batch_file": bad}
    page = text_of(browser.post("/jobs/new/", data))
    assert "Line 2: Only one path stands here" in page
    assert "Line 3: A character of it cannot be read" in page
    assert "a.txt b.txt\nalone\n" in page
    assert not Job.objects.exists()
    long = SimpleUploadedFile("b.txt", b"a.txt b.txt\n" * 20_000)
    page = text_of(browser.post("/jobs/new/", data | {"batch_file": long}))
    assert "more than the 150,000 characters" in page
    good = SimpleUploadedFile("b.txt", b"\xef\xbb\xbfa.txt b.txt\r\n# done\r\n")
    answer = browser.post("/jobs/new/", data | {"batch_file": good})
    assert answer.status_code == 302, text_of(answer)
    assert Job.objects.get().items[0]["source_path"] == "/sensors/a.txt"


# --- looking at Globus


def look(browser, account, step, **fields):
    data = mirror(account, **fields) | {"do": f"check-{step}"}
    return text_of(browser.post("/jobs/new/", data))


def test_a_step_is_looked_at_and_nothing_is_stored(browser, service_account):
    assert "Globus accepts its secret" in look(browser, service_account, "account")
    page = look(browser, service_account, "source")
    assert "It can be read:" in page
    assert "In plain words" in page
    assert "Every night at 02:00 Europe/London" in page
    assert not Job.objects.exists()


def test_collections_are_called_by_their_names_before_anything_is_saved(
    browser, service_account, sandbox
):
    page = look(browser, service_account, "summary")
    said = page[page.index('id="summary"') :]
    assert "on Nightly harvest drop box to" in said
    assert seed.HARVEST not in said
    asked = len(sandbox.requests("/endpoint/*"))
    assert asked == 2
    look(browser, service_account, "summary")
    assert len(sandbox.requests("/endpoint/*")) == asked
    page = look(browser, service_account, "summary", source_collection=seed.GROUP_USERS)
    assert f"on {seed.GROUP_USERS} to" in page


def test_a_secret_that_does_not_work_is_said_at_its_step(browser):
    account = make_service_account(secret="not this one", for_all_staff=True)
    page = look(browser, account, "account")
    assert "finding-bad" in page
    assert "Globus accepts its secret" not in page


def test_a_path_that_is_not_there_and_one_that_will_be_made(browser, service_account):
    page = look(browser, service_account, "source", source_path="/nowhere/")
    assert "finding-bad" in page
    page = look(browser, service_account, "destination")
    assert "Globus makes it with the first run" in page


def test_a_collection_without_access_names_the_identity_to_give_it_to(
    browser, service_account
):
    page = look(browser, service_account, "source", source_collection=seed.VAULT)
    assert service_account.identity_username in page


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}, {"status": 429}])
@pytest.mark.parametrize("step", ["source", "destination"])
def test_nobody_is_to_be_let_in_where_globus_does_not_answer(
    browser, service_account, sandbox, fault, step
):
    sandbox.fault("/endpoint/*/ls", **fault)
    page = look(browser, service_account, step, destination_path="/incoming/")
    assert "Please try again in a minute." in page
    assert "Access is given" not in page
    assert service_account.identity_username not in page


def test_a_collection_is_found_and_chosen_without_script(browser, service_account):
    data = mirror(service_account, source_collection="", find_source="tutorial")
    page = text_of(browser.post("/jobs/new/", data | {"do": "find-source"}))
    assert f'value="choose-source:{seed.TUTORIAL_1}"' in page
    chosen = data | {"do": f"choose-source:{seed.TUTORIAL_1}"}
    page = text_of(browser.post("/jobs/new/", chosen))
    assert f'value="{seed.TUTORIAL_1}"' in page


def test_looking_for_a_collection_does_not_blame_its_empty_id(browser, service_account):
    data = mirror(service_account, source_collection="", find_source="tutorial")
    page = text_of(browser.post("/jobs/new/", data | {"do": "find-source"}))
    assert 'class="error"' not in page


def test_the_destination_is_looked_at_before_it_is_said_what_the_job_does(
    browser, service_account
):
    page = look(browser, service_account, "destination", kind="")
    assert "Globus makes it with the first run" in page
    assert "A listing has no destination" not in page


def test_a_new_job_is_its_maker_s_to_look_after(browser, grace):
    make_user(is_staff=True, name="Aaron First")
    page = browser.get("/jobs/new/")
    chosen = re.findall(r'<option value="([^"]+)" selected>', text_of(page))
    assert str(grace.pk) in chosen


def test_what_is_said_of_a_field_cannot_turn_the_sentence_around(
    browser, service_account
):
    answer = browser.post("/jobs/new/", mirror(service_account, zone=HOSTILE))
    page = text_of(answer)
    assert "There is no time zone" in page
    said = re.findall(r'<p class="error".*?</p>', page, re.S)
    assert said
    assert not any("\u202e" in each for each in said)


def test_a_half_filled_form_is_not_blamed(browser, service_account):
    data = {"service_account": str(service_account.pk), "do": "check-account"}
    page = text_of(browser.post("/jobs/new/", data | {"name": "x"}))
    assert "Globus accepts its secret" in page
    assert 'class="error"' not in page


def test_fields_in_paths_are_shown_with_an_example(browser, service_account):
    page = look(browser, service_account, "source")
    assert "A run that is due now has" in page
    page = look(browser, service_account, "destination", destination_path="/{huh}/")
    assert "There is no field {huh}" in page
    assert 'value="/{huh}/"' in page


def test_the_next_ten_are_shown_as_they_will_fire(browser, service_account):
    page = look(browser, service_account, "when")
    assert page.count("<li>\n        <time") == 10


# --- further schedules


def further(key, **fields):
    """What a browser sends for one more schedule."""
    values = {"when": "cron", "cron": "0 14 * * *", "zone": "Asia/Kolkata"} | fields
    return {"schedules": "shown", "schedule": [key]} | {
        f"schedule-{key}-{name}": value for name, value in values.items()
    }


def test_a_schedule_is_added_filled_in_and_removed_without_script(
    browser, service_account
):
    data = mirror(service_account) | {"schedules": "shown", "do": "add-schedule"}
    page = text_of(browser.post("/jobs/new/", data))
    assert 'name="schedule" value="n1"' in page
    assert "Schedule 2" in page
    assert 'class="error"' not in page
    assert 'value="nightly mirror"' in page
    assert re.search(r'name="schedule-n1-zone"\s+value="Europe/London"', page)
    two = mirror(service_account) | further("n1")
    page = text_of(browser.post("/jobs/new/", two | {"do": "drop-schedule:n1"}))
    assert "Schedule 2" not in page
    assert not Job.objects.exists()
    answer = browser.post("/jobs/new/", two)
    assert answer.status_code == 302, text_of(answer)
    assert [each.cron for each in Schedule.objects.all()] == ["0 2 * * *", "0 14 * * *"]
    page = text_of(browser.get(answer["Location"]))
    assert "every night at 02:00 Europe/London; every day at 14:00 Asia/Kolkata" in page


def test_further_schedules_stay_change_and_go(browser, service_account):
    browser.post("/jobs/new/", mirror(service_account) | further("n1"))
    job, (first, second) = Job.objects.get(), Schedule.objects.all()
    address = f"/jobs/{job.pk}/edit/"
    page = text_of(browser.get(address))
    assert f'name="schedule" value="{second.pk}"' in page
    changed = mirror(service_account) | further(str(second.pk), cron="0 15 * * *")
    assert browser.post(address, changed).status_code == 302
    second.refresh_from_db()
    assert second.cron == "0 15 * * *"
    # A page that does not know of them leaves them alone.
    assert browser.post(address, mirror(service_account)).status_code == 302
    assert Schedule.objects.count() == 2
    gone = mirror(service_account) | {"schedules": "shown"}
    assert browser.post(address, gone).status_code == 302
    assert [*Schedule.objects.all()] == [first]
    assert "the schedule" in " ".join(job.versions.first().changes)


def test_a_job_may_run_by_its_further_schedules_alone(browser, service_account):
    data = mirror(service_account, when="") | further("n1")
    assert browser.post("/jobs/new/", data).status_code == 302
    assert Schedule.objects.get().cron == "0 14 * * *"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cron": "* *"}, "five fields"),
        ({"zone": "Mars/Base"}, "There is no time zone “Mars/Base”"),
        ({"when": ""}, "This field is required"),
        ({"days_off": "tomorrow"}, "is not a date"),
    ],
)
def test_a_mistake_in_a_further_schedule_is_marked_there(
    browser, service_account, fields, words
):
    data = mirror(service_account) | further("n1", **fields)
    page = text_of(browser.post("/jobs/new/", data))
    assert words in page
    assert "This is not saved yet" in page
    assert not Job.objects.exists()


def test_the_next_ten_are_those_of_all_schedules(browser, service_account):
    data = mirror(service_account, zone="UTC", cron="0 0 * * *") | further(
        "n1", cron="0 */12 * * *", zone="UTC"
    )
    page = text_of(browser.post("/jobs/new/", data | {"do": "check-when"}))
    assert page.count("<li>\n        <time") == 10
    assert page.count("it is one run") == 5


def test_a_copy_has_all_schedules(browser, service_account):
    browser.post("/jobs/new/", mirror(service_account) | further("n1"))
    job = Job.objects.get()
    address = f"/jobs/{job.pk}/duplicate/"
    page = text_of(browser.get(address))
    key = re.search(r'name="schedule" value="([-0-9a-f]+)"', page)[1]
    copy = mirror(service_account, name="second") | further(key)
    assert browser.post(address, copy).status_code == 302
    assert Job.objects.get(name="second").schedules.count() == 2
    assert job.schedules.count() == 2


def test_no_form_takes_more_schedules_than_a_request_has_fields(
    browser, service_account
):
    keys = [f"n{number}" for number in range(1, MOST_FURTHER + 1)]
    groups = [Group.objects.create(name=f"group {n}") for n in range(MOST_GROUPS)]
    data = mirror(service_account) | {f"group_{each.pk}": "see" for each in groups}
    for key in keys:
        data |= further(key)
    page = browser.post("/jobs/new/", data | {"schedule": keys, "do": "check-when"})
    assert "Add a schedule" not in text_of(page)
    sent = sum(
        max(len(bound.subwidgets), 1) if "Multiple" in type(bound.field).__name__ else 1
        for form in page.context["forms"].all
        for bound in form
    )
    beside = len(keys) + len(("csrf", "version", "do", "schedules", "find", "find"))
    assert sent + beside <= settings.DATA_UPLOAD_MAX_NUMBER_FIELDS


# --- the preflight of the form


def test_the_form_ends_with_a_preflight_that_stores_nothing(browser, service_account):
    page = look(browser, service_account, "preflight", destination_path="/incoming/x/")
    assert "Nothing stands in the way of this job." in page
    assert "Writing to the destination" in page
    assert not Job.objects.exists()


def test_what_is_in_the_way_has_a_fix_and_whom_to_let_in(browser, service_account):
    page = look(browser, service_account, "preflight", destination_path="/published/x/")
    assert "1 thing stands in the way: Writing to the destination." in page
    assert "Give this identity access there:" in page
    start = page.index('id="step-preflight"')
    assert "data-copy-text" in page[start:]
    assert service_account.identity_username in page[start:]


def test_a_form_that_is_not_filled_in_is_not_asked_about(
    browser, service_account, sandbox
):
    page = look(browser, service_account, "preflight", source_path="")
    assert "Fill in the steps above first" in page
    assert "This field is required" in page
    assert sandbox.requests("/endpoint/*/ls") == []


def test_a_slow_globus_does_not_hold_the_page(browser, service_account, monkeypatch):
    monkeypatch.setattr(form_looks, "PREFLIGHT_SECONDS", -1)
    page = look(browser, service_account, "preflight")
    assert "Globus answers slowly at the moment" in page


def test_globus_out_of_reach_is_said_in_the_preflight(
    browser, service_account, sandbox
):
    sandbox.fault("/endpoint/*", status=503)
    page = look(browser, service_account, "preflight")
    assert "cannot be reached" in page


# --- copies, the archive


def test_a_copy_is_a_form_and_then_a_job_of_ones_own(browser, service_account, grace):
    browser.post("/jobs/new/", mirror(service_account))
    job = Job.objects.get()
    address = f"/jobs/{job.pk}/duplicate/"
    assert "nightly mirror (copy)" in text_of(browser.get(address))
    browser.post(address, mirror(service_account, name="second"))
    assert Job.objects.count() == 2
    assert Schedule.objects.count() == 2
    assert Job.objects.get(name="second").versions.get().number == 1


def test_a_job_that_has_run_is_archived_and_comes_back(browser, service_account):
    browser.post("/jobs/new/", mirror(service_account))
    job = Job.objects.get()
    make_run(job, state="succeeded")
    address = f"/jobs/{job.pk}/remove/"
    assert browser.post(address, {"do": "delete"}).status_code == 409
    browser.post(address, {"do": "archive"})
    job.refresh_from_db()
    assert (job.enabled, job.archived_at is None) == (False, False)
    browser.get("/jobs/")  # has the message in it
    assert "nightly mirror" not in text_of(browser.get("/jobs/"))
    assert "nightly mirror" in text_of(browser.get("/jobs/?paused=old"))
    browser.post(address, {"do": "bring-back"})
    job.refresh_from_db()
    assert job.archived_at is None


def test_a_job_that_never_ran_is_deleted_with_its_webhook(browser):
    job = make_job()
    job.webhook, _ = webhooks.make("https://hooks.example.org/", by=None)
    job.save()
    assert browser.post(f"/jobs/{job.pk}/remove/", {"do": "delete"}).status_code == 302
    assert not Job.objects.exists()
    assert not Webhook.objects.exists()


# --- versions and groups


def test_versions_say_who_changed_what(browser, service_account, grace):
    group = Group.objects.create(name="beamline")
    browser.post("/jobs/new/", mirror(service_account))
    job = Job.objects.get()
    changed = mirror(
        service_account,
        cron="30 3 * * *",
        encrypt_data="on",
        **{f"group_{group.pk}": "run"},
    )
    browser.post(f"/jobs/{job.pk}/edit/", changed)
    latest = job.versions.first()
    assert (latest.number, latest.made_by) == (2, grace)
    said = " ".join(latest.changes)
    assert "“encrypt on the way”" in said
    assert "the groups" in said
    assert "the schedule" in said
    assert "Version 2" in text_of(browser.get(f"/jobs/{job.pk}/"))


def test_hostile_names_do_nothing(browser, service_account):
    name = f"{HOSTILE} job"[:100]
    fields = mirror(service_account, name=name, source_path="/<img src=x>/")
    answer = browser.post("/jobs/new/", fields)
    assert answer.status_code == 302, text_of(answer)
    for address in ("/jobs/", answer["Location"], f"{answer['Location']}edit/"):
        page = text_of(browser.get(address))
        assert "<script>alert" not in page
        assert "<img src=x>" not in page


def test_an_account_that_was_switched_off_meanwhile_has_its_sentence(
    browser, service_account
):
    job = make_job(service_account)
    service_account.enabled = False
    service_account.disabled_reason = "left the group"
    service_account.save()
    page = text_of(browser.post(f"/jobs/{job.pk}/edit/", mirror(service_account)))
    assert "This service account is switched off" in page
    assert browser.get(f"/jobs/{job.pk}/").status_code == 200


def test_what_a_worker_wrote_meanwhile_stays(browser, service_account):
    browser.post("/jobs/new/", mirror(service_account))
    stale = Job.objects.get()
    Job.objects.update(watermark=timezone.now())
    saving.store(Parts(stale), by=None)
    assert Job.objects.get().watermark is not None


def test_two_people_do_not_undo_each_other_in_silence(browser, service_account):
    browser.post("/jobs/new/", mirror(service_account))
    job = Job.objects.get()
    address = f"/jobs/{job.pk}/edit/"
    page = text_of(browser.get(address))
    seen = re.search(r'name="version" value="(\d+)"', page)[1]
    browser.post(address, mirror(service_account, label="theirs"))
    mine = mirror(service_account, label="mine", version=seen)
    page = text_of(browser.post(address, mine))
    assert "has changed this job since you opened it" in page
    assert "Set the label to “theirs”" in page
    assert Job.objects.get().label == "theirs"
    again = mine | {"version": re.search(r'name="version" value="(\d+)"', page)[1]}
    assert browser.post(address, again).status_code == 302
    assert Job.objects.get().label == "mine"
