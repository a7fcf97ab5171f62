"""*My account*: who I am here, what is held for me, and taking it back."""

from __future__ import annotations

import hmac
import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import content_disposition_header
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts import audit, consent_list, export, revocation, standing
from accounts.models import Session, Token
from accounts.views import SignedInRequest, begin
from portal import sessions
from portal.globus.errors import PortalError


@require_safe
def account(request: SignedInRequest) -> HttpResponse:
    """Never the tokens themselves; of a session never its key."""
    held = (
        Token.objects.held_for(request.user)
        .order_by("resource_server")
        .defer("sealed_access_token", "sealed_refresh_token")
    )
    here = request.session.session_key
    browsers = [
        {"session": each, "handle": handle_of(each), "is_this": each.pk == here}
        for each in sessions.open_sessions(request.user)
    ]
    context = {
        "tokens": held,
        "has_access": any(each.state != Token.State.REVOKED for each in held),
        "pending_revocations": revocation.pending(request.user),
        "browsers": browsers,
        "consents_page": f"{settings.GLOBUS_AUTH_URL}/v2/web/consents",
    }
    return render(request, "accounts/account.html", context)


def handle_of(session: Session) -> str:
    """Names a session on a page. Its key would let whoever sees the page sign in."""
    return salted_hmac("accounts.my_account.session", session.pk).hexdigest()[:32]


@require_POST
def sign_in_as_another(request: SignedInRequest) -> HttpResponse:
    """Ends this session and begins a sign-in in which Globus asks who it is.

    The form sends ``fresh``, which ``begin`` reads.
    """
    audit.record("person:session:sign-out", owner=request.user, request=request)
    logout(request)
    return begin(request)


@require_POST
def end_session(request: SignedInRequest, handle: str) -> HttpResponse:
    for session in sessions.open_sessions(request.user):
        if hmac.compare_digest(handle_of(session), handle):
            sessions.end_one(request.user, session.pk)
            audit.record(
                "person:session:end",
                owner=request.user,
                request=request,
                device=session.device,
            )
            messages.success(request, f"{session.device} is signed out.")
            return redirect("accounts:account")
    raise Http404


@require_POST
def end_other_sessions(request: SignedInRequest) -> HttpResponse:
    ended = standing.end_sessions(
        request.user, by=request.user, but=request.session.session_key
    )
    if ended:
        messages.success(request, "Every other browser is signed out.")
    else:
        messages.info(request, "You were signed in in no other browser.")
    return redirect("accounts:account")


@require_safe
def consents(request: SignedInRequest) -> HttpResponse:
    """What Globus says that this person has allowed the portal; asks it each time.

    :raises GlobusFailure: it does not say
    """
    context = {
        "consents": consent_list.consents_of(request.user),
        "consents_page": f"{settings.GLOBUS_AUTH_URL}/v2/web/consents",
    }
    return render(request, "accounts/consents.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def take_back(request: SignedInRequest) -> HttpResponse:
    """Revokes what the portal holds; says first what that does and what not."""
    if request.method == "POST":
        revocation.revoke_all(
            request.user, by=request.user, reason="taken back by the person"
        )
        messages.success(
            request,
            "The portal has given up its access. Globus is being told as well.",
        )
        return redirect("accounts:account")
    context = {"consequences": standing.consequences_of_revoking(request.user)}
    return render(request, "accounts/take_back.html", context)


@require_POST
def download(request: SignedInRequest) -> HttpResponse:
    """Everything that the portal knows about whoever asks, as one file."""
    audit.record("person:data:export", owner=request.user, request=request)
    text = json.dumps(export.known_about(request.user), indent=2, ensure_ascii=False)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    disposition = content_disposition_header(
        as_attachment=True, filename=f"causeway-{timezone.now():%Y-%m-%d}.json"
    )
    assert disposition is not None
    response["Content-Disposition"] = disposition
    return response


class DeleteForm(forms.Form):
    confirmation = forms.CharField(
        max_length=255,
        widget=forms.TextInput(
            attrs={
                "class": "form-control",
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )

    def __init__(self, *args: Any, wanted: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted
        self.fields["confirmation"].label = f"Type {wanted} to confirm"

    def clean_confirmation(self) -> str:
        given: str = self.cleaned_data["confirmation"]
        if given.casefold() != self.wanted.casefold():
            raise forms.ValidationError(f"This is not {self.wanted}.")
        return given


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SignedInRequest) -> HttpResponse:
    user = request.user
    obstacles = standing.obstacles_to_deleting(user)
    form = DeleteForm(request.POST or None, wanted=user.identity_username)
    if request.method == "POST" and not obstacles and form.is_valid():
        try:
            standing.delete(user, request=request)
        except PortalError as err:
            messages.error(request, err.advice)
            return redirect("accounts:delete")
        logout(request)
        return render(request, "accounts/deleted.html")
    context = {
        "form": form,
        "obstacles": obstacles,
        "consequences": standing.consequences_of_deleting(user),
    }
    status = 409 if obstacles and request.method == "POST" else 200
    return render(request, "accounts/delete.html", context, status=status)
