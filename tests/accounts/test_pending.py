"""Whatever Globus asks for, the same request goes on afterwards: once, for its person.

Driven over the sandbox; L17, L20 and L21 name security.md's section 2.
"""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import pending, step_up
from accounts.models import AuditEvent, PendingAction, Session, Token
from portal.globus.requirements import Requirement
from portal.globus.scopes import SIGN_IN_SCOPES, with_data_access
from sandbox import seed
from tests.factories import make_user
from tests.flows import (
    begin,
    button,
    come_back,
    consent,
    go_on,
    person,
    scopes_asked,
    sign_in,
)
from transfers.models import Transfer

pytestmark = pytest.mark.django_db(transaction=True)

LS = "/transfer/v0.10/operation/endpoint/*/ls"
FOLDER = f"/files/?origin_id={seed.TUTORIAL_1}&origin_path=/share/godata/"
CLINIC = f"/files/?origin_id={seed.CLINICAL}&origin_path=/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def form():
    """A transfer with picked things and options, as its page sends it."""
    return {
        "form": "transfer",
        "do": "send",
        "origin_id": seed.TUTORIAL_1,
        "origin_path": "/share/godata/",
        "item": ["/share/godata/file1.txt", "/share/godata/file 2 & =é.txt"],
        "destination_id": seed.TUTORIAL_2,
        "destination_path": "/home/ada/in/",
        "label": "Numbers & <more>",
        "sync_level": "3",
        "encrypt_data": "on",
        "skip_source_errors": "on",
    }


def text_of(answer):
    return answer.content.decode()


def end_session(browser):
    Session.objects.filter(session_key=browser.session.session_key).delete()


def kill_tokens():
    Token.objects.update(state=Token.State.NEEDS_SIGN_IN)


def gare(sandbox, *, route=LS, status=403, code="AuthPolicyFailed", times=1, **more):
    body = {"code": code, "message": "no", "request_id": "x"} | more
    sandbox.fault(route, status=status, body=body, times=times)


def assert_sent_as(form):
    """The one transfer is what the form says, options and all."""
    transfer = Transfer.objects.get()
    wanted = transfer.document
    assert transfer.label == form["label"]
    assert [row["source_path"] for row in wanted["DATA"]] == form["item"]
    assert wanted["sync_level"] == 3
    assert wanted["encrypt_data"] is True
    assert wanted["skip_source_errors"] is True
    assert wanted["verify_checksum"] is False, "its box was not ticked"
    assert wanted["destination_endpoint"] == form["destination_id"]


# --- each kind of requirement, from a page


def test_a_consent_from_a_page_and_back_to_the_same_page(as_ada, sandbox):
    answer = as_ada.get(FOLDER)
    page = text_of(answer)
    assert answer.status_code == 403
    assert "“Globus Tutorial Collection 1”" in page, "which collection, by name"
    assert page.count("Give consent at Globus") == 1

    address = button(as_ada, page)
    assert scopes_asked(address) == with_data_access([seed.TUTORIAL_1])
    asked = parse_qs(urlsplit(address).query)
    assert [
        s.partition("[")[0] for s in re.split(r" (?![^\[]*\])", asked["scope"][0])
    ] == ([*SIGN_IN_SCOPES])
    back = come_back(as_ada, sandbox.approve(address, "ada"))
    there = as_ada.get(back["Location"])

    assert (there.status_code, there["Location"]) == (302, FOLDER)
    shown = as_ada.get(FOLDER)
    assert shown.status_code == 200
    assert "file1.txt" in text_of(shown)


