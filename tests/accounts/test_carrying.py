"""A form that arrives without any cookie goes back to its person, and does nothing."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import PendingAction, Session
from sandbox import seed
from tests.flows import sign_in
from tests.transfers import form_on_page
from transfers.models import Transfer

pytestmark = pytest.mark.django_db(transaction=True)

OURS = {"Origin": "http://testserver"}
NEW = "/transfers/new/"
HOSTILE = '"><img src=x onerror=alert(1)> fdp\u202eexe'
FORM = {
    "form": "transfer",
    "do": "send",
    "origin_id": seed.SHARED,
    "origin_path": "/",
    "item": ["/README.md", "/=cmd & é.txt"],
    "destination_id": seed.SHARED,
    "destination_path": "/in/",
    "label": HOSTILE,
    "sync_level": "3",
    "encrypt_data": "on",
}


@pytest.fixture
def browser():
    """It brings no cookie, and every form needs its token."""
    return Client(enforce_csrf_checks=True)


def carried(answer):
    """The form of the page, as the button sends it."""
    page = answer.content.decode()
    form = re.search(r'<form class="actions" method="post" action="([^"]+)"', page)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert form, page
    reader = form_on_page.read(answer, None)
    return form[1], reader.fields | {"csrfmiddlewaretoken": token[1]}


def press(browser, answer):
    address, fields = carried(answer)
    return browser.post(address, fields, headers=OURS)


def sign_in_beside(browser, sandbox, username="ada"):
    """In another tab of the same browser."""
    tab = Client()
    tab.cookies = browser.cookies
    assert sign_in(tab, sandbox, username).status_code == 302


def test_a_form_without_any_cookie_comes_back_whole(browser, sandbox):
    answer = browser.post(NEW, FORM, headers=OURS)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Your form is still here" in page
    assert "Sign in, in a new tab" in page
    assert not PendingAction.objects.exists()
    assert not Session.objects.exists(), "a stranger leaves no row"

    # Too early: still here, and still nothing is done.
    answer = press(browser, answer)
    assert "Sign in, in a new tab" in answer.content.decode()

    sign_in_beside(browser, sandbox)
    answer = press(browser, answer)  # the sign-in changed the token of forms
    assert answer.status_code == 403
    assert "You are signed in as" in answer.content.decode()
    assert "Open the form as it was" in answer.content.decode()
    answer = press(browser, answer)

    assert answer.status_code == 200
    fields = form_on_page.fields(answer)
    for name in ("label", "sync_level", "encrypt_data", "destination_path"):
        assert fields[name] == [FORM[name]], name
    assert fields["item"] == FORM["item"]
    assert not Transfer.objects.exists(), "it was opened, not sent"


@pytest.mark.parametrize(
    "origin", [None, "null", "https://testserver", "http://evil.example"]
)
def test_what_another_site_filled_in_is_not_shown(browser, origin):
    answer = browser.post(NEW, FORM, headers={"Origin": origin} if origin else {})
    assert answer.status_code == 403
    assert "no longer valid" in answer.content.decode()
    assert "README.md" not in answer.content.decode()


def test_nor_with_a_token_of_its_own(browser, sandbox):
    """A stranger's tokens are anybody's; the login wall asks where it came from too."""
    token = browser.get("/login/").context["csrf_token"]
    evil = {"Origin": "http://evil.example"}
    form = FORM | {"csrfmiddlewaretoken": str(token), "reopen": "1"}
    assert "README.md" not in browser.post(NEW, form, headers=evil).content.decode()


@pytest.mark.parametrize(
    "address", ["/login/globus/", "/logout/", "/admin/accounts/serviceaccount/add/"]
)
def test_forms_with_secrets_and_of_signing_in_are_not_carried(browser, address):
    form = {"secret": "CanaryOfASecret", "next": "/"}
    page = browser.post(address, form, headers=OURS).content.decode()
    assert "no longer valid" in page
    assert "CanaryOfASecret" not in page


def test_names_on_the_page_do_nothing(browser):
    page = browser.post(NEW, FORM, headers=OURS).content.decode()
    assert "<img src=x" not in page
    assert "\u202e" not in page.replace('value="&quot;&gt;', "").split("<details")[1]
    assert 'name="do"' not in page
    assert "data-go-on" not in page, "no script presses the button"


def test_a_form_without_a_second_button_says_what_it_sends(browser, sandbox):
    """It would be done at once, so it stays with the person and their sign-in."""
    form = {"collection_id": seed.SHARED, "path": "/", "name": "my notes"}
    answer = browser.post("/bookmarks/new/", form, headers=OURS)
    assert "Send it as it was" in answer.content.decode()
    assert "my notes" in answer.content.decode().split("<details")[1]
    sign_in_beside(browser, sandbox)
    sandbox.forget_requests()
    answer = press(browser, press(browser, answer))
    assert answer.status_code == 302
    asked = [each["method"] for each in sandbox.requests("/transfer/v0.10/bookmark")]
    assert asked.count("POST") == 1


def test_a_form_sent_after_a_sign_out_elsewhere_comes_back_too(visit):
    as_ada = visit("ada")
    as_ada.post("/logout/")
    answer = as_ada.post(NEW, FORM, headers=OURS)
    assert answer.status_code == 403
    assert carried(answer)[1]["item"] == FORM["item"]
    assert not PendingAction.objects.exists()


def test_whose_form_it_was_is_still_looked_at_first(visit):
    """With the mark of the person, it is kept for that person alone."""
    as_ada = visit("ada")
    Session.objects.all().delete()
    answer = as_ada.post(NEW, FORM, headers=OURS)
    assert answer.status_code == 302
    assert PendingAction.objects.count() == 1


def test_files_are_not_carried_and_the_page_says_so(browser):
    file = SimpleUploadedFile("batch.txt", b"a b")
    answer = browser.post(NEW, FORM | {"batch_file": file}, headers=OURS)
    assert "Files were not kept" in answer.content.decode()
    assert "batch_file" not in carried(answer)[1]


def test_a_part_of_a_page_stays_a_part(browser):
    """htmx leaves the form where it is, so nothing is lost there."""
    answer = browser.post(NEW, FORM, headers=OURS | {"HX-Request": "true"})
    assert b"still here" not in answer.content
