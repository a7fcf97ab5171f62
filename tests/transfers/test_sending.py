"""The form of a transfer: every option, what is wrong with it, and what it keeps."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import Session
from sandbox import seed
from tests.factories import make_transfer
from tests.flows import consent, go_on, person, sign_in
from tests.transfers.form_on_page import explanation, fields
from transfers import filters, looking, send_options
from transfers.batch_form import MOST_ROWS
from transfers.filters import Rule
from transfers.models import Transfer
from transfers.refilling import form_data

pytestmark = pytest.mark.django_db

NEW = "/transfers/new/"
ODD = "=cmd|'/c' \u202e<b>&.txt"


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def filled():
    return {
        "form": "transfer",
        "do": "send",
        "transfer_id": str(uuid4()),
        "origin_id": seed.LAPTOP,
        "origin_path": "/Documents/",
        "destination_id": seed.TUTORIAL_2,
        "destination_path": "/~/inbox/",
        "label": "documents",
        "verify_checksum": "on",
        "globus_mail": ["succeeded", "failed", "inactive"],
    }


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


def sent(browser, form):
    """The document of the transfer that the form becomes."""
    answer = browser.post(NEW, form)
    assert answer.status_code == 302, said(answer)
    return Transfer.objects.get(pk=answer["Location"].split("/")[2]).document


def said(answer):
    """The errors on a page."""
    page = answer.content.decode()
    found = re.findall(
        r'class="error[^"]*"[^>]*>.*?<span>(.*?)</span>', page, re.DOTALL
    )
    return [unescape(re.sub(r"<[^>]+>", "", each)) for each in found]


# --- options


def test_every_option_reaches_globus_by_its_own_name(as_ada, filled):
    until = timezone.now() + timedelta(days=3)
    document = sent(
        as_ada,
        filled
        | {
            "sync_level": "2",
            "preserve_timestamp": "on",
            "encrypt_data": "on",
            "fail_on_quota_errors": "on",
            "store_base_path_info": "on",
            "recursive_symlinks": "keep",
            "globus_mail": ["failed"],
            "deadline": f"{until:%Y-%m-%dT%H:%M}",
            "rule_what": ["include file", "exclude"],
            "rule_name": ["keep*", "*"],
            "delete_destination_extra": "on",
            "delete_confirm": "inbox",
            "destination_local_user": "ada2",
        },
    )
    assert document["deadline"].startswith(f"{until:%Y-%m-%dT%H:%M}")
    assert {k: v for k, v in document.items() if k not in ("DATA", "deadline")} == {
        "DATA_TYPE": "transfer",
        "source_endpoint": seed.LAPTOP,
        "destination_endpoint": seed.TUTORIAL_2,
        "label": "documents",
        "verify_checksum": True,
        "sync_level": 2,
        "preserve_timestamp": True,
        "encrypt_data": True,
        "fail_on_quota_errors": True,
        "store_base_path_info": True,
        "delete_destination_extra": True,
        "recursive_symlinks": "keep",
        "notify_on_succeeded": False,
        "notify_on_inactive": False,
        "destination_local_user": "ada2",
        "filter_rules": [
            {
                "DATA_TYPE": "filter_rule",
                "method": "include",
                "type": "file",
                "name": "keep*",
            },
            {"DATA_TYPE": "filter_rule", "method": "exclude", "name": "*"},
        ],
    }


def test_a_form_that_nobody_changed_asks_for_checksums_and_nothing_else(as_ada):
    address = (
        f"{NEW}?origin_id={seed.LAPTOP}&origin_path=/Documents/"
        f"&destination_id={seed.TUTORIAL_2}&destination_path=/~/inbox/"
    )
    document = sent(as_ada, fields(as_ada.get(address)) | {"do": "send"})
    assert {*document} == {
        "DATA_TYPE",
        "DATA",
        "source_endpoint",
        "destination_endpoint",
        "verify_checksum",
    }
    assert document["verify_checksum"] is True


def test_each_option_is_explained(as_ada):
    page = as_ada.get(NEW)
    for name in (*send_options.BOXES, "sync_level", "recursive_symlinks", "deadline"):
        assert explanation(page, f"id_{name}").strip().endswith("."), name


def test_a_deadline_is_meant_in_the_zone_that_is_named(as_ada, filled):
    zone = ZoneInfo("Pacific/Auckland")
    local = datetime(2098, 12, 30, 8, 5, tzinfo=zone)  # no hour that clocks skip
    wishes = {
        "deadline": f"{local:%Y-%m-%dT%H:%M}",
        "deadline_zone": "Pacific/Auckland",
    }
    document = sent(as_ada, filled | wishes)
    assert datetime.fromisoformat(document["deadline"]) == local.astimezone(UTC)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"deadline": "2020-01-01T00:00"}, "deadline", "has passed already"),
        ({"deadline_zone": "Atlantis/Deep"}, "deadline_zone", "no such time zone"),
        (
            {"deadline": "2099-03-29T01:30", "deadline_zone": "Europe/London"},
            "deadline",
            "skip this hour",
        ),
        (
            {"deadline": "0001-01-01T00:00", "deadline_zone": "Asia/Tokyo"},
            "deadline",
            "passed already",
        ),
        ({"label": "x" * 129}, "label", "at most 128"),
        ({"recursive_symlinks": "eat"}, "recursive_symlinks", "available choices"),
        ({"globus_mail": ["always"]}, "globus_mail", "available choices"),
        ({"source_local_user": "x" * 256}, "source_local_user", "at most 255"),
        (
            {"delete_destination_extra": "on", "skip_source_errors": "on"}
            | {"delete_confirm": "inbox"},
            "skip_source_errors",
            "would count as gone",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(as_ada, filled, change, field, words):
    answer = as_ada.post(NEW, filled | change)
    page = text_of(answer)
    assert not Transfer.objects.exists()
    assert re.search(f'id="id_{field}_error">.*?{words}', page), said(answer)
    assert fields(answer)["label"] == [change.get("label", "documents")]


def test_options_about_folders_are_refused_for_files(as_ada, filled):
    only_files = filled | {
        "item": ["/Documents/paper.tex"],
        "recursive_symlinks": "copy",
        "rule_what": "exclude",
        "rule_name": "*.tmp",
        "delete_destination_extra": "on",
        "delete_confirm": "inbox",
    }
    found = said(as_ada.post(NEW, only_files))
    assert len([each for each in found if "only files are sent" in each]) == 3


# --- what a collection wants


def second_has(monkeypatch, policy):
    from globus_sdk import TransferClient

    asked = TransferClient.get_endpoint

    def changed(self, endpoint_id, *args, **kwargs):
        answer = asked(self, endpoint_id, *args, **kwargs)
        if str(endpoint_id) == seed.TUTORIAL_2:
            answer.data.update(policy)
        return answer

    monkeypatch.setattr(TransferClient, "get_endpoint", changed)


def test_encryption_that_a_collection_wants_is_said_and_sent(
    as_ada, filled, monkeypatch
):
    name = "turned\u202eround"
    second_has(monkeypatch, {"force_encryption": True, "display_name": name})
    sides = {key: filled[key] for key in ("origin_id", "destination_id")}
    page = text_of(as_ada.get(NEW, sides))
    assert "“turnedU+202Eround” wants everything encrypted" in page
    as_ada.post(NEW, filled)
    assert Transfer.objects.get().document["encrypt_data"] is True


@pytest.mark.parametrize(
    ("policy", "change", "field", "words"),
    [
        ({"force_verify": True}, {"verify_checksum": ""}, "verify_checksum", "always"),
        ({"disable_verify": True}, {}, "verify_checksum", "cannot verify"),
        (
            {"disable_verify": True},
            {"verify_checksum": "", "sync_level": "3"},
            "sync_level",
            "no checksums to compare",
        ),
        (
            {"entity_type": "GCSv5_guest_collection"},
            {"destination_local_user": "ada"},
            "destination_local_user",
            "no mapped collection",
        ),
    ],
)
def test_the_rules_of_a_collection_are_held(
    as_ada, filled, monkeypatch, policy, change, field, words
):
    second_has(monkeypatch, policy)
    form = {k: v for k, v in (filled | change).items() if v}
    answer = as_ada.post(NEW, form)
    assert re.search(f'id="id_{field}_error">.*?{words}', text_of(answer))
    assert "Globus Tutorial Collection 2" in " ".join(said(answer))
    assert not Transfer.objects.exists()


# --- deleting at the destination


@pytest.mark.parametrize(
    "typed", ["", "yes", "Globus Tutorial Collection", "inbo", "/"]
)
def test_deleting_is_refused_until_the_name_is_typed(as_ada, filled, typed):
    form = filled | {"delete_destination_extra": "on", "delete_confirm": typed}
    answer = as_ada.post(NEW, form)
    assert re.search('id="id_delete_confirm_error"', text_of(answer))
    assert not Transfer.objects.exists()


@pytest.mark.parametrize(
    "typed", ["inbox", "/~/inbox/", "/~/inbox", "Globus Tutorial Collection 2 "]
)
def test_deleting_goes_with_the_name_of_the_collection_or_folder(as_ada, filled, typed):
    form = filled | {"delete_destination_extra": "on", "delete_confirm": typed}
    assert sent(as_ada, form)["delete_destination_extra"] is True


# --- filter rules


def rules_on(answer):
    found = fields(answer)
    return [*zip(found.get("rule_what", []), found.get("rule_name", []), strict=True)]


def test_rules_are_added_moved_and_removed_without_a_script(as_ada, filled):
    form = filled | {"rule_what": ["exclude", "include"], "rule_name": ["a", "b"]}
    a, b = ("exclude", "a"), ("include", "b")
    for press, after in [
        ("rule-add", [a, b, ("exclude", "")]),
        ("rule-down:0", [b, a]),
        ("rule-up:1", [b, a]),
        ("rule-up:0", [a, b]),
        ("rule-down:1", [a, b]),
        ("rule-remove:0", [b]),
        ("rule-remove:7", [a, b]),
        ("rule-remove:x", [a, b]),
        ("rule-up:-1", [a, b]),
    ]:
        answer = as_ada.post(NEW, form | {"do": press})
        assert rules_on(answer) == after, press
        assert fields(answer)["label"] == ["documents"]
    assert not Transfer.objects.exists()


@pytest.mark.parametrize(
    ("what", "name", "words"),
    [
        ("exclude", "a/b", "not at paths"),
        ("exclude", "a\x00b", "control character"),
        ("exclude", "x" * 256, "longer than 255"),
        ("burn", "*", "Choose what is done"),
    ],
)
def test_a_rule_that_cannot_be_used_is_marked(as_ada, filled, what, name, words):
    answer = as_ada.post(NEW, filled | {"rule_what": what, "rule_name": name})
    found = " ".join(said(answer))
    assert words in found
    assert "marked below" in found
    assert not Transfer.objects.exists()


@pytest.fixture
def odd_folder(stack):
    """A folder with a file whose name no form can hold, and one of another name."""
    folder = stack.folder / "sandbox" / "collections" / seed.LAPTOP / "odd"
    folder.mkdir()
    for name in ("line\nbreak.txt", "plain.txt"):
        (folder / name).write_bytes(b"odd\n")
    yield folder
    shutil.rmtree(folder)


def picks(browser, *wanted):
    """Fields of the files page: what is picked in the folder of that fixture."""
    where = {"id": seed.LAPTOP, "path": "/odd/"}
    rows = browser.get("/files/rows/", where).json()
    names = [each if isinstance(each, str) else each[0] for each in rows["texts"]]
    return {
        "origin_id": seed.LAPTOP,
        "origin_path": "/odd/",
        "stamp": rows["stamp"],
        "pick": [rows["numbers"][names.index(each)] for each in wanted],
        "destination_id": seed.TUTORIAL_2,
        "destination_path": "/~/inbox/",
    }


def test_a_name_that_no_form_can_hold_is_sent_as_it_is(as_ada, filled, odd_folder):
    odd = "line\nbreak.txt"
    page = as_ada.post(NEW, picks(as_ada, odd, "plain.txt"))
    assert "2 items picked" in text_of(page)
    assert "cannot be sent" not in text_of(page)
    rows = sent(as_ada, fields(page) | {"do": "send"})["DATA"]
    assert [row["source_path"] for row in rows] == [f"/odd/{odd}", "/odd/plain.txt"]
    assert rows[0]["destination_path"] == f"/~/inbox/{odd}"
    assert rows[0]["recursive"] is False


def test_a_pick_that_cannot_be_sent_does_not_become_its_whole_folder(
    as_ada, odd_folder, monkeypatch
):
    form = picks(as_ada, "plain.txt")
    monkeypatch.setattr("transfers.picking.is_text", lambda name: False)
    answer = as_ada.post(NEW, form | {"back": "/files/?origin_id=x"})
    assert (answer.status_code, answer["Location"]) == (302, "/files/?origin_id=x")


def test_fifty_rules_and_sixty_picks_fit_into_the_form(as_ada, filled, settings):
    form = filled | {
        "item": [f"/Documents/f{n}/" for n in range(150)],
        "rule_what": ["exclude"] * 50,
        "rule_name": [f"*.{n}" for n in range(50)],
    }
    # As it comes from another page; what the form itself then sends is counted.
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 400
    answer = as_ada.post(NEW, form | {"do": "preview"})
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
    document = sent(as_ada, fields(answer) | {"do": "send"})
    assert len(document["filter_rules"]) == 50
    assert len(document["DATA"]) == 150


def test_the_preview_says_what_matches_from_one_listing(as_ada, filled, sandbox):
    sandbox.generate(seed.LAPTOP, "/many", 30)
    before = len(sandbox.requests("*/ls"))
    form = filled | {"origin_path": "/many/", "rule_what": ["exclude file"]}
    page = text_of(as_ada.post(f"{NEW}preview/", form | {"rule_name": ["*7.dat"]}))
    assert re.search(r"<strong>27</strong> go along.*<strong>3</strong> left out", page)
    page = text_of(as_ada.post(f"{NEW}preview/", form | {"rule_name": ["*"]}))
    assert "<strong>30</strong> left out" in page
    whole = as_ada.post(NEW, form | {"rule_name": ["*7.dat"], "do": "preview"})
    assert "<strong>27</strong> go along" in text_of(whole)
    assert rules_on(whole) == [("exclude file", "*7.dat")]
    assert len(sandbox.requests("*/ls")) == before + 1


def test_the_preview_shows_hostile_names_inert(as_ada, filled):
    form = filled | {"origin_id": seed.LAPTOP, "do": "preview"}
    form |= {"rule_what": "exclude", "rule_name": "<img src=x onerror=alert(1)>"}
    page = as_ada.post(NEW, form).content.decode()
    assert "<img src=x" not in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origin_id": ""}, "Choose a folder to send first"),
        ({"origin_path": "/Documents/paper.tex"}, "Choose a folder to send first"),
        ({"origin_path": "/nowhere/"}, "not"),
        ({"origin_path": "/a/../b/"}, "not allowed in a path"),
    ],
)
def test_the_preview_says_why_there_is_none(as_ada, filled, change, words):
    form = filled | {"rule_what": "exclude", "rule_name": "*"} | change
    answer = as_ada.post(f"{NEW}preview/", form)
    assert answer.status_code == 200
    assert words in text_of(answer)


def test_the_preview_says_which_rule_cannot_be_used(as_ada, filled):
    form = filled | {"rule_what": ["exclude", "exclude"], "rule_name": ["*.a", "a/b"]}
    page = text_of(as_ada.post(f"{NEW}preview/", form))
    assert "Rule 2: Write a name without “/”" in page


def test_rules_that_do_what_few_expect_have_a_hint():
    include, rest = Rule("include", "*.csv"), Rule("exclude file", "*")
    assert "all is copied" in filters.hints([include])[0]
    assert filters.hints([include, rest]) == []
    assert "Rule 1 fits every name" in filters.hints([Rule("exclude", "*"), include])[0]


# --- several paths at once


def test_a_batch_as_a_table(as_ada, filled):
    form = filled | {
        "mode": "table",
        "row_source": ["paper.tex", "/Documents/figures/", ""],
        "row_destination": ["b.txt", "pictures/", ""],
        "row_kind": ["file", "dir", ""],
    }
    rows = sent(as_ada, form)["DATA"]
    assert [
        (r["source_path"], r["destination_path"], r["recursive"]) for r in rows
    ] == [
        ("/Documents/paper.tex", "/~/inbox/b.txt", False),
        ("/Documents/figures/", "/~/inbox/pictures/", True),
    ]


def test_rows_are_added_and_removed_without_a_script(as_ada, filled):
    first = fields(as_ada.post(NEW, filled | {"do": "mode-table"}))
    assert first["mode"] == ["table"]
    form = filled | {"mode": "table", "row_source": ["a", "b"]}
    form |= {"row_destination": ["c", "d"], "row_kind": ["", "dir"]}
    more = fields(as_ada.post(NEW, form | {"do": "row-add"}))
    assert more["row_source"] == ["a", "b", ""]
    less = fields(as_ada.post(NEW, form | {"do": "row-remove:0"}))
    assert (less["row_source"], less["row_kind"]) == (["b"], ["dir"])


def test_a_bad_row_is_marked_and_the_rest_kept(as_ada, filled):
    form = filled | {
        "mode": "table",
        "row_source": ["a", "b/../c", "d"],
        "row_destination": ["x", "y", ""],
        "row_kind": ["", "", ""],
    }
    answer = as_ada.post(NEW, form)
    found = " ".join(said(answer))
    assert "Line 2: b/../c" in found
    assert "Line 3: " in found
    assert fields(answer)["row_source"] == ["a", "b/../c", "d"]
    assert not Transfer.objects.exists()


BATCH = """# what the cli reads
--recursive 'run 1/' runs/1/
--external-checksum abc123 data.bin data.bin

