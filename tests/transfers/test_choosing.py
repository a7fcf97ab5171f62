"""A collection found for a pane comes back into it, and the other pane stays."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.http import QueryDict

from sandbox import seed
from transfers.views.choosing import Choosing

pytestmark = pytest.mark.django_db(transaction=True)

BESIDE = f"origin_id={seed.LAPTOP}&origin_path=/Documents/&origin_sort=-size"
START = f"/files/?{BESIDE}&panes=2"
OTHER = {
    "origin_id": seed.LAPTOP,
    "origin_path": "/Documents/",
    "origin_sort": "-size",
}


@pytest.fixture
def ada(visit):
    return visit("ada")


def links(answer, words):
    """Where the links with these words in them lead."""
    assert answer.status_code == 200, answer.content
    found = re.findall(r'<a\b[^>]*href="([^"]*)"[^>]*>(.*?)</a>', text(answer), re.S)
    return [html.unescape(address) for address, inside in found if words in inside]


def text(answer):
    return answer.content.decode()


def fields(answer, action):
    [form] = re.findall(
        rf'<form[^>]*action="{action}"[^>]*>(.*?)</form>', text(answer), re.S
    )
    hidden = re.findall(r'type="hidden"\s+name="(\w+)"\s+value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in hidden}


def query(address):
    return dict(parse_qsl(urlsplit(address).query))


def test_a_search_for_the_second_pane_comes_back_into_it(ada):
    start = ada.get(START)
    form = fields(start, "/collections/")
    found = ada.get("/collections/", form | {"q": "tutorial"})
    assert "For the second pane" in text(found)
    first, *_ = links(found, "Choose")
    chosen = query(first)
    assert OTHER.items() <= chosen.items()
    assert chosen["destination_id"] in (seed.TUTORIAL_1, seed.TUTORIAL_2)
    assert ada.get(first).status_code in (200, 403)  # it may want a consent
    # The tabs carry it on, and so does the form of the page itself.
    [tab] = links(found, "Your collections")
    assert query(tab)["into"] == "destination"
    again = ada.get("/collections/", fields_of_search(found) | {"q": "research"})
    assert OTHER.items() <= query(links(again, "Choose")[0]).items()


def fields_of_search(answer):
    hidden = re.findall(
        r'type="hidden"\s+name="(into|beside)"\s+value="([^"]*)"', text(answer)
    )
    return {name: html.unescape(value) for name, value in hidden}


def test_a_bookmark_comes_back_with_its_folder(ada):
    form = {"collection_id": seed.LAPTOP, "path": "/Documents/figures/", "name": "figs"}
    assert ada.post("/bookmarks/new/", form).status_code == 302
    start = ada.get(START)
    [way] = links(start, "Your bookmarks")
    chosen, *_ = links(ada.get(way), "figs")
    assert query(chosen) == OTHER | {
        "destination_id": seed.LAPTOP,
        "destination_path": "/Documents/figures/",
    }


def test_the_way_back_without_choosing(ada):
    [way] = links(ada.get(START), "Your bookmarks")
    [back] = links(ada.get(way), "Back to the panes")
    assert query(back) == OTHER | {"panes": "2"}


def test_another_collection_in_a_pane_that_has_one(ada):
    page = ada.get(f"/files/?{BESIDE}&destination_id={seed.LAPTOP}&destination_path=/")
    first, second = links(page, "Choose another collection")
    assert query(first) == {
        "destination_id": seed.LAPTOP,
        "destination_path": "/",
        "panes": "2",
    }
    assert query(second) == OTHER | {"panes": "2"}
    assert "Choose a collection" in text(ada.get(first))


def test_without_a_pane_the_pages_are_as_ever(ada):
    found = ada.get("/collections/", {"q": "tutorial"})
    assert links(found, "Choose") == []
    assert links(found, "Browse")


@pytest.mark.parametrize(
    "beside",
    [
        "https://evil.example/?origin_id=x",
        "next=//evil.example&columns=%00&origin_id=1",
        "\x00\ud800",
        "&".join(["origin_path=" + "x" * 5000] * 9),
    ],
)
def test_what_is_carried_along_stays_an_address_of_the_files_page(rf, beside):
    data = QueryDict(mutable=True)
    data["into"], data["beside"] = "destination", beside
    request = rf.get("/collections/")
    request.GET = data
    address = Choosing.of(request).to(seed.LAPTOP)
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/files/")
    assert "evil" not in query(address).get("next", "")


@pytest.mark.parametrize("side", ["", "third", "origin_id", "__class__"])
def test_a_pane_that_there_is_not_is_none(rf, side):
    assert Choosing.of(rf.get("/collections/", {"into": side})) is None
