"""Section 9, checks 45 to 55: tasks that really copy and delete."""

import os

import globus_sdk
import pytest

from sandbox import seed, trees
from sandbox.testing import Sandbox
from tests.sandbox.conftest import data_access_scope
from tests.sandbox.waiting import finished, has_nice_status, until

DAY = 86_400


@pytest.fixture
def client(transfer_as):
    """Ada, who may do anything on her laptop."""
    return transfer_as("ada", seed.TUTORIAL_1, seed.TUTORIAL_2, seed.RESEARCH)


@pytest.fixture
def laptop(data_folder):
    return data_folder / "collections" / seed.LAPTOP


def wish(*items, **options) -> globus_sdk.TransferData:
    """A transfer within the laptop."""
    document = globus_sdk.TransferData(seed.LAPTOP, seed.LAPTOP, **options)
    for source, destination in items:
        document.add_item(source, destination)
    return document


def write(folder, **files) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)


def tree(folder) -> list[str]:
    return sorted(
        str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()
    )


def test_check_46_one_submission_is_one_task(sandbox, client):
    sandbox.set(hold_tasks=True)
    document = wish(("/Documents/paper.tex", "/copy.tex"))
    document["submission_id"] = client.get_submission_id()["value"]
    first = client.submit_transfer(document)
    second = client.submit_transfer(document)
    assert (first["code"], second["code"]) == ("Accepted", "Duplicate")
    assert first["task_id"] == second["task_id"]
    assert client.task_list()["total"] == 1
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.submit_transfer(wish(("/Documents/paper.tex", "/copy.tex")))
    assert (caught.value.http_status, caught.value.code) == (409, "Conflict")
    assert "identical paths has not yet completed" in str(caught.value.message)
    sandbox.set(hold_tasks=False)
    finished(client, first["task_id"])
    again = client.submit_transfer(wish(("/Documents/paper.tex", "/copy.tex")))
    assert again["code"] == "Accepted"


def test_the_same_submission_in_parallel_is_one_task(client):
    from concurrent.futures import ThreadPoolExecutor

    document = wish(("/Documents/paper.tex", "/copy.tex"))
    document["submission_id"] = client.get_submission_id()["value"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda _: client.post("/v0.10/transfer", data=dict(document)), range(6)
            )
        )
    assert len({one["task_id"] for one in answers}) == 1
    assert sorted(one["code"] for one in answers) == ["Accepted", *["Duplicate"] * 5]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"DATA": []}, 400, "ClientError.BadRequest.NoTransferItems"),
        ({"label": "x" * 129}, 400, "ClientError.BadRequest"),
        ({"label": " x"}, 400, "ClientError.BadRequest"),
        ({"source_endpoint": "nothing"}, 404, "EndpointNotFound"),
        ({"source_endpoint": None}, 400, "ClientError.BadRequest"),
        ({"submission_id": "x"}, 400, "ClientError.BadRequest"),
        ({"sync_level": 4}, 400, "ClientError.BadRequest"),
        ({"deadline": "2001-01-01"}, 400, "ClientError.BadRequest"),
        ({"deadline": "soon"}, 400, "ClientError.BadRequest"),
        ({"filter_rules": [{"method": "maybe", "name": "x"}]}, 400, None),
        ({"DATA": [{"source_path": "/x"}]}, 400, None),
        ({"DATA": ["x"]}, 400, None),
        ({"source_endpoint": seed.VAULT}, 403, "PermissionDenied"),
    ],
)
def test_check_47_refused_documents(client, changes, status, code):
    document = wish(("/Documents/paper.tex", "/copy.tex"))
    document["submission_id"] = "7d3f2b1c-0000-4000-8000-000000000001"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.post("/v0.10/transfer", data={**document, **changes})
    assert caught.value.http_status == status
    assert caught.value.code == code or code is None
    assert client.task_list()["total"] == 0


