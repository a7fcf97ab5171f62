"""The thin line through everything: sign in, list, transfer."""

import globus_sdk

from sandbox import seed
from tests.sandbox.waiting import finished


def test_check_45_a_minimal_transfer_really_copies(transfer_as):
    client = transfer_as("ada", seed.TUTORIAL_1, seed.TUTORIAL_2)
    document = globus_sdk.TransferData(seed.TUTORIAL_1, seed.TUTORIAL_2)
    document.add_item("/share/godata/file1.txt", "/~/copied/file1.txt")

    answer = client.submit_transfer(document)

    assert answer["code"] == "Accepted"
    task = finished(client, answer["task_id"])
    assert task["status"] == "SUCCEEDED"
    assert task["is_ok"] is None
    assert task["nice_status"] is None
    assert (task["files"], task["files_transferred"]) == (1, 1)
    assert (task["bytes_transferred"], task["subtasks_total"]) == (4, 2)
    listed = client.operation_ls(seed.TUTORIAL_2, path="/~/copied")
    assert [(one["name"], one["size"]) for one in listed] == [("file1.txt", 4)]
