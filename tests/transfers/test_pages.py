"""Pages as their owner, a stranger, staff and nobody sees them."""

import re
import uuid
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import PendingAction
from portal.globus.scopes import with_data_access
from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_transfer,
    make_user,
)
from tests.flows import button, consent, go_on, person, scopes_asked
from transfers.models import Job, Run, TaskDetails, Transfer

pytestmark = pytest.mark.django_db

OPEN_TO_ALL = (
    "/",
    "/overview/",
    "/attention/",
    "/collections/",
    "/collections/?q=tutorial",
    f"/collections/{seed.TUTORIAL_1}/",
    "/files/",
    f"/files/?origin_id={seed.LAPTOP}",
    "/transfers/",
    "/transfers/?status=failed&q=spring&page=7",
    "/transfers/new/",
    "/transfers/templates/",
    f"/transfers/new/?origin_id={seed.LAPTOP}&origin_path=/Documents/",
)
FOR_STAFF = ("/jobs/", "/jobs/new/")
ODD_FOLDER = f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/odd%20names/"


@pytest.fixture
def visit(transactional_db, visit):
    """A renewal of a token wants a transaction of its own."""
    return visit


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def as_grace(visit):
    """Staff."""
    return visit("grace")


@pytest.fixture
def signed_in(sandbox):
    """``signed_in(user)``: a browser without any token at Globus."""

    def as_user(user):
        browser = Client()
        browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
        return browser

    return as_user


def text_of(answer):
    return answer.content.decode()


# --- who may see what


@pytest.mark.parametrize("address", OPEN_TO_ALL)
def test_everybody_has_these_pages(as_ada, address):
    answer = as_ada.get(address)
    assert answer.status_code in (200, 286), text_of(answer)


@pytest.mark.parametrize(
    "address",
    [
        *OPEN_TO_ALL,
        *FOR_STAFF,
        f"/transfers/{seed.GROUP_USERS}/",
        f"/jobs/runs/{seed.GROUP_USERS}/",
    ],
)
def test_a_stranger_to_the_portal_is_sent_to_sign_in(client, address):
    answer = client.get(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=/")


@pytest.mark.parametrize("end", ["", "progress/", "cancel/"])
def test_a_transfer_is_its_owners_alone(signed_in, end):
    owner, other = make_user(), make_user()
    transfer = make_transfer(owner, status="ACTIVE")
    address = f"/transfers/{transfer.pk}/{end}"
    assert signed_in(owner).get(address).status_code == 200
    assert signed_in(other).get(address).status_code == 404


def test_nobody_elses_transfer_is_cancelled_or_resumed(signed_in):
    transfer = make_transfer(make_user(), status="WAITING")
    other = signed_in(make_user())
    for end in ("cancel/", "resume/"):
        assert other.post(f"/transfers/{transfer.pk}/{end}").status_code == 404
    transfer.refresh_from_db()
    assert transfer.status == "WAITING"


def test_lists_show_nothing_of_others(signed_in):
    make_transfer(make_user(), status="ACTIVE", label="not yours")
    browser = signed_in(make_user())
    for address in ("/", "/transfers/", "/attention/"):
        assert "not yours" not in text_of(browser.get(address))


def test_staff_see_what_service_accounts_did_and_others_do_not(signed_in):
    transfer = make_transfer(make_service_account(), status="ACTIVE")
    address = f"/transfers/{transfer.pk}/"
    assert signed_in(make_user(is_staff=True)).get(address).status_code == 200
    assert signed_in(make_user()).get(address).status_code == 404


def test_staff_do_not_see_what_people_did(signed_in):
    transfer = make_transfer(make_user(), status="ACTIVE")
    staff = signed_in(make_user(is_staff=True))
    assert staff.get(f"/transfers/{transfer.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", "/jobs/"),
        ("get", "/jobs/new/"),
        ("post", "/jobs/new/"),
        ("get", "/jobs/{job}/"),
        ("post", "/jobs/{job}/edit/"),
        ("post", "/jobs/{job}/run/"),
        ("get", "/jobs/runs/{run}/"),
        ("get", "/jobs/runs/{run}/progress/"),
        ("get", "/jobs/runs/{run}/cancel/"),
        ("post", "/jobs/runs/{run}/cancel/"),
    ],
)
def test_jobs_are_for_staff(signed_in, method, address):
    run = make_run()
    address = address.format(job=run.job_id, run=run.pk)
    answer = getattr(signed_in(make_user()), method)(address)
    assert answer.status_code == 403
    assert "It is for other roles than yours" in text_of(answer)
    assert Run.objects.count() == 1
    for_staff = getattr(signed_in(make_user(is_staff=True)), method)(address)
    assert for_staff.status_code in (200, 302)


