"""Up- and downloads and previews, with a real browser."""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlencode, urlsplit

import pytest

from sandbox import seed
from tests.browser.site import allow
from tests.browser.test_axe import problems
from tests.browser.test_every_page import wrong_with

HOME = "/home/ada/"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)
ACTS = b"<!doctype html><script>alert(1)</script><img src=x onerror=alert(2)>"
#: runs when a viewer lets a PDF run something
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript"
    b"/JS(app.alert\\(1\\))>>>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"trailer<</Root 1 0 R>>"
)


def place(what, path=HOME):
    return f"/collections/{seed.RESEARCH}/{what}/?{urlencode({'path': path})}"


@pytest.fixture
def uploading(page_of, site):
    def opened(**options):
        page = page_of("ada", **options)
        page.goto(site.url + place("upload"))
        page.get_by_role("button", name="Give consent at Globus").click()
        allow(page, site)
        page.get_by_role("heading", name="Upload files").wait_for()
        return page

    return opened


def file(name, raw):
    return {"name": name, "mimeType": "text/html", "buffer": raw}


def done(page, name):
    page.locator("[data-state=done]", has_text=name).wait_for()


def test_files_go_up_with_progress_and_ask_before_they_replace(uploading, site):
    page = uploading()
    assert page.get_by_role("button", name="Upload").count() == 0, "they go at once"
    chooser = page.get_by_label("Files from your computer")
    chooser.set_input_files(
        [file("big.bin", bytes(8_000_000)), file("notes.txt", b"mine\n")]
    )
    done(page, "big.bin")
    row = page.locator("[data-state=there]", has_text="notes.txt")
    row.get_by_text("It was left as it is").wait_for()
    assert problems(page) == []
    row.get_by_role("button", name="Replace it: notes.txt").click()
    done(page, "notes.txt")
    assert "notes.txt: Uploaded" in page.locator("#announcer").inner_text()
    page.goto(site.url + place("preview", HOME + "notes.txt"))
    assert page.locator("pre").inner_text().strip() == "mine"


def test_a_file_is_cancelled_and_tried_again(uploading, site):
    page = uploading()
    site.sandbox.latency("/slow.bin", 15)
    chooser = page.get_by_label("Files from your computer")
    chooser.set_input_files([file("slow.bin", bytes(1000))])
    page.get_by_role("button", name="Cancel: slow.bin").click()
    page.get_by_text("Cancelled", exact=True).wait_for()
    site.sandbox.clear_faults()
    page.get_by_role("button", name="Try again: slow.bin").click()
    done(page, "slow.bin")


def test_a_failure_has_its_sentence_and_a_way_on(uploading, site):
    page = uploading()
    site.sandbox.fault("/x.txt", method="PUT", status=507, times=1)
    page.get_by_label("Files from your computer").set_input_files([file("x.txt", b"x")])
    page.get_by_text("no room for a file of this size").first.wait_for()
    page.get_by_role("button", name="Try again: x.txt").click()
    done(page, "x.txt")


DROP = """() => {
  const target = document.querySelector("[data-upload-drop]");
  const brought = new DataTransfer();
  brought.items.add(new File(["dropped"], "<img src=x onerror=alert(1)>.txt"));
  const options = { dataTransfer: brought, bubbles: true, cancelable: true };
  for (const type of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(type, options));
}"""


def test_files_are_dropped(uploading):
    page = uploading()
    page.evaluate(DROP)
    done(page, "<img src=x onerror=alert(1)>.txt")


def test_without_a_script_the_form_does_it(uploading, site):
    page = uploading(java_script_enabled=False)
    page.get_by_label("Files from your computer").set_input_files(
        [file("plain.txt", b"plain"), file("notes.txt", b"mine")]
    )
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("Not everything has arrived").wait_for()
    page.get_by_label("Replace files that are there already").check()
    page.get_by_label("Files from your computer").set_input_files(
        [file("notes.txt", b"mine")]
    )
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("Everything has arrived").wait_for()
    page.goto(site.url + place("preview", HOME + "notes.txt"))
    assert page.locator("pre").inner_text().strip() == "mine"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "notes.txt"
    assert download.value.path().read_bytes() == b"mine"


def test_previews_are_inert_and_fit(uploading, site):
    """Any dialog, or a call on the content policy, fails in ``open_page``."""
    page = uploading(viewport={"width": 390, "height": 844})
    names = ["acts.html", "acts.svg", "dot.png", "paper.pdf", "table.csv"]
    raws = [ACTS, b"<svg onload='alert(1)'>" + ACTS, PNG, PDF, b"a,<b>\n1,=2\n" * 3]
    page.get_by_label("Files from your computer").set_input_files(
        [file(name, raw) for name, raw in zip(names, raws, strict=True)]
    )
    for name in names:
        done(page, name)
    narrow = "document.documentElement.scrollWidth > innerWidth"
    assert not page.evaluate(narrow)
    for name in names:
        page.goto(site.url + place("preview", HOME + name))
        assert wrong_with(page) == [], name
        if name == "dot.png":
            natural = "document.querySelector('.shown-picture').naturalWidth"
            page.wait_for_function(f"{natural} === 1")
    for name in ("dot.png", "paper.pdf"):
        answer = page.request.get(site.url + place("raw", HOME + name))
        assert re.match(
            "sandbox; default-src 'none'", answer.headers["content-security-policy"]
        )
        assert answer.headers["x-content-type-options"] == "nosniff"


def as_in(page, site, path, method="GET"):
    """The bare connection to the portal's own web server, with the page's session."""
    parts = urlsplit(site.url)
    cookies = "; ".join(f"{c['name']}={c['value']}" for c in page.context.cookies())
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    connection.request(method, place("download", path), headers={"Cookie": cookies})
    return connection, connection.getresponse()


def test_a_file_that_breaks_off_is_never_taken_for_a_whole_one(uploading, site):
    page = uploading()
    path = "/projects/telescope/raw/frame-0001.fits"
    connection, answer = as_in(page, site, path, "HEAD")
    assert (answer.status, answer.read()) == (200, b"")
    assert answer.headers["Content-Length"] == "200000"
    connection.close()
    site.sandbox.fault("/frame-0001.fits", method="GET", cut_after=90_000, times=1)
    connection, answer = as_in(page, site, path)
    assert answer.headers["Content-Length"] == "200000"
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()
    connection, answer = as_in(page, site, path)
    assert len(answer.read()) == 200_000
    connection.close()


def test_a_collection_without_a_server(page_of, site):
    page = page_of("ada")
    page.goto(f"{site.url}/collections/{seed.LAPTOP}/upload/")
    page.get_by_role("heading", name="no HTTPS server").wait_for()
    assert problems(page) == []
