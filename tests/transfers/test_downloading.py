"""Downloads and previews over a collection's own server, the sandbox's."""

import tracemalloc
from html import escape
from urllib.parse import quote

import pytest

from portal.globus import https_door
from portal.globus.https_door import FileBrokeOff
from sandbox import seed, seed_files
from tests.transfers.over_https import (
    NOTES,
    NOTES_CONTENT,
    address,
    allowed,
    consented,
    content,
)
from transfers import streams
from transfers.templatetags.places import files_url
from transfers.views.downloading import INERT

pytestmark = pytest.mark.django_db(transaction=True)

READS = "/projects/spring-campaign/runs/2026-03-01/reads.fastq.gz"
SERVED = "/https/*/notes.txt"


@pytest.fixture
def as_ada(visit, sandbox):
    yield allowed(visit("ada"), sandbox)
    assert streams.open_streams() == 0, "every place is given back"


@pytest.fixture
def root(stack):
    return stack.folder / "sandbox" / "collections" / seed.RESEARCH


def test_a_first_download_asks_for_what_the_collection_needs_at_once(visit, sandbox):
    browser = visit("ada")
    page = browser.get(address("download", NOTES))
    answer = consented(browser, sandbox, page)
    assert content(answer) == NOTES_CONTENT


def test_a_file_is_handed_on_as_it_is_and_never_as_a_page(as_ada):
    answer = as_ada.get(address("download", NOTES))
    assert (answer.status_code, content(answer)) == (200, NOTES_CONTENT)
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="notes.txt"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == INERT
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Length"] == str(len(NOTES_CONTENT))
    assert answer["Accept-Ranges"] == "bytes"


def test_the_home_folder_is_found(as_ada):
    assert content(as_ada.get(address("download", "/~/notes.txt"))) == NOTES_CONTENT


@pytest.mark.parametrize("has_head", [True, False])
def test_head_says_what_a_download_would(as_ada, sandbox, has_head):
    sandbox.set(https_head=has_head)
    answer = as_ada.head(address("download", NOTES))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Content-Length"] == str(len(NOTES_CONTENT))
    assert answer["ETag"]


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=4-8", (4, 9)),
        ("bytes=20-", (20, 27)),
        ("bytes=-7", (20, 27)),
        ("bytes=20-999", (20, 27)),
    ],
)
def test_parts(as_ada, wanted, part):
    answer = as_ada.get(address("download", NOTES), headers={"Range": wanted})
    first, end = part
    assert (answer.status_code, content(answer)) == (206, NOTES_CONTENT[first:end])
    assert answer["Content-Range"] == f"bytes {first}-{end - 1}/27"
    assert answer["Content-Length"] == str(end - first)


@pytest.mark.parametrize("odd", ["bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=9-4"])
def test_what_is_no_single_part_gets_the_whole_file(as_ada, odd):
    answer = as_ada.get(address("download", NOTES), headers={"Range": odd})
    assert (answer.status_code, content(answer)) == (200, NOTES_CONTENT)


def test_a_part_behind_the_end(as_ada):
    answer = as_ada.get(address("download", NOTES), headers={"Range": "bytes=99-"})
    assert answer.status_code == 416
    assert answer["Content-Range"] == "bytes */27"


def test_a_server_without_parts_says_so(as_ada, sandbox):
    sandbox.set(https_ranges=False)
    answer = as_ada.get(address("download", NOTES), headers={"Range": "bytes=4-8"})
    assert (answer.status_code, content(answer)) == (200, NOTES_CONTENT)
    assert answer["Accept-Ranges"] == "none"


def test_a_download_that_broke_off_is_resumed(as_ada, sandbox, root):
    whole = (root / READS.lstrip("/")).read_bytes()
    sandbox.fault("/reads.fastq.gz", method="GET", cut_after=100_000, times=1)
    answer = as_ada.get(address("download", READS))
    assert answer["Content-Length"] == str(len(whole))
    pieces = []
    with pytest.raises(FileBrokeOff):
        pieces.extend(answer.streaming_content)
    answer.close()
    had = b"".join(pieces)
    assert had == whole[: len(had)]
    assert len(had) < len(whole)
    rest = as_ada.get(
        address("download", READS),
        headers={"Range": f"bytes={len(had)}-", "If-Range": answer["ETag"]},
    )
    assert rest.status_code == 206
    assert had + content(rest) == whole


def test_a_file_that_changed_meanwhile_comes_whole(as_ada, root):
    etag = as_ada.head(address("download", NOTES))["ETag"]
    (root / NOTES.lstrip("/")).write_bytes(b"Something else by now.\n")
    answer = as_ada.get(
        address("download", NOTES), headers={"Range": "bytes=4-", "If-Range": etag}
    )
    assert (answer.status_code, content(answer)) == (200, b"Something else by now.\n")


