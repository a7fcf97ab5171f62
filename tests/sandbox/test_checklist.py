"""Each of the 68 checks of globus-services.md section 9 has a test that names it.

A test is named after its check: ``test_check_07_…``. ``docs/sandbox-checks.md`` is the
table of them; ``python -m tests.sandbox.test_checklist`` writes its rows anew.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from sandbox.testing import REPOSITORY

CHECKS = range(1, 69)
TABLE = REPOSITORY / "docs" / "sandbox-checks.md"
NAMED = re.compile(r"^def test_check_(\d\d)_\w+\(", re.MULTILINE)


def named_tests() -> dict[int, list[str]]:
    """``{check: the files with tests of that name}``."""
    found: dict[int, list[str]] = defaultdict(list)
    for file in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        for number in {int(one) for one in NAMED.findall(file.read_text())}:
            found[number].append(f"`{file.relative_to(REPOSITORY / 'tests')}`")
    return found


def row(number: int, claim: str) -> str:
    return f"| {number} | {claim} | {', '.join(named_tests()[number])} |"


def rows() -> dict[int, tuple[str, str]]:
    """The table: ``{check: (claim, tests)}``."""
    found = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \|$", TABLE.read_text(), re.M)
    return {int(number): (claim, tests) for number, claim, tests in found}


@pytest.mark.parametrize("number", CHECKS)
def test_a_check_has_a_test(number):
    assert named_tests().get(number), f"No test is named test_check_{number:02}_…"


def test_no_test_names_a_check_that_is_none():
    assert set(named_tests()) == set(CHECKS)


def test_the_table_tells_where_they_are():
    shown = {number: tests for number, (_, tests) in rows().items()}
    assert shown == {
        number: ", ".join(files) for number, files in sorted(named_tests().items())
    }, "python -m tests.sandbox.test_checklist"


def main() -> None:
    head, _, _ = TABLE.read_text().partition("|---|---|---|\n")
    lines = [row(number, claim) for number, (claim, _) in sorted(rows().items())]
    Path(TABLE).write_text(f"{head}|---|---|---|\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
