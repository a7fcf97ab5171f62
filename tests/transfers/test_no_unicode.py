"""Half a character in what Globus says hides nothing, and goes back as it came.

JSON can hold a lone surrogate (``"\\ud800"``), which UTF-8 and so every page, database
and address cannot (security.md W02, 11).
"""

from __future__ import annotations

import json
import re
from uuid import UUID

import pytest
import requests

from accounts.clients import transfer_client
from portal.globus.errors import GlobusFailure
from sandbox import seed
from tests.flows import person
from transfers import bookmarks, changing

pytestmark = pytest.mark.django_db

LONE = "\ud800"
SHARED = f"/collections/{seed.SHARED}/"


@pytest.fixture
def as_grace(visit):
    return visit("grace")


@pytest.fixture
def broken(monkeypatch):
    """``broken("/bookmark", "path")``: these fields of these answers end in half a
    character."""
    send = requests.Session.send
    spoiled = []

    def worse(value, fields, key=""):
        if isinstance(value, dict):
            return {name: worse(each, fields, name) for name, each in value.items()}
        if isinstance(value, list):
            return [worse(each, fields, key) for each in value]
        is_hit = key in fields and isinstance(value, str)
        return f"{value.removesuffix('/')}{LONE}/" if is_hit else value

    def patched(session, request, **options):
        answer = send(session, request, **options)
        for route, fields in spoiled:
            if re.search(route, request.url) and request.method == "GET":
                document = worse(answer.json(), fields)
                answer._content = json.dumps(document).encode()
        return answer

    monkeypatch.setattr(requests.Session, "send", patched)
    return lambda route, *fields: spoiled.append((route, fields))


def text_of(answer):
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    "field",
    ["display_name", "description", "default_directory", "owner_string", "name"],
)
def test_a_collection_is_shown(as_grace, broken, field):
    broken("/endpoint", field, "canonical_name")
    assert "Globus gave an answer" not in text_of(as_grace.get(SHARED))
    text_of(as_grace.get("/collections/?scope=recently-used"))
    page = text_of(
        as_grace.get("/files/", {"origin_id": seed.SHARED, "origin_path": "/"})
    )
    assert "README.md" in page


def test_its_name_has_a_mark(as_grace, broken):
    broken("/endpoint/", "display_name")
    assert "\N{REPLACEMENT CHARACTER}" in text_of(as_grace.get(SHARED))


@pytest.fixture
def bookmark(as_grace):
    form = {"collection_id": seed.SHARED, "path": "/", "name": "notes"}
    assert as_grace.post("/bookmarks/new/", form).status_code == 302
    [found] = bookmarks.mine(transfer_client(person("grace")))
    return found


def test_a_bookmark_is_shown_renamed_and_removed(as_grace, broken, bookmark, sandbox):
    broken("/bookmark", "name", "path")
    page = text_of(as_grace.get("/bookmarks/"))
    assert "notes\N{REPLACEMENT CHARACTER}" in page
    assert "cannot be opened here" in page
    address = f"/bookmarks/{bookmark.id}/"
    assert "Rename" in text_of(as_grace.get(address))
    assert as_grace.post(address, {"name": "better"}).status_code == 302
    removed = text_of(as_grace.post(f"{address}remove/"))
    assert "Undo" not in removed, "it could not be made again as it was"


def test_a_rule_is_shown(as_grace, broken):
    form = {"whom": "identity", "username": seed.MALLORY, "may": "r", "path": "/"}
    address = f"{SHARED}sharing/"
    assert as_grace.post(address, form).status_code == 302
    broken("/access", "path")
    page = text_of(as_grace.get(address))
    assert page.count("\N{REPLACEMENT CHARACTER}") >= 1
    rule = re.search(r"/sharing/([0-9a-f-]{36})/remove/", page)[1]
    text_of(as_grace.get(f"{address}{rule}/remove/"))


def test_a_name_goes_back_to_globus_as_it_came(as_grace, monkeypatch):
    sent = []
    send = requests.Session.send

    def noted(session, request, **options):
        sent.append(request.body)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", noted)
    client = transfer_client(person("grace"))
    with pytest.raises(GlobusFailure):
        changing.rename(client, UUID(seed.SHARED), "/", f"half{LONE}", "whole")
    assert json.loads(sent[-1])["old_path"] == f"/half{LONE}"


def test_what_is_no_json_is_still_none(as_grace, monkeypatch):
    """The second parser forgives a text, not everything."""
    send = requests.Session.send

    def cut(session, request, **options):
        answer = send(session, request, **options)
        if "/endpoint/" in request.url:
            answer._content = answer.content[:-5]
        return answer

    monkeypatch.setattr(requests.Session, "send", cut)
    assert as_grace.get(SHARED).status_code == 502
