"""Section 9, check 62, and check 7's half of the SDK: the collections' HTTPS."""

import globus_sdk
import pytest
import requests
from globus_sdk.experimental.gcs_downloader import GCSDownloader

from sandbox import seed
from sandbox.testing import Sandbox, answer_authorize_page
from tests.sandbox.conftest import TRANSFER_ALL


def https_scope(collection) -> str:
    return f"https://auth.globus.org/scopes/{collection}/https"


@pytest.fixture
def headers_for(sign_in):
    def bearer(username, collection=seed.RESEARCH):
        answer = sign_in(username, https_scope(collection))
        token = answer.by_resource_server[collection]["access_token"]
        return {"Authorization": f"Bearer {token}"}

    return bearer


@pytest.fixture
def base(transfer_as):
    return transfer_as("ada").get_endpoint(seed.RESEARCH)["https_server"]


def ask(method, url, **options):
    return requests.request(method, url, timeout=30, allow_redirects=False, **options)


NOTES = "/home/ada/notes.txt"
CONTENT = b"Ask Grace about the reads.\n"


def test_check_62_get_head_and_ranges(base, headers_for):
    headers = headers_for("ada")
    whole = ask("GET", f"{base}{NOTES}", headers=headers)
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Type"] == "text/plain"
    head = ask("HEAD", f"{base}{NOTES}", headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(CONTENT))

    def ranged(wanted, **more):
        sent = {**headers, "Range": wanted, **more}
        return ask("GET", f"{base}{NOTES}", headers=sent)

    part = ranged("bytes=4-8")
    assert (part.status_code, part.content) == (206, b"Grace")
    assert part.headers["Content-Range"] == f"bytes 4-8/{len(CONTENT)}"
    assert ranged("bytes=-7").content == b"reads.\n"
    assert ranged("bytes=20-999").content == CONTENT[20:]
    beyond = ranged("bytes=999-")
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(CONTENT)}"
    for odd in ("bytes=9-4", "lines=1-2", "bytes=-", "bytes=0-1,3-4"):
        assert ranged(odd).status_code == 200
    assert ranged("bytes=0-1", **{"If-Range": '"old"'}).status_code == 200
    etag = whole.headers["ETag"]
    cached = ask("GET", f"{base}{NOTES}", headers={**headers, "If-None-Match": etag})
    assert (cached.status_code, cached.content) == (304, b"")
    kept = ask("GET", f"{base}{NOTES}?download", headers=headers)
    assert kept.headers["Content-Disposition"].startswith("attachment")


def test_check_62_the_wrong_token(base, headers_for, sign_in):
    transfer = sign_in("ada", TRANSFER_ALL)["access_token"]
    for token in (transfer, "nonsense"):
        sent = {"Authorization": f"Bearer {token}"}
        refused = ask("GET", f"{base}{NOTES}", headers=sent)
        assert refused.status_code == 401
        assert refused.headers["Content-Type"] == "application/json"
    other = headers_for("ada", seed.SHARED)
    assert ask("GET", f"{base}{NOTES}", headers=other).status_code == 401
    grace = headers_for("grace")
    assert ask("GET", f"{base}{NOTES}", headers=grace).status_code == 403
    assert ask("GET", f"{base}/nowhere", headers=grace).status_code == 404
    assert ask("GET", f"{base}/projects", headers=grace).status_code == 404


def test_check_62_put_then_get_then_delete(base, headers_for, data_folder):
    headers, url = headers_for("ada"), f"{base}/home/ada/new file.bin"
    content = bytes(range(256)) * 4_000
    assert ask("PUT", url, headers=headers, data=content).status_code == 201
    assert ask("GET", url, headers=headers).content == content
    assert ask("PUT", url, headers=headers, data=b"shorter").status_code == 204
    assert ask("GET", url, headers=headers).content == b"shorter"
    assert ask("DELETE", url, headers=headers).status_code == 204
    assert ask("GET", url, headers=headers).status_code == 404
    assert ask("DELETE", url, headers=headers).status_code == 404
    nowhere = f"{base}/home/ada/no/such/folder.txt"
    assert ask("PUT", nowhere, headers=headers, data=b"x").status_code == 404
    folder = f"{base}/home/ada"
    assert ask("PUT", folder, headers=headers, data=b"x").status_code == 409
    assert ask("DELETE", folder, headers=headers).status_code == 409
    denied = f"{base}/projects/x"
    assert ask("PUT", denied, headers=headers, data=b"x").status_code == 403
    assert ask("PUT", url, data=b"x").status_code == 401
    assert ask("PATCH", url, headers=headers).status_code == 405
    assert not list((data_folder / "unfinished").iterdir())


