"""Looking into an inventory: bounded work for a page, nothing lost in a file."""

from __future__ import annotations

import csv
import io
import json

import pytest

from sandbox import seed
from tests.factories import make_job, make_run
from tests.transfers.jobs.test_inventories import inventory_of, started
from transfers.jobs import chunks, inventories, settling
from transfers.jobs.chunks import GONE, Row
from transfers.jobs.inventories import Wish


@pytest.fixture
def settled(service_account, monkeypatch):
    """``settled(rows, before=rows)``: an inventory of these rows, three to a chunk."""
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 3)
    monkeypatch.setattr(inventories, "PAGE_ROWS", 4)

    def make(rows, before=None):
        run = make_run(make_job(service_account, source_path="/t/"), state="preparing")
        inventory = started(run)
        rows = sorted(rows, key=chunks.by_place)
        monkeypatch.setattr(settling, "rows_here", lambda _: iter(rows))
        earlier = before and settling.Earlier(before, [], settling.changed_since)
        settling.settle(inventory, lambda: None, earlier)
        return inventory

    return make


def file(path, size=1, modified=0):
    folder, _, name = path.rpartition("/")
    return Row(f"{folder}/", name, "file", size, modified)


def paths(rows):
    return [row.path for row in rows]


def all_pages(inventory, wish):
    found, begins = [], ""
    for _ in range(100):
        page = inventories.page(inventory, wish, begins)
        found += page.rows
        begins = page.following
        if not begins:
            return found
    pytest.fail("the pages do not end")


def test_pages_follow_each_other_without_a_gap(settled):
    rows = [file(f"/t/{number:02d}") for number in range(23)]
    inventory = settled(rows)
    assert paths(all_pages(inventory, Wish())) == paths(rows)
    assert len(inventories.page(inventory, Wish()).rows) == 4


@pytest.mark.parametrize("nonsense", ["x", "-1", "9" * 30, "٣"])
def test_a_page_that_nobody_gave_is_the_first(settled, nonsense):
    inventory = settled([file("/t/a")])
    page = inventories.page(inventory, Wish(), nonsense)
    assert paths(page.rows) == ["/t/a"]
    page = inventories.page(inventory, Wish(order="-size"), nonsense)
    assert paths(page.rows) == ["/t/a"]


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("-size", lambda row: (-row.size, row.path)),
        ("size", lambda row: (row.size, row.path)),
        ("-modified", lambda row: (-row.modified, row.path)),
        ("modified", lambda row: (row.modified, row.path)),
    ],
)
def test_other_orders_are_those_of_all_entries(settled, order, key):
    rows = [file(f"/t/{n:02d}", n * 7 % 10, n * 5 % 8) for n in range(30)]
    found = all_pages(settled(rows), Wish(order=order))
    assert paths(found) == paths(sorted(rows, key=key))


def test_an_order_opens_the_promising_chunks_only(settled, monkeypatch):
    inventory = settled([file(f"/t/{n:03d}", size=n) for n in range(120)])
    opened = []
    monkeypatch.setattr(
        inventories,
        "Columns",
        lambda text: opened.append(text) or chunks.Columns(text),
    )
    page = inventories.page(inventory, Wish(order="-size"))
    assert [row.size for row in page.rows] == [119, 118, 117, 116]
    assert len(opened) <= 3


def test_an_order_stops_where_all_are_alike(settled, monkeypatch):
    inventory = settled([file(f"/t/{n:03d}", size=7) for n in range(120)])
    opened = []
    monkeypatch.setattr(
        inventories,
        "Columns",
        lambda text: opened.append(text) or chunks.Columns(text),
    )
    page = inventories.page(inventory, Wish(order="-size"))
    assert paths(page.rows) == [f"/t/{n:03d}" for n in range(4)]
    assert len(opened) <= 3


def test_a_search_looks_in_paths_whatever_the_case(settled):
    rows = [
        file("/t/Ångström/a.txt"),
        file("/t/b/İx"),
        file('/t/c/quo"te\n'),
        file("/t/d/e"),
    ]
    inventory = settled(rows)

    def found(words):
        return paths(all_pages(inventory, Wish(words=words)))

    assert found("ångSTRÖM/A") == ["/t/Ångström/a.txt"]
    assert found('O"T') == ['/t/c/quo"te\n']
    assert found("\n") == ['/t/c/quo"te\n']
    assert found("/t/") == paths(sorted(rows, key=chunks.by_place))
    assert found("t/d/e") == ["/t/d/e"]
    assert found("nothing") == []


