"""Section 9, checks 35 to 40, and paths that try to get out."""

import os
from typing import Any

import globus_sdk
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import seed

KEYS = {
    "DATA_TYPE",
    "name",
    "type",
    "size",
    "last_modified",
    "permissions",
    "user",
    "group",
    "link_target",
    "link_size",
    "link_user",
    "link_group",
    "link_last_modified",
}


@pytest.fixture
def laptop(sandbox, transfer_as):
    """Ada's own machine: everything below it is hers, no consent needed."""
    return transfer_as("ada")


@pytest.fixture
def research(sandbox, transfer_as):
    return transfer_as("ada", seed.RESEARCH)


def names(listed) -> list[str]:
    return [one["name"] for one in listed]


def test_check_35_ls(research):
    path = "/projects/telescope"
    listed = research.operation_ls(seed.RESEARCH, path=path)
    assert listed["path"] == "/projects/telescope/"
    assert listed["absolute_path"] == "/projects/telescope/"
    assert names(listed) == [
        ".calibration",
        "catalog.csv",
        "gone.fits",
        "latest.fits",
        "raw",
    ]
    assert all(set(one) == KEYS for one in listed)
    kinds = {one["name"]: one["type"] for one in listed}
    assert kinds["raw"] == "dir"
    assert kinds["latest.fits"] == "file"
    assert kinds["gone.fits"] == "invalid_symlink"
    shown = research.operation_ls(seed.RESEARCH, path=path, show_hidden=False)
    assert ".calibration" not in names(shown)
    page = research.operation_ls(
        seed.RESEARCH, path=path, orderby="name DESC", limit=2, offset=1
    )
    assert names(page) == ["latest.fits", "gone.fits"]
    assert (page["total"], page["length"]) == (5, 2)


def test_check_35_orders_of_ls(research):
    """Several fields, each with its own direction; nonsense is a 400."""

    def listed(orderby) -> list[str]:
        path = "/projects/telescope"
        return names(research.operation_ls(seed.RESEARCH, path=path, orderby=orderby))

    items = {
        one["name"]: one
        for one in research.operation_ls(seed.RESEARCH, path="/projects/telescope")
    }
    by_type = listed(["type ASC", "name DESC"])
    assert by_type[:2] == ["raw", ".calibration"]
    assert [items[one]["type"] for one in by_type] == sorted(
        one["type"] for one in items.values()
    )
    sizes = [items[one]["size"] for one in listed("size DESC")]
    assert sizes == sorted(sizes, reverse=True)
    times = [items[one]["last_modified"] for one in listed("last_modified")]
    assert times == sorted(times)
    assert listed("name") == sorted(items)
    for nonsense in ("colour", "name SIDEWAYS"):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            listed(nonsense)
        assert caught.value.http_status == 400


def test_check_35_limits_of_ls(research):
    def listed(**more) -> Any:
        return research.operation_ls(seed.RESEARCH, path="/projects/telescope", **more)

    every = names(listed())
    assert names(listed(limit=3)) + names(listed(limit=3, offset=3)) == every
    assert names(listed(offset=99)) == []
    assert listed(offset=99)["total"] == len(every)
    assert names(listed(limit=1_000_000)) == every, "100,000 is the most"
    for nonsense in ({"limit": "many"}, {"offset": -1}):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            listed(**nonsense)
        assert caught.value.http_status == 400


def test_the_item_document(research):
    (item,) = research.operation_ls(
        seed.RESEARCH, path="/home/ada", show_hidden=False
    ).data["DATA"]
    assert item == {
        "DATA_TYPE": "file",
        "name": "notes.txt",
        "type": "file",
        "size": 27,
        "last_modified": "2026-01-01 12:00:00+00:00",
        "permissions": "0644",
        "user": "sandbox",
        "group": "sandbox",
        "link_target": None,
        "link_size": None,
        "link_user": None,
        "link_group": None,
        "link_last_modified": None,
    }


@pytest.mark.parametrize("path", [None, "~", "/~/", "/~", "/home/ada", "/home/ada/"])
def test_home(research, path):
    listed = research.operation_ls(seed.RESEARCH, path=path)
    assert listed["absolute_path"] == "/home/ada/"
    assert "notes.txt" in names(listed)


