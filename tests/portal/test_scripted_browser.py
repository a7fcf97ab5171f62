from urllib.parse import parse_qs

import pytest
import responses

from portal.scripted_browser import NotOnPage, ScriptedBrowser

HOME = "http://portal.test/"

FORM = """
<form action="/send/" method="post">
  <input type="hidden" name="csrf" value="token">
  <input type="hidden" name="item" value="/one">
  <input type="hidden" name="item" value="/two">
  <input name="label">
  <input type="checkbox" name="name" value="a.txt">
  <input type="checkbox" name="name" value="b.txt">
  <input type="checkbox" name="verify" checked>
  <input type="radio" name="sync" value="0" checked>
  <input type="radio" name="sync" value="3">
  <select name="depth"><option value="1">One<option value="2" selected>Two</select>
  <textarea name="note">as it was</textarea>
  <button name="decision" value="allow">Send</button>
</form>
"""


@pytest.fixture
def web():
    with responses.RequestsMock() as web:
        yield web


def test_a_form_sends_what_a_browser_would(web):
    web.get(HOME, FORM)
    web.post(f"{HOME}send/", "<p>Sent.</p>")
    browser = ScriptedBrowser()
    page = browser.visit(HOME)
    form = page.form_to("/send/").filled(
        label="mine", name=["a.txt", "b.txt"], sync="3", decision="allow"
    )

    assert browser.submit(page, form).text == "Sent."

    assert parse_qs(web.calls[-1].request.body) == {
        "csrf": ["token"],
        "item": ["/one", "/two"],
        "label": ["mine"],
        "name": ["a.txt", "b.txt"],
        "verify": ["on"],
        "sync": ["3"],
        "depth": ["2"],
        "note": ["as it was"],
        "decision": ["allow"],
    }


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"title": "x"}, "no field title"),
        ({"name": "c.txt"}, "does not offer name = c.txt"),
        ({"decision": "deny"}, "does not offer decision = deny"),
    ],
)
def test_a_person_cannot_fill_in_what_is_not_there(web, values, reason):
    web.get(HOME, FORM)
    form = ScriptedBrowser().visit(HOME).form_to("/send/")

    with pytest.raises(NotOnPage, match=reason):
        form.filled(**values)


def test_a_form_without_a_target_goes_to_its_own_page(web):
    web.get(f"{HOME}ask?a=1", '<form method="post"></form>')
    web.post(f"{HOME}ask?a=1", "asked")
    browser = ScriptedBrowser()
    page = browser.visit(f"{HOME}ask?a=1")

    assert browser.submit(page, page.form_to("/ask")).text == "asked"


def test_a_page_that_moves_on_is_followed(web):
    web.get(HOME, '<meta http-equiv="refresh" content="0; url=/next?a=1&amp;b=2">')
    web.get(f"{HOME}next?a=1&b=2", "here")

    assert ScriptedBrowser().visit(HOME).text == "here"


def test_a_page_that_only_loads_itself_anew_is_where_we_are(web):
    web.get(HOME, '<meta http-equiv="refresh" content="2">watching')

    assert ScriptedBrowser().visit(HOME).text == "watching"


def test_pages_that_move_on_for_ever_are_given_up(web):
    web.get(HOME, f'<meta http-equiv="refresh" content="0; url={HOME}b">')
    web.get(f"{HOME}b", f'<meta http-equiv="refresh" content="0; url={HOME}">')

    with pytest.raises(NotOnPage, match="on and on"):
        ScriptedBrowser().visit(HOME)


def test_an_error_page_shows_nothing_that_was_expected(web):
    web.get(HOME, "<title>Not here</title><h1>File a.txt is gone</h1>", status=404)
    page = ScriptedBrowser().visit(HOME)

    assert page.title == "Not here"
    with pytest.raises(NotOnPage, match="answered 404"):
        page.expect("a.txt")