def test_a_session_that_is_too_old_is_made_new_with_the_right_domain(as_ada, sandbox):
    assert as_ada.get(CLINIC).status_code == 200
    sandbox.advance(3_600)
    answer = as_ada.get(CLINIC)
    page = text_of(answer)
    assert answer.status_code == 403
    assert "Clinical Imaging" in page
    assert "university.example" in page
    assert "asks you to sign in again" in page, "Globus's own words, too"

    address = button(as_ada, page)
    asked = parse_qs(urlsplit(address).query)
    assert asked["session_required_single_domain"] == ["university.example"]
    assert asked["prompt"] == ["login"]
    assert "session_message" not in asked
    back = come_back(as_ada, sandbox.approve(address, "ada"))
    assert as_ada.get(back["Location"])["Location"] == CLINIC
    assert as_ada.get(CLINIC).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "asked", "words", "way"),
    [
        (
            {"session_required_identities": [seed.ADA_LAB_ID]},
            {"session_required_identities": [seed.ADA_LAB_ID], "prompt": ["login"]},
            f"sign in as {seed.ADA_LAB}",
            {"username": seed.ADA_LAB},
        ),
        (
            {"session_required_mfa": True},
            {"session_required_mfa": ["True"], "prompt": ["login"]},
            "second factor",
            {"username": "ada", "mfa": True},
        ),
        (
            {"session_required_policies": seed.POLICY_UNIVERSITY},
            {
                "session_required_policies": [seed.POLICY_UNIVERSITY],
                "prompt": ["login"],
            },
            "policy",
            {"username": "ada"},
        ),
        (
            {"session_required_single_domain": "lab.example"},
            {"session_required_single_domain": ["lab.example"], "prompt": ["login"]},
            "lab.example",
            {"username": seed.ADA_LAB},
        ),
        (
            {"prompt": "login"},
            {"prompt": ["login"]},
            "too long ago",
            {"username": "ada"},
        ),
    ],
)
def test_each_step_up_says_what_is_wanted_asks_it_and_checks_it(
    as_ada, sandbox, parameters, asked, words, way
):
    laptop = f"/files/?origin_id={seed.LAPTOP}&origin_path=/Documents/"
    gare(sandbox, authorization_parameters=parameters)
    page = text_of(as_ada.get(laptop))
    assert words in re.sub(r"\s+", " ", page)

    address = button(as_ada, page)
    query = parse_qs(urlsplit(address).query)
    sent = {k: v for k, v in query.items() if k.startswith("session") or k == "prompt"}
    assert sent == asked
    assert scopes_asked(address) == with_data_access([])
    username = way.pop("username") if "username" in way else "ada"
    back = come_back(as_ada, sandbox.approve(address, username, **way))

    assert as_ada.get(back["Location"])["Location"] == laptop
    entry = AuditEvent.objects.get(kind="person:requirement:fulfil")
    assert (entry.outcome, entry.actor_id) == ("ok", person("ada").pk)


def test_a_dead_refresh_token_from_a_page(as_ada, sandbox):
    kill_tokens()
    answer = as_ada.get(FOLDER)
    assert answer.status_code == 403
    assert "Please sign in again" in text_of(answer)
    there = consent(as_ada, sandbox, text_of(answer), "ada")
    assert there["Location"] == FOLDER


def test_a_domain_in_the_words_of_a_collection(as_ada, sandbox):
    words = (
        "Command Failed: Error (login)\nDetails: 530-Login incorrect.\\r\\n530-GridFTP-"
        'JSON-Result: {"detail": {"DATA_TYPE": "not_from_allowed_domain#1.0.0", '
        '"allowed_domains": ["lab.example"]}}\\r\\n530 End.\\r\\n'
    )
    code = "ExternalError.DirListingFailed.LoginFailed"
    gare(sandbox, status=502, code=code, message=words)
    page = text_of(as_ada.get(f"/files/?origin_id={seed.LAPTOP}"))
    address = button(as_ada, page)
    asked = parse_qs(urlsplit(address).query)
    assert asked["session_required_single_domain"] == ["lab.example"]


