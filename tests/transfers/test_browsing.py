"""Listings, as the sandbox gives them and as nobody should."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from accounts.clients import transfer_client
from portal.globus.errors import (
    ConsentRequired,
    NotADirectory,
    NotFound,
    UnexpectedAnswer,
)
from sandbox import seed
from tests.factories import make_token, make_user
from tests.transfers.played import query_of
from transfers.browsing import ORDERS, listing, moment
from transfers.consents import with_own_consent
from transfers.paths import BadPath

COLLECTION = UUID(seed.HARVEST)


@pytest.fixture
def client_of_emmy(db):
    person = make_user()
    make_token(person)
    return transfer_client(person)


def item(name="a.txt", **facts):
    return {
        "DATA_TYPE": "file",
        "name": name,
        "type": "file",
        "size": 4,
        "last_modified": "2026-01-01 00:00:00+00:00",
        "permissions": "0644",
        "user": "u1",
        "group": None,
        "link_target": None,
    } | facts


def played(globus, *items, path="/", **facts):
    document = {"DATA_TYPE": "file_list", "path": path, "DATA": list(items)} | facts
    globus.says("GET", f"operation/endpoint/{COLLECTION}/ls", json=document)


def test_a_folder_is_listed(service_account):
    found = listing(transfer_client(service_account), COLLECTION, "/sensors")
    assert found.path == "/sensors/"
    assert found.parent == "/"
    assert found.parents == [("/", "/"), ("sensors", "/sensors/")]
    assert [each.name for each in found.entries][:2] == [
        "2026-01-01.csv",
        "2026-01-02.csv",
    ]
    assert found.total == 5
    assert found.is_complete
    assert found.size_bytes == sum(each.size_bytes for each in found.entries)
    first = found.entries[0]
    assert first.path == "/sensors/2026-01-01.csv"
    assert first.modified_at == datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert not first.is_folder


def test_folders_come_first_and_pages_fit_together(service_account):
    client = transfer_client(service_account)
    found = listing(client, COLLECTION, "/")
    assert [each.is_folder for each in found.entries] == [True, True, False]
    page = listing(client, COLLECTION, "/", limit=1, offset=1)
    assert page.entries == (found.entries[1],)
    assert page.total == 3
    assert not page.is_complete


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_globus_own(service_account, order):
    assert listing(transfer_client(service_account), COLLECTION, "/", order=order)


def test_what_is_not_there_and_what_is_no_folder(service_account):
    client = transfer_client(service_account)
    with pytest.raises(NotFound):
        listing(client, COLLECTION, "/nowhere/")
    with pytest.raises(NotADirectory):
        listing(client, COLLECTION, "/README.txt")
    with pytest.raises(BadPath):
        listing(client, COLLECTION, "/../etc")


def test_the_default_folder_says_where_it_is(service_account):
    tutorial = UUID(seed.TUTORIAL_1)
    found = with_own_consent(
        service_account, lambda: listing(transfer_client(service_account), tutorial)
    )
    assert found.path.endswith("/")
    assert found.absolute_path


def test_a_mapped_collection_asks_a_person_for_consent(ada):
    with pytest.raises(ConsentRequired) as caught:
        listing(transfer_client(ada), UUID(seed.RESEARCH), "/projects/")
    assert seed.RESEARCH in str(caught.value.required_scopes)


def test_hidden_names_are_asked_for(globus, client_of_emmy):
    played(globus, item(".x"))
    for wanted in (False, True):
        listing(client_of_emmy, COLLECTION, "/", show_hidden=wanted)
    asked = [query_of(each) for each in globus.calls(".*/ls")]
    assert [each["show_hidden"] for each in asked] == ["0", "1"]
    assert asked[0]["orderby"] == "type ASC,name ASC"
    assert asked[0]["path"] == "/"


def test_an_order_that_nobody_knows_is_by_name(globus, client_of_emmy):
    played(globus)
    listing(client_of_emmy, COLLECTION, "/", order="size; DROP")
    assert query_of(globus.calls(".*/ls")[0])["orderby"] == "type ASC,name ASC"


def test_odd_entries_are_kept(globus, client_of_emmy):
    played(
        globus,
        item("..", type="dir"),
        item("a/b"),
        item("line\nbreak", size=None, last_modified=None, permissions=None),
        item("link", link_target="/else", type="invalid_symlink"),
        {"name": "bare"},
        item("weird", size=-1, last_modified="yesterday", type=None),
    )
    entries = listing(client_of_emmy, COLLECTION, "/").entries
    assert [each.path for each in entries[:3]] == ["", "", ""]
    assert [each.name for each in entries][:3] == ["..", "a/b", "line\nbreak"]
    assert entries[2].size_bytes is None
    assert entries[3].is_link
    assert entries[4].type == entries[5].type == "other"
    assert entries[5].size_bytes is None


@pytest.mark.parametrize(
    "document", [{"DATA": None}, {"DATA": [5]}, {"DATA": [{}]}, {"DATA": [item(7)]}]
)
def test_an_answer_that_is_no_listing_is_no_empty_folder(
    globus, client_of_emmy, document
):
    globus.says("GET", f"operation/endpoint/{COLLECTION}/ls", json=document)
    with pytest.raises(UnexpectedAnswer):
        listing(client_of_emmy, COLLECTION, "/")


def test_an_answer_without_a_path_is_about_the_home(globus, client_of_emmy):
    played(globus, path="../..", absolute_path=None)
    assert listing(client_of_emmy, COLLECTION).path == "/~/"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-01-01 00:00:00+00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00+00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01 00:00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        (None, None),
        (0, None),
    ],
)
def test_moments_are_read_as_globus_writes_them(text, read):
    assert moment(text) == read
