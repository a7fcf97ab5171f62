"""Folders: one call to Globus, then pages, orders and filters out of what is kept."""

from __future__ import annotations

import json
import uuid
from array import array
from uuid import UUID

import pytest
import redis
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from portal.globus.errors import NotFound, TooLarge, UnexpectedAnswer
from sandbox import seed
from tests.factories import make_token, make_user
from transfers import columns, folders, keeping
from transfers.folders import Asked, open_folder
from transfers.keeping import FreshPack, Gone, KeptPack
from transfers.paths import BadPath, join
from transfers.viewing import ORDERS, View

COLLECTION = UUID(seed.HARVEST)


@pytest.fixture
def emmy(db):
    person = make_user()
    make_token(person)
    return person


def asked_by(user, path="/run/", *, hidden=False, session="one", at=COLLECTION):
    return Asked(user, session, at, path, hidden)


def item(name, **facts):
    return {
        "name": name,
        "type": "file",
        "size": 4,
        "last_modified": "2026-01-01 00:00:00+00:00",
        "permissions": "0644",
        "user": "ada",
        "group": "science",
        "link_target": None,
    } | facts


MIXED = (
    item("b.txt", size=30, last_modified="2026-01-03 00:00:00+00:00", user="zoe"),
    item("Zoo", type="dir", size=4096),
    item("a.csv", size=10, permissions="0600"),
    item("apes", type="dir", size=9999),
    item("link", link_target="a.csv", size=10),
    item("gone", type="invalid_symlink", link_target="nowhere"),
    item("C.txt", size=20, last_modified=None),
    item("pipe", type="pipe", size=None),
)


def played(globus, *items, path="/run/", **facts):
    document = {"DATA_TYPE": "file_list", "path": path, "DATA": list(items)} | facts
    globus.says("GET", f"operation/endpoint/{COLLECTION}/ls", json=document)


def names(folder, order="name", text="", kind=""):
    found = folder.found(View.of(order, text, kind))
    return [row.name for row in folder.rows(found)]


@pytest.fixture(params=["fresh", "kept"])
def mixed(request, globus, emmy):
    """The same folder, as Globus just told it and as it is kept."""
    played(globus, *MIXED, absolute_path="/data/run/")
    folder = open_folder(asked_by(emmy))
    return folder if request.param == "fresh" else open_folder(asked_by(emmy))


def test_folders_come_first_and_then_names_without_regard_to_capitals(mixed):
    assert names(mixed) == [
        "apes", "Zoo", "a.csv", "b.txt", "C.txt", "gone", "link", "pipe",
    ]  # fmt: skip
    assert names(mixed, "-name")[:3] == ["Zoo", "apes", "pipe"]


@pytest.mark.parametrize(
    ("order", "files"),
    [
        ("size", ["pipe", "gone", "a.csv", "link", "C.txt", "b.txt"]),
        ("time", ["C.txt", "a.csv", "gone", "link", "pipe", "b.txt"]),
        ("type", ["a.csv", "b.txt", "C.txt", "pipe", "link", "gone"]),
        ("rights", ["a.csv", "b.txt", "C.txt", "gone", "link", "pipe"]),
        ("user", ["a.csv", "C.txt", "gone", "link", "pipe", "b.txt"]),
        ("group", ["a.csv", "b.txt", "C.txt", "gone", "link", "pipe"]),
    ],
)
def test_every_column_sorts_and_folders_stay_first(mixed, order, files):
    assert names(mixed, order) == ["apes", "Zoo", *files]
    assert names(mixed, f"-{order}")[2:] == files[::-1]


def test_an_order_that_nobody_knows_is_by_name():
    assert View.of("size; DROP", "", "evil") == View()


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("A", "", ["apes", "a.csv"]),
        ("*.TXT", "", ["b.txt", "C.txt"]),
        ("?.csv", "", ["a.csv"]),
        ("", "folders", ["apes", "Zoo"]),
        ("", "files", ["a.csv", "b.txt", "C.txt", "link"]),
        ("", "links", ["gone", "link"]),
        ("", "others", ["pipe"]),
        ("o", "folders", ["Zoo"]),
        ("[", "", []),
    ],
)
def test_names_and_kinds_narrow(mixed, text, kind, found):
    assert names(mixed, "name", text, kind) == found
    assert names(mixed, "-name", text, kind)[-1:] == found[-1:] or len(found) != 1


def test_a_filter_keeps_the_order(mixed):
    assert names(mixed, "-size", "txt") == ["b.txt", "C.txt"]
    assert names(mixed, "-size", "txt") == ["b.txt", "C.txt"]  # as it was kept


