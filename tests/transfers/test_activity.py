"""The list of all transfers, and what can be done from the page of one."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.clients import transfer_client
from sandbox import seed
from tests.factories import make_service_account, make_token, make_transfer, make_user
from tests.flows import REFRESH, come_back, person, scopes_asked
from tests.portal.processes import eventually
from tests.sandbox.waiting import until
from transfers import attention, details, monitoring, open_matters, submission, tasks
from transfers.history import keep_samples
from transfers.models import STALLED_AFTER, TaskDetails, Transfer
from transfers.submission import Item, document_for

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def nobody_has_looked():
    cache.clear()


@pytest.fixture
def visit(transactional_db, visit):
    """A renewal of a token wants a transaction of its own."""
    return visit


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def owner(db):
    return make_user()


@pytest.fixture
def browser(owner):
    """Of somebody without a token: none of these pages asks Globus."""
    signed_in = Client()
    signed_in.force_login(owner, backend="accounts.sign_in.GlobusSignIn")
    return signed_in


def text_of(answer):
    return answer.content.decode()


def labels(page):
    return re.findall(r'<bdi class="name">(\w+)</bdi>\s*</a>', page)


def laptop(path="/Documents/", **options):
    return document_for(
        source_collection=UUID(seed.LAPTOP),
        destination_collection=UUID(seed.LAPTOP),
        items=[Item(path, f"/copies/{uuid4().hex}/{path.strip('/').split('/')[-1]}")],
        **options,
    )


def sent(transfer):
    submission.send(transfer_client(transfer.principal), transfer)
    transfer.refresh_from_db()
    assert transfer.task_id, transfer.last_error
    return transfer


def ended(transfer):
    polled_until(transfer, lambda: transfer.is_finished)
    return transfer


def polled_until(transfer, is_so):
    def looks_so():
        monitoring.poll(transfer.principal)
        transfer.refresh_from_db()
        return is_so()

    assert eventually(looks_so)


# --- the list


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abcdef"),
        ("status=running", "ad"),
        ("status=stalled", "d"),
        ("status=succeeded", "b"),
        ("status=failed", "c"),
        ("status=cancelled", "e"),
        ("status=waiting", "f"),
        ("by=portal", "abcdf"),
        ("by=elsewhere", "e"),
        ("within=7", "abcde"),
        (f"collection={seed.LAPTOP}", "a"),
        ("q=zebra", "b"),
        ("q=godata", "bcdef"),
        ("status=nonsense&by=x&within=-1&sort=drop&collection=zzz", "abcdef"),
        ("status=failed&q=zebra", ""),
        ("q=%00%ff", ""),
    ],
)
def test_the_list_is_filtered_and_searched(browser, owner, query, found):
    make_transfer(owner, status="ACTIVE", label="a", document=laptop())
    make_transfer(owner, status="SUCCEEDED", label="b", source_name="Zebra")
    make_transfer(owner, status="FAILED", label="c", finished_at=NOW)
    make_transfer(
        owner, status="ACTIVE", label="d", is_ok=False, fault_since=NOW - STALLED_AFTER
    )
    make_transfer(
        owner, status="FAILED", label="e", error_code="CANCELED", origin="elsewhere"
    )
    make_transfer(
        owner, status="WAITING", label="f", created_at=NOW - timedelta(days=8)
    )
    page = text_of(browser.get(f"/transfers/?{query}"))
    assert sorted(labels(page)) == [*found]
    rows = text_of(browser.get(f"/transfers/rows/?{query}"))
    assert sorted(labels(rows)) == [*found]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("", "cba"), ("oldest", "abc"), ("size", "bca"), ("label", "abc"), ("ended", "a")],
)
def test_the_list_is_sorted(browser, owner, sort, order):
    for number, (label, size) in enumerate((("a", 1), ("b", 9), ("c", 5))):
        make_transfer(
            owner,
            status="ACTIVE",
            label=label,
            bytes_transferred=size,
            created_at=NOW + timedelta(minutes=number),
            finished_at=NOW if label == "a" else None,
        )
    page = text_of(browser.get(f"/transfers/?sort={sort}"))
    assert "".join(labels(page)).startswith(order)


def test_the_list_is_paged_with_its_filters(browser, owner):
    for _ in range(30):
        make_transfer(owner, status="FAILED", finished_at=NOW)
    page = text_of(browser.get("/transfers/?status=failed&page=2"))
    assert "Page 2 of 2" in page
    assert page.count("cross-circle") == 5
    assert "status=failed&amp;page=1" in page
    assert "30 transfers" in page


HOSTILE = (
    "</tr><script>alert(1)</script>",
    "=HYPERLINK(1)",
    "\u202egnp.exe",
    "%00 ${7*7} {{7*7}} %s",
    "x" * 128,
    "' OR 1=1 --",
    "",
)


def test_a_thousand_with_hostile_labels(browser, owner, django_assert_num_queries):
    first = make_transfer(owner, status="ACTIVE", label="first")
    kept = {"user": owner, "document": first.document, "source_id": first.source_id}
    kept |= {"destination_id": first.destination_id, "sent_at": first.sent_at}
    Transfer.objects.bulk_create(
        Transfer(
            **kept,
            label=HOSTILE[number % len(HOSTILE)],
            status="SUCCEEDED" if number % 3 else "ACTIVE",
            submission_id=uuid4(),
            task_id=uuid4(),
            finished_at=NOW if number % 3 else None,
        )
        for number in range(999)
    )
    for query in ("", "sort=label&page=40", "q=%25s", "q=' OR 1=1 --", "q=_"):
        page = text_of(browser.get(f"/transfers/?{query}"))
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert page.count('name="transfer"') <= 25
    assert re.search("1,?000 transfers", text_of(browser.get("/transfers/")))
    # What stands for anything in a pattern of the database stands for itself here.
    assert "No transfer fits" in text_of(browser.get("/transfers/?q=first_"))
    polled = browser.get("/transfers/rows/?page=40")
    with django_assert_num_queries(2):
        unchanged = {"If-None-Match": polled["ETag"]}
        assert (
            browser.get("/transfers/rows/?page=40", headers=unchanged).status_code
            == 304
        )
    for page in ("0", "-1", "x", "9" * 30):
        assert browser.get(f"/transfers/rows/?page={page}").status_code in (200, 286)
        assert browser.get(f"/transfers/?page={page}").status_code == 200

    answer = browser.get("/transfers/csv/")
    rows = list(csv.reader(io.StringIO(b"".join(answer).decode())))
    assert len(rows) == 1001
    assert not [cell for row in rows for cell in row if cell.startswith("=")]


def test_rows_answer_304_with_one_query_until_something_changes(
    browser, owner, django_assert_num_queries
):
    transfer = make_transfer(owner, status="ACTIVE")
    first = browser.get("/transfers/rows/")
    assert first.status_code == 200
    with django_assert_num_queries(2):  # session with its person, rows
        again = browser.get(
            "/transfers/rows/", headers={"If-None-Match": first["ETag"]}
        )
    assert again.status_code == 304

    Transfer.objects.filter(pk=transfer.pk).update(bytes_transferred=5)
    changed = browser.get("/transfers/rows/", headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    Transfer.objects.filter(pk=transfer.pk).update(status="SUCCEEDED")
    monitoring.Watch.objects.update(next_poll_at=None)
    assert browser.get("/transfers/rows/").status_code == 286


def test_one_transfer_answers_304_with_one_query(
    browser, owner, django_assert_num_queries
):
    transfer = make_transfer(owner, status="ACTIVE")
    address = f"/transfers/{transfer.pk}/progress/"
    first = browser.get(address)
    with django_assert_num_queries(2):  # session with its person, transfer
        again = browser.get(address, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_a_list_that_is_open_hurries_the_monitor(browser, owner):
    make_transfer(owner, status="ACTIVE")
    browser.get("/transfers/")
    watch = monitoring.Watch.objects.get(user=owner)
    assert watch.looked_at
    assert watch.next_poll_at <= timezone.now() + timedelta(seconds=5)


def test_csv_holds_what_the_filters_leave_and_no_formula(browser, owner):
    make_transfer(owner, status="FAILED", label="=cmd()", finished_at=NOW)
    make_transfer(owner, status="ACTIVE", label="other")
    answer = browser.get("/transfers/csv/?status=failed")
    text = b"".join(answer.streaming_content).decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert row["Label"] == "'=cmd()"
    assert row["Status"] == "FAILED"
    assert row["Started by"] == "Here"
    assert "attachment" in answer["Content-Disposition"]


def test_many_are_cancelled_by_workers_and_only_ones_own(browser, owner, messages):
    mine = [make_transfer(owner, status="ACTIVE") for _ in range(3)]
    done = make_transfer(owner, status="SUCCEEDED")
    foreign = make_transfer(status="ACTIVE")
    picked = [str(each.pk) for each in (*mine[:2], done, foreign)] + ["x", ""]
    asked = browser.post("/transfers/cancel/", {"transfer": picked})
    assert "Cancel 2 transfers?" in text_of(asked)
    assert not Transfer.objects.exclude(cancel_wanted_at=None).exists()
    answer = browser.post("/transfers/cancel/", {"transfer": picked, "sure": "yes"})
    assert answer.status_code == 302
    wanted = Transfer.objects.exclude(cancel_wanted_at=None)
    assert {*wanted} == {*mine[:2]}
    assert sorted(messages()) == sorted(
        ("cancel_transfer", str(each.pk)) for each in mine[:2]
    )


def test_nothing_picked_is_said(browser):
    answer = browser.post("/transfers/cancel/", {}, follow=True)
    assert "Nothing was picked" in text_of(answer)


# --- one transfer


def test_the_page_says_how_much_longer_and_how_fast(browser, owner):
    began = timezone.now() - timedelta(seconds=100)
    transfer = make_transfer(
        owner,
        status="ACTIVE",
        is_ok=True,
        requested_at=began,
        files=400,
        directories=1,
        subtasks_total=402,
        speed_now=2048,
        bytes_per_second=1024,
    )
    for second in range(10, 101, 10):
        transfer.files_transferred = second
        transfer.bytes_transferred = second * 1024
        keep_samples([transfer], began + timedelta(seconds=second))
    transfer.save()
    page = text_of(browser.get(f"/transfers/{transfer.pk}/"))
    assert "5 to 6 minutes left, judging by the files" in page
    assert "2.0 KiB/s" in page
    assert '<svg class="plot plot-speed"' in page
    assert "As a table" in page
    assert " style=" not in page


def test_events_come_from_a_worker_with_the_errors_first(as_ada, sandbox, messages):
    transfer = sent(make_transfer(person("ada"), document=laptop("/nowhere.txt")))
    polled_until(transfer, lambda: transfer.is_ok is False)
    sandbox.forget_requests()
    address = f"/transfers/{transfer.pk}/"
    page = text_of(as_ada.get(address))
    assert "being fetched" in page
    assert sandbox.requests("event_list") == []
    assert ("fetch_details", str(transfer.pk)) in messages()
    etag = as_ada.get(f"{address}progress/")["ETag"]

    tasks.fetch_details(str(transfer.pk))

    answer = as_ada.get(f"{address}progress/", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert text_of(answer).index("FILE_NOT_FOUND") < text_of(answer).index("STARTED")


def test_events_come_with_the_refresh_once_there_is_a_task(as_ada, messages):
    transfer = make_transfer(person("ada"), document=laptop("/nowhere.txt"))
    address = f"/transfers/{transfer.pk}/"
    assert "Events" not in text_of(as_ada.get(address))
    sent(transfer)
    asked = ("fetch_details", str(transfer.pk))

    def refreshed(**rows):
        """What the next refresh brings, and how often it asked a worker for events."""
        TaskDetails.objects.filter(transfer=transfer).update(**rows)
        before = messages().count(asked)
        answer = as_ada.get(f"{address}progress/")
        return answer, messages().count(asked) - before

    answer, count = refreshed()
    assert "being fetched" in text_of(answer)
    assert count == 1
    tasks.fetch_details(str(transfer.pk))
    answer, count = refreshed(events=[])
    assert "Globus tells of none" in text_of(answer), "it has hardly begun"
    assert count == 0

    long_ago = timezone.now() - details.FRESH
    assert refreshed(asked_at=long_ago, fetched_at=long_ago)[1] == 1
    client = transfer_client(person("ada"))
    until(lambda: list(client.task_event_list(transfer.task_id)), "its beginning")
    tasks.fetch_details(str(transfer.pk))
    assert "STARTED" in text_of(refreshed()[0])


def test_the_page_of_an_ended_one_waits_for_its_last_events(as_ada, messages):
    transfer = make_transfer(person("ada"), status="SUCCEEDED")
    Transfer.objects.filter(pk=transfer.pk).update(checked_at=timezone.now())
    address = f"/transfers/{transfer.pk}/progress/"
    long_ago = timezone.now() - details.FRESH
    TaskDetails.objects.create(
        transfer=transfer, asked_at=long_ago, fetched_at=long_ago
    )
    assert as_ada.get(address).status_code == 200
    assert ("fetch_details", str(transfer.pk)) in messages()
    TaskDetails.objects.update(fetched_at=timezone.now())
    assert as_ada.get(address).status_code == 286


def test_a_stalled_one_says_why_and_has_a_button(as_ada):
    transfer = make_transfer(
        person("ada"),
        status="ACTIVE",
        is_ok=False,
        nice_status="FILE_NOT_FOUND",
        error_detail="Path: /share/gone.txt\nError: No such file",
        fault_since=timezone.now() - STALLED_AFTER,
    )
    page = text_of(as_ada.get(f"/transfers/{transfer.pk}/"))
    assert "Something that it shall copy is not there." in page
    assert "/share/gone.txt" in page
    assert "Send it again without these" in page
    form = text_of(
        as_ada.get(f"/transfers/new/?again_of={transfer.pk}&skip_source_errors=on")
    )
    assert 'value="/share/godata/"' in form
    assert re.search(r'name="skip_source_errors"[^>]*checked', form)
    assert f'name="again_of" value="{transfer.pk}"' in form


def test_label_and_deadline_are_changed_at_globus(as_ada, sandbox):
    sandbox.set(hold_tasks=True)
    transfer = sent(make_transfer(person("ada"), document=laptop()))
    address = f"/transfers/{transfer.pk}/edit/"
    assert as_ada.get(address).status_code == 200
    moment = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    filled = {"label": "a new name", "deadline": f"{moment:%Y-%m-%dT%H:%M}"}
    assert as_ada.post(address, filled).status_code == 302
    ada = person("ada")
    [task] = transfer_client(ada).task_list().data["DATA"]
    assert task["label"] == "a new name"
    transfer.refresh_from_db()
    assert transfer.label == "a new name"
    monitoring.poll(ada)
    transfer.refresh_from_db()
    assert transfer.deadline == moment


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("label", "x" * 129, "at most 128"),
        ("label", "two\nlines", "one line"),
        ("deadline", "2020-01-01T00:00", "has passed already"),
        ("deadline", "soon", "Enter a valid date"),
        ("deadline_zone", "Mars/Olympus", "There is no such time zone"),
    ],
)
def test_what_globus_would_refuse_is_said_at_the_field(
    browser, owner, field, value, words
):
    transfer = make_transfer(owner, status="ACTIVE")
    page = text_of(browser.post(f"/transfers/{transfer.pk}/edit/", {field: value}))
    assert words in page
    assert f"id_{field}_error" in page


def test_a_deadline_is_changed_by_the_clocks_of_the_zone_that_is_named(browser, owner):
    transfer = make_transfer(owner, status="WAITING")
    address = f"/transfers/{transfer.pk}/edit/"
    filled = {"deadline": "2099-01-15T09:30", "deadline_zone": "America/New_York"}
    assert browser.post(address, filled).status_code == 302
    transfer.refresh_from_db()
    assert transfer.deadline == datetime(2099, 1, 15, 14, 30, tzinfo=UTC)
    page = text_of(browser.get(address))
    assert 'value="2099-01-15T14:30"' in page
    assert 'data-moment="2099-01-15T14:30+00:00"' in page

    skipped = {"deadline": "2099-03-08T02:30", "deadline_zone": "America/New_York"}
    assert "the clocks skip this hour" in text_of(browser.post(address, skipped))


def test_what_was_not_sent_yet_is_changed_here(browser, owner, sandbox):
    transfer = make_transfer(owner, status="WAITING")
    browser.post(f"/transfers/{transfer.pk}/edit/", {"label": "later"})
    transfer.refresh_from_db()
    assert transfer.label == transfer.document["label"] == "later"
    assert "DATA" in transfer.document


@pytest.mark.parametrize(
    "state",
    [
        {"status": "NEW", "claimed_at": NOW},
        {"status": "NEW", "outcome_open": True},
        {"status": "WAITING", "outcome_open": True},
    ],
)
def test_what_globus_may_get_as_it_was_is_not_said_to_be_changed(browser, owner, state):
    transfer = make_transfer(owner, label="first", **state)
    filled = {"label": "second", "deadline": "2099-01-15T09:30"}
    page = text_of(browser.post(f"/transfers/{transfer.pk}/edit/", filled))
    assert "Try again in a minute" in page
    assert 'value="second"' in page
    assert 'value="2099-01-15T09:30"' in page
    transfer.refresh_from_db()
    assert transfer.label == "first"
    assert transfer.deadline is None


def test_the_same_is_sent_again_once(as_ada):
    first = make_transfer(
        person("ada"),
        status="FAILED",
        document=laptop(options={"deadline": "2099-01-01 00:00:00"}),
        finished_at=NOW,
    )
    page = text_of(as_ada.get(f"/transfers/{first.pk}/again/"))
    key = re.search(r'name="transfer_id" value="([^"]+)"', page)[1]
    for _ in range(2):
        answer = as_ada.post(
            f"/transfers/{first.pk}/again/", {"what": "same", "transfer_id": key}
        )
        assert answer["Location"] == f"/transfers/{key}/"
    repeat = first.repeats.get()
    assert repeat.document["DATA"] == first.document["DATA"]
    assert "deadline" not in repeat.document
    assert repeat.submission_id is None
    assert repeat.status == "NEW"


def test_only_what_was_left_out_is_sent_again(as_ada, sandbox):
    document = document_for(
        source_collection=UUID(seed.LAPTOP),
        destination_collection=UUID(seed.LAPTOP),
        items=[
            Item("/Documents/", "/copies/Documents/", recursive=True),
            Item("/Documents/gone.txt", "/copies/gone.txt", recursive=False),
        ],
        options={"skip_source_errors": True},
    )
    first = ended(sent(make_transfer(person("ada"), document=document)))
    assert first.has_skips
    filled = {"what": "rest", "transfer_id": str(uuid4())}
    as_ada.post(f"/transfers/{first.pk}/again/", filled)
    [item] = first.repeats.get().document["DATA"]
    assert item["source_path"] == "/Documents/gone.txt"
    assert item["destination_path"] == "/copies/gone.txt"


def test_the_rest_of_a_failed_one_leaves_what_has_arrived(as_ada, sandbox):
    sandbox.set(hold_tasks=True)
    first = sent(make_transfer(person("ada"), document=laptop()))
    submission.cancel(transfer_client(first.principal), first)
    ended(first)
    filled = {"what": "rest", "transfer_id": str(uuid4())}
    as_ada.post(f"/transfers/{first.pk}/again/", filled)
    repeat = first.repeats.get()
    assert repeat.document["sync_level"] == 1
    assert repeat.document["DATA"] == first.document["DATA"]


def test_a_changed_repeat_goes_through_the_form(as_ada):
    first = make_transfer(
        person("ada"),
        status="FAILED",
        document=document_for(
            source_collection=UUID(seed.LAPTOP),
            destination_collection=UUID(seed.TUTORIAL_2),
            items=[
                Item("/Documents/figures/", "/~/in/figures/", recursive=True),
                Item("/Documents/a.txt", "/~/in/a.txt", recursive=False),
            ],
            options={"encrypt_data": True, "sync_level": 2, "verify_checksum": False},
        ),
    )
    filled = {"what": "changed", "transfer_id": str(uuid4())}
    way = as_ada.post(f"/transfers/{first.pk}/again/", filled)["Location"]
    page = text_of(as_ada.get(way))
    assert 'name="item" value="/Documents/figures/"' in page
    assert 'name="item" value="/Documents/a.txt"' in page
    assert 'value="/~/in/"' in page
    assert re.search(r'name="encrypt_data"[^>]*checked', page)
    assert not re.search(r'name="verify_checksum"[^>]*checked', page)
    assert '<option value="2" selected' in page


def test_nobody_elses_is_repeated_or_changed(browser):
    other = make_transfer(status="ACTIVE")
    for end in ("again/", "edit/", "files/", "files/csv/"):
        assert browser.get(f"/transfers/{other.pk}/{end}").status_code == 404
    for end in ("again/", "edit/", "instead/", "way-on/"):
        assert browser.post(f"/transfers/{other.pk}/{end}").status_code == 404
    form = text_of(browser.get(f"/transfers/new/?again_of={other.pk}"))
    assert "/share/godata/" not in form


def test_what_was_begun_elsewhere_is_not_offered_again(browser, owner):
    transfer = make_transfer(owner, status="ACTIVE", origin="elsewhere")
    Transfer.objects.update(document={"DATA_TYPE": "transfer", "DATA": []})
    page = text_of(browser.get(f"/transfers/{transfer.pk}/"))
    assert "Send again" not in page
    assert "web app, the CLI" in page
    assert "begun elsewhere" in text_of(browser.get(f"/transfers/{transfer.pk}/again/"))
    filled = {"what": "same", "transfer_id": str(uuid4())}
    answer = browser.post(f"/transfers/{transfer.pk}/again/", filled)
    assert answer.status_code == 200
    assert Transfer.objects.count() == 1


def test_the_files_are_listed_paged_and_downloaded(as_ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/many/", 150, 3)
    first = ended(sent(make_transfer(person("ada"), document=laptop("/many/"))))
    address = f"/transfers/{first.pk}/files/"
    page = text_of(as_ada.get(address))
    assert page.count("3 bytes") >= 100
    following = re.search(r'href="([^"]+\?which=done&amp;marker=[^"]+)"', page)[1]
    rest = text_of(as_ada.get(following.replace("&amp;", "&")))
    assert "From the beginning" in rest
    answer = as_ada.get(f"{address}csv/")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 151
    asked = len(sandbox.requests("successful_transfers"))
    as_ada.get(address)
    assert len(sandbox.requests("successful_transfers")) == asked


@pytest.mark.parametrize("which", ["skipped", "odd"])
def test_what_is_not_there_has_no_list(browser, owner, which):
    unsent = make_transfer(owner)
    answer = browser.get(f"/transfers/{unsent.pk}/files/?which={which}")
    assert answer.status_code == 404


def test_a_list_that_makes_no_sense_is_a_page_not_a_crash(globus, db):
    owner = make_user()
    make_token(owner)
    browser = Client()
    browser.force_login(owner, backend="accounts.sign_in.GlobusSignIn")
    transfer = make_transfer(owner, status="SUCCEEDED", finished_at=NOW)
    for answer in ({"json": {}}, {"body": '{"DATA": ['}):
        globus.says("GET", "task/.*/successful_transfers", **answer)
        assert browser.get(f"/transfers/{transfer.pk}/files/").status_code == 502


# --- blocked, paused, inactive


def test_a_blocked_one_names_the_other_and_offers_both_ways(as_ada, sandbox):
    sandbox.set(hold_tasks=True)
    wanted = laptop(label="first")
    first = sent(make_transfer(person("ada"), document=wanted))
    second = make_transfer(person("ada"), document=wanted)
    submission.send(transfer_client(second.principal), second)
    page = text_of(as_ada.get(f"/transfers/{second.pk}/"))
    assert "The same is under way already" in page
    assert f"/transfers/{first.pk}/" in page
    assert "Wait until it has ended" in page
    assert as_ada.post(f"/transfers/{second.pk}/way-on/").status_code == 404

    as_ada.post(f"/transfers/{second.pk}/instead/")
    second.refresh_from_db()
    assert second.status == "NEW"
    assert ended(first).was_cancelled


def test_an_inactive_one_leads_to_what_globus_wants_and_goes_on(visit, sandbox):
    browser = visit("ada", collection=[seed.RESEARCH])
    ada = person("ada")
    sandbox.set(hold_tasks=True)
    document = document_for(
        source_collection=UUID(seed.RESEARCH),
        destination_collection=UUID(seed.LAPTOP),
        items=[Item("/projects/telescope/", "/in/telescope/", recursive=True)],
    )
    transfer = sent(make_transfer(ada, document=document))
    sandbox.withdraw_consents(username=seed.ADA)
    sandbox.set(hold_tasks=False)
    polled_until(transfer, lambda: transfer.status == "INACTIVE")
    page = text_of(browser.get(f"/transfers/{transfer.pk}/"))
    assert "Globus may not act for you there any more." in page

    answer = browser.post(f"/transfers/{transfer.pk}/way-on/", follow=True)

    address = html.unescape(REFRESH.search(text_of(answer))[1])
    assert seed.RESEARCH in scopes_asked(address)
    come_back(browser, sandbox.approve(address, "ada"))
    assert ended(transfer).status == "SUCCEEDED"


# --- needs me


def matters_of(user):
    return [(each.title, each.fix_words or each.way_on) for each in _found(user)]


def _found(user):
    found = attention.matters(user)
    assert open_matters.count(user) == len(found)
    return found


def test_each_matter_has_one_button_and_goes_when_it_is_mended(owner):
    assert matters_of(owner) == []
    stalled = make_transfer(
        owner,
        status="ACTIVE",
        label="s",
        is_ok=False,
        nice_status="FILE_NOT_FOUND",
        fault_since=NOW - STALLED_AFTER,
    )
    paused = make_transfer(
        owner, status="ACTIVE", label="p", is_paused=True, pause_message="New disks."
    )
    failed = make_transfer(owner, status="FAILED", label="f", finished_at=NOW)
    blocked = make_transfer(owner, status="WAITING", label="b", blocked_at=NOW)
    make_transfer(owner, status="FAILED", origin="elsewhere", finished_at=NOW)
    assert sorted(matters_of(owner)) == [
        ("“b” stands behind another one", "Wait for it"),
        ("“f” failed", "Send it again"),
        ("“p” is paused", "Look into it"),
        ("“s” does not get on", "Send it again without these"),
    ]
    assert any("New disks." in each.says for each in attention.matters(owner))

    Transfer.objects.filter(pk=stalled.pk).update(is_ok=True, fault_since=None)
    Transfer.objects.filter(pk=paused.pk).update(is_paused=False)
    Transfer.objects.filter(pk=blocked.pk).update(status="NEW")
    make_transfer(owner, again_of=failed)
    assert matters_of(owner) == []


def test_the_badge_counts_for_the_person_alone(browser, owner):
    make_transfer(status="WAITING")
    assert "bubble" not in text_of(browser.get("/"))
    make_transfer(owner, status="WAITING")
    page = text_of(browser.get("/transfers/"))
    assert re.search(r'class="bubble">1<', page)


def test_staff_change_what_a_service_account_does_but_do_not_repeat_it(sandbox):
    staff = make_user(is_staff=True)
    signed_in = Client()
    signed_in.force_login(staff, backend="accounts.sign_in.GlobusSignIn")
    transfer = make_transfer(make_service_account(), status="ACTIVE")
    assert signed_in.get(f"/transfers/{transfer.pk}/edit/").status_code == 200
    assert signed_in.get(f"/transfers/{transfer.pk}/again/").status_code == 404


# --- before sending


@pytest.fixture
def filled():
    return {
        "form": "transfer",
        "do": "send",
        "transfer_id": str(uuid4()),
        "origin_id": seed.LAPTOP,
        "origin_path": "/Documents/paper.tex",
        "destination_id": seed.LAPTOP,
        "destination_path": "/inbox/",
        "verify_checksum": "on",
    }


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("origin_path", "/Documents", "This is a folder"),
        ("origin_path", "/Documents/paper.tex/", "This is a file"),
        ("origin_path", "/Documents/nothing.tex", "nothing at this path"),
        ("label", "two\r\nlines", "one line"),
        ("label", "nul\0", "Null characters are not allowed"),
        ("deadline", "2020-01-01T00:00", "has passed already"),
        ("destination_path", "/Documents/", "are the same"),
    ],
)
def test_bad_input_is_said_at_the_field_before_sending(
    as_ada, filled, field, value, words
):
    page = text_of(as_ada.post("/transfers/new/", filled | {field: value}))
    assert words in page
    assert f"id_{field}_error" in page
    assert not Transfer.objects.exists()


def test_wishes_of_the_form_are_kept(as_ada, filled):
    moment = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    wishes = {"cancel_if_stalled": "on", "deadline": f"{moment:%Y-%m-%dT%H:%M}"}
    as_ada.post("/transfers/new/", filled | wishes)
    transfer = Transfer.objects.get()
    assert transfer.cancel_if_stalled
    assert transfer.document["deadline"] == moment.isoformat(timespec="seconds")
    assert "cancel_if_stalled" not in json.dumps(transfer.document)


def test_details_that_nobody_fetched_are_not_waited_for_for_ever():
    assert not details.is_coming(None)
    old = details.TaskDetails(asked_at=timezone.now() - timedelta(minutes=5))
    assert not details.is_coming(old)