def test_check_62_without_a_token(base, transfer_as):
    redirect = ask("GET", f"{base}{NOTES}")
    assert redirect.status_code == 302
    assert f"client_id={seed.RESEARCH}" in redirect.headers["Location"]
    script = {"X-Requested-With": "XMLHttpRequest"}
    assert ask("GET", f"{base}{NOTES}", headers=script).status_code == 401

    shared = base.replace(seed.RESEARCH, seed.SHARED)
    url = f"{shared}/results/variants.csv"
    assert ask("GET", url).status_code == 302
    made = transfer_as("grace").add_endpoint_acl_rule(
        seed.SHARED,
        {
            "DATA_TYPE": "access",
            "principal_type": "anonymous",
            "principal": "",
            "path": "/results/",
            "permissions": "r",
        },
    )
    assert ask("GET", url).status_code == 200
    assert ask("GET", f"{shared}/README.md").status_code == 302
    assert ask("PUT", url, data=b"x").status_code == 401
    grace = transfer_as("grace")
    grace.delete_endpoint_acl_rule(seed.SHARED, made["access_id"])
    assert ask("GET", url).status_code == 302


def test_check_62_names_that_try_to_hurt(base, headers_for, data_folder):
    """Every seeded name can be had, and only below the collection."""
    from urllib.parse import quote

    headers = headers_for("ada")
    folder = data_folder / "collections" / seed.RESEARCH / "projects" / "odd names"
    for one in folder.iterdir():
        url = f"{base}/projects/odd%20names/{quote(one.name)}"
        assert ask("GET", url, headers=headers).content == b"a harmless file\n"
    (folder.parent.parent / "home" / "ada" / "out").symlink_to("/etc")
    vault = f"%2e%2e%2f{seed.VAULT}/keys/do-not-share.txt"
    for path in (vault, "home/ada/out/passwd", "..%2f..%2fsandbox.sqlite3", "%00"):
        answer = ask("GET", f"{base}/{path}", headers=headers)
        assert answer.status_code in (400, 403, 404), path


def test_a_personal_collection_has_no_https(transfer_as, base):
    assert transfer_as("ada").get_endpoint(seed.LAPTOP)["https_server"] is None
    url = base.replace(seed.RESEARCH, seed.LAPTOP)
    assert ask("GET", f"{url}/Documents/paper.tex").status_code == 404


def test_check_62_a_paused_or_private_collection(sandbox, base, headers_for):
    headers = headers_for("mallory", seed.SHARED)
    url = base.replace(seed.RESEARCH, seed.SHARED)
    refused = ask("GET", f"{url}/results/variants.csv", headers=headers)
    assert refused.status_code == 403


@pytest.fixture(scope="module")
def tls_sandbox(tmp_path_factory):
    sandbox = Sandbox.start(tmp_path_factory.mktemp("tls"), tls=True)
    yield sandbox
    sandbox.stop()


def client_app() -> globus_sdk.ClientApp:
    return globus_sdk.ClientApp(
        "test",
        client_id=seed.HARVEST_CLIENT_ID,
        client_secret=seed.HARVEST_CLIENT_SECRET,
        config=globus_sdk.GlobusAppConfig(token_storage="memory"),
    )


