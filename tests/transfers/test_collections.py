"""One collection by its id, many by a search."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from accounts.clients import transfer_client
from portal.globus.errors import NotFound, UnexpectedAnswer
from sandbox import seed
from tests.factories import make_token, make_user
from tests.transfers.played import query_of
from transfers.collections import MOST_RESULTS, SCOPES, collection, search


@pytest.fixture
def client_of_emmy(db):
    person = make_user()
    make_token(person)
    return transfer_client(person)


def test_a_collection_tells_about_itself(service_account):
    found = collection(transfer_client(service_account), UUID(seed.TUTORIAL_1))
    assert found.id == UUID(seed.TUTORIAL_1)
    assert str(found) == "Globus Tutorial Collection 1"
    assert found.kind == "Mapped collection"
    assert found.holds_files
    assert found.document["DATA_TYPE"] == "endpoint"


def test_a_collection_that_is_not_there(service_account):
    with pytest.raises(NotFound):
        collection(transfer_client(service_account), uuid4())


def test_words_find_collections(service_account):
    page = search(transfer_client(service_account), "tutorial coll")
    assert {each.id for each in page.collections} == {
        UUID(seed.TUTORIAL_1),
        UUID(seed.TUTORIAL_2),
    }
    assert page.next_offset is None


@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_is_globus_own(service_account, scope):
    search(transfer_client(service_account), "a", scope)


def test_my_own_need_no_words(service_account):
    page = search(transfer_client(service_account), scope="my-endpoints")
    assert UUID(seed.HARVEST) in {each.id for each in page.collections}


def test_without_words_everything_is_not_asked_for(globus, client_of_emmy):
    assert search(client_of_emmy, "  ").collections == ()
    assert search(client_of_emmy, "x", offset=MOST_RESULTS).collections == ()
    assert not globus.calls(".*")


def test_a_scope_that_nobody_knows_is_all(globus, client_of_emmy):
    globus.says("GET", "endpoint_search", json={"DATA": [], "has_next_page": False})
    search(client_of_emmy, "x", "everything&more")
    assert query_of(globus.calls("endpoint_search")[0])["filter_scope"] == "all"


def test_pages_lead_on_until_globus_stops(globus, client_of_emmy):
    rows = [{"id": str(uuid4()), "display_name": "x"} for _ in range(100)]
    globus.says("GET", "endpoint_search", json={"DATA": rows, "has_next_page": True})
    assert search(client_of_emmy, "x").next_offset == 100
    assert search(client_of_emmy, "x", offset=900).next_offset is None


@pytest.mark.parametrize(
    "document",
    [{}, {"DATA": 5}, {"DATA": [{}]}, {"DATA": [{"id": "x"}]}, {"DATA": [1]}],
)
def test_an_answer_that_makes_no_sense_is_no_empty_result(
    globus, client_of_emmy, document
):
    globus.says("GET", "endpoint_search", json=document)
    with pytest.raises(UnexpectedAnswer):
        search(client_of_emmy, "x")
