"""The scripts of the SDK's documentation, run as a reader would run them."""

import re
import subprocess
import sys
from pathlib import Path

from sandbox import seed
from sandbox.testing import client_environment
from tests.guarded import GUARD

SCRIPTS = Path(__file__).parent / "scripts"
SECONDS = 30


def start(sandbox, name, *arguments) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, GUARD, str(SCRIPTS / name), *arguments],
        env=client_environment(sandbox),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output_of(process) -> str:
    printed, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    return str(printed)


def test_a_client_app_lists_the_tutorial_collection(sandbox):
    printed = output_of(start(sandbox, "client_app_ls.py"))
    assert printed.split() == ["file1.txt", "file2.txt", "file3.txt"]


def test_client_credentials_find_my_endpoints(sandbox):
    printed = output_of(start(sandbox, "client_credentials.py"))
    assert printed == f"[{seed.HARVEST}] Nightly harvest drop box\n"


def test_a_native_app_lists_groups(sandbox, tmp_path):
    storage = str(tmp_path / "tokens.json")
    script = start(sandbox, "list_groups.py", storage)
    assert script.stdout is not None
    shown = "".join(script.stdout.readline() for _ in range(3))
    (url,) = re.findall(r"^http\S+$", shown, re.MULTILINE)
    printed, errors = script.communicate(sandbox.code(url, "ada"), timeout=SECONDS)
    assert script.returncode == 0, errors
    groups = printed[printed.index("ID,Name,Roles") :].splitlines()
    assert f'{seed.GROUP_USERS},"Portal users",member' in groups
    wanted = f'{seed.GROUP_GENOMICS},"Genomics, spring campaign",admin|member'
    assert wanted in groups
    assert len(groups) == 4

    sandbox.expire_access_tokens()
    sandbox.forget_requests()
    again = output_of(start(sandbox, "list_groups.py", storage))
    assert again.splitlines() == groups
    assert len(sandbox.requests("/oauth2/token")) == 1
