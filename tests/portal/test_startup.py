"""What is missing at the start is named in a sentence, and nothing is left running."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

import pytest

COMMANDS = {
    "command": [sys.executable, "manage.py", "check"],
    "web": [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:portal.gunicorn",
        "-b",
        "127.0.0.1:0",
        "portal.wsgi",
    ],
    "worker": [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "portal",
        "worker",
        "--pool",
        "threads",
    ],
    "beat": [sys.executable, "-m", "celery", "-A", "portal", "beat"],
}
SERVERS = ["web", "worker", "beat"]


def start(which, **changes):
    """The exit status and what was said, with the settings of a working portal."""
    environment = {
        **os.environ,
        **{name: value for name, value in changes.items() if value is not None},
    }
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
    done = subprocess.run(
        COMMANDS[which],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def assert_named(answer, setting):
    status, said = answer
    assert status == 1, said
    lines = [
        line for line in said.splitlines() if line.startswith("Causeway cannot start: ")
    ]
    assert len(lines) == 1, said
    assert setting in lines[0]
    assert "Traceback" not in said


@pytest.mark.parametrize("which", COMMANDS)
@pytest.mark.parametrize(
    "name",
    ["PUBLIC_BASE_URL", "GLOBUS_CLIENT_ID", "DATABASE_URL", "PORTAL_VAULT_KEYS_FILE"],
)
def test_a_missing_setting_is_named(which, name):
    assert_named(start(which, **{name: None}), name)


@pytest.mark.parametrize("which", COMMANDS)
@pytest.mark.parametrize(
    "content", ["", "00000001:" + base64.b64encode(b"short").decode()]
)
def test_t05_a_short_or_missing_vault_key_is_named(which, content, tmp_path):
    path = tmp_path / "keys"
    path.write_text(content)
    answer = start(which, PORTAL_VAULT_KEYS_FILE=str(path))
    assert_named(answer, "PORTAL_VAULT_KEYS_FILE")
    assert "short" not in answer[1].replace("too short", "")


@pytest.mark.parametrize("which", SERVERS)
def test_an_unreachable_database_is_named(which):
    url = "postgresql://postgres:CANARY@127.0.0.1:9/portal"
    answer = start(which, DATABASE_URL=url)
    assert_named(answer, "DATABASE_URL")
    assert "CANARY" not in answer[1]


def test_a_command_names_an_unreachable_database(monkeypatch):
    COMMANDS_BEFORE = COMMANDS["command"]
    monkeypatch.setitem(COMMANDS, "command", [*COMMANDS_BEFORE[:2], "migrate"])
    answer = start("command", DATABASE_URL="postgresql://postgres@127.0.0.1:9/portal")
    assert_named(answer, "DATABASE_URL")


@pytest.mark.parametrize("which", SERVERS)
def test_an_unreachable_redis_is_named(which):
    assert_named(start(which, REDIS_URL="redis://127.0.0.1:9/0"), "REDIS_URL")


@pytest.mark.parametrize("which", SERVERS)
def test_an_unreachable_sandbox_is_named(which):
    answer = start(which, GLOBUS_SDK_SERVICE_URL_AUTH="http://127.0.0.1:9/auth/")
    assert_named(answer, "GLOBUS_SDK_SERVICE_URL_AUTH")
