"""Dry runs of a person's transfer: what would be sent, before anything is."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.utils import timezone

from sandbox import seed
from tests.flows import consent, go_on, person
from tests.transfers.form_on_page import fields
from transfers.claims import CLAIM_LASTS
from transfers.jobs import dry_run, trials, walking
from transfers.models import Inventory, Transfer, Trial
from transfers.sweeping import sweep
from transfers.trying import KEPT

pytestmark = pytest.mark.django_db

NEW = "/transfers/new/"


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def filled(sandbox):
    sandbox.generate(seed.LAPTOP, "/many", 30)
    return {
        "form": "transfer",
        "do": "try",
        "transfer_id": str(uuid4()),
        "origin_id": seed.LAPTOP,
        "origin_path": "/many/",
        "destination_id": seed.LAPTOP,
        "destination_path": "/copies/",
        "label": "many",
        "verify_checksum": "on",
        "rule_what": ["exclude"],
        "rule_name": ["*7.dat"],
    }


def ask(browser, form):
    answer = browser.post(NEW, form)
    assert answer.status_code == 302, text_of(answer)
    return answer["Location"], Trial.objects.order_by("-created_at").first()


def test_it_says_what_would_be_sent_and_sends_nothing(as_ada, filled, sandbox):
    address, trial = ask(as_ada, filled)
    page = text_of(as_ada.get(address))
    assert "Waits for a worker" in page
    assert f'hx-get="{address}progress/"' in page

    trials.execute(trial.pk)
    page = text_of(as_ada.get(address))
    assert "Would move" in page
    assert "27 new entries" in page
    assert "To be copied" in page
    source = Inventory.objects.get(trial=trial, part="source")
    assert (source.new, source.job) == (27, None)
    assert not Transfer.objects.exists()
    sent = [r for r in sandbox.requests("/v0.10/*") if r["method"] != "GET"]
    assert sent == []


def test_from_there_the_form_goes_on_with_all_that_was_in_it(as_ada, filled):
    address, trial = ask(as_ada, filled)
    trials.execute(trial.pk)
    page = as_ada.get(address).content.decode()
    kept = {}
    for name, value in re.findall(
        r'<input type="hidden"\s+name="(\w+)"\s+value="([^"]*)"', page
    ):
        kept.setdefault(name, []).append(value)
    again = fields(as_ada.post(NEW, kept | {"do": "edit"}))
    for name in ("origin_path", "destination_path", "label", "transfer_id"):
        assert again[name] == [filled[name]]
    assert again["rule_name"] == ["*7.dat"]
    assert as_ada.post(NEW, kept | {"do": "send"}).status_code == 302
    assert as_ada.post(NEW, kept | {"do": "send"}).status_code == 302
    document = Transfer.objects.get().document
    assert document["filter_rules"][0]["name"] == "*7.dat"


def test_a_form_with_a_mistake_is_said_and_nothing_is_tried(as_ada, filled):
    page = text_of(as_ada.post(NEW, filled | {"destination_path": "/many/in/"}))
    assert "lies inside the source" in page
    assert not Trial.objects.exists()


def test_what_it_needs_is_asked_for_while_the_person_is_there(as_ada, filled, sandbox):
    wishes = {"destination_id": seed.RESEARCH, "destination_path": "/home/ada/"}
    answer = as_ada.post(NEW, filled | wishes)
    assert answer.status_code == 403
    assert not Trial.objects.exists()
    done = go_on(as_ada, consent(as_ada, sandbox, answer.content.decode(), "ada"))
    assert done.status_code == 302
    trial = Trial.objects.get()
    assert trial.inputs["form"]["rule_name"] == ["*7.dat"]
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert trial.state == "done", trial.says


def test_one_file(as_ada, filled):
    form = filled | {"origin_path": "/Documents/paper.tex", "rule_name": [""]}
    _, trial = ask(as_ada, form)
    trials.execute(trial.pk)
    trial.refresh_from_db()
    source = Inventory.objects.get(trial=trial, part="source")
    assert (source.new, source.files) == (1, 1)
    assert source.bytes_new == source.bytes > 0
    assert "1 new entry" in trial.says


def test_several_picks(as_ada, filled, sandbox):
    sandbox.generate(seed.LAPTOP, "/more/in", 3)
    items = ["/Documents/paper.tex", "/many/", "/more/in/"]
    form = filled | {"item": items, "rule_name": ["*7.dat"]}
    address, trial = ask(as_ada, form)
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert trial.state == "done", trial.says
    page = text_of(as_ada.get(address))
    for name in ("/Documents/paper.tex", "/more/in/", "/many/"):
        assert name in page
    source = Inventory.objects.get(trial=trial, part="source")
    assert source.files == 1 + 27 + 3
    assert source.bytes_new > 0


def test_the_lines_of_a_batch(as_ada, filled, stack):
    text = "/Documents/paper.tex one.tex\n/Documents/going.tex two.tex\n/many/ m/\n"
    form = filled | {"mode": "text", "batch_text": text, "rule_name": [""]}
    collection = stack.folder / "sandbox" / "collections" / seed.LAPTOP
    going = collection / "Documents" / "going.tex"
    going.write_text("x")
    try:
        _, trial = ask(as_ada, form)
    finally:
        going.unlink()
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert trial.state == "done", trial.says
    assert "going.tex (item 2)" in trial.says
    source = Inventory.objects.get(trial=trial, part="source")
    assert source.files == 31


def test_it_says_that_it_stopped_early(as_ada, filled, monkeypatch, sandbox):
    sandbox.generate(seed.LAPTOP, "/deep/a", 5)
    sandbox.generate(seed.LAPTOP, "/deep/a/below", 5)
    monkeypatch.setattr(dry_run, "MOST_ENTRIES", 3)
    form = filled | {"origin_path": "/deep/", "rule_name": [""]}
    address, trial = ask(as_ada, form)
    trials.execute(trial.pk)
    page = text_of(as_ada.get(address))
    assert "Not all of the source could be read" in page
    assert "The listing stopped at 3 entries" in page


def test_a_folder_that_is_closed_is_left_out_and_said(as_ada, filled, sandbox):
    sandbox.generate(seed.LAPTOP, "/deep/shut", 2)
    form = filled | {"origin_path": "/deep/", "rule_name": [""]}
    address, trial = ask(as_ada, form)
    refused = {"code": "EndpointPermissionDenied", "message": "Denied"}
    # the first listing is that of the folder above
    sandbox.fault("/endpoint/*/ls", status=403, body=refused, skip=1, times=1)
    trials.execute(trial.pk)
    page = text_of(as_ada.get(address))
    assert "You may not read it" in page


def test_it_is_stopped_by_its_person(as_ada, filled):
    address, trial = ask(as_ada, filled)
    as_ada.post(f"{address}cancel/")
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert (trial.state, trial.inventories.count()) == ("cancelled", 0)


def test_another_one_stops_the_one_before_and_few_are_kept(as_ada, filled):
    addresses = [ask(as_ada, filled)[0] for _ in range(KEPT + 2)]
    states = [*Trial.objects.order_by("-created_at").values_list("state", flat=True)]
    assert states == ["waiting", *["cancelled"] * (KEPT - 1)]
    assert as_ada.get(addresses[0]).status_code == 404
    assert "Another one was asked for" in text_of(as_ada.get(addresses[-2]))


def test_a_worker_that_died_is_followed_by_another(as_ada, filled, monkeypatch):
    _, trial = ask(as_ada, filled)

    def dies(walk):
        raise walking.LostClaim

    with monkeypatch.context() as patch:
        patch.setattr(walking, "read_tree", dies)
        trials.execute(trial.pk)
    sweep(now=timezone.now() + CLAIM_LASTS * 2)
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert trial.state == "done", trial.says


def test_a_failure_is_said_in_words_for_a_person(as_ada, filled):
    _, trial = ask(as_ada, filled)
    Trial.objects.filter(pk=trial.pk).update(
        inputs=trial.inputs | {"source_path": "/nowhere/"}
    )
    trials.execute(trial.pk)
    trial.refresh_from_db()
    assert trial.state == "failed"
    assert "service account" not in trial.says


def test_progress_costs_nothing_while_nothing_changes(as_ada, filled):
    address, trial = ask(as_ada, filled)
    first = as_ada.get(f"{address}progress/")
    assert first.status_code == 200
    etag = first["ETag"]
    same = as_ada.get(f"{address}progress/", headers={"If-None-Match": etag})
    assert same.status_code == 304
    trials.execute(trial.pk)
    last = as_ada.get(f"{address}progress/", headers={"If-None-Match": etag})
    assert last.status_code == 286
    assert f'href="{address}"' in text_of(last)


def test_what_it_found_is_a_file(as_ada, filled):
    address, trial = ask(as_ada, filled)
    assert as_ada.get(f"{address}entries.csv").status_code == 404
    trials.execute(trial.pk)
    answer = as_ada.get(f"{address}entries.csv")
    rows = b"".join(answer.streaming_content).decode().splitlines()
    assert len(rows) == 28
    assert "dry-run" in answer["Content-Disposition"]
    assert as_ada.get(f"{address}entries.jsonl").status_code == 200


def test_it_is_its_persons_alone(as_ada, filled, visit):
    address, trial = ask(as_ada, filled)
    trials.execute(trial.pk)
    grace = visit("grace")
    for end in ("", "progress/", "entries.csv", "entries.jsonl"):
        assert grace.get(address + end).status_code == 404
    assert grace.post(f"{address}cancel/").status_code == 404
    # nor by the staff's own addresses
    for end in ("progress/", "entries.csv"):
        assert grace.get(f"/jobs/trials/{trial.pk}/{end}").status_code == 404
    assert person("ada").trials.count() == 1