def test_a_part_of_another_file_is_not_taken(as_ada, monkeypatch):
    """A server that knows parts but not If-Range."""
    real = https_door._ask

    def ask(method, source, token, headers=None, *rest, **options):
        given = {k: v for k, v in (headers or {}).items() if k != "If-Range"}
        return real(method, source, token, given, *rest, **options)

    monkeypatch.setattr(https_door, "_ask", ask)
    answer = as_ada.get(
        address("download", NOTES), headers={"Range": "bytes=4-", "If-Range": '"old"'}
    )
    assert (answer.status_code, content(answer)) == (200, NOTES_CONTENT)


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ({"status": 404}, 404, "There is no file at this path"),
        ({"status": 403}, 403, "No permission"),
        ({"status": 429, "retry_after": 7}, 503, "too many requests"),
        ({"status": 500}, 502, "does not answer"),
        ({"status": 503}, 502, "does not answer"),
        ({"reset": True}, 502, "does not answer"),
        ({"status": 302}, 403, "consent"),
        ({"status": 204}, 502, "made no sense"),
        ({"status": 418}, 400, "did not take this"),
    ],
)
def test_each_failure_has_its_sentence(as_ada, sandbox, fault, status, words):
    sandbox.fault(SERVED, **fault)
    answer = as_ada.get(address("download", NOTES))
    assert (answer.status_code, words in answer.content.decode()) == (status, True)


@pytest.mark.parametrize("page", ["download", "preview"])
@pytest.mark.parametrize(
    ("path", "folder"),
    [("/home/ada/gone.txt", "/home/ada/"), ("/home/ada/", "/home/ada/"), ("x", "")],
)
def test_a_file_that_is_not_there_leads_to_its_folder(as_ada, page, path, folder):
    answer = as_ada.get(address(page, path))
    assert answer.status_code in (400, 404)
    assert (
        f'href="{escape(files_url(seed.RESEARCH, folder))}"' in answer.content.decode()
    )


def test_an_answer_whose_head_drips_is_not_waited_for(as_ada, sandbox, monkeypatch):
    monkeypatch.setattr(https_door, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(
        https_door._ask, "__kwdefaults__", {"seconds": 0.3}, raising=False
    )
    sandbox.latency(SERVED, 2)
    answer = as_ada.get(address("download", NOTES))
    assert answer.status_code == 502


def test_a_kept_connection_that_was_closed_is_replaced(as_ada, sandbox):
    sandbox.fault(SERVED, reset=True, times=1)
    assert content(as_ada.get(address("download", NOTES))) == NOTES_CONTENT


def test_one_connection_serves_many_downloads(as_ada, monkeypatch):
    made = []
    real = https_door.connected
    monkeypatch.setattr(
        https_door, "connected", lambda *a, **k: made.append(a) or real(*a, **k)
    )
    for _ in range(5):
        content(as_ada.get(address("download", NOTES)))
    assert len(made) <= 1


def test_a_token_that_is_refused_is_renewed_once(as_ada, sandbox):
    sandbox.expire_access_tokens()
    assert content(as_ada.get(address("download", NOTES))) == NOTES_CONTENT


def test_a_dead_token_leads_to_the_consent_and_back(as_ada, sandbox):
    sandbox.wipe_tokens(resource_server=seed.RESEARCH)
    session = as_ada.session
    session["pending_done"] = {}  # the consent was not given a moment ago
    session.save()
    page = as_ada.get(address("download", NOTES))
    answer = consented(as_ada, sandbox, page)
    assert content(answer) == NOTES_CONTENT


def test_a_collection_that_wants_data_access_gets_it(as_ada, sandbox):
    sandbox.set(https_wants_data_access=True)
    assert content(as_ada.get(address("download", NOTES))) == NOTES_CONTENT


@pytest.mark.parametrize("name", [*seed_files.HOSTILE_NAMES])
@pytest.mark.parametrize("what", ["download", "preview"])
def test_hostile_names_are_worked_with_exactly(as_ada, name, what):
    path = f"/projects/odd names/{name}"
    answer = as_ada.get(address(what, path))
    if "\n" in name:
        assert answer.status_code == 400
    elif what == "download":
        assert content(answer) == b"a harmless file\n"
        assert "\n" not in answer["Content-Disposition"]
    else:
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "a harmless file" in text
        assert "<img src=x" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a/../b",
        "/a\0b",
        "/a\r\nSet-Cookie: x",
        "/" + "a" * 4096,
        "relative",
        "/a/",
    ],
)
@pytest.mark.parametrize("what", ["download", "preview", "raw"])
def test_w03_bad_paths_reach_nobody(as_ada, sandbox, path, what):
    sandbox.forget_requests()
    assert as_ada.get(address(what, path)).status_code == 400
    assert sandbox.requests("/https/*") == []


def test_a_protected_collection_says_which_sign_in_it_wants(visit, sandbox):
    browser = visit("ada")
    where = address("download", "/study-001/series.dcm", seed.CLINICAL)
    answer = consented(browser, sandbox, browser.get(where))
    assert len(content(answer)) == 60_000
    answer.close()
    sandbox.advance(3_600)
    page = browser.get(where)
    assert page.status_code == 403
    assert "Sign in with Globus" in page.content.decode()


def test_w06_another_persons_files_are_the_collections_to_refuse(visit, sandbox):
    browser = visit("ada")
    allowed(browser, sandbox)
    answer = browser.get(address("download", "/home/grace/jobs.csv"))
    assert answer.status_code in (403, 404)


