"""Uploads over a collection's own server, the sandbox's."""

import tracemalloc
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal.globus import https_door
from sandbox import seed, seed_files
from tests.sandbox.waiting import until
from tests.transfers.over_https import address, allowed
from transfers import streams
from transfers.views import uploading

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/home/ada/"
PAGE = address("upload", HOME)


@pytest.fixture
def as_ada(visit, sandbox):
    yield allowed(visit("ada"), sandbox)
    assert streams.open_streams() == 0, "every place is given back"


@pytest.fixture
def root(stack):
    return stack.folder / "sandbox" / "collections" / seed.RESEARCH


def put(browser, name, raw, path=HOME, collection=seed.RESEARCH, **query):
    words = urlencode({"path": path, "name": name, **query})
    return browser.put(
        f"/collections/{collection}/upload/file/?{words}",
        raw,
        content_type="application/octet-stream",
    )


def given(name, raw):
    return SimpleUploadedFile(name, raw)


def test_the_page_says_where_it_goes_and_how_much(as_ada):
    page = as_ada.get(PAGE).content.decode()
    assert "/home/ada/" in page
    assert "100 MiB in all" in page
    assert "multiple" in page


def test_a_form_brings_several_files(as_ada, root):
    files = [given("one.txt", b"1"), given("two.txt", b"22")]
    page = as_ada.post(PAGE, {"file": files}).content.decode()
    assert "Everything has arrived" in page
    assert (root / "home/ada/one.txt").read_bytes() == b"1"
    assert (root / "home/ada/two.txt").read_bytes() == b"22"


def test_nothing_is_replaced_unasked_and_each_file_has_its_sentence(as_ada, root):
    files = [given("notes.txt", b"mine"), given("new.txt", b"new")]
    page = as_ada.post(PAGE, {"file": files}).content.decode()
    assert "Not everything has arrived" in page
    assert "There is a file of this name already. It was left as it is." in page
    assert (root / "home/ada/notes.txt").read_bytes() != b"mine"
    assert (root / "home/ada/new.txt").read_bytes() == b"new"
    as_ada.post(PAGE, {"file": [given("notes.txt", b"mine")], "replace": "yes"})
    assert (root / "home/ada/notes.txt").read_bytes() == b"mine"


def test_a_form_without_files(as_ada):
    assert "No file was chosen" in as_ada.post(PAGE, {}).content.decode()


def test_one_file_by_script(as_ada, root):
    answer = put(as_ada, "data.bin", bytes(range(256)) * 5_000)
    assert (answer.status_code, answer.json()["size_bytes"]) == (201, 1_280_000)
    assert (root / "home/ada/data.bin").read_bytes() == bytes(range(256)) * 5_000
    again = put(as_ada, "data.bin", b"other")
    assert (again.status_code, again.json()["is_there"]) == (409, True)
    assert put(as_ada, "data.bin", b"other", replace="yes").status_code == 201
    assert (root / "home/ada/data.bin").read_bytes() == b"other"


@pytest.mark.parametrize("by_script", [True, False])
def test_the_folder_is_asked_for_again(as_ada, by_script):
    listing = {"id": seed.RESEARCH, "path": HOME}
    before = as_ada.get("/files/rows/", listing).json()["texts"]
    if by_script:
        put(as_ada, "fresh.txt", b"1")
    else:
        as_ada.post(PAGE, {"file": [given("fresh.txt", b"1")]})
    after = as_ada.get("/files/rows/", listing).json()["texts"]
    assert "fresh.txt" not in before
    assert "fresh.txt" in after


def test_an_empty_file(as_ada, root):
    words = urlencode({"path": HOME, "name": "empty"})
    where = f"/collections/{seed.RESEARCH}/upload/file/?{words}"
    assert as_ada.put(where).status_code == 411
    assert as_ada.put(where, CONTENT_LENGTH="0").status_code == 201
    assert (root / "home/ada/empty").read_bytes() == b""


def test_both_ways_need_the_token_of_the_form(as_ada, root, sandbox):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = as_ada.cookies
    sandbox.forget_requests()
    assert put(strict, "x.txt", b"x").status_code == 403
    assert strict.post(PAGE, {"file": [given("x.txt", b"x")]}).status_code == 403
    assert sandbox.requests("/https/*") == []


@pytest.mark.parametrize("name", seed_files.HOSTILE_NAMES)
def test_hostile_names_go_up_exactly_or_not_at_all(as_ada, root, name):
    answer = put(as_ada, name, b"x")
    if "\n" in name:
        assert answer.status_code == 400
    else:
        assert answer.status_code == 201
        assert (root / "home/ada" / name).read_bytes() == b"x"


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\0b", "a\r\nb"])
def test_w03_bad_names_reach_nobody(as_ada, sandbox, name):
    sandbox.forget_requests()
    answer = put(as_ada, name, b"x")
    assert answer.status_code == 400
    assert answer.json()["sentence"]
    assert sandbox.requests("/https/*") == []