def test_a_right_that_the_portal_never_asks_for_has_no_button(as_ada, sandbox):
    gare(sandbox, code="ConsentRequired", required_scopes=["https://evil.example/all"])
    page = text_of(as_ada.get(f"/files/?origin_id={seed.LAPTOP}"))
    assert "does not use" in page
    assert "pending_action" not in page
    assert "evil.example" not in page.partition("What Globus said")[0]


# --- from htmx


def test_htmx_is_sent_to_a_page_and_comes_back_to_the_one_it_was_on(as_ada, sandbox):
    kill_tokens()
    here = "http://testserver/collections/?q=x"
    answer = as_ada.get("/groups/", headers=HTMX | {"HX-Current-URL": here})
    assert answer.status_code == 200
    assert answer.content == b"", "nothing is shown inside a fragment"
    page = as_ada.get(answer["HX-Redirect"])
    assert page.status_code == 200
    assert "<html" in text_of(page)
    assert consent(as_ada, sandbox, text_of(page), "ada")["Location"] == (
        "/collections/?q=x"
    )


@pytest.mark.parametrize(
    "here", ["https://evil.example/", "javascript:alert(1)", "//evil.example", "\x00"]
)
def test_htmx_cannot_be_sent_elsewhere(as_ada, sandbox, here):
    kill_tokens()
    as_ada.get("/groups/", headers=HTMX | {"HX-Current-URL": here})
    assert PendingAction.objects.get().path == "/"


def test_a_post_of_htmx_goes_on_as_a_whole_page(as_ada, sandbox, form):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form, headers=HTMX)
    page = as_ada.get(answer["HX-Redirect"])
    done = go_on(as_ada, consent(as_ada, sandbox, text_of(page), "ada"))
    assert done.status_code == 302
    assert_sent_as(form)


def test_a_session_that_ends_does_not_put_the_sign_in_into_a_fragment(as_ada):
    end_session(as_ada)
    here = "http://testserver/transfers/"
    answer = as_ada.get("/overview/", headers=HTMX | {"HX-Current-URL": here})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["HX-Redirect"] == "/login/?next=/transfers/"


# --- a form with a selection and options


def test_a_form_goes_on_with_its_selection_and_options(as_ada, sandbox, form):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form)
    assert answer.status_code == 403
    assert not Transfer.objects.exists()

    page = consent(as_ada, sandbox, text_of(answer), "ada")
    assert page.status_code == 200
    assert "data-go-on" in text_of(page), "a script presses the button"
    assert "Numbers" not in text_of(page), "what was in the form stays here"
    done = go_on(as_ada, page)

    assert done["Location"] == f"/transfers/{Transfer.objects.get().pk}/"
    assert_sent_as(form)


def test_a_form_that_is_sent_by_the_script_and_the_person_goes_on_once(
    as_ada, sandbox, form
):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form)
    page = consent(as_ada, sandbox, text_of(answer), "ada")
    go_on(as_ada, page)
    again = go_on(as_ada, page)
    over = as_ada.get(again["Location"])
    assert over.status_code == 410
    assert "went on already" in text_of(over)
    assert Transfer.objects.count() == 1


def test_of_many_at_once_one_gets_the_action(as_ada, form):
    kept(as_ada, form)
    action = PendingAction.objects.get()
    start, won = threading.Barrier(6), []

    def take():
        start.wait()
        won.append(pending.use(action))
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(won) == [False] * 5 + [True]


def test_two_consents_one_after_the_other(as_ada, sandbox, form):
    """The replayed form is stopped again by something else, and nothing is lost."""
    ask = form | {
        "do": "list-destination",
        "destination_id": seed.RESEARCH,
        "destination_path": "/projects/",
    }
    kill_tokens()
    first = as_ada.post("/transfers/new/", ask)
    second = go_on(as_ada, consent(as_ada, sandbox, text_of(first), "ada"))
    assert "Give consent at Globus" in text_of(second)
    done = go_on(as_ada, consent(as_ada, sandbox, text_of(second), "ada"))
    page = text_of(done)
    assert 'Folders in <bdi class="name">/projects/</bdi>' in page
    for value in ("Numbers &amp; &lt;more&gt;", *form["item"][:1]):
        assert f'value="{value}"' in page


