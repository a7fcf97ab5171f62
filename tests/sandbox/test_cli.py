"""Section 9, the checks that the real ``globus`` command drives."""

import json
import sqlite3
from urllib.parse import parse_qs, urlsplit

import globus_sdk
import pytest

from sandbox import seed
from sandbox.testing import Sandbox
from tests.sandbox.cli import PROGRAM, Cli
from tests.sandbox.conftest import TRANSFER_ALL, data_access_scope
from tests.sandbox.waiting import finished, has_nice_status

BOX = seed.HARVEST


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Shared: a token that a reset has wiped is asked for anew."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def cli(sandbox, home):
    return Cli(sandbox, home)


@pytest.fixture
def person(sandbox, tmp_path):
    return Cli(sandbox, tmp_path, person=True)


@pytest.fixture
def harvest(sandbox):
    """The client identity of ``cli``, by the SDK."""
    with globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    ) as app:
        tokens = app.oauth2_client_credentials_tokens(TRANSFER_ALL)
    with globus_sdk.TransferClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(tokens["access_token"])
    ) as client:
        yield client


def routes(sandbox) -> list[tuple[str, str, int]]:
    return [(one["method"], one["path"], one["status"]) for one in sandbox.requests()]


def submit(client, source="/README.txt", destination="/copy.txt", **options) -> str:
    document = globus_sdk.TransferData(BOX, BOX, **options)
    document.add_item(source, destination)
    return str(client.submit_transfer(document)["task_id"])


def test_the_cli_is_installed():
    assert PROGRAM.exists(), "make cli installs it"


def test_check_06_whoami_of_a_client_identity_with_a_fresh_home(sandbox, tmp_path):
    ended = Cli(sandbox, tmp_path)("whoami")
    assert ended.code == 0, ended
    assert ended.out.strip() == f"{seed.HARVEST_CLIENT_ID}@clients.auth.globus.org"
    assert routes(sandbox) == [
        ("POST", "/auth/v2/oauth2/token", 200),
        ("GET", "/auth/v2/oauth2/userinfo", 200),
    ]
    assert (tmp_path / ".globus" / "cli" / "storage.db").exists()


def test_check_06_the_environment_points_at_nothing_else(sandbox, tmp_path):
    cli = Cli(sandbox, tmp_path)
    ended = cli("search", "index", "list")
    assert ended.code != 0
    assert "labsandbox" in ended.err, ended


def test_check_07_the_cli_over_tls(tmp_path, capfd):
    """With the certificate authority, and not without: then it tries six times."""
    sandbox = Sandbox.start(tmp_path / "sandbox", tls=True)
    try:
        cli = Cli(sandbox, tmp_path / "home")
        assert cli.environment["GLOBUS_SDK_SERVICE_URL_AUTH"].startswith("https://")
        assert cli("whoami").code == 0
        sandbox.forget_requests()
        del cli.environment["GLOBUS_SDK_VERIFY_SSL"]
        ended = cli("whoami")
        assert ended.code == 1
        assert "GlobusConnectionError" in ended.err, ended
        assert capfd.readouterr().err.count("UNKNOWN_CA") == 6, "it hung up each time"
        assert sandbox.requests() == []
    finally:
        sandbox.stop()


