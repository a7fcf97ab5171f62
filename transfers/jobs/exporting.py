"""A job as something to run elsewhere: a shell script, a Python script, a document.

Neither script holds a secret: both read the client id and secret of the service
account from the environment. What only a portal does (schedule, policies, who is told)
stands in a comment.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from django.utils.text import slugify

from transfers.jobs import exchange
from transfers.jobs.export_python import as_python
from transfers.jobs.export_shell import as_shell
from transfers.jobs.models import Job


def as_json(job: Job) -> str:
    found = exchange.stored_document(job)
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, tuple[str, str, Callable[[Job], str]]] = {
    "globus": ("sh", "As a globus command", as_shell),
    "python": ("py", "As an SDK script", as_python),
    "json": ("json", "As JSON", as_json),
}


def file_name(job: Job, form: str) -> str:
    return f"{slugify(job.name) or 'job'}.{FORMATS[form][0]}"
