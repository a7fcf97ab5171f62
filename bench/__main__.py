"""Benchmarks and long fault tests: ``python -m bench [--faults] [--only NAME]``.

Every figure is printed beside a baseline that ran in the same minute on the same
machine: ``figure | ours | baseline run beside it | ratio | goal | met`` (or ``short``).
A timing decides nothing: the exit status is 1 only when something failed to run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from bench.chaos import chaos
from bench.fairness import fairness
from bench.figures import Figure
from bench.files import files
from bench.fuzz import fuzz
from bench.inventory import inventory
from bench.ledger import ledger
from bench.listing import listing
from bench.monitor import monitor
from bench.renewal import renewal
from bench.sandbox import sandbox_figures
from bench.schedules import schedules
from bench.submissions import submissions
from bench.token import token
from bench.workers import latency, overhead, workers

BENCHES = {
    "fairness": fairness,
    "files": files,
    "inventory": inventory,
    "latency": latency,
    "listing": listing,
    "monitor": monitor,
    "overhead": overhead,
    "sandbox": sandbox_figures,
    "schedules": schedules,
    "token": token,
    "workers": workers,
}
FAULTS = {
    "chaos": chaos,
    "fuzz": fuzz,
    "ledger": ledger,
    "renewal": renewal,
    "submissions": submissions,
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--faults", action="store_true", help="the long fault tests")
    parser.add_argument("--only", metavar="NAME", help="one of them")
    options = parser.parse_args(argv)
    known = FAULTS if options.faults else BENCHES
    if options.only and options.only not in known:
        names = ", ".join(known) or "none yet"
        print(f"There is no {options.only} here; there are: {names}.", file=sys.stderr)
        return 2
    print("figure | ours | baseline run beside it | ratio | goal | met", flush=True)
    if options.only:
        for figure in known[options.only]():
            print(figure, flush=True)
        return 0
    return max(in_a_process_of_its_own(name, options.faults) for name in known)


def in_a_process_of_its_own(name: str, is_fault: bool) -> int:
    """Django is set up once in a process, and each of them brings its own servers."""
    command = [sys.executable, "-m", "bench", "--only", name]
    done = subprocess.run(
        [*command, *(["--faults"] if is_fault else [])],
        stdout=subprocess.PIPE,
        text=True,
    )
    print(done.stdout.partition("\n")[2], end="", flush=True)
    return done.returncode


__all__ = ["Figure"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
