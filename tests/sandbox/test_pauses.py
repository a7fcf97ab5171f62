"""Section 9, check 56: pause rules; and the routes of endpoint_manager."""

import globus_sdk
import pytest

from sandbox import seed
from tests.sandbox.waiting import finished, has_nice_status, until


def wish(source=seed.RESEARCH, path="/projects/telescope/catalog.csv"):
    document = globus_sdk.TransferData(source, seed.LAPTOP)
    document.add_item(path, "/catalog.csv")
    return document


@pytest.fixture
def ada(transfer_as):
    return transfer_as("ada", seed.RESEARCH)


@pytest.fixture
def owner(transfer_as, ada):
    """Who runs the research storage."""
    return transfer_as("root", seed.RESEARCH)


def test_check_56_a_pause_rule_holds_a_task(sandbox, ada, owner):
    rule = owner.endpoint_manager_create_pause_rule(
        {
            "DATA_TYPE": "pause_rule",
            "message": "The tape robot is being mended",
            "endpoint_id": seed.RESEARCH,
            "identity_id": None,
            "start_time": None,
            "pause_ls": False,
        }
    )
    task_id = ada.submit_transfer(wish())["task_id"]
    task = has_nice_status(ada, task_id, "PAUSED")
    assert (task["status"], task["is_paused"]) == ("ACTIVE", True)
    info = ada.task_pause_info(task_id)
    assert info["source_pause_message"] == "The tape robot is being mended"
    (shown,) = info["pause_rules"]
    assert shown["id"] == rule["id"]
    assert (shown["pause_ls"], shown["pause_task_transfer_read"]) == (False, True)
    assert ada.operation_ls(seed.RESEARCH, path="/projects").http_status == 200
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.operation_mkdir(seed.RESEARCH, "/home/ada/x")
    assert (caught.value.http_status, caught.value.code) == (409, "OperationPaused")
    assert "tape robot" in str(caught.value.message)

    assert owner.endpoint_manager_delete_pause_rule(rule["id"])["code"] == "Deleted"

    assert finished(ada, task_id)["status"] == "SUCCEEDED"
    codes = {one["code"] for one in ada.task_event_list(task_id)}
    assert {"PAUSED", "UNPAUSED", "SUCCEEDED"} <= codes


def test_check_56_a_running_copy_stops_at_a_pause(sandbox, ada, data_folder):
    laptop = data_folder / "collections" / seed.LAPTOP
    (laptop / "large").write_bytes(bytes(500_000))
    sandbox.set(copy_bytes_per_second=50_000)
    task_id = ada.submit_transfer(wish(seed.LAPTOP, "/large"))["task_id"]
    has_nice_status(ada, task_id, "OK")
    rule = sandbox.pause(seed.LAPTOP, "Battery is low", pauses=["task_transfer_write"])
    has_nice_status(ada, task_id, "PAUSED")
    assert not (laptop / "catalog.csv").exists()
    sandbox.set(copy_bytes_per_second=0)
    sandbox.resume(rule)
    assert finished(ada, task_id)["status"] == "SUCCEEDED"


def test_a_paused_task_outlives_its_deadline(sandbox, transfer_as):
    sandbox.set(access_token_seconds=400 * 86_400)
    ada = transfer_as("ada", seed.RESEARCH)
    rule = sandbox.pause(seed.RESEARCH)
    task_id = ada.submit_transfer(wish())["task_id"]
    has_nice_status(ada, task_id, "PAUSED")
    sandbox.advance(89 * 86_400)
    assert ada.get_task(task_id)["status"] == "ACTIVE"
    sandbox.resume(rule)
    assert finished(ada, task_id)["status"] == "SUCCEEDED"
    rule = sandbox.pause(seed.RESEARCH)
    task_id = ada.submit_transfer(wish())["task_id"]
    has_nice_status(ada, task_id, "PAUSED")
    sandbox.advance(91 * 86_400)
    assert finished(ada, task_id)["fatal_error"]["code"] == "EXPIRED"


def test_a_rule_for_one_identity(sandbox, ada, owner, transfer_as):
    rule = owner.endpoint_manager_create_pause_rule(
        {
            "DATA_TYPE": "pause_rule",
            "message": "Please talk to us",
            "endpoint_id": seed.RESEARCH,
            "identity_id": seed.ADA_ID,
        }
    )
    with pytest.raises(globus_sdk.TransferAPIError):
        ada.operation_ls(seed.RESEARCH, path="/projects")
    assert owner.operation_ls(seed.RESEARCH, path="/projects").http_status == 200
    mine = ada.get("/v0.10/endpoint/" + seed.RESEARCH + "/my_effective_pause_rule_list")
    assert [one["id"] for one in mine["DATA"]] == [rule["id"]]
    changed = owner.endpoint_manager_update_pause_rule(
        rule["id"], {"DATA_TYPE": "pause_rule", "pause_ls": False}
    )
    assert changed["pause_ls"] is False
    assert ada.operation_ls(seed.RESEARCH, path="/projects").http_status == 200
    assert owner.endpoint_manager_get_pause_rule(rule["id"])["editable"] is True
    (listed,) = owner.endpoint_manager_pause_rule_list(filter_endpoint=seed.RESEARCH)
    assert listed["id"] == rule["id"]


