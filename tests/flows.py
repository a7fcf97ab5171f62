"""What people do, step by step, as their browsers do it."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client
from globus_sdk.scopes import ScopeParser, TransferScopes

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


def button(browser: Client, page: str) -> str:
    """Presses the button that a page has for what Globus wants; the address there."""
    named = re.search(r'name="pending_action"\s+value="([^"]+)"', page)
    assert named, page
    return begin(browser, pending_action=named[1])


def scopes_asked(address: str) -> str:
    """The scope of Transfer in an authorize URL, with what is nested in it."""
    [scope] = parse_qs(urlsplit(address).query)["scope"]
    found = [str(each) for each in ScopeParser.parse(scope)]
    [transfer] = [each for each in found if each.startswith(str(TransferScopes.all))]
    return transfer


def consent(
    browser: Client, sandbox: Sandbox, page: str, username: str, **way: Any
) -> Any:
    """Does what Globus wants, and is back at the page where the request goes on."""
    address = button(browser, page)
    back = come_back(browser, sandbox.approve(address, username, **way))
    assert back.status_code == 302, back.content.decode()
    return browser.get(back["Location"])


def go_on(browser: Client, page: Any) -> Any:
    """Presses "Go on", or "Try again", as a script would and a person can."""
    text = page.content.decode()
    form = re.search(
        r'<form class="actions"\s+method="post"\s+action="([^"]+)"(.*?)</form>',
        text,
        re.DOTALL,
    )
    assert form, text
    fields = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', form[2]))
    return browser.post(html.unescape(form[1]), fields)
