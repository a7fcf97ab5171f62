"""A job as a script for ``globus-sdk`` 4."""

from __future__ import annotations

import json
import pprint
from collections.abc import Mapping
from typing import Any

from transfers import submission
from transfers.jobs.export_comment import comment, zone_of
from transfers.jobs.models import Job
from transfers.jobs.path_fields import pieces
from transfers.jobs.tree_rules import Rules


def as_python(job: Job) -> str:
    """A script for ``globus-sdk`` 4."""
    body = _python_list(job) if job.kind == Job.Kind.LIST else _python_transfer(job)
    return (
        _PYTHON_HEAD.format(comment="\n".join(comment(job)), zone=zone_of(job)) + body
    )


_PYTHON_HEAD = """\
{comment}

import os
from datetime import datetime
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

import globus_sdk

app = globus_sdk.ClientApp(
    "exported-job",
    client_id=os.environ["GLOBUS_CLIENT_ID"],
    client_secret=os.environ["GLOBUS_CLIENT_SECRET"],
)
transfer = globus_sdk.TransferClient(app=app)
now = datetime.now(ZoneInfo("{zone}"))


def consent(collection):
    # Only mapped collections have this scope; the others need nothing.
    kind = transfer.get_endpoint(collection)["entity_type"]
    if kind == "GCSv5_mapped_collection":
        transfer.add_app_data_access_scope(collection)


"""


def _python_list(job: Job) -> str:
    rules = Rules.of(job.inputs())
    return _PYTHON_LIST.format(
        source=json.dumps(str(job.source_collection)),
        path=_python_path(job.source_path),
        depth=rules.depth or "None  # all levels",
        include=list(rules.include),
        exclude=list(rules.exclude),
        types=list(rules.types),
        hidden=rules.hidden,
    )


#: as ``Rules.takes`` and ``Rules.enters``
_PYTHON_LIST = """\
DEPTH = {depth}
INCLUDE, EXCLUDE = {include!r}, {exclude!r}
TYPES, HIDDEN = {types!r}, {hidden!r}


def is_wanted(entry):
    name = entry["name"]
    if any(fnmatchcase(name, each) for each in EXCLUDE):
        return False
    if name.startswith(".") and not HIDDEN:
        return False
    if entry["type"] == "dir" or not INCLUDE:
        return True
    return any(fnmatchcase(name, each) for each in INCLUDE)


consent({source})
folders = [({path}, 1)]
while folders:
    path, level = folders.pop()
    for entry in filter(is_wanted, transfer.operation_ls({source}, path=path)):
        is_link = bool(entry.get("link_target")) or entry["type"] == "invalid_symlink"
        if not TYPES or ("link" if is_link else entry["type"]) in TYPES:
            print(path + entry["name"])
        if entry["type"] == "dir" and not is_link and (DEPTH is None or level < DEPTH):
            folders.append((path + entry["name"] + "/", level + 1))
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
    consent(collection)
answer = transfer.submit_transfer(document)
print(answer["task_id"])
"""


def _items(job: Job) -> list[dict[str, Any]]:
    return job.items or [
        {
            "source_path": job.source_path,
            "destination_path": job.destination_path,
            "recursive": (
                True if job.recursive or job.kind == Job.Kind.MIRROR else None
            ),
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