@pytest.mark.parametrize(
    "address", ["/transfers/{pk}/resume/", "/jobs/{pk}/run/", "/logout/"]
)
def test_changes_are_posts(signed_in, address):
    browser = signed_in(make_user(is_staff=True))
    assert browser.get(address.format(pk=uuid.uuid4())).status_code == 405


# --- what every page keeps

PROMISE = re.compile(r"<(script|style)\b(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=", re.I)


@pytest.mark.parametrize(
    "address",
    [*OPEN_TO_ALL, *FOR_STAFF, "/nothing-here/", "/files/?origin_id=x", "/account/"],
)
def test_no_page_holds_script_or_style_and_all_have_the_policy(as_grace, address):
    answer = as_grace.get(address)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not PROMISE.search(text_of(answer))


@pytest.mark.parametrize("address", OPEN_TO_ALL)
def test_no_page_is_kept_by_a_cache(as_ada, address):
    assert "no-store" in as_ada.get(address)["Cache-Control"]


def test_every_input_has_a_name_to_call_it(as_ada):
    for address in ("/transfers/new/", "/collections/", ODD_FOLDER):
        page = text_of(as_ada.get(address))
        labelled = set(re.findall(r'<label\s+[^>]*?for="([^"]+)"', page))
        for tag in re.findall(r"<(?:input|select|textarea)\b[^>]*>", page, re.S):
            if 'type="hidden"' in tag or "aria-label" in tag:
                continue
            found = re.search(r'\bid="([^"]+)"', tag)
            assert found, tag
            assert found[1] in labelled, tag


@pytest.mark.parametrize("address", [*OPEN_TO_ALL, "/account/", "/groups/"])
def test_headings_and_landmarks(as_ada, address):
    page = text_of(as_ada.get(address))
    if "<html" not in page:
        return  # a partial
    assert page.count("<h1") == 1
    assert page.count("<main") == 1
    assert '<html lang="en">' in page
    assert 'href="#main"' in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


# --- files


def test_a_folder_is_listed_with_ways_up_and_down(visit):
    browser = visit("ada", collection=[seed.RESEARCH])
    answer = browser.get(
        f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/telescope/"
    )
    page = text_of(answer)
    assert "catalog.csv" in page
    assert "origin_path=/projects/telescope/raw/" in page.replace("%2F", "/")
    assert "leads to" in page
    assert "Broken link" in page
    assert ".calibration" not in page
    shown = browser.get(
        answer.request["PATH_INFO"], {**query(answer), "origin_hidden": "1"}
    )
    assert ".calibration" in text_of(shown)


def query(answer):
    from urllib.parse import parse_qsl

    return dict(parse_qsl(answer.request["QUERY_STRING"]))


@pytest.mark.parametrize(
    ("sort", "first"),
    [("name", "catalog"), ("-size", "latest"), ("'; DROP", "catalog")],
)
def test_the_server_sorts_by_known_columns_only(visit, sort, first):
    browser = visit("ada", collection=[seed.RESEARCH])
    page = text_of(
        browser.get(
            "/files/",
            {
                "origin_id": seed.RESEARCH,
                "origin_path": "/projects/telescope/",
                "origin_sort": sort,
            },
        )
    )
    names = re.findall(r'aria-label="Select (\w+)', page)
    assert next(name for name in names if name not in ("raw", "all")) == first