def test_check_07_tls_needs_the_certificate_authority(tls_sandbox, monkeypatch):
    for name, value in tls_sandbox.environment.items():
        monkeypatch.setenv(name, value)
    assert tls_sandbox.url.startswith("https://")
    with client_app() as app, globus_sdk.TransferClient(app=app) as client:
        assert client.endpoint_search("tutorial").http_status == 200
    monkeypatch.delenv("GLOBUS_SDK_VERIFY_SSL")
    monkeypatch.setattr("globus_sdk.transport.requests.time.sleep", lambda _: None)
    with (
        client_app() as app,
        globus_sdk.TransferClient(app=app) as client,
        pytest.raises(globus_sdk.NetworkError),
    ):
        client.endpoint_search("tutorial")


def test_check_62_the_sdk_downloads_a_file(tls_sandbox, monkeypatch):
    """The SDK forces https and learns the collection from the redirect."""
    for name, value in tls_sandbox.environment.items():
        monkeypatch.setenv(name, value)
    with client_app() as app:
        with globus_sdk.TransferClient(app=app) as client:
            base = client.get_endpoint(seed.SHARED)["https_server"]
        with GCSDownloader(app) as downloader:
            text = downloader.read_file(f"{base}/results/variants.csv")
    assert text.startswith("pos,af,dp")


def test_a_certificate_of_ones_own_needs_its_key(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    for more in (["--tls-cert", "x"], ["--tls-cert", "x", "--tls-key", "y"]):
        done = subprocess.run(
            [*command, *more], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode != 0
        assert "Error" in done.stderr


def test_a_browser_signs_in_and_gets_its_file(sandbox, base):
    """There and back, then by a cookie: for reading alone, and for eleven days."""
    url = f"{base}{NOTES}?download"
    with requests.Session() as browser:
        there = browser.get(url, allow_redirects=False, timeout=30)
        back = answer_authorize_page(browser, there.headers["Location"], "ada")
        assert back.startswith(f"{base}/?")
        landed = browser.get(back, allow_redirects=False, timeout=30)
        assert f"{sandbox.url}{landed.headers['Location']}" == url
        answer = browser.get(url, allow_redirects=False, timeout=30)
        assert answer.content == CONTENT
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert browser.put(f"{base}{NOTES}", data=b"x", timeout=30).status_code == 401
        again = browser.get(back, allow_redirects=False, timeout=30)
        assert "code=" not in again.headers.get("Location", ""), "a code works once"
        sandbox.advance(11 * 86_400 + 1)
        assert browser.get(url, allow_redirects=False, timeout=30).is_redirect


def test_a_sign_in_that_another_browser_began_is_nobodys(sandbox, base):
    with requests.Session() as victim, requests.Session() as other:
        url = f"{base}{NOTES}"
        victim.get(url, allow_redirects=False, timeout=30)
        there = other.get(url, allow_redirects=False, timeout=30)
        back = answer_authorize_page(other, there.headers["Location"], "mallory")
        answer = victim.get(back, allow_redirects=False, timeout=30)
        assert answer.status_code == 403
        assert victim.get(url, allow_redirects=False, timeout=30).is_redirect


def test_who_declines_gets_no_file(base):
    with requests.Session() as browser:
        there = browser.get(f"{base}{NOTES}", allow_redirects=False, timeout=30)
        back = answer_authorize_page(
            browser, there.headers["Location"], "ada", allow=False
        )
        answer = browser.get(back, allow_redirects=False, timeout=30)
        assert answer.status_code == 403
        assert "access_denied" in answer.json()["message"]


def test_data_access_beside_https_is_a_knob(sandbox, base, sign_in):
    def status(scope):
        token = sign_in("ada", scope).by_resource_server[seed.RESEARCH]["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return ask("GET", f"{base}{NOTES}", headers=headers).status_code

    https = https_scope(seed.RESEARCH)
    both = f"{https} https://auth.globus.org/scopes/{seed.RESEARCH}/data_access"
    assert (status(https), status(both)) == (200, 200)
    sandbox.set(https_wants_data_access=True)
    assert (status(https), status(both)) == (403, 200)
    location = ask("GET", f"{base}{NOTES}").headers["Location"]
    assert "data_access" in location
