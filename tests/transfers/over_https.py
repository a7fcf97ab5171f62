"""A person who has allowed the portal to use a collection's own server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from sandbox import seed
from tests.flows import consent

NOTES = "/home/ada/notes.txt"
NOTES_CONTENT = b"Ask Grace about the reads.\n"


def address(what: str, path: str, collection: str = seed.RESEARCH, **query: str) -> str:
    return f"/collections/{collection}/{what}/?{urlencode({'path': path, **query})}"


def allowed(browser: Any, sandbox: Any, collection: str = seed.RESEARCH) -> Any:
    """Goes through the consents that the first download asks for."""
    answer = browser.get(address("upload", "/", collection))
    answer = consented(browser, sandbox, answer)
    assert answer.status_code == 200, answer.content.decode()
    return browser


def consented(browser: Any, sandbox: Any, page: Any) -> Any:
    """Gives the consent that a page asks for; what the request then brought."""
    assert page.status_code == 403, page.content.decode()
    answer = consent(browser, sandbox, page.content.decode(), "ada")
    return browser.get(answer["Location"]) if answer.status_code == 302 else answer


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)