def test_a_long_folder_comes_in_pages(visit, sandbox):
    browser = visit("ada", collection=[seed.RESEARCH])
    sandbox.generate(seed.RESEARCH, "/projects/many", 170)
    address = f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/many/"
    first = text_of(browser.get(address))
    assert "1 to 150 of 170" in first
    assert "offset=150" in first
    second = text_of(browser.get(f"{address}&origin_offset=150"))
    assert "151 to 170 of 170" in second
    beyond = text_of(browser.get(f"{address}&origin_offset=900"))
    assert "This folder is empty" not in beyond


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/projects/no-such-folder/", 404, "does not exist"),
        ("/projects/telescope/catalog.csv", 404, "not a folder"),
        ("/projects/../home/", 400, "not allowed in a path"),
        ("projects", 400, "Start the path with"),
        ("/a\x00b/", 400, "control character"),
    ],
)
def test_a_wrong_path_keeps_the_form_to_correct_it(visit, path, status, words):
    browser = visit("ada", collection=[seed.RESEARCH])
    answer = browser.get("/files/", {"origin_id": seed.RESEARCH, "origin_path": path})
    page = text_of(answer)
    assert answer.status_code == status
    assert words in page
    assert 'name="origin_path"' in page
    assert 'aria-invalid="true"' in page
    assert "empty" not in page


def test_a_failed_read_is_not_an_empty_folder(visit, sandbox):
    browser = visit("ada", collection=[seed.RESEARCH])
    browser.get(f"/collections/{seed.RESEARCH}/")
    sandbox.fault("/endpoint/*/ls", status=503)
    answer = browser.get(f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/")
    assert answer.status_code == 503
    assert "Try again" in text_of(answer)
    assert "This folder is empty" not in text_of(answer)


def test_a_missing_consent_offers_the_way_and_back(as_ada):
    address = f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/"
    answer = as_ada.get(address)
    page = text_of(answer)
    assert answer.status_code == 403
    assert "Give consent at Globus" in page
    assert scopes_asked(button(as_ada, page)) == with_data_access([seed.RESEARCH])
    assert PendingAction.objects.get().path == address


@pytest.mark.parametrize(
    "asked", ["x", "6c54cade", "6c54cade-bde5-45c1-bdea-f4bd71dba2c"]
)
def test_an_id_that_is_none(as_ada, asked):
    answer = as_ada.get(f"/files/?origin_id={asked}")
    assert answer.status_code == 404
    assert "not a collection" in text_of(answer)


# --- the form of a transfer


@pytest.fixture
def filled():
    return {
        "form": "transfer",
        "do": "send",
        "origin_id": seed.LAPTOP,
        "origin_path": "/Documents/paper.tex",
        "destination_id": seed.TUTORIAL_2,
        "destination_path": "/~/inbox/",
        "label": "paper",
        "sync_level": "",
        "verify_checksum": "on",
    }


def test_a_transfer_is_stored_and_has_a_page(as_ada, filled):
    answer = as_ada.post("/transfers/new/", filled)
    transfer = Transfer.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/transfers/{transfer.pk}/"
    assert transfer.user == transfer.asked_by == person("ada")
    assert transfer.source_name == "Ada's laptop"
    assert transfer.document["DATA"] == [
        {
            "DATA_TYPE": "transfer_item",
            "source_path": "/Documents/paper.tex",
            "destination_path": "/~/inbox/paper.tex",
        }
    ]
    assert transfer.document["verify_checksum"] is True
    assert "paper" in text_of(as_ada.get(answer["Location"]))


def test_picked_things_keep_their_names(as_ada, filled):
    names = ["/Documents/figures/", "/Documents/=cmd \u202e%41&.txt"]
    as_ada.post(
        "/transfers/new/", filled | {"item": names, "origin_path": "/Documents/"}
    )
    rows = Transfer.objects.get().document["DATA"]
    assert [row["source_path"] for row in rows] == names
    assert [row["destination_path"] for row in rows] == [
        "/~/inbox/figures/",
        "/~/inbox/=cmd \u202e%41&.txt",
    ]
    assert [row["recursive"] for row in rows] == [True, False]


def test_options_are_sent_as_chosen(as_ada, filled):
    del filled["verify_checksum"]
    as_ada.post(
        "/transfers/new/",
        filled | {"sync_level": "3", "encrypt_data": "on", "preserve_timestamp": "on"},
    )
    document = Transfer.objects.get().document
    assert document["verify_checksum"] is False
    assert document["sync_level"] == 3
    assert document["encrypt_data"] is True
    assert document["preserve_timestamp"] is True
    assert "skip_source_errors" not in document


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("origin_id", "", "Choose the collection that the data is on"),
        ("origin_id", "x", "not a collection"),
        ("origin_id", seed.VAULT, "no such collection"),
        ("destination_id", "", "Choose the collection that the data goes to"),
        ("origin_path", "", "Say what to transfer"),
        ("origin_path", "/a/../b", "not allowed in a path"),
        ("destination_path", "", "Say in which folder"),
        ("destination_path", "inbox", "Start the path with"),
        ("destination_path", "/a\nb/", "control character"),
        ("destination_path", "/" + "x" * 5000, "longer than"),
        ("label", "x" * 129, "at most 128 characters"),
        ("sync_level", "9", "not one of the available choices"),
    ],
)
def test_each_mistake_is_said_and_nothing_is_lost(as_ada, filled, field, value, words):
    answer = as_ada.post("/transfers/new/", filled | {field: value})
    page = text_of(answer)
    assert answer.status_code == 200
    assert words in page
    assert 'value="paper"' in page or field == "label"
    assert not Transfer.objects.exists()


