"""Nothing is lost on the way through Auth.

When Globus wants something of a person first, the request is kept, they go to Auth and
come back, what was asked is checked, and the same request goes on: once, by them only.
The body of a POST stays here; the page that goes on sends a reference to it to the
address of the request, from our origin and with the token of a form, and
``goes_on`` puts the body back in. ``docs/decisions.md`` says what else was weighed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import asking, audit, step_up
from accounts.models import PendingAction, User
from accounts.vault import CannotOpen
from portal.globus.errors import PortalError
from portal.globus.requirements import Kind, Requirement

logger = logging.getLogger(__name__)

#: how long a request can go on by itself
LASTS = timedelta(hours=1)
#: how long after that its form can be opened again
KEPT_FOR = timedelta(days=1)
#: who is asked again this soon after doing it is not sent to Auth once more
LOOP_WINDOW = timedelta(minutes=5)
#: sign-ins that did not show what was asked, before we stop offering another
MOST_ROUNDS = 2
MOST_PER_PERSON = 50
MOST_PER_SESSION = 5
LONGEST_BODY = 262_144  # bytes
LONGEST_PATH = 16_384

#: the field that names a kept request
FIELD = "pending_action"
#: with it, the form is only opened again, as if no button had been pressed
REOPEN = "reopen"
BUTTON = "do"
#: apps whose forms hold paths, labels and choices, and nothing that opens something
KEEPS_BODIES_OF = ("transfers",)
#: and such pages of other apps
KEEPS_BODIES_AT = ("accounts:answer_invitation",)
#: addresses of signing in itself, which nobody wants to come back to
NOT_RESUMED = ("/login/", "/complete/", "/logout/", "/pending/")

_SIGNER = signing.Signer(salt="accounts.pending")
_KEPT = "kept_actions"
_ATTEMPTS = "pending_by_state"
_DONE = "pending_done"


# --- keeping


def remember(request: HttpRequest, failure: PortalError) -> PendingAction | None:
    """Keeps the request that ``failure`` stopped, if a sign-in or consent mends it."""
    requirement: Requirement | None = getattr(failure, "requirement", None)
    if requirement is None or not isinstance(request.user, User):
        return None
    action = _of_request(request, request.user, requirement)
    return _saved(action)


def remember_for_later(
    request: HttpRequest, requirement: Requirement, *, path: str
) -> PendingAction:
    """The way on for something that waits in the background.

    :param path: the page that tells about it
    """
    assert isinstance(request.user, User)
    action = _new(request, request.user, requirement)
    action.path = path
    return _saved(action)


def remember_signed_out(request: HttpRequest, user: User) -> PendingAction:
    """Keeps a form that arrived after its person's session had ended.

    It goes on in this browser only, and only for the person that was signed in in it.
    """
    action = _of_request(request, user, Requirement())
    action.was_signed_out = True
    action = _saved(action)
    kept = [*request.session.get(_KEPT, []), action.pk.hex]
    request.session[_KEPT] = kept[-MOST_PER_SESSION:]
    return action


def _new(request: HttpRequest, user: User, requirement: Requirement) -> PendingAction:
    now = timezone.now()
    print_ = fingerprint(requirement)
    return PendingAction(
        user=user,
        requirement=requirement.as_json(),
        fingerprint=print_,
        created_at=now,
        expires_at=now + LASTS,
        asked_again=_was_just_done(request, print_),
    )


def _was_just_done(request: HttpRequest, print_: str) -> bool:
    """Whether this browser did so a moment ago.

    In another browser it may well be asked again: the person took a consent back at
    Globus, or signed out there.
    """
    done = request.session.get(_DONE, {}).get(print_)
    return done is not None and timezone.now().timestamp() - done < (
        LOOP_WINDOW.total_seconds()
    )


def _note_done(request: HttpRequest, action: PendingAction) -> None:
    done = request.session.get(_DONE, {}) | {
        action.fingerprint: timezone.now().timestamp()
    }
    request.session[_DONE] = dict([*done.items()][-MOST_PER_SESSION:])


def _of_request(
    request: HttpRequest, user: User, requirement: Requirement
) -> PendingAction:
    action = _new(request, user, requirement)
    action.came_from = page_of(request)
    if request.method in ("GET", "HEAD"):
        action.path = _own_path(request)
    elif keeps_body(request):
        action.method = "POST"
        action.path = _path(request)
        _keep_body(action, request)
    else:
        action.path = action.came_from
        action.left_out = "What was in the form was not kept. Please fill it in again."
    return action


def _own_path(request: HttpRequest) -> str:
    """The page that is asked for; for a part of one, the page that shows it."""
    if getattr(request, "htmx", False):
        return page_of(request)
    path = _path(request)
    return "/" if path.startswith(NOT_RESUMED) else path


def _path(request: HttpRequest) -> str:
    path = request.get_full_path()
    return path if len(path) <= LONGEST_PATH else request.path[:LONGEST_PATH]


def page_of(request: HttpRequest) -> str:
    """The page of ours that the person has open, by what the browser says."""
    shown = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(
        shown, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    if not shown.isprintable() or not ours or len(shown) > LONGEST_PATH:
        return "/"
    parts = urlsplit(shown)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return "/" if path.startswith((*NOT_RESUMED, "//")) else path


def keeps_body(request: HttpRequest) -> bool:
    """Whether it is a form with paths, labels and choices, and with no secret."""
    match = request.resolver_match
    return (
        request.method == "POST"
        and match is not None
        and (
            bool(set(match.app_names) & set(KEEPS_BODIES_OF))
            or match.view_name in KEEPS_BODIES_AT
        )
    )


def fields_of(request: HttpRequest) -> list[tuple[str, str]]:
    """What a form holds for its page, in order: ``[(name, value)]``."""
    return [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name not in ("csrfmiddlewaretoken", FIELD, REOPEN)
    ]


def _keep_body(action: PendingAction, request: HttpRequest) -> None:
    body = json.dumps(fields_of(request))
    if len(body) > LONGEST_BODY:
        action.method, action.path = "GET", action.came_from
        action.left_out = "The form was too long to be kept. Please fill it in again."
        return
    action.seal_body(body)
    if request.FILES:
        action.left_out = "Files were not kept. Please choose them again."


def _saved(action: PendingAction) -> PendingAction:
    """One row for one wish: asking for a page again and again adds nothing."""
    mine = PendingAction.objects.filter(user=action.user)
    if action.method == "GET":
        same = mine.filter(
            fingerprint=action.fingerprint,
            method="GET",
            path=action.path,
            asked_again=action.asked_again,
            left_at__isnull=True,
            used_at__isnull=True,
            expires_at__gt=timezone.now(),
        ).first()
        if same is not None:
            return same
    action.save(force_insert=True)
    surplus = list(mine.values_list("pk", flat=True)[MOST_PER_PERSON:])
    if surplus:
        mine.filter(pk__in=surplus).delete()
    return action


def fingerprint(requirement: Requirement) -> str:
    facts = requirement.as_json()
    facts.pop("session_message", None)  # words may change, what is wanted does not
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


# --- finding


def reference(action: PendingAction) -> str:
    return _SIGNER.sign(action.pk.hex)


def address(action: PendingAction) -> str:
    return reverse("accounts:pending", args=[reference(action)])


def find(request: HttpRequest, text: str) -> PendingAction:
    """The person's own action.

    :raises Http404: tampered with, gone, somebody else's, or of another browser
    """
    try:
        pk = UUID(hex=_SIGNER.unsign(text))
    except (signing.BadSignature, ValueError) as err:
        raise Http404 from err
    if not isinstance(request.user, User):
        raise Http404
    action = PendingAction.objects.filter(pk=pk, user=request.user).first()
    if action is None:
        raise Http404
    if action.was_signed_out and action.pk.hex not in request.session.get(_KEPT, []):
        raise Http404
    return action


def requirement_of(action: PendingAction) -> Requirement:
    return Requirement.from_json(action.requirement)


def is_kept(request: HttpRequest) -> bool:
    """Whether a form waits in this browser for its person to sign in."""
    return bool(request.session.get(_KEPT))


# --- going to Auth and coming back


def asked(request: HttpRequest) -> PendingAction | None:
    """The action that a sign-in is begun for, if the form names one.

    Whose session has ended meanwhile signs in first, and is asked again then.
    """
    text = request.POST.get(FIELD) or request.GET.get(FIELD)
    return find(request, text) if text and request.user.is_authenticated else None


def goes_to_globus(action: PendingAction) -> bool:
    """Whether a sign-in may help; else the page of the action says what may."""
    is_beyond = requirement_of(action).kind == Kind.BEYOND
    return not (action.asked_again or is_beyond or _gives_up(action))


def way_to_globus(action: PendingAction) -> str:
    """Where a form is sent on to (307), for a button that stands on another page."""
    if not goes_to_globus(action):
        return address(action)
    return f"{reverse('accounts:begin')}?{urlencode({FIELD: reference(action)})}"


def _gives_up(action: PendingAction) -> bool:
    return action.rounds >= MOST_ROUNDS and bool(action.lacking)


def left(request: HttpRequest, action: PendingAction, authorize_url: str) -> None:
    """Notes which attempt at Auth belongs to ``action``."""
    [state] = parse_qs(urlsplit(authorize_url).query)["state"]
    attempts = {**request.session.get(_ATTEMPTS, {}), state: action.pk.hex}
    request.session[_ATTEMPTS] = dict([*attempts.items()][-MOST_PER_SESSION:])
    action.left_at = timezone.now()
    action.returned_at = None
    action.rounds += 1
    action.save(update_fields=["left_at", "returned_at", "rounds"])


def of_attempt(request: HttpRequest) -> PendingAction | None:
    """The action whose attempt at Auth the callback belongs to."""
    attempts: Mapping[str, str] = request.session.get(_ATTEMPTS, {})
    pk = attempts.get(request.GET.get("state", ""))
    if pk is None or not isinstance(request.user, User):
        return None
    return PendingAction.objects.filter(pk=UUID(hex=pk), user=request.user).first()


def resume(request: HttpRequest) -> str | None:
    """After a sign-in that worked: where to go on, if a request waits for it.

    Forms that somebody else had filled in before, in this browser, are dropped.
    """
    assert isinstance(request.user, User)
    kept = [UUID(hex=text) for text in request.session.get(_KEPT, [])]
    foreign = PendingAction.objects.filter(pk__in=kept).exclude(user=request.user)
    if foreign.exists():
        foreign.delete()
        del request.session[_KEPT]
        messages.info(
            request, "What somebody else had sent from this browser was not kept."
        )
        return "/"
    action = of_attempt(request)
    if action is None:
        return None
    attempts = request.session[_ATTEMPTS]
    del attempts[request.GET["state"]]
    request.session[_ATTEMPTS] = attempts
    action.returned_at = timezone.now()
    action.save(update_fields=["returned_at"])
    return address(action)


def check(request: HttpRequest, action: PendingAction) -> bool:
    """Whether what Globus asked for was done; asks Auth (security.md L17).

    :raises GlobusFailure: Auth cannot be asked right now; asking again is safe
    """
    if action.fulfilled_at:
        return True
    if action.was_signed_out:
        lacking = ""
    elif action.returned_at is None or action.left_at is None:
        return False
    else:
        requirement = requirement_of(action)
        lacking = step_up.lacking(action.user, requirement, since=action.left_at)
    action.lacking = lacking
    if lacking:
        action.returned_at = None
    else:
        action.fulfilled_at = timezone.now()
        _note_done(request, action)
    action.save(update_fields=["lacking", "returned_at", "fulfilled_at"])
    audit.record(
        "person:requirement:fulfil",
        owner=action.user,
        outcome=audit.Outcome.REFUSED if lacking else audit.Outcome.OK,
        request=request,
        wanted=requirement_of(action).kind.value,
    )
    return not lacking


# --- going on


def use(action: PendingAction, *, now: datetime | None = None) -> bool:
    """Takes the action; of two at once, one gets it."""
    now = now or timezone.now()
    free = PendingAction.objects.filter(pk=action.pk, used_at__isnull=True)
    return free.update(used_at=now) == 1


def release(action: PendingAction) -> None:
    """It did not come to anything, because Globus was out of reach."""
    PendingAction.objects.filter(pk=action.pk).update(used_at=None)


def may_go_on(action: PendingAction) -> bool:
    """What was granted already may be tried again without another sign-in."""
    return bool(action.fulfilled_at or action.asked_again) and not is_over(action)


def is_over(action: PendingAction) -> bool:
    return action.expires_at <= timezone.now()


def can_reopen(action: PendingAction) -> bool:
    """Whether the form can be shown again with what was in it."""
    body = body_of(action)
    return body is not None and BUTTON in body


def body_of(action: PendingAction) -> QueryDict | None:
    """The fields of the form; nothing if they were not kept, or do not open."""
    try:
        sealed = action.body()
    except CannotOpen:
        logger.error("The body of pending action %s does not open", action.pk)
        return None
    if sealed is None:
        return None
    fields = QueryDict(mutable=True)
    for name, value in json.loads(sealed.reveal()):
        fields.appendlist(name, value)
    return fields


def body_for(request: HttpRequest, action: PendingAction) -> QueryDict | None:
    """The body to put into the request that names ``action``, taken for good.

    :returns: nothing if it went on already, or may not go on
    :raises Http404: the action is about another address
    """
    if action.method != "POST" or request.get_full_path() != action.path:
        raise Http404
    reopens = REOPEN in request.POST
    if not (may_go_on(action) or (reopens and can_reopen(action))):
        return None
    body = body_of(action)
    if body is None or not use(action):
        return None
    if reopens:
        body.pop(BUTTON, None)
    return body


def forget_old(*, now: datetime | None = None) -> None:
    """Takes away what nobody came back to."""
    now = now or timezone.now()
    PendingAction.objects.filter(expires_at__lt=now - KEPT_FOR).delete()


def question(action: PendingAction) -> dict[str, Any]:
    """What ``templates/accounts/_question.html`` shows about an action."""
    requirement = requirement_of(action)
    kind = requirement.kind
    return {
        "title": asking.TITLES[kind],
        "says": asking.sentence(requirement, action.user),
        "message": requirement.message,
        "lacking": action.lacking,
        "loop": (
            asking.LOOP_WORDS.get(kind, asking.LOOP_WORDS_ELSE)
            if action.asked_again
            else ""
        ),
        "left_out": action.left_out,
        "reference": reference(action),
        "address": address(action),
        "gives_up": _gives_up(action),
        "goes_to_globus": goes_to_globus(action),
        "button": (
            "Give consent at Globus" if kind == Kind.CONSENT else "Sign in with Globus"
        ),
    }
