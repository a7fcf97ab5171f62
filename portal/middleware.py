"""Request ids, private pages, and the one place where failures become pages."""

import ipaddress
import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts import pending
from portal import current
from portal.globus.errors import (
    ConsentRequired,
    PortalError,
    SessionRequired,
    SignInConflict,
    SignInFailed,
    SignInRequired,
)
from portal.templatetags.page import size

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]


class ServiceUnavailable(PortalError):
    title = "The portal cannot work right now"
    advice = "Its database does not answer. Please try again in a minute."
    status = 503


class AddressTooLong(PortalError):
    title = "This address is too long"
    advice = "Go to the folder step by step, or pick fewer things at once."
    status = 414


class OnlyByForm(PortalError):
    title = "This address only takes what a form sends"
    advice = "Nothing was done. Go to where you were, and send the form from there."
    status = 405


class BodyTooLarge(PortalError):
    title = "This is too much at once"
    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"A form like this may send up to {size(limit_bytes)}. Send less at once; "
            "for large files, a transfer has no such limit."
        )


#: bytes of path and query; a path of 4,096 bytes takes up to 12,288, and there are two
LONGEST_ADDRESS = 32_768


class RequestIdMiddleware:
    """Gives each request an id, to quote and to find in the logs."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4().hex[:12]  # type: ignore[attr-defined]
        with current.answering(request):
            response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


class ClientAddressMiddleware:
    """Puts the browser's address where the proxy's stands, behind a proxy.

    Without it every limit and every audit entry would be about the proxy. The last
    address in ``X-Forwarded-For`` is the one that our own proxy saw and wrote; whatever
    stands in front of it was sent by the browser. Without a proxy the header is the
    browser's own and nothing of it is believed.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.BEHIND_TLS_PROXY:
            seen = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
            if is_address(seen):
                request.META["REMOTE_ADDR"] = seen
        return self.get_response(request)


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class PrivatePagesMiddleware:
    """Pages of a signed-in person are kept by no cache (security.md S08).

    The address of the callback holds a code, and its failures may be no one's page:
    it is neither kept nor named to any other address, our own included.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_callback = request.path == reverse("accounts:complete")
        if is_callback:
            response["Referrer-Policy"] = "no-referrer"
        if is_callback or request.user.is_authenticated:
            response.setdefault("Cache-Control", "no-store, private")
        return response


class FailurePageMiddleware:
    """Turns a ``PortalError`` into a sentence and a way on."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = len(request.path_info) + len(request.META.get("QUERY_STRING", ""))
        if length > LONGEST_ADDRESS:
            return failure_page(request, AddressTooLong())
        limit = longest_body(request)
        if limit is not None:
            return failure_page(request, BodyTooLarge(limit))
        response = self.get_response(request)
        if response.status_code == OnlyByForm.status and not response.content:
            # Browsers show a page of their own for one that is empty.
            page = failure_page(request, OnlyByForm())
            page["Allow"] = response["Allow"]
            return page
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if isinstance(exception, OperationalError):
            logger.error("The database failed: %s", type(exception).__name__)
            # Without the request: who is signed in stands in the database as well.
            failure = ServiceUnavailable()
            context = {
                "failure": failure,
                "request_id": getattr(request, "request_id", ""),
            }
            return render(None, "500.html", context, status=failure.status)
        if not isinstance(exception, PortalError) or isinstance(
            exception, ImproperlyConfigured
        ):
            return None
        return failure_page(request, exception)


def longest_body(request: HttpRequest) -> int | None:
    """What the body is longer than, if it is too long (security.md W08).

    Files are for who is signed in, and for the pages that take them. The one that
    takes a single file piece by piece says itself what it takes.
    """
    text = request.META.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isdecimal() and text.isascii() else 0
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length <= limit:
        return None
    try:
        page = resolve(request.path_info).view_name
    except Resolver404:
        return limit
    if request.user.is_authenticated:
        if page == "transfers:upload_file":
            return None
        if page == "transfers:upload":
            limit = settings.FORM_UPLOAD_BYTES
    return limit if length > limit else None


def failure_page(request: HttpRequest, failure: PortalError) -> HttpResponse:
    """The page for a failure; a fragment of it when htmx asked.

    What Globus wants of the person is never shown in a fragment: htmx is sent to the
    page that says it.
    """
    context = failure_context(request, failure)
    is_part = bool(getattr(request, "htmx", False))
    if is_part and context["question"]:
        return HttpResponseClientRedirect(context["question"]["address"])
    template = "_failure.html" if is_part else "failure.html"
    response = render(request, template, context, status=failure.status)
    if retry_after := getattr(failure, "retry_after", None):
        response["Retry-After"] = str(retry_after)
    return response


def failure_context(request: HttpRequest, failure: PortalError) -> dict[str, Any]:
    """What ``_failure.html`` needs, also within a page that shows more than that."""
    going_on = getattr(request, "pending_action", None)
    if going_on is not None and getattr(failure, "passing", False):
        pending.release(going_on)
    action = pending.remember(request, failure)
    is_conflict = isinstance(failure, SignInConflict)
    if action is None and isinstance(failure, SignInFailed) and not is_conflict:
        action = pending.of_attempt(request)  # declined, or it went wrong at Globus
    was_for = getattr(failure, "next", "") or resumable_path(request)
    return {
        "failure": failure,
        "next": pending.address(going_on) if going_on else was_for,
        "question": pending.question(action) if action else None,
        "offers_sign_out": is_conflict,
        "offers_sign_in": not is_conflict
        and isinstance(
            failure, SignInFailed | SignInRequired | ConsentRequired | SessionRequired
        ),
        "request_id": getattr(request, "request_id", ""),
    }


def resumable_path(request: HttpRequest) -> str:
    """Where to go on after a sign-in: this page if it can be asked for again."""
    if request.method not in ("GET", "HEAD"):
        return "/"
    if request.path.startswith(pending.NOT_RESUMED):
        return "/"
    return request.get_full_path()
