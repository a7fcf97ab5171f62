"""One listing of 100 entries over TLS in a warm process (performance.md section 1)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import requests

from bench.figures import Figure, Timing, interleaved

COLLECTION = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
ROUNDS = 10


def listing() -> Iterator[Figure]:
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="cw-")))
        address = start_far_side(folder, cleanup)
        start_portal(folder, address, cleanup)
        yield from measure(address, str(folder / "trusted.pem"))


def start_far_side(folder: Path, cleanup: ExitStack) -> str:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.far_side", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    cleanup.callback(process.wait)
    cleanup.callback(process.kill)
    assert process.stdout is not None
    cleanup.enter_context(process.stdout)
    return f"https://127.0.0.1:{process.stdout.readline().strip()}/"


def start_portal(folder: Path, address: str, cleanup: ExitStack) -> None:
    """Django with a real PostgreSQL, pointed at the far side."""
    from portal.embedded import Embedded, laptop_secrets

    servers = Embedded(folder / "servers", throw_away=True)
    cleanup.callback(servers.stop)
    servers.start()
    os.environ.update(
        laptop_secrets(folder / "secrets"),
        DJANGO_SETTINGS_MODULE="portal.settings",
        PUBLIC_BASE_URL="http://localhost:8000",
        GLOBUS_CLIENT_ID=COLLECTION,
        GLOBUS_CLIENT_SECRET="for the benchmark only",
        # Each request is counted, and none has to wait for its turn.
        PORTAL_REQUESTS_PER_SECOND="1000000",
        DATABASE_URL=servers.database_url,
        REDIS_URL=servers.redis_url,
        GLOBUS_SDK_SERVICE_URL_AUTH=address,
        GLOBUS_SDK_SERVICE_URL_TRANSFER=address,
        GLOBUS_SDK_VERIFY_SSL=str(folder / "trusted.pem"),
        PORTAL_LOG_LEVEL="ERROR",
    )
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    call_command("migrate", verbosity=0)
    cleanup.callback(connections.close_all)


def measure(address: str, certificate: str) -> Iterator[Figure]:
    ours = our_way()
    kept = requests.Session()

    def connections() -> int:
        answer = kept.get(f"{address}connections", verify=certificate, timeout=10)
        return int(answer.json())

    ways = {
        "ours": ours,
        "kept session": lambda: kept_session(kept, address, certificate),
        "client per request": client_per_request,
        "DGPF's way": dgpf_way(),
        "ClientApp per operation": client_app,
    }
    for run in ways.values():
        run()
    before = connections()
    for _ in range(100):
        ours()
    opened = connections() - before

    taken = interleaved(ways, rounds=ROUNDS)
    mine = taken["ours"]
    for baseline, goal in (
        ("kept session", 1.5),
        ("client per request", 1 / 15),
        ("DGPF's way", 1 / 15),
        ("ClientApp per operation", 1 / 15),
    ):
        ratio = mine.median / taken[baseline].median
        yield _against(taken, baseline, goal, ratio, "wall")
        ratio = mine.cpu / taken[baseline].cpu
        yield _against(taken, baseline, goal, ratio, "processor")
    yield Figure(
        "new connections per 100 listings",
        str(opened),
        f"client per request 100 ({mine.median:.2f} ms each)",
        opened / 100,
        "0",
        opened == 0,
    )


def _against(
    taken: dict[str, Timing], baseline: str, goal: float, ratio: float, kind: str
) -> Figure:
    return Figure(
        f"listing of 100 entries, with session, user, token and budget, {kind}",
        str(taken["ours"]),
        f"{baseline} {taken[baseline]}",
        ratio,
        f"≤ {goal:.3g}",
        ratio <= goal,
    )


def our_way() -> Callable[[], object]:
    """What a listing page does but for its rows: session, user, token, call, parsing.

    Nothing is written down of a listing: the audit is about what was done (A05).
    """
    from accounts.clients import transfer_client
    from portal.sessions import SessionStore
    from tests.factories import make_token, make_user
    from transfers import browsing

    user = make_user()
    make_token(user, lasts=timedelta(days=1))
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session.create()
    key = session.session_key

    def run() -> object:
        opened = SessionStore(key)
        who = opened.person if opened["_auth_user_id"] else None
        assert who is not None
        return browsing.whole_folder(transfer_client(who), UUID(COLLECTION), "/run/")

    return run


def kept_session(session: requests.Session, address: str, certificate: str) -> object:
    answer = session.get(
        f"{address}v0.10/operation/endpoint/{COLLECTION}/ls",
        params={"path": "/run/"},
        headers={"Authorization": "Bearer AgBench"},
        verify=certificate,
        timeout=10,
    )
    return answer.json()


def client_per_request() -> object:
    """The way of portals that make a client, and so a connection, for each page."""
    from globus_sdk import AccessTokenAuthorizer, TransferClient

    with TransferClient(authorizer=AccessTokenAuthorizer("AgBench")) as client:
        return client.operation_ls(COLLECTION, path="/run/").data


def dgpf_way() -> Callable[[], object]:
    """As django-globus-portal-framework: the token lies in ``extra_data``, and each
    request makes its client (performance.md section 1)."""
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from globus_sdk import AccessTokenAuthorizer, TransferClient
    from social_django.models import UserSocialAuth

    from tests.factories import make_user

    user = make_user()
    held = {"resource_server": "transfer.api.globus.org", "access_token": "AgBench"}
    UserSocialAuth.objects.create(
        user=user, provider="globus", uid="bench", extra_data={"other_tokens": [held]}
    )
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session.create()
    key = session.session_key

    def run() -> object:
        opened = SessionStore(key)
        who = get_user_model().objects.get(pk=opened["_auth_user_id"])
        found = UserSocialAuth.objects.get(user=who, provider="globus").extra_data
        [token] = (each["access_token"] for each in found["other_tokens"])
        with TransferClient(authorizer=AccessTokenAuthorizer(token)) as client:
            return client.operation_ls(COLLECTION, path="/run/").data

    return run


def client_app() -> object:
    from globus_sdk import ClientApp, GlobusAppConfig, TransferClient

    app = ClientApp(
        "bench",
        client_id=COLLECTION,
        client_secret="for the benchmark only",
        config=GlobusAppConfig(token_storage="memory"),
    )
    with TransferClient(app=app) as client:
        return client.operation_ls(COLLECTION, path="/run/").data
