"""The real ``globus`` command, in its own environment and with its own home."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.testing import REPOSITORY, Sandbox
from tests.guarded import GUARD

PROGRAM = Path(
    os.environ.get("GLOBUS_CLI", REPOSITORY / ".venv-cli" / "bin" / "globus")
)
#: the program's own Python runs it below a guard: nothing leaves the machine
GUARDED = [str(PROGRAM.parent / "python"), GUARD, str(PROGRAM)]
LIMIT_SECONDS = 60
LOGIN_VARIABLES = ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET")


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Cli:
    """``cli("ls", "<id>:/")`` runs ``globus ls <id>:/`` against a sandbox.

    As a client identity, unless it is made for a person, who must log in.
    """

    def __init__(self, sandbox: Sandbox, home: Path, *, person: bool = False) -> None:
        self.sandbox = sandbox
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "GLOBUS_CLI_INTERACTIVE": "0",
            **sandbox.environment,
        }
        if person:
            for name in LOGIN_VARIABLES:
                del self.environment[name]

    def __call__(self, *arguments: str, **more: str) -> Ended:
        """Run a command to its end. ``more`` are variables of its environment."""
        ended = subprocess.run(
            [*GUARDED, *arguments],
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def log_in(self, username: str, *arguments: str) -> Ended:
        """``globus login --no-local-server`` with ``username`` at the browser."""
        command = arguments or ("login",)
        return self.with_code(
            lambda url: self.sandbox.code(url, username), *command, "--no-local-server"
        )

    def with_code(self, answer: Callable[[str], str], *arguments: str) -> Ended:
        """Run a command that shows an address and waits for the code from there."""
        with subprocess.Popen(
            [*GUARDED, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            shown = []
            for line in process.stdout:
                shown.append(line)
                if line.startswith("http"):
                    break
            code = answer(shown[-1].strip()) if shown else ""
            out, err = process.communicate(f"{code}\n", timeout=LIMIT_SECONDS)
        return Ended(process.returncode, "".join(shown) + out, err)