def test_a_folder_into_itself_is_said_at_the_destination(as_ada, filled):
    wrong = {
        "destination_id": seed.LAPTOP,
        "origin_path": "/Documents/",
        "destination_path": "/Documents/deeper/",
    }
    page = text_of(as_ada.post("/transfers/new/", filled | wrong))
    assert "lies inside the source" in page
    assert not Transfer.objects.exists()


def test_steps_of_the_form_keep_everything(as_ada, filled):
    filled |= {"item": ["/Documents/paper.tex"], "encrypt_data": "on"}
    del filled["destination_id"]
    found = text_of(
        as_ada.post(
            "/transfers/new/",
            filled | {"do": "find-destination", "destination_find": "tutorial"},
        )
    )
    assert f"choose-destination:{seed.TUTORIAL_2}" in found
    chosen = text_of(
        as_ada.post(
            "/transfers/new/", filled | {"do": f"choose-destination:{seed.TUTORIAL_2}"}
        )
    )
    for page in (found, chosen):
        assert 'value="/Documents/paper.tex"' in page
        assert 'value="paper"' in page
        assert re.search(r'name="encrypt_data"[^>]*checked', page)
    assert "Globus Tutorial Collection 2" in chosen


def test_enter_searches_while_words_wait(as_ada, filled):
    page = text_of(
        as_ada.post(
            "/transfers/new/",
            filled
            | {"do": "enter", "destination_id": "", "destination_find": "tutorial"},
        )
    )
    assert "choose-destination:" in page
    assert not Transfer.objects.exists()


def test_the_form_outlives_a_consent(as_ada, filled, sandbox):
    asked = filled | {
        "do": "list-destination",
        "destination_id": seed.RESEARCH,
        "destination_path": "/home/ada/",
    }
    page = text_of(as_ada.post("/transfers/new/", asked))
    assert "Give consent at Globus" in page
    back = consent(as_ada, sandbox, page, "ada")
    resumed = text_of(go_on(as_ada, back))
    assert 'value="paper"' in resumed
    assert "/home/ada/" in resumed
    assert "Folders in" in resumed