def test_check_31_login_session_show_and_logout(sandbox, person):
    login = person.log_in("ada")
    assert login.code == 0, login
    assert "You have successfully logged in" in login.out
    assert "prompt=login" in login.out
    begun = [(method, path) for method, path, _ in routes(sandbox)]
    assert begun[0] == ("POST", "/auth/v2/api/clients")
    assert ("GET", "/auth/.well-known/openid-configuration") in begun
    assert ("GET", "/auth/jwk.json") in begun

    assert person("whoami").out.strip() == seed.ADA
    linked = person("whoami", "--linked-identities").out.split()
    assert linked == [seed.ADA, seed.ADA_LAB]
    shown = person("session", "show", "--format", "json")
    authentications = json.loads(shown.out)["authentications"]
    assert set(authentications) == {seed.ADA_ID}
    assert seed.ADA in person("session", "show").out
    assert "You are already logged in" in person("login", "--no-local-server").out
    assert ("POST", "/auth/v2/oauth2/token/validate", 200) in routes(sandbox)

    held = tokens_in(person)
    assert len(held) == 12, "an access and a refresh token for each of six services"
    sandbox.forget_requests()
    logout = person("logout", "--yes")
    assert logout.code == 0, logout
    assert f"Logging out of Globus as {seed.ADA}" in logout.out
    revoked = [one for one in routes(sandbox) if one[1].endswith("/token/revoke")]
    assert revoked == [("POST", "/auth/v2/oauth2/token/revoke", 200)] * 12
    with globus_sdk.ConfidentialAppAuthClient(*instance_of(person)) as app:
        assert not any(app.oauth2_token_introspect(one)["active"] for one in held)
    assert person("whoami").code == 4


def tokens_in(person) -> list[str]:
    """The tokens in the CLI's storage."""
    with sqlite3.connect(storage(person)) as database:
        rows = database.execute("SELECT token_data_json FROM token_storage").fetchall()
    database.close()
    entries = [json.loads(row[0]) for row in rows]
    return [one[kind] for one in entries for kind in ("access_token", "refresh_token")]


def instance_of(person) -> tuple[str, str]:
    """Id and secret of the client that the CLI registered for itself."""
    with sqlite3.connect(storage(person)) as database:
        (row,) = database.execute(
            "SELECT config_data_json FROM config_storage "
            "WHERE config_name = 'auth_client_data'"
        ).fetchall()
    database.close()
    data = json.loads(row[0])
    return data["client_id"], data["client_secret"]


def storage(person) -> str:
    return f"{person.environment['HOME']}/.globus/cli/storage.db"


def test_check_31_a_linked_identity_joins_the_session(person):
    assert person.log_in("ada").code == 0
    updated = person.log_in(seed.ADA_LAB, "session", "update", seed.ADA_LAB)
    assert updated.code == 0, updated
    assert "successfully updated your CLI session" in updated.out
    shown = person("session", "show", "--format", "json")
    assert seed.ADA_LAB_ID in json.loads(shown.out)["authentications"]
    assert person("whoami").out.strip() == seed.ADA


def test_check_31_another_account_is_refused(person):
    assert person.log_in("ada").code == 0
    other = person.log_in("grace", "login", "--force")
    assert other.code == 1
    assert "didn't match existing credentials" in other.err


def test_check_31_the_registered_client_can_be_deleted(sandbox, person):
    assert person.log_in("ada").code == 0
    client_id, secret = instance_of(person)
    ended = person("logout", "--yes", "--delete-client")
    assert ended.code == 0, ended
    assert ("DELETE", f"/auth/v2/api/clients/{client_id}", 200) in routes(sandbox)
    with (
        globus_sdk.ConfidentialAppAuthClient(client_id, secret) as app,
        pytest.raises(globus_sdk.AuthAPIError) as caught,
    ):
        app.oauth2_token_introspect("x")
    assert caught.value.raw_json == {"error": "invalid_client"}


def test_check_37_a_recursive_listing_has_relative_paths(sandbox, cli):
    sandbox.generate(BOX, "/tree/one/two", 1)
    ended = cli("ls", "-r", f"{BOX}:/tree")
    assert ended.code == 0, ended
    assert ended.out.split() == ["one/", "one/two/", "one/two/file-000000.dat"]


def test_check_36_filters_of_the_cli(cli):
    def shown(*filters):
        ended = cli("ls", f"{BOX}:/sensors", *filters)
        assert ended.code == 0, ended
        return ended.out.split()

    every = shown()
    some = shown("--filter", f"~{every[0][:-1]}*")
    assert every[0] in some
    assert shown("--filter", f"!{every[0]}") == every[1:]


