"""What a file is taken for, and what is shown of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers import previews
from transfers.previews import Kind, decoded, marked, preview


def shown(raw, name="x", *, is_cut=False):
    return preview(raw, name, is_cut=is_cut)


@pytest.mark.parametrize(
    ("raw", "encoding", "text"),
    [
        ("grün".encode(), "UTF-8", "grün"),
        ("grün".encode("utf-8-sig"), "UTF-8", "grün"),
        ("grün".encode("utf-16"), "UTF-16", "grün"),
        ("grün".encode("utf-32"), "UTF-32", "grün"),
        ("grün".encode("cp1252"), "Windows-1252", "grün"),
    ],
)
def test_encodings(raw, encoding, text):
    found = shown(raw)
    assert (found.kind, found.encoding, found.text) == (Kind.TEXT, encoding, text)
    assert found.is_guess == (encoding == "Windows-1252")


def test_a_character_that_was_cut_in_half_does_not_change_the_encoding():
    raw = ("ü" * 100).encode()[:-1]
    assert shown(raw, is_cut=True).encoding == "UTF-8"
    assert shown(raw, is_cut=False).encoding == "Windows-1252"


@pytest.mark.parametrize("raw", [bytes(100), b"\x7fELF\0", bytes(range(1, 32)) * 9])
def test_what_is_no_text_is_not_shown_as_any(raw):
    assert shown(raw).kind == Kind.OTHER


def test_what_is_unseen_or_turns_text_around_is_marked():
    text = "a\u202eb\u200bc\x1b[0m\r\nd\te\U000e0041"
    assert marked(text) == "a[U+202E]b[U+200B]c[U+001B][0m\nd\te[U+E0041]"


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "a;b\n1;2\n", "a\tb\n1\t2\n"])
def test_tables(text):
    found = shown(text.encode(), "Data.CSV")
    assert (found.head, found.rows) == (("a", "b"), (("1", "2"),))
    assert shown(text.encode(), "data.txt").kind == Kind.TEXT


def test_a_table_is_cut_in_all_directions():
    wide = ",".join(f"c{each}" for each in range(60))
    raw = "\n".join([wide] * 300 + ["x" * 1000]).encode()
    found = shown(raw, "x.csv")
    assert (len(found.head), len(found.rows)) == (50, 200)
    assert (found.columns_left_out, found.is_cut) == (10, True)
    assert shown(b"a\n" + b"y" * 500, "x.csv").rows[0][0] == "y" * 200 + "…"


def test_half_a_line_at_the_end_of_a_part_is_left_out():
    assert shown(b"a,b\n1,2\n3,", "x.csv", is_cut=True).rows == (("1", "2"),)


def test_rows_of_different_lengths_have_all_their_cells():
    assert shown(b"a,b,c\n1\n", "x.csv").rows == (("1", "", ""),)


def test_a_cell_longer_than_any_is_text():
    assert shown(b"a\n" + b"y" * 200_000, "x.csv").kind == Kind.TEXT


@given(st.binary(max_size=300), st.booleans(), st.sampled_from(["x", "x.csv", "x.tsv"]))
def test_any_bytes_are_something(raw, is_cut, name):
    found = shown(raw, name, is_cut=is_cut)
    assert found.kind in Kind
    assert "\u202e" not in found.text


@given(st.text(max_size=200))
def test_utf_8_is_read_back(text):
    raw = text.encode()
    read = decoded(raw, is_cut=False)
    if read is not None and raw[:3] != b"\xef\xbb\xbf" and read[1] == "UTF-8":
        assert read[0] == text


def test_the_date_of_a_server():
    assert previews.moment_of("Thu, 01 Jan 2026 12:00:00 GMT").year == 2026
    assert previews.moment_of("yesterday") is None
