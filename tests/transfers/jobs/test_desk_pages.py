"""The desk: what its list, calendar, figures, runs and files say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import AuditEvent
from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_transfer,
    make_user,
)
from transfers.jobs import exporting, planning, runs, versions
from transfers.jobs.holds import hold
from transfers.jobs.models import Hold, Job, Run, Schedule
from transfers.jobs.templates import filled_inputs
from transfers.templatetags.jobs import seconds_words

pytestmark = pytest.mark.django_db

UTC_ZONE = ZoneInfo("UTC")
NOW = timezone.now()
ROOT = Path(__file__).resolve().parents[3]


def text_of(answer):
    assert answer.status_code == 200, answer.content.decode()
    return answer.content.decode()


def names_in(browser, query):
    page = browser.get(f"/jobs/?{query}")
    return {job.name for job, _ in page.context["rows"]}


def test_filters_find_what_they_say(browser, service_account):
    one = make_job(service_account, name="one", source_name="Harvest")
    other = make_service_account(client_id=seed.ARCHIVE_CLIENT_ID)
    two = make_job(other, name="two", kind="transfer", source_collection=seed.RESEARCH)
    make_run(one, state="failed", finished_at=NOW)
    make_run(two, state="succeeded", finished_at=NOW)
    Job.objects.filter(name="two").update(enabled=False)
    browser.post("/jobs/bulk/", {"job": str(one.pk), "do": "pause", "reason": "x"})
    assert names_in(browser, "") == {"one", "two"}
    for query in (
        "q=harv",
        "kind=list",
        "state=failing",
        "state=trouble",
        "paused=yes",
        f"owner={one.owner_id}",
        f"account={service_account.pk}",
        f"collection={seed.HARVEST}",
    ):
        assert names_in(browser, query) == {"one"}, query
    for query in ("state=well", "paused=no", "paused=off", "kind=transfer"):
        assert names_in(browser, query) == {"two"}, query
    assert names_in(browser, "state=never") == set()
    assert names_in(browser, "kind=x&owner=y&page=z") == {"one", "two"}


def test_bulk_wants_a_reason_and_keeps_the_filter(browser):
    job = make_job()
    fields = {"job": [str(job.pk), "x"], "do": "pause", "query": "kind=list"}
    assert browser.post("/jobs/bulk/", fields)["Location"] == "/jobs/?kind=list"
    assert not Hold.objects.exists()
    browser.post("/jobs/bulk/", fields | {"reason": "maintenance"})
    assert Hold.objects.in_force().get().reason == "maintenance"
    assert AuditEvent.objects.filter(kind="job:hold:pause").count() == 1
    assert "maintenance" in text_of(browser.get(f"/jobs/{job.pk}/"))
    browser.post("/jobs/bulk/", fields | {"do": "resume"})
    assert not Hold.objects.in_force().exists()


def test_pausing_what_is_paused_and_resuming_what_is_not_says_so(
    browser, service_account
):
    job, other = (make_job(service_account, name=name) for name in ("one", "two"))
    one = f"/jobs/{job.pk}/hold/"
    both = {"job": [str(job.pk), str(other.pk)], "reason": "x"}

    def says(address, fields):
        return text_of(browser.post(address, fields, follow=True))

    assert "The job was not paused." in says(one, {"do": "resume"})
    assert "The job is paused." in says(one, {"do": "pause", "reason": "power"})
    page = says(one, {"do": "pause", "reason": "lunch"})
    assert "The job was paused already" in page
    assert "power" in page
    page = says("/jobs/bulk/", both | {"do": "pause"})
    assert "1 job paused." in page
    assert "1 job was paused already" in page
    page = says("/jobs/bulk/", both | {"do": "resume"})
    assert "2 jobs resumed." in page
    page = says("/jobs/bulk/", both | {"do": "resume"})
    assert "2 jobs were not paused." in page
    assert "resumed" not in page
    hold(None, mode=Hold.Mode.PAUSE, by=None, reason="new disks")
    assert "It still waits. Everything is paused" in says(one, {"do": "resume"})
    page = says("/jobs/bulk/", both | {"do": "resume"})
    assert "2 jobs still held back" in page


@pytest.mark.parametrize("account", [None, "x", {}, {"name": "robot"}])
def test_a_document_without_a_service_account_is_told_what_to_put_in(browser, account):
    text = json.dumps({"causeway_job": 1, "service_account": account})
    page = text_of(browser.post("/jobs/import/", {"document": text}))
    assert "does not say which service account acts" in page
    assert "None" not in page


def test_a_path_of_four_pages_leaves_the_sentence_readable(browser, service_account):
    path = f"/begin/{'q' * 4000}/end/"
    job = make_job(service_account, source_path=path, source_name="S" * 255)
    page = text_of(browser.get(f"/jobs/{job.pk}/"))
    lede = re.search(r'<p class="lede">(.*?)</p>', page, re.S)[1]
    assert "/begin/qq" in lede
    assert "qq/end/ on SSS" in lede
    assert len(lede) < 700
    assert path in page


def test_a_job_says_that_more_than_itself_is_held(browser, service_account):
    job = make_job(service_account)
    other = make_service_account(client_id=seed.ARCHIVE_CLIENT_ID)
    for what, why in (
        (service_account, "new secret"),
        (None, "new disks"),
        (other, "of somebody else"),
    ):
        hold(what, mode=Hold.Mode.PAUSE, by=None, reason=why)
    page = text_of(browser.get(f"/jobs/{job.pk}/"))
    assert "new secret" in page
    assert "new disks" in page
    assert "of somebody else" not in page
    assert 'value="pause"' in page


def test_a_reason_and_a_name_cannot_turn_what_is_said_around(browser, grace):
    odd = "<b>x</b>\u202efdp\x1b[0m"
    job = make_job(name=odd)
    hold(None, mode=Hold.Mode.DRAIN, by=grace, reason=odd)
    fields = {"do": "pause", "reason": odd}
    paused = browser.post(f"/jobs/{job.pk}/hold/", fields, follow=True)
    desk = browser.get("/jobs/")
    resumed = browser.post(f"/jobs/{job.pk}/hold/", {"do": "resume"}, follow=True)
    archived = browser.post(f"/jobs/{job.pk}/remove/", {"do": "archive"}, follow=True)
    for answer in (paused, desk, resumed, archived):
        page = text_of(answer)
        assert "U+202E" in page
        assert not {"\u202e", "\x1b"} & set(page)
        assert "<b>x" not in page


def test_who_changed_a_job_meanwhile_cannot_turn_it_around(browser):
    job = make_job()
    job.source_path = "/fdp\u202e/"
    job.save()
    versions.record(job, by=make_user(name="Eve\u202e"))
    stale = browser.post(f"/jobs/{job.pk}/edit/", {"do": "save", "version": "1"})
    said = re.findall(r'<div class="notice.*?</div>\s*</div>', text_of(stale), re.S)
    assert "EveU+202E has changed this job since you opened it." in "".join(said)
    assert "\u202e" not in "".join(said)


@pytest.mark.parametrize("reason", ["a\0b", "\0"])
def test_a_reason_that_cannot_be_kept_is_no_crash(browser, reason):
    job = make_job()
    run = make_run(job, state="failed")
    for address, fields in (
        ("/jobs/bulk/", {"job": str(job.pk), "do": "pause"}),
        (f"/jobs/{job.pk}/hold/", {"do": "pause"}),
        (f"/jobs/{job.pk}/hold/", {"do": "resume"}),
        (f"/jobs/{job.pk}/run/", {}),
        (f"/jobs/runs/{run.pk}/again/", {"do": "same"}),
    ):
        answer = browser.post(address, fields | {"reason": reason})
        assert answer.status_code in (200, 302), address


def test_a_reason_with_an_address_in_the_query_leads_nowhere_else(browser):
    job = make_job()
    answer = browser.post(
        "/jobs/bulk/", {"job": str(job.pk), "query": "//evil.example", "do": "resume"}
    )
    assert answer["Location"].startswith("/jobs/?")


def test_what_waits_says_why(browser):
    make_run(state="waiting", says="Two others of this account run first.")
    for address in ("/jobs/", "/jobs/waiting/"):
        assert "Two others of this account run first." in text_of(browser.get(address))


# --- calendar


@pytest.fixture
def next_year():
    """A day to come, as the calendar is asked for one."""
    return (timezone.now() + timedelta(days=300)).date().isoformat()


def scheduled(job=None, **fields):
    schedule = Schedule(job=job or make_job(name="nightly"), **fields)
    planning.save(schedule)
    return schedule


@pytest.mark.parametrize("span", ["week", "month"])
def test_the_calendar_shows_what_is_due(browser, span):
    schedule = scheduled(cron="0 2 * * *")
    page = browser.get(f"/jobs/calendar/?span={span}")
    days = page.context["calendar"].days
    found = [entry for day in days for entry in day.entries]
    assert all(entry.times == ["02:00"] for entry in found)
    last = days[-1].day
    left = (last - schedule.next_run_at.date()).days + 1
    assert len(found) == max(0, left)


def entries_of(page):
    return [each for day in page.context["calendar"].days for each in day.entries]


def test_a_day_has_the_first_times_of_all_schedules_of_a_job_each_once(
    browser, next_year
):
    """Two schedules that name one moment make one run."""
    job = make_job(name="nightly")
    scheduled(job, cron="0 * * * *")
    scheduled(job, cron="0,30 0 * * *")
    [first, *_] = entries_of(browser.get(f"/jobs/calendar/?from={next_year}"))
    assert first.times == ["00:00", "00:30", "01:00", "02:00"]
    assert first.more == 21


def test_the_calendar_is_in_the_zone_of_most_schedules(browser, service_account):
    for zone in ("Asia/Kolkata", "Asia/Kolkata", "UTC"):
        scheduled(make_job(service_account), cron="0 2 * * *", zone=zone)
    page = browser.get("/jobs/calendar/?from=2030-06-03")
    assert page.context["zone"] == "Asia/Kolkata"
    assert {time for each in entries_of(page) for time in each.times} <= {
        "02:00",
        "07:30 (02:00 UTC)",
    }


def test_the_calendar_is_shown_in_the_zone_that_the_reader_chose(browser, next_year):
    scheduled(cron="0 2 * * *", zone="Asia/Kolkata")
    address = f"/jobs/calendar/?from={next_year}&zone=America/New_York"
    page = browser.get(address)
    times = [time for each in entries_of(page) for time in each.times]
    assert len(times) == 7
    for time in times:
        assert re.fullmatch(r"1[56]:30 \(\w{3} 02:00 Asia/Kolkata\)", time)
    assert "in America/New_York" in page.content.decode()
    assert browser.get("/jobs/calendar/").context["zone"] == "America/New_York"


def test_a_zone_that_is_not_there_is_said(browser):
    page = browser.get("/jobs/calendar/?zone=Mars/Base")
    assert "There is no such time zone" in page.content.decode()
    assert page.context["zone"] == "UTC"


def test_a_day_of_the_calendar_is_a_day_of_its_zone(browser, next_year):
    """Where the clock is fourteen hours ahead, the same moment is the next day."""
    scheduled(cron="0 23 * * *", zone="UTC")
    page = browser.get(f"/jobs/calendar/?from={next_year}&zone=Pacific/Kiritimati")
    assert all(entry.times[0].startswith("13:00 (") for entry in entries_of(page))
    assert len(entries_of(page)) == 7


def test_two_schedules_of_a_job_are_one_entry_in_order(browser, next_year):
    schedule = scheduled(cron="0 14 * * *")
    scheduled(job=schedule.job, cron="0 2 * * *")
    page = browser.get(f"/jobs/calendar/?from={next_year}")
    assert [entry.times for entry in entries_of(page)] == [["02:00", "14:00"]] * 7


def test_a_schedule_of_every_minute_does_not_flood_it(browser):
    scheduled(cron="* * * * *")
    days = browser.get("/jobs/calendar/?span=month").context["calendar"].days
    entries = [entry for day in days for entry in day.entries]
    assert sum(len(entry.times) + entry.more for entry in entries) <= 100
    assert entries[-1].is_cut or entries == []


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "x", "2026-02-30"])
def test_the_calendar_has_ends(browser, day):
    for span in ("week", "month"):
        assert browser.get(f"/jobs/calendar/?span={span}&from={day}").status_code == 200


# --- figures


def test_figures_add_up_by_day_account_and_collection(browser, service_account):
    job = make_job(service_account, kind="transfer", source_name="Harvest <1>")
    now = timezone.now()  # a day may have passed since these tests were collected
    for state, size in (("succeeded", 1024), ("failed", 0), ("skipped", 0)):
        transfer = make_transfer(service_account, bytes_transferred=size)
        make_run(
            job,
            state=state,
            transfer=transfer,
            started_at=now - timedelta(minutes=2),
            finished_at=now,
        )
    page = browser.get("/jobs/figures/")
    text = text_of(page)
    last = page.context["points"][-1]
    assert (last.runs, last.failed, last.size_bytes, last.seconds) == (2, 1, 1024, 120)
    assert len(page.context["points"]) == 30
    assert text.count("<rect") == 3
    assert "1.0 KiB" in text
    assert "Harvest &lt;1&gt;" in text
    assert "style=" not in text
    year = browser.get(f"/jobs/figures/?days=365&account={service_account.pk}")
    assert sum(point.runs for point in year.context["points"]) == 2
    none = browser.get(f"/jobs/figures/?collection={seed.RESEARCH}&days=x")
    assert "Nothing has run in this time" in text_of(none)


def test_what_took_less_than_a_second_is_not_nothing(browser, service_account):
    job = make_job(service_account, kind="transfer")
    began = NOW - timedelta(milliseconds=400)
    make_run(job, state="succeeded", started_at=began, finished_at=NOW)
    page = text_of(browser.get("/jobs/figures/"))
    assert "highest: 0.4 s" in page
    assert ">0 s<" not in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.02, "under 0.1 s"),
        (0.44, "0.4 s"),
        (1.5, "1 s"),
        (65, "1 min 5 s"),
    ],
)
def test_durations_in_words(seconds, words):
    assert seconds_words(seconds) == words


# --- runs


def test_a_run_keeps_its_version_when_the_job_changes(browser, service_account, grace):
    job = make_job(service_account)
    versions.record(job, by=grace)
    run = runs.run_now(job, by=grace)
    job.source_path = "/other/"
    job.save()
    versions.record(job, by=grace)
    later = runs.run_now(job, by=grace)
    assert (run.job_version.number, later.job_version.number) == (1, 2)
    assert "version 1 of the job" in text_of(browser.get(f"/jobs/runs/{run.pk}/"))
    assert "/sensors/" in text_of(browser.get(f"/jobs/{job.pk}/"))


def test_a_run_is_repeated_and_says_of_which_one(browser, service_account):
    parent = make_run(make_job(service_account), state="failed", finished_at=NOW)
    address = f"/jobs/runs/{parent.pk}/again/"
    answer = browser.post(address, {"do": "same", "reason": "once more"})
    child = Run.objects.get(parent=parent)
    assert (child.lineage, child.reason) == ("same", "once more")
    assert str(parent.pk) in text_of(browser.get(answer["Location"]))
    assert str(child.pk) in text_of(browser.get(f"/jobs/runs/{parent.pk}/"))


def test_a_run_is_repeated_with_edited_input(browser, service_account):
    job = make_job(service_account, kind="transfer")
    parent = make_run(job, state="failed", finished_at=NOW)
    address = f"/jobs/runs/{parent.pk}/again/"
    assert "/sensors/" in text_of(browser.get(address))
    fields = {
        "do": "edited",
        "source_path": "/sensors/",
        "destination_path": "/incoming/again/",
        "batch": "a.csv b.csv\nbad\n",
        "verify_checksum": "on",
    }
    assert "Line 2: Only one path" in text_of(browser.post(address, fields))
    answer = browser.post(address, fields | {"batch": "a.csv b.csv\n"})
    assert answer.status_code == 302, answer.content.decode()
    child = Run.objects.get(parent=parent)
    assert child.lineage == "edited"
    assert child.inputs["items"][0]["destination_path"] == "/incoming/again/b.csv"
    assert parent.inputs["items"] == []


def test_a_brace_of_a_name_is_one_after_an_edit_too(browser, service_account):
    """What the form shows has fields again, whatever the run before had in them."""
    job = make_job(
        service_account,
        kind="transfer",
        source_path="/a{{b}}/{scheduled_for:%Y}/",
        destination_path="/incoming/x/",
    )
    parent = make_run(job, state="failed", finished_at=NOW)
    parent.inputs = filled_inputs(
        job.inputs() | {"scheduled_for": "2026-01-03T02:00:00+00:00"}, UTC_ZONE
    )
    parent.save()
    address = f"/jobs/runs/{parent.pk}/again/"
    shown = browser.get(address).context["form"]
    fields = {name: shown[name].value() or "" for name in ("source_path", "label")}
    assert fields["source_path"] == "/a{{b}}/2026/"
    fields |= {"do": "edited", "destination_path": "/incoming/y/"}
    assert browser.post(address, fields).status_code == 302
    child = Run.objects.get(parent=parent)
    assert filled_inputs(child.inputs, UTC_ZONE)["source_path"] == "/a{b}/2026/"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"destination_path": "/{huh}/"}, "There is no field {huh}"),
        ({"source_path": "/a{b/"}, "A brace { stands alone"),
        ({"batch": "a x\nb x\n"}, "Line 2: It would arrive where line 1 does"),
        ({"batch": "a x\nb {huh}/\n"}, "Line 2: There is no field {huh}"),
    ],
)
def test_an_edited_run_is_looked_at_as_the_job_was(
    browser, service_account, fields, words
):
    job = make_job(service_account, kind="transfer")
    parent = make_run(job, state="failed", finished_at=NOW)
    sent = {"do": "edited", "source_path": "/sensors/", "destination_path": "/in/"}
    answer = browser.post(f"/jobs/runs/{parent.pk}/again/", sent | fields)
    assert words in text_of(answer)
    assert not Run.objects.filter(parent=parent).exists()


# --- files


def full_job(service_account):
    return make_job(
        service_account,
        name="it's nightly",
        kind="mirror",
        recursive=True,
        destination_path="/incoming/exported/",
        options={
            "sync_level": 2,
            "encrypt_data": True,
            "verify_checksum": False,
            "notify_on_succeeded": False,
            "filter_rules": [
                {
                    "DATA_TYPE": "filter_rule",
                    "method": "exclude",
                    "type": "file",
                    "name": "*.tmp $x",
                }
            ],
        },
        delete_extra=True,
    )


def wanted_of(job):
    found = runs.document_of(job.inputs())
    return {key: value for key, value in found.items() if key != "DATA_TYPE"}


def test_the_exported_command_asks_globus_for_the_same(
    transactional_db, service_account, stack, tmp_path
):
    """As the official CLI understands it."""
    job = full_job(service_account)
    script = exporting.as_shell(job).replace(
        "globus transfer", "globus transfer --dry-run -F json"
    )
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        env={
            **stack.environment,
            "HOME": str(tmp_path),
            "PATH": f"{ROOT / '.venv-cli/bin'}:/usr/bin:/bin",
            "GLOBUS_CLI_CLIENT_ID": seed.HARVEST_CLIENT_ID,
            "GLOBUS_CLI_CLIENT_SECRET": seed.HARVEST_CLIENT_SECRET,
        },
    )
    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout)
    for key, value in wanted_of(job).items():
        assert asked[key] == value, key


def test_the_exported_script_moves_the_same(
    transactional_db, service_account, stack, tmp_path
):
    job = full_job(service_account)
    script = tmp_path / "job.py"
    script.write_text(exporting.as_python(job))
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            **stack.environment,
            "HOME": str(tmp_path),
            "GLOBUS_CLIENT_ID": seed.HARVEST_CLIENT_ID,
            "GLOBUS_CLIENT_SECRET": seed.HARVEST_CLIENT_SECRET,
        },
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) == 36


def test_fields_in_paths_become_dates_of_the_shell(service_account):
    job = make_job(
        service_account,
        kind="transfer",
        source_path="/a b/{scheduled_for:%Y-%m-%d}/",
        destination_path="/since {watermark:%Y}/",
    )
    text = exporting.as_shell(job)
    assert "'/a b/'\"$(TZ=UTC date +%Y-%m-%d)\"/" in text
    assert "${WATERMARK:?" in text
    assert "now.strftime('%Y-%m-%d')" in exporting.as_python(job)


def test_names_cannot_act_in_an_exported_script(service_account):
    name = "x\nrm -rf /\n$(touch pwned)`touch pwned`'\""
    job = make_job(service_account, name=name, kind="transfer", label=name)
    for write in (exporting.as_shell, exporting.as_python):
        lines = write(job).splitlines()
        assert not any(line.startswith("rm ") for line in lines)
    compile(exporting.as_python(job), "job.py", "exec")


@pytest.mark.django_db(transaction=True)
def test_a_file_is_taken_in_on_the_page(browser, service_account):
    job = full_job(service_account)
    text = text_of(browser.get(f"/jobs/{job.pk}/export/json/?download"))
    file = SimpleUploadedFile("job.json", text.encode())
    refused = text_of(browser.post("/jobs/import/", {"file": file}))
    assert "already exists" in refused
    again = browser.post("/jobs/import/", {"document": text, "name": "copy"})
    assert again.status_code == 302, again.content.decode()
    copy = Job.objects.get(name="copy")
    assert (copy.options, copy.delete_extra) == (job.options, True)
    assert (copy.enabled, copy.source_name) == (False, "Nightly harvest drop box")


def test_a_webhook_shows_its_key_once(browser, settings):
    job = make_job()
    address = f"/jobs/{job.pk}/webhook/"
    assert "begins with https://" in text_of(
        browser.post(address, {"do": "set", "url": "http://x"})
    )
    page = text_of(
        browser.post(address, {"do": "set", "url": "https://hooks.example.org/a"})
    )
    job.refresh_from_db()
    key = job.webhook.key().reveal()
    assert key in page
    assert key not in text_of(browser.get(address))
    browser.post(address, {"do": "remove"})
    job.refresh_from_db()
    assert job.webhook is None
