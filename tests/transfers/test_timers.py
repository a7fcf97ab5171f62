"""Transfers that Globus repeats: made once, with the consents that runs will need."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.clients import timers_client, transfer_client
from portal.globus.errors import UnexpectedAnswer
from sandbox import seed
from tests.flows import button, consent, go_on, person, scopes_asked
from tests.sandbox.waiting import until
from transfers import timers
from transfers.models import AskedTimer
from transfers.timer_forms import TimerForm, schedule_words
from transfers.timers import Schedule

pytestmark = pytest.mark.django_db(transaction=True)

DATA_ACCESS = f"https://auth.globus.org/scopes/{seed.RESEARCH}/data_access"
TRANSFER = {
    "form": "transfer",
    "origin_id": seed.TUTORIAL_1,
    "origin_path": "/home/share/godata/",
    "destination_id": seed.TUTORIAL_2,
    "destination_path": "/home/ada/nightly/",
    "label": "godata, again",
    "verify_checksum": "on",
}
PLAN = {
    "do": "make",
    "name": "Nightly",
    "repeats": "every",
    "every": "1",
    "unit": "days",
    "zone": "Europe/London",
    "ends": "runs",
    "runs": "3",
}


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


def runs_in(answer):
    """How many of the last runs stand in the table."""
    return answer.content.decode().count('data-name="Came of it"')


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def form():
    return {**TRANSFER, **PLAN, "timer_form": str(uuid4())}


def make(browser, sandbox, form, person="ada"):
    """Sends the form and gives the consent; the page of the timer."""
    answer = browser.post("/timers/new/", form)
    if answer.status_code == 403:
        question = consent(browser, sandbox, answer.content.decode(), person)
        answer = go_on(browser, question)
    assert answer.status_code == 302, text_of(answer)
    return answer["Location"]


def first_run_ends():
    """Its task is done, so what changes from here on does not hold it up.

    Without a consent it would stay active, and the tick after it be skipped.
    """
    client = transfer_client(person("ada"))
    until(
        lambda: any(
            each["label"].endswith(", run 1")
            for each in client.task_list(filter={"status": "SUCCEEDED"})
        ),
        "the first run",
    )


def test_seeing_timers_takes_a_consent_that_is_asked_for_when_wanted(as_ada, sandbox):
    page = text_of(as_ada.get("/timers/"))
    assert "Show my timers" in page
    answer = as_ada.get("/timers/?show=1")
    assert "repeat a transfer in your name" in text_of(answer)
    back = consent(as_ada, sandbox, answer.content.decode(), "ada")
    assert "No timers yet" in text_of(as_ada.get(back["Location"]))
    assert "No timers yet" in text_of(as_ada.get("/timers/"))


def test_the_transfer_form_leads_to_the_plan(as_ada):
    page = text_of(as_ada.get("/transfers/new/"))
    assert 'formaction="/timers/new/"' in page
    page = text_of(as_ada.post("/timers/new/", {**TRANSFER, "do": "repeat"}))
    assert "1 item from" in page
    assert re.search("/home/share/godata/.* → .*/home/ada/nightly/godata/", page)
    assert 'name="label" value="godata, again"' in page


def test_what_is_wrong_with_the_transfer_is_said_in_its_form(as_ada):
    page = text_of(
        as_ada.post(
            "/timers/new/", {**TRANSFER, "origin_path": "/a/../b", "do": "repeat"}
        )
    )
    assert "New transfer" in page
    assert "This is not sent yet" in page


def test_a_deadline_does_not_go_with_repeating(as_ada):
    data = {**TRANSFER, "deadline": "2099-01-01T00:00", "do": "repeat"}
    page = text_of(as_ada.post("/timers/new/", data))
    assert "Every run would have to end by this one moment" in page


def test_filters_and_mail_come_along_into_a_timer(as_ada, sandbox, form):
    rules = {"rule_what": ["exclude", "include"], "rule_name": ["*.tmp", "keep"]}
    page = as_ada.post("/timers/new/", {**TRANSFER, **rules, "do": "repeat"})
    assert text_of(page).count('name="rule_name"') == 2
    address = make(as_ada, sandbox, {**form, **rules, "globus_mail": ["failed"]})
    client = timers_client(person("ada"))
    document = timers.one(client, UUID(address.split("/")[2])).document
    assert [rule["name"] for rule in document["filter_rules"]] == ["*.tmp", "keep"]
    assert document["notify_on_succeeded"] is False


def test_a_timer_is_made_runs_and_is_looked_after(as_ada, sandbox, form):
    address = make(as_ada, sandbox, form)
    page = text_of(as_ada.get(address))
    assert "Every day, 3 times." in page
    until(lambda: runs_in(as_ada.get(address)) == 1, "the first run")
    sandbox.advance(86_400)
    until(lambda: runs_in(as_ada.get(address)) == 2, "the second run")
    assert "Nightly" in text_of(as_ada.get("/timers/?status=active&q=night"))
    assert "No timer fits" in text_of(as_ada.get("/timers/?status=ended"))

    as_ada.post(f"{address}pause/")
    page = text_of(as_ada.get(address))
    assert "Paused" in page
    as_ada.post(f"{address}resume/")
    assert "Let it go on" not in text_of(as_ada.get(address))
    as_ada.post(f"{address}name/", {"name": "Every night"})
    assert "Every night" in text_of(as_ada.get(address))
    assert "Give it a name" in text_of(as_ada.post(f"{address}name/", {"name": " "}))
    assert "Delete this timer?" in text_of(as_ada.get(f"{address}delete/"))
    as_ada.post(f"{address}delete/")
    assert as_ada.get(address).status_code == 404


@pytest.mark.parametrize(
    ("plan", "words", "goes_on"),
    [
        ({"repeats": "once"}, "Once.", False),
        ({"ends": "never"}, "Every day.", True),
        ({"ends": "runs", "runs": "1"}, "Every day, 1 time.", False),
        ({"every": "2", "unit": "weeks", "ends": "never"}, "Every 2 weeks.", True),
        ({"ends": "until", "until": "tomorrow"}, "Every day, until ", True),
    ],
)
def test_every_kind_of_plan_is_made_and_ends_when_it_should(
    as_ada, sandbox, form, plan, words, goes_on
):
    if plan.get("until"):
        moment = datetime.fromtimestamp(sandbox.now(), UTC) + timedelta(days=1, hours=1)
        plan = plan | {"until": f"{moment:%Y-%m-%dT%H:%M}", "zone": "UTC"}
    address = make(as_ada, sandbox, {**form, **plan})
    assert words in text_of(as_ada.get(address))
    until(lambda: runs_in(as_ada.get(address)) == 1, "the first run")
    ended = "Ended" in text_of(as_ada.get(address))
    assert ended is not goes_on
    if plan.get("until"):
        sandbox.advance(86_400 * 3)
        until(lambda: "Ended" in text_of(as_ada.get(address)), "its end")


def test_a_form_that_arrives_twice_makes_one_timer(as_ada, sandbox, form):
    first = make(as_ada, sandbox, form)
    assert make(as_ada, sandbox, form) == first
    assert len(sandbox.requests("/timer/v2/timer")) == 1


def test_a_lost_answer_does_not_make_a_second_timer(as_ada, sandbox, form):
    make(as_ada, sandbox, {**form, "timer_form": str(uuid4()), "name": "another"})
    sandbox.fault("/v2/timer", reset="after")
    answer = as_ada.post("/timers/new/", form)
    assert answer.status_code == 503
    sandbox.clear_faults()
    # The claim of the try before runs out.
    AskedTimer.objects.filter(timer_id=None).update(
        claimed_at=timezone.now() - timedelta(minutes=2)
    )
    address = make(as_ada, sandbox, form)
    assert "Nightly" in text_of(as_ada.get(address))
    page = text_of(as_ada.get("/timers/"))
    assert page.count(">Nightly<") == 1


def test_two_at_once_make_one(as_ada, sandbox, form, ada):
    AskedTimer.objects.create(
        id=form["timer_form"], user=ada, claimed_at=timezone.now()
    )
    make(as_ada, sandbox, {**form, "timer_form": str(uuid4())})
    answer = as_ada.post("/timers/new/", form)
    assert answer.status_code == 409
    assert "being made right now" in text_of(answer)


def test_the_form_of_somebody_else_is_not_used(as_ada, visit, sandbox, form):
    make(as_ada, sandbox, form)
    grace = visit("grace")
    assert grace.post("/timers/new/", form).status_code == 404


def test_nested_consents_are_asked_for_before_and_all_at_once(as_ada, sandbox, form):
    """Globus itself finds out when the first run fails."""
    mapped = {**form, "origin_id": seed.RESEARCH, "origin_path": "/projects/"}
    answer = as_ada.post("/timers/new/", mapped)
    assert answer.status_code == 403
    assert not sandbox.requests("/timer/v2/timer")
    page = answer.content.decode()
    address = button(as_ada, page)
    [asked] = parse_qs(urlsplit(address).query)["scope"]
    [timer] = [each for each in asked.split(" https") if "/timer[" in each]
    assert f"{seed.RESEARCH}/data_access" in timer
    assert seed.RESEARCH in scopes_asked(address)
    location = make(as_ada, sandbox, mapped)
    sandbox.advance(60)
    page = text_of(as_ada.get(location))
    assert "Waits for you" not in page


@pytest.mark.parametrize("lost", [{}, {"scope_name": DATA_ACCESS}])
def test_a_timer_that_lost_a_consent_goes_on_with_a_new_one(visit, sandbox, form, lost):
    mapped = {**form, "origin_id": seed.RESEARCH, "origin_path": "/projects/"}
    location = make(visit("ada"), sandbox, mapped)
    first_run_ends()
    sandbox.withdraw_consents(**lost)
    sandbox.advance(86_400)
    # Days later, so with another sign-in.
    browser = visit("ada")
    until(lambda: "Waits for you" in text_of(browser.get(location)), "a pause")
    answer = browser.post(f"{location}resume/")
    assert answer.status_code == 403
    answer = go_on(browser, consent(browser, sandbox, answer.content.decode(), "ada"))
    assert answer.status_code == 302, text_of(answer)
    assert "Waits for you" not in text_of(browser.get(location))


def test_timers_that_cannot_be_read_are_not_no_timers(as_ada, sandbox, form):
    make(as_ada, sandbox, form)
    sandbox.fault("/jobs/", status=503)
    answer = as_ada.get("/timers/")
    assert answer.status_code == 503
    assert "No timers yet" not in text_of(answer)


def test_the_timer_of_somebody_else_is_not_there(as_ada, visit, sandbox, form):
    location = make(as_ada, sandbox, form)
    grace = visit("grace")
    make(grace, sandbox, {**form, "timer_form": str(uuid4())}, "grace")
    for end in ("", "delete/"):
        assert grace.get(location + end).status_code == 404
    for end in ("pause/", "resume/", "name/", "delete/"):
        assert grace.post(location + end, {"name": "mine"}).status_code == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "Give it a name"),
        ({"every": ""}, "Say how much time lies between"),
        ({"every": "0"}, "greater than or equal to 1"),
        ({"every": "9" * 30}, "at most once a minute"),
        ({"every": "500", "unit": "days"}, "at most once a minute"),
        ({"unit": "moons"}, "Select a valid choice"),
        ({"zone": "Mars/Olympus"}, "There is no such time zone"),
        ({"zone": "../etc/passwd"}, "There is no such time zone"),
        ({"start": "2001-01-01T00:00"}, "This is in the past"),
        ({"start": "0001-01-01T00:00", "zone": "Asia/Tokyo"}, "This is in the past"),
        ({"start": "9999-12-31T23:59", "zone": "America/New_York"}, "within a year"),
        ({"start": "soon"}, "Enter a valid date"),
        ({"ends": "runs", "runs": ""}, "Say after how many runs"),
        ({"ends": "until", "until": ""}, "Say until when"),
        ({"ends": "until", "until": "2001-01-01T00:00"}, "end before its first run"),
    ],
)
def test_a_plan_that_makes_no_sense_is_said_at_its_field(change, words):
    form = TimerForm({**PLAN, **change})
    assert not form.is_valid()
    assert words in str(form.errors)


@given(
    st.dictionaries(
        st.sampled_from(sorted(TimerForm.base_fields)), st.text(max_size=40)
    )
)
def test_no_words_break_the_plan(fields):
    form = TimerForm(fields)
    assert form.is_valid() is not bool(form.errors)


def test_times_are_of_the_zone_that_was_named():
    start = (timezone.now() + timedelta(days=30)).replace(
        hour=2, minute=0, second=0, microsecond=0
    )
    form = TimerForm(
        {**PLAN, "start": f"{start:%Y-%m-%dT%H:%M}", "zone": "Asia/Kolkata"}
    )
    assert form.is_valid(), form.errors
    assert form.schedule.start == start - timedelta(hours=5, minutes=30)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Schedule(), "once"),
        (Schedule(interval=timedelta(days=1)), "every day"),
        (Schedule(interval=timedelta(hours=36)), "every 36 hours"),
        (Schedule(interval=timedelta(weeks=2), runs=1), "every 2 weeks, 1 time"),
        (Schedule(interval=timedelta(seconds=90)), "every 90 seconds"),
        (
            Schedule(
                interval=timedelta(minutes=5), until=datetime(2027, 1, 2, tzinfo=UTC)
            ),
            "every 5 minutes, until 2027-01-02 00:00 UTC",
        ),
    ],
)
def test_a_plan_in_words(plan, words):
    assert schedule_words(plan) == words


JOB = {"job_id": str(uuid4()), "name": "x", "status": "active"}


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        {},
        {"job_id": "x"},
        {**JOB, "interval": "often"},
        {**JOB, "results": {"data": [3]}},
        {**JOB, "callback_body": []},
    ],
)
def test_an_answer_that_makes_no_sense(row):
    if isinstance(row, dict) and row.get("callback_body") == []:
        assert timers._timer(row).document == {}
        return
    with pytest.raises(UnexpectedAnswer):
        timers._timer(row)


def test_a_job_with_hardly_anything_in_it_is_shown():
    timer = timers._timer(JOB)
    assert timer.id == UUID(JOB["job_id"])
    assert timer.source_id is None
