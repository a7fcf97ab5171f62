"""Batch files: what the CLI reads, we read, and what is wrong is said with its line."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers import batch
from transfers.batch import Line


def test_the_cli_documentations_own_example():
    text = (
        "godata/file1.txt myfile1.txt\n"
        "godata mygodatadir -r\n"
        "--recursive godata mygodatadir2\n"
        "\n"
        "# a comment\n"
        '"with blanks/a b.txt" ~/x.txt  # and one behind\n'
        "--external-checksum 0cc175b9c0f1b6a831c399e269772661 a b\n"
    )
    read = batch.parse(text)
    assert read.problems == ()
    assert read.lines == (
        Line("godata/file1.txt", "myfile1.txt"),
        Line("godata", "mygodatadir", True),
        Line("godata", "mygodatadir2", True),
        Line("with blanks/a b.txt", "~/x.txt"),
        Line("a", "b", None, "0cc175b9c0f1b6a831c399e269772661"),
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("only-one", "Only one path"),
        ("-r", "no path"),
        ("a b c", "3 paths stand here"),
        ('"a b', "not closed"),
        ("a it's", "not closed"),
        ("--frobnicate a b", "“--frobnicate” is not an option"),
        ("a ../b", "“..” is not allowed"),
        ("'' b", "A path is empty"),
        ("-r --external-checksum abc a b", "A folder has no checksum"),
        ("a b --external-checksum", "stands a checksum"),
        ("a b\x07", "control character"),
    ],
)
def test_a_bad_line_says_where_and_what_and_the_others_stay(line, words):
    read = batch.parse(f"good one\n\n{line}\n-r also good\n")
    assert [each.number for each in read.problems] == [3]
    assert words in str(read.problems[0])
    assert str(read.problems[0]).startswith("Line 3: ")
    assert read.lines == (Line("good", "one"), Line("also", "good", True))


def test_too_many_lines_are_not_cut_off_in_silence(monkeypatch):
    monkeypatch.setattr(batch, "MOST_LINES", 2)
    read = batch.parse("a b\nc d\ne f\n")
    assert len(read.lines) == 2
    assert "at most 2 lines" in str(read.problems[0])


def test_many_problems_are_counted():
    said = batch.problems_in_words(batch.parse("x\n" * 30).problems)
    assert len(said) == batch.MOST_PROBLEMS + 1
    assert said[-1] == "10 more lines cannot be used."


@pytest.mark.parametrize(
    ("folder", "path", "found"),
    [
        ("/data/", "a/b.txt", "/data/a/b.txt"),
        ("/data", "b/", "/data/b/"),
        ("/data/", "/else/where", "/else/where"),
        ("/data/", "~/x", "/~/x"),
    ],
)
def test_a_path_lies_below_the_folder_beside_the_batch(folder, path, found):
    assert batch.below(folder, path) == found


NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="/"),
    min_size=1,
    max_size=20,
).filter(lambda name: name not in (".", "..", "~"))


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from([None, True, False]))))
def test_what_is_written_is_read_back(rows):
    lines = [Line(a, b, recursive) for a, b, recursive in rows]
    read = batch.parse(batch.written(line.as_json() for line in lines))
    assert read.problems == ()
    assert list(read.lines) == lines


@given(st.text())
def test_no_text_is_a_surprise(text):
    read = batch.parse(text)
    for line in read.lines:
        assert shlex.join([line.source_path, line.destination_path])
