"""A job as something to run elsewhere: a shell script, a Python script, a document.

Neither script holds a secret: both read the client id and secret of the service
account from the environment. What only a portal does (schedule, policies, who is told)
stands in a comment.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.text import slugify

from transfers import submission
from transfers.jobs import describing, exchange
from transfers.jobs.models import Job
from transfers.jobs.path_fields import pieces
from transfers.templatetags.names import inert_text

_SYNC = {0: "exists", 1: "size", 2: "mtime", 3: "checksum"}
_FLAGS = {
    "preserve_timestamp": "--preserve-timestamp",
    "encrypt_data": "--encrypt-data",
    "skip_source_errors": "--skip-source-errors",
    "fail_on_quota_errors": "--fail-on-quota-errors",
}
_LOCAL_USERS = ("source_local_user", "destination_local_user")


def as_json(job: Job) -> str:
    found = exchange.stored_document(job)
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def as_shell(job: Job) -> str:
    """A script for ``sh`` with one ``globus`` command."""
    head = ["#!/bin/sh", *_comment(job), *_left_out(job), "set -eu", *_CREDENTIALS]
    command = _ls(job) if job.kind == Job.Kind.LIST else _transfer(job)
    return "\n".join([*head, "", command]) + "\n"


_CREDENTIALS = (
    ': "${GLOBUS_CLI_CLIENT_ID:?the client ID of the service account}"',
    ': "${GLOBUS_CLI_CLIENT_SECRET:?its secret}"',
    "export GLOBUS_CLI_CLIENT_ID GLOBUS_CLI_CLIENT_SECRET",
)


def _comment(job: Job) -> list[str]:
    rows = list(job.schedules.order_by("created_at"))
    lines = [f"# {inert_text(job.name)}", f"# {describing.paragraph(job, rows)}"]
    return [*lines, f"# The service account: {job.service_account.client_id}"]


def _left_out(job: Job) -> list[str]:
    """What the command cannot say, where the job does."""
    rules = job.options.get("filter_rules", [])
    if all(rule.get("type") == "file" for rule in rules):
        return []
    return ["# The filters of the CLI are for files; those for folders are left out."]


def _ls(job: Job) -> str:
    words = ["globus", "ls", "--all"]
    if job.recursive:
        words.append("--recursive")
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
    if job.recursive:
        words.append("--recursive")
    words += [
        _place(job.source_collection, job.source_path, job),
        _place(job.destination_collection, job.destination_path, job),
    ]
    return " \\\n  ".join(words)


def _option_words(job: Job) -> list[str]:
    options = job.options
    label = submission.tidy_label(job.label or job.name)
    words = [f"--label={shlex.quote(label)}"]
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
        words.append(f"--{rule.get('method', 'exclude')}={shlex.quote(rule['name'])}")
    for name in _LOCAL_USERS:
        if options.get(name):
            words.append(f"--{name.replace('_', '-')}={shlex.quote(options[name])}")
    mails = [
        each
        for each in ("succeeded", "failed", "inactive")
        if options.get(f"notify_on_{each}", True)
    ]
    if len(mails) < 3:
        words.append(f"--notify={','.join(mails) or 'off'}")
    return words


def _place(collection_id: Any, path: str, job: Job) -> str:
    return f"{collection_id}:{_shell_path(path, job, shlex.quote)}"


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
            said.append(f"{mark}$(TZ={_zone(job)} date +{form}){mark}")
        else:
            said.append(
                f"{mark}${{WATERMARK:?when the last run that succeeded began}}{mark}"
            )
    return "".join(said)


def _zone(job: Job) -> str:
    first = job.schedules.order_by("created_at").first()
    return str(ZoneInfo(first.zone)) if first else "UTC"


# Python


def as_python(job: Job) -> str:
    """A script for ``globus-sdk`` 4."""
    body = _python_list(job) if job.kind == Job.Kind.LIST else _python_transfer(job)
    return _PYTHON_HEAD.format(comment="\n".join(_comment(job)), zone=_zone(job)) + body


_PYTHON_HEAD = """\
{comment}

