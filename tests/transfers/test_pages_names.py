"""Names that others chose do nothing on a page (security.md W01, W02)."""

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.templatetags.names import inert, inert_text

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</script><script>alert(1)</script>",
    "{{7*7}}",
    "a\r\nSet-Cookie: x",
    "invoice\u202efdp.exe",
    "nul\x00byte",
    "lone\ud800surrogate",
    "x" * 4096,
)


def shown_text(markup):
    """What a person reads: the markup without tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize("name", HOSTILE)
def test_w02_a_hostile_name_is_only_shown(name):
    markup = str(inert(name))
    tags = set(re.findall(r"<\s*/?\s*([a-z]+)", markup))
    assert tags <= {"bdi", "span"}
    markup.encode()
    for character in shown_text(markup):
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_w02_marks_name_the_character():
    assert "U+202E" in inert("a\u202eb")
    assert "U+000A" in inert("a\nb")
    assert "\ufffd" in inert("a\ud800b")


def test_w02_a_long_name_is_cut_and_whole_in_its_title():
    markup = inert("y" * 300)
    assert shown_text(markup) == "y" * 255 + "…"
    assert f'title="{"y" * 300}"' in markup


def test_joiners_of_scripts_and_emoji_stay():
    assert inert_text("👩\u200d🔬 می\u200cخواهم") == "👩\u200d🔬 می\u200cخواهم"


@given(st.text(max_size=300))
def test_plain_names_are_shown_as_they_are(name):
    printable = "".join(each for each in name if each.isprintable())[:255]
    assert shown_text(inert(printable)) == inert_text(printable)


@given(st.text(st.characters(codec=None), max_size=300))
def test_w01_no_name_brings_a_tag(name):
    assert set(re.findall(r"<\s*/?\s*([a-zA-Z]+)", inert(name))) <= {"bdi", "span"}
