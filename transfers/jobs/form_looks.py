"""What a button of the job's form looks up: nothing of it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.http import QueryDict
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import ServiceAccount
from portal.globus.errors import PortalError
from portal.globus.transport import GLANCE
from transfers import collections
from transfers.jobs import drafts, form_checks, preflight, previews, schedules
from transfers.jobs.checklist import Checklist
from transfers.jobs.form_checks import Finding
from transfers.jobs.form_page import STEPS, Forms
from transfers.jobs.path_fields import example_of
from transfers.jobs.preflight_access import Limit
from transfers.jobs.templates import BadTemplate

ROWS = 12
#: after so long a preflight begins no further request, each of which takes some more
PREFLIGHT_SECONDS = 5


@dataclass
class Step:
    """What the last look at a step brought."""

    text: str = ""
    found: tuple[collections.Collection, ...] | None = None
    findings: list[Finding] = field(default_factory=list)
    due: list[schedules.Due] = field(default_factory=list)
    checklist: Checklist | None = None


def look(
    verb: str,
    name: str,
    forms: Forms,
    data: QueryDict,
    steps: dict[str, Step],
) -> None:
    step = steps.get(name)
    if step is None:
        return
    if name == "when":
        step.due = _due(forms)
        return
    if name == "preflight":
        _preflight(step, forms)
        return
    account = forms.job.cleaned_data.get("service_account")
    if verb == "find":
        step.text = data.get(f"find_{name}", "").strip()
        _find(step, account)
    elif account is not None:
        step.findings = _findings(name, account, forms)


def _find(step: Step, account: ServiceAccount | None) -> None:
    if account is None:
        step.findings = [Finding("bad", "Choose the service account first.")]
        return
    try:
        step.found = collections.search(
            transfer_client(account), step.text, limit=ROWS
        ).collections
    except PortalError as err:
        step.findings = [Finding("bad", err.advice)]


def _findings(name: str, account: ServiceAccount, forms: Forms) -> list[Finding]:
    works = form_checks.account_works(account)
    if name == "account" or works.tone == "bad":
        return [works]
    data = forms.job.cleaned_data
    collection_id, path = data.get(f"{name}_collection"), data.get(f"{name}_path")
    if not collection_id or not path:
        return []
    try:
        example = example_of(path, timezone.now())
    except BadTemplate as err:
        return [Finding("bad", err.advice)]
    look = (
        form_checks.source_reads if name == "source" else form_checks.destination_takes
    )
    return [look(account, collection_id, example)]


def _due(forms: Forms) -> list[schedules.Due]:
    if any(form.errors for form in (forms.when, *forms.further)):
        return []
    rows = [each for each in forms.schedules() if not each.paused]
    rhythms = [schedules.rhythm_of(row) for row in rows]
    return previews.next_of_all(rhythms, timezone.now())


def _preflight(step: Step, forms: Forms) -> None:
    """Of the job as the form has it, within the time that a page may take."""
    if set(STEPS["preflight"]) & set(forms.errors):
        step.findings = [Finding("warn", drafts.NOT_YET)]
        return
    row = forms.row
    try:
        step.checklist = preflight.check_inputs(
            row.service_account,
            row.inputs(),
            patience=GLANCE,
            limit=Limit.of_seconds(PREFLIGHT_SECONDS),
        )
    except PortalError as err:
        step.findings = [Finding("bad", err.advice)]
