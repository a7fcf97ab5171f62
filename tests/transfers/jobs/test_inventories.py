"""Inventories: what a tree held, and what became of it, told without a gap."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.globus.errors import GlobusUnreachable
from sandbox import seed
from tests.factories import make_job, make_run
from tests.transfers.jobs.test_runs import execute, states
from transfers.jobs import (
    checkpoints,
    listing,
    reading,
    runs,
    settling,
    totals,
    walking,
)
from transfers.jobs.checkpoints import LostClaim
from transfers.jobs.models import Run
from transfers.jobs.settling import rows_in
from transfers.jobs.totals import extension
from transfers.models import Inventory, InventoryChunk, InventoryFolder, InventoryPage
from transfers.sweeping import sweep

GONE = InventoryChunk.Kind.GONE


def inventory_of(job):
    run = execute(job)
    assert run.succeeded, run.says
    return run.inventory


def paths(inventory, kind=InventoryChunk.Kind.HERE):
    return [row.path for row in rows_in(inventory, kind)]


def changes(inventory):
    rows = [*rows_in(inventory), *rows_in(inventory, GONE)]
    return {row.path.removeprefix("/tree/"): row.change for row in rows}


def test_entries_are_sorted_by_folder_and_name_however_deep(tree, job):
    for path in ("b/x", "a/z", "a/b/c/d/e", "a-b/y", "c", "a/b/c0", "B/1", "é/ü"):
        tree(path)
    found = [(row.folder, row.name) for row in rows_in(inventory_of(job))]
    assert found == sorted(found)
    assert len(found) == 8 + 8
    assert ("/tree/a/b/c/d/", "e") in found


def test_counts_and_totals(tree, job):
    tree("a/one.csv", "12345")
    tree("a/b/two.CSV", "123")
    tree("three", "1")
    inventory = inventory_of(job)
    assert (inventory.entries, inventory.files, inventory.folders) == (5, 3, 2)
    assert inventory.bytes == 9
    assert inventory.folders_read == 3
    assert inventory.is_complete
    assert inventory.summary["types"] == [[".csv", 2, 8], ["", 1, 1]]
    below = {row.name: (row.tree_files, row.tree_bytes) for row in rows_in(inventory)}
    assert below["a"] == (2, 8)
    assert below["b"] == (1, 3)


def test_what_the_walk_kept_goes_when_the_inventory_is_ready(tree, job):
    tree("a/b")
    inventory_of(job)
    assert not InventoryFolder.objects.exists()
    assert not InventoryPage.objects.exists()


def test_the_next_inventory_says_what_is_new_changed_and_gone(tree, job):
    stays, grows = tree("a/stays"), tree("a/grows")
    goes, folder = tree("b/goes"), tree("old/x").parent
    first = inventory_of(job)
    assert first.compared_with is None
    assert set(changes(first).values()) == {"?"}

    moment = stays.stat().st_mtime
    grows.write_text("a longer text than before")
    os.utime(stays, (moment, moment))
    goes.unlink()
    (folder / "x").unlink()
    folder.rmdir()
    tree("c/comes", "new")

    second = inventory_of(job)

    assert second.compared_with == first
    assert changes(second) == {
        "a": "=",
        "a/stays": "=",
        "a/grows": "~",
        "b": "=",
        "b/goes": "-",
        "old": "-",
        "old/x": "-",
        "c": "+",
        "c/comes": "+",
    }
    assert (second.new, second.changed, second.gone) == (2, 1, 3)
    assert (second.bytes_new, second.bytes_changed) == (3, 25)
    run = second.run
    assert "2 new, 1 changed, 3 gone" in run.says


def test_nothing_is_gone_from_a_folder_that_could_not_be_read(tree, sandbox, job):
    tree("shut/inner/kept")
    tree("open/goes").unlink()
    tree("open/stays")
    inventory_of(job)
    sandbox.collection(seed.HARVEST, denied_paths=["/tree/shut"])

    run = execute(job)

    assert run.state == "succeeded_with_skips"
    assert "It is incomplete: 1 folder could not be read." in run.says
    inventory = run.inventory
    assert (inventory.folders_unread, inventory.gone) == (1, 0)
    (folder,) = inventory.tree.all()
    assert folder.path_text == "/tree/shut/"
    assert folder.says == "The service account may not read it."
    assert "/tree/shut" in paths(inventory)

    sandbox.collection(seed.HARVEST, denied_paths=[])
    third = inventory_of(job)
    assert third.new == third.gone == 0
    assert changes(third)["shut/inner/kept"] == "?"


def test_a_top_folder_that_cannot_be_read_fails_the_run(tree, sandbox, job):
    tree("a")
    inventory_of(job)
    sandbox.collection(seed.HARVEST, denied_paths=["/tree"])
    run = execute(job)
    assert run.state == "failed"
    assert not Inventory.objects.filter(run=run).exists()
    sandbox.collection(seed.HARVEST, denied_paths=[])
    inventory_of(job)
    assert Inventory.objects.count() == 2, "what the failed run left is gone"


def test_inventories_by_other_rules_are_not_compared(tree, job):
    tree("a/deep")
    inventory_of(job)
    job.recursive = False
    job.save()
    second = inventory_of(job)
    assert second.compared_with is None
    assert second.gone == 0
    assert paths(second) == ["/tree/a"]


def test_depth_and_filters(tree, job, monkeypatch):
    for path in ("a/b/c/d.csv", "a/x.csv", "a/x.tmp", ".hid/y.csv", "skip/z.csv"):
        tree(path)
    rules = {"depth": 2, "filters": {"include": ["*.csv"], "exclude": ["skip"]}}
    rules["filters"]["hidden"] = False
    inputs = job.inputs()
    monkeypatch.setattr(type(job), "inputs", lambda self: inputs | rules)
    assert paths(inventory_of(job)) == ["/tree/a", "/tree/a/b", "/tree/a/x.csv"]


def test_links_are_listed_and_not_followed(tree, job):
    folder = tree("a/file").parent
    (folder / "round").symlink_to("../a", target_is_directory=True)
    inventory = inventory_of(job)
    found = {row.path: row for row in rows_in(inventory)}
    assert set(found) == {"/tree/a", "/tree/a/file", "/tree/a/round"}
    assert found["/tree/a/round"].link_target == "../a"


def test_hostile_names_are_exact(service_account, stack):
    odd = stack.folder / "sandbox" / "collections" / seed.HARVEST / "tree"
    names = {"new\nline", "\u202etxt.exe", "=1+1", "<b>", "tab\t", "ünïcode", "ÿ" * 80}
    for name in names:
        (odd / name).mkdir(parents=True)
        (odd / name / "inner").write_text("x")
    inventory = inventory_of(
        make_job(service_account, source_path="/tree/", recursive=True)
    )
    found = {row.name for row in rows_in(inventory)}
    assert names <= found
    unread = {each.path_text for each in inventory.tree.all()}
    assert unread == {"/tree/new\nline/", "/tree/tab\t/"}
    assert not inventory.is_complete


def test_a_name_that_no_text_encoding_has_stays_as_it_came(service_account):
    run = make_run(make_job(service_account, source_path="/x/"), state="preparing")
    rows = [{"name": "bad\udcff.txt", "type": "file"}, {"name": "nul\0", "type": "dir"}]
    inventory = started(run)
    walk_with(inventory, run, {"/x/": rows})
    settling.settle(inventory, lambda: None, None)
    assert [row.name for row in rows_in(inventory)] == ["bad\udcff.txt", "nul\0"]


def started(run):
    inventory = listing._new(run)
    checkpoints.start(inventory, lambda: None)
    return inventory


class PlayedLister:
    """Stands for the SDK's client: ``{path: rows}``, or a function of the path."""

    def __init__(self, tree):
        self.tree, self.asked = tree, []

    def operation_ls(self, collection_id, *, path, limit, offset, **_):
        self.asked.append((path, offset))
        rows = self.tree(path, offset) if callable(self.tree) else self.tree[path]
        part = rows[offset : offset + limit]
        data = {"DATA": part, "path": path, "total": len(rows)}
        return type("Answer", (), {"data": data})()