/elsewhere/paper.tex paper.tex
"""


def test_a_batch_as_text(as_ada, filled):
    below = filled | {"origin_path": "/not made yet/"}
    rows = sent(as_ada, below | {"mode": "text", "batch_text": BATCH})["DATA"]
    assert [row["source_path"] for row in rows] == [
        "/not made yet/run 1/",
        "/not made yet/data.bin",
        "/elsewhere/paper.tex",
    ]
    assert rows[1]["external_checksum"] == "abc123"
    assert "recursive" not in rows[2]


def test_bad_lines_are_said_with_their_numbers_and_stay(as_ada, filled):
    text = 'good there\n\nonly-one\n"open quote\n-x a b\n<b>bold</b> a b\n'
    answer = as_ada.post(NEW, filled | {"mode": "text", "batch_text": text})
    found = said(answer)
    assert [each.partition(":")[0] for each in found] == [
        "Line 3",
        "Line 4",
        "Line 5",
        "Line 6",
    ]
    assert fields(answer)["batch_text"] == [text]
    assert not Transfer.objects.exists()


def test_two_lines_with_one_destination_are_said(as_ada, filled):
    text = "a x\n# again\nb x\n"
    found = said(as_ada.post(NEW, filled | {"mode": "text", "batch_text": text}))
    assert found == ["Line 3: It would arrive where line 1 does: x"]


def test_a_line_onto_itself_is_said(as_ada, filled):
    form = filled | {"destination_id": seed.LAPTOP, "mode": "text"}
    found = said(as_ada.post(NEW, form | {"batch_text": "/a /b\n/c/ /c/d/\n"}))
    assert ["inside the source /c/" in each for each in found] == [True]
    found = said(as_ada.post(NEW, form | {"batch_text": "/a /a\n"}))
    assert ["are the same: /a" in each for each in found] == [True]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--no-recursive figures figures", "says that it is a file"),
        ("--recursive paper.tex paper.tex", "says that it is a folder"),
        ("paper.tex/ paper/", "says that it is a folder"),
        ("nothing.tex nothing.tex", "nothing at this path"),
    ],
)
def test_a_line_that_its_folder_contradicts_is_said(
    as_ada, filled, sandbox, line, words
):
    text = f"# first\npaper.tex good\n{line}\n"
    before = len(sandbox.requests("*/ls"))
    found = said(as_ada.post(NEW, filled | {"mode": "text", "batch_text": text}))
    assert len(found) == 1
    assert found[0].startswith("Line 3: /Documents/")
    assert words in found[0]
    assert len(sandbox.requests("*/ls")) == before + 1
    assert not Transfer.objects.exists()


def test_lines_of_several_folders_are_looked_at_in_each(as_ada, filled, sandbox):
    text = (
        "--no-recursive /Documents/figures one\n/nowhere/x two\n"
        "--no-recursive /Documents/paper.tex three\n/~/nothing.txt four\n"
    )
    found = said(as_ada.post(NEW, filled | {"mode": "text", "batch_text": text}))
    assert [each.split(": ")[0] for each in found] == ["Line 1", "Line 4"]
    assert "/Documents/figures: This is a folder" in found[0]
    assert "/~/nothing.txt: There is nothing at this path" in found[1]
    assert not Transfer.objects.exists()


def test_of_many_folders_a_few_are_looked_at(as_ada, filled, sandbox, monkeypatch):
    text = "".join(f"/home/ada/{n}/x y{n}\n" for n in range(looking.MOST_FOLDERS * 2))
    before = len(sandbox.requests("*/ls"))
    sent(as_ada, filled | {"mode": "text", "batch_text": text})
    asked = len(sandbox.requests("*/ls")) - before
    assert asked == looking.MOST_FOLDERS

    monkeypatch.setattr(looking, "LOOKING_SECONDS", 0)
    fresh = filled | {"transfer_id": str(uuid4())}
    sent(as_ada, fresh | {"mode": "text", "batch_text": text.replace(" y", " z")})
    assert len(sandbox.requests("*/ls")) == before + asked, "the page has to come"


def test_a_collection_that_does_not_answer_is_left_to_the_submission(
    as_ada, filled, sandbox
):
    sandbox.fault("/transfer/v0.10/operation/endpoint/*/ls", status=502, times=9)
    before = len(sandbox.requests("*/ls"))
    text = "".join(f"/home/{n}/x y{n}\n" for n in range(4))
    sent(as_ada, filled | {"mode": "text", "batch_text": text})
    assert len(sandbox.requests("*/ls")) - before <= 2, "asked of one folder alone"


def test_a_line_about_a_file_newer_than_the_kept_listing_is_good(as_ada, filled, stack):
    text = "new.txt there\n"
    form = filled | {"mode": "text", "batch_text": text}
    assert "nothing at this path" in said(as_ada.post(NEW, form))[0]
    collection = stack.folder / "sandbox" / "collections" / seed.LAPTOP
    new = collection / "Documents" / "new.txt"
    new.write_text("x")
    try:
        assert sent(as_ada, form)["DATA"][0]["source_path"] == "/Documents/new.txt"
    finally:
        new.unlink()


def test_a_file_is_read_into_the_form_and_nothing_is_sent(as_ada, filled):
    given = SimpleUploadedFile("batch.txt", ("\ufeff" + BATCH).encode())
    answer = as_ada.post(NEW, filled | {"do": "mode-file", "batch_file": given})
    assert fields(answer)["batch_text"] == [BATCH]
    assert fields(answer)["label"] == ["documents"]
    assert not Transfer.objects.exists()


def test_a_file_that_is_no_text_is_shown_and_marked(as_ada, filled):
    given = SimpleUploadedFile("batch.bin", b"a\xff\x00b c\n")
    answer = as_ada.post(NEW, filled | {"do": "mode-file", "batch_file": given})
    assert answer.status_code == 200
    assert "not all UTF-8" in text_of(answer)


def test_text_becomes_a_table_and_back(as_ada, filled):
    text = "--recursive a/ b/\n'c d' e\n"
    form = filled | {"mode": "text", "batch_text": text}
    table = fields(as_ada.post(NEW, form | {"do": "mode-table"}))
    assert table["row_source"] == ["a/", "c d"]
    back = fields(as_ada.post(NEW, table | {"do": "mode-text"}))
    assert back["batch_text"] == [text]
    half = table | {"row_destination": ["b/", ""]}
    kept = fields(as_ada.post(NEW, half | {"do": "mode-text"}))
    assert kept["batch_text"] == ["--recursive a/ b/\n'c d' ''\n"]


@pytest.mark.parametrize(
    "text",
    ["a b\n" * (MOST_ROWS + 1), "only-one\n", "--external-checksum ab a b\n"],
)
def test_what_a_table_cannot_say_stays_text(as_ada, filled, text):
    form = filled | {"mode": "text", "batch_text": text, "do": "mode-table"}
    answer = as_ada.post(NEW, form)
    assert "A table has no room for these" in text_of(answer)
    assert fields(answer)["batch_text"] == [text]


def test_a_batch_that_is_too_long_is_refused_and_one_of_thousands_is_not(
    as_ada, filled
):
    lines = "".join(f"in{n % 2}/{n}.dat out/{n}.dat\n" for n in range(4000))
    form = filled | {"mode": "text", "batch_text": lines}
    assert len(sent(as_ada, form)["DATA"]) == 4000
    for text in (lines * 3, "ø" * 30_000 + " b\n"):
        answer = as_ada.post(NEW, form | {"batch_text": text})
        assert "which a form cannot keep" in " ".join(said(answer))
        assert fields(answer)["batch_text"] == [text]


def test_the_longest_batch_outlives_a_session(as_ada, filled, sandbox):
    text = "".join(f"a{n}/ä{n}.dat b/{n}.dat\n" for n in range(4200))
    Session.objects.all().delete()
    answer = as_ada.post(NEW, filled | {"mode": "text", "batch_text": text})
    where = answer["Location"].partition("next=")[2]
    back = sign_in(as_ada, sandbox, "ada", next=where)
    done = go_on(as_ada, as_ada.get(back["Location"]))
    assert done.status_code == 302, said(done)
    assert Transfer.objects.get().items_count == 4200


# --- sent again with changes


def test_everything_of_a_transfer_comes_back_into_the_form(as_ada, filled):
    until = timezone.now() + timedelta(days=3)
    wishes = {
        "sync_level": "3",
        "skip_source_errors": "on",
        "fail_on_quota_errors": "on",
        "store_base_path_info": "on",
        "cancel_if_stalled": "on",
        "recursive_symlinks": "copy",
        "globus_mail": ["inactive"],
        "deadline": f"{until:%Y-%m-%dT%H:%M}",
        "rule_what": ["include dir", "exclude"],
        "rule_name": ["a*", "b?"],
        "destination_local_user": "ada2",
    }
    del filled["verify_checksum"]
    document = sent(as_ada, filled | wishes)
    [first] = Transfer.objects.all()
    page = fields(as_ada.get(f"{NEW}?again_of={first.pk}"))
    assert "verify_checksum" not in page
    again = sent(as_ada, page | {"do": "send"})
    assert again == document
    second = Transfer.objects.exclude(pk=first.pk).get()
    assert second.again_of == first
    assert second.cancel_if_stalled


def test_what_the_folders_cannot_say_comes_back_as_lines(as_ada, filled):
    below = filled | {"origin_path": "/not made yet/"}
    document = sent(as_ada, below | {"mode": "text", "batch_text": BATCH})
    [first] = Transfer.objects.all()
    page = as_ada.get(f"{NEW}?again_of={first.pk}")
    assert sent(as_ada, fields(page) | {"do": "send"})["DATA"] == document["DATA"]


def test_deleting_has_to_be_typed_again(as_ada, filled):
    form = filled | {"delete_destination_extra": "on", "delete_confirm": "inbox"}
    sent(as_ada, form)
    [first] = Transfer.objects.all()
    page = fields(as_ada.get(f"{NEW}?again_of={first.pk}"))
    assert page["delete_destination_extra"] == ["on"]
    assert page["delete_confirm"] == [""]


def test_a_deadline_that_has_passed_is_left_out(as_ada):
    transfer = make_transfer(person("ada"))
    transfer.document["deadline"] = "2020-01-01T00:00:00+00:00"
    assert "deadline" not in form_data(transfer)


def test_nothing_is_lost_when_a_consent_is_asked_for(as_ada, filled, sandbox):
    form = filled | {
        "do": "list-destination",
        "destination_id": seed.RESEARCH,
        "destination_path": "/home/ada/",
        "rule_what": ["exclude", "include"],
        "rule_name": ["*.tmp", ODD],
        "mode": "text",
        "batch_text": BATCH,
        "recursive_symlinks": "copy",
        "globus_mail": ["failed"],
    }
    page = text_of(as_ada.post(NEW, form))
    back = go_on(as_ada, consent(as_ada, sandbox, page, "ada"))
    found = fields(back)
    for name in ("rule_what", "rule_name", "globus_mail"):
        assert found[name] == form[name]
    assert found["batch_text"] == [BATCH]
    assert found["recursive_symlinks"] == ["copy"]


def test_nothing_is_lost_when_the_session_is_gone(as_ada, filled, sandbox):
    form = filled | {"rule_what": ["exclude"], "rule_name": ["*.tmp"]}
    form |= {"recursive_symlinks": "copy", "globus_mail": ["failed"]}
    Session.objects.all().delete()
    answer = as_ada.post(NEW, form)
    where = answer["Location"].partition("next=")[2]
    back = sign_in(as_ada, sandbox, "ada", next=where)
    done = go_on(as_ada, as_ada.get(back["Location"]))
    assert done.status_code == 302, said(done)
    document = Transfer.objects.get().document
    assert document["filter_rules"][0]["name"] == "*.tmp"
    assert document["recursive_symlinks"] == "copy"
    assert document["notify_on_succeeded"] is False


# --- templates


OPTIONS = {
    "do": "template-save",
    "template_name": "Nightly mirror",
    "sync_level": "1",
    "encrypt_data": "on",
    "recursive_symlinks": "keep",
    "globus_mail": ["failed"],
    "rule_what": ["exclude"],
    "rule_name": ["*.tmp"],
}


def keep(browser, filled, **change):
    answer = browser.post(NEW, filled | OPTIONS | change)
    assert answer.status_code == 200
    return answer


def test_options_are_kept_and_filled_in_again(as_ada, filled):
    page = keep(as_ada, filled)
    assert "“Nightly mirror” is kept" in text_of(page)
    assert fields(page)["origin_path"] == ["/Documents/"]
    template = person("ada").transfer_templates.get()
    assert not template.has_places
    address = f"{NEW}?template={template.pk}&origin_id={seed.LAPTOP}"
    found = fields(as_ada.get(address))
    assert found["origin_id"] == [seed.LAPTOP]
    assert found["origin_path"] == [""]
    chosen = filled | {"template": str(template.pk), "do": "template-use"}
    filled_in = fields(as_ada.post(NEW, chosen | {"fail_on_quota_errors": "on"}))
    assert filled_in["origin_path"] == ["/Documents/"]
    for page in (found, filled_in):
        assert page["rule_name"] == ["*.tmp"]
        assert page["globus_mail"] == ["failed"]
        assert page["sync_level"] == ["1"]
        assert page["encrypt_data"] == ["on"]
        assert "fail_on_quota_errors" not in page


def test_places_are_kept_if_wanted(as_ada, filled):
    keep(as_ada, filled, template_places="on")
    template = person("ada").transfer_templates.get()
    found = fields(as_ada.get(f"{NEW}?template={template.pk}"))
    for name in ("origin_id", "origin_path", "destination_id", "destination_path"):
        assert found[name] == [filled[name]]
    assert "Options, collections and folders" in text_of(
        as_ada.get("/transfers/templates/")
    )


def test_a_name_that_is_taken_is_said_and_replaced_if_wanted(as_ada, filled):
    keep(as_ada, filled)
    page = keep(as_ada, filled, sync_level="3")
    assert "You have a template of this name" in " ".join(said(page))
    assert fields(page)["template_name"] == ["Nightly mirror"]
    keep(as_ada, filled, sync_level="3", template_replace="on")
    assert person("ada").transfer_templates.get().fields["sync_level"] == ["3"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "nul\0"])
def test_a_name_that_cannot_be_is_said(as_ada, filled, name):
    assert said(keep(as_ada, filled, template_name=name))
    assert not person("ada").transfer_templates.exists()


def test_odd_text_is_kept_as_far_as_a_database_can(as_ada, filled):
    keep(as_ada, filled, label="nul\0", template_name=ODD)
    page = as_ada.get("/transfers/templates/").content.decode()
    assert "<b>" not in page
    assert "\u202e" not in page


def test_templates_end_at_a_hundred(as_ada, filled, monkeypatch):
    monkeypatch.setattr("transfers.templates_kept.MOST_TEMPLATES", 1)
    keep(as_ada, filled)
    page = keep(as_ada, filled, template_name="another")
    assert "No more templates" in " ".join(said(page))


def test_a_template_is_renamed_and_deleted(as_ada, filled):
    keep(as_ada, filled)
    keep(as_ada, filled, template_name="other")
    template = person("ada").transfer_templates.get(name="other")
    address = f"/transfers/templates/{template.pk}/"
    page = text_of(as_ada.post(address, {"name": "Nightly mirror"}))
    assert "You have a template of this name" in page
    assert as_ada.post(address, {"name": "weekly"}).status_code == 302
    assert "weekly" in text_of(as_ada.get("/transfers/templates/"))
    assert "Delete “" in text_of(as_ada.get(f"{address}delete/"))
    as_ada.post(f"{address}delete/")
    assert person("ada").transfer_templates.count() == 1


def test_templates_are_their_persons_alone(as_ada, filled, visit):
    keep(as_ada, filled)
    template = person("ada").transfer_templates.get()
    grace = visit("grace")
    address = f"/transfers/templates/{template.pk}/"
    assert "Nightly mirror" not in text_of(grace.get("/transfers/templates/"))
    assert grace.get(address).status_code == 404
    assert grace.post(f"{address}delete/").status_code == 404
    page = fields(grace.get(f"{NEW}?template={template.pk}"))
    assert "rule_name" not in page


def test_the_fields_of_a_form_are_bounded(as_ada, filled):
    """What nobody fills in by hand is refused, not believed."""
    for change in (
        {"items": "{"},
        {"items": json.dumps([1, 2])},
        {"items": json.dumps({"a": 1})},
        {"mode": "nonsense"},
        {"mode": "table", "row_source": ["a"]},
        {"transfer_id": "x"},
        {"do": "rule-"},
        {"do": "mode-"},
        {"do": "row-remove:99999999999"},
        {"template": "x", "do": "template-use"},
    ):
        answer = as_ada.post(NEW, filled | {"origin_path": ""} | change)
        assert answer.status_code == 200, change
    assert not Transfer.objects.exists()
