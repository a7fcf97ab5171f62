"""Signing in and out, and the pages about who one is."""

from __future__ import annotations

import logging
from datetime import timedelta
from urllib.parse import unquote, urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe
from social_core import exceptions as social
from social_django.utils import load_backend, load_strategy

from accounts import attempts, audit, callback, id_tokens, pending, provider, standing
from accounts.models import AuditEvent, User
from accounts.sign_in import GlobusSignIn
from portal import limits, sessions
from portal.globus.errors import (
    GlobusFailure,
    NotAllowedIn,
    SignInDeclined,
    SignInFailed,
    SignInNotOurs,
    SignInUnreachable,
    SignInUnverified,
)
from portal.globus.requirements import Requirement

logger = logging.getLogger(__name__)

BACKEND = "accounts.sign_in.GlobusSignIn"
MAX_COLLECTIONS_PER_CONSENT = 20
LONGEST_NEXT = 16_384
#: for all that a callback asks of Globus Auth: keys, token, userinfo
CALLBACK_SECONDS = 15.0


class SignedInRequest(HttpRequest):
    """A request behind the login wall."""

    user: User


@login_not_required
@never_cache
@require_safe
def sign_in(request: HttpRequest) -> HttpResponse:
    """The page in front of the portal; says what it is and has one button."""
    target = safe_next(request.GET.get("next", ""))
    if request.user.is_authenticated:
        return redirect(target)
    context = {"next": target, "keeps_form": pending.is_kept(request)}
    return render(request, "accounts/sign_in.html", context)