def walk_with(inventory, run, tree):
    client = PlayedLister(tree)
    walk = walking.Walk.of(inventory, client, run.service_account, lambda: None)
    walking.read_tree(walk)
    inventory.refresh_from_db()
    return client


def files(names):
    return [{"name": name, "type": "file", "size": 1} for name in names]


def test_a_large_folder_comes_in_several_answers_and_is_merged(
    service_account, monkeypatch
):
    monkeypatch.setattr(reading, "ANSWER_ROWS", 10)
    monkeypatch.setattr(checkpoints, "CHUNK_ROWS", 4)
    run = make_run(make_job(service_account, source_path="/x/"), state="preparing")
    inventory = started(run)
    # Globus's order is not ours.
    names = sorted((f"f{number}" for number in range(35)), key=lambda n: n[::-1])
    client = walk_with(inventory, run, {"/x/": files(names)})
    settling.settle(inventory, lambda: None, None)
    assert [offset for _, offset in client.asked] == [0, 10, 20, 30]
    assert [row.name for row in rows_in(inventory)] == sorted(names)
    assert inventory.entries == 35


def test_a_folder_that_keeps_changing_is_taken_as_it_is_and_said_so(
    service_account, monkeypatch
):
    monkeypatch.setattr(reading, "ANSWER_ROWS", 2)
    run = make_run(make_job(service_account, source_path="/x/"), state="preparing")
    inventory = started(run)

    def grows(path, offset):
        return files(["a", "b", "c", "d"] if offset else ["a", "b", "c"])

    walk_with(inventory, run, grows)
    settling.settle(inventory, lambda: None, None)
    assert not inventory.is_complete
    assert "changed while it was read" in inventory.tree.get().says
    assert [row.name for row in rows_in(inventory)] == ["a", "b", "c", "d"]
    assert inventory.entries == 4


