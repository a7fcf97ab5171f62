"""Everything that reads what others sent, with many more inputs (security.md R10).

The tests are those of ``make test``, where each tries a thousand. A night's million is
``make faults ONLY=fuzz FUZZ_EXAMPLES=1000000``, which takes hours.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.figures import Figure

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10000"))
TESTS = ("tests/accounts/test_attacks.py",)
#: not the list of attacks, which is as long by night
PARSERS = "r10 and not comes_to_nothing"
#: a million takes hours, and no run goes on for ever
GIVE_UP_SECONDS = 12 * 3600


def fuzz() -> Iterator[Figure]:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", PARSERS, *TESTS],
        env=os.environ | {"FUZZ_EXAMPLES": str(EXAMPLES)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=GIVE_UP_SECONDS,
    )
    seconds = time.monotonic() - began
    counts = {
        word: int(number)
        for number, word in re.findall(r"(\d+) (passed|failed|error)", ended.stdout)
    }
    parsers = sum(counts.values())
    failed = parsers - counts.get("passed", 0)
    if ended.returncode:
        print(ended.stdout, file=sys.stderr)
    yield Figure(
        f"R10: of {parsers} parsers, with an error in {EXAMPLES:,} inputs",
        str(failed),
        f"1,000 inputs each in make test; {seconds:.0f} s here",
        float(failed),
        "0",
        ended.returncode == 0 and parsers > 0,
    )
