"""Paths and lines of a batch as people write them into the form of a job or a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError

from transfers import batch
from transfers.batch_form import meeting
from transfers.jobs import templates


def with_known_fields(path: str) -> str:
    """:raises ValidationError: a field that no run can fill in"""
    try:
        templates.check(path)
    except templates.BadTemplate as err:
        raise ValidationError(err.advice) from err
    return path


def read_lines(text: str) -> list[dict[str, Any]]:
    """The lines as ``Job.items`` keeps them, their paths as they are written.

    :raises ValidationError: a sentence per bad line, with its number
    """
    read = batch.parse(text)
    problems = sorted(
        [
            *read.problems,
            *_unknown_fields(read),
            *meeting(read.lines, read.numbers),
        ],
        key=lambda each: each.number,
    )
    if problems:
        raise ValidationError(batch.problems_in_words(problems))
    return [line.as_json() for line in read.lines]


def _unknown_fields(read: batch.Batch) -> Iterator[batch.Problem]:
    """Lines whose paths hold a field that no run can fill in, or no text at all."""
    for number, line in zip(read.numbers, read.lines, strict=True):
        paths = line.source_path, line.destination_path
        if any("\N{REPLACEMENT CHARACTER}" in path for path in paths):
            says = "A character of it cannot be read. Save the file as UTF-8."
            yield batch.Problem(number, says)
            continue
        try:
            for path in paths:
                templates.check(path)
        except templates.BadTemplate as err:
            yield batch.Problem(number, err.advice)
