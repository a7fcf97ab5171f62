"""Preflights: each thing in the way is named, with what to do about it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from accounts.service_accounts import replace_secret
from portal.globus.errors import GlobusUnreachable
from sandbox import seed
from tests.factories import make_job
from transfers.jobs import preflight
from transfers.jobs.checklist import BAD, OK, UNKNOWN, WARN


@pytest.fixture
def job(service_account):
    return make_job(
        service_account,
        kind="transfer",
        destination_collection=seed.HARVEST,
        destination_path="/incoming/new/",
    )


def found(job):
    checklist = preflight.check(job)
    return checklist, {each.key: each for each in checklist.checks}


def changed(sandbox):
    """What was asked of Globus that may change anything."""
    return [
        (each["method"], each["path"])
        for each in sandbox.requests("/v0.10/*")
        if each["method"] != "GET"
    ]


def test_a_job_that_can_work_passes(job, sandbox, stack):
    checklist, checks = found(job)
    assert checklist.passed, checklist.sentence
    assert checklist.sentence == "Nothing stands in the way of this job."
    assert checks["credential"].state == checks["read"].state == OK
    assert checks["write"].state == OK
    assert "below which /incoming/new/ is made" in checks["write"].says
    assert checks["space"].state == UNKNOWN
    folder = stack.folder / "sandbox" / "collections" / seed.HARVEST / "incoming"
    assert [*folder.iterdir()] == [], "a preflight changes nothing"
    assert [each[0] for each in changed(sandbox)] == ["POST"]


def test_a_file_can_be_the_source(service_account):
    job = make_job(service_account, source_path="/README.txt")
    assert preflight.check(job).passed


def test_a_secret_that_does_not_work(job, service_account):
    replace_secret(service_account, "wrong", by=None)
    checklist, checks = found(job)
    assert [*checks] == ["credential"]
    assert checks["credential"].state == BAD
    assert "administrator" in checks["credential"].fix
    assert not checklist.passed


def test_a_credential_that_is_switched_off(job, service_account):
    service_account.enabled = False
    service_account.disabled_reason = "leaked"
    service_account.save()
    _, checks = found(job)
    assert "leaked" in checks["credential"].says


def test_a_collection_that_is_not_there(job):
    job.source_collection = uuid4()
    _, checks = found(job)
    check = checks["source-collection"]
    assert check.state == BAD
    assert check.grant == job.service_account.identity_username
    assert checks["write"].state == OK, "the rest is looked at all the same"


def test_a_path_that_is_not_there(job):
    job.source_path = "/nowhere/"
    _, checks = found(job)
    assert checks["read"].state == BAD
    assert "There is nothing at /nowhere/" in checks["read"].says


def test_a_source_that_may_not_be_read_names_whom_to_let_in(job, sandbox):
    sandbox.collection(seed.HARVEST, denied_paths=["/sensors"])
    _, checks = found(job)
    check = checks["read"]
    assert check.state == BAD
    assert check.says == "The service account may not read /sensors/."
    assert check.grant.startswith(seed.HARVEST_CLIENT_ID)
    assert check.place == seed.HARVEST


def test_a_destination_that_may_only_be_read(job, sandbox, stack):
    job.destination_collection = seed.ARCHIVE
    job.destination_path = "/published/"
    _, checks = found(job)
    check = checks["write"]
    assert check.state == BAD, check
    assert "may not write to /published/" in check.says
    assert check.grant


def test_a_mapped_collection_gets_the_service_accounts_own_consent(
    service_account, sandbox
):
    job = make_job(
        service_account, source_collection=seed.RESEARCH, source_path="/projects/"
    )
    _, checks = found(job)
    assert checks["source-consent"].state == OK
    assert "has just consented for itself" in checks["source-consent"].says
    assert checks["read"].state == OK
    keys = [*checks]
    assert keys.index("source-consent") < keys.index("read")
    _, checks = found(job)
    assert checks["source-consent"].says == "No consent is missing."


def test_a_consent_that_changes_nothing_is_no_endless_loop(service_account, sandbox):
    job = make_job(
        service_account, source_collection=seed.RESEARCH, source_path="/projects/"
    )
    scope = (
        "urn:globus:auth:scope:transfer.api.globus.org:all"
        f"[*https://auth.globus.org/scopes/{seed.RESEARCH}/data_access]"
    )
    refusal = {"code": "ConsentRequired", "message": "x", "required_scopes": [scope]}
    sandbox.fault("/endpoint/*/ls", status=403, body=refusal)
    _, checks = found(job)
    assert checks["source-consent"].state == BAD
    assert "again although" in checks["source-consent"].says
    assert len(sandbox.requests("/endpoint/*/ls")) == 2
    grants = [r for r in sandbox.requests("/v2/oauth2/token") if r["method"] == "POST"]
    assert len(grants) <= 2, "its token, and the consent once"


def test_high_assurance_is_said(service_account):
    job = make_job(
        service_account, source_collection=seed.CLINICAL, source_path="/study-001/"
    )
    _, checks = found(job)
    assert checks["source-assurance"].state == WARN
    assert checks["read"].state == BAD
    assert "sign-in" in checks["read"].says


def test_a_paused_collection_says_why(job, sandbox):
    job.source_collection = seed.TUTORIAL_1
    job.source_path = "/share/godata/"
    sandbox.pause(seed.TUTORIAL_1, "Disks are swapped")
    _, checks = found(job)
    assert "Disks are swapped" in checks["source-paused"].says
    assert checks["source-paused"].state == BAD


def test_a_computer_that_is_off(job, sandbox, no_pauses):
    sandbox.collection(seed.HARVEST, connected=False)
    _, checks = found(job)
    assert checks["source-offline"].state == BAD
    assert "Globus Connect Personal" in checks["source-offline"].fix


def test_globus_out_of_reach_is_no_verdict(job, sandbox, no_pauses):
    sandbox.fault("/endpoint/*/ls", status=503)
    with pytest.raises(GlobusUnreachable):
        preflight.check(job)


def test_a_destination_inside_the_source(job):
    job.destination_path = "/sensors/copy/"
    _, checks = found(job)
    assert checks["apart"].state == BAD


def test_a_path_with_fields_is_looked_at_above_them(job):
    job.source_path = "/sensors/{scheduled_for:%Y-%m-%d}.csv"
    _, checks = found(job)
    assert checks["read"].says == "The service account can read /sensors/."


def test_of_a_batch_the_first_paths_are_looked_at(job):
    inputs = job.inputs() | {
        "items": [
            {"source_path": f"/{name}/", "destination_path": f"/incoming/{name}/"}
            for name in ("sensors", "incoming", "nowhere", "sensors", "a", "b", "c")
        ]
    }
    assert len(preflight.paths_of(inputs, "source")) == preflight.MOST_PATHS
    checks = preflight.check_inputs(job.service_account, inputs).checks
    read = [(check.state, check.says) for check in checks if check.key == "read"]
    assert [state for state, _ in read] == [OK, OK, BAD, BAD, BAD]
    assert "/nowhere/" in read[2][1]
    assert len([check for check in checks if check.key == "source-consent"]) == 1