def test_check_39_stat_of_nothing_is_a_line(cli):
    ended = cli("stat", f"{BOX}:/README.txt")
    assert (ended.code, "README.txt" in ended.out) == (0, True), ended
    ended = cli("stat", f"{BOX}:/none")
    assert ended.code == 0, ended
    assert "Nothing found at /none" in ended.out


def test_check_40_mkdir_and_rename(cli):
    assert cli("mkdir", f"{BOX}:/new").code == 0
    again = cli("mkdir", f"{BOX}:/new")
    assert again.code == 1
    assert "ExternalError.MkdirFailed.Exists" in again.err
    assert cli("rename", BOX, "/new", "/newer").code == 0
    assert "newer/" in cli("ls", f"{BOX}:/").out.split()


def test_check_42_a_client_identity_consents_by_itself(sandbox, tmp_path):
    cli = Cli(sandbox, tmp_path)
    ended = cli("ls", f"{seed.TUTORIAL_1}:/share")
    assert ended.code == 0, ended
    assert ended.out.split() == ["godata/"]
    listed = [one for one in routes(sandbox) if one[1].endswith("/ls")]
    assert [status for _, _, status in listed] == [403, 200]
    sandbox.forget_requests()
    assert cli("ls", f"{seed.TUTORIAL_1}:/share").code == 0
    assert [status for _, _, status in routes(sandbox)] == [200]


def test_check_42_a_person_is_told_the_command_and_it_helps(person):
    assert person.log_in("ada").code == 0
    place = f"{seed.TUTORIAL_1}:/share"
    refused = person("ls", place)
    assert refused.code == 4
    scope = data_access_scope(seed.TUTORIAL_1)
    assert f"globus session consent '{scope}'" in refused.out + refused.err
    consent = person.log_in("ada", "session", "consent", scope)
    assert consent.code == 0, consent
    assert person("ls", place).out.split() == ["godata/"]


def test_check_43_a_high_assurance_collection_names_its_command(sandbox, person):
    assert person.log_in(seed.ADA_LAB).code == 0
    place = f"{seed.CLINICAL}:/"
    refused = person("ls", place)
    assert refused.code == 4, refused
    command = f"globus session update {seed.UNIVERSITY_DOMAIN}"
    assert command in refused.out + refused.err
    updated = person.log_in("ada", "session", "update", seed.UNIVERSITY_DOMAIN)
    assert updated.code == 0, updated
    assert person("ls", place).code == 0


def test_check_52_task_list_filters(harvest, cli):
    done = submit(harvest, label="x one")
    finished(harvest, done)
    listed = cli("task", "list", "--filter-label", "x*", "--format", "json")
    assert listed.code == 0, listed
    assert [one["task_id"] for one in json.loads(listed.out)["DATA"]] == [done]
    query = "filter-status ACTIVE --filter-type TRANSFER --filter-requested-after"
    ended = cli("task", "list", *f"--{query} 2026-01-01".split(), "--format", "json")
    assert json.loads(ended.out)["DATA"] == []


def test_check_54_cancel_and_update(sandbox, harvest, cli):
    sandbox.set(hold_tasks=True)
    task_id = submit(harvest)
    assert cli("task", "update", task_id, "--label", "q").code == 0
    assert harvest.get_task(task_id)["label"] == "q"
    assert cli("task", "cancel", task_id).code == 0
    assert finished(harvest, task_id)["fatal_error"]["code"] == "CANCELED"
    late = cli("task", "update", task_id, "--label", "r")
    assert late.code == 1
    assert "Conflict" in late.err