@pytest.mark.parametrize("start", ["", "soon", "9999-12-31T23:59:59-14:00", 5])
def test_a_start_that_is_no_moment_is_refused(sandbox, owner, start):
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        owner.endpoint_manager_create_pause_rule(
            {
                "DATA_TYPE": "pause_rule",
                "endpoint_id": seed.RESEARCH,
                "start_time": start,
            }
        )
    assert caught.value.http_status == 400
    listed = owner.endpoint_manager_pause_rule_list(filter_endpoint=seed.RESEARCH)
    assert list(listed) == []


def test_the_paused_knob_of_a_collection(sandbox, ada):
    sandbox.collection(seed.RESEARCH, paused=True)
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.operation_ls(seed.RESEARCH, path="/projects")
    assert caught.value.http_status == 409
    sandbox.collection(seed.LAPTOP, paused=True)
    assert ada.get_endpoint(seed.LAPTOP)["gcp_paused"] is True
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.operation_ls(seed.LAPTOP, path="/")
    assert str(caught.value.code).endswith("GCPaused")


def test_what_managers_see_and_do(sandbox, ada, owner):
    sandbox.set(hold_tasks=True)
    task_id = ada.submit_transfer(wish())["task_id"]
    watched = owner.endpoint_manager_monitored_endpoints()
    assert seed.RESEARCH in {one["id"] for one in watched}
    assert owner.endpoint_manager_get_endpoint(seed.RESEARCH)["id"] == seed.RESEARCH
    (guest,) = owner.endpoint_manager_hosted_endpoint_list(seed.RESEARCH)
    assert guest["id"] == seed.SHARED
    assert len(list(owner.endpoint_manager_acl_list(seed.SHARED))) == 4
    assert owner.endpoint_manager_get_task(task_id)["owner_id"] == seed.ADA_ID
    assert owner.endpoint_manager_task_event_list(task_id)["total"] == 0
    has_nice_status(ada, task_id, "OK")

    owner.endpoint_manager_pause_tasks([task_id], "A moment, please")
    has_nice_status(ada, task_id, "PAUSED")
    info = owner.endpoint_manager_task_pause_info(task_id)
    assert info["source_pause_message"] == "A moment, please"
    owner.endpoint_manager_resume_tasks([task_id])
    has_nice_status(ada, task_id, "OK")

    order = owner.endpoint_manager_cancel_tasks([task_id], "Out of space")
    task = finished(ada, task_id)
    assert task["canceled_by_admin"] == "SOURCE"
    assert task["canceled_by_admin_message"] == "Out of space"
    until(
        lambda: owner.endpoint_manager_cancel_status(order["id"])["done"], "all ended"
    )
    assert list(owner.endpoint_manager_task_successful_transfers(task_id)) == []
    assert list(owner.endpoint_manager_task_skipped_errors(task_id)) == []


def test_managers_page_through_tasks_by_last_key(sandbox, ada, owner):
    sandbox.set(hold_tasks=True, pending_tasks=10)
    ids = set()
    for number in range(5):
        document = globus_sdk.TransferData(seed.RESEARCH, seed.LAPTOP)
        document.add_item("/projects/telescope/catalog.csv", f"/{number}")
        ids.add(ada.submit_transfer(document)["task_id"])
    pages = owner.paginated.endpoint_manager_task_list(query_params={"limit": 2})
    assert {one["task_id"] for one in pages.items()} == ids

    def count(**filters) -> int:
        return len(list(owner.endpoint_manager_task_list(**filters)))

    one = next(iter(ids))
    assert count(filter_task_id=[one]) == 1
    assert count(filter_status="SUCCEEDED") == 0
    assert count(filter_owner_id=seed.GRACE_ID) == 0
    at = {"filter_endpoint": seed.RESEARCH}
    assert count(**at, filter_endpoint_use="source") == 5
    assert count(**at, filter_endpoint_use="destination") == 0
    assert count(filter_is_paused=True) == 0
    assert count(filter_min_faults=1) == 0
    assert count(filter_completion_time="2020-01-01,2020-01-02") == 0
    assert count(filter_local_user="nobody") == 0


def test_nobody_else_manages(ada, transfer_as):
    assert seed.RESEARCH not in {
        one["id"] for one in ada.endpoint_manager_monitored_endpoints()
    }
    for call in (
        lambda: ada.endpoint_manager_get_endpoint(seed.RESEARCH),
        lambda: ada.endpoint_manager_create_pause_rule({"endpoint_id": seed.RESEARCH}),
    ):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            call()
        assert caught.value.http_status == 403
