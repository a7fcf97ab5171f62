"""The pages that a browser sees: who are you, and do you allow this."""

import secrets
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_http_methods
from oauthlib.common import add_params_to_uri

from sandbox import clock, scopes
from sandbox.auth import clients, consents, requirements, sessions, tokens
from sandbox.auth.requirements import BadRequirement, Requirements
from sandbox.knobs import current as knobs
from sandbox.models import AuthorizationCode, BrowserSession, Client, Identity
from sandbox.pages import is_foreign_form, page
from sandbox.runtime import runtime
from sandbox.scopes import BadScope, Scope

REPEATED = "This parameter must not be repeated: "


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
    wanted: Requirements = field(default_factory=Requirements)

    @property
    def offline(self) -> bool:
        return self.parameters.get("access_type") == "offline"

    @property
    def state(self) -> str:
        return self.parameters.get("state", "")

    def answer(self, **parameters: str) -> str:
        """The redirect URI with these parameters and the state."""
        query = list(parameters.items())
        if "state" in self.parameters:
            query.append(("state", self.state))
        return str(add_params_to_uri(self.redirect_uri, query))


def native_redirect_uri() -> str:
    return f"{runtime.auth_url}/v2/web/auth-code"


@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """``/v2/oauth2/authorize``: GET asks the person, POST takes the decision."""
    # From the raw query: clients leave [ ] * : as they are, and a form's own
    # fields must not mix with the client's.
    query = parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True)
    try:
        asked = check(dict(query))
    except BadRequest as err:
        return page(
            request,
            "auth_error.html",
            {"code": "OAUTH_AUTH_REQUEST_FAILURE", "reason": str(err)},
            status=400,
        )
    try:
        return _answer(request, check_answerable(asked, query))
    except BackToClient as err:
        return HttpResponseRedirect(
            asked.answer(error=err.error, error_description=err.description)
        )


def _answer(request: HttpRequest, asked: Asked) -> HttpResponse:
    if request.method == "POST":
        return _decided(request, asked)
    if person := _approved_unseen(asked):
        return _signed_in_unseen(request, asked, person)
    if knobs.skip_known_consents or "none" in asked.wanted.prompts:
        try:
            return _without_a_page(request, asked)
        except BackToClient:
            if "none" in asked.wanted.prompts:
                raise
    return _question(request, asked)


def check(parameters: dict[str, str]) -> Asked:
    """Read the request as far as it must be right before anything is redirected.

    :raises BadRequest: client, redirect URI or scope are not known
    """
    client = clients.find(parameters.get("client_id", ""))
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
    """Exact comparison. A native app, and an instance of one such as the CLI, may
    also use the code page or a loopback port of its own (RFC 8252 section 7.3)."""
    if redirect_uri in client.redirect_uris:
        return True
    if client.kind != Client.Kind.NATIVE and not client.template_id:
        return False
    return is_loopback(redirect_uri) or redirect_uri == native_redirect_uri()


