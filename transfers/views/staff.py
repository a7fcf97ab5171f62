"""What all pages of staff begin with: may this person be here, and with this job."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseBase

from accounts.views import SignedInRequest
from transfers.jobs import permissions
from transfers.jobs.models import Job, Run
from transfers.jobs.permissions import Action

Args = ParamSpec("Args")
Answer = TypeVar("Answer", bound=HttpResponseBase)
View = Callable[Concatenate[SignedInRequest, Args], Answer]


def for_staff(view: View[Args, Answer]) -> View[Args, Answer]:
    @wraps(view)
    def checked(
        request: SignedInRequest, /, *args: Args.args, **kwargs: Args.kwargs
    ) -> Answer:
        if not permissions.is_staff(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    # So that a test can find every page of staff.
    checked.is_for_staff = True  # type: ignore[attr-defined]
    return checked


def open_job(request: SignedInRequest, pk: UUID, action: Action = Action.SEE) -> Job:
    """:raises Http404: there is none that this person may see
    :raises MayNot: they see it, and may not do this
    """
    rows = permissions.jobs_open_to(request.user)
    job = (
        rows.select_related("service_account", "owner", "webhook").filter(pk=pk).first()
    )
    if job is None:
        raise Http404
    if action != Action.SEE:
        permissions.check(request.user, action, job)
    return job


def open_run(request: SignedInRequest, pk: UUID, action: Action = Action.SEE) -> Run:
    """As ``open_job``, by one of its runs."""
    rows = permissions.runs_open_to(request.user).select_related(
        "job__owner",
        "service_account",
        "triggered_by",
        "transfer",
        "parent",
        "job_version",
        "schedule",
    )
    run = rows.filter(pk=pk).first()
    if run is None:
        raise Http404
    if action != Action.SEE:
        permissions.check(request.user, action, run.job)
    return run