def test_a_folder_that_is_not_there(as_ada):
    answer = put(as_ada, "x.txt", b"x", path="/home/ada/nowhere/")
    assert answer.status_code == 404
    assert "Make it first" in answer.json()["sentence"]
    assert as_ada.get(address("upload", "/home/ada/nowhere/")).status_code == 404


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 403}, 403),
        ({"status": 507}, 400),
        ({"status": 503}, 502),
        ({"reset": True}, 502),
        ({"status": 412}, 409),
    ],
)
def test_each_failure_has_its_sentence(as_ada, sandbox, root, fault, status):
    sandbox.fault("/new.txt", method="PUT", **fault)
    answer = put(as_ada, "new.txt", b"x" * 1000)
    assert (answer.status_code, bool(answer.json()["sentence"])) == (status, True)
    assert not (root / "home/ada/new.txt").exists()
    sandbox.clear_faults()
    assert put(as_ada, "new.txt", b"x").status_code == 201, "a retry"


def test_where_nobody_can_tell_it_is_asked(as_ada, sandbox):
    sandbox.fault("/new.txt", method="HEAD", status=403)
    answer = put(as_ada, "new.txt", b"x")
    assert (answer.status_code, answer.json()["is_there"]) == (409, True)
    assert "does not say" in answer.json()["sentence"]


def test_a_consent_that_ended_is_said(as_ada, sandbox):
    sandbox.wipe_tokens(resource_server=seed.RESEARCH)
    answer = put(as_ada, "new.txt", b"x")
    assert (answer.status_code, answer.json()["needs_page"]) == (403, True)


def test_a_dead_token_is_found_before_files_are_chosen(as_ada, sandbox):
    sandbox.wipe_tokens(resource_server=seed.RESEARCH)
    page = as_ada.get(PAGE)
    assert page.status_code == 403
    assert "consent" in page.content.decode()


def test_a_server_that_is_down_is_found_before_files_are_chosen(as_ada, sandbox):
    sandbox.fault("/https/*", status=503)
    assert as_ada.get(PAGE).status_code == 502


@pytest.mark.parametrize("keeps", [False, True])
def test_half_a_file_is_not_taken_for_one(as_ada, root, sandbox, monkeypatch, keeps):
    """The browser went away; and a server may keep what came until then."""
    sandbox.set(https_keeps_incomplete=keeps)
    monkeypatch.setattr(uploading, "_length", lambda request: 1_000_000)
    answer = put(as_ada, "half.bin", b"x" * 500_000)
    assert answer.status_code == 502
    assert "A part of it may be" in answer.json()["sentence"]
    # The server reads on after the portal has given up.
    until(lambda: not sandbox.under_way(), "the end of the request")
    assert (root / "home/ada/half.bin").exists() is keeps


def test_w08_limits(as_ada, settings, sandbox):
    settings.UPLOAD_BYTES, settings.FORM_UPLOAD_BYTES = 1000, 2_000_000
    sandbox.forget_requests()
    answer = put(as_ada, "large.bin", b"x" * 1001)
    assert (answer.status_code, "1000 bytes" in answer.json()["sentence"]) == (
        413,
        True,
    )
    page = as_ada.post(PAGE, {"file": [given("a", b"x" * 2_100_000)]})
    assert page.status_code == 413
    assert "This is too much at once" in page.content.decode()
    page = as_ada.post("/transfers/new/", {"file": [given("a", b"x" * 1_100_000)]})
    assert page.status_code == 413
    page = Client().post(PAGE, {"file": [given("a", b"x" * 1_100_000)]})
    assert page.status_code == 413, "nothing of a stranger is kept"
    assert sandbox.requests("/https/*") == []


def test_a_large_file_passes_through_little_memory(as_ada, root):
    class Zeros:
        """200 MB that were never anywhere."""

        left = 200_000_000

        def read(self, size=-1):
            size = min(self.left, size if size >= 0 else self.left)
            self.left -= size
            return bytes(size)

        readline = readlines = __iter__ = None

    zeros = Zeros()
    words = urlencode({"path": HOME, "name": "large.bin"})
    tracemalloc.start()
    try:
        answer = as_ada.generic(
            "PUT",
            f"/collections/{seed.RESEARCH}/upload/file/?{words}",
            b"",
            **{"wsgi.input": zeros, "CONTENT_LENGTH": "200000000"},
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 201, answer.content
    assert (root / "home/ada/large.bin").stat().st_size == 200_000_000
    assert peak < 20_000_000


def test_files_of_a_form_have_no_name_on_disk(as_ada, root, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []
    real = https_door.store

    def store(*args, **options):
        seen.append([*tmp_path.iterdir()])
        return real(*args, **options)

    monkeypatch.setattr(https_door, "store", store)
    page = as_ada.post(PAGE, {"file": [given("a.bin", b"x" * 3_000_000)]})
    assert "Everything has arrived" in page.content.decode()
    assert seen == [[]]


def test_who_takes_all_places_is_told_so(as_ada, settings):
    settings.STREAMS_PER_PERSON = 0
    answer = put(as_ada, "x.txt", b"x")
    assert (answer.status_code, answer["Retry-After"]) == (429, "30")
    assert answer.json()["may_try_again"] is True