def test_a_collection_without_a_server_says_why_and_what_to_do(as_ada):
    for what in ("download", "preview", "upload"):
        page = as_ada.get(address(what, "/Documents/paper.tex", seed.LAPTOP))
        text = page.content.decode()
        assert page.status_code == 409, text
        assert "Globus Connect Personal" in text
        assert "/transfers/new/?" in text


def test_who_takes_all_places_is_told_so(as_ada, settings):
    settings.STREAMS, settings.STREAMS_PER_PERSON = 2, 1
    first = as_ada.get(address("download", NOTES))
    page = as_ada.get(address("download", NOTES))
    assert page.status_code == 429
    assert page["Retry-After"] == "30"
    assert "Try again" in page.content.decode()
    settings.STREAMS_PER_PERSON, settings.STREAMS = 2, 1
    assert as_ada.get(address("download", NOTES)).status_code == 503
    content(first)
    first.close()
    assert content(as_ada.get(address("download", NOTES))) == NOTES_CONTENT


def test_a_browser_that_goes_away_frees_place_and_connection(as_ada, root):
    (root / "home/ada/large.bin").write_bytes(bytes(50_000_000))
    answer = as_ada.get(address("download", "/home/ada/large.bin"))
    next(iter(answer.streaming_content))
    assert streams.open_streams() == 1
    answer.close()
    assert streams.open_streams() == 0


def test_200_mb_pass_through_20(as_ada, root):
    with (root / "home/ada/large.bin").open("wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    try:
        answer = as_ada.get(address("download", "/home/ada/large.bin"))
        total = sum(map(len, answer.streaming_content))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 200_000_000
    assert peak < 20_000_000


# --- previews

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def shown(browser, root, name, raw):
    (root / "home/ada" / name).write_bytes(raw)
    page = browser.get(address("preview", f"/home/ada/{name}"))
    assert page.status_code == 200
    return page.content.decode()


def test_text_table_and_facts(as_ada):
    page = as_ada.get(address("preview", NOTES)).content.decode()
    assert "Ask Grace about the reads." in page
    assert quote(NOTES, safe="") in page, "the way to download it"
    assert "27 bytes" in page
    page = as_ada.get(
        address("preview", "/projects/spring-campaign/results/variants.csv")
    ).content.decode()
    assert '<th scope="col">af</th>' in page
    assert "The first 200 rows are shown." in page


def test_the_first_part_of_a_large_text(as_ada, root, sandbox):
    sandbox.forget_requests()
    page = shown(as_ada, root, "long.log", b"a line\n" * 100_000)
    assert "The first 256 KiB are shown." in page
    assert page.count("a line") == 262_144 // 7


def test_an_empty_file(as_ada, root):
    assert "The file is empty." in shown(as_ada, root, "empty.txt", b"")


def test_a_server_without_parts_is_read_no_further(as_ada, root, sandbox):
    sandbox.set(https_ranges=False)
    page = shown(as_ada, root, "long.log", b"a line\n" * 1_000_000)
    assert "The first 256 KiB are shown." in page


@pytest.mark.parametrize(
    ("name", "raw", "content_type"),
    [
        ("really.html", PNG, "image/png"),
        ("photo", b"\xff\xd8\xff\xe0" + bytes(50), "image/jpeg"),
        ("x.svg", b"GIF89a" + bytes(50), "image/gif"),
        ("x.webp", b"RIFF\0\0\0\0WEBPVP8 " + bytes(50), "image/webp"),
        ("paper.txt", b"%PDF-1.7\n" + bytes(50), "application/pdf"),
    ],
)
def test_bytes_decide_and_not_names(as_ada, root, name, raw, content_type):
    page = shown(as_ada, root, name, raw)
    assert f"/collections/{seed.RESEARCH}/raw/" in page
    answer = as_ada.get(address("raw", f"/home/ada/{name}"))
    assert content(answer) == raw
    assert answer["Content-Type"] == content_type
    assert answer["Content-Security-Policy"] == INERT
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("page.png", b"<!doctype html><script>alert(1)</script>"),
        ("drawing.svg", b"<svg onload='alert(1)' xmlns='http://www.w3.org/2000/svg'/>"),
        ("run.js", b"alert(1)"),
    ],
)
def test_what_could_act_is_shown_as_text_and_served_as_nothing(as_ada, root, name, raw):
    page = shown(as_ada, root, name, raw)
    assert "<script>alert" not in page
    assert "<svg onload" not in page
    assert "alert(1)" in page
    assert as_ada.get(address("raw", f"/home/ada/{name}")).status_code == 415


def test_a_picture_that_is_too_large_is_not_shown(as_ada, root):
    with (root / "home/ada/huge.png").open("wb") as file:
        file.write(PNG)
        file.truncate(21 * 1024 * 1024)
    page = as_ada.get(address("preview", "/home/ada/huge.png")).content.decode()
    assert "too large to be shown" in page
    assert as_ada.get(address("raw", "/home/ada/huge.png")).status_code == 415