def test_a_search_stops_after_so_many_chunks_and_goes_on(settled, monkeypatch):
    monkeypatch.setattr(inventories, "MOST_CHUNKS", 2)
    inventory = settled([file(f"/t/{n:02d}") for n in range(20)] + [file("/t/z")])
    page = inventories.page(inventory, Wish(words="z"))
    assert page.rows == []
    assert page.stopped
    assert paths(all_pages(inventory, Wish(words="z"))) == ["/t/z"]
    sizes = inventories.page(inventory, Wish(words="z", order="size"))
    assert sizes.stopped


def test_a_folder_is_what_lies_in_it_and_not_what_is_called_alike(settled):
    rows = [file(f"/t/{p}") for p in ("a/1", "a/b/2", "a-b/3", "a0/4", "b/5", "a")]
    inventory = settled(rows)
    assert paths(all_pages(inventory, Wish(folder="/t/a/"))) == ["/t/a/1", "/t/a/b/2"]
    assert len(all_pages(inventory, Wish(folder="/t/"))) == 6


def test_types_and_changes(settled):
    before = [file("/t/a.csv"), file("/t/b.txt"), file("/t/gone.csv", size=5)]
    inventory = settled(
        [file("/t/a.csv", size=2), file("/t/b.txt"), file("/t/new.CSV")], before
    )
    assert paths(all_pages(inventory, Wish(type=".csv"))) == ["/t/a.csv", "/t/new.CSV"]
    assert paths(all_pages(inventory, Wish(change="changed"))) == ["/t/a.csv"]
    assert paths(all_pages(inventory, Wish(change="new"))) == ["/t/new.CSV"]
    (gone,) = all_pages(inventory, Wish(change="gone"))
    assert (gone.path, gone.change) == ("/t/gone.csv", GONE)
    assert inventory.bytes_gone == 5


def test_the_folders_of_a_folder_with_all_that_is_below(job, tree):
    tree("a/x", "12345")
    tree("a/b/y", "123")
    tree("c/z", "1234567890")
    inventory = inventory_of(job)
    parts = inventories.parts_of(inventory, "/tree/")
    assert [(row.name, row.tree_bytes, row.tree_files) for row in parts.folders] == [
        ("c", 10, 1),
        ("a", 8, 2),
    ]
    assert [
        row.name for row in inventories.parts_of(inventory, "/tree/a/").folders
    ] == ["b"]
    assert parts.others == 0


def test_a_chunk_gives_back_what_was_put_into_it():
    rows = [
        Row("/a/", "bad\udcff", "file", None, None),
        Row("/a/", 'nul\0\n"\\', "dir", None, 5, "0755", "u", "g", "", "+", 3, 4),
        Row("/a/b/", "link", "file", 2**62, -5, "0644", "u", "g", "../x", "~"),
    ]
    assert [*chunks.unpacked(chunks.packed(rows))] == rows


# --- pages