def test_globus_out_of_reach_on_the_way_loses_nothing(as_ada, sandbox, form):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form)
    page = consent(as_ada, sandbox, text_of(answer), "ada")
    sandbox.fault("/endpoint/*", status=503, retry_after=0, times=8)
    failed = go_on(as_ada, page)
    assert failed.status_code == 503
    sandbox.clear_faults()
    again = re.search(r'href="(/pending/[^"]+)"', text_of(failed))
    assert again, text_of(failed)
    go_on(as_ada, as_ada.get(again[1]))
    assert_sent_as(form)


def test_a_form_of_the_admin_or_about_oneself_is_never_kept(as_ada, sandbox):
    """Only forms with paths and labels; a secret may be in any other."""
    root = Client()
    sign_in(root, sandbox, "root")
    end_session(root)
    root.post("/admin/accounts/serviceaccount/add/", {"new_secret": "canary-7"})
    end_session(as_ada)
    as_ada.post("/logout/", {"x": "canary-7"})
    for action in PendingAction.objects.all():
        assert (action.method, action.sealed_body) == ("GET", None)


def test_the_body_is_sealed_and_holds_no_token_of_a_form(as_ada, form):
    kill_tokens()
    as_ada.post("/transfers/new/", form | {"csrfmiddlewaretoken": "x" * 64})
    action = PendingAction.objects.get()
    assert b"Numbers" not in bytes(action.sealed_body)
    body = pending.body_of(action)
    assert body.getlist("item") == form["item"]
    assert "csrfmiddlewaretoken" not in body
    sealed = bytes(action.sealed_body)
    other = sealed[:-1] + bytes([sealed[-1] ^ 1])
    PendingAction.objects.update(sealed_body=other)
    assert pending.body_of(PendingAction.objects.get()) is None


def test_a_form_that_is_too_long_is_not_kept_and_the_page_says_so(as_ada, form):
    kill_tokens()
    long = form | {"item": [f"/{'x' * 3_000}/{n}" for n in range(100)]}
    answer = as_ada.post("/transfers/new/", long)
    assert "too long to be kept" in text_of(answer)
    assert PendingAction.objects.get().sealed_body is None


# --- hostile references


def kept(browser, form):
    """A form that waits for its consent; its page's address."""
    kill_tokens()
    browser.post("/transfers/new/", form)
    return pending.address(PendingAction.objects.get())


def test_somebody_elses_reference_is_not_found(as_ada, visit, form):
    address = kept(as_ada, form)
    grace = visit("grace")
    assert grace.get(address).status_code == 404
    reference = address.split("/")[2]
    assert (
        grace.post("/transfers/new/", {"pending_action": reference}).status_code == 404
    )
    assert (
        grace.post("/login/globus/", {"pending_action": reference}).status_code == 404
    )
    assert Client().get(address).status_code == 302, "a stranger signs in first"


@pytest.mark.parametrize(
    "change", ["x", "", ":", "\x00", "%00", "é", "../", "a" * 5_000]
)
def test_a_reference_that_was_tampered_with_is_not_found(as_ada, form, change):
    address = kept(as_ada, form)
    reference = address.split("/")[2]
    for forged in (reference + change, change + reference, change):
        if forged == reference:
            continue
        page = as_ada.get(f"/pending/{quote(forged, safe='')}/")
        assert page.status_code == 404
        posted = as_ada.post("/transfers/new/", {"pending_action": forged})
        assert posted.status_code == 404
    assert not Transfer.objects.exists()


