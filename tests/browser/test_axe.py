"""axe-core finds nothing on the administration, in either colour scheme (WCAG 2.2 AA).

``test_every_page`` and ``test_pages_of_work`` let it look at all other pages.
"""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT

from tests.browser.admin_pages import admin_pages
from tests.browser.site import settled

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
#: Not ``Axe().run()``: that sends half a megabyte of script each time, and brings back
#: all that is well; both take four times as long as the look itself.
VIOLATIONS = """async (rules) => {
  const { violations } = await axe.run(document, rules);
  return violations.map(({ id, nodes }) => ({ id, nodes: nodes.slice(0, 3) }));
}"""


def problems(page):
    """``rule: the first elements that break it``, a line each."""
    settled(page)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(VIOLATIONS, RULES)
    return [
        f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found
    ]


def problems_on(page, site, places):
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for place in places:
            page.goto(site.url + place)
            if broken := problems(page):
                found[place, scheme] = broken
    return found


def test_axe_finds_nothing_in_the_administration(page_of, site):
    # On these pages axe's own measurements need styles that the policy refuses; that
    # the pages themselves do not is seen in test_browser.
    page = page_of("root", bypass_csp=True)
    assert problems_on(page, site, admin_pages(page, site).values()) == {}


def test_axe_finds_nothing_where_administrators_sign_in(open_page, site):
    assert problems_on(open_page(), site, ["/admin/login/"]) == {}
