"""Signing in and out, and the pages about who one is."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import requests
from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe
from social_core import exceptions as social
from social_core.actions import do_complete
from social_django.utils import load_backend, load_strategy

from accounts import groups, pending
from accounts.clients import groups_client
from accounts.models import Token, User
from accounts.sign_in import GlobusSignIn
from portal.downloads import csv_response
from portal.globus.errors import (
    GlobusFailure,
    PortalError,
    SignInDeclined,
    SignInFailed,
    SignInNotOurs,
    SignInUnreachable,
    SignInUnverified,
)

logger = logging.getLogger(__name__)

BACKEND = "accounts.sign_in.GlobusSignIn"
MAX_COLLECTIONS_PER_CONSENT = 20


class SignedInRequest(HttpRequest):
    """A request behind the login wall."""

    user: User


@login_not_required
@never_cache
@require_safe
def sign_in(request: HttpRequest) -> HttpResponse:
    """The page in front of the portal; says what it is and has one button."""
    target = safe_next(request, request.GET.get("next", ""))
    if request.user.is_authenticated:
        return redirect(target)
    context = {"next": target, "keeps_form": pending.is_kept(request)}
    return render(request, "accounts/sign_in.html", context)


@login_not_required
@never_cache
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Starts a sign-in, or asks for more consents of somebody who is signed in.

    Answers with a page that moves on by itself and not with a redirect: browsers
    apply ``form-action`` to the whole chain of redirects, and Globus passes people on
    to their own institution (security.md S07).
    """
    backend = _backend(request)
    backend.collection_ids = _asked_collections(request)
    action = pending.asked(request)
    if action is not None:
        requirement = pending.requirement_of(action)
        backend.collection_ids = requirement.collections
        backend.step_up = requirement.authorize_parameters()
    request.session["next"] = safe_next(request, request.POST.get("next"))
    try:
        address = backend.auth_url()
    except social.SocialAuthBaseException as err:
        raise sign_in_failure(err) from err
    except requests.RequestException as err:
        raise SignInUnreachable from err
    if action is not None:
        pending.left(request, action, address)
    return render(request, "accounts/leaving.html", {"address": address})


@login_not_required
@never_cache
@require_GET
def complete(request: HttpRequest) -> HttpResponse:
    """Where Globus Auth sends the browser back to."""
    _check_callback(request)
    backend = _backend(request)
    try:
        # Without ``user``: whoever is signed in signs in anew, and so gets a new
        # session id; ``refuse_second_identity`` sees to it that it is the same person.
        response: HttpResponse = do_complete(
            backend, _login, user=None, redirect_name="next", request=request
        )
    except social.SocialAuthBaseException as err:
        logger.warning("Sign-in failed: %s", type(err).__name__)
        raise sign_in_failure(err) from err
    except requests.RequestException as err:
        raise SignInUnreachable from err
    except GlobusFailure as err:
        raise SignInUnreachable from err
    going_on = pending.resume(request)
    if going_on is not None:
        response = redirect(going_on)
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_POST
def sign_out(request: SignedInRequest) -> HttpResponse:
    logout(request)
    return render(
        request, "accounts/signed_out.html", {"auth_url": settings.GLOBUS_AUTH_URL}
    )


@require_safe
def account(request: SignedInRequest) -> HttpResponse:
    """Who I am, and what the portal holds for me – never the tokens themselves."""
    held = Token.objects.held_for(request.user).order_by("resource_server")
    return render(request, "accounts/account.html", {"tokens": held})


@require_safe
def my_groups(request: SignedInRequest) -> HttpResponse:
    found = groups.my_groups(groups_client(request.user))
    return render(request, "accounts/groups.html", {"groups": found})


@require_safe
def my_groups_csv(request: SignedInRequest) -> HttpResponseBase:
    found = groups.my_groups(groups_client(request.user))
    rows = ((group.id, group.name, group.joined_roles) for group in found)
    return csv_response("groups.csv", ("ID", "Name", "Roles"), rows)


def safe_next(request: HttpRequest, target: str | None) -> str:
    """``target`` if it is a page of ours, else the home page (L23)."""
    ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    if target and target.isprintable() and ours:
        return target
    return settings.LOGIN_REDIRECT_URL


def sign_in_failure(err: social.SocialAuthBaseException) -> PortalError:
    """What a failed sign-in means for the person."""
    if isinstance(err, social.AuthCanceled):
        return SignInDeclined()
    if isinstance(err, social.AuthSessionError | social.AuthInputError):
        return SignInNotOurs()
    if err.recovery == "retry_later":
        return SignInUnreachable()
    if err.recovery == "restart_login":
        return SignInFailed()
    return SignInUnverified()


def _backend(request: HttpRequest) -> GlobusSignIn:
    strategy = load_strategy(request)
    redirect_uri = settings.PUBLIC_BASE_URL._replace(path=reverse("accounts:complete"))
    backend: GlobusSignIn = load_backend(strategy, "globus", redirect_uri.geturl())
    return backend


def _login(backend: GlobusSignIn, user: User, social_user: Any) -> None:
    login(backend.strategy.request, user, backend=BACKEND)


def _check_callback(request: HttpRequest) -> None:
    """One ``code`` or ``error``, one ``state``, no resumable pipeline (L05, L26)."""
    if "partial_token" in request.GET:
        raise BadRequest("partial_token")
    for name in ("code", "state", "error"):
        values = request.GET.getlist(name)
        if len(values) > 1 or any("\x00" in value for value in values):
            raise SignInNotOurs
    if not request.GET.get("state"):
        raise SignInNotOurs
    if not request.GET.get("code") and not request.GET.get("error"):
        raise SignInNotOurs


def _asked_collections(request: HttpRequest) -> tuple[UUID, ...]:
    texts = request.POST.getlist("collection")[:MAX_COLLECTIONS_PER_CONSENT]
    try:
        return tuple(UUID(text) for text in texts)
    except ValueError as err:
        raise BadRequest("collection") from err