def test_a_row_holds_what_globus_said(mixed):
    by_name = {row.name: row for row in mixed.rows(range(mixed.about.count))}
    assert by_name["link"].link_target == "a.csv"
    assert by_name["link"].is_link
    assert by_name["gone"].type == "invalid_symlink"
    assert by_name["pipe"].size_bytes is None
    assert by_name["C.txt"].modified_at is None
    assert by_name["b.txt"].modified_at.isoformat() == "2026-01-03T00:00:00+00:00"
    assert by_name["b.txt"].user == "zoe"
    assert by_name["a.csv"].permissions == "0600"


def test_sizes_are_those_of_files(mixed):
    everything = range(mixed.about.count)
    assert mixed.about.size_bytes == mixed.size_of(everything) == 30 + 10 + 10 + 4 + 20
    assert mixed.size_of([0, 2]) == 10


def test_scattered_entries_come_as_they_are_called(mixed):
    order = [7, 2, 3, 0, 6]
    assert [row.number for row in mixed.rows(order)] == order
    assert [name for name, _ in mixed.names(order)] == [
        "pipe", "a.csv", "b.txt", "apes", "link",
    ]  # fmt: skip
    assert mixed.names([0])[0] == ("apes", True)


def test_a_page_is_json_in_columns(mixed):
    page = json.loads(b"{" + mixed.dumped([2, 6]) + b"}")
    assert page["texts"] == ["a.csv", ["link", "a.csv"]]
    assert page["numbers"] == [2, 6]
    assert [page["words"][n] for n in page["rights"]] == ["0600", "0644"]


def test_one_call_serves_every_page_order_and_filter(globus, emmy):
    played(globus, *MIXED)
    for order in ORDERS:
        for text in ("", "a"):
            names(open_folder(asked_by(emmy)), order, text)
    assert len(globus.calls(".*/ls")) == 1


def test_a_listing_is_for_one_person_in_one_session(globus, emmy, db):
    played(globus, *MIXED)
    other = make_user()
    make_token(other)
    open_folder(asked_by(emmy))
    open_folder(asked_by(emmy, session="two"))
    open_folder(asked_by(other))
    open_folder(asked_by(emmy, hidden=True))
    open_folder(asked_by(emmy, "/run/sub/"))
    assert len(globus.calls(".*/ls")) == 5


def test_parts_of_a_key_cannot_be_taken_for_others():
    user, place = uuid.uuid4(), uuid.uuid4()
    made = {
        keeping.key_of(user, "ab", place, "/c/"),
        keeping.key_of(user, "a", place, "b/c/"),
        keeping.key_of(user, "ab", place, "/c/", ""),
        keeping.key_of(user, "ab", place, "/c/", "hidden"),
    }
    assert len(made) == 4


def test_a_change_forgets_the_folder_in_all_sessions(globus, emmy):
    played(globus, *MIXED)
    for _ in range(2):
        open_folder(asked_by(emmy))
        open_folder(asked_by(emmy, session="two"))
        open_folder(asked_by(emmy, "/else/"))
    folders.forget(emmy, COLLECTION, "/run/")
    open_folder(asked_by(emmy))
    open_folder(asked_by(emmy, session="two"))
    open_folder(asked_by(emmy, "/else/"))
    assert len(globus.calls(".*/ls")) == 5
    keeping.forget(emmy.pk, COLLECTION)
    open_folder(asked_by(emmy, "/else/"))
    assert len(globus.calls(".*/ls")) == 6


def test_redis_may_be_wiped_half_way(globus, emmy):
    played(globus, *MIXED)
    open_folder(asked_by(emmy))
    kept = open_folder(asked_by(emmy))
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    assert names(kept, "-size")[2] == "b.txt"
    assert len(globus.calls(".*/ls")) == 2


def test_without_redis_every_look_asks_globus(globus, emmy, settings, monkeypatch):
    played(globus, *MIXED)
    keeping._client.cache_clear()
    settings.LISTINGS_REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        for _ in range(2):
            assert names(open_folder(asked_by(emmy)), "user", "a")[0] == "apes"
        folders.forget(emmy, COLLECTION, "/run/")
    finally:
        keeping._client.cache_clear()
    assert len(globus.calls(".*/ls")) == 2


def test_a_listing_is_kept_for_minutes(globus, emmy):
    played(globus, *MIXED)
    open_folder(asked_by(emmy))
    folder = open_folder(asked_by(emmy))
    folder.found(View("-user", "a"))
    client = redis.Redis.from_url(settings.REDIS_URL)
    key = asked_by(emmy).key()
    lives = {name: client.ttl(name) for name in client.scan_iter(f"{key}:*")}
    assert {name.rpartition(b":")[2] for name in lives} >= {b"about", b"by-user"}
    assert all(0 < seconds <= keeping.KEPT_SECONDS for seconds in lives.values())