def test_folders_of_the_destination_can_be_walked(visit, filled):
    browser = visit("ada", collection=[seed.RESEARCH])
    page = text_of(
        browser.post(
            "/transfers/new/",
            filled
            | {"destination_id": seed.RESEARCH, "do": "go-destination:/projects/"},
        )
    )
    assert "go-destination:/projects/telescope/" in page
    assert 'value="/projects/"' in page


def test_too_many_picks_are_refused_at_the_field(as_ada, filled):
    many = [f"/Documents/{number}" for number in range(151)]
    page = text_of(as_ada.post("/transfers/new/", filled | {"item": many}))
    assert "more than 150" in page


# --- one transfer


def test_the_live_part_answers_304_until_something_changes(signed_in):
    owner = make_user()
    transfer = make_transfer(owner, status="ACTIVE", files=3)
    browser, address = signed_in(owner), f"/transfers/{transfer.pk}/progress/"
    first = browser.get(address)
    assert first.status_code == 200
    assert first["ETag"].strip('"') in text_of(first)
    again = browser.get(address, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304

    Transfer.objects.filter(pk=transfer.pk).update(files_transferred=2)
    changed = browser.get(address, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert 'value="66"' in text_of(changed)


def test_the_live_part_ends_with_the_transfer(signed_in):
    owner = make_user()
    transfer = make_transfer(owner, status="SUCCEEDED", finished_at=timezone.now())
    TaskDetails.objects.create(transfer=transfer, fetched_at=timezone.now())
    answer = signed_in(owner).get(f"/transfers/{transfer.pk}/progress/")
    assert answer.status_code == 286
    assert "hx-get" not in text_of(answer)


def test_no_page_of_transfers_asks_globus(signed_in, sandbox):
    owner = make_user()
    transfer = make_transfer(owner, status="ACTIVE")
    browser = signed_in(owner)
    sandbox.forget_requests()
    for end in ("", "progress/", "cancel/"):
        browser.get(f"/transfers/{transfer.pk}/{end}")
    for address in ("/", "/overview/", "/transfers/", "/attention/"):
        browser.get(address)
    assert sandbox.requests() == []


@pytest.mark.parametrize("status", Transfer.Status.values)
def test_every_status_has_a_page(signed_in, status):
    owner = make_user()
    transfer = make_transfer(owner, status=status, is_ok=False, faults=3)
    page = text_of(signed_in(owner).get(f"/transfers/{transfer.pk}/"))
    assert 'class="state state-' in page


def test_what_waits_for_a_consent_says_so_and_comes_back(signed_in):
    owner = make_user()
    transfer = make_transfer(
        owner,
        status="WAITING",
        waiting_reason="A consent is missing.",
        required_collections=[seed.RESEARCH],
    )
    page = re.sub(
        r"\s+", " ", text_of(signed_in(owner).get(f"/transfers/{transfer.pk}/"))
    )
    assert "A consent is missing." in page
    assert "Give consent at Globus" in page
    assert f'action="/transfers/{transfer.pk}/way-on/"' in page


def test_coming_back_from_globus_sends_on_what_waited(visit, ada):
    transfer = make_transfer(ada, status="WAITING")
    visit("ada")
    transfer.refresh_from_db()
    assert transfer.status == "NEW"


def test_cancelling_asks_first(signed_in):
    owner = make_user()
    transfer = make_transfer(owner, status="NEW")
    browser, address = signed_in(owner), f"/transfers/{transfer.pk}/cancel/"
    assert "Cancel this transfer?" in text_of(browser.get(address))
    transfer.refresh_from_db()
    assert transfer.status == "NEW"
    browser.post(address)
    transfer.refresh_from_db()
    assert transfer.was_cancelled
    assert browser.get(address).status_code == 302


def test_globuss_words_stay_text(signed_in):
    owner = make_user()
    evil = "<script>alert(1)</script>\u202e"
    transfer = make_transfer(
        owner,
        status="FAILED",
        label="<img src=x onerror=alert(1)>",
        source_name=evil,
        last_error=evil,
        error_code=evil,
        error_detail=evil,
    )
    for address in (f"/transfers/{transfer.pk}/", "/transfers/", "/", "/attention/"):
        page = text_of(signed_in(owner).get(address))
        assert "<script>alert" not in page
        assert "<img src=x" not in page


FOCUSABLE = re.compile(
    r'<(?:a|button|summary|select|textarea|input(?! type="hidden"))\s[^>]*>'
    r'|<[a-z]+\s[^>]*tabindex="0"[^>]*>'
)


def test_what_is_brought_up_to_date_keeps_the_focus_by_its_name(
    signed_in, service_account
):
    emmy = make_user()
    browser, staff = signed_in(emmy), signed_in(make_user(is_staff=True))
    mine = {"again_of": make_transfer(emmy), "subtasks_skipped_errors": 1}
    done = make_transfer(emmy, status="SUCCEEDED", **mine)
    stalled = make_transfer(emmy, status="INACTIVE", **mine)
    event = {"code": "STARTED", "time": "", "description": "", "details": ""}
    for each in (done, stalled):
        TaskDetails.objects.create(transfer=each, events=[event])
    moving = make_transfer(service_account, status="ACTIVE")
    job = make_job(service_account, kind="transfer", owner=emmy)
    run = make_run(job, state="moving", transfer=moving)
    parts = [
        browser.get(f"/transfers/{done.pk}/progress/"),
        browser.get(f"/transfers/{stalled.pk}/progress/"),
        browser.get("/overview/"),
        browser.get("/transfers/rows/"),
        staff.get(f"/jobs/runs/{run.pk}/progress/"),
    ]
    for part in parts:
        found = FOCUSABLE.findall(part.content.decode())
        assert found
        assert [each for each in found if " id=" not in each.replace("\n", " ")] == []


def test_lists_do_not_grow_in_queries(signed_in, django_assert_max_num_queries):
    owner = make_user()
    browser = signed_in(owner)
    for number in range(30):
        status = ("ACTIVE", "FAILED", "SUCCEEDED")[number % 3]
        make_transfer(owner, status=status, finished_at=timezone.now())
    browser.get("/")  # notes, once in a while, that somebody looks
    for address in ("/", "/transfers/", "/attention/"):
        # The home page asks for volumes, timers and the webhook as well.
        with django_assert_max_num_queries(13 if address == "/" else 12):
            browser.get(address)


@pytest.mark.parametrize(
    ("status", "shown"),
    [("running", "ACTIVE"), ("waiting", "WAITING"), ("failed", "FAILED")],
)
def test_the_list_is_filtered(signed_in, status, shown):
    owner = make_user()
    for each in ("ACTIVE", "WAITING", "FAILED", "SUCCEEDED"):
        make_transfer(owner, status=each, label=f"is {each}")
    page = text_of(signed_in(owner).get(f"/transfers/?status={status}"))
    assert re.findall(r"is [A-Z]+", page) == [f"is {shown}"]


# --- what needs somebody


def test_what_needs_me(signed_in):
    owner = make_user()
    make_transfer(owner, status="WAITING", waiting_reason="A consent is missing.")
    make_transfer(owner, status="INACTIVE", label="sleeping")
    make_transfer(owner, status="FAILED", label="broken", finished_at=timezone.now())
    make_transfer(owner, status="ACTIVE", label="fine", is_ok=True)
    page = text_of(signed_in(owner).get("/attention/"))
    assert "A consent is missing." in page
    assert "sleeping" in page
    assert "broken" in page
    assert "fine" not in page


def test_staff_hear_of_a_failed_run_until_a_later_one_works(signed_in):
    staff = signed_in(make_user(is_staff=True))
    failed = make_run(state="failed", says="The folder is gone.")
    assert "The folder is gone." in text_of(staff.get("/attention/"))
    assert "The folder is gone." not in text_of(
        signed_in(make_user()).get("/attention/")
    )
    make_run(failed.job, state="succeeded")
    assert "The folder is gone." not in text_of(staff.get("/attention/"))


# --- jobs


def job_form(account, **fields):
    return {
        "name": "nightly",
        "kind": "list",
        "service_account": str(account.pk),
        "source_collection": seed.HARVEST,
        "source_path": "/sensors/",
        "enabled": "on",
        "do": "save",
    } | fields


def test_a_job_is_made_changed_and_run(signed_in, service_account):
    grace = make_user(is_staff=True)
    browser = signed_in(grace)
    browser.post("/jobs/new/", job_form(service_account))
    job = Job.objects.get()
    assert job.owner == grace

    changed = job_form(service_account, source_path="/other/")
    browser.post(f"/jobs/{job.pk}/edit/", changed)
    job.refresh_from_db()
    assert job.source_path == "/other/"
    assert job.owner == grace

    answer = browser.post(f"/jobs/{job.pk}/run/", {"reason": "to see"})
    run = Run.objects.get()
    assert answer["Location"] == f"/jobs/runs/{run.pk}/"
    assert run.triggered_by == grace
    assert run.reason == "to see"
    assert "Waiting" in text_of(browser.get(answer["Location"]))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"source_collection": "x"}, "valid UUID"),
        ({"source_path": "../x"}, "Start the path with"),
        ({"kind": "transfer"}, "Say where the files go"),
    ],
)
def test_each_mistake_of_a_job_is_said(signed_in, service_account, fields, words):
    browser = signed_in(make_user(is_staff=True))
    answer = browser.post("/jobs/new/", job_form(service_account, **fields))
    assert words in text_of(answer)
    assert not Job.objects.exists()


