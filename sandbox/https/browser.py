"""A browser at a collection: to Auth and back, and then a cookie for reading.

The collection is itself the OAuth client that the redirect names
(globus-services.md section 6). The cookie holds an access token for it and counts
for GET and HEAD alone, so that no page of another site can change a file.
"""

import secrets
from urllib.parse import quote, unquote, urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox import scopes
from sandbox.auth import tokens
from sandbox.auth.consents import needs_data_access
from sandbox.auth.grants import used_code
from sandbox.auth.tokens import Rights
from sandbox.knobs import current as knobs
from sandbox.models import Client, Collection
from sandbox.runtime import runtime
from sandbox.wire import SENT_PATH

SESSION = "sandbox_https"
STATE = "sandbox_https_state"
STATE_SECONDS = 1800


def wanted_scopes(collection: Collection) -> list[str]:
    """What a token needs here; ``data_access`` too when the knob says so."""
    wanted = [scopes.https(collection.pk)]
    if knobs.https_wants_data_access and needs_data_access(collection):
        wanted.append(scopes.data_access(collection.pk))
    return wanted


def to_auth(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Off to the sign-in page; a cookie remembers which file was wanted."""
    client = _client_of(collection)
    state = secrets.token_urlsafe(24)
    query = urlencode(
        {
            "client_id": client.pk,
            "response_type": "code",
            "scope": " ".join(wanted_scopes(collection)),
            "redirect_uri": client.redirect_uris[0],
            "state": state,
        }
    )
    answer = HttpResponseRedirect(f"{runtime.auth_url}/v2/oauth2/authorize?{query}")
    _set_cookie(answer, collection, STATE, f"{state}:{_here(request)}", STATE_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer


def _here(request: HttpRequest) -> str:
    path = quote(str(request.META[SENT_PATH]).encode("latin-1"))
    query = request.META.get("QUERY_STRING", "")
    return quote(f"{path}?{query}" if query else path, safe="")


def _client_of(collection: Collection) -> Client:
    """The collection as a client; nobody knows a secret of it."""
    uri = f"{runtime.url}/https/{collection.pk}/"
    client, _ = Client.objects.update_or_create(
        pk=collection.pk,
        defaults={
            "name": collection.display_name,
            "kind": Client.Kind.CONFIDENTIAL,
            "redirect_uris": [uri],
        },
    )
    return client


def is_coming_back(request: HttpRequest, path: str) -> bool:
    return path == "/" and "state" in request.GET and STATE in request.COOKIES


def come_back(request: HttpRequest, collection: Collection) -> HttpResponse | None:
    """From Auth to the file that was wanted; None when this is not the sign-in that
    this browser began, or it was declined."""
    state, _, wanted = request.COOKIES[STATE].partition(":")
    if not secrets.compare_digest(
        state.encode(), request.GET["state"].encode("utf-8", "replace")
    ):
        return None
    code = used_code(request.GET.get("code", ""))
    if code is None or code.client_id != collection.pk:
        return None
    rights = Rights(
        client=code.client,
        identity=code.identity,
        session=code.session,
        resource_server=collection.pk,
        scope=" ".join(one.name for one in scopes.parse(code.scope)),
    )
    seconds = knobs.https_session_seconds
    answer = HttpResponseRedirect(_address(collection, wanted))
    token = tokens.new_access_token(rights, seconds)
    _set_cookie(answer, collection, SESSION, token, seconds)
    answer.delete_cookie(STATE, path=_folder(collection))
    answer["Cache-Control"] = "no-store"
    return answer


def _address(collection: Collection, wanted: str) -> str:
    """Where to go on: below the collection, whatever the cookie says."""
    address = unquote(wanted)
    folder = _folder(collection)
    return address if address.startswith(folder) else folder


def session_token(request: HttpRequest) -> str:
    """The token of a browser that has signed in, for reading."""
    if request.method not in ("GET", "HEAD"):
        return ""
    return request.COOKIES.get(SESSION, "")


def _folder(collection: Collection) -> str:
    return f"/https/{collection.pk}/"


def _set_cookie(
    answer: HttpResponse, collection: Collection, name: str, value: str, seconds: int
) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path=_folder(collection),
        secure=runtime.url.startswith("https:"),
        httponly=True,
        samesite="Lax",
    )