@login_not_required
@never_cache
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Starts a sign-in, or asks for more consents of somebody who is signed in.

    With ``fresh`` Globus asks who it is although it may know: for another identity, or
    for what needs a sign-in that is a few minutes old at the most.

    Answers with a page that moves on by itself and not with a redirect: browsers
    apply ``form-action`` to the whole chain of redirects, and Globus passes people on
    to their own institution (security.md S07).
    """
    limits.take("begin", request, sign_in_limits())
    attempts.check_room(request.session)
    backend = _backend(request)
    backend.requirement = Requirement(collections=_asked_collections(request))
    backend.attempt = attempts.begin(
        next=safe_next(request.POST.get("next")),
        fresh="fresh" in request.POST,
    )
    action = pending.asked(request)
    if action is not None:
        backend.requirement = pending.requirement_of(action)
    try:
        address = backend.auth_url()
    except social.SocialAuthBaseException as err:
        raise sign_in_failure(err) from err
    if action is not None:
        pending.left(request, action, address)
    return render(request, "accounts/leaving.html", {"address": address})


@login_not_required
@never_cache
@require_GET
def complete(request: HttpRequest) -> HttpResponse:
    """Where Globus Auth sends the browser back to."""
    limits.take("callback", request, callback_limits())
    backend = _backend(request)
    try:
        callback.check_query(request.GET)
        with provider.within(CALLBACK_SECONDS):
            user = _whoever_signed_in(request, backend)
        _login(request, backend, user)
    except SignInFailed as err:
        if backend.attempt is not None:
            err.next = backend.attempt.next
        note_refusal(request, err)
        if isinstance(err, NotAllowedIn):
            _shut_out(request, backend)
        raise
    assert backend.attempt is not None
    return redirect(safe_next(pending.resume(request) or backend.attempt.next))


def _whoever_signed_in(request: HttpRequest, backend: GlobusSignIn) -> User:
    """:raises SignInFailed: nobody did"""
    try:
        # Without ``user``: whoever is signed in signs in anew;
        # ``refuse_second_identity`` sees to it that it is the same person.
        # Not by the library's ``do_complete``, which also takes up sign-ins that it
        # stored half-way, and reads where to go on from the address.
        user: User = backend.complete(user=None, request=request)
    except social.SocialAuthBaseException as err:
        raise sign_in_failure(err) from err
    except GlobusFailure as err:
        raise SignInUnreachable from err
    return user


def _shut_out(request: HttpRequest, backend: GlobusSignIn) -> None:
    """Who was in a group once and is in none any more has no rights left, anywhere.

    Not a step of the pipeline, of which nothing is stored when somebody is refused.
    """
    former = User.objects.filter(identity_id=(backend.id_token or {})["sub"]).first()
    if former is None:
        return
    standing.follow_groups(former, is_staff=False, is_superuser=False)
    if request.user == former:
        logout(request)
    sessions.end_all(former)


def _login(request: HttpRequest, backend: GlobusSignIn, user: User) -> None:
    """:raises SignInFailed: the account was deleted since the sign-in was stored"""
    assert user.identity_id is not None
    with transaction.atomic():
        standing.hold(user.identity_id)
        if not User.objects.filter(pk=user.pk).exists():
            raise SignInFailed
        if request.user.is_authenticated:
            # Django keeps the id when the same person comes back, and a sign-in that
            # shows more than the last one must not lift an id that somebody may know
            # (S04).
            request.session.cycle_key()
        login(request, user, backend=BACKEND)
        sessions.note_proof(request, id_tokens.proved_at(backend.id_token or {}))
        # Here, and not with the answer: a deletion that waits for us has to find it.
        request.session.save()
        audit.record(
            "person:session:sign-in",
            owner=user,
            request=request,
            attempt=attempts.trace(request.GET["state"]),
        )


def note_refusal(request: HttpRequest, failure: SignInFailed) -> None:
    """Writes down that nobody was signed in, and whether a used answer came again."""
    logger.warning("Sign-in refused: %s", type(failure).__name__)
    trace = attempts.trace(request.GET.get("state", ""))
    is_replay = isinstance(failure, SignInNotOurs) and was_seen(trace)
    audit.record(
        "person:session:replay" if is_replay else "person:session:sign-in",
        outcome=audit.Outcome.REFUSED,
        request=request,
        reason=type(failure).__name__,
        attempt=trace,
    )


def was_seen(trace: str) -> bool:
    """Whether an answer to this attempt came before, while it could be answered."""
    lately = timezone.now() - timedelta(seconds=attempts.LASTS_SECONDS)
    return AuditEvent.objects.filter(
        at__gte=lately,
        kind__in=("person:session:sign-in", "person:session:replay"),
        detail__attempt=trace,
    ).exists()


@require_POST
def sign_out(request: SignedInRequest) -> HttpResponse:
    audit.record("person:session:sign-out", owner=request.user, request=request)
    logout(request)
    back = settings.PUBLIC_BASE_URL._replace(path=reverse("accounts:sign_in"))
    context = {
        "globus_sign_out": f"{settings.GLOBUS_AUTH_URL}/v2/web/logout?"
        + urlencode(
            {
                "client": settings.GLOBUS_CLIENT_ID,
                "redirect_uri": back.geturl(),
                "redirect_name": "Causeway",
            }
        )
    }
    return render(request, "accounts/signed_out.html", context)


def safe_next(target: str | None) -> str:
    """``target`` if it is a page of ours, else the home page (L23).

    A path and nothing else: no address with a host in it is worth the risk, ours
    included, and none that becomes one when something on the way decodes it.
    """
    is_ours = (
        target is not None
        and target.startswith("/")
        and target.isprintable()
        and len(target) <= LONGEST_NEXT
        and all(
            url_has_allowed_host_and_scheme(text, allowed_hosts=None)
            for text in (target, unquote(target))
        )
    )
    return target if target and is_ours else settings.LOGIN_REDIRECT_URL


def sign_in_limits() -> tuple[limits.Limit, ...]:
    return (
        limits.Limit(settings.SIGN_INS_PER_MINUTE, limits.MINUTE),
        limits.Limit(settings.SIGN_INS_PER_HOUR, limits.HOUR),
    )


def callback_limits() -> tuple[limits.Limit, ...]:
    """Twice as many as begins, since a person may come back by reloading."""
    return (limits.Limit(2 * settings.SIGN_INS_PER_MINUTE, limits.MINUTE),)


def sign_in_failure(err: social.SocialAuthBaseException) -> SignInFailed:
    """What a failed sign-in means for the person (security.md section 11)."""
    if isinstance(err, social.AuthCanceled):
        return SignInDeclined()
    if isinstance(err, social.AuthSessionError | social.AuthInputError):
        return SignInNotOurs()
    if isinstance(err, social.AuthResponseError):
        return SignInUnverified()
    # Auth said ``error=`` of some kind at the callback.
    return SignInUnreachable()


def _backend(request: HttpRequest) -> GlobusSignIn:
    strategy = load_strategy(request)
    redirect_uri = settings.PUBLIC_BASE_URL._replace(path=reverse("accounts:complete"))
    backend: GlobusSignIn = load_backend(strategy, "globus", redirect_uri.geturl())
    return backend


def _asked_collections(request: HttpRequest) -> tuple[UUID, ...]:
    texts = request.POST.getlist("collection")[:MAX_COLLECTIONS_PER_CONSENT]
    try:
        return tuple(UUID(text) for text in texts)
    except ValueError as err:
        raise BadRequest("collection") from err
