"""Paths: what is refused and why, and what always holds for the others (W03)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.paths import (
    BadPath,
    is_within,
    join,
    name_of,
    normalised,
    parent,
    parents,
)

NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"),
    min_size=1,
    max_size=20,
).filter(lambda name: name not in (".", ".."))
PATHS = st.builds(
    lambda root, names, end: root + "/".join(names) + (end if names else ""),
    st.sampled_from(["/", "/~/"]),
    st.lists(NAMES, max_size=6),
    st.sampled_from(["", "/"]),
)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("/", "/"),
        ("~", "/~/"),
        ("/~", "/~/"),
        ("~/data", "/~/data"),
        ("/a//b/./c", "/a/b/c"),
        ("/a/b/.", "/a/b/"),
        ("/a/b/", "/a/b/"),
        ("/ two  blanks ", "/ two  blanks "),
        ("/%2e%2e/a", "/%2e%2e/a"),
        ("/e\u0301", "/e\u0301"),
    ],
)
def test_a_path_is_kept_as_it_was_meant(written, kept):
    assert normalised(written) == kept


def test_a_folder_ends_in_a_slash():
    assert normalised("/a/b", folder=True) == "/a/b/"
    assert normalised("/", folder=True) == "/"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "Enter a path"),
        ("data", "Start the path with /"),
        ("~ada/data", "Start the path with /"),
        ("/a/../b", "not allowed"),
        ("/..", "not allowed"),
        ("/a\0b", "control character"),
        ("/a\nb", "line break"),
        ("/a\x85b", "control character"),
        ("/a\ud800b", "not valid text"),
        ("/" + "a" * 4096, "longer than 4096 bytes"),
        ("/" + "ü" * 2048, "longer than 4096 bytes"),
    ],
)
def test_a_bad_path_says_why(written, why):
    with pytest.raises(BadPath) as caught:
        normalised(written)
    assert why in caught.value.advice


@given(PATHS)
def test_normalising_again_changes_nothing(path):
    once = normalised(path)
    assert normalised(once) == once


@given(st.text(max_size=60))
def test_whatever_passes_keeps_the_rules(text):
    try:
        path = normalised(text)
    except BadPath:
        return
    assert path.startswith("/")
    assert ".." not in path.split("/")
    assert "//" not in path
    assert "\0" not in path
    assert len(path.encode()) <= 4096


@given(PATHS, NAMES)
def test_an_entry_lies_in_its_folder(folder, name):
    path = join(folder, name)
    assert name_of(path) == name
    assert is_within(path, folder)
    assert parent(path) == normalised(folder, folder=True)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_what_is_no_name_cannot_be_joined(name):
    with pytest.raises(BadPath):
        join("/a/", name)


@given(PATHS)
def test_the_crumbs_lead_to_the_folder(path):
    folder = normalised(path, folder=True)
    crumbs = parents(folder)
    assert crumbs[-1][1] == folder
    assert crumbs[0][1] in ("/", "/~/")
    for (_, above), (_, below) in itertools.pairwise(crumbs):
        assert parent(below) == above


def test_nothing_is_above_the_root_and_the_home():
    assert parent("/") is None
    assert parent("/~/") is None
    assert parent("/~/a") == "/~/"
    assert parent("/a/b/") == "/a/"
    assert name_of("/") == ""


def test_prefixes_are_compared_by_segment():
    assert is_within("/data/a", "/data/")
    assert is_within("/data", "/data/")
    assert not is_within("/data-old/a", "/data")
    assert is_within("/anything", "/")