def test_a_job_that_is_switched_off_does_not_run(signed_in):
    job = make_job(enabled=False)
    browser = signed_in(make_user(is_staff=True))
    answer = browser.post(f"/jobs/{job.pk}/run/", {"reason": ""})
    assert answer.status_code == 409
    assert "switched off" in text_of(answer)
    assert not Run.objects.exists()


@pytest.mark.parametrize("state", Run.State.values)
def test_every_state_of_a_run_has_a_page(signed_in, state):
    run = make_run(state=state, says="Because of this.", error_code="X")
    browser = signed_in(make_user(is_staff=True))
    assert "Because of this." in text_of(browser.get(f"/jobs/runs/{run.pk}/"))
    assert browser.get("/jobs/").status_code == 200
    assert browser.get(f"/jobs/{run.job_id}/").status_code == 200
    live = browser.get(f"/jobs/runs/{run.pk}/progress/")
    assert live.status_code == (286 if run.is_finished else 200)


def test_a_run_shows_what_it_listed(signed_in):
    run = make_run(
        state="succeeded",
        result={
            "count": 1,
            "bytes": 2048,
            "files": 1,
            "folders": 0,
            "complete": True,
        },
    )
    page = text_of(signed_in(make_user(is_staff=True)).get(f"/jobs/runs/{run.pk}/"))
    assert "2.0 KiB" in page
    assert "See the inventory" not in page, "it was forgotten, or taken otherwise"


