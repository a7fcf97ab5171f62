"""Dry runs of a job that is not saved yet, as its form has it."""

from __future__ import annotations

from django.http import QueryDict

from accounts.models import User
from transfers import trying
from transfers.jobs.form_checks import Finding
from transfers.jobs.form_page import STEPS, Forms
from transfers.jobs.inventory_models import Trial
from transfers.jobs.models import Job

NOT_YET = "Fill in the steps above first; what is missing is marked there."
NOTHING_TO_TRY = "A list changes nothing, so there is nothing to try."


def ask(user: User, forms: Forms, data: QueryDict, *, page: str) -> Trial | Finding:
    """Asks a worker for it; the form is kept with it, to go on from there.

    :param forms: checked
    :param page: the path of the form's page
    :returns: or why there is none
    """
    if forms.job.cleaned_data.get("kind") == Job.Kind.LIST:
        return Finding("warn", NOTHING_TO_TRY)
    if set(STEPS["preflight"]) & set(forms.errors):
        return Finding("warn", NOT_YET)
    job = forms.row
    schedules = [] if set(STEPS["when"]) & set(forms.errors) else forms.schedules()
    inputs = job.inputs() | {
        "watermark": job.watermark.isoformat() if job.watermark else "",
        "zone": schedules[0].zone if schedules else "UTC",
        "page": page,
    }
    return trying.ask(user, inputs, data, account=job.service_account)