def test_check_36_filters(research):
    def found(path, *filters) -> list[str]:
        return names(
            research.get(
                f"/v0.10/operation/endpoint/{seed.RESEARCH}/ls",
                query_params={"path": path, "filter": list(filters)},
            )["DATA"]
        )

    telescope = "/projects/telescope"
    assert found(telescope, "type:dir") == [".calibration", "raw"]
    assert found(telescope, "type:dir", "name:~*.csv") == [
        ".calibration",
        "catalog.csv",
        "raw",
    ]
    assert found(telescope, "type:file/name:~*.fits") == ["latest.fits"]
    assert found(telescope, "name:!~*.fits/type:file") == ["catalog.csv"]
    assert found(telescope, "name:catalog.csv") == ["catalog.csv"]
    assert found(telescope, "name:=raw") == ["raw"]
    assert found(telescope, "last_modified:,2020-01-01") == []
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        found(telescope, "nonsense:x")
    assert caught.value.http_status == 400


def test_check_36_filters_in_all_forms_of_the_sdk(research):
    """A text, a document whose terms all hold, a list of which any does."""

    def found(wanted, path="/projects/telescope") -> list[str]:
        return names(research.operation_ls(seed.RESEARCH, path=path, filter=wanted))

    assert found("type:dir") == [".calibration", "raw"]
    assert found({"type": "file", "name": "~*.csv"}) == ["catalog.csv"]
    either = [{"type": "dir", "name": "raw"}, "name:~*.csv"]
    assert found(either) == ["catalog.csv", "raw"]
    assert found({"name": "!catalog.csv", "type": "file"}) == ["latest.fits"]
    assert found({"name": "!=catalog.csv", "type": "file"}) == ["latest.fits"]
    after, before = ["2000-01-01", ""], ["", "2000-01-01"]
    assert "catalog.csv" in found({"last_modified": after})
    assert found({"last_modified": before}) == []


def test_check_38_errors_of_ls(sandbox, research):
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        research.operation_ls(seed.RESEARCH, path="/projects/nowhere")
    assert (caught.value.http_status, caught.value.code) == (
        404,
        "ClientError.NotFound",
    )
    assert caught.value.request_id
    assert len(sandbox.requests("/ls")) == 1
    sandbox.forget_requests()
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        research.operation_ls(seed.RESEARCH, path="/projects/telescope/catalog.csv")
    assert caught.value.http_status == 502
    assert caught.value.code == "ExternalError.DirListingFailed.NotDirectory"
    assert len(sandbox.requests("/ls")) == 1


