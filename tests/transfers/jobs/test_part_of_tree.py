"""Depth and filters of a list: filled in, said, kept, taken along, and walked by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from sandbox import seed
from transfers.jobs import describing, exporting, importing, runs
from transfers.jobs.models import Job, JobVersion, Run
from transfers.jobs.settling import rows_in
from transfers.models import Inventory

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[3]
FILTERS = {"include": ["*.csv"], "exclude": ["tmp"], "hidden": False}


def sent(account, **fields):
    return {
        "name": "all the tables",
        "kind": "list",
        "do": "save",
        "service_account": str(account.pk),
        "source_collection": seed.HARVEST,
        "source_path": "/tree/",
        "recursive": "on",
        "depth": "2",
        "include": "*.csv\n\n*.tsv\n*.csv",
        "exclude": "tmp",
        "types": ["file"],
        "overlap_policy": "skip",
        "missed_policy": "once",
        "stall_policy": "tell",
        "enabled": "on",
    } | fields


def listed(job):
    """The paths that a run finds, without the top."""
    run = runs.run_now(job, by=None)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.succeeded, run.says
    found = rows_in(Inventory.objects.get(run=run))
    return {row.path.removeprefix("/tree/") for row in found}


# --- the form


def test_a_form_narrows_a_list_down_and_says_so(browser, service_account):
    answer = browser.post("/jobs/new/", sent(service_account))
    assert answer.status_code == 302, answer.content.decode()
    job = Job.objects.get()
    assert job.depth == 2
    assert job.filters == {
        "include": ["*.csv", "*.tsv"],
        "exclude": ["tmp"],
        "types": ["file"],
        "hidden": False,
    }
    page = browser.get(answer["Location"]).content.decode()
    assert "2 levels deep, only files, those like *.csv and *.tsv, without tmp" in page
    assert "what begins with a dot" in page


def test_what_was_filled_in_stands_in_the_form_again(browser, service_account):
    browser.post("/jobs/new/", sent(service_account))
    job = Job.objects.get()
    page = browser.get(f"/jobs/{job.pk}/edit/")
    fields = page.context["forms"].filters
    assert fields["include"].value() == "*.csv\n*.tsv"
    assert fields["hidden"].value() is False
    browser.post(
        f"/jobs/{job.pk}/edit/",
        sent(service_account, depth="", exclude="", hidden="on", types=[]),
    )
    job.refresh_from_db()
    assert (job.depth, job.filters) == (None, {"include": ["*.csv", "*.tsv"]})
    said = " ".join(JobVersion.objects.first().changes)
    assert "Took how many levels of folders it looks into away, which was “2”." in said
    assert "Took which names it leaves out away, which was “tmp”." in said


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"depth": "0"}, "greater than or equal to 1"),
        ({"depth": "9999"}, "less than or equal to 2048"),
        ({"depth": "2", "recursive": ""}, "A depth needs “with all folders below”"),
        ({"include": "*.csv\na/b"}, "Line 2: “a/b” holds a “/”"),
        ({"exclude": "x" * 256}, "is longer than 255 characters"),
        ({"exclude": "\n".join(map(str, range(101)))}, "more than 100 patterns"),
        ({"types": ["pipe"]}, "not one of the available choices"),
    ],
)
def test_each_mistake_has_its_sentence(browser, service_account, fields, words):
    page = browser.post("/jobs/new/", sent(service_account, **fields))
    assert words in page.content.decode()
    assert not Job.objects.exists()


def test_a_transfer_keeps_nothing_of_it(browser, service_account):
    moving = sent(
        service_account,
        kind="transfer",
        destination_collection=seed.ARCHIVE,
        destination_path="/incoming/x/",
    )
    answer = browser.post("/jobs/new/", moving)
    assert answer.status_code == 302, answer.content.decode()
    job = Job.objects.get()
    assert (job.depth, job.filters) == (None, {})


# --- the walk


def test_a_walk_goes_as_deep_as_the_job_says(tree, job):
    tree("a.csv")
    tree("one/b.csv")
    tree("one/two/c.csv")
    job.depth = 2
    job.save()
    assert listed(job) == {"a.csv", "one", "one/b.csv", "one/two"}


def test_a_walk_notes_what_the_job_asks_for(tree, job):
    tree("a.csv")
    tree("a.txt")
    tree(".hidden.csv")
    tree("tmp/b.csv")
    tree("one/c.csv")
    job.filters = FILTERS
    job.save()
    assert listed(job) == {"a.csv", "one", "one/c.csv"}


def test_folders_that_are_not_noted_are_looked_into_all_the_same(tree, job):
    tree("a.csv")
    tree("one/two/c.csv")
    job.filters = {"types": ["file"]}
    job.save()
    assert listed(job) == {"a.csv", "one/two/c.csv"}


def test_links_alone(tree, job):
    file = tree("one/a.csv")
    (file.parent / "link").symlink_to("a.csv")
    job.filters = {"types": ["link"]}
    job.save()
    assert listed(job) == {"one/link"}


def test_only_inventories_of_the_same_part_are_compared(tree, job):
    tree("a.csv")
    listed(job)
    job.filters = {"include": ["*.csv"]}
    job.save()
    listed(job)
    assert Inventory.objects.order_by("-created_at")[0].compared_with is None
    listed(job)
    latest = Inventory.objects.order_by("-created_at")[0]
    assert (latest.compared_with is None, latest.new) == (False, 0)


# --- taken along


def test_it_comes_in_elsewhere_as_it_went_out(job, grace):
    job.depth, job.filters = 3, FILTERS
    job.save()
    text = exporting.as_json(job)
    copy = importing.take_in(text, by=grace, name="copy")
    assert (copy.depth, copy.filters) == (3, FILTERS)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"depth": "deep"}, "“depth” cannot be"),
        ({"filters": ["*.csv"]}, "Filters are written as a JSON object"),
        ({"filters": {"only": []}}, "Filters have the parts"),
        ({"filters": {"include": "*.csv"}}, "“include” is a list"),
        ({"filters": {"include": [7]}}, "A pattern is text"),
        ({"filters": {"types": ["pipe"]}}, "Choose among these types"),
        ({"filters": {"hidden": "no"}}, "“hidden” is true or false"),
        ({"depth": 2, "recursive": False}, "A depth needs"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_a_sentence(job, grace, part, words):
    document = json.loads(exporting.as_json(job)) | {"name": "x"} | part
    with pytest.raises(importing.incoming.CannotImport, match=words):
        importing.take_in(json.dumps(document), by=grace)


def test_a_version_of_before_is_not_a_change(job):
    from transfers.jobs import versions

    versions.record(job, by=None)
    first = JobVersion.objects.get()
    del first.content["depth"], first.content["filters"]
    first.save()
    assert versions.record(job, by=None) is None


def test_the_shell_shows_it(job):
    job.depth, job.filters = 2, FILTERS
    job.save()
    out = StringIO()
    call_command("jobs", "show", job.name, stdout=out)
    assert "2 levels deep, files like *.csv, without tmp" in out.getvalue()
    out = StringIO()
    call_command("jobs", "show", job.name, "--json", stdout=out)
    assert json.loads(out.getvalue())["filters"] == FILTERS


def test_the_exported_command_goes_as_deep(job):
    job.depth = 2
    job.save()
    assert "--recursive --recursive-depth-limit=1 " in exporting.as_shell(job)
    job.depth, job.filters = None, FILTERS
    text = exporting.as_shell(job)
    assert "--recursive-depth-limit=2047 " in text
    assert "# The command lists everything" in text


@pytest.mark.parametrize("depth", [1, 2, None])
def test_the_official_cli_lists_as_deep(tree, job, stack, tmp_path, depth):
    tree("one/two/three/four/five/c.csv")
    job.depth = depth
    job.save()
    done = subprocess.run(
        ["sh", "-c", exporting.as_shell(job)],
        capture_output=True,
        text=True,
        env={
            **stack.environment,
            "HOME": str(tmp_path),
            "PATH": f"{ROOT / '.venv-cli/bin'}:/usr/bin:/bin",
            "GLOBUS_CLI_CLIENT_ID": seed.HARVEST_CLIENT_ID,
            "GLOBUS_CLI_CLIENT_SECRET": seed.HARVEST_CLIENT_SECRET,
        },
    )
    assert done.returncode == 0, done.stderr
    found = {line.rstrip("/") for line in done.stdout.split()}
    assert found == listed(job)
    assert len(found) == (depth or 6)


def test_the_exported_script_lists_the_same(tree, job, stack, tmp_path):
    tree("a.csv")
    tree("a.txt")
    tree(".b.csv")
    tree("tmp/b.csv")
    tree("one/c.csv")
    tree("one/two/d.csv")
    job.depth = 2
    job.filters = FILTERS | {"types": ["file"]}
    job.save()
    script = tmp_path / "job.py"
    script.write_text(exporting.as_python(job))
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            **stack.environment,
            "HOME": str(tmp_path),
            "GLOBUS_CLIENT_ID": seed.HARVEST_CLIENT_ID,
            "GLOBUS_CLIENT_SECRET": seed.HARVEST_CLIENT_SECRET,
        },
    )
    assert done.returncode == 0, done.stderr
    found = {line.removeprefix("/tree/") for line in done.stdout.split()}
    assert found == listed(job) == {"a.csv", "one/c.csv"}


def test_names_in_patterns_are_inert(job):
    job.filters = {"include": ["*\u202egpj.exe"]}
    assert "\u202e" not in describing.paragraph(job)
    job.filters = {"include": ["'; import os #"]}
    compile(exporting.as_python(job), "job.py", "exec")
    assert Run.objects.count() == 0
