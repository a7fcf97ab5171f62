"""Generated paths, for everything that takes one: none leaves its collection."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

import globus_sdk
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import seed
from tests.sandbox.conftest import TRANSFER_ALL
from tests.sandbox.waiting import until

SECRET = b"what lies beside the collection"
HTTPS = f"https://auth.globus.org/scopes/{seed.RESEARCH}/https"
#: steps of a path: upwards, links upwards, encodings of them, and nonsense
STEPS = st.sampled_from(
    [
        *("..", "...", ".", "", "~", "~ada", "home", "ada", "up", "outside", "secret"),
        *("%2e%2e", "%2e%2e%2f", "%252e%252e", "..%2f", "..%5c", "..\\", "%00", "\0"),
        *("\u2025", "\uff0e\uff0e", "\u2215", "\ud800", "a" * 300, "new", " ", "."),
        *(seed.VAULT, "collections", "sandbox.sqlite3", "key.pem", "proc", "etc"),
    ]
)
PATHS = st.tuples(
    st.sampled_from(["/", "", "//", "/~/", "~/", "/up/", "/outside/"]),
    st.lists(STEPS, max_size=7).map("/".join),
).map("".join)
GENERATED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def outside(data_folder):
    """A file beside the collections, and ways to it by links."""
    folder = data_folder / "collections" / "beside"
    folder.mkdir(exist_ok=True)
    (folder / "secret").write_bytes(SECRET)
    for collection in (seed.LAPTOP, seed.RESEARCH):
        inside = data_folder / "collections" / collection
        for name, target in (("up", ".."), ("outside", str(folder))):
            if not (inside / name).is_symlink():
                (inside / name).symlink_to(target)
    yield folder
    (folder / "secret").unlink()
    folder.rmdir()


def everything_else(data_folder: Path) -> dict[str, str]:
    """All that the laptop is not: ``{path: hash, or what it is}``."""
    found = {}
    for base, folders, files in os.walk(data_folder / "collections"):
        folders[:] = [one for one in folders if one != seed.LAPTOP]
        for name in files:
            file = Path(base) / name
            if file.is_symlink():
                found[str(file)] = str(file.readlink())
            else:
                content = file.read_bytes()
                found[str(file)] = hashlib.sha256(content).hexdigest()
        found |= {str(Path(base) / name): "folder" for name in folders}
    own = {one.name for one in data_folder.iterdir() if "sqlite" not in one.name}
    return found | dict.fromkeys(own, "beside")


@pytest.fixture
def ada(sign_in):
    token = sign_in("ada", TRANSFER_ALL).by_resource_server["transfer.api.globus.org"]
    authorizer = globus_sdk.AccessTokenAuthorizer(token["access_token"])
    with globus_sdk.TransferClient(authorizer=authorizer) as client:
        yield client


@pytest.fixture
def https_token(sign_in):
    return sign_in("ada", HTTPS).by_resource_server[seed.RESEARCH]["access_token"]


@GENERATED
@given(
    path=PATHS,
    other=PATHS,
    act=st.sampled_from(["ls", "stat", "mkdir", "rename", "symlink", "generate"]),
)
def test_no_operation_leaves(sandbox, ada, outside, data_folder, path, other, act):
    before = everything_else(data_folder)
    path = path.encode("utf-8", "replace").decode()
    base = f"/v0.10/operation/endpoint/{seed.LAPTOP}/{act}"
    try:
        if act in ("ls", "stat"):
            text = ada.get(base, query_params={"path": path}).text
            assert SECRET.decode() not in text
            assert seed.VAULT not in text.replace(path, "")
        elif act == "generate":
            requests.post(
                f"{sandbox.url}/_sandbox/generate",
                json={"collection": seed.LAPTOP, "path": path, "count": 1},
                timeout=30,
            )
        else:
            document = {
                "DATA_TYPE": act,
                "path": path,
                "old_path": path,
                "new_path": other.encode("utf-8", "replace").decode(),
                "symlink_target": other.encode("utf-8", "replace").decode(),
            }
            ada.post(base, data=document)
    except globus_sdk.TransferAPIError as err:
        refused = err.http_status
    else:
        refused = 0
    assert refused in (0, 400, 403, 404, 502)
    assert everything_else(data_folder) == before


@settings(GENERATED, max_examples=25)
@given(path=PATHS, act=st.sampled_from(["to", "from", "delete"]))
def test_no_task_leaves(sandbox, ada, outside, data_folder, path, act):
    before = everything_else(data_folder)
    path = path.encode("utf-8", "replace").decode()
    copied = data_folder / "collections" / seed.LAPTOP / "copied"
    if act == "delete":
        wish = globus_sdk.DeleteData(
            endpoint=seed.LAPTOP, recursive=True, ignore_missing=True
        )
        wish.add_item(path)
        submit = ada.submit_delete
    else:
        wish = globus_sdk.TransferData(
            seed.LAPTOP, seed.LAPTOP, skip_source_errors=True
        )
        ends = ("/Documents/paper.tex", path) if act == "to" else (path, "/copied")
        wish.add_item(*ends)
        wish["recursive_symlinks"] = "copy"
        submit = ada.submit_transfer
    try:
        task_id = submit(wish)["task_id"]
    except globus_sdk.TransferAPIError as err:
        refused = err.http_status
    else:
        refused = 0
    assert refused in (0, 400, 403, 409)
    if refused:
        return
    until(lambda: ada.task_event_list(task_id)["total"] >= 2, "an end, or a fault")
    ada.cancel_task(task_id)
    assert everything_else(data_folder) == before
    if copied.is_file():
        assert copied.read_bytes() != SECRET


@settings(GENERATED, max_examples=120)
@given(
    path=PATHS,
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE"]),
    is_encoded=st.booleans(),
)
def test_no_request_over_https_leaves(
    sandbox, https_token, outside, data_folder, path, method, is_encoded
):
    before = {one.name for one in (data_folder / "collections").iterdir()}
    sent = path.encode("utf-8", "replace")
    shown = quote(sent, safe="") if is_encoded else quote(sent, safe="/%\\")
    # requests would take ".." out of an address; a prepared one is left alone.
    prepared = requests.Request(
        method,
        f"{sandbox.url}/",
        headers={"Authorization": f"Bearer {https_token}"},
        data=b"changed" if method == "PUT" else None,
    ).prepare()
    prepared.url = f"{sandbox.url}/https/{seed.RESEARCH}/{shown.lstrip('/')}"
    with requests.Session() as session:
        answer = session.send(prepared, timeout=30, allow_redirects=False)
    assert answer.status_code != 500
    assert SECRET not in answer.content
    assert (outside / "secret").read_bytes() == SECRET
    assert {one.name for one in (data_folder / "collections").iterdir()} == before
