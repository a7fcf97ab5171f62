"""The sandbox without the portal: in a directory of its own, and in its image."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no stubs here
import requests

from sandbox.testing import REPOSITORY

#: how long a start may take (issue target); a busy machine gets a few times that
START_SECONDS = 2.0
PORTAL = {"portal", "accounts", "transfers", "tests", "bench"}


def modules() -> list[Path]:
    return sorted((REPOSITORY / "sandbox").rglob("*.py"))


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_it_imports_nothing_of_the_portal():
    found = {str(file): PORTAL & imported(file) for file in modules()}
    assert {file for file, names in found.items() if names} == set()


def test_only_its_helper_for_tests_makes_requests():
    clients = {"requests", "urllib3", "httpx", "http", "globus_sdk", "smtplib"}
    found = {file.name for file in modules() if clients & imported(file)}
    # wire.py has the names of statuses from http.
    assert found <= {"testing.py", "wire.py"}


def processor_seconds(process: psutil.Process) -> float:
    """Of it and of what it has started; a busy machine takes no more of them."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def test_its_directory_is_all_it_needs(tmp_path):
    """As in its image: no portal, no settings in the environment, no database."""
    shutil.copytree(
        REPOSITORY / "sandbox",
        tmp_path / "sandbox",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=tmp_path,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        url = lines[1].partition("=")[2].strip().removesuffix("/auth/")
        try:
            answer = requests.get(f"{url}/_sandbox/health", timeout=60)
            seconds = processor_seconds(psutil.Process(process.pid))
        finally:
            process.terminate()
    assert answer.json()["is_globus"] is False
    assert seconds < 5 * START_SECONDS


def sources_of(dockerfile: str) -> set[str]:
    """What the Dockerfile copies out of the repository."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
    return {name for line in lines for name in line.split()[:-1]}


def test_its_image_has_it():
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    stages = re.split(r"(?m)^FROM ", dockerfile)
    (stage,) = [one for one in stages if " AS sandbox\n" in one]
    assert "COPY sandbox sandbox\n" in stage
    assert 'ENTRYPOINT ["python", "-m", "sandbox"]' in stage
    assert "sandbox" not in stages[-1], "no part of the portal's own image"
    assert (
        "docker build --target sandbox"
        in (REPOSITORY / "docs" / "sandbox.md").read_text()
    )


def test_docker_gets_what_its_file_copies():
    allowed = {
        line.removeprefix("!")
        for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert sources_of((REPOSITORY / "Dockerfile").read_text()) == allowed


def packages() -> set[str]:
    """What the sandbox imports that is neither its own nor Python's."""
    found = {name for file in modules() for name in imported(file)}
    names = found - set(sys.stdlib_module_names) - {"sandbox"}
    return {"pyjwt" if name == "jwt" else name for name in names}


def test_its_packages_are_in_the_image():
    locked = (REPOSITORY / "requirements.txt").read_text().lower()
    assert packages() <= set(re.findall(r"^([a-z-]+)==", locked, re.MULTILINE))


def test_another_project_is_told_what_to_install():
    text = (REPOSITORY / "docs" / "sandbox.md").read_text()
    (line,) = re.findall(r"^pip install (.+)$", text, re.MULTILINE)
    assert set(line.split()) == packages()
