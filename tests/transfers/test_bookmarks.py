"""Bookmarks, which Globus keeps; and the tabs and kinds of the collections."""

import re
from uuid import UUID, uuid4

import pytest

from accounts.clients import transfer_client
from portal.globus.errors import UnexpectedAnswer
from sandbox import seed
from tests.flows import person
from transfers import bookmarks
from transfers.collections import SCOPES
from transfers.views import collections as pages

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = {"collection_id": seed.TUTORIAL_1, "path": "/home/share/godata", "name": "Go"}


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def as_ada(visit):
    browser = visit("ada")
    for bookmark in bookmarks.mine(transfer_client(person("ada"))):
        bookmarks.remove(transfer_client(person("ada")), bookmark.id)
    return browser


def only():
    [found] = bookmarks.mine(transfer_client(person("ada")))
    return found


def test_a_bookmark_is_added_renamed_removed_and_brought_back(as_ada):
    assert "No bookmarks yet" in text_of(as_ada.get("/bookmarks/"))
    page = text_of(
        as_ada.get(f"/bookmarks/new/?collection_id={seed.TUTORIAL_1}&path=/home/share/")
    )
    assert 'value="share"' in page
    assert as_ada.post("/bookmarks/new/", FOLDER).status_code == 302
    assert only().path == "/home/share/godata/"
    page = text_of(as_ada.get("/bookmarks/"))
    assert "Globus Tutorial Collection 1" in page
    assert "origin_path=%2Fhome%2Fshare%2Fgodata%2F" in page

    address = f"/bookmarks/{only().id}/"
    assert 'value="Go"' in text_of(as_ada.get(address))
    as_ada.post(address, {"name": "Gone"})
    assert only().name == "Gone"
    page = text_of(as_ada.post(f"{address}remove/"))
    assert "The bookmark is removed" in page
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    as_ada.post("/bookmarks/new/", fields)
    assert only().name == "Gone"


def test_they_stand_by_name(as_ada):
    for name in ("b", "C", "a"):
        as_ada.post("/bookmarks/new/", {**FOLDER, "name": name})
    found = bookmarks.mine(transfer_client(person("ada")))
    assert [each.name for each in found] == ["a", "b", "C"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, "Give it a name"),
        ({"name": "x" * 129}, "at most 128"),
        ({"name": "Taken"}, "of this name already"),
        ({"path": "/a/../b"}, "is not allowed"),
        ({"path": "a"}, "Start the path with"),
        ({"path": ""}, "required"),
        ({"collection_id": "x"}, "valid UUID"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(as_ada, change, words):
    as_ada.post("/bookmarks/new/", {**FOLDER, "name": "Taken"})
    answer = as_ada.post("/bookmarks/new/", {**FOLDER, **change})
    assert answer.status_code == 200
    assert words in text_of(answer)
    assert only().name == "Taken"


def test_a_hundred_and_no_more(as_ada, sandbox):
    sandbox.fault(
        "/bookmark",
        method="POST",
        status=409,
        body={"code": "LimitExceeded", "message": "x"},
    )
    answer = as_ada.post("/bookmarks/new/", FOLDER)
    assert "100 bookmarks at most" in text_of(answer)


def test_the_bookmark_of_somebody_else_is_not_there(as_ada, visit):
    as_ada.post("/bookmarks/new/", FOLDER)
    grace = visit("grace")
    address = f"/bookmarks/{only().id}/"
    assert grace.get(address).status_code == 404
    assert grace.post(address, {"name": "mine"}).status_code == 404
    assert grace.post(f"{address}remove/").status_code == 404


def test_names_are_asked_for_once_and_not_one_after_the_other(as_ada, sandbox):
    for collection in (seed.TUTORIAL_1, seed.TUTORIAL_2, seed.RESEARCH):
        as_ada.post(
            "/bookmarks/new/",
            {**FOLDER, "collection_id": collection, "name": collection},
        )
    sandbox.forget_requests()
    as_ada.get("/bookmarks/")
    as_ada.get("/bookmarks/")
    asked = list(sandbox.requests("/v0.10/endpoint/"))
    assert len(asked) <= 3


def test_a_collection_that_is_gone_is_said(as_ada, sandbox):
    as_ada.post("/bookmarks/new/", FOLDER)
    sandbox.fault(f"/endpoint/{seed.TUTORIAL_1}", status=404, body={"code": "NotFound"})
    assert pages.names_of(person("ada"), [UUID(seed.TUTORIAL_1)]) in (
        {},
        {UUID(seed.TUTORIAL_1): "Globus Tutorial Collection 1"},
    )
    assert as_ada.get("/bookmarks/").status_code == 200


def test_bookmarks_that_cannot_be_read_are_not_none(as_ada, sandbox):
    sandbox.fault("/bookmark_list", status=503)
    answer = as_ada.get("/bookmarks/")
    assert answer.status_code == 503
    assert "No bookmarks yet" not in text_of(answer)


@pytest.mark.parametrize("data", [None, [], {}, {"DATA": [3]}, {"DATA": [{"id": "x"}]}])
def test_an_answer_that_makes_no_sense(data):
    class Client:
        def bookmark_list(self):
            return type("Answer", (), {"data": data})

    with pytest.raises(UnexpectedAnswer):
        bookmarks.mine(Client())


def test_without_a_place_the_page_leads_to_the_files(as_ada):
    assert "Open the folder first" in text_of(as_ada.get("/bookmarks/new/"))
    assert as_ada.get(f"/bookmarks/{uuid4()}/").status_code == 404


@pytest.mark.parametrize("scope", [*SCOPES, "nonsense"])
def test_every_tab_answers(as_ada, scope):
    for text in ("", "tutorial"):
        answer = as_ada.get(f"/collections/?scope={scope}&q={text}")
        assert answer.status_code == 200
    page = text_of(answer)
    if scope in ("all", "hide-no-permissions", "nonsense"):
        assert "Globus Tutorial Collection 1" in page


def test_a_kind_narrows_the_search(as_ada):
    page = text_of(as_ada.get("/collections/?q=tutorial&kind=GCP_guest_collection"))
    assert "Globus Tutorial Collection 1" not in page
    page = text_of(as_ada.get("/collections/?q=tutorial&kind=GCSv5_mapped_collection"))
    assert "Globus Tutorial Collection 1" in page
