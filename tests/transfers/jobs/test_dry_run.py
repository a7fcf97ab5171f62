"""Dry runs: what would move, by the rules of Globus, and nothing moves."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from sandbox import seed
from tests.factories import make_job, make_schedule, make_user
from transfers import batch
from transfers.claims import CLAIM_LASTS
from transfers.jobs import dry_run, dry_run_batch, trials, walking
from transfers.jobs.chunks import Row
from transfers.jobs.dry_run_words import would_overwrite
from transfers.jobs.settling import rows_in
from transfers.jobs.walking import LostClaim
from transfers.models import Inventory, InventoryChunk, Trial
from transfers.sweeping import sweep

DRY = Trial.Kind.DRY_RUN


@pytest.fixture
def job(service_account):
    return make_job(
        service_account,
        kind="transfer",
        source_path="/tree/from/",
        destination_collection=seed.HARVEST,
        destination_path="/tree/to/",
        options={"sync_level": 1},
    )


def tried(job, kind=DRY):
    trial = trials.ask(job, kind, by=None)
    trials.execute(trial.pk)
    trial.refresh_from_db()
    return trial


def result(trial):
    assert trial.state == "done", trial.says
    return trial.inventories.get(part="source")


def changes(inventory):
    gone = rows_in(inventory, InventoryChunk.Kind.GONE)
    rows = [*rows_in(inventory), *gone]
    return {row.path.removeprefix("/tree/from/"): row.change for row in rows}


def test_it_says_what_would_move_and_moves_nothing(tree, job, sandbox):
    tree("from/new/a", "12345")
    tree("from/same", "1")
    tree("from/grown", "123456789")
    tree("to/same", "2")
    tree("to/grown", "1")
    extra = tree("to/extra", "x")
    trial = tried(job)
    inventory = result(trial)
    assert changes(inventory) == {
        "new": "+",
        "new/a": "+",
        "same": "=",
        "grown": "~",
        "extra": "-",
    }
    assert (inventory.bytes_new, inventory.bytes_changed) == (5, 9)
    assert trial.says.startswith("Would move 14 bytes: 2 new entries, 1 over what is")
    assert "1 only at the destination would stay." in trial.says
    assert extra.exists()
    assert not (extra.parent / "new").exists()
    sent = [r for r in sandbox.requests("/v0.10/*") if r["method"] != "GET"]
    assert sent == []


def test_a_mirror_would_delete(tree, job):
    tree("from/a")
    tree("to/b")
    job.options = {"sync_level": 1, "delete_destination_extra": True}
    job.save()
    assert "1 only at the destination would be deleted." in tried(job).says


def test_a_destination_that_is_not_there_yet_is_empty(tree, job):
    tree("from/a/b", "123")
    inventory = result(tried(job))
    assert changes(inventory) == {"a": "+", "a/b": "+"}


def test_one_file_goes_to_one_file_of_another_name(tree, job):
    tree("from/[odd]*name", "1234")
    tree("from/beside", "1")
    tree("from/folder/x", "1")
    tree("to/other", "1")
    job.source_path, job.destination_path = "/tree/from/[odd]*name", "/tree/to/other"
    job.save()
    inventory = result(tried(job))
    assert changes(inventory) == {"[odd]*name": "~"}
    assert inventory.bytes_changed == 4


def test_filter_rules_and_links_as_globus_has_them(tree, job):
    folder = tree("from/keep.csv").parent
    tree("from/drop.tmp")
    tree("from/cache/x")
    tree("from/cache2/keep.tmp")
    (folder / "link").symlink_to("keep.csv")
    job.options = {
        "filter_rules": [
            {"method": "include", "name": "keep.tmp"},
            {"method": "exclude", "name": "*.tmp", "type": "file"},
            {"name": "cache", "type": "dir"},
        ]
    }
    job.save()
    assert {*changes(result(tried(job)))} == {"keep.csv", "cache2", "cache2/keep.tmp"}


def row(size=1, modified=10, kind="file"):
    return Row("/", "a", kind, size, modified)


@pytest.mark.parametrize(
    ("level", "source", "there", "expected"),
    [
        (None, row(), row(), True),
        (0, row(size=2), row(), False),
        (1, row(modified=20), row(), False),
        (1, row(size=2), row(), True),
        (2, row(modified=20), row(), True),
        (2, row(modified=5), row(), False),
        (2, row(size=2, modified=5), row(), True),
        (3, row(), row(), False),
        (3, row(modified=5), row(), True),
        (0, row(kind="dir"), row(), True),
        (None, row(kind="dir"), row(kind="dir"), False),
    ],
)
def test_sync_levels(level, source, there, expected):
    assert would_overwrite(level, source, there) is expected


def test_nothing_is_new_where_the_destination_could_not_be_read(tree, job, sandbox):
    tree("from/shut/a")
    tree("to/shut/b")
    sandbox.collection(seed.HARVEST, denied_paths=["/tree/to/shut"])
    found = changes(result(tried(job)))
    assert found["shut/a"] == "?"


def test_a_job_that_lists_has_none(service_account):
    trial = tried(make_job(service_account))
    assert trial.state == "failed"
    assert "nothing to try" in trial.says


def test_fields_are_filled_in_as_if_it_were_due_now(tree, job):
    make_schedule(job, zone="Pacific/Kiritimati")
    now = timezone.now().astimezone(ZoneInfo("Pacific/Kiritimati"))
    tree("from/a", "12")
    for day in {now.date(), (now + timedelta(minutes=5)).date()}:  # midnight may pass
        tree(f"to/{day}/a", "12")
    job.destination_path = "/tree/to/{scheduled_for:%Y-%m-%d}/"
    job.save()
    trial = tried(job)
    assert changes(result(trial)) == {"a": "="}
    assert trial.says.endswith("filled in as if it were due now.")
    assert trial.inputs == job.inputs()


def test_a_watermark_that_is_not_there_yet_is_a_sentence(tree, job):
    tree("from/a")
    job.source_path = "/tree/{watermark:%Y}/"
    job.save()
    trial = tried(job)
    assert trial.state == "failed"
    assert "needs {watermark}" in trial.says
    assert "there is none yet" in trial.says


# --- batches


def batch_of(job, text):
    lines = batch.parse(text).lines
    job.items = [
        each.as_json()
        | {
            "source_path": batch.below("/tree/from/", each.source_path),
            "destination_path": batch.below("/tree/to/", each.destination_path),
        }
        for each in lines
    ]
    job.save()
    return job


def test_a_batch_looks_at_its_lines_and_nothing_beside_them(tree, job):
    tree("from/a", "1")
    tree("from/beside", "1")
    tree("from/same", "1")
    tree("from/grown", "12345")
    tree("from/sub/x", "12")
    tree("from/sub/deep/y", "1")
    tree("from/other/z", "1")
    tree("to/old", "1")
    tree("to/beside", "9999")
    tree("to/same", "1")
    tree("to/grown", "1")
    tree("to/elsewhere/x", "12")
    tree("to/elsewhere/extra", "1")
    text = "a new/a\nsame same\ngrown grown\n-r sub elsewhere\n"
    trial = tried(batch_of(job, text))
    inventory = result(trial)
    assert changes(inventory) == {
        "a": "+",
        "same": "=",
        "grown": "~",
        "sub/x": "=",
        "sub/deep": "+",
        "sub/deep/y": "+",
        "sub/extra": "-",
    }
    assert (inventory.bytes_new, inventory.bytes_changed) == (2, 5)
    assert inventory.path == "/tree/from/"
    assert "3 new entries, 1 over what is there" in trial.says


def test_a_line_without_a_flag_may_be_a_folder(tree, job):
    tree("from/sub/x", "1")
    tree("to/sub/x", "1")
    found = changes(result(tried(batch_of(job, "sub sub"))))
    assert found == {"sub": "=", "sub/x": "="}


def test_lines_that_name_nothing_are_said(tree, job):
    tree("from/a", "1")
    trial = tried(batch_of(job, "a a\nnothing b\nsub/none c\n-r gone d"))
    assert "1 line names nothing that is there: /tree/from/nothing (item 2)." in (
        trial.says
    )
    assert "Not all of the source could be read." in trial.says
    unread = {each.path_text for each in result(trial).tree.all()}
    assert unread == {"/tree/from/sub/", "/tree/from/gone/"}


def test_nothing_is_new_in_a_folder_of_a_batch_that_could_not_be_read(
    tree, job, sandbox
):
    tree("from/a", "1")
    tree("from/sub/x", "1")
    tree("to/shut/a", "1")
    tree("to/sub/inner/y", "1")
    sandbox.collection(seed.HARVEST, denied_paths=["/tree/to/shut"])
    found = changes(result(tried(batch_of(job, "a shut/a\n-r sub sub"))))
    assert found["a"] == "?"


def test_a_batch_stops_at_its_limit_and_says_so(tree, job, monkeypatch):
    monkeypatch.setattr(dry_run_batch, "MOST_ENTRIES", 3)
    monkeypatch.setattr(walking, "FOLDERS_AT_ONCE", 1)
    for number in range(6):
        tree(f"from/{number}/x")
    lines = "\n".join(f"-r {number} {number}" for number in range(6))
    assert "Not all of the source could be read." in tried(batch_of(job, lines)).says


def test_a_batch_goes_on_after_globus_was_out_of_reach(tree, job, sandbox, no_pauses):
    tree("from/a/x", "1")
    tree("from/b/x", "1")
    sandbox.fault("/endpoint/*/ls", status=503, skip=1)
    trial = tried(batch_of(job, "-r a a\n-r b b"))
    assert trial.state == "waiting"
    sandbox.clear_faults()
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert changes(result(trial)) == {"a/x": "+", "b/x": "+"}


def test_what_goes_to_several_places_is_compared_with_all_of_them(tree, job):
    for place in ("from", "to/one", "to/two"):
        for name in ("same", "lacking", "other"):
            tree(f"{place}/all/{name}", "1")
    tree("to/one/all/other", "22")
    tree("to/one/all/extra", "1")
    (tree("from/all/new", "1").parents[2] / "to/two/all/lacking").unlink()
    trial = tried(batch_of(job, "-r all one/all\n-r all two/all"))
    assert changes(result(trial)) == {
        "all/same": "=",
        "all/lacking": "~",
        "all/other": "~",
        "all/new": "+",
        "all/extra": "-",
    }
    assert "1 source goes to more than one place, is compared with all" in trial.says


def test_a_place_that_cannot_be_read_is_not_said_to_lack_anything(tree, job, sandbox):
    tree("from/a", "1")
    tree("to/one/a", "1")
    tree("to/shut/a", "1")
    sandbox.collection(seed.HARVEST, denied_paths=["/tree/to/shut"])
    assert changes(result(tried(batch_of(job, "a one/a\na shut/a"))))["a"] == "="


def test_the_fields_of_a_batch_are_filled_in(tree, job):
    now = timezone.now()
    for year in {now.year, (now + timedelta(minutes=5)).year}:  # a new one may begin
        tree(f"from/{year}/a", "1")
    trial = tried(batch_of(job, "-r {scheduled_for:%Y} now"))
    assert trial.state == "done", trial.says
    assert trial.says.startswith("Would move 1 byte")


def test_it_stops_at_its_limit_and_says_so(tree, job, monkeypatch):
    monkeypatch.setattr(dry_run, "MOST_ENTRIES", 3)
    monkeypatch.setattr(walking, "FOLDERS_AT_ONCE", 1)
    for number in range(6):
        tree(f"from/{number}/x")
    trial = tried(job)
    assert "Not all of the source could be read." in trial.says


# --- the life of a trial


def test_asking_again_goes_on_with_the_one_under_way(job):
    first = trials.ask(job, DRY, by=None)
    assert trials.ask(job, DRY, by=None) == first
    job.source_path = "/tree/elsewhere/"
    job.save()
    second = trials.ask(job, DRY, by=None)
    assert second != first
    first.refresh_from_db()
    assert first.state == "cancelled"


def test_one_that_is_taken_while_the_job_is_changed_stops_too(job):
    first = trials.ask(job, DRY, by=None)
    job.source_path = "/tree/elsewhere/"
    job.save()

    def meanwhile(execute, sql, params, many, context):
        """A worker takes it when it has been read, and is about to be stopped."""
        if sql.startswith("UPDATE") and "transfers_trial" in sql and not taken:
            now = timezone.now()
            taken.append(now)
            rows = Trial.objects.filter(pk=first.pk, state="waiting")
            assert rows.update(state="working", claimed_at=now, heartbeat_at=now)
        return execute(sql, params, many, context)

    taken: list[datetime] = []
    with connection.execute_wrapper(meanwhile):
        trials.ask(job, DRY, by=None)
    first.refresh_from_db()
    assert first.claimed_at == taken[0]
    assert first.state == "cancelled"
    with pytest.raises(LostClaim):
        trials.heartbeat(first)


def test_old_trials_go_with_what_they_listed(tree, job):
    tree("from/a")
    for _ in range(6):
        tried(job)
    assert Trial.objects.count() <= trials.KEPT + 1
    assert Inventory.objects.count() == 2 * Trial.objects.count()


def test_globus_out_of_reach_lets_it_wait(tree, job, sandbox, no_pauses):
    tree("from/a/b")
    sandbox.fault("/endpoint/*/ls", status=503, skip=1)
    trial = tried(job)
    assert trial.state == "waiting"
    assert trial.next_try_at
    sandbox.clear_faults()
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert result(trial)


def test_a_dead_worker_is_noticed_and_another_goes_on(tree, job, messages, monkeypatch):
    tree("from/a/b")
    tree("from/c/d")
    beats = iter(range(100))

    def dies(trial):
        if next(beats) == 4:
            raise KeyboardInterrupt

    heartbeat = trials.heartbeat
    monkeypatch.setattr(trials, "heartbeat", dies)
    trial = trials.ask(job, DRY, by=None)
    with pytest.raises(KeyboardInterrupt):
        trials.execute(trial.pk)
    monkeypatch.setattr(trials, "heartbeat", heartbeat)
    now = timezone.now()
    sweep(now=now)
    trial.refresh_from_db()
    assert trial.state == "working"
    sweep(now=now + CLAIM_LASTS + timedelta(seconds=1))
    trial.refresh_from_db()
    assert trial.state == "waiting"
    assert messages() == [("execute_trial", str(trial.pk))] * 2
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert len(changes(result(trial))) == 4


def test_a_trial_that_was_stopped_stops(tree, job):
    tree("from/a")
    trial = trials.ask(job, DRY, by=None)
    Trial.objects.update(state="working", claimed_at=timezone.now())
    trial.refresh_from_db()
    trials.cancel(trial, by=make_user(name="Grace"))
    with pytest.raises(LostClaim):
        trials.heartbeat(trial)
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert trial.state == "cancelled"
    assert "Grace" in trial.says


def test_a_preflight_is_kept_as_a_checklist(job, tree):
    tree("from/a")
    trial = tried(job, Trial.Kind.PREFLIGHT)
    assert trial.state == "done"
    assert trial.result["passed"] is True
    assert {"key", "title", "state", "says", "fix", "grant", "place"} == {
        *trial.result["checks"][0]
    }