def read(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_entries_totals_and_changes(visit, job, tree):
    tree("a/one.csv", "12345")
    tree("goes").unlink()
    goes = tree("goes")
    inventory_of(job)
    goes.unlink()
    tree("a/two.csv", "1")
    inventory = inventory_of(job)
    browser = visit("grace")
    address = f"/jobs/runs/{inventory.run_id}/inventory/"
    page = read(browser, address)
    assert "/tree/a/two.csv" in page
    assert "Compared with" in page
    assert '<rect class="bar-part"' in page
    assert ".csv" in page
    gone = read(browser, f"{address}?change=gone")
    assert "/tree/goes" in gone
    assert "/tree/a/two.csv" not in gone
    assert "See the inventory" in read(browser, f"/jobs/runs/{inventory.run_id}/")
    listed = read(browser, f"/jobs/{job.pk}/inventories/")
    assert listed.count(f"/jobs/runs/{inventory.run_id}/inventory/") == 1
    assert "Nothing fits" in read(browser, f"{address}?q=nosuchthing")
    for odd in (
        "?folder=x&order=x&change=x&from=x",
        "?type=",
        "?order=-size&from=99999",
    ):
        read(browser, address + odd)


def test_an_incomplete_inventory_says_what_could_not_be_read(
    visit,
    job,
    tree,
    sandbox,
):
    tree("shut/x")
    tree("open/y")
    browser = visit("grace")
    sandbox.collection(seed.HARVEST, denied_paths=["/tree/shut"])
    from tests.transfers.jobs.test_runs import execute

    run = execute(job)
    page = read(browser, f"/jobs/runs/{run.pk}/inventory/")
    assert "This is not all that there is" in page
    assert "The service account may not read it." in page
    rows = browser.get(f"/jobs/runs/{run.pk}/inventory/not-read.csv").getvalue()
    assert b"/tree/shut/,The service account may not read it." in rows


def test_downloads_are_whole_formula_safe_and_exact(visit, job, tree, stack):
    tree("=1+1.csv")
    (stack.folder / "sandbox" / "collections" / seed.HARVEST / "tree" / "@x\n").mkdir()
    inventory = inventory_of(job)
    browser = visit("grace")
    address = f"/jobs/runs/{inventory.run_id}/inventory/entries"
    answer = browser.get(f"{address}.csv")
    table = [*csv.DictReader(io.StringIO(answer.getvalue().decode(), newline=""))]
    assert [row["name"] for row in table] == ["'=1+1.csv", "'@x\n"]
    assert "attachment" in answer["Content-Disposition"]
    lines = browser.get(f"{address}.jsonl").getvalue().decode().splitlines()
    found = [json.loads(line) for line in lines]
    assert [row["name"] for row in found] == ["=1+1.csv", "@x\n"]
    assert found[0]["size"] == 9
    narrow = browser.get(f"{address}.jsonl?q=%3D1").getvalue().decode().splitlines()
    assert len(narrow) == 1


def test_w01_names_do_nothing_to_the_page(visit, settled):
    names = ("<img src=x onerror=alert(1)>", "a\u202efdp", "x\ny", "'\"{{7*7}}")
    rows = [Row("/t/<b>/", name, "file", 1, 0) for name in names]
    inventory = settled([*rows, Row("/t/", "<b>", "dir", None, 0)])
    browser = visit("grace")
    address = f"/jobs/runs/{inventory.run_id}/inventory/"
    for where in ("", "?folder=/t/<b>/", "?q=<b>", "?order=-size", "?type=<b>"):
        page = read(browser, address + where)
        assert "<img src=x" not in page
        assert "<b>" not in page
        assert "\u202e" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in read(browser, address)


def test_lone_surrogates_are_exact_as_json_and_do_not_stop_a_table(visit, settled):
    inventory = settled([file("/t/bad\udcff")])
    browser = visit("grace")
    address = f"/jobs/runs/{inventory.run_id}/inventory/entries"
    (line,) = browser.get(f"{address}.jsonl").getvalue().splitlines()
    assert json.loads(line)["name"] == "bad\udcff"
    assert "bad\ufffd" in browser.get(f"{address}.csv").getvalue().decode()
    assert "bad\ufffd" in read(browser, f"/jobs/runs/{inventory.run_id}/inventory/")


def test_an_inventory_that_is_not_ready_is_not_shown_as_one(visit, service_account):
    run = make_run(make_job(service_account), state="preparing")
    started(run)
    browser = visit("grace")
    assert "It is not ready yet" in read(browser, f"/jobs/runs/{run.pk}/inventory/")
    assert "Read so far: 0 folders" in read(browser, f"/jobs/runs/{run.pk}/")
    for form in ("csv", "jsonl"):
        answer = browser.get(f"/jobs/runs/{run.pk}/inventory/entries.{form}")
        assert answer.status_code == 404


@pytest.mark.parametrize("what", ["", "entries.csv", "entries.jsonl", "not-read.csv"])
def test_inventories_are_for_staff(visit, client, settled, what):
    inventory = settled([file("/t/a")])
    address = f"/jobs/runs/{inventory.run_id}/inventory/{what}"
    assert client.get(address).status_code == 302
    assert visit("ada").get(address).status_code == 403
    assert visit("grace").get(address).status_code == 200
    listed = f"/jobs/{inventory.job_id}/inventories/"
    assert visit("ada").get(listed).status_code == 403


def test_a_page_asks_the_database_as_often_for_many_entries(
    visit, settled, django_assert_max_num_queries
):
    inventory = settled([file(f"/t/{n:04d}/x{n % 7}.csv") for n in range(300)])
    browser = visit("grace")
    address = f"/jobs/runs/{inventory.run_id}/inventory/"
    read(browser, address)
    with django_assert_max_num_queries(14):
        read(browser, address)
