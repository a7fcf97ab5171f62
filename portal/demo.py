"""``manage.py demo``: the whole portal on one machine, beside a sandbox of Globus.

It starts what a real site starts, with a PostgreSQL, a Redis and a Globus of its own,
and stops all of it when any part ends. ``--once`` also carries out the main job as a
person and as a service account (``portal.walkthrough``), and says how it went.
"""

import argparse
import os
import shlex
import socket
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from portal import env
from portal.embedded import Embedded, EmbeddedError, laptop_secrets
from portal.supervisor import (
    NotReady,
    ProgramFailed,
    Supervisor,
    ToldToStop,
    stoppable,
)
from portal.walkthrough import Folder, Surroundings, Walkthrough

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDER = CHECKOUT / ".demo"
HOST = "127.0.0.1"
WEB_PORT = 8000
SANDBOX_PORT = 9300
START_SECONDS = 60.0


class PortInUse(Exception):
    """Somebody else listens there; the text is a sentence that says what to do."""


@dataclass(frozen=True)
class Place:
    """Where one demo runs.

    :ivar throw_away: the folder goes when the demo ends
    :ivar parent: the process without which the demo stops; 0 if none is
    """

    folder: Path
    port: int
    sandbox_port: int
    throw_away: bool
    parent: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"

    @property
    def sandbox_data(self) -> Path:
        return self.folder / "sandbox"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"


def main(argv: list[str]) -> int:
    options = parsed(argv)
    parent = os.getppid() if options.stop_with_parent else 0
    try:
        with stoppable():
            return once(parent) if options.once else serve(options.port, parent)
    except ToldToStop:
        print("\nStopped.")
        return 1 if options.once else 0
    except (
        EmbeddedError,
        NotReady,
        PortInUse,
        ProgramFailed,
        env.BadSetting,
    ) as err:
        print(err, file=sys.stderr)
        return 1


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py demo", description=__doc__)
    parser.add_argument("--port", type=int, default=WEB_PORT, help="of the portal")
    parser.add_argument(
        "--once", action="store_true", help="carry out the main job, report, and end"
    )
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="end when the process that started this one ends, as make wants it",
    )
    return parser.parse_args(argv)


def serve(port: int, parent: int) -> int:
    """Run until told to stop; what people do in it is kept for the next time."""
    place = Place(
        folder=FOLDER,
        port=port,
        sandbox_port=env.env_int("SANDBOX_PORT", SANDBOX_PORT),
        throw_away=False,
        parent=parent,
    )
    check_port(place.port, "for the portal", f"make demo PORT={place.port + 80}")
    check_port(
        place.sandbox_port,
        "for the sandbox of Globus",
        f"SANDBOX_PORT={place.sandbox_port + 80} make demo",
    )
    place.folder.mkdir(mode=0o700, exist_ok=True)
    print(f"Starting Causeway in {place.folder} …", flush=True)
    with embedded_at(place) as servers, supervisor_at(place) as supervisor:
        start(place, servers, supervisor)
        report = supervisor.run("job", manage("run_job", "demo-list", "--wait"))
        print(welcome(place, report), flush=True)
        supervisor.serve()


def once(parent: int) -> int:
    """Carry out the main job in a place of its own, and leave nothing.

    :returns: 0 if every step passed
    """
    with (
        tempfile.TemporaryDirectory(prefix="causeway-") as name,
        own_ports(2) as (port, sandbox_port),
    ):
        place = Place(Path(name), port, sandbox_port, throw_away=True, parent=parent)
        with embedded_at(place) as servers, supervisor_at(place) as supervisor:
            start(place, servers, supervisor)
            steps = surroundings_of(place, supervisor)
            passed = Walkthrough(steps).run()
            if not passed:
                print(ends_of_logs(place.logs), file=sys.stderr)
    return 0 if passed else 1


def surroundings_of(place: Place, supervisor: Supervisor) -> Surroundings:
    from sandbox import seed

    tutorial = Folder(seed.TUTORIAL_1, "/home/share/godata/")
    return Surroundings(
        portal_url=place.url,
        person=seed.ADA,
        identity_id=seed.ADA_ID,
        listed=tutorial,
        sent=(
            Folder(seed.RESEARCH, "/projects/spring-campaign/runs/2026-03-01/"),
            Folder(seed.TUTORIAL_2, "/home/ada/demo/"),
        ),
        listed_by_job=tutorial,
        harvested=(
            Folder(seed.HARVEST, "/sensors/"),
            Folder(seed.ARCHIVE, "/incoming/sensors/"),
        ),
        collections=place.sandbox_data / "collections",
        run_job=lambda job: supervisor.run(job, manage("run_job", job, "--wait")),
        check=supervisor.check,
    )


def embedded_at(place: Place) -> Embedded:
    return Embedded(place.folder, throw_away=place.throw_away)


def supervisor_at(place: Place) -> Supervisor:
    return Supervisor(CHECKOUT, place.logs, parent=place.parent)