def test_a_tree_without_an_end_stops_and_says_so(service_account, monkeypatch):
    monkeypatch.setattr(walking, "MOST_ENTRIES", 50)
    monkeypatch.setattr(walking, "FOLDERS_AT_ONCE", 1)
    job = make_job(service_account, source_path="/x/", recursive=True)
    run = make_run(job, state="preparing")
    inventory = started(run)
    walk_with(inventory, run, lambda path, offset: [{"name": "x", "type": "dir"}])
    assert inventory.entries == 50
    assert inventory.folders_unread == 1
    assert "stopped at" in inventory.tree.exclude(says="").get().says


def test_a_folder_over_the_limit_of_globus_is_not_empty(tree, sandbox, job):
    for number in range(5):
        tree(f"many/{number}")
    tree("few/1")
    sandbox.set(directory_entries=4)
    run = execute(job)
    assert run.state == "succeeded_with_skips"
    assert "more entries than Globus lists" in run.inventory.tree.get().says
    assert "/tree/few/1" in paths(run.inventory)


def test_a_folder_that_its_server_never_lists_is_left_out(
    tree, sandbox, job, no_pauses, monkeypatch
):
    monkeypatch.setattr(walking, "AT_ONCE", 1)
    tree("a/x")
    tree("b/y")
    run = runs.run_now(job, by=None)
    # The top and the probe of it work; each attempt is one request.
    error = {"code": "ExternalError.DirListingFailed", "message": "I/O error"}
    sandbox.fault("/endpoint/*/ls", status=502, body=error, skip=1, times=3)
    for _ in range(3):
        runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "succeeded_with_skips", run.says
    assert "Three times" in run.inventory.tree.get().says


def test_globus_out_of_reach_keeps_what_was_read(tree, sandbox, job, no_pauses):
    for path in ("a/x", "b/x", "c/x"):
        tree(path)
    run = runs.run_now(job, by=None)
    sandbox.fault("/endpoint/*/ls", status=503, skip=2)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "waiting"
    assert run.inventory.folders_read == 2
    sandbox.clear_faults()
    sandbox.forget_requests()

    runs.execute(run.pk)

    run.refresh_from_db()
    assert run.state == "succeeded"
    assert len(sandbox.requests("/ls")) == 2, "only what was not read yet"
    assert run.inventory.entries == 6
    assert states(run)[-1] == "succeeded"


def test_a_worker_that_lost_its_claim_writes_nothing_more(tree, job):
    tree("a/x")
    run = make_run(job, state="preparing")
    inventory = started(run)

    def beat():
        checkpoints.heartbeat(run)

    Run.objects.update(claimed_at=timezone.now() + timedelta(seconds=1))
    walk = walking.Walk.of(
        inventory, PlayedLister({"/tree/": files("a")}), run.service_account, beat
    )
    with pytest.raises(LostClaim):
        walking.read_tree(walk)
    with pytest.raises(LostClaim):
        settling.settle(inventory, beat, None)
    inventory.refresh_from_db()
    assert (inventory.entries, inventory.folders_read) == (0, 0)
    assert not InventoryPage.objects.exists()


def test_settling_again_gives_the_same(tree, job, monkeypatch):
    """A worker that dies while it settles."""
    for number in range(10):
        tree(f"{number % 3}/{number}")
    monkeypatch.setattr("transfers.jobs.chunks.CHUNK_ROWS", 3)
    run = runs.run_now(job, by=None)
    beats = iter(range(100))
    heartbeat = checkpoints.heartbeat

    def dies(of):
        heartbeat(of)
        if Inventory.objects.filter(state="settling").exists() and next(beats) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "heartbeat", dies)
    with pytest.raises(KeyboardInterrupt):
        runs.execute(run.pk)
    monkeypatch.setattr(checkpoints, "heartbeat", heartbeat)
    assert InventoryChunk.objects.exists()
    sweep(now=timezone.now() + timedelta(minutes=5))

    runs.execute(run.pk)

    run.refresh_from_db()
    assert run.state == "succeeded"
    found = paths(run.inventory)
    assert len(found) == len(set(found)) == 13
    numbers = run.inventory.chunks.values_list("number", flat=True)
    assert [*numbers] == [*range(len(numbers))]