def test_check_39_stat(research):
    item = research.operation_stat(seed.RESEARCH, "/home/ada/notes.txt")
    assert (item["name"], item["type"], item["size"]) == ("notes.txt", "file", 27)
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        research.operation_stat(seed.RESEARCH, "/home/ada/nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "NotFound")


def test_check_40_mkdir_and_rename(laptop):
    made = laptop.operation_mkdir(seed.LAPTOP, "/new")
    assert (made.http_status, made["code"]) == (202, "DirectoryCreated")
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        laptop.operation_mkdir(seed.LAPTOP, "/new")
    assert caught.value.code == "ExternalError.MkdirFailed.Exists"
    assert caught.value.http_status == 502
    renamed = laptop.operation_rename(seed.LAPTOP, "/new", "/newer")
    assert renamed["code"] == "FileRenamed"
    assert "newer" in names(laptop.operation_ls(seed.LAPTOP, path="/"))
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        laptop.operation_mkdir(seed.LAPTOP, "/a/b/c")
    assert caught.value.http_status == 404


def test_check_39_stat_of_folders_and_links(research):
    def item(path) -> Any:
        return research.operation_stat(seed.RESEARCH, path)

    folder = item("/projects/telescope/")
    assert (folder["name"], folder["type"]) == ("telescope", "dir")
    link = item("/projects/telescope/latest.fits")
    assert (link["type"], link["link_target"]) == ("file", "raw/frame-0005.fits")
    assert item("/projects/telescope/gone.fits")["type"] == "invalid_symlink"
    assert set(KEYS) <= set(link.data)
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        item("/home/grace/notes.txt")
    assert (caught.value.http_status, caught.value.code) == (
        403,
        "EndpointPermissionDenied",
    )


def test_check_40_what_cannot_be_renamed(laptop):
    def refused(old, new) -> tuple[int, str]:
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            laptop.operation_rename(seed.LAPTOP, old, new)
        return caught.value.http_status, str(caught.value.code)

    laptop.operation_mkdir(seed.LAPTOP, "/one")
    assert refused("/one", "/Documents") == (502, "ExternalError.RenameFailed.Exists")
    assert refused("/nothing", "/two") == (404, "ClientError.NotFound")
    assert refused("/one", "/one/inside")[0] == 400
    assert refused("/", "/two")[0] == 403
    assert {"one", "Documents"} <= set(
        names(laptop.operation_ls(seed.LAPTOP, path="/"))
    )


def test_others_homes_are_closed(research):
    for path in ("/home/grace", "/home/root/new"):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            research.operation_ls(seed.RESEARCH, path=path)
        assert caught.value.code == "EndpointPermissionDenied"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        research.operation_mkdir(seed.RESEARCH, "/projects/mine")
    assert caught.value.http_status == 403


def test_denied_paths(sandbox, research):
    sandbox.collection(seed.RESEARCH, denied_paths=["/projects/telescope/raw"])
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        research.operation_ls(seed.RESEARCH, path="/projects/telescope/raw")
    assert caught.value.code == "EndpointPermissionDenied"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        research.operation_mkdir(seed.RESEARCH, "/projects/telescope/raw/x")
    refused = (caught.value.http_status, caught.value.code)
    assert refused == (403, "ExternalError.MkdirFailed.PermissionDenied")


def test_hostile_names_arrive_unchanged(research):
    from sandbox.seed_files import HOSTILE_NAMES

    listed = research.operation_ls(seed.RESEARCH, path="/projects/odd names")
    assert set(names(listed)) == set(HOSTILE_NAMES)


def test_a_name_that_is_no_text_does_not_break_the_listing(
    running_sandbox, laptop, laptop_folder
):
    (laptop_folder / os.fsdecode(b"bad-\xff.txt")).touch()
    listed = names(laptop.operation_ls(seed.LAPTOP, path="/"))
    assert "bad-\ufffd.txt" in listed


@pytest.fixture
def laptop_folder(data_folder):
    return data_folder / "collections" / seed.LAPTOP


def outcome(client, path) -> Any:
    """The names below ``path``, or the status that refuses it."""
    try:
        return names(client.operation_ls(seed.LAPTOP, path=path))
    except globus_sdk.TransferAPIError as err:
        return err.http_status


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/..", ["Documents"]),
        ("../..", ["Documents"]),
        ("~/../..", ["Documents"]),
        ("/Documents/../../..", ["Documents"]),
        ("/../../../../etc", 404),
        (f"/../{seed.VAULT}", 404),
    ],
)
def test_paths_do_not_leave_by_dots(laptop, path, wanted):
    assert outcome(laptop, path) == wanted


def test_paths_do_not_leave_by_links(laptop, laptop_folder, data_folder):
    (laptop_folder / "out").symlink_to("/etc")
    (laptop_folder / "passwd").symlink_to("/etc/passwd")
    (laptop_folder / "up").symlink_to("..")
    for path in ("/out", "/out/ssl", "/up", f"/up/{seed.VAULT}/keys"):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            laptop.operation_ls(seed.LAPTOP, path=path)
        assert caught.value.code == "EndpointPermissionDenied"
    for path in ("/passwd", "/out/passwd"):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            laptop.operation_stat(seed.LAPTOP, path)
        assert caught.value.code == "EndpointPermissionDenied"
    with pytest.raises(globus_sdk.TransferAPIError):
        laptop.operation_mkdir(seed.LAPTOP, "/up/escaped")
    assert not (data_folder / "collections" / "escaped").exists()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.lists(
        st.sampled_from(
            ["..", ".", "", "~", "Documents", "%2e%2e", "..\\", "\0", "up", "\u2025"]
        ),
        max_size=8,
    ).map("/".join)
)
def test_no_generated_path_leaves(laptop, laptop_folder, path):
    link = laptop_folder / "up"
    if not link.is_symlink():
        link.symlink_to("../..")
    known = {"Documents", "up", "paper.tex", "figures"}
    found = outcome(laptop, path)
    assert found in (400, 403, 404) or set(found) <= known
