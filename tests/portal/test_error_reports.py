"""G03: what leaves the portal when something broke holds nobody's data."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from django.views.debug import (
    get_default_exception_reporter_filter,
    get_exception_reporter_class,
)

from portal import error_reports
from portal.urls import *  # noqa: F403 - the handlers of the pages

CANARIES = ("CanaryCode", "CanaryState", "CanaryToken", "CanaryCookie", "CanaryField")
#: the query of a callback; not in one piece, since reports may quote lines of code
QUERY = "&".join(f"{name}=Canary{name.title()}" for name in ("code", "state"))


@login_not_required
def crash(request):
    """A callback that fails with everything in reach of its traceback."""
    token = "CanaryToken"
    answer = {"access_token": token, "state": request.GET.get("state")}
    raise RuntimeError(
        f"no idea: {request.get_full_path()} access_token={token} {answer}"
    )


urlpatterns = [path("complete/globus/", crash), *urlpatterns]  # noqa: F405


@pytest.fixture
def transport(settings):
    """The fake transport: Django's outbox."""
    cache.clear()
    settings.ERROR_MAIL_TO = ["operator@example.org"]
    handler = error_reports.ErrorMail(logging.ERROR)
    logging.getLogger().addHandler(handler)
    yield mail.outbox
    logging.getLogger().removeHandler(handler)
    cache.clear()


def crashing_request():
    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "CanaryCookie"
    return browser.generic(
        "GET",
        f"/complete/globus/?{QUERY}",
        data="field=CanaryField",
        content_type="application/x-www-form-urlencoded",
    )


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.portal.test_error_reports")
def test_g03_the_mail_about_a_failed_callback(transport):
    answer = crashing_request()
    assert answer.status_code == 500

    (sent,) = transport

    text = f"{sent.subject}\n{sent.body}"
    assert not [each for each in CANARIES if each in text]
    assert "RuntimeError" in sent.body, "still of use"
    assert "in crash" in sent.body
    assert answer["X-Request-Id"] in sent.body
    assert sent.to == ["operator@example.org"]
    assert not sent.attachments
    assert not getattr(sent, "alternatives", [])


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.portal.test_error_reports")
def test_the_same_error_is_mailed_once(transport):
    for _ in range(3):
        crashing_request()
    assert len(transport) == 1


@pytest.mark.django_db
def test_nothing_is_mailed_where_nobody_is_named(transport, settings):
    settings.ERROR_MAIL_TO = []
    logging.getLogger("portal").error("broken")
    assert not transport


def test_a_mail_that_cannot_be_sent_breaks_nothing(transport, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    logging.getLogger("portal").error("broken")


def test_g03_djangos_own_report_shows_no_values(rf):
    canary_field, canary_cookie = CANARIES[4], CANARIES[3]
    request = rf.post(
        f"/complete/globus/?{QUERY}",
        {"field": canary_field},
        headers={"cookie": f"sessionid={canary_cookie}"},
    )
    try:
        crash(request)
    except RuntimeError:
        reporter = get_exception_reporter_class(request)(request, *sys.exc_info())
        text = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert isinstance(get_default_exception_reporter_filter(), error_reports.NoValues)
    assert "RuntimeError" in text
    # The text of the code itself may be quoted; what it worked on may not.
    for canary in ("CanaryCode", "CanaryState", "CanaryCookie", "CanaryField"):
        assert canary not in text, canary


def event():
    """As an error reporter would make it."""
    return {
        "event_id": "e",
        "level": "error",
        "exception": {
            "values": [
                {
                    "type": "RuntimeError",
                    "value": "access_token=CanaryToken",
                    "mechanism": {"data": "CanaryField"},
                    "stacktrace": {
                        "frames": [
                            {
                                "filename": "views.py",
                                "function": "complete",
                                "lineno": 9,
                                "vars": {"code": "'CanaryCode'"},
                                "context_line": "token = 'CanaryToken'",
                            }
                        ]
                    },
                }
            ]
        },
        "request": {
            "url": "https://portal/complete/globus/?code=CanaryCode",
            "method": "GET",
            "query_string": "state=CanaryState",
            "cookies": {"sessionid": "CanaryCookie"},
            "headers": {"Authorization": "CanaryToken"},
            "data": {"field": "CanaryField"},
        },
        "user": {"email": "CanaryField"},
        "breadcrumbs": {"values": [{"message": "code=CanaryCode"}]},
        "extra": {"x": "CanaryToken"},
        "contexts": {"state": "CanaryState"},
        "logentry": {"message": "state=CanaryState", "params": ["code=CanaryCode"]},
    }


def test_g03_the_hook_for_a_reporter_keeps_places_and_nothing_else():
    text = json.dumps(error_reports.scrubbed(event(), {"exc_info": object()}))
    assert not [each for each in CANARIES if each in text]
    assert '"function": "complete"' in text
    assert '"url": "https://portal/complete/globus/"' in text
