"""What stands above an exported script, since only a portal does it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from transfers.jobs import describing
from transfers.jobs.models import Job
from transfers.templatetags.names import inert_text


def comment(job: Job) -> list[str]:
    rows = list(job.schedules.order_by("created_at"))
    lines = [f"# {inert_text(job.name)}", f"# {describing.paragraph(job, rows)}"]
    return [*lines, f"# The service account: {job.service_account.client_id}"]


def zone_of(job: Job) -> str:
    first = job.schedules.order_by("created_at").first()
    return str(ZoneInfo(first.zone)) if first else "UTC"
