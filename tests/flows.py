"""What people do, step by step, as their browsers do it."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from accounts.models import User
from sandbox import seed
from sandbox.testing import Sandbox

REFRESH = re.compile(r'<meta http-equiv="refresh" content="0; ?url=([^"]+)"')


def person(username: str) -> User:
    return User.objects.get(identity_id=getattr(seed, f"{username.upper()}_ID"))


def begin(browser: Client, **form: Any) -> str:
    """Presses the button; the address at Globus that the page leads to."""
    return address_in(browser.post("/login/globus/", form))


def address_in(answer: Any) -> str:
    """Where the page on the way leads."""
    assert answer.status_code == 200, answer.content.decode()
    match = REFRESH.search(answer.content.decode())
    assert match, answer.content.decode()
    return html.unescape(match[1])


def come_back(browser: Client, address: str) -> Any:
    """Follows Globus's redirect to the portal."""
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}")


def sign_in(
    browser: Client, sandbox: Sandbox, username: str, *, allow: bool = True, **form: Any
) -> Any:
    address = begin(browser, **form)
    return come_back(browser, sandbox.approve(address, username, allow=allow))
