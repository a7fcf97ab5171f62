"""G04: a page for what went wrong: a sentence, an id, a way on; nothing of Globus."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.test import Client
from django.test.utils import override_settings
from django.urls import path

from portal import urls
from portal.urls import handler400, handler403, handler404, handler500  # noqa: F401
from tests.factories import make_user

CANARY = "CanaryFromInside"


def failing(error):
    @login_not_required
    def view(request):
        raise error

    return view


FAILURES = {
    "bad": (BadRequest(CANARY), 400),
    "denied": (PermissionDenied(CANARY), 403),
    "missing": (Http404(CANARY), 404),
    "broken": (RuntimeError(CANARY), 500),
    "database": (OperationalError(CANARY), 503),
}
urlpatterns = [
    *(path(f"fail/{name}/", failing(error)) for name, (error, _) in FAILURES.items()),
    *urls.urlpatterns,
]

pytestmark = pytest.mark.django_db


def test_g04_nothing_is_shown_to_developers_in_production():
    assert settings.DEBUG is False
    assert settings.SOCIAL_AUTH_RAISE_EXCEPTIONS is False


@override_settings(ROOT_URLCONF="tests.portal.test_error_pages")
@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize("name", FAILURES)
def test_g04_the_page(name, signed_in):
    browser = Client(raise_request_exception=False)
    if signed_in:
        browser.force_login(make_user(), backend="accounts.sign_in.GlobusSignIn")
    answer = browser.get(f"/fail/{name}/")
    page = answer.content.decode()
    assert answer.status_code == FAILURES[name][1]
    assert CANARY not in page
    assert "Traceback" not in page
    assert answer["X-Request-Id"] in page, "what to quote"
    assert 'href="/"' in page, "where to go on"
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    "query",
    [
        "error=server_error&error_description=CanaryFromInside&state=x",
        "error=access_denied&error_description=CanaryFromInside&state=x",
        "error=CanaryFromInside&state=x",
        "code=CanaryFromInside&state=CanaryFromInside",
    ],
)
def test_g04_no_text_of_the_provider_is_shown(query):
    answer = Client().get(f"/complete/globus/?{query}")
    assert answer.status_code >= 400
    assert CANARY not in answer.content.decode()
    assert answer["X-Request-Id"] in answer.content.decode()


@pytest.mark.parametrize("signed_in", [False, True])
def test_an_address_that_takes_forms_alone_has_a_page(signed_in):
    """Browsers show one of their own for an empty answer; a sign-in can lead here."""
    browser = Client()
    if signed_in:
        browser.force_login(make_user(), backend="accounts.sign_in.GlobusSignIn")
    answer = browser.get("/files/delete/" if signed_in else "/login/globus/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    page = answer.content.decode()
    assert "This address only takes what a form sends" in page
    assert ("Go to your home page" if signed_in else "Go to the sign-in page") in page