def test_old_inventories_of_a_job_go(tree, job, monkeypatch):
    monkeypatch.setattr(listing, "KEPT", 2)
    monkeypatch.setattr(listing, "SPARE", 0)
    tree("a")
    kept = [inventory_of(job) for _ in range(3)]
    assert {*Inventory.objects.values_list("pk", flat=True)} == {
        each.pk for each in kept[1:]
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", ".csv"),
        ("a.tar.GZ", ".gz"),
        (".profile", ""),
        ("a.", ""),
        ("noext", ""),
        ("a.\udcff", ""),
        ("a." + "x" * 30, ""),
        ("..a", ""),
        ("a.b c\n", ""),
    ],
)
def test_extensions(name, expected):
    assert extension(name) == expected


def test_a_million_types_do_not_fill_the_memory(monkeypatch):
    from transfers.jobs.chunks import Row

    monkeypatch.setattr(totals, "MOST_TYPES", 10)
    monkeypatch.setattr(totals, "SHOWN_TYPES", 4)
    counted = totals.Totals()
    for number in range(50):
        counted.add(Row("/", f"f.e{number}", "file", number))
    assert len(counted.types) == 11
    shown = counted.shown_types()
    assert shown[-1][0] == "*"
    assert sum(each[1] for each in shown) == 50
    assert sum(each[2] for each in shown) == sum(range(50))


def test_the_walk_asks_the_database_as_often_for_a_large_folder(
    tree, job, django_assert_max_num_queries
):
    for number in range(60):
        tree(f"a/{number}")
    run = runs.run_now(job, by=None)
    with django_assert_max_num_queries(95):
        runs.execute(run.pk)


# --- a list that is one answer


def test_a_list_of_one_answer_is_stored_with_the_end_of_its_run(
    tree, job, django_assert_max_num_queries
):
    for number in range(3):
        tree(str(number))
    inventory_of(job)
    run = runs.run_now(job, by=None)
    with django_assert_max_num_queries(17):
        runs.execute(run.pk)
    run.refresh_from_db()
    assert (run.state, run.inventory.entries, run.inventory.folders_read) == (
        "succeeded",
        3,
        1,
    )
    assert run.inventory.compared_with is not None
    assert not InventoryFolder.objects.exists()


def test_a_worker_that_was_taken_over_stores_no_list(tree, job, monkeypatch):
    tree("a")
    run = runs.run_now(job, by=None)
    real = listing.Known.of

    def taken_over(job_id):
        Run.objects.update(claimed_at=timezone.now() + timedelta(seconds=1))
        return real(job_id)

    monkeypatch.setattr(listing.Known, "of", taken_over)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "preparing"
    assert not Inventory.objects.exists()
    assert states(run)[-1] == "preparing"


# --- several folders at once


def test_a_walk_asks_for_several_folders_at_once_and_no_more(service_account):
    job = make_job(service_account, source_path="/x/", recursive=True)
    run = make_run(job, state="preparing")
    inventory = started(run)
    folders = [{"name": f"d{number}", "type": "dir"} for number in range(24)]
    together = threading.Barrier(walking.AT_ONCE)
    asking, most = [], []

    def answer(path, offset):
        if path == "/x/":
            return folders
        asking.append(path)
        most.append(len(asking))
        together.wait(timeout=60)  # breaks if fewer ask
        asking.remove(path)
        return files(["a"])

    walk_with(inventory, run, answer)
    assert max(most) <= walking.AT_ONCE
    assert (inventory.folders_read, inventory.files) == (25, 24)


def test_what_was_asked_for_when_one_failed_is_kept(service_account):
    job = make_job(service_account, source_path="/x/", recursive=True)
    run = make_run(job, state="preparing")
    inventory = started(run)
    both = threading.Barrier(2)
    is_down = [True]

    def answer(path, offset):
        if path == "/x/":
            return [{"name": name, "type": "dir"} for name in "ab"]
        if is_down:
            both.wait(timeout=60)
            if path == "/x/a/":
                raise GlobusUnreachable
        return files(["one"])

    with pytest.raises(GlobusUnreachable):
        walk_with(inventory, run, answer)
    inventory.refresh_from_db()
    assert (inventory.folders_read, inventory.files) == (2, 1)
    is_down.clear()
    client = walk_with(inventory, run, answer)
    assert [path for path, _ in client.asked] == ["/x/a/"]
    assert inventory.files == 2