def start(place: Place, servers: Embedded, supervisor: Supervisor) -> None:
    """Everything that a site runs, in the order in which one part needs another."""
    supervisor.watch(servers.servers)
    sandbox = supervisor.start("sandbox", sandbox_command(place))
    supervisor.wait_until(
        lambda: answers(f"{place.sandbox_url}/auth/.well-known/openid-configuration"),
        f"The sandbox does not answer on port {place.sandbox_port}",
        START_SECONDS,
    )
    settings = portal_settings(place, servers, exports_in(sandbox.log))
    supervisor.environment = unambiguous(os.environ, settings)
    write_environment(place.folder / "environment", settings)

    supervisor.run("migrate", manage("migrate", "--no-input"))
    supervisor.run("seed", manage("seed_demo"))
    for name, command in portal_commands(place).items():
        supervisor.start(name, command)
    supervisor.wait_until(
        lambda: answers(f"{place.url}/readyz"),
        f"The portal does not answer on port {place.port}",
        START_SECONDS,
    )


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(CHECKOUT / "manage.py"), *arguments]


def sandbox_command(place: Place) -> list[str]:
    options = {
        "--port": str(place.sandbox_port),
        "--data": str(place.sandbox_data),
        "--seed": "demo",
        "--redirect-uri": f"{place.url}/complete/globus/",
    }
    return manage("sandbox", *(part for pair in options.items() for part in pair))


def portal_commands(place: Place) -> dict[str, list[str]]:
    """The processes of design section 3, as ``docker-compose.yml`` has them."""
    web = ["gunicorn", "--config", "python:portal.gunicorn", "portal.wsgi"]
    web += ["--bind", f"{HOST}:{place.port}", "--no-control-socket"]
    celery = ["celery", "--app", "portal"]
    worker = [*celery, "worker", "--pool", "threads", "--concurrency", "16"]
    worker += ["--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--schedule", str(place.folder / "beat"), "--pidfile="]
    return {
        name: [sys.executable, "-m", *command]
        for name, command in {"web": web, "worker": worker, "beat": beat}.items()
    }


def portal_settings(
    place: Place, servers: Embedded, sandbox_exports: Mapping[str, str]
) -> dict[str, str]:
    """What the portal reads from its environment (docs/configuration.md)."""
    # Not earlier: it belongs to the sandbox, which not every installation has.
    from sandbox import seed

    mail = place.folder / "mail"
    mail.mkdir(exist_ok=True)
    return {
        **sandbox_exports,
        **laptop_secrets(place.folder),
        "PUBLIC_BASE_URL": place.url,
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "EMAIL_URL": mail.as_uri(),
        "GLOBUS_CLIENT_ID": seed.PORTAL_CLIENT_ID,
        "GLOBUS_CLIENT_SECRET": seed.PORTAL_CLIENT_SECRET,
        "PORTAL_GROUP_USERS": seed.GROUP_USERS,
        "PORTAL_GROUP_STAFF": seed.GROUP_STAFF,
        "PORTAL_GROUP_ADMINS": seed.GROUP_ADMINS,
        # Everybody who tries it out has the same address.
        "PORTAL_SIGN_INS_PER_MINUTE": "1000",
        "PORTAL_SIGN_INS_PER_HOUR": "10000",
    }


def unambiguous(
    surroundings: Mapping[str, str], settings: Mapping[str, str]
) -> dict[str, str]:
    """Our settings over the environment, without what would contradict them: a
    setting is given as ``NAME`` or as ``NAME_FILE``, never as both.
    """
    contradicting = {f"{name}_FILE" for name in settings}
    contradicting |= {name.removesuffix("_FILE") for name in settings}
    contradicting.add("DJANGO_SETTINGS_MODULE")  # manage.py knows which
    kept = {
        name: value for name, value in surroundings.items() if name not in contradicting
    }
    return kept | dict(settings)


def exports_in(log: Path) -> dict[str, str]:
    """What the ``export NAME=value`` lines of a program set."""
    lines = log.read_text().splitlines()
    exports = [shlex.split(line) for line in lines if line.startswith("export ")]
    assignments = (words[1].partition("=") for words in exports)
    return {name: value for name, _, value in assignments}


def write_environment(path: Path, settings: Mapping[str, str]) -> None:
    """For a shell beside the demo, and for its owner alone."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        "".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()
        )
    )


def check_port(port: int, purpose: str, remedy: str) -> None:
    """:raises PortInUse: and names the remedy"""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as err:
            raise PortInUse(
                f"Port {port} is wanted {purpose}, and another program uses it. "
                f"Choose another one: {remedy}"
            ) from err


@contextmanager
def own_ports(count: int) -> Iterator[list[int]]:
    """Ports that nobody else is given in the meantime.

    They are bound and not listened at. Linux gives such a port to nobody who wants any
    port, nor to a connection, and lets a server have it that names it and may reuse
    addresses, as ours do. On other systems they are free at the beginning.
    """
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, 0))
        ports = [probe.getsockname()[1] for probe in probes]
        if sys.platform != "linux":
            held.close()
        yield ports


def answers(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False  # a proxy has no business between us
        try:
            return session.get(url, timeout=5).ok
        except requests.RequestException:
            return False


def ends_of_logs(logs: Path) -> str:
    return "\n\n".join(
        f"The end of {log.name}:\n"
        + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        for log in sorted(logs.glob("*.log"))
    )


def welcome(place: Place, report: str) -> str:
    folder = os.path.relpath(place.folder)
    return f"""
The service account's job “demo-list” went through the queue:
{textwrap.indent(report.rstrip(), "    ")}

Causeway      {place.url}
Sign in as    ada (researcher), grace (staff), root (admin) or mallory (no rights)
Globus        {place.sandbox_url} – a sandbox; nothing leaves this machine
A shell       . {folder}/environment && .venv/bin/python manage.py …
Logs          {folder}/logs/

Ctrl-C stops everything.
"""