def test_check_48_a_tree_with_filter_rules(client, laptop):
    write(laptop / "in", a_txt="1", b_log="2")
    write(laptop / "in" / "skipped", c_txt="3")
    write(laptop / "in" / "deep", keep_log="4", other_log="5")
    document = wish(("/in", "/out"))
    document.add_filter_rule("keep_*", method="include")
    document.add_filter_rule("*_log", method="exclude", type="file")
    document.add_filter_rule("skipped", method="exclude", type="dir")
    task = finished(client, client.submit_transfer(document)["task_id"])
    assert task["status"] == "SUCCEEDED"
    assert tree(laptop / "out") == ["a_txt", "deep/keep_log"]
    assert (task["files"], task["directories"]) == (2, 2)


def test_a_tree_that_is_copied_into_itself_ends(client, laptop):
    write(laptop / "in" / "deep", a_txt="1")
    task = finished(
        client, client.submit_transfer(wish(("/in", "/in/copy")))["task_id"]
    )
    assert task["status"] == "SUCCEEDED"
    assert tree(laptop / "in") == ["copy/deep/a_txt", "deep/a_txt"]


def test_a_link_to_where_a_tree_is_copied_to_ends(client, laptop):
    write(laptop / "in", a_txt="1")
    write(laptop / "out", b_txt="2")
    (laptop / "in" / "link").symlink_to("../out")
    document = wish(("/in", "/out"))
    document["recursive_symlinks"] = "copy"
    task = finished(client, client.submit_transfer(document)["task_id"])
    assert task["status"] == "SUCCEEDED"
    assert tree(laptop / "out") == ["a_txt", "b_txt"]


