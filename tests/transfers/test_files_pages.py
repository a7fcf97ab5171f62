"""The files page and the small changes that it leads to, over a real sandbox."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from accounts.models import PendingAction, Session
from sandbox import seed
from tests.factories import make_transfer
from tests.flows import button, come_back, go_on, person, sign_in
from transfers import picking, taking_in
from transfers.models import Transfer
from transfers.picking import NothingPicked, decoded, encoded
from transfers.task_list import News
from transfers.views.addresses import Address

pytestmark = pytest.mark.django_db

LAPTOP = UUID(seed.LAPTOP)
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<script>alert(1)",
    "=cmd",
    "invoice\u202efdp.exe",
    "{{7*7}}",
    "two\r\nlines",
    "javascript:alert(1)",
)


@pytest.fixture
def visit(transactional_db, visit):
    """A renewal of a token wants a transaction of its own."""
    return visit


@pytest.fixture
def ada(visit):
    return visit("ada")


def at(path="/Documents/", side="origin", **more):
    values = {"id": seed.LAPTOP, "path": path} | more
    return {f"{side}_{name}": value for name, value in values.items()}


def rows(browser, path="/Documents/", **more):
    wanted = {"id": seed.LAPTOP, "path": path} | more
    answer = browser.get("/files/rows/", wanted)
    assert answer.status_code == 200, answer.content
    return answer.json()


def names_of(page):
    return [text if isinstance(text, str) else text[0] for text in page["texts"]]


def pick(browser, *names, path="/Documents/", **more):
    """The form of the files page with these picked."""
    page = rows(browser, path)
    by_name = dict(zip(names_of(page), page["numbers"], strict=True))
    return {
        "origin_id": seed.LAPTOP,
        "origin_path": path,
        "stamp": page["stamp"],
        "pick": [by_name[name] for name in names],
        "back": f"/files/?origin_id={seed.LAPTOP}&origin_path={path}",
    } | more


def text_of(answer):
    return answer.content.decode()


def calls(sandbox, end="/ls"):
    return len(sandbox.requests(f"*{end}"))


# --- looking


def test_two_panes_stand_side_by_side(ada):
    answer = ada.get("/files/", at() | at("/", "destination"))
    page = text_of(answer)
    assert answer.status_code == 200
    assert page.count('data-pane="') == 2
    assert "paper.tex" in page
    assert "Swap the panes" in page


def test_a_pane_that_fails_leaves_the_other_alone(ada):
    answer = ada.get("/files/", at("/nowhere/") | at("/", "destination"))
    page = text_of(answer)
    assert answer.status_code == 404
    assert "does not exist" in page
    assert "Documents" in page
    assert "This folder is empty" not in page


def test_a_second_pane_begins_with_collections_used_lately(ada):
    ada.get("/files/", at())
    page = text_of(ada.get("/files/", at() | {"panes": "2"}))
    assert "Choose where to look" in page
    assert f"destination_id={seed.LAPTOP}" in page


def test_one_call_serves_the_page_and_all_its_rows(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/many", 2345, 10)
    ada.get("/files/", at("/many/"))
    sandbox.forget_requests()
    for offset in (0, 1000, 2000):
        for sort in ("name", "-size", "time"):
            page = rows(ada, "/many/", offset=offset, sort=sort)
            assert len(page["numbers"]) == min(1000, 2345 - offset)
    assert rows(ada, "/many/", filter="*99.dat")["found"] == 23
    found = ada.get(
        "/files/numbers/", {"id": seed.LAPTOP, "path": "/many/", "from": 5, "to": 2005}
    ).json()
    assert found["numbers"] == list(range(5, 2005))
    assert sum(found["sizes"]) == 20_000
    assert calls(sandbox) == 0


def test_refresh_asks_globus_again_and_leads_back(ada, sandbox):
    ada.get("/files/", at())
    sandbox.forget_requests()
    ada.get("/files/", at())
    assert calls(sandbox) == 0
    address = Address(at()).to()
    form = {"origin_id": seed.LAPTOP, "origin_path": "/Documents/", "back": address}
    answer = ada.post("/files/refresh/", form)
    assert answer["Location"] == address
    ada.get("/files/", at())
    assert calls(sandbox) == 1


def test_a_protected_folder_is_asked_for_at_each_look(ada, sandbox):
    for _ in range(2):
        sandbox.forget_requests()
        answer = ada.get("/files/", at("/", id=seed.CLINICAL))
        assert "study-001" in text_of(answer)
        assert calls(sandbox) == 1
    rows(ada, "/", id=seed.CLINICAL)  # goes on in the open page
    assert calls(sandbox) == 1


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/files/",
        "//evil/files/",
        "/logout/",
        "javascript:x",
        "a\nb",
    ],
)
def test_nothing_leads_back_elsewhere(ada, back):
    form = {"origin_id": seed.LAPTOP, "origin_path": "/Documents/", "back": back}
    assert ada.post("/files/refresh/", form)["Location"] == "/files/"


def test_another_persons_rows_are_asked_for_anew(visit, sandbox):
    sandbox.generate(seed.TUTORIAL_1, "/share/mine", 3)
    for name in ("ada", "grace"):
        browser = visit(name, collection=[seed.TUTORIAL_1])
        sandbox.forget_requests()
        rows(browser, "/share/godata/", id=seed.TUTORIAL_1)
        assert calls(sandbox) == 1


def test_the_panes_options_are_those_that_we_know(ada):
    sort = "'; DROP TABLE"
    answer = ada.get(
        "/files/", at(sort=sort, kind="x", offset="-1") | {"columns": ["evil", "bytes"]}
    )
    page = text_of(answer)
    assert answer.status_code == 200
    assert 'class="c-bytes"' in page
    assert "evil" not in page
    for wrong in ("9" * 30, "x", "-5", "²"):
        assert ada.get("/files/", at(offset=wrong)).status_code == 200


def test_addresses_swap_sync_and_close():
    address = Address(at("/a/") | at("/b/", "destination", sort="size"))
    query = parse_qs(urlsplit(address.swapped()).query)
    assert query["origin_path"] == ["/b/"]
    assert query["origin_sort"] == ["size"]
    assert query["destination_path"] == ["/a/"]
    assert "destination_sort" not in query
    closed = parse_qs(urlsplit(address.closed("origin")).query)
    assert closed["origin_path"] == ["/b/"]
    assert "destination_id" not in closed
    assert "destination" not in address.closed("destination")
    synced = parse_qs(urlsplit(address.synced("destination")).query)
    assert synced["origin_path"] == synced["destination_path"] == ["/b/"]


# --- sentences for what goes wrong


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (502, "ExternalError.DirListingFailed.SizeLimit", "too large to be listed"),
        (502, "ExternalError.DirListingFailed.GCDisconnected", "is not connected"),
        (409, "OperationPaused", "collection is paused"),
        (403, "EndpointPermissionDenied", "No permission"),
        (502, "ExternalError.DirListingFailed", "does not answer"),
        (404, "ClientError.NotFound", "Not found"),
        (502, "ExternalError.DirListingFailed.NotDirectory", "not a folder"),
        (503, "ServiceUnavailable", "cannot be reached"),
        (429, "RateLimited", "slow down"),
    ],
)
def test_every_failure_has_a_sentence_and_a_way_on(ada, sandbox, status, code, words):
    ada.get(f"/collections/{seed.LAPTOP}/")
    body = {"code": code, "message": "in its own words", "request_id": "x"}
    sandbox.fault("/endpoint/*/ls", status=status, body=body)
    answer = ada.get("/files/", at("/Documents/figures/"))
    page = text_of(answer)
    assert answer.status_code >= 400
    assert words in page
    assert "This folder is empty" not in page
    assert 'name="origin_path"' in page  # another path
    assert "Up" in page


def test_a_real_pause_and_a_real_disconnection(visit, sandbox):
    browser = visit("ada", collection=[seed.RESEARCH])
    sandbox.pause(seed.RESEARCH, "maintenance")
    page = text_of(browser.get("/files/", at("/", id=seed.RESEARCH)))
    assert "has paused it" in page or "paused" in page
    sandbox.collection(seed.LAPTOP, connected=False)
    page = text_of(browser.get("/files/", at("/Documents/figures/")))
    assert "is not connected" in page


def test_a_script_hears_of_failures_in_a_part_of_a_page(ada, sandbox):
    ada.get(f"/collections/{seed.LAPTOP}/")
    answer = ada.get(
        "/files/rows/",
        {"id": seed.LAPTOP, "path": "/nowhere/"},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 404
    assert "<html" not in text_of(answer)
    assert 'class="notice' in text_of(answer)


def test_a_script_is_sent_on_when_a_consent_is_missing(ada):
    shown = f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/"
    answer = ada.get(
        "/files/rows/",
        {"id": seed.RESEARCH, "path": "/projects/"},
        headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{shown}"},
    )
    assert answer["HX-Redirect"].startswith("/pending/")
    assert PendingAction.objects.get().path == shown


@pytest.mark.parametrize("address", ["/files/rows/", "/files/numbers/"])
def test_rows_are_for_who_is_signed_in(client, address):
    answer = client.get(address, {"id": seed.LAPTOP})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")


CHANGES = ("refresh", "new-folder", "rename", "delete", "size", "copy")


@pytest.mark.parametrize("what", CHANGES)
def test_changes_are_posts_of_who_is_signed_in(client, ada, what):
    assert ada.get(f"/files/{what}/").status_code == 405
    assert ada.post(f"/files/{what}/", {"origin_id": "x"}).status_code == 404
    answer = client.post(f"/files/{what}/", {"origin_id": seed.LAPTOP})
    assert answer["Location"].startswith("/login/")


# --- picking


@pytest.mark.parametrize("numbers", [[], [0], [7], [8], [0, 9, 500], list(range(100))])
def test_a_selection_comes_back_as_it_went(numbers):
    assert decoded(encoded(numbers)) == numbers


def test_all_of_100000_fit_into_a_form():
    assert len(encoded(range(100_000))) < 20_000


@pytest.mark.parametrize("text", ["!", "a", "é", "A" * 50_000, "AA=A"])
def test_what_is_no_selection_picks_nothing(text):
    with pytest.raises(NothingPicked):
        decoded(text)


@pytest.mark.parametrize("what", ["rename", "delete", "size", "copy"])
def test_nothing_picked_leads_back(ada, what):
    form = pick(ada) | {"pick": []}
    answer = ada.post(f"/files/{what}/", form, follow=True)
    assert "Select one or more entries first" in text_of(answer)
    assert "paper.tex" in text_of(answer)


@pytest.mark.parametrize("what", ["rename", "delete", "transfer"])
def test_a_folder_that_changed_is_looked_at_again(ada, sandbox, what):
    form = pick(ada, "paper.tex") | {"stamp": "of another listing", "do": what}
    address = "/transfers/new/" if what == "transfer" else f"/files/{what}/"
    answer = ada.post(address, form, follow=True)
    assert "Something was added, removed or renamed" in text_of(answer)
    assert not Transfer.objects.exists()


def test_numbers_beyond_the_listing_are_another_listings(ada):
    form = pick(ada, "paper.tex") | {"pick": ["77"]}
    answer = ada.post("/files/delete/", form, follow=True)
    assert "Something was added, removed or renamed" in text_of(answer)


def test_picks_survive_a_wiped_redis(ada):
    import redis
    from django.conf import settings

    form = pick(ada, "paper.tex")
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    assert "paper.tex" in text_of(ada.post("/files/delete/", form))


def test_what_is_picked_goes_to_the_form_of_a_transfer(ada):
    page = text_of(ada.post("/transfers/new/", pick(ada, "paper.tex", "figures")))
    items = re.findall(r'name="item"\s+value="([^"]+)"', page)
    assert items == ["/Documents/figures/", "/Documents/paper.tex"]


def test_everything_that_a_filter_finds(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/many", 400)
    form = pick(ada, path="/many/") | {"everything": "1", "filter": "*7.dat"}
    page = text_of(ada.post("/transfers/new/", form))
    assert page.count('name="item"') == 40
    page = text_of(ada.post("/transfers/new/", form | {"filter": ""}))
    assert "400 items picked" in page
    assert page.count('name="item"') == 0
    assert 'name="selection"' in page


# --- changing


def test_a_new_folder(ada, sandbox):
    back = pick(ada)["back"]
    form = {"origin_id": seed.LAPTOP, "origin_path": "/Documents/", "back": back}
    page = text_of(ada.post("/files/new-folder/", form))
    assert 'name="name"' in page
    assert not sandbox.requests("*/mkdir")
    form |= {"do": "make", "name": "notes & more"}
    assert ada.post("/files/new-folder/", form)["Location"] == back
    assert "notes & more" in names_of(rows(ada))
    again = ada.post("/files/new-folder/", form)
    assert again.status_code == 400
    assert "There is something with this name already" in text_of(again)
    assert 'value="notes &amp; more"' in text_of(again)


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", ".", "a\x00b", "x" * 5000])
def test_names_that_nothing_gets(ada, sandbox, name):
    form = {"origin_id": seed.LAPTOP, "origin_path": "/Documents/"}
    answer = ada.post("/files/new-folder/", form | {"do": "make", "name": name})
    assert answer.status_code == 400
    assert not sandbox.requests("*/mkdir")
    form = pick(ada, "paper.tex") | {"do": "rename", "name": name}
    assert ada.post("/files/rename/", form).status_code == 400
    assert not sandbox.requests("*/rename")


def test_another_name(ada):
    form = pick(ada, "paper.tex")
    assert 'value="paper.tex"' in text_of(ada.post("/files/rename/", form))
    answer = ada.post("/files/rename/", form | {"do": "rename", "name": "figures"})
    assert answer.status_code == 400
    assert "There is something with this name already" in text_of(answer)
    answer = ada.post("/files/rename/", form | {"do": "rename", "name": "draft.tex"})
    assert answer["Location"] == form["back"]
    assert names_of(rows(ada)) == ["figures", "draft.tex"]


def test_only_one_gets_another_name(ada):
    form = pick(ada, "paper.tex", "figures") | {"do": "rename", "name": "x"}
    answer = ada.post("/files/rename/", form, follow=True)
    assert "Select one entry" in text_of(answer)


def test_a_script_renames_in_place(ada):
    form = pick(ada, "paper.tex") | {"do": "rename", "name": "figures"}
    headers = {"HX-Request": "true"}
    answer = ada.post("/files/rename/", form, headers=headers)
    assert answer.status_code == 409
    assert "This name is taken" in text_of(answer)
    form["name"] = "draft.tex"
    assert ada.post("/files/rename/", form, headers=headers).status_code == 204
    assert "draft.tex" in names_of(rows(ada))


def test_a_change_is_seen_whichever_way_the_folder_is_called(visit):
    browser = visit("ada", collection=[seed.RESEARCH])
    rows(browser, "/home/ada/", id=seed.RESEARCH)
    form = {
        "origin_id": seed.RESEARCH,
        "origin_path": "/~/",
        "do": "make",
        "name": "new",
    }
    browser.post("/files/new-folder/", form)
    assert "new" in names_of(rows(browser, "/home/ada/", id=seed.RESEARCH))


def test_a_few_entries_are_deleted_by_a_task_of_globus(ada):
    form = pick(ada, "paper.tex", "figures")
    page = text_of(ada.post("/files/delete/", form))
    assert "Delete 2 entries?" in page
    assert "1 file and 0 folders" in " ".join(page.split())
    assert not Transfer.objects.exists()
    named = re.search(r'name="transfer_id" value="([^"]+)"', page)[1]
    answers = [
        ada.post("/files/delete/", form | {"do": "delete", "transfer_id": named})
        for _ in range(2)
    ]
    transfer = Transfer.objects.get()
    assert {answer["Location"] for answer in answers} == {f"/transfers/{transfer.pk}/"}
    assert transfer.kind == "DELETE"
    assert transfer.document["recursive"] is True
    assert [row["path"] for row in transfer.document["DATA"]] == [
        "/Documents/figures",
        "/Documents/paper.tex",
    ]


def test_a_hundred_entries_are_deleted_only_in_writing(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/many", 100)
    form = pick(ada, path="/many/") | {"everything": "1"}
    assert "Write 100 to delete" in text_of(ada.post("/files/delete/", form))
    for typed in ("", "99", "yes"):
        answer = ada.post("/files/delete/", form | {"do": "delete", "typed": typed})
        assert answer.status_code == 400
    assert not Transfer.objects.exists()
    ada.post("/files/delete/", form | {"do": "delete", "typed": " 100 "})
    assert Transfer.objects.get().items_count == 100


def test_a_folder_that_holds_a_hundred_counts_as_many(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/Documents/full", 120)
    page = text_of(ada.post("/files/delete/", pick(ada, "full")))
    assert "Write 1 to delete" in page
    page = text_of(ada.post("/files/delete/", pick(ada, "figures")))
    assert "to delete</label>" not in page


def test_a_deletion_that_is_over_is_seen_in_the_folder(ada, sandbox):
    rows(ada)
    owner = person("ada")
    transfer = make_transfer(
        owner, status="ACTIVE", source_id=LAPTOP, destination_id=LAPTOP
    )
    sandbox.forget_requests()
    rows(ada)
    assert calls(sandbox) == 0
    task = {"task_id": str(transfer.task_id), "status": "SUCCEEDED"}
    news = News(ours={transfer.task_id: task})
    taking_in.take_in([transfer], news, transfer.created_at)
    rows(ada)
    assert calls(sandbox) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_worked_with_exactly(ada, name):
    """Made by renaming at the sandbox's own API, since no form takes all of them."""
    from accounts.clients import transfer_client

    client = transfer_client(person("ada"))
    client.operation_rename(seed.LAPTOP, "/Documents/paper.tex", f"/Documents/{name}")
    assert name in names_of(rows(ada))
    for what in ("rename", "delete", "size", "copy"):
        page = text_of(ada.post(f"/files/{what}/", pick(ada, name)))
        assert "<img src=x" not in page
        assert "<svg onload" not in page
        assert "<script>alert" not in page
    assert "<svg onload" not in text_of(ada.get("/files/", at()))
    ada.post("/files/delete/", pick(ada, name) | {"do": "delete"})
    [row] = Transfer.objects.get().document["DATA"]
    assert row["path"] == f"/Documents/{name}"
    ada.post("/files/rename/", pick(ada, name) | {"do": "rename", "name": "tame"})
    assert "tame" in names_of(rows(ada))


