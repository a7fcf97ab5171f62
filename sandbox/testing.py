"""A running sandbox for tests, and its knobs, one line each.

Needs ``requests`` and nothing of the sandbox's own settings::

    sandbox = Sandbox.start(tmp_path)
    sandbox.set(rotate_refresh_tokens=True)
    sandbox.fault("/task_list", status=503, retry_after=0, times=2)
    location = sandbox.approve(authorize_url, "ada")
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 30


class SandboxError(Exception):
    """The sandbox did not start, or refused what a test asked of it."""


class Sandbox:
    """One sandbox, in a process of its own."""

    def __init__(
        self, process: subprocess.Popen[str], environment: dict[str, str]
    ) -> None:
        self._process = process
        self._control = requests.Session()
        self._control.trust_env = False  # a proxy of the machine is not asked
        self.environment = environment
        self.trusted: str | bool = environment.get("GLOBUS_SDK_VERIFY_SSL", True)
        self._control.verify = self.trusted
        self.url = environment["GLOBUS_SDK_SERVICE_URL_AUTH"].removesuffix("/auth/")

    @classmethod
    def start(
        cls,
        data: Path,
        *,
        port: int = 0,
        seed: str = "demo",
        tls: bool = False,
        redirect_uris: Iterable[str] = (),
        program: Sequence[str] = (sys.executable, "-m", "sandbox"),
    ) -> "Sandbox":
        """Start one and wait until it answers. It ends with this process, however
        this process ends.

        :param port: 0 takes any free one
        :param tls: with a certificate authority of its own; ``environment`` has the
            GLOBUS_SDK_VERIFY_SSL that trusts it
        :param program: what starts a sandbox, its options excepted
        :raises SandboxError: it did not start; its own words are the message
        """
        command = [*program, "--port", str(port), "--stop-with-parent"]
        command += ["--data", str(data), "--seed", seed]
        command += ["--tls"] if tls else []
        for uri in redirect_uris:
            command += ["--redirect-uri", uri]
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,  # its end tells the sandbox that we are gone
            stdout=subprocess.PIPE,
            stderr=None if port == 0 else subprocess.PIPE,
            text=True,
        )
        environment = _exports(process)
        if not environment:
            words, errors = process.communicate()
            raise SandboxError((errors or words or "See what it printed.").strip())
        sandbox = cls(process, environment)
        try:
            sandbox._wait_until_it_answers()
        except SandboxError:
            sandbox.stop()
            raise
        return sandbox

    def _wait_until_it_answers(self) -> None:
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit:
            try:
                self._control.get(f"{self.url}/_sandbox/health", timeout=START_SECONDS)
            except requests.ConnectionError:
                if self._process.poll() is not None:
                    break
            else:
                return
        raise SandboxError("The sandbox does not answer")

    def stop(self) -> None:
        """End it; returns when its process is gone."""
        self._control.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        process = self._process
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    # --- knobs

    def set(self, **knobs: Any) -> dict[str, Any]:
        """Turn knobs, e.g. ``access_token_seconds=60``; returns all of them."""
        return self._post("knobs", knobs)

    def knobs(self) -> dict[str, Any]:
        return self._ask("GET", "knobs")

    def reset(self) -> None:
        """Seeded state again: rows, files, knobs, clock, faults, log."""
        self._post("reset", {})

    def now(self) -> float:
        """What the virtual clock shows, in seconds since 1970."""
        return float(self._ask("GET", "clock")["now"])

    def advance(self, seconds: float) -> None:
        """Move the virtual clock on."""
        self._post("clock", {"advance": seconds})

    def set_clock(self, moment: float | str) -> None:
        """Let the virtual clock show a moment: seconds since 1970, or ISO 8601."""
        self._post("clock", {"set": moment})

    def speed(self, factor: float) -> None:
        """Let the virtual clock run faster, or stand still with 0."""
        self._post("clock", {"speed": factor})

    def requests(self, path: str = "") -> list[dict[str, Any]]:
        """Requests received: method, path, query, status, at, seconds.

        :param path: the end of a path, may hold ``*``; the empty one is all
        """
        answer = self._ask("GET", "requests", params={"path": path})
        logged: list[dict[str, Any]] = answer["requests"]
        return logged

    def under_way(self) -> int:
        """How many requests are held up or handled just now."""
        return int(self._ask("GET", "requests", params={"path": "none"})["under_way"])

    def forget_requests(self) -> None:
        self._ask("DELETE", "requests", json={})

    def fault(
        self,
        route: str,
        *,
        method: str = "*",
        status: int | None = None,
        body: dict[str, Any] | str | None = None,
        retry_after: int | None = None,
        reset: bool | str = False,
        drip_seconds: float = 0.0,
        cut_after: int | None = None,
        times: int | None = None,
        skip: int = 0,
    ) -> None:
        """Let requests of a route fail.

        :param route: the end of a path, may hold ``*``: ``/endpoint/*/ls``
        :param reset: True or ``"before"`` resets the connection instead of
            handling the request, ``"after"`` handles it and loses the answer
        :param times: how many requests; None is all until ``clear_faults``
        :param skip: so many requests pass first
        """
        when = ("before" if reset else "") if isinstance(reset, bool) else reset
        self._post(
            "faults",
            {
                "route": route,
                "method": method,
                "status": status,
                "body": body,
                "retry_after": retry_after,
                "reset": when,
                "drip_seconds": drip_seconds,
                "cut_after": cut_after,
                "times": times,
                "skip": skip,
            },
        )

    def latency(self, route: str, seconds: float) -> None:
        """Answer requests of a route this much later."""
        self._post("latency", {"route": route, "seconds": seconds})

    def clear_faults(self) -> None:
        """No faults and no latency any more."""
        self._ask("DELETE", "faults", json={})

    def wipe_tokens(self, **which: str) -> int:
        """Delete tokens; ``kind=…`` and ``resource_server=…`` narrow it down."""
        return int(self._ask("DELETE", "tokens", json=which)["deleted"])

    def expire_access_tokens(self) -> None:
        """Let every access token expire at once; refresh tokens stay."""
        self._post("tokens", {"expire": "access"})

    def forge_id_token(self, way: str) -> None:
        """Make id tokens wrong from now on: iss, aud, nonce, at_hash, expired,
        future_iat, signature, missing; ``""`` makes them right again."""
        self.set(forge_id_token=way)

    def withdraw_consents(self, **which: str) -> int:
        """Take back consents of ``username``, ``client_id``, ``scope_name``."""
        return int(self._ask("DELETE", "consents", json=which)["deleted"])

    def register_redirect_uri(self, uri: str, client_id: str | None = None) -> None:
        """Let a client (the seeded portal by default) use one more redirect URI."""
        wish = {"redirect_uri": uri}
        self._post(
            "redirect-uris", wish | ({"client_id": client_id} if client_id else {})
        )

    def generate(
        self,
        collection: str,
        path: str,
        count: int,
        size: int = 0,
        *,
        levels: int = 0,
        directories: int = 0,
    ) -> int:
        """Make a directory with ``count`` files; returns how many there are in all.

        :param levels: a tree of so many levels, of ``directories`` each; its files
            come into being when they are touched, so a million costs nothing
        """
        wish = {"collection": collection, "path": path, "count": count, "size": size}
        tree = {"levels": levels, "directories": directories}
        return int(self._post("generate", wish | tree)["made"])

    def pause(
        self,
        collection: str,
        message: str = "",
        *,
        pauses: Iterable[str] | None = None,
        identity_id: str = "",
    ) -> str:
        """Put a pause rule on a collection; returns its id.

        :param pauses: ``ls``, ``mkdir``, ``task_transfer_read``, …; None is all
        :param identity_id: whom it holds; "" is everybody
        """
        wish: dict[str, Any] = {
            "collection": collection,
            "message": message,
            "identity_id": identity_id,
        }
        if pauses is not None:
            wish["pauses"] = list(pauses)
        return str(self._post("pause-rules", wish)["id"])

    def resume(self, rule_id: str | None = None) -> None:
        """Take a pause rule away, or all."""
        self._ask("DELETE", "pause-rules", json={"id": rule_id} if rule_id else {})

    def collection(self, collection_id: str, **knobs: Any) -> None:
        """Change a collection: ``connected=False``, ``denied_paths=[…]``, …"""
        self._post(f"collections/{collection_id}", knobs)

    def policy(
        self,
        policy_id: str,
        *,
        domains: Iterable[str] = (),
        timeout_seconds: int | None = None,
        required_mfa: bool = False,
    ) -> None:
        """Make an authentication policy that sign-ins can be asked to satisfy."""
        wish = {
            "domains": list(domains),
            "timeout_seconds": timeout_seconds,
            "required_mfa": required_mfa,
        }
        self._post(f"policies/{policy_id}", wish)

    def rotate_key(self) -> None:
        """Replace the key that signs id tokens."""
        self._post("keys", {})

    # --- a person at the sign-in page

    def approve(
        self,
        authorize_url: str,
        username: str,
        *,
        allow: bool = True,
        mfa: bool = False,
    ) -> str:
        """Answer the authorize page as ``username``; returns where it redirects.

        :param username: ``ada``, ``ada@university.example``, …
        :param mfa: sign in with a second factor
        :raises SandboxError: there is a page instead of a question, with its text
        """
        with requests.Session() as browser:
            browser.trust_env = False
            browser.verify = self.trusted
            return answer_authorize_page(
                browser, authorize_url, username, allow=allow, mfa=mfa
            )

    def code(self, authorize_url: str, username: str) -> str:
        """The authorization code that ``username`` gets at the authorize page."""
        location = self.approve(authorize_url, username)
        return parse_qs(urlsplit(location).query)["code"][0]

    def _post(self, what: str, document: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", what, json=document)

    def _ask(self, method: str, what: str, **options: Any) -> dict[str, Any]:
        answer = self._control.request(
            method, f"{self.url}/_sandbox/{what}", timeout=60, **options
        )
        document: dict[str, Any] = answer.json()
        if not answer.ok:
            raise SandboxError(document.get("error", answer.text))
        return document


def answer_authorize_page(
    browser: requests.Session,
    authorize_url: str,
    username: str,
    *,
    allow: bool = True,
    mfa: bool = False,
) -> str:
    """Answer the authorize page in ``browser``, which keeps its Auth session.

    :param mfa: sign in with a second factor
    :raises SandboxError: the page asks nothing, or not for this person, or asks on
    """
    shown = browser.get(authorize_url, allow_redirects=False, timeout=30)
    if shown.is_redirect:
        return shown.headers["Location"]
    page = _Page()
    page.feed(shown.text)
    if not page.people:
        raise SandboxError(f"{shown.status_code}: {' '.join(page.text)}")
    identity = page.identity_of(username)
    answer = browser.post(
        urljoin(authorize_url, shown.url),
        data={
            "identity": identity,
            "decision": "allow" if allow else "deny",
            "began": page.began,
            **({"mfa": "on"} if mfa else {}),
        },
        allow_redirects=False,
        timeout=30,
    )
    if not answer.is_redirect:
        again = _Page()
        again.feed(answer.text)
        raise SandboxError(f"{answer.status_code}: {' '.join(again.text)}")
    return answer.headers["Location"]


class _Page(HTMLParser):
    """Reads the people that the authorize page offers, as a person would."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, str] = {}
        self.text: list[str] = []
        self.began = ""
        self._value = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name") == "identity":
            self._value = given.get("value") or ""
        if tag == "input" and given.get("name") == "began":
            self.began = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        words = data.strip()
        if words:
            self.text.append(words)
        if self._value and "@" in words:
            self.people[words.split(",")[0]] = self._value
            self._value = ""

    def identity_of(self, username: str) -> str:
        for known, identity in self.people.items():
            if known == username or known.partition("@")[0] == username:
                return identity
        raise SandboxError(f"The page does not offer {username}: {[*self.people]}")


def _exports(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the export lines that a sandbox prints first, up to the last of them."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        words = shlex.split(line)
        if len(words) == 2 and words[0] == "export":
            name, _, value = words[1].partition("=")
            found[name] = value
        if "NO_PROXY" in found:
            return found
    return {}


def client_environment(sandbox: Sandbox) -> dict[str, str]:
    """This process's environment without its Globus variables, and the sandbox's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GLOBUS_")
    }
    return {**kept, **sandbox.environment}
