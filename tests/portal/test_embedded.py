import base64
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
import redis

from portal import embedded
from portal.embedded import Embedded, EmbeddedError, laptop_secrets
from tests.portal.processes import connections_of, eventually, naming

ROOT = Path(__file__).parents[2]

HOLDER = """
import signal
import sys
from pathlib import Path
from typing import LiteralString
from portal.embedded import Embedded

# A shell that starts the tests in the background has Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
print("starting", flush=True)
servers = Embedded(Path(sys.argv[1]), throw_away=True)
servers.start()
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def nothing_else_configured(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture
def folder():
    """Short, as a checkout is; pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="cw-") as name:
        yield Path(name)


@pytest.fixture
def holder(folder):
    """Another process that holds servers in the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()
    assert eventually(lambda: not naming(folder))


def ask(servers: Embedded, statement: LiteralString) -> object:
    """The first row of the answer, if it has any."""
    with psycopg.connect(servers.database_url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


def test_both_servers_answer(folder):
    with Embedded(folder, throw_away=True) as servers:
        name = ask(servers, "SELECT current_database()")
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.ping()

    assert name == ("portal",)


def test_no_server_listens_on_a_port(folder):
    with Embedded(folder, throw_away=True):
        connections = connections_of(naming(folder), "inet")

    assert connections == []


def test_stop_leaves_no_process_and_may_be_repeated(folder):
    servers = Embedded(folder, throw_away=True)
    servers.start()
    assert naming(folder)

    servers.stop()
    servers.stop()

    assert naming(folder) == []


def test_rows_outlive_a_restart(folder):
    with Embedded(folder) as servers:
        ask(servers, "CREATE TABLE kept AS SELECT 7 AS number")

    with Embedded(folder) as servers:
        assert ask(servers, "SELECT number FROM kept") == (7,)


def test_a_folder_with_a_long_path_will_do(folder):
    deep = folder / ("a-long-name-" * 10) / "demo"

    with Embedded(deep, throw_away=True) as servers:
        with psycopg.connect(servers.database_url):
            pass
        sockets = Path(servers.redis_url.removeprefix("unix://")).parent

    assert not sockets.exists()
    assert naming(deep) == []


def test_a_killed_process_leaves_no_server(folder, holder):
    assert holder.stdout.readline() == "starting\n"
    assert holder.stdout.readline() == "started\n"
    assert len(naming(folder)) > 2

    holder.kill()

    assert eventually(lambda: not naming(folder))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_half_way_it_leaves_no_server(folder, holder, number):
    holder.stdout.readline()
    assert eventually((folder / "logs" / "redis.log").exists)

    holder.send_signal(number)

    holder.wait(60)
    assert eventually(lambda: not naming(folder))


def test_a_second_process_is_told_that_the_folder_is_taken(folder, holder, monkeypatch):
    monkeypatch.setattr(embedded, "PREDECESSOR_SECONDS", 0)
    holder.stdout.readline()
    holder.stdout.readline()

    with pytest.raises(EmbeddedError, match=f"Another process uses {folder}"):
        Embedded(folder).start()

    assert holder.poll() is None


def test_a_successor_waits_until_the_servers_of_a_killed_one_are_gone(folder, holder):
    holder.stdout.readline()
    holder.stdout.readline()
    holder.kill()

    with Embedded(folder, throw_away=True) as servers:
        embedded.check_database(servers.database_url)


def test_a_server_that_ends_at_once_shows_its_log(folder):
    (folder / "postgres").mkdir()

    with pytest.raises(
        EmbeddedError, match=r"postgres ended at once[\s\S]*postgresql.conf"
    ):
        Embedded(folder).start()

    assert naming(folder) == []


def test_half_a_data_folder_is_made_anew(folder):
    (folder / "postgres.unfinished").mkdir()
    (folder / "postgres.unfinished" / "PG_VERSION").write_text("18")

    with Embedded(folder, throw_away=True) as servers:
        embedded.check_database(servers.database_url)


def test_servers_that_are_set_are_used_and_none_is_started(folder, monkeypatch):
    with Embedded(folder / "theirs", throw_away=True) as theirs:
        monkeypatch.setenv("DATABASE_URL", theirs.database_url)
        monkeypatch.setenv("REDIS_URL", theirs.redis_url)

        with Embedded(folder / "ours") as ours:
            assert ours.servers == []
            assert ours.database_url == theirs.database_url
            assert ours.redis_url == theirs.redis_url


def test_only_the_one_that_is_not_set_is_started(folder, monkeypatch):
    with Embedded(folder / "theirs", throw_away=True) as theirs:
        monkeypatch.setenv("DATABASE_URL", theirs.database_url)

        with Embedded(folder / "ours") as ours:
            assert [server.name for server in ours.servers] == ["redis"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "postgresql://me:hidden@127.0.0.1:1/portal"),
        ("DATABASE_URL", "nonsense hidden"),
        ("DATABASE_URL", "postgresql:///portal?host=/nowhere&password=hidden"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:1/0"),
        ("REDIS_URL", "unix:///nowhere/hidden-not/redis.sock"),
        ("REDIS_URL", "hidden"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_by_its_setting(
    folder, monkeypatch, variable, value
):
    monkeypatch.setenv(variable, value)

    with pytest.raises(EmbeddedError, match=variable) as caught:
        Embedded(folder).start()

    assert "hidden" not in str(caught.value).replace("hidden-not", "")
    assert naming(folder) == []


def test_secrets_are_made_once_and_for_their_owner_alone(folder):
    first = laptop_secrets(folder)
    contents = {name: Path(path).read_text() for name, path in first.items()}

    assert laptop_secrets(folder) == first
    assert {n: Path(p).read_text() for n, p in first.items()} == contents
    assert {Path(path).stat().st_mode & 0o777 for path in first.values()} == {0o600}
    assert len(contents["PORTAL_SECRET_KEY_FILE"].strip()) >= 50


def test_the_vault_keys_file_holds_one_key_of_256_bits(folder):
    text = Path(laptop_secrets(folder)["PORTAL_VAULT_KEYS_FILE"]).read_text()
    (line,) = [line for line in text.splitlines() if not line.startswith("#")]

    assert re.fullmatch(r"[0-9a-f]{8}:[A-Za-z0-9+/]{43}=", line)
    assert len(base64.b64decode(line.partition(":")[2])) == 32


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for it")
def test_as_root_a_private_folder_is_passed_through_but_not_opened(folder):
    private = folder / "private"
    private.mkdir(mode=0o700)

    with Embedded(private / "demo", throw_away=True):
        assert private.stat().st_mode & 0o777 == 0o701


def test_what_a_strict_umask_installed_is_opened_for_another_user(folder):
    package = folder / "package"
    program = package / "pg" / "bin" / "postgres"
    library = folder / "package.libs" / "libpq.so"
    for path, mode in ((program, 0o700), (library, 0o600)):
        path.parent.mkdir(parents=True)
        path.touch()
        path.chmod(mode)
        path.parent.chmod(0o700)

    embedded.let_in(package / "pg")

    assert program.stat().st_mode & 0o777 == 0o705
    assert program.parent.stat().st_mode & 0o777 == 0o705
    assert library.stat().st_mode & 0o777 == 0o604