def test_a_reference_works_at_its_own_address_only(as_ada, sandbox, form):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form)
    consent(as_ada, sandbox, text_of(answer), "ada")
    reference = pending.reference(PendingAction.objects.get())
    for address in ("/jobs/new/", "/transfers/new/?a=b", "/logout/"):
        answer = as_ada.post(address, {"pending_action": reference})
        assert answer.status_code == 404
    assert PendingAction.objects.get().used_at is None


def test_a_form_does_not_go_on_before_globus_got_what_it_wanted(as_ada, form):
    address = kept(as_ada, form)
    answer = as_ada.post(
        "/transfers/new/", {"pending_action": address.split("/")[2], **form}
    )
    assert answer["Location"] == address
    assert not Transfer.objects.exists()


def test_going_on_needs_the_token_of_a_form(as_ada, sandbox, form):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form)
    consent(as_ada, sandbox, text_of(answer), "ada")
    reference = pending.reference(PendingAction.objects.get())
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = as_ada.cookies
    answer = strict.post("/transfers/new/", {"pending_action": reference})
    assert answer.status_code == 403
    assert not Transfer.objects.exists()


def test_after_an_hour_nothing_is_sent_but_the_form_opens_as_it_was(
    as_ada, sandbox, form
):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form)
    consent(as_ada, sandbox, text_of(answer), "ada")
    past = timezone.now() - timedelta(minutes=1)
    PendingAction.objects.update(expires_at=past)
    action = PendingAction.objects.get()
    sent = as_ada.post("/transfers/new/", {"pending_action": pending.reference(action)})
    assert sent["Location"] == pending.address(action)
    page = as_ada.get(pending.address(action))
    assert page.status_code == 410
    assert "too long" in text_of(page)

    opened = text_of(go_on(as_ada, page))

    assert "Start the transfer" in opened
    assert 'value="Numbers &amp; &lt;more&gt;"' in opened
    assert 'value="/share/godata/file1.txt"' in opened
    assert re.search(r'name="encrypt_data"[^>]*checked', opened)
    assert not Transfer.objects.exists()


def test_an_expired_page_can_be_opened_again(as_ada):
    kill_tokens()
    as_ada.get(FOLDER)
    PendingAction.objects.update(expires_at=timezone.now())
    page = as_ada.get(pending.address(PendingAction.objects.get()))
    assert page.status_code == 410
    assert FOLDER.replace("&", "&amp;") in text_of(page)


def test_old_actions_are_forgotten(as_ada, form):
    kept(as_ada, form)
    pending.forget_old(now=timezone.now() + timedelta(hours=24))
    assert PendingAction.objects.exists()
    pending.forget_old(now=timezone.now() + timedelta(hours=26))
    assert not PendingAction.objects.exists()


def test_one_person_cannot_fill_the_table(as_ada, form, monkeypatch):
    monkeypatch.setattr(pending, "MOST_PER_PERSON", 3)
    kill_tokens()
    for number in range(5):
        as_ada.post("/transfers/new/", form | {"label": f"no {number}"})
        as_ada.get(FOLDER)
        as_ada.get(FOLDER)
    assert PendingAction.objects.count() == 3