def test_the_jobs_page_does_not_grow_in_queries(
    signed_in, service_account, django_assert_max_num_queries
):
    for _ in range(8):
        job = make_job(service_account)
        for _ in range(10):
            make_run(job, state="succeeded")
    browser = signed_in(make_user(is_staff=True))
    with django_assert_max_num_queries(16):
        browser.get("/jobs/")


# --- collections


def test_a_search_finds_and_a_page_tells(as_ada):
    page = text_of(as_ada.get("/collections/?q=tutorial"))
    assert "Globus Tutorial Collection 1" in page
    about = text_of(as_ada.get(f"/collections/{seed.CLINICAL}/"))
    assert "high assurance" in about
    assert "Your sign-in must not be older than 30 minutes." in about


def test_a_collection_that_one_may_not_see(as_ada):
    answer = as_ada.get(f"/collections/{seed.VAULT}/")
    assert answer.status_code == 403
    assert "What Globus said" in text_of(answer)


def test_a_search_that_failed_is_not_an_empty_one(as_ada, sandbox):
    sandbox.fault("/endpoint_search", status=503)
    answer = as_ada.get("/collections/?q=tutorial")
    assert answer.status_code == 503
    assert "No collection fits" not in text_of(answer)


KEY = "7f0f8f64-5f3f-4c0e-9d0f-0d9a3f2f9c11"