@pytest.mark.parametrize(
    ("level", "copied"),
    [
        (None, {"same", "bigger", "newer", "edited", "missing"}),
        (0, {"missing"}),
        (1, {"missing", "bigger"}),
        (2, {"missing", "bigger", "newer"}),
        (3, {"missing", "bigger", "edited"}),
    ],
)
def test_check_48_sync_levels(client, laptop, level, copied):
    source, target = laptop / "in", laptop / "out"
    write(source, same="11", bigger="111", newer="22", edited="33", missing="4")
    write(target, same="11", bigger="1", newer="22", edited="44")
    for name in ("same", "bigger", "edited"):
        os.utime(target / name, (2_000_000_000, 2_000_000_000))
    os.utime(target / "newer", (1_000_000_000, 1_000_000_000))
    before = {one.name: one.stat().st_ino for one in target.iterdir()}

    document = wish(("/in", "/out"), sync_level=level)
    task = finished(client, client.submit_transfer(document)["task_id"])

    after = {one.name: one.stat().st_ino for one in target.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == copied
    assert task["files_skipped"] == 5 - len(copied)
    assert task["files_transferred"] == len(copied)


def test_check_49_delete_extra_and_preserve_timestamp(client, laptop):
    write(laptop / "in", a="1")
    os.utime(laptop / "in" / "a", (1_500_000_000, 1_500_000_000))
    write(laptop / "out", extra="x")
    write(laptop / "out" / "folder", more="x")
    document = wish(
        ("/in", "/out"), delete_destination_extra=True, preserve_timestamp=True
    )
    finished(client, client.submit_transfer(document)["task_id"])
    assert [one.name for one in (laptop / "out").iterdir()] == ["a"]
    assert (laptop / "out" / "a").stat().st_mtime == 1_500_000_000


def test_check_49_a_corrupted_file_is_noticed(sandbox, client, laptop):
    sandbox.set(corrupt_files=1)
    document = wish(("/Documents/paper.tex", "/copy.tex"), verify_checksum=True)
    task = finished(client, client.submit_transfer(document)["task_id"])
    assert (task["status"], task["faults"]) == ("SUCCEEDED", 1)
    codes = [one["code"] for one in client.task_event_list(task["task_id"])]
    assert "VERIFY_CHECKSUM" in codes
    original = (laptop / "Documents" / "paper.tex").read_bytes()
    assert (laptop / "copy.tex").read_bytes() == original


def test_check_50_a_missing_source_waits_for_its_deadline(sandbox, client):
    task_id = client.submit_transfer(wish(("/nowhere", "/copy")))["task_id"]
    task = has_nice_status(client, task_id, "FILE_NOT_FOUND")
    assert (task["status"], task["is_ok"]) == ("ACTIVE", False)
    faults = task["faults"]
    assert faults >= 1
    sandbox.advance(60)
    until(lambda: client.get_task(task_id)["faults"] > faults, "another try")
    sandbox.advance(DAY)
    task = finished(client, task_id)
    assert (task["status"], task["is_ok"]) == ("FAILED", None)
    assert task["fatal_error"]["code"] == "EXPIRED"


def test_check_50_a_source_that_turns_up_is_copied(sandbox, client, laptop):
    task_id = client.submit_transfer(wish(("/late", "/copy")))["task_id"]
    has_nice_status(client, task_id, "FILE_NOT_FOUND")
    (laptop / "late").write_text("here")
    sandbox.advance(60)
    assert finished(client, task_id)["status"] == "SUCCEEDED"
    assert (laptop / "copy").read_text() == "here"


def test_check_50_source_errors_can_be_skipped(client):
    document = wish(
        ("/nowhere", "/a"), ("/Documents/paper.tex", "/b"), skip_source_errors=True
    )
    task = finished(client, client.submit_transfer(document)["task_id"])
    assert (task["status"], task["subtasks_skipped_errors"]) == ("SUCCEEDED", 1)
    (skipped,) = client.task_skipped_errors(task["task_id"])
    assert skipped["source_path"] == "/nowhere"
    assert skipped["error_code"] == "FILE_NOT_FOUND"
    (done,) = client.task_successful_transfers(task["task_id"])
    assert (done["source_path"], done["destination_path"]) == (
        "/Documents/paper.tex",
        "/b",
    )


def deletion(*paths, **options) -> globus_sdk.DeleteData:
    document = globus_sdk.DeleteData(seed.LAPTOP, **options)
    for path in paths:
        document.add_item(path)
    return document


def test_check_51_deletes(sandbox, client, laptop):
    def ended(document) -> globus_sdk.GlobusHTTPResponse:
        return finished(client, client.submit_delete(document)["task_id"])

    write(laptop / "x", a_txt="1", b_txt="2", c_log="3")
    refused = ended(deletion("/x"))
    assert refused["status"] == "FAILED"
    assert refused["fatal_error"]["code"] == "IS_A_DIRECTORY"
    globbed = ended(deletion("/x/*_txt", interpret_globs=True))
    assert globbed["status"] == "SUCCEEDED"
    assert tree(laptop / "x") == ["c_log"]
    gone = ended(deletion("/x", "/nowhere", recursive=True, ignore_missing=True))
    assert gone["status"] == "SUCCEEDED"
    assert (gone["type"], gone["destination_endpoint"]) == ("DELETE", None)
    assert not (laptop / "x").exists()
    task_id = client.submit_delete(deletion("/nowhere"))["task_id"]
    assert has_nice_status(client, task_id, "FILE_NOT_FOUND")["is_ok"] is False


def test_a_delete_removes_a_link_and_not_its_target(client, laptop, tmp_path):
    write(tmp_path, precious="x")
    (laptop / "link").symlink_to(tmp_path)
    write(laptop / "folder", a="1")
    (laptop / "folder" / "inner").symlink_to(tmp_path)
    for path in ("/link", "/folder"):
        task_id = client.submit_delete(deletion(path, recursive=True))["task_id"]
        assert finished(client, task_id)["status"] == "SUCCEEDED"
    assert (tmp_path / "precious").exists()
    assert not (laptop / "link").is_symlink()


def test_a_transfer_does_not_write_through_a_link(client, laptop, tmp_path):
    (laptop / "out").symlink_to(tmp_path)
    for target in ("/out/paper.tex", "/out"):
        task_id = client.submit_transfer(wish(("/Documents", target)))["task_id"]
        has_nice_status(client, task_id, "PERMISSION_DENIED")
        client.cancel_task(task_id)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def three_tasks(sandbox, client):
    """Finished ones, a minute apart."""
    ids = []
    for number, label in enumerate(("alpha", "beta", None)):
        document = wish(("/Documents/paper.tex", f"/copy-{number}"), label=label)
        ids.append(client.submit_transfer(document)["task_id"])
        finished(client, ids[-1])
        sandbox.advance(60)
    task_id = client.submit_delete(deletion("/copy-0"))["task_id"]
    finished(client, task_id)
    return [*ids, task_id]


def test_check_52_task_list(client, transfer_as, three_tasks):
    def ids(**parameters) -> list[str]:
        return [one["task_id"] for one in client.task_list(**parameters)]

    alpha, beta, unnamed, deleted = three_tasks
    assert ids() == [deleted, unnamed, beta, alpha]
    assert ids(orderby="request_time ASC") == three_tasks
    assert ids(filter="type:DELETE") == [deleted]
    assert ids(filter="status:ACTIVE") == []
    assert ids(filter="label:~*a/type:TRANSFER,DELETE") == [beta, alpha]
    assert ids(filter="label:!~al*") == [beta]
    assert ids(filter="label:=beta") == [beta]
    assert ids(filter={"status": ["SUCCEEDED"], "task_id": [alpha]}) == [alpha]
    moment = client.get_task(beta)["request_time"]
    assert ids(filter=f"request_time:{moment},") == [deleted, unnamed, beta]
    assert ids(filter=f"request_time:,{moment}") == [alpha]
    page = client.task_list(limit=1, offset=1)
    assert (page["total"], page["length"], page["limit"]) == (4, 1, 1)
    some = client.task_list(query_params={"fields": "task_id"}, limit=1)
    assert set(some["DATA"][0]) == {"task_id", "DATA_TYPE"}
    assert len(list(client.paginated.task_list(limit=3).items())) == 4
    assert list(transfer_as("grace").task_list()) == []
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        transfer_as("grace").get_task(alpha)
    assert caught.value.http_status == 404
    for bad in ({"limit": 1001}, {"filter": "nonsense:x"}, {"orderby": "nonsense"}):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            client.task_list(**bad)
        assert caught.value.http_status == 400


def test_check_53_events_and_marker_paging(client, laptop):
    write(laptop / "many", **{f"f{number:03d}": "x" for number in range(150)})
    task_id = client.submit_transfer(wish(("/many", "/more")))["task_id"]
    finished(client, task_id)
    events = client.task_event_list(task_id, query_params={"filter": ""})
    assert [one["code"] for one in events] == ["SUCCEEDED", "PROGRESS", "STARTED"]
    assert events["total"] == 3
    assert (
        list(client.task_event_list(task_id, query_params={"filter": "is_error:1"}))
        == []
    )
    done = list(client.paginated.task_successful_transfers(task_id).items())
    assert len({one["source_path"] for one in done}) == 150
    assert list(client.paginated.task_skipped_errors(task_id).items()) == []


def test_check_54_cancel_and_update(sandbox, client):
    task_id = client.submit_transfer(wish(("/nowhere", "/x")))["task_id"]
    has_nice_status(client, task_id, "FILE_NOT_FOUND")
    changed = client.update_task(task_id, {"DATA_TYPE": "task", "label": "new"})
    assert changed["code"] == "Updated"
    assert client.get_task(task_id)["label"] == "new"
    assert client.cancel_task(task_id)["code"] == "Canceled"
    task = finished(client, task_id)
    assert (task["status"], task["fatal_error"]["code"]) == ("FAILED", "CANCELED")
    assert client.cancel_task(task_id)["code"] == "TaskComplete"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.update_task(task_id, {"DATA_TYPE": "task", "label": "late"})
    assert caught.value.http_status == 409


def test_check_54_a_running_copy_stops_when_cancelled(sandbox, client, laptop):
    (laptop / "large").write_bytes(bytes(1_000_000))
    sandbox.set(copy_bytes_per_second=50_000)
    task_id = client.submit_transfer(wish(("/large", "/copy")))["task_id"]
    has_nice_status(client, task_id, "OK")
    client.cancel_task(task_id)
    assert finished(client, task_id)["fatal_error"]["code"] == "CANCELED"
    assert client.get_task(task_id)["files_transferred"] == 0
    assert not (laptop / "copy").exists(), "no half file is left"


def test_check_55_three_run_and_the_rest_is_queued(sandbox, client):
    sandbox.set(hold_tasks=True)
    ids = [
        client.submit_transfer(wish(("/Documents/paper.tex", f"/c{number}")))["task_id"]
        for number in range(5)
    ]
    has_nice_status(client, ids[2], "OK")
    found = [client.get_task(one) for one in ids]
    assert [one["nice_status"] for one in found] == ["OK"] * 3 + ["Queued"] * 2
    assert all(one["is_ok"] for one in found)
    client.cancel_task(ids[0])
    has_nice_status(client, ids[3], "OK")
    sandbox.set(hold_tasks=False)
    assert {finished(client, one)["status"] for one in ids[1:]} == {"SUCCEEDED"}


def test_a_hundred_pending_tasks_are_enough(sandbox, client):
    sandbox.set(hold_tasks=True, pending_tasks=2)
    for number in range(2):
        client.submit_transfer(wish(("/Documents/paper.tex", f"/c{number}")))
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.submit_transfer(wish(("/Documents/paper.tex", "/c2")))
    assert caught.value.http_status == 409


def test_a_task_without_its_consent_waits_for_it(sandbox, client, sign_in):
    sandbox.set(hold_tasks=True)
    document = globus_sdk.TransferData(seed.TUTORIAL_1, seed.LAPTOP)
    document.add_item("/share/godata/file1.txt", "/file1.txt")
    task_id = client.submit_transfer(document)["task_id"]
    sandbox.withdraw_consents(username=seed.ADA)
    sandbox.set(hold_tasks=False)
    task = has_nice_status(client, task_id, "NO_CREDENTIALS")
    assert (task["status"], task["is_ok"]) == ("INACTIVE", False)
    assert next(one["code"] for one in client.task_event_list(task_id)) == "AUTH"
    sign_in("ada", data_access_scope(seed.TUTORIAL_1))
    assert finished(client, task_id)["status"] == "SUCCEEDED"


def test_a_restart_takes_unfinished_tasks_up_again(tmp_path, monkeypatch):
    def transfer_client(sandbox) -> globus_sdk.TransferClient:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        auth = globus_sdk.ConfidentialAppAuthClient(
            seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
        )
        with auth:
            tokens = auth.oauth2_client_credentials_tokens(
                globus_sdk.TransferClient.scopes.all
            )
        return globus_sdk.TransferClient(
            authorizer=globus_sdk.AccessTokenAuthorizer(tokens["access_token"])
        )

    sandbox = Sandbox.start(tmp_path)
    sandbox.set(hold_tasks=True)
    with transfer_client(sandbox) as client:
        document = globus_sdk.TransferData(seed.HARVEST, seed.ARCHIVE)
        document.add_item("/sensors", "/incoming/sensors")
        task_id = client.submit_transfer(document)["task_id"]
    sandbox.stop()
    sandbox = Sandbox.start(tmp_path)
    with transfer_client(sandbox) as client:
        task = finished(client, task_id)
    sandbox.stop()
    assert (task["status"], task["files_transferred"]) == ("SUCCEEDED", 5)


def test_a_running_copy_ends_at_its_deadline(sandbox, client, laptop):
    (laptop / "large").write_bytes(bytes(1_000_000))
    sandbox.set(copy_bytes_per_second=50_000)
    task_id = client.submit_transfer(wish(("/large", "/copy")))["task_id"]
    has_nice_status(client, task_id, "OK")
    sandbox.advance(DAY)
    assert finished(client, task_id)["fatal_error"]["code"] == "EXPIRED"


#: section 3.7, the groups one after the other
TASK_KEYS = {
    *("DATA_TYPE", "task_id", "type", "status", "label", "command", "owner_id"),
    *("owner_string", "username", "key", "request_time", "completion_time", "deadline"),
    *(
        f"{side}_{name}"
        for side in ("source", "destination")
        for name in (
            *("endpoint", "endpoint_id", "endpoint_display_name", "host_endpoint"),
            *("host_endpoint_id", "host_endpoint_display_name", "host_path"),
            *("mapped_collection_id", "mapped_collection_display_name"),
            *("local_user", "local_user_status", "base_path"),
        )
    ),
    *("sync_level", "encrypt_data", "verify_checksum", "preserve_timestamp"),
    *("delete_destination_extra", "recursive_symlinks", "skip_source_errors"),
    *("fail_on_quota_errors", "filter_rules", "is_ok", "is_paused", "faults"),
    *("nice_status", "nice_status_details", "nice_status_short_description"),
    *("nice_status_expires_in", "fatal_error", "canceled_by_admin"),
    *("canceled_by_admin_message", "history_deleted", "files", "directories"),
    *("symlinks", "files_skipped", "files_transferred", "bytes_transferred"),
    *("bytes_checksummed", "effective_bytes_per_second", "subtasks_total"),
    *("subtasks_pending", "subtasks_retrying", "subtasks_succeeded"),
    *("subtasks_expired", "subtasks_canceled", "subtasks_failed"),
    "subtasks_skipped_errors",
}


def test_check_45_a_minimal_document(client, laptop):
    accepted = client.submit_transfer(wish(("/Documents/paper.tex", "/copy.tex")))
    assert (accepted["DATA_TYPE"], accepted["code"]) == ("transfer_result", "Accepted")
    task = finished(client, accepted["task_id"])
    assert set(task.data) >= TASK_KEYS
    assert (task["status"], task["is_ok"]) == ("SUCCEEDED", None)
    size = (laptop / "Documents" / "paper.tex").stat().st_size
    assert (laptop / "copy.tex").stat().st_size == size
    assert (task["files"], task["files_transferred"]) == (1, 1)
    assert task["bytes_transferred"] == size
    assert (task["subtasks_total"], task["subtasks_succeeded"]) == (2, 2)
    assert (task["nice_status"], task["completion_time"] is None) == (None, False)


@pytest.mark.parametrize("links", ["ignore", "keep", "copy"])
def test_check_48_symlinks(client, laptop, links):
    write(laptop / "in", a="1")
    (laptop / "in" / "link").symlink_to("a")
    (laptop / "in" / "loop").symlink_to(".")
    document = wish(("/in", "/out"), additional_fields={"recursive_symlinks": links})
    task_id = client.submit_transfer(document)["task_id"]
    if links == "copy":
        has_nice_status(client, task_id, "INVALID_SYMLINK")
        (laptop / "in" / "loop").unlink()
        client.cancel_task(task_id)
        task_id = client.submit_transfer(document_again(document))["task_id"]
    task = finished(client, task_id)
    assert (task["status"], task["recursive_symlinks"]) == ("SUCCEEDED", links)
    names = sorted(one.name for one in (laptop / "out").iterdir())
    wanted = {"ignore": ["a"], "keep": ["a", "link", "loop"], "copy": ["a", "link"]}
    assert names == wanted[links]
    if links != "ignore":
        assert (laptop / "out" / "link").is_symlink() == (links == "keep")
    assert task["symlinks"] == (2 if links == "keep" else 0)


def document_again(document) -> dict[str, object]:
    """The same wish with a submission id of its own."""
    return {name: one for name, one in document.items() if name != "submission_id"}


def test_check_48_a_symlink_item_and_the_operation(client, laptop):
    made = client.post(
        f"/v0.10/operation/endpoint/{seed.LAPTOP}/symlink",
        data={"DATA_TYPE": "symlink", "symlink_target": "paper.tex", "path": "/link"},
    )
    assert made["code"] == "SymlinkCreated"
    item = {
        "DATA_TYPE": "transfer_symlink_item",
        "source_path": "/link",
        "destination_path": "/copies/link",
    }
    task_id = client.submit_transfer({**wish(), "DATA": [item]})["task_id"]
    assert finished(client, task_id)["symlinks"] == 1
    assert str((laptop / "copies" / "link").readlink()) == "paper.tex"
    wrong = {**item, "source_path": "/Documents/paper.tex"}
    task_id = client.submit_transfer({**wish(), "DATA": [wrong]})["task_id"]
    has_nice_status(client, task_id, "NOT_A_SYMLINK")


def test_check_49_external_checksums(client, laptop):
    import hashlib

    content = (laptop / "Documents" / "paper.tex").read_bytes()
    right = hashlib.sha1(content).hexdigest()
    for checksum in (right, "0" * 40):
        document = wish()
        document.add_item(
            "/Documents/paper.tex",
            f"/{checksum}",
            external_checksum=checksum,
            checksum_algorithm="SHA1",
        )
        task_id = client.submit_transfer(document)["task_id"]
        if checksum == right:
            finished(client, task_id)
            (done,) = client.task_successful_transfers(task_id)
            assert (done["checksum"], done["checksum_algorithm"]) == (right, "SHA1")
        else:
            has_nice_status(client, task_id, "EXTERNAL_CHECKSUM_MISMATCH")
            assert not (laptop / checksum).exists()


@pytest.mark.parametrize("is_fatal", [True, False])
def test_check_49_quota_errors(sandbox, client, is_fatal):
    sandbox.set(quota_bytes=5)
    document = wish(("/Documents/paper.tex", "/x"), fail_on_quota_errors=is_fatal)
    task_id = client.submit_transfer(document)["task_id"]
    if is_fatal:
        assert finished(client, task_id)["fatal_error"]["code"] == "QUOTA_EXCEEDED"
    else:
        has_nice_status(client, task_id, "QUOTA_EXCEEDED")
        sandbox.set(quota_bytes=0)
        sandbox.advance(60)
        assert finished(client, task_id)["status"] == "SUCCEEDED"


def test_check_49_options_that_show_in_the_task(client):
    document = wish(
        ("/Documents/paper.tex", "/deep/a/x"),
        ("/Documents/figures/plot.csv", "/deep/b/y"),
        encrypt_data=True,
        source_local_user="ada",
        additional_fields={"store_base_path_info": True},
    )
    task = finished(client, client.submit_transfer(document)["task_id"])
    assert task["encrypt_data"] is True
    assert task["source_local_user"] == "ada"
    assert task["source_base_path"] == "/Documents/"
    assert task["destination_base_path"] == "/deep/"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.submit_transfer(
            wish(("/Documents/paper.tex", "/z"), destination_local_user="root")
        )
    assert caught.value.http_status == 403


def test_check_50_progress_moves_the_deadline(sandbox, transfer_as):
    sandbox.set(access_token_seconds=30 * DAY)
    client = transfer_as("ada")
    document = wish(("/Documents/paper.tex", "/a"), ("/nowhere", "/b"))
    task_id = client.submit_transfer(document)["task_id"]
    has_nice_status(client, task_id, "FILE_NOT_FOUND")
    sandbox.advance(2 * DAY)
    until(lambda: client.get_task(task_id)["faults"] > 1, "another try")
    assert client.get_task(task_id)["status"] == "ACTIVE"
    sandbox.advance(1.1 * DAY)
    assert finished(client, task_id)["fatal_error"]["code"] == "EXPIRED"


def test_check_50_a_deadline_that_was_asked_for_stays(sandbox, client):
    from datetime import UTC, datetime

    soon = datetime.fromtimestamp(sandbox.now() + 3600, UTC)
    document = wish(("/Documents/paper.tex", "/a"), ("/nowhere", "/b"), deadline=soon)
    task_id = client.submit_transfer(document)["task_id"]
    has_nice_status(client, task_id, "FILE_NOT_FOUND")
    sandbox.advance(3601)
    assert finished(client, task_id)["fatal_error"]["code"] == "EXPIRED"


def test_check_53_skipped_errors_page_by_marker(client):
    items = [(f"/nowhere/{number}", f"/x/{number}") for number in range(150)]
    document = wish(*items, skip_source_errors=True)
    task_id = client.submit_transfer(document)["task_id"]
    finished(client, task_id)
    skipped = list(client.paginated.task_skipped_errors(task_id).items())
    assert len({one["source_path"] for one in skipped}) == 150
    events = list(
        client.paginated.task_event_list(task_id, query_params={"limit": 1}).items()
    )
    assert events[-1]["code"] == "STARTED"


def test_check_52_the_history_ends_after_thirty_days(sandbox, transfer_as):
    sandbox.set(access_token_seconds=60 * DAY)
    client = transfer_as("ada")
    task_id = client.submit_transfer(wish(("/Documents/paper.tex", "/a")))["task_id"]
    finished(client, task_id)
    sandbox.advance(31 * DAY)
    assert client.task_list()["total"] == 0
    assert client.get_task(task_id)["history_deleted"] is True
    assert client.task_event_list(task_id)["total"] == 0


def test_a_generated_tree_is_copied_and_deleted(sandbox, client, laptop):
    made = sandbox.generate(seed.LAPTOP, "/tree", 99, size=7, levels=2, directories=100)
    assert made == 10_101 * 99, "a million"
    top = client.operation_ls(seed.LAPTOP, path="/tree")
    assert top["total"] == 199
    deep = "/tree/dir-0042/dir-0007"
    assert client.operation_ls(seed.LAPTOP, path=deep)["total"] == 99
    found = client.operation_stat(seed.LAPTOP, f"{deep}/file-000003.dat")
    assert (found["type"], found["size"]) == ("file", 7)
    task = finished(client, client.submit_transfer(wish((deep, "/out")))["task_id"])
    assert (task["status"], task["files"]) == ("SUCCEEDED", 99)
    assert len(list((laptop / "out").iterdir())) == 99
    gone = client.submit_delete(deletion("/tree", recursive=True))["task_id"]
    assert finished(client, gone)["status"] == "SUCCEEDED"
    assert client.get_task(gone)["files"] == made
    assert not (laptop / "tree").exists()


@pytest.fixture
def swept(sandbox):
    """Leaves nothing deep behind, also of a test that failed: pytest could not
    remove its temporary directories any more."""
    yield
    sandbox.reset()


@pytest.mark.parametrize("levels", [400, 1_100])
@pytest.mark.usefixtures("swept")
def test_a_tree_of_many_levels_is_copied_and_deleted(sandbox, client, laptop, levels):
    """As many as a path has room for; Python's stack ends at a thousand calls."""
    deep = laptop / "/".join("d" * levels)
    trees.make(str(deep))
    (deep / "leaf").write_text("here")
    wanted = wish(("/d", "/e"), delete_destination_extra=True)
    task = finished(client, client.submit_transfer(wanted)["task_id"])
    assert (task["status"], task["files"], task["faults"]) == ("SUCCEEDED", 1, 0)
    below = "/".join("d" * (levels - 1))
    assert (laptop / "e" / below / "leaf").read_text() == "here"
    again = wish((f"/d/{below}/leaf", f"/f/{below}/leaf"))
    assert finished(client, client.submit_transfer(again)["task_id"])["faults"] == 0
    assert (laptop / "f" / below / "leaf").read_text() == "here", "all made at once"
    gone = client.submit_delete(deletion("/d", recursive=True))["task_id"]
    assert finished(client, gone)["status"] == "SUCCEEDED"
    assert not (laptop / "d").exists()
    sandbox.reset()
    assert not (laptop / "e").exists(), "a reset gets down there too"


@pytest.mark.usefixtures("swept")
def test_a_reset_removes_what_is_deeper_than_a_path(sandbox, laptop):
    """A deep tree that was moved into another deep tree."""
    ways = [laptop / name / "/".join("d" * 1_800) for name in ("one", "two")]
    for way in ways:
        trees.make(str(way))
    (laptop / "two").rename(ways[0] / "two")
    sandbox.reset()
    assert not (laptop / "one").exists()


#: datetime reads them, but in UTC they lie before the year 1 or after 9999
NO_MOMENTS = ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]


@pytest.mark.parametrize("moment", NO_MOMENTS)
def test_a_date_that_cannot_be_shown_is_not_stored(client, moment):
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.submit_transfer(wish(("/a", "/b"), deadline=moment))
    assert caught.value.http_status == 400
    assert client.task_list()["total"] == 0
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.add_endpoint_acl_rule(
            seed.SHARED,
            {
                "DATA_TYPE": "access",
                "principal_type": "identity",
                "principal": seed.ADA_ID,
                "path": "/later/",
                "permissions": "r",
                "expiration_date": moment,
            },
        )
    assert caught.value.http_status == 400
    assert client.endpoint_acl_list(seed.SHARED).http_status == 200