def test_l20_text_of_an_error_reaches_no_address(as_ada, sandbox):
    evil = "a&prompt=none&redirect_uri=https://evil.example"
    gare(
        sandbox,
        authorization_parameters={
            "session_required_identities": [evil, seed.ADA_LAB_ID],
            "session_required_single_domain": evil,
            "session_required_policies": [evil],
            "session_message": f"<script>alert(1)</script>{evil}",
            "prompt": evil,
            "required_scopes": [evil],
        },
    )
    page = text_of(as_ada.get(f"/files/?origin_id={seed.LAPTOP}"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    address = button(as_ada, page)
    assert "evil" not in address
    names = [name for name, _ in parse_qsl(urlsplit(address).query)]
    assert len(names) == len(set(names))
    asked = parse_qs(urlsplit(address).query)
    assert asked["session_required_identities"] == [seed.ADA_LAB_ID]
    assert asked["prompt"] == ["login"]


def test_two_tabs_each_go_on_with_their_own(as_ada, sandbox, form):
    kill_tokens()
    one = text_of(as_ada.post("/transfers/new/", form))
    two = text_of(as_ada.get(FOLDER))
    first, second = button(as_ada, one), button(as_ada, two)
    back_two = come_back(as_ada, sandbox.approve(second, "ada"))
    back_one = come_back(as_ada, sandbox.approve(first, "ada"))
    assert as_ada.get(back_two["Location"])["Location"] == FOLDER
    go_on(as_ada, as_ada.get(back_one["Location"]))
    assert_sent_as(form)


def test_who_declines_can_still_go_on(as_ada, sandbox, form):
    kill_tokens()
    page = text_of(as_ada.post("/transfers/new/", form))
    declined = come_back(
        as_ada, sandbox.approve(button(as_ada, page), "ada", allow=False)
    )
    assert declined.status_code == 403
    go_on(as_ada, consent(as_ada, sandbox, text_of(declined), "ada"))
    assert_sent_as(form)


def test_l21_another_identity_does_not_get_the_form(as_ada, sandbox, form):
    kill_tokens()
    page = text_of(as_ada.post("/transfers/new/", form))
    answer = come_back(as_ada, sandbox.approve(button(as_ada, page), "grace"))
    assert answer.status_code == 409
    assert PendingAction.objects.get().returned_at is None


# --- a session that ended while a form was open


def test_a_form_outlives_its_session(as_ada, sandbox, form):
    end_session(as_ada)
    answer = as_ada.post("/transfers/new/", form)
    assert answer.status_code == 302
    front = as_ada.get(answer["Location"])
    assert "What you sent is kept" in text_of(front)
    target = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
    back = sign_in(as_ada, sandbox, "ada", next=target)
    assert back["Location"] == target
    done = go_on(as_ada, as_ada.get(target))
    assert done.status_code == 302
    assert_sent_as(form)


def test_another_persons_sign_in_drops_the_form(as_ada, sandbox, form):
    end_session(as_ada)
    target = as_ada.post("/transfers/new/", form)["Location"].partition("next=")[2]
    back = sign_in(as_ada, sandbox, "grace", next=target)
    assert back["Location"] == "/"
    assert "was not kept" in text_of(as_ada.get("/"))
    assert not PendingAction.objects.exists()


def test_a_form_waits_in_its_own_browser_only(as_ada, visit, form):
    end_session(as_ada)
    as_ada.post("/transfers/new/", form)
    address = pending.address(PendingAction.objects.get())
    assert visit("ada").get(address).status_code == 404


def test_after_a_sign_out_nothing_is_kept_for_anybody(as_ada, form):
    as_ada.post("/logout/")
    answer = as_ada.post(
        "/transfers/new/", form, headers={"Referer": "http://testserver/transfers/new/"}
    )
    assert answer["Location"] == "/login/?next=/transfers/new/"
    assert not PendingAction.objects.exists()


def test_a_form_of_a_person_who_was_switched_off_is_not_kept(as_ada, form):
    ada = person("ada")
    ada.is_active = False
    ada.save(update_fields=["is_active"])
    as_ada.post("/transfers/new/", form)
    assert not PendingAction.objects.exists()


@pytest.mark.parametrize("mark", ["x", "x:y", "\xff:\xff"])
def test_a_forged_mark_of_a_person_keeps_nothing(form, mark, db):
    browser = Client()
    browser.cookies["person"] = mark
    assert browser.post("/transfers/new/", form).status_code == 302
    assert not PendingAction.objects.exists()


def test_a_session_that_ends_between_consent_and_going_on(as_ada, sandbox, form):
    kill_tokens()
    answer = as_ada.post("/transfers/new/", form)
    page = consent(as_ada, sandbox, text_of(answer), "ada")
    end_session(as_ada)
    wall = go_on(as_ada, page)
    target = parse_qs(urlsplit(wall["Location"]).query)["next"][0]
    assert target == pending.address(PendingAction.objects.get())
    sign_in(as_ada, sandbox, "ada", next=target)
    go_on(as_ada, as_ada.get(target))
    assert_sent_as(form)


# --- L17 and loops


def step_up_to(browser, sandbox, **parameters):
    gare(sandbox, authorization_parameters=parameters)
    return text_of(browser.get(f"/files/?origin_id={seed.LAPTOP}"))


def without(address, *names):
    """What somebody gets who takes parameters out of the authorize URL."""
    parts = urlsplit(address)
    pairs = [(k, v) for k, v in parse_qsl(parts.query) if k not in names]
    return parts._replace(query=urlencode(pairs)).geturl()


@pytest.mark.parametrize(
    ("parameters", "taken_out", "words"),
    [
        ({"session_required_mfa": True}, ["session_required_mfa"], "second factor"),
        (
            {"session_required_identities": [seed.ADA_LAB_ID]},
            ["session_required_identities"],
            f"Nobody signed in as {seed.ADA_LAB}",
        ),
        (
            {"session_required_single_domain": ["lab.example"]},
            ["session_required_single_domain"],
            "Nobody signed in with lab.example",
        ),
    ],
)
def test_l17_a_sign_in_that_shows_less_does_not_go_on(
    as_ada, sandbox, parameters, taken_out, words
):
    page = step_up_to(as_ada, sandbox, **parameters)
    for round_ in (1, 2):
        address = without(button(as_ada, page), *taken_out)
        back = come_back(as_ada, sandbox.approve(address, "ada"))
        answer = as_ada.get(back["Location"])
        page = text_of(answer)
        assert answer.status_code == 403
        assert words in page
        assert ("pending_action" in page) == (round_ == 1), "no third round"
    assert "hardly help" in page
    refused = AuditEvent.objects.filter(kind="person:requirement:fulfil")
    assert set(refused.values_list("outcome", flat=True)) == {"refused"}


def test_l17_an_old_sign_in_is_not_a_new_one(as_ada, sandbox):
    """Auth answered from the session that there was, although a new one was asked."""
    page = step_up_to(as_ada, sandbox, prompt="login")
    address = button(as_ada, page)
    sandbox.advance(-600)
    back = come_back(as_ada, sandbox.approve(address, "ada"))
    sandbox.advance(600)
    answer = as_ada.get(back["Location"])
    assert answer.status_code == 403
    assert "did not report a new sign-in" in text_of(answer)


def test_l17_a_proof_without_a_time_is_none():
    ada = make_user()
    fresh = Requirement(fresh=True)
    now = timezone.now()
    for proof in ({}, {"auth_time": None}, {"auth_time": "now"}):
        assert step_up.session_lacks(ada, fresh, {"a": proof}, since=now)
    proof = {"auth_time": now.timestamp() - 30}
    assert not step_up.session_lacks(ada, fresh, {"a": proof}, since=now)
    old = {"auth_time": now.timestamp() - 90}
    assert step_up.session_lacks(ada, fresh, {"a": old}, since=now)


def test_l17_a_consent_that_was_not_given_is_noticed(as_ada, sandbox):
    page = text_of(as_ada.get(FOLDER))
    address = button(as_ada, page)
    sandbox.approve(address, "ada")
    without_it = address.replace(quote("[", safe=""), "").partition("&scope=")
    plain = urlencode({"scope": " ".join(SIGN_IN_SCOPES)})
    rest = without_it[2].partition("&")[2]
    sandbox.withdraw_consents(username=seed.ADA)
    back = come_back(as_ada, sandbox.approve(f"{without_it[0]}&{plain}&{rest}", "ada"))
    answer = as_ada.get(back["Location"])
    assert answer.status_code == 403
    assert "Not everything that was asked for was allowed" in text_of(answer)


def test_l17_while_auth_cannot_be_asked_nothing_goes_on_and_nothing_is_lost(
    as_ada, sandbox
):
    page = step_up_to(as_ada, sandbox, session_required_mfa=True)
    address = button(as_ada, page)
    back = come_back(as_ada, sandbox.approve(address, "ada", mfa=True))
    sandbox.fault("/token/introspect", status=503, retry_after=0, times=4)
    assert as_ada.get(back["Location"]).status_code == 503
    sandbox.clear_faults()
    assert as_ada.get(back["Location"]).status_code == 302


def test_asked_again_for_what_was_just_granted_is_explained(as_ada, sandbox, form):
    """A loop: Auth says that all is well, and the collection wants the same again."""
    gare(sandbox, authorization_parameters={"prompt": "login"}, times=3)
    ask = form | {
        "do": "list-destination",
        "destination_id": seed.LAPTOP,
        "destination_path": "/Documents/",
    }
    first = as_ada.post("/transfers/new/", ask)
    second = go_on(as_ada, consent(as_ada, sandbox, text_of(first), "ada"))
    page = text_of(second)
    assert "asks for the same again" in page
    assert "Sign in with Globus" not in page, "no third round"

    way = re.search(r'href="(/pending/[^"]+)"', page)
    third = go_on(as_ada, as_ada.get(way[1]))
    assert "asks for the same again" in text_of(third)
    way = re.search(r'href="(/pending/[^"]+)"', text_of(third))
    done = go_on(as_ada, as_ada.get(way[1]))
    assert "Folders in" in text_of(done), "by and by it works, and the form is whole"
    assert 'value="/share/godata/file1.txt"' in text_of(done)
    assert len(sandbox.requests("/oauth2/token")) == 2, "the sign-in and one more"


def test_a_page_in_a_loop_has_no_button_to_globus(as_ada, sandbox):
    for _ in range(2):
        gare(sandbox, authorization_parameters={"prompt": "login"}, times=2)
    page = as_ada.get(f"/files/?origin_id={seed.LAPTOP}")
    consent(as_ada, sandbox, text_of(page), "ada")
    looped = as_ada.get(f"/files/?origin_id={seed.LAPTOP}")
    assert "asks for the same again" in text_of(looped)
    assert "pending_action" not in text_of(looped)


def test_after_a_while_the_same_may_be_asked_again(as_ada, sandbox, monkeypatch):
    page = step_up_to(as_ada, sandbox, prompt="login")
    consent(as_ada, sandbox, page, "ada")
    monkeypatch.setattr(pending, "LOOP_WINDOW", timedelta(0))
    assert "Sign in with Globus" in step_up_to(as_ada, sandbox, prompt="login")


def test_in_another_browser_the_same_may_be_asked_again(as_ada, visit, sandbox):
    """They took the consent back at Globus, for instance."""
    consent(as_ada, sandbox, text_of(as_ada.get(FOLDER)), "ada")
    sandbox.withdraw_consents(username=seed.ADA)
    other = visit("ada")
    assert "Give consent at Globus" in text_of(other.get(FOLDER))


def test_the_page_of_an_action_that_nobody_left_for_yet_asks(as_ada, form):
    address = kept(as_ada, form)
    page = as_ada.get(address)
    assert page.status_code == 200
    assert "Sign in with Globus" in text_of(page)
    assert begin(as_ada, pending_action=address.split("/")[2])


def test_a_button_pressed_after_the_session_ended_signs_in_first(as_ada, sandbox, form):
    page = kept(as_ada, form)
    reference = page.split("/")[2]
    end_session(as_ada)
    back = sign_in(as_ada, sandbox, "ada", pending_action=reference, next=page)
    assert back["Location"] == page
    assert as_ada.get(page).status_code == 200