def is_loopback(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:  # brackets that hold no IPv6 address
        return False
    # urlsplit() drops line breaks, which a header must not hold.
    is_plain = uri.isprintable() and " " not in uri
    return is_plain and (parts.scheme, parts.hostname) in (
        ("http", "localhost"),
        ("http", "127.0.0.1"),
    )


def check_answerable(asked: Asked, query: list[tuple[str, str]]) -> Asked:
    """The request with its requirements, unless the client did something wrong.

    :raises BackToClient: the client learns the reason
    """
    names = [name for name, _ in query]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated and knobs.repeated_parameter == "invalid_request":
        raise BackToClient("invalid_request", REPEATED + ", ".join(repeated))
    if asked.parameters.get("response_type") != "code":
        raise BackToClient("unsupported_response_type", "Only code is served")
    challenge = asked.parameters.get("code_challenge", "")
    method = asked.parameters.get("code_challenge_method", "plain")
    if challenge and method != "S256":
        raise BackToClient("invalid_request", "code_challenge_method must be S256")
    if asked.client.kind == Client.Kind.NATIVE and not challenge:
        raise BackToClient("invalid_request", "A native app needs PKCE")
    if asked.parameters.get("access_type", "online") not in ("online", "offline"):
        raise BackToClient("invalid_request", "access_type is online or offline")
    try:
        return replace(asked, wanted=requirements.read(asked.parameters))
    except BadRequirement as err:
        raise BackToClient("invalid_request", str(err)) from err


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


def _signed_in_unseen(
    request: HttpRequest, asked: Asked, person: Identity
) -> HttpResponse:
    """Sign ``person`` in with every identity that the request wants of them."""
    began = clock.now()
    session, key = sessions.current(request), ""
    mfa = requirements.wants_mfa(asked.wanted)
    for identity in requirements.of_person(asked.wanted, person):
        session, key = sessions.authenticate(session, identity, mfa=mfa)
    if session is None or requirements.missing(asked.wanted, session, began):
        return _question(request, asked)
    return _with_session(_allow(asked, person, session), key)


def _without_a_page(request: HttpRequest, asked: Asked) -> HttpResponse:
    """A code for who is signed in already and has consented already.

    :raises BackToClient: a person is needed (OpenID Connect Core section 3.1.2.6)
    """
    session = sessions.current(request)
    person = sessions.person_of(session) if session else None
    if person is None or session is None:
        raise BackToClient("login_required", "Nobody is signed in")
    if lacking := requirements.missing(asked.wanted, session, clock.now()):
        raise BackToClient("login_required", f"The person must {lacking[0]}")
    identity = sessions.effective_identity(person)
    if not consents.covers(asked.client, identity, asked.scopes):
        raise BackToClient("consent_required", "The person has not consented yet")
    return _allow(asked, person, session)


def _question(
    request: HttpRequest,
    asked: Asked,
    *,
    session: BrowserSession | None = None,
    began: float | None = None,
    is_unanswered: bool = False,
) -> HttpResponse:
    """Ask who the person is and what they allow; again, when a step is missing."""
    session = session or sessions.current(request)
    began = clock.now() if began is None else began
    lacking = requirements.missing(asked.wanted, session, began)
    people = requirements.useful(asked.wanted, session, began)
    context = {
        "client": asked.client,
        "people": people,
        "is_unanswered": is_unanswered,
        "chosen": _preselected(asked, people, session),
        "lines": list(_lines(asked.scopes)),
        "offline": asked.offline,
        "message": asked.parameters.get("session_message", ""),
        "lacking": lacking if session or asked.wanted != Requirements() else [],
        "mfa": requirements.wants_mfa(asked.wanted),
        "began": repr(began),
        "redirect_uri": asked.redirect_uri,
    }
    return page(request, "authorize.html", context, form_target=asked.redirect_uri)


def _preselected(
    asked: Asked, people: list[Identity], session: BrowserSession | None
) -> str:
    """The hinted person, or who is signed in; else the person chooses.

    Somebody must be chosen knowingly: who only presses the button is asked again.
    """
    hinted = find_person(asked.parameters.get("login_hint", ""))
    known = sessions.person_of(session) if session else None
    for one in (hinted, known):
        if one in people:
            return one.pk
    return ""


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
    began = _began(request)
    if person is None:
        return _question(request, asked, began=began, is_unanswered=True)
    session, key = _sign_in(request, asked, person, began)
    if requirements.missing(asked.wanted, session, began):
        answer = _question(request, asked, session=session, began=began)
    else:
        answer = _allow(asked, person, session)
    return _with_session(answer, key)


def _began(request: HttpRequest) -> float:
    """When the first page of this sign-in was shown, as the form says."""
    now = clock.now()
    try:
        began = float(request.POST.get("began", ""))
    except ValueError:
        return now
    return began if began <= now else now


def _sign_in(
    request: HttpRequest, asked: Asked, person: Identity, began: float
) -> tuple[BrowserSession, str]:
    """The browser's session with ``person`` in it, and its key when that is new.

    Who is signed in already and shows enough goes on without a new sign-in.
    """
    session = sessions.current(request)
    mfa = request.POST.get("mfa") == "on"
    is_known = session is not None and person.pk in session.authentications
    if session is not None and is_known and not mfa:
        lacking = requirements.missing(asked.wanted, session, began)
        if not lacking:
            return session, ""
    return sessions.authenticate(session, person, mfa=mfa)


def _with_session(answer: HttpResponse, key: str) -> HttpResponse:
    if key:
        sessions.set_cookie(answer, key)
    return answer


def _allow(asked: Asked, person: Identity, session: BrowserSession) -> HttpResponse:
    """Record the consent and send the code."""
    identity = sessions.effective_identity(person)
    consents.record(asked.client, identity, asked.scopes, refresh=asked.offline)
    code = secrets.token_urlsafe(24)
    AuthorizationCode.objects.create(
        code_hash=tokens.hashed(code),
        client=asked.client,
        identity=identity,
        session=session,
        redirect_uri=asked.redirect_uri,
        scope=" ".join(str(scope) for scope in asked.scopes),
        state=asked.state,
        nonce=asked.parameters.get("nonce", ""),
        code_challenge=asked.parameters.get("code_challenge", ""),
        offline=asked.offline,
        expires_at=clock.now() + knobs.authorization_code_seconds,
    )
    return HttpResponseRedirect(asked.answer(code=code))


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
        sessions.end(session)
    link = request.GET.get("redirect_uri", "")
    if not link.startswith(("http://", "https://")):
        link = ""
    answer = page(
        request,
        "logged_out.html",
        {"link": link, "name": request.GET.get("redirect_name", "") or link},
    )
    answer.delete_cookie(sessions.COOKIE, path="/auth/")
    return answer
