"""Whatever comes from outside can be stored, and what is harmless stays as it is."""

from __future__ import annotations

import json

import orjson
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from transfers.storable import storable, storable_document, storable_text

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON))
def test_a_document_becomes_what_its_parts_become(value):
    assert b"\\u0000" not in orjson.dumps(storable_document(value))
    assert json.dumps(storable_document({"a": 1, "b": [None, "x"]})) == (
        '{"a": 1, "b": [null, "x"]}'
    )


def test_an_ordinary_document_is_not_copied():
    document = {"a": None, "b": 5, "c": "x"}
    assert storable_document(document) is document
    assert storable_document({"a": float("nan")}) == {"a": "nan"}
    assert storable_document({"a": 2**70})["a"].startswith("0x")


@given(JSON)
def test_anything_becomes_json_without_nul(value):
    assert b"\\u0000" not in orjson.dumps(storable(value))


@given(st.lists(st.text(st.characters(codec="utf-8", min_codepoint=1))))
def test_text_stays_as_it_came(texts):
    assert storable(texts) == texts


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        {"name": "a\0b"},
        {"a\0": 1},
        ["\ud800"],
        [float("nan"), float("inf")],
        2**80,
        json.loads("[" * 200 + "]" * 200),
    ],
)
def test_postgres_takes_it(value):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb", [orjson.dumps(storable(value)).decode()])


def test_a_text_is_cut_to_the_room_there_is():
    assert storable_text("abcdef", longest=3) == "abc"
