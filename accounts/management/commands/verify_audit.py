"""``manage.py verify_audit``: whether the audit is as it was written."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import sealing

#: more than these are only counted
MOST_SHOWN = 20
ANCHOR = re.compile(r"[0-9]{1,18}:[0-9a-f]{64}")


class Command(BaseCommand):
    help = (
        "Checks that no entry of the audit was changed or taken out, and prints the "
        "last seal. Exit status: 0 all is well; 1 it is not, with a line for each "
        "entry. Entries of the last minutes need no seal yet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            metavar="SEAL",
            default="",
            help="a seal from an earlier run or from the log, as NUMBER:DIGEST; "
            "it must still be there",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        expected = options["expect"]
        if expected and not ANCHOR.fullmatch(expected):
            raise CommandError("--expect takes NUMBER:DIGEST, as this command prints.")
        result = sealing.Verification()
        found = 0
        for problem in sealing.problems(result, expected=expected):
            found += 1
            if found <= MOST_SHOWN:
                self.stderr.write(problem)
        self.stdout.write(
            f"{result.sealed} entries are sealed, {result.unsealed} wait for it."
        )
        if result.head:
            self.stdout.write(f"Last seal: {result.head}")
        if found:
            raise CommandError(f"The audit is not as it should be: {found} findings.")
