"""A renewal is killed at each of its steps, again and again (security.md T08)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure
from bench.portal import portal

if TYPE_CHECKING:
    from tests.accounts.killing import Left
    from tests.stack import Stack

ROUNDS = 6


def renewal() -> Iterator[Figure]:
    with portal() as stack:
        from tests.accounts.dying import STEPS

        for rotating in (False, True):
            for step in STEPS:
                yield killed_at(stack, step, rotating=rotating)


def killed_at(stack: Stack, step: str, *, rotating: bool) -> Figure:
    ours = Counter(by_vault(stack, step, rotating=rotating) for _ in range(ROUNDS))
    theirs = Counter(by_library(stack, step, rotating=rotating) for _ in range(ROUNDS))
    lost = sum(count for what, count in ours.items() if what == "lost")
    rotation = "on" if rotating else "off"
    return Figure(
        f"renewal killed {step}, rotation {rotation}",
        _counts(ours),
        f"the SDK's authorizer and JSON storage: {_counts(theirs)}",
        lost / ROUNDS,
        "0 lost",
        lost == 0,
    )


def _counts(left: Counter[Left]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(left.items()))


def by_vault(stack: Stack, step: str, *, rotating: bool) -> Left:
    from django.test import Client

    from tests.accounts import killing
    from tests.flows import person, sign_in

    sandbox = stack.sandbox
    sandbox.reset()
    answer = sign_in(Client(SERVER_NAME="localhost"), sandbox, "ada")
    assert answer.status_code == 302, answer
    ada = person("ada")
    sandbox.set(rotate_refresh_tokens=rotating)
    killing.expire(ada)
    before = len(sandbox.requests(killing.TOKEN_ROUTE))
    killing.kill(step, "vault", str(ada.pk), stack.environment)
    killing.wait_for_auth(sandbox, step, before=before)
    return killing.after_vault(ada)


def by_library(stack: Stack, step: str, *, rotating: bool) -> Left:
    from globus_sdk.token_storage import JSONTokenStorage

    from tests.accounts import killing

    sandbox = stack.sandbox
    sandbox.reset()
    path = Path(stack.folder) / "library.json"
    path.unlink(missing_ok=True)
    JSONTokenStorage(path).store_token_response(signed_in_by_library(stack))
    sandbox.set(rotate_refresh_tokens=rotating)
    before = len(sandbox.requests(killing.TOKEN_ROUTE))
    killing.kill(step, "library", str(path), stack.environment)
    killing.wait_for_auth(sandbox, step, before=before)
    return killing.after_library(path)


def signed_in_by_library(stack: Stack):  # type: ignore[no-untyped-def]  # the SDK's own answer
    """Tokens for Transfer as a script gets them, with the plain SDK."""
    from globus_sdk import ConfidentialAppAuthClient
    from globus_sdk.scopes import TransferScopes

    from sandbox import seed

    client = ConfidentialAppAuthClient(seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET)
    client.oauth2_start_flow(
        seed.PORTAL_REDIRECT_URI, TransferScopes.all, refresh_tokens=True
    )
    code = stack.sandbox.code(client.oauth2_get_authorize_url(), "ada")
    return client.oauth2_exchange_code_for_tokens(code)
