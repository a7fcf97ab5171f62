"""Sign-in and step-up in a real browser, over TLS, as on a real site.

The ids name security.md's sections 2 and 3.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from sandbox import seed
from tests.browser.site import allow, running_browser, sign_in
from tests.browser.tls import running_campus, running_tls_site, trusting

CLINIC = f"/files/?origin_id={seed.CLINICAL}&origin_path=/"


@pytest.fixture(scope="module")
def site():
    with running_tls_site() as running:
        yield running


@pytest.fixture(scope="module")
def chromium(site):
    with running_browser(trusting(site.files)) as browser:
        yield browser


@pytest.fixture(autouse=True)
def seeded_state(site):
    site.sandbox.reset()


def cookies_of(page):
    return {each["name"]: each for each in page.context.cookies()}


def test_s02_s03_the_cookies_of_a_sign_in_over_tls(open_page, site):
    page = open_page()
    page.goto(f"{site.url}/login/")
    before = cookies_of(page)
    sign_in(page, site, "ada")

    assert page.url == f"{site.url}/"
    cookies = {
        name: each
        for name, each in cookies_of(page).items()
        if each["domain"].strip(".") == "localhost"
    }
    assert set(cookies) == {"__Host-sessionid", "__Host-csrftoken", "__Host-person"}
    for cookie in cookies.values():
        # A leading dot would tell of a Domain attribute.
        assert (cookie["domain"], cookie["path"]) == ("localhost", "/")
        assert cookie["secure"]
        assert cookie["httpOnly"]
    assert cookies["__Host-sessionid"]["sameSite"] == "Lax"
    assert cookies["__Host-csrftoken"]["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""
    if "__Host-sessionid" in before:
        old = before["__Host-sessionid"]["value"]
        assert cookies["__Host-sessionid"]["value"] != old, "S04"


def test_s02_the_session_that_comes_back_is_the_one_that_left(open_page, site):
    """Lax and not Strict: the person arrives from another site."""
    page = open_page()
    page.goto(f"{site.url}/account/")
    sign_in(page, site, "ada", start="")
    assert page.url == f"{site.url}/account/"
    assert seed.ADA in page.locator("main").inner_text()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_l17_a_step_up_over_tls(open_page, site, script):
    page = open_page(java_script_enabled=script)
    sign_in(page, site, "ada")
    old = cookies_of(page)["__Host-sessionid"]["value"]
    site.sandbox.advance(3_600)
    page.goto(site.url + CLINIC)
    page.get_by_text("asks for an identity of a certain organisation").wait_for()
    page.get_by_role("button", name="Sign in with Globus").click()
    allow(page, site)
    page.wait_for_url(re.compile(r".*/files/\?origin_id=.*"))
    page.locator("#origin .c-name").first.wait_for()
    assert cookies_of(page)["__Host-sessionid"]["value"] != old, "S04"


def bounces(page, site, campus):
    """Globus passes people on to their institution, on a host unknown to us."""

    def answer(route):
        if "&campus=done" in route.request.url:
            return route.continue_()
        back = f"{route.request.url}&campus=done"
        away = f"{campus.url}/idp/?{urlencode({'back': back})}"
        return route.fulfill(status=302, headers={"Location": away})

    page.route(f"{site.sandbox.url}/auth/v2/oauth2/authorize?**", answer)


def test_s07_a_third_host_on_the_way(open_page, site):
    page = open_page()
    with running_campus(site.files) as campus:
        bounces(page, site, campus)
        sign_in(page, site, "ada")
        assert page.url == f"{site.url}/"
        assert campus.seen == ["/idp/"]


def test_s07_a_redirect_in_place_of_the_page_would_be_blocked(chromium, site):
    """What the page on the way is for; Chromium may change its mind one day."""
    context = chromium.new_context()
    page = context.new_page()
    away = f"{site.sandbox.url}/auth/v2/oauth2/authorize"
    page.route(
        f"{site.url}/login/globus/",
        lambda route: route.fulfill(status=302, headers={"Location": away}),
    )
    page.goto(f"{site.url}/login/")
    with page.expect_console_message(lambda said: "form-action" in said.text):
        page.get_by_role("button", name="Sign in with Globus").click()
    assert page.url == f"{site.url}/login/"
    context.close()


def test_s08_the_headers_over_tls(open_page, site):
    page = open_page()
    answer = page.goto(f"{site.url}/login/")
    year = "max-age=31536000; includeSubDomains"
    assert answer.headers["strict-transport-security"] == year
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