def test_check_55_task_wait_tells_how_it_ended(sandbox, harvest, cli):
    done = submit(harvest)
    assert cli("task", "wait", done, "--polling-interval", "1").code == 0
    sandbox.set(hold_tasks=True)
    held = [submit(harvest, destination=f"/{n}.txt") for n in range(4)]
    has_nice_status(harvest, held[3], "Queued")
    waited = cli("task", "wait", held[0], "--timeout", "1", "--polling-interval", "1")
    assert waited.code == 1
    harvest.cancel_task(held[0])
    finished(harvest, held[0])
    assert cli("task", "wait", held[0], "--polling-interval", "1").code != 0


def test_check_56_a_pause_is_shown(sandbox, harvest, cli):
    sandbox.pause(BOX, message="Closed for repairs")
    task_id = submit(harvest)
    has_nice_status(harvest, task_id, "PAUSED")
    shown = cli("task", "pause-info", task_id)
    assert shown.code == 0, shown
    assert "Closed for repairs" in shown.out


def test_check_58_bookmarks_are_found_by_name(cli):
    created = cli("bookmark", "create", f"{BOX}:/sensors/", "box")
    assert created.code == 0, created
    assert "/sensors/" in cli("bookmark", "show", "box").out
    unknown = cli("bookmark", "show", "nothing")
    assert unknown.code == 1
    assert "No bookmark found for" in unknown.err
    assert cli("bookmark", "rename", "box", "sensors").code == 0
    assert cli("bookmark", "delete", "sensors").code == 0


def test_check_60_a_mapped_collection_needs_its_consent_below_the_timer(
    sandbox, person
):
    """A person is told the command that asks for it, and it helps."""
    assert person.log_in("ada").code == 0
    places = [f"{seed.TUTORIAL_1}:/share/godata/file1.txt", f"{seed.TUTORIAL_1}:/~/t"]
    command = ["timer", "create", "transfer", *places, "--interval", "1d"]
    refused = person(*command)
    assert refused.code == 4, refused
    wanted = f"globus session consent --timer-data-access '{seed.TUTORIAL_1}'"
    assert wanted in refused.out
    consent = ["session", "consent", "--timer-data-access", seed.TUTORIAL_1]
    assert person.log_in("ada", *consent).code == 0
    assert person(*command).code == 0


@pytest.mark.parametrize("arguments", [["whoami"], ["ls", f"{BOX}:/"]])
def test_check_66_a_dead_login_is_hinted_at(sandbox, person, arguments):
    assert person.log_in("ada").code == 0
    sandbox.wipe_tokens()
    ended = person(*arguments)
    assert ended.code in (1, 4)
    assert "globus login" in ended.out + ended.err, ended


def test_check_66_a_token_that_dies_in_use_is_hinted_at(sandbox, person):
    """The login is there when the command looks, and gone when it acts."""
    assert person.log_in("ada").code == 0
    body = {
        "code": "ClientError.AuthenticationFailed",
        "message": "Token is not valid or missing",
        "request_id": "aBcDeFgHi",
        "resource": "/",
    }
    sandbox.fault("/task_list", status=401, body=body)
    ended = person("task", "list")
    assert ended.code == 1
    assert "globus login" in ended.err, ended


def test_a_restarted_sandbox_costs_a_client_identity_one_grant(sandbox, cli):
    assert cli("whoami").code == 0
    sandbox.wipe_tokens()
    sandbox.forget_requests()
    assert cli("whoami").code == 0
    assert [status for _, _, status in routes(sandbox)] == [401, 200, 200]


def test_the_code_page_shows_what_to_copy(sandbox, person):
    import requests

    def read_from_the_page(url):
        location = sandbox.approve(url, "ada")
        page = requests.get(location, timeout=30).text
        code = parse_qs(urlsplit(location).query)["code"][0]
        assert f'id="auth-code">{code}<' in page
        return code

    ended = person.with_code(read_from_the_page, "login", "--no-local-server")
    assert ended.code == 0, ended


def test_a_wrong_code_is_no_login(person):
    ended = person.with_code(lambda url: "nonsense", "login", "--no-local-server")
    assert ended.code == 1
    assert "401" in ended.err
    assert person("whoami").code == 4
