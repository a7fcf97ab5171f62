"""Downloads of what was picked in a folder: one file, several, and what is none."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest

from portal.globus.https_door import FileBrokeOff
from sandbox import seed
from tests.transfers.over_https import address, allowed, content
from transfers import archives, streams
from transfers.archives import member_name

pytestmark = pytest.mark.django_db(transaction=True)

RUN = "/projects/spring-campaign/runs/2026-03-01/"
DOWNLOAD = "/files/download/"
HOSTILE = (
    "<img src=x onerror=alert(1)>.txt",
    '"><svg onload=alert(1)>',
    "a\\..\\..\\evil.exe",
    "=cmd|'calc'!A0",
    "invoice\u202efdp.exe",
    "{{7*7}}",
    "two\nlines",
)


@pytest.fixture
def as_ada(visit, sandbox):
    yield allowed(visit("ada"), sandbox)
    assert streams.open_streams() == 0, "every place is given back"


@pytest.fixture
def root(stack):
    return stack.folder / "sandbox" / "collections" / seed.RESEARCH


def pick(browser, *names, path=RUN, collection=seed.RESEARCH):
    answer = browser.get("/files/rows/", {"id": collection, "path": path})
    page = answer.json()
    texts = [text if isinstance(text, str) else text[0] for text in page["texts"]]
    by_name = dict(zip(texts, page["numbers"], strict=True))
    return {
        "origin_id": collection,
        "origin_path": path,
        "stamp": page["stamp"],
        "pick": [by_name[name] for name in names or texts],
        "back": f"/files/?origin_id={collection}&origin_path={path}",
    }


def opened(answer):
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(content(answer)))
    assert archive.testzip() is None
    return archive


def test_one_file_leads_to_its_own_address(as_ada):
    answer = as_ada.post(DOWNLOAD, pick(as_ada, "run.json"))
    assert answer.status_code == 302
    assert answer["Location"] == address("download", f"{RUN}run.json")


def test_several_files_are_one_archive(as_ada, root):
    answer = as_ada.post(DOWNLOAD, pick(as_ada))
    assert answer["Content-Disposition"] == 'attachment; filename="2026-03-01.zip"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    archive = opened(answer)
    assert archive.namelist() == ["quality.csv", "reads.fastq.gz", "run.json"]
    for info in archive.infolist():
        assert (
            archive.read(info) == (root / RUN.strip("/") / info.filename).read_bytes()
        )
        assert info.date_time > (1980, 1, 1, 0, 0, 0)


def test_folders_are_left_out_and_it_is_said_first(as_ada):
    folder = "/projects/spring-campaign/"
    form = pick(as_ada, "results", "README.md", path=folder)
    page = as_ada.post(DOWNLOAD, form)
    text = page.content.decode()
    assert "Download 1 file?" in text
    assert "1 of what you selected is left out" in text
    answer = as_ada.post(DOWNLOAD, form | {"do": "download"})
    assert answer["Location"] == address("download", f"{folder}README.md")
    page = as_ada.post(DOWNLOAD, pick(as_ada, "results", path=folder))
    assert "None of this can be downloaded" in page.content.decode()


def test_a_collection_without_a_server_says_why_not(visit):
    browser = visit("ada")
    form = pick(browser, "paper.tex", path="/Documents/", collection=seed.LAPTOP)
    answer = browser.post(DOWNLOAD, form)
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "Globus Connect Personal" in text
    assert "origin_path=%2FDocuments%2F" in text  # the transfer begins where they are


def test_too_many_and_too_much_are_a_transfers_work(as_ada, monkeypatch):
    monkeypatch.setattr("transfers.views.picked_files.MOST_FILES", 2)
    assert "too much" in as_ada.post(DOWNLOAD, pick(as_ada)).content.decode()
    monkeypatch.setattr("transfers.views.picked_files.MOST_FILES", 9)
    monkeypatch.setattr("transfers.views.picked_files.MOST_BYTES", 1000)
    assert "too much" in as_ada.post(DOWNLOAD, pick(as_ada)).content.decode()


def test_w04_hostile_names_are_names_and_no_paths(as_ada, root):
    folder = root / "home" / "ada" / "odd"
    folder.mkdir()
    try:
        for name in HOSTILE:
            (folder / name).write_bytes(name.encode())
        form = pick(as_ada, path="/home/ada/odd/")
        answer = as_ada.post(DOWNLOAD, form | {"do": "download"})
        archive = opened(answer)
        # The one with a line break in it has no path that Globus could be asked for.
        wanted = {name.encode() for name in HOSTILE if "\n" not in name}
        assert {archive.read(each) for each in archive.infolist()} == wanted
        for name in archive.namelist():
            assert name.isprintable()
            assert not set(name) & set('\\/:*?"<>|')
    finally:
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("b.txt", "b.txt"),
        ("A.TXT", "A (2).TXT"),
        ("..", "file (2)"),
        ("a/b", "a_b"),
        (".bashrc", ".bashrc"),
        ("x" * 300, "x" * 200),
        ("lone\ud800", "lone_"),
        ("trailing. ", "trailing"),
    ],
)
def test_w04_names_in_an_archive(name, shown):
    taken = {"a.txt", "file"}
    assert member_name(name, taken) == shown
    assert shown.casefold() in taken


def test_a_file_that_breaks_off_breaks_the_archive_off(as_ada, sandbox):
    sandbox.fault("*/reads.fastq.gz", method="GET", cut_after=10, times=1)
    answer = as_ada.post(DOWNLOAD, pick(as_ada))
    with pytest.raises(FileBrokeOff):
        content(answer)
    answer.close()


def test_a_first_file_that_is_gone_is_a_page(as_ada, sandbox):
    sandbox.fault("*/quality.csv", method="GET", status=404, times=1)
    answer = as_ada.post(DOWNLOAD, pick(as_ada))
    assert answer.status_code == 404
    assert "text/html" in answer["Content-Type"]


def test_an_archive_is_never_held_whole(as_ada, root):
    folder = root / "home" / "ada" / "large"
    folder.mkdir()
    try:
        for number in range(3):
            (folder / f"{number}.bin").write_bytes(bytes(20_000_000))
        answer = as_ada.post(DOWNLOAD, pick(as_ada, path="/home/ada/large/"))
        tracemalloc.start()
        length = sum(len(piece) for piece in answer.streaming_content)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        answer.close()
        assert length > 60_000_000
        assert peak < 5_000_000, peak
    finally:
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()


def test_a_large_member_has_long_sizes(as_ada, monkeypatch):
    monkeypatch.setattr(archives, "_LARGE", 10)
    archive = opened(as_ada.post(DOWNLOAD, pick(as_ada)))
    assert len(archive.namelist()) == 3


def test_a_consent_on_the_way_leads_to_the_page_with_the_button(visit, sandbox):
    from tests.flows import consent, go_on
    from tests.transfers.over_https import consented

    browser = visit("ada")
    consented(
        browser, sandbox, browser.get(f"/files/rows/?id={seed.RESEARCH}&path={RUN}")
    )
    page = browser.post(DOWNLOAD, pick(browser))
    assert page.status_code == 403
    waiting = consent(browser, sandbox, page.content.decode(), "ada")
    answer = go_on(browser, waiting)
    assert "Download 3 files?" in answer.content.decode()