def test_the_default_folder_is_kept_under_its_path(globus, emmy):
    played(globus, *MIXED, path="/home/emmy")
    assert open_folder(asked_by(emmy, "")).path == "/home/emmy/"
    open_folder(asked_by(emmy, "/home/emmy"))
    assert len(globus.calls(".*/ls")) == 1


def test_a_stamp_is_the_same_while_the_names_are(globus, emmy):
    played(globus, *MIXED)
    first = open_folder(asked_by(emmy)).about.stamp
    assert folders.ask_globus(asked_by(emmy)).about.stamp == first
    globus.forgets("GET", f"operation/endpoint/{COLLECTION}/ls")
    played(globus, *MIXED[1:])
    assert folders.ask_globus(asked_by(emmy)).about.stamp != first


def test_what_globus_leaves_out_is_known(globus, emmy):
    played(globus, *MIXED, total=200_000)
    about = open_folder(asked_by(emmy)).about
    assert not about.is_complete
    assert about.total == 200_000


def test_a_name_that_is_no_unicode_does_not_hide_its_folder(globus, emmy):
    odd = ("lone\ud800half", "nul\x00byte", "line\nbreak", "..", "a/b", "x" * 4096)
    document = json.dumps({"path": "/run/", "DATA": [item(name) for name in odd]})
    globus.says("GET", f"operation/endpoint/{COLLECTION}/ls", body=document)
    open_folder(asked_by(emmy))
    folder = open_folder(asked_by(emmy))
    assert sorted(names(folder)) == sorted(odd)
    assert names(folder, "-size", "lone*") == ["lone\ud800half"]
    page = json.loads(b"{" + folder.dumped(range(len(odd))) + b"}")
    assert set(page["texts"]) == set(odd)
    assert folder.path_of("..") == folder.path_of("a/b") == ""


@pytest.mark.parametrize("rows", [[5], [{}], [item(7)], [item(None)]])
def test_what_is_no_listing_is_no_folder(globus, emmy, rows):
    played(globus, *rows)
    with pytest.raises(UnexpectedAnswer):
        open_folder(asked_by(emmy))
    with pytest.raises(Gone):
        KeptPack(asked_by(emmy).key()).get("about")


def test_an_empty_folder(globus, emmy):
    played(globus)
    open_folder(asked_by(emmy))
    folder = open_folder(asked_by(emmy))
    assert folder.about.count == folder.about.size_bytes == 0
    assert names(folder, "-time", "x", "files") == []


def test_a_folder_that_is_too_large_or_gone(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/many", 12)
    sandbox.set(directory_entries=10)
    with pytest.raises(TooLarge):
        open_folder(asked_by(ada, "/many/", at=UUID(seed.LAPTOP)))
    with pytest.raises(NotFound):
        open_folder(asked_by(ada, "/none/", at=UUID(seed.LAPTOP)))


JSON_NAMES = st.text(st.characters(codec=None), max_size=20)


@examples(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.lists(st.tuples(JSON_NAMES, st.integers(-5, 2**62), st.booleans())))
def test_columns_lose_nothing(found):
    rows = [
        item(name, size=size, type="dir" if is_folder else "file")
        for name, size, is_folder in found
    ]
    parts = columns.pack(rows, path="/", absolute_path="", total=0, asked_at=0.0)
    about = columns.About.loaded(parts["about"])
    asked = Asked(None, "", COLLECTION, "/", hidden=False)
    folder = folders.Folder(asked, about, FreshPack(parts))
    got = folder.rows(range(about.count))
    assert sorted((r.name, r.size_bytes, r.is_folder) for r in got if r.size_bytes) == (
        sorted((n, s, d) for n, s, d in found if s > 0)
    )
    assert sorted(r.name for r in got) == sorted(name for name, _, _ in found)
    assert [r.is_folder for r in got] == sorted(r.is_folder for r in got)[::-1]
    by_size = array("I", parts["by-size"])
    assert sorted(by_size) == list(range(about.count))


@given(
    st.one_of(
        st.text(max_size=20),
        st.text("./ ~a", max_size=4),
        st.text("ab", min_size=1000, max_size=1100),
    )
)
def test_w03_the_quick_way_to_a_path_is_the_same_as_the_careful_one(name):
    about = columns.About("/run/", "", "", 0, 0, 0, 0, 0.0)
    folder = folders.Folder(Asked(None, "", COLLECTION, "/run/", False), about, None)
    try:
        careful = join("/run/", name)
    except BadPath:
        careful = ""
    assert folder.path_of(name) == careful
