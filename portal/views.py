"""The pages for errors that are nobody's in particular."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts import audit, carrying
from portal.globus.errors import PortalError
from portal.middleware import failure_page


class BadAddress(PortalError):
    title = "This request makes no sense to us"
    advice = "Part of the address or of the form is not as it should be."
    status = 400


class NotYours(PortalError):
    title = "You may not see this page"
    advice = "It is for other roles than yours. Ask an administrator if you need it."
    status = 403


class NoSuchPage(PortalError):
    title = "There is nothing here"
    advice = "The page does not exist, or it belongs to somebody else."
    status = 404


class Broken(PortalError):
    title = "Something went wrong on our side"
    advice = "It has been written down. Please try again; nothing of yours was lost."
    status = 500


class FormExpired(PortalError):
    title = "This form is no longer valid"
    advice = "Go back, reload the page and send it again; nothing was changed."
    status = 403


@login_not_required
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return failure_page(request, BadAddress())


@login_not_required
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    is_of_admin = request.path.startswith(reverse("admin:index"))
    if is_of_admin and request.user.is_authenticated:
        audit.record(
            "admin:page:refuse",
            outcome=audit.Outcome.REFUSED,
            request=request,
            method=request.method,
            page=audit.path_of(request),
        )
    return failure_page(request, NotYours())


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return failure_page(request, NoSuchPage())


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """Without the request: its session or the database may be what is broken."""
    request_id = getattr(request, "request_id", "")
    context = {"failure": Broken(), "request_id": request_id}
    return render(None, "500.html", context, status=500)


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Nothing is done; what was filled in goes back into the browser it came from."""
    return carrying.page(request) or failure_page(request, FormExpired())
