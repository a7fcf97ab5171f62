"""The bytes of the seeded collections: the same every time, a few MB in all."""

import os
import random
from functools import cache
from pathlib import Path

#: what every file's time stamp is, unless it says otherwise
MOMENT = 1_767_268_800  # 2026-01-01 12:00:00 UTC

HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>.txt",
    "=cmd.csv",
    "invoice\u202efdp.txt",
    "two  spaces .txt",
    "%41 +&?#.txt",
    "quote'\"`.txt",
    "ünïcødé 数据.txt",
    "-rf",
    "line\nbreak.txt",
    "semi;colon|pipe$.txt",
)


def write(
    base: Path,
    *,
    tutorials: tuple[str, ...],
    research: str,
    clinical: str,
    laptop: str,
    vault: str,
    harvest: str,
    archive: str,
) -> None:
    """Write all collections below ``base``, a directory for each."""
    for tutorial in tutorials:
        _tutorial(base / tutorial)
    _research(base / research)
    _clinical(base / clinical)
    _laptop(base / laptop)
    _file(base / vault / "keys" / "do-not-share.txt", b"nothing to see here\n")
    _harvest(base / harvest)
    _archive(base / archive)


def _file(path: Path, content: bytes, moment: int = MOMENT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (moment, moment))


def _tutorial(root: Path) -> None:
    for folder in ("share/godata", "home/share/godata"):
        for number, content in enumerate((b"one\n", b"two\n", b"three\n"), 1):
            _file(root / folder / f"file{number}.txt", content)


@cache
def _csv(rows: int, columns: tuple[str, ...], seed: int) -> bytes:
    source = random.Random(seed)  # noqa: S311 - science, not secrets
    lines = [",".join(columns)]
    lines += [
        ",".join(f"{source.gauss(10, 3):.4f}" for _ in columns) for _ in range(rows)
    ]
    return ("\n".join(lines) + "\n").encode()


@cache
def _binary(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - science, not secrets


def _research(root: Path) -> None:
    campaign = root / "projects" / "spring-campaign"
    for run in range(1, 4):
        folder = campaign / "runs" / f"2026-03-{run:02d}"
        _file(folder / "reads.fastq.gz", _binary(300_000, run), MOMENT + run * 86_400)
        _file(folder / "quality.csv", _csv(200, ("cycle", "q", "gc"), run))
        _file(folder / "run.json", b'{"instrument": "NovaSeq X", "lanes": 2}\n')
    _file(campaign / "results" / "variants.csv", _csv(500, ("pos", "af", "dp"), 9))
    _file(campaign / "incoming" / ".keep", b"")
    _file(campaign / "README.md", b"# Spring campaign\n\nAsk grace for access.\n")
    telescope = root / "projects" / "telescope"
    for frame in range(1, 6):
        _file(telescope / "raw" / f"frame-{frame:04d}.fits", _binary(200_000, frame))
    _file(telescope / "catalog.csv", _csv(800, ("ra", "dec", "mag"), 7))
    _file(telescope / ".calibration" / "dark.fits", _binary(100_000, 77))
    (telescope / "latest.fits").symlink_to("raw/frame-0005.fits")
    (telescope / "gone.fits").symlink_to("raw/frame-9999.fits")
    for name in HOSTILE_NAMES:
        _file(root / "projects" / "odd names" / name, b"a harmless file\n")
    deep = root / "projects" / "simulation" / "a" / "b" / "c" / "d"
    _file(deep / "state.h5", _binary(150_000, 5))
    _file(root / "projects" / "simulation" / "input.yaml", b"steps: 1000\ndt: 0.01\n")
    (root / "projects" / "empty folder").mkdir(parents=True, exist_ok=True)
    _file(root / "home" / "ada" / "notes.txt", b"Ask Grace about the reads.\n")
    _file(root / "home" / "ada" / ".config" / "editor.toml", b"tabs = false\n")
    _file(root / "home" / "grace" / "jobs.csv", b"job,when\nharvest,nightly\n")
    (root / "home" / "share").mkdir(exist_ok=True)


def _clinical(root: Path) -> None:
    for study in range(1, 4):
        _file(root / f"study-{study:03d}" / "series.dcm", _binary(60_000, study))


def _laptop(root: Path) -> None:
    _file(root / "Documents" / "paper.tex", b"\\documentclass{article}\n")
    _file(root / "Documents" / "figures" / "plot.csv", _csv(50, ("x", "y"), 3))


def _harvest(root: Path) -> None:
    for day in range(1, 6):
        moment = MOMENT + day * 86_400
        content = _csv(100, ("time", "temperature", "humidity"), 100 + day)
        _file(root / "sensors" / f"2026-01-{day:02d}.csv", content, moment)
    _file(root / "README.txt", b"Filled every night.\n")
    (root / "incoming").mkdir(exist_ok=True)


def _archive(root: Path) -> None:
    _file(root / "published" / "dataset-1" / "data.bin", _binary(250_000, 41))
    _file(root / "published" / "dataset-1" / "LICENSE.txt", b"CC BY 4.0\n")
    (root / "incoming").mkdir(exist_ok=True)