# --- how much, and where


def test_a_size_counts_everything_below(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/Documents/tree", 3, 100, levels=1, directories=2)
    page = text_of(ada.post("/files/size/", pick(ada, "tree", "paper.tex")))
    assert '<h1 class="mb-3">924 bytes' in " ".join(page.split())
    assert "Everything below was counted" in page


def test_a_walk_that_ends_early_says_so(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/Documents/tree", 1, 100, levels=2, directories=9)
    page = " ".join(text_of(ada.post("/files/size/", pick(ada, "tree"))).split())
    assert "At least" in page
    assert "not counted yet" in page
    assert "Everything below was counted" not in page
    assert calls(sandbox) <= 45


def test_what_cannot_be_read_is_left_out_and_said(ada, sandbox):
    sandbox.generate(seed.LAPTOP, "/Documents/tree", 1, 100, levels=1, directories=2)
    form = pick(ada, "tree")
    sandbox.fault(
        "/endpoint/*/ls", status=403, skip=1, times=1, body={"code": "PermissionDenied"}
    )
    page = " ".join(text_of(ada.post("/files/size/", form)).split())
    assert "1 folder could not be read" in page


def test_paths_and_commands_to_take_along(ada):
    page = text_of(ada.post("/files/copy/", pick(ada, "paper.tex", "figures")))
    assert "/Documents/figures\n/Documents/paper.tex" in page
    assert f"globus ls {seed.LAPTOP}:/Documents/figures/" in page
    assert f"globus stat {seed.LAPTOP}:/Documents/paper.tex" in page


def test_commands_to_the_folder_of_the_other_pane(ada):
    other = {"destination_id": seed.TUTORIAL_2, "destination_path": "/~/in box/"}
    page = text_of(ada.post("/files/copy/", pick(ada, "figures", **other)))
    command = (
        f"globus transfer --recursive {seed.LAPTOP}:/Documents/figures "
        f"&#x27;{seed.TUTORIAL_2}:/~/in box/figures&#x27;"
    )
    assert command in page
    page = text_of(ada.post("/files/copy/", pick(ada, "figures")))
    assert "globus transfer" not in page


# --- nothing is lost


def test_a_consent_in_the_middle_of_a_new_folder(ada, sandbox):
    form = {
        "origin_id": seed.RESEARCH,
        "origin_path": "/home/ada/",
        "name": "after consent",
        "do": "make",
        "back": f"/files/?origin_id={seed.RESEARCH}&origin_path=/home/ada/",
    }
    page = text_of(ada.post("/files/new-folder/", form))
    address = button(ada, page)
    back = come_back(ada, sandbox.approve(address, "ada"))
    done = go_on(ada, ada.get(back["Location"]))
    assert done["Location"] == form["back"]
    shown = names_of(rows(ada, "/home/ada/", id=seed.RESEARCH))
    assert "after consent" in shown


def test_a_file_leads_to_its_preview_and_a_folder_to_what_one_does_there(ada):
    page = ada.get("/files/", at()).content.decode()
    of_laptop = f"/collections/{seed.LAPTOP}"
    assert f'href="{of_laptop}/preview/?path=/Documents/paper.tex"' in page
    assert f'data-previewing="{of_laptop}/preview/?path="' in page
    assert f'href="{of_laptop}/upload/?path=%2FDocuments%2F"' in page
    assert f"/bookmarks/new/?collection_id={seed.LAPTOP}" in page


def test_a_session_that_ended_while_a_form_was_open(ada, sandbox):
    form = pick(ada, "paper.tex") | {"do": "rename", "name": "kept.tex"}
    Session.objects.all().delete()
    answer = ada.post("/files/rename/", form)
    assert answer["Location"].startswith("/login/")
    [target] = parse_qs(urlsplit(answer["Location"]).query)["next"]
    back = sign_in(ada, sandbox, "ada", next=target)
    done = go_on(ada, ada.get(back["Location"]))
    assert done["Location"] == form["back"]
    assert "kept.tex" in names_of(rows(ada))


def test_fields_that_name_a_pick_are_the_ones_of_the_page(ada):
    page = text_of(ada.get("/files/", at()))
    for name in ("pick", "selection", "stamp", "origin_id", "origin_path", "hidden"):
        assert f'name="{name}"' in page
    assert set(picking.FIELDS) == {"pick", "selection", "everything"}
    assert json.dumps(rows(ada))