import os
from datetime import datetime
from zoneinfo import ZoneInfo

import globus_sdk

app = globus_sdk.ClientApp(
    "exported-job",
    client_id=os.environ["GLOBUS_CLIENT_ID"],
    client_secret=os.environ["GLOBUS_CLIENT_SECRET"],
)
transfer = globus_sdk.TransferClient(app=app)
now = datetime.now(ZoneInfo("{zone}"))

"""


def _python_list(job: Job) -> str:
    source = json.dumps(str(job.source_collection))
    path = _python_path(job.source_path)
    depth = "folders.append(path + entry['name'] + '/')" if job.recursive else "pass"
    return f"""\
transfer.add_app_data_access_scope({source})
folders = [{path}]
while folders:
    path = folders.pop()
    for entry in transfer.operation_ls({source}, path=path):
        print(path + entry["name"])
        if entry["type"] == "dir":
            {depth}
"""


def _python_transfer(job: Job) -> str:
    options = {
        name: value
        for name, value in job.options.items()
        if name not in ("filter_rules", "recursive_symlinks", "store_base_path_info")
    }
    options.setdefault("verify_checksum", True)
    if job.delete_extra:
        options["delete_destination_extra"] = True
    extra = {
        name: job.options[name]
        for name in ("recursive_symlinks", "store_base_path_info")
        if name in job.options
    }
    if extra:
        options["additional_fields"] = extra
    label = submission.tidy_label(job.label or job.name)
    lines = [
        "document = globus_sdk.TransferData(",
        f"    source_endpoint={str(job.source_collection)!r},",
        f"    destination_endpoint={str(job.destination_collection)!r},",
        f"    label={label!r},",
        *(f"    {name}={pprint.pformat(value)}," for name, value in options.items()),
        ")",
    ]
    for rule in job.options.get("filter_rules", []):
        given = [repr(rule["name"]), f"method={rule.get('method', 'exclude')!r}"]
        if rule.get("type"):
            given.append(f"type={rule['type']!r}")
        lines.append(f"document.add_filter_rule({', '.join(given)})")
    lines += [_python_item(item) for item in _items(job)]
    return "\n".join([*lines, _PYTHON_END])


_PYTHON_END = """\
for collection in (document["source_endpoint"], document["destination_endpoint"]):
    # Only mapped collections have this scope; the others need nothing.
    kind = transfer.get_endpoint(collection)["entity_type"]
    if kind == "GCSv5_mapped_collection":
        transfer.add_app_data_access_scope(collection)
answer = transfer.submit_transfer(document)
print(answer["task_id"])
"""


def _items(job: Job) -> list[dict[str, Any]]:
    return job.items or [
        {
            "source_path": job.source_path,
            "destination_path": job.destination_path,
            "recursive": True if job.recursive else None,
        }
    ]


def _python_item(item: Mapping[str, Any]) -> str:
    given = [_python_path(item["source_path"]), _python_path(item["destination_path"])]
    if item.get("recursive") is not None:
        given.append(f"recursive={item['recursive']!r}")
    if item.get("external_checksum"):
        given.append(f"external_checksum={item['external_checksum']!r}")
    return f"document.add_item({', '.join(given)})"


def _python_path(path: str) -> str:
    said = []
    for text, name, form in pieces(path):
        if not name:
            said.append(repr(text))
        elif name == "scheduled_for":
            said.append(f"now.strftime({form!r})")
        else:
            said.append('os.environ["WATERMARK"]')
    return " + ".join(said) or "''"


FORMATS: dict[str, tuple[str, str, Callable[[Job], str]]] = {
    "globus": ("sh", "As a globus command", as_shell),
    "python": ("py", "As an SDK script", as_python),
    "json": ("json", "As JSON", as_json),
}


def file_name(job: Job, form: str) -> str:
    return f"{slugify(job.name) or 'job'}.{FORMATS[form][0]}"
