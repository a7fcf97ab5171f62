"""The pages that a browser sees: who are you, and do you allow this."""

import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_http_methods

from sandbox import clock, scopes
from sandbox.auth import consents, sessions, tokens
from sandbox.knobs import current as knobs
from sandbox.models import AuthorizationCode, Client, Identity
from sandbox.pages import is_foreign_form, page
from sandbox.runtime import runtime
from sandbox.scopes import BadScope, Scope

STEP_UP = (
    "session_message",
    "session_required_identities",
    "session_required_single_domain",
    "session_required_policies",
    "session_required_mfa",
)


class BadRequest(Exception):
    """Nothing to redirect to: the person sees a page with the reason."""


class BackToClient(Exception):
    """An error that goes to the client's redirect URI (RFC 6749 4.1.2.1)."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(error)


@dataclass(frozen=True)
class Asked:
    """An authorization request, checked."""

    client: Client
    redirect_uri: str
    scopes: list[Scope]
    parameters: dict[str, str]

    @property
    def state(self) -> str:
        return self.parameters.get("state", "")

    def answer(self, **parameters: str) -> str:
        """The redirect URI with these parameters and the state."""
        parts = urlsplit(self.redirect_uri)
        query = [*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()]
        if "state" in self.parameters:
            query.append(("state", self.state))
        return urlunsplit(parts._replace(query=urlencode(query)))


def native_redirect_uri() -> str:
    return f"{runtime.auth_url}/v2/web/auth-code"


@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """``/v2/oauth2/authorize``: GET asks the person, POST takes the decision."""
    # From the raw query: clients leave [ ] * : as they are, and a form's own
    # fields must not mix with the client's.
    parameters = dict(parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True))
    try:
        asked = check(parameters)
    except BadRequest as err:
        return page(
            request,
            "auth_error.html",
            {"code": "OAUTH_AUTH_REQUEST_FAILURE", "reason": str(err)},
            status=400,
        )
    try:
        check_answerable(asked)
    except BackToClient as err:
        return HttpResponseRedirect(
            asked.answer(error=err.error, error_description=err.description)
        )
    if request.method == "POST":
        return _decided(request, asked)
    if person := _approved_unseen(asked):
        return _allow(request, asked, person)
    return _question(request, asked)


def check(parameters: dict[str, str]) -> Asked:
    """Read the request as far as it must be right before anything is redirected.

    :raises BadRequest: client, redirect URI or scope are not known
    """
    client = Client.objects.filter(id=parameters.get("client_id", "")).first()
    if client is None or client.kind == Client.Kind.TEMPLATE:
        raise BadRequest("This client is not registered.")
    redirect_uri = parameters.get("redirect_uri", "")
    if not is_registered(client, redirect_uri):
        raise BadRequest(
            f"The redirect URI {redirect_uri!r} is not registered for {client.name}."
        )
    try:
        wanted = scopes.parse(parameters.get("scope", ""))
        consents.check_known(wanted)
    except BadScope as err:
        raise BadRequest(str(err)) from err
    if not wanted:
        raise BadRequest("No scope was asked for.")
    return Asked(client, redirect_uri, wanted, parameters)


def is_registered(client: Client, redirect_uri: str) -> bool:
    """Exact comparison. A native app may also use a loopback port of its own
    (RFC 8252 section 7.3)."""
    if redirect_uri in client.redirect_uris:
        return True
    if client.kind != Client.Kind.NATIVE:
        return False
    parts = urlsplit(redirect_uri)
    is_loopback = parts.scheme == "http" and parts.hostname in (
        "localhost",
        "127.0.0.1",
    )
    return is_loopback or redirect_uri == native_redirect_uri()


def check_answerable(asked: Asked) -> None:
    """What the client did wrong although it is the right client.

    :raises BackToClient: the client learns the reason
    """
    if asked.parameters.get("response_type") != "code":
        raise BackToClient("unsupported_response_type", "Only code is served")
    challenge = asked.parameters.get("code_challenge", "")
    method = asked.parameters.get("code_challenge_method", "plain")
    if challenge and method != "S256":
        raise BackToClient("invalid_request", "code_challenge_method must be S256")
    if asked.client.kind == Client.Kind.NATIVE and not challenge:
        raise BackToClient("invalid_request", "A native app needs PKCE")


def _approved_unseen(asked: Asked) -> Identity | None:
    """Whoever the auto_approve knob signs in without a page."""
    if not knobs.auto_approve:
        return None
    if knobs.auto_approve == "login_hint":
        return find_person(asked.parameters.get("login_hint", ""))
    return find_person(knobs.auto_approve)


def find_person(name: str) -> Identity | None:
    """By username, or by the short name of a seeded person, such as ``ada``."""
    people = Identity.objects.filter(is_client=False)
    return (
        people.filter(username=name).first()
        or people.filter(person=name).filter(is_primary=True).first()
    )


def _question(request: HttpRequest, asked: Asked) -> HttpResponse:
    hinted = find_person(asked.parameters.get("login_hint", ""))
    people = Identity.objects.filter(is_client=False).order_by("-is_primary", "name")
    context = {
        "client": asked.client,
        "people": people,
        "chosen": hinted.pk if hinted else (people[0].pk if people else ""),
        "lines": list(_lines(asked.scopes)),
        "offline": asked.parameters.get("access_type") == "offline",
        "message": asked.parameters.get("session_message", ""),
        "step_up": [
            (name.removeprefix("session_required_").replace("_", " "), value)
            for name in STEP_UP[1:]
            if (value := asked.parameters.get(name, ""))
        ],
        "redirect_uri": asked.redirect_uri,
    }
    return page(request, "authorize.html", context, form_target=asked.redirect_uri)


def _lines(wanted: list[Scope], depth: int = 0) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for scope in wanted:
        lines.append(
            {
                "words": consents.in_words(scope.name),
                "scope": scope.name,
                "depth": depth,
                "optional": scope.optional,
            }
        )
        lines += _lines(scope.parts, depth + 1)
    return lines


def _decided(request: HttpRequest, asked: Asked) -> HttpResponse:
    if is_foreign_form(request):
        return page(
            request,
            "auth_error.html",
            {"code": "FORBIDDEN", "reason": "This form came from another site."},
            status=403,
        )
    if request.POST.get("decision") != "allow":
        return HttpResponseRedirect(
            asked.answer(
                error="access_denied",
                error_description="The user has denied the request",
            )
        )
    person = Identity.objects.filter(
        pk=request.POST.get("identity", ""), is_client=False
    ).first()
    if person is None:
        return _question(request, asked)
    return _allow(request, asked, person)


def _allow(request: HttpRequest, asked: Asked, person: Identity) -> HttpResponse:
    session, key = sessions.authenticate(sessions.current(request), person)
    offline = asked.parameters.get("access_type") == "offline"
    consents.record(asked.client, person, asked.scopes, refresh=offline)
    code = secrets.token_urlsafe(24)
    AuthorizationCode.objects.create(
        code_hash=tokens.hashed(code),
        client=asked.client,
        identity=person,
        session=session,
        redirect_uri=asked.redirect_uri,
        scope=" ".join(str(scope) for scope in asked.scopes),
        state=asked.state,
        nonce=asked.parameters.get("nonce", ""),
        code_challenge=asked.parameters.get("code_challenge", ""),
        offline=offline,
        expires_at=clock.now() + knobs.authorization_code_seconds,
    )
    response = HttpResponseRedirect(asked.answer(code=code))
    sessions.set_cookie(response, key)
    return response


@require_GET
def auth_code(request: HttpRequest) -> HttpResponse:
    """``/v2/web/auth-code``: shows the code that a native app waits for."""
    return page(
        request,
        "auth_code.html",
        {
            "auth_code": request.GET.get("code", ""),
            "error": request.GET.get("error_description", ""),
        },
    )


@require_GET
def logout(request: HttpRequest) -> HttpResponse:
    """``/v2/web/logout``: ends the browser's session; tokens stay valid."""
    session = sessions.current(request)
    if session is not None:
        session.key_hash = tokens.hashed(secrets.token_urlsafe(32))
        session.save(update_fields=["key_hash"])
    link = request.GET.get("redirect_uri", "")
    if urlsplit(link).scheme not in ("http", "https"):
        link = ""
    answer = page(
        request,
        "logged_out.html",
        {"link": link, "name": request.GET.get("redirect_name", "") or link},
    )
    answer.delete_cookie(sessions.COOKIE, path="/auth/")
    return answer
