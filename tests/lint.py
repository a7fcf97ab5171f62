"""``python -m tests.lint``: checks that no linter has, and Django's own.

Prints a line per finding; exit status 1 if there is any.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from portal.embedded import Embedded, laptop_secrets

ROOT = Path(__file__).resolve().parent.parent

#: what would let a name from elsewhere act in a page (security.md W01, S03)
UNSAFE_IN_TEMPLATES = {
    r"\|\s*safe(seq)?\b": "the filter safe switches escaping off",
    r"{%\s*autoescape\s+off": "escaping is switched off",
    r"(?i)<script(?![^>]*\s(src=|type=.application/json))": "a script inside the page",
    r"(?i)<[^>]*\sstyle\s*=": "a style attribute; the content policy refuses it",
    r"(?i)<[^>]*\son[a-z]+\s*=": "an event handler; the content policy refuses it",
    r"(?i)<style\b": "styles inside the page; the content policy refuses them",
    r"=\s*{{": "an attribute without quotes",
}
#: Bootstrap draws these with data: images, which the content policy refuses; a sheet
#: of ours that takes the image away may be loaded too late
DRAWN_WITH_DATA = {
    r"[\"' ](form-select|form-check-input|form-switch|btn-close|accordion-button"
    r"|navbar-toggler|is-(in)?valid)(?=[\"' ])": "a class that needs a data: image",
}
UNSAFE_IN_PYTHON = {
    r"\bmark_safe\b|\bSafeString\b": "marks text as safe without looking at it",
}
#: what works on one machine only
LOCAL = {
    r"(?<![\w.])/(root|work)/": "a path of somebody's machine",
}
#: of all lock files, only these name where packages come from
ELSEWHERE_IN_LOCK_FILES = {
    r"^\s*(-i|--(extra-)?index-url|--find-links|--trusted-host)\b": "a package index",
    r"https?://": "an address that a package comes from",
}

#: what ``check --deploy`` and the migrations look at: a site as it should be run
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "portal.settings",
    "PUBLIC_BASE_URL": "https://portal.example.org",
    "PORTAL_BEHIND_TLS_PROXY": "true",
    "GLOBUS_CLIENT_ID": "00000000-0000-4000-8000-000000000000",
    "GLOBUS_CLIENT_SECRET": "for this check only",
    "EMAIL_URL": "smtp+tls://mail.example.org:587",
}
DEPLOYMENT_CHECK = ("check", "--deploy", "--fail-level", "WARNING")
COMMANDS = (("makemigrations", "--check", "--dry-run"), DEPLOYMENT_CHECK)


def main() -> int:
    found = [*file_findings(tracked_files())]
    for finding in found:
        print(finding)
    is_content = django_is_content()
    return 0 if is_content and not found else 1


def tracked_files() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def file_findings(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        if path == Path(__file__):
            continue  # it names what it looks for
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a picture
        for is_meant, patterns in RULES:
            if is_meant(path):
                yield from findings(path, text, patterns)


def findings(path: Path, text: str, patterns: dict[str, str]) -> Iterator[str]:
    for pattern, meaning in patterns.items():
        for match in re.finditer(pattern, text, re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path.relative_to(ROOT)}:{line}: {meaning}"


def is_template(path: Path) -> bool:
    return path.suffix in {".html", ".txt"} and "templates" in path.parts


def is_python(path: Path) -> bool:
    return path.suffix == ".py"


def is_lock_file(path: Path) -> bool:
    return path.name.startswith("requirements") and path.suffix == ".txt"


RULES: tuple[tuple[Callable[[Path], bool], dict[str, str]], ...] = (
    (is_template, UNSAFE_IN_TEMPLATES | DRAWN_WITH_DATA),
    (is_python, UNSAFE_IN_PYTHON),
    (lambda path: is_python(path) and "tests" not in path.parts, DRAWN_WITH_DATA),
    (is_lock_file, ELSEWHERE_IN_LOCK_FILES),
    (lambda path: True, LOCAL),
)


def django_is_content() -> bool:
    # A real database, because makemigrations compares with what was applied there.
    with tempfile.TemporaryDirectory(prefix="cw-lint-") as name:
        folder = Path(name)
        with Embedded(folder / "servers", throw_away=True) as servers:
            surroundings = {
                **os.environ,
                **PRODUCTION,
                **laptop_secrets(folder / "secrets"),
                "DATABASE_URL": servers.database_url,
                "REDIS_URL": servers.redis_url,
            }
            statuses = [
                subprocess.run(
                    [sys.executable, "manage.py", *command], cwd=ROOT, env=surroundings
                ).returncode
                for command in COMMANDS
            ]
    return not any(statuses)


if __name__ == "__main__":
    sys.exit(main())