def test_a_form_that_is_sent_twice_is_one_transfer(as_ada, filled):
    """A second click without script, a reload, the back button."""
    sent = [
        as_ada.post("/transfers/new/", filled | {"transfer_id": KEY}) for _ in range(3)
    ]
    assert {answer["Location"] for answer in sent} == {f"/transfers/{KEY}/"}
    assert Transfer.objects.count() == 1


def test_a_form_that_was_changed_and_sent_again_is_another_transfer(as_ada, filled):
    as_ada.post("/transfers/new/", filled | {"transfer_id": KEY})
    again = as_ada.post(
        "/transfers/new/", filled | {"transfer_id": KEY, "label": "another"}
    )
    assert again["Location"] != f"/transfers/{KEY}/"
    assert Transfer.objects.count() == 2


def test_nobody_is_led_to_another_persons_transfer_by_its_id(as_ada, filled):
    theirs = make_transfer(id=KEY)
    answer = as_ada.post("/transfers/new/", filled | {"transfer_id": KEY})
    assert answer["Location"] != f"/transfers/{theirs.pk}/"
    assert Transfer.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x", "\x00"])
def test_a_broken_form_id_is_no_hindrance(as_ada, filled, key):
    answer = as_ada.post("/transfers/new/", filled | {"transfer_id": key})
    assert answer.status_code == 302


def test_the_form_carries_its_id_through_its_steps(as_ada, filled):
    page = as_ada.post(
        "/transfers/new/", filled | {"transfer_id": KEY, "origin_path": ""}
    )
    assert f'name="transfer_id" value="{KEY}"' in page.content.decode()


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "%" * 300])
def test_a_search_for_anything_is_answered(as_ada, text):
    query = urlencode({"q": text.encode("utf-8", "surrogatepass")})
    assert as_ada.get(f"/transfers/?{query}").status_code == 200


def test_an_address_that_is_too_long_gets_a_page(as_ada):
    answer = as_ada.get("/transfers/", {"q": "x" * 40_000})
    assert answer.status_code == 414
    assert "This address is too long" in text_of(answer)


def test_a_sandbox_has_no_web_app_to_lead_to(as_ada, filled):
    as_ada.post("/transfers/new/", filled)
    transfer = Transfer.objects.get()
    Transfer.objects.update(
        submission_id=uuid.uuid4(), task_id=uuid.uuid4(), status="ACTIVE"
    )
    page = as_ada.get(f"/transfers/{transfer.pk}/").content.decode()
    assert "app.globus.org" not in page


def test_the_web_app_of_globus_is_a_link(as_ada, filled, monkeypatch):
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_APP", "https://app.globus.org/")
    as_ada.post("/transfers/new/", filled)
    transfer = Transfer.objects.get()
    task_id = uuid.uuid4()
    Transfer.objects.update(
        submission_id=uuid.uuid4(), task_id=task_id, status="ACTIVE"
    )
    page = as_ada.get(f"/transfers/{transfer.pk}/").content.decode()
    assert f"https://app.globus.org/activity/{task_id}/overview" in page
