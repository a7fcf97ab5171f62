"""A job as a script for ``sh`` with one ``globus`` command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from transfers import submission
from transfers.jobs.export_comment import comment, zone_of
from transfers.jobs.job_model import DEEPEST, Job
from transfers.jobs.path_fields import pieces
from transfers.shell_words import quoted as in_a_shell

_SYNC = {0: "exists", 1: "size", 2: "mtime", 3: "checksum"}
_FLAGS = {
    "preserve_timestamp": "--preserve-timestamp",
    "encrypt_data": "--encrypt-data",
    "skip_source_errors": "--skip-source-errors",
    "fail_on_quota_errors": "--fail-on-quota-errors",
}
_LOCAL_USERS = ("source_local_user", "destination_local_user")


def as_shell(job: Job) -> str:
    """A script for ``sh`` with one ``globus`` command."""
    head = ["#!/bin/sh", *comment(job), *_left_out(job), "set -eu", *_CREDENTIALS]
    command = _ls(job) if job.kind == Job.Kind.LIST else _transfer(job)
    return "\n".join([*head, "", command]) + "\n"


_CREDENTIALS = (
    ': "${GLOBUS_CLI_CLIENT_ID:?the client ID of the service account}"',
    ': "${GLOBUS_CLI_CLIENT_SECRET:?its secret}"',
    "export GLOBUS_CLI_CLIENT_ID GLOBUS_CLI_CLIENT_SECRET",
)


def _left_out(job: Job) -> list[str]:
    """What the command cannot say, where the job does."""
    if job.filters:
        return ["# The command lists everything; the job narrows it down as above."]
    rules = job.options.get("filter_rules", [])
    if all(rule.get("type") == "file" for rule in rules):
        return []
    return ["# The filters of the CLI are for files; those for folders are left out."]


def _ls(job: Job) -> str:
    words = ["globus", "ls", "--all"]
    if job.recursive:
        limit = (job.depth or DEEPEST) - 1  # the CLI does not count the folder itself
        words += ["--recursive", f"--recursive-depth-limit={limit}"]
    return " ".join([*words, _place(job.source_collection, job.source_path, job)])


def _transfer(job: Job) -> str:
    options = [*_option_words(job)]
    if job.items:
        words = ["globus", "transfer", *options, "--batch", "-"]
        ends = [str(job.source_collection), str(job.destination_collection)]
        return "\n".join(
            [
                " \\\n  ".join([" ".join([*words, *ends]) + " <<END"]),
                *(_batch_line(item, job) for item in job.items),
                "END",
            ]
        )
    words = ["globus transfer", *options]
    if job.recursive or job.kind == Job.Kind.MIRROR:
        words.append("--recursive")
    words += [
        _place(job.source_collection, job.source_path, job),
        _place(job.destination_collection, job.destination_path, job),
    ]
    return " \\\n  ".join(words)


def _option_words(job: Job) -> list[str]:
    options = job.options
    label = submission.tidy_label(job.label or job.name)
    words = [f"--label={in_a_shell(label)}"]
    verifies = options.get("verify_checksum", True)
    words.append("--verify-checksum" if verifies else "--no-verify-checksum")
    words += [flag for name, flag in _FLAGS.items() if options.get(name)]
    if isinstance(options.get("sync_level"), int):
        words.append(f"--sync-level={_SYNC[options['sync_level']]}")
    if job.delete_extra:
        words.append("--delete-destination-extra")
    for rule in options.get("filter_rules", []):
        if rule.get("type") == "dir":
            continue
        words.append(f"--{rule.get('method', 'exclude')}={in_a_shell(rule['name'])}")
    for name in _LOCAL_USERS:
        if options.get(name):
            words.append(f"--{name.replace('_', '-')}={in_a_shell(options[name])}")
    mails = [
        each
        for each in ("succeeded", "failed", "inactive")
        if options.get(f"notify_on_{each}", True)
    ]
    if len(mails) < 3:
        words.append(f"--notify={','.join(mails) or 'off'}")
    return words


def _place(collection_id: Any, path: str, job: Job) -> str:
    return f"{collection_id}:{_shell_path(path, job, in_a_shell)}"


def _batch_line(item: Mapping[str, Any], job: Job) -> str:
    """Within a here-document, where the shell still puts dates in."""
    words = []
    if item.get("recursive") is not None:
        words.append("--recursive" if item["recursive"] else "--no-recursive")
    if item.get("external_checksum"):
        words.append(f"--external-checksum={item['external_checksum']}")
    paths = [
        _shell_path(item[side], job, _in_here_document, quoted=False)
        for side in ("source_path", "destination_path")
    ]
    return " ".join([*words, *paths])


def _in_here_document(text: str) -> str:
    quoted = shlex.quote(text)
    for each in ("\\", "$", "`"):
        quoted = quoted.replace(each, f"\\{each}")
    return quoted


def _shell_path(
    path: str, job: Job, quote: Callable[[str], str], *, quoted: bool = True
) -> str:
    mark = '"' if quoted else ""
    said = []
    for text, name, form in pieces(path):
        if not name:
            said.append(quote(text))
        elif name == "scheduled_for":
            said.append(f"{mark}$(TZ={zone_of(job)} date +{form}){mark}")
        else:
            said.append(
                f"{mark}${{WATERMARK:?when the last run that succeeded began}}{mark}"
            )
    return "".join(said)
