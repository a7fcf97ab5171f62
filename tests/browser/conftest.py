"""A site and a browser for the tests of a module; they end with it.

While Playwright runs, its event loop would make Django refuse database calls in the
tests of other modules.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.site import running_browser, running_site, sign_in

#: only what never comes is waited for so long
LIMIT_MS = 60_000
expect.set_options(timeout=LIMIT_MS)


@pytest.fixture(scope="module")
def site():
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    with running_browser() as browser:
        yield browser


@pytest.fixture
def open_page(chromium):
    """``open_page(color_scheme="dark", …)``: a page that must not misbehave.

    No dialog may open, and the content policy may never have to step in.
    """
    contexts, bad = [], []

    def opened(**options):
        context = chromium.new_context(
            **{"viewport": {"width": 1280, "height": 800}} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.on("dialog", lambda dialog: (bad.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: bad.append(str(error)))
        page.on(
            "console",
            lambda message: (
                bad.append(message.text) if "Content Security" in message.text else None
            ),
        )
        return page

    yield opened
    for context in contexts:
        context.close()
    assert bad == []


@pytest.fixture
def page_of(open_page, site):
    """``page_of("ada", …)``: a page in which she is signed in."""
    site.sandbox.reset()

    def signed_in(username, **options):
        page = open_page(**options)
        sign_in(page, site, username)
        return page

    return signed_in
