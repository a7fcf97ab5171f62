"""An OpenID provider within the test, which signs whatever it is told to.

For answers that no knob of the sandbox makes. It keeps what it was asked, and it does
not look at the PKCE verifier unless told to, so that what holds here does not rest on
the provider's own care.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import responses
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from requests import PreparedRequest

from portal.globus import scopes

URL = "https://auth.example.test"
SUBJECT = "4f1a9c1e-6f0e-4a57-9a3c-0d6a1c1b2e3f"


class _Gone:
    """Its name is the same in every process, so that tests are called the same."""

    def __repr__(self) -> str:
        return "gone"


#: a claim or field with this value is left out
GONE = _Gone()
TOKEN, USERINFO, JWKS = "/v2/oauth2/token", "/v2/oauth2/userinfo", "/jwk.json"
DISCOVERY = "/.well-known/openid-configuration"


@cache
def key_of(bits: int, number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def jwk_of(key: rsa.RSAPrivateKey, **more: Any) -> dict[str, Any]:
    made = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return changed({**made, "use": "sig", "alg": "RS512"}, more)


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = {**document, **changes}
    return {name: value for name, value in merged.items() if value is not GONE}


def half_hash(value: str) -> str:
    half = hashlib.sha512(value.encode()).digest()[:32]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def entry(server: str, names: tuple[str, ...], number: int) -> dict[str, Any]:
    return {
        "access_token": f"AgFakeAccess{number}",
        "refresh_token": f"AgFakeRefresh{number}",
        "token_type": "Bearer",
        "expires_in": 172_800,
        "resource_server": server,
        "scope": " ".join(names),
    }


@dataclass
class FakeProvider:
    """What the next answers differ in; see the methods for what they are without."""

    discovery: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    #: a whole document in place of the object with these changes
    userinfo: Any = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: key_of(2048))
    keys: list[dict[str, Any]] | None = None
    #: makes the ID token out of its claims
    sign: Callable[[dict[str, Any]], str] | None = None
    looks_at_verifier: bool = False
    #: ``{path: (status, headers, body)}`` in place of an answer
    broken: dict[str, tuple[int, dict[str, str], bytes | str]] = field(
        default_factory=dict
    )
    asked: list[PreparedRequest] = field(default_factory=list, repr=False)
    codes: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def serve(self, mock: responses.RequestsMock) -> None:
        for method, path, answer in (
            ("GET", DISCOVERY, self._discovery),
            ("GET", JWKS, self._jwks),
            ("POST", TOKEN, self._token),
            ("GET", USERINFO, self._userinfo),
        ):
            mock.add_callback(method, URL + path, self._noted(path, answer))

    def _noted(self, path: str, answer: Callable[[PreparedRequest], Any]) -> Any:
        def answered(request: PreparedRequest) -> Any:
            self.asked.append(request)
            if path in self.broken:
                return self.broken[path]
            return (200, {}, json.dumps(answer(request)))

        return answered

    def asked_at(self, path: str) -> list[PreparedRequest]:
        return [each for each in self.asked if urlsplit(each.url).path == path]

    def forms(self) -> list[dict[str, str]]:
        """What the token endpoint was sent."""
        return [dict(parse_qsl(str(each.body))) for each in self.asked_at(TOKEN)]

    # --- the browser's part

    def approve(self, address: str, **more: str) -> str:
        """Answers an authorize request; where the browser is sent."""
        asked = {name: values[0] for name, values in query_of(address).items()}
        code = f"code{len(self.codes)}"
        self.codes[code] = asked
        query = {"code": code, "state": asked["state"], **more}
        return f"{asked['redirect_uri']}?{urlencode(query)}"

    # --- the portal's part

    def _discovery(self, request: PreparedRequest) -> dict[str, Any]:
        return changed(
            {
                "issuer": URL,
                "authorization_endpoint": f"{URL}/v2/oauth2/authorize",
                "token_endpoint": URL + TOKEN,
                "userinfo_endpoint": URL + USERINFO,
                "jwks_uri": URL + JWKS,
                "revocation_endpoint": f"{URL}/v2/oauth2/token/revoke",
            },
            self.discovery,
        )

    def _jwks(self, request: PreparedRequest) -> dict[str, Any]:
        return {"keys": [jwk_of(self.key)] if self.keys is None else self.keys}

    def _token(self, request: PreparedRequest) -> Any:
        form = dict(parse_qsl(str(request.body)))
        asked = self.codes[form["code"]]
        if self.looks_at_verifier:
            assert challenge_of(form["code_verifier"]) == asked["code_challenge"]
        first, *others = (
            entry(server, names, number)
            for number, (server, names) in enumerate(
                scopes.SIGN_IN_SCOPES_BY_SERVER.items()
            )
        )
        document = {**first, "other_tokens": others, "id_token": None}
        document["id_token"] = self.id_token(
            nonce=asked["nonce"], access_token=first["access_token"], code=form["code"]
        )
        return changed(document, self.token)

    def id_token(self, *, nonce: str, access_token: str, code: str) -> str:
        now = int(time.time())
        claims = {
            "iss": URL,
            "aud": settings.GLOBUS_CLIENT_ID,
            "sub": SUBJECT,
            "iat": now,
            "exp": now + 172_800,
            "nonce": nonce,
            "at_hash": half_hash(access_token),
            "last_authentication": now,
        }
        claims = changed(claims, self.claims)
        if self.sign is not None:
            return self.sign(claims)
        # Not by PyJWT's own ``encode``, which makes no claims of a wrong type.
        payload = json.dumps(claims).encode()
        return jwt.api_jws.encode(payload, self.key, algorithm="RS512")

    def _userinfo(self, request: PreparedRequest) -> Any:
        if not isinstance(self.userinfo, dict):
            return self.userinfo
        return changed(
            {
                "sub": SUBJECT,
                "name": "Emmy Noether",
                "preferred_username": "emmy@uni.example",
                "email": "emmy@uni.example",
                "identity_set": [],
            },
            self.userinfo,
        )


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def challenge_of(verifier: str) -> str:
    hashed = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
