"""What becomes of a run that did not succeed: another try later, or its end."""

from __future__ import annotations

import logging
from typing import Any

from django.utils import timezone

from portal.globus.errors import CollectionUnavailable, PortalError
from transfers import submission
from transfers.claims import KEEP_TRYING, back_off
from transfers.consents import sentence_for
from transfers.jobs.models import Run
from transfers.jobs.policies import Policies
from transfers.jobs.states import advance
from transfers.storable import storable_text

logger = logging.getLogger(__name__)

_S = Run.State


def note(run: Run, err: PortalError) -> None:
    says = sentence_for(run.service_account, err)
    now = timezone.now()
    logger.warning(
        "Run %s did not succeed: %s %s",
        run.pk,
        type(err).__name__,
        getattr(err, "code", ""),
    )
    if not submission.may_pass(err):
        fail(run, says, err)
    elif now - run.created_at >= KEEP_TRYING:
        fail(run, "Globus could not be reached for a day, so it was given up.", err)
    else:
        pause = back_off(run.attempts, at_least=submission.asked_pause(err))
        advance(
            run,
            _S.WAITING,
            from_states=[_S.PREPARING],
            says=says,
            waits_for=Run.WaitsFor.RETRY,
            ready_at=now + pause,
            next_try_at=now + pause,
            **_errors(says, err),
        )


def fail(run: Run, says: str, err: PortalError | None = None) -> None:
    advance(run, _S.FAILED, says=says, **_errors(says, err))


def _errors(says: str, err: PortalError | None) -> dict[str, Any]:
    return {
        "last_error": says[:500],
        "error_code": getattr(err, "code", "")[:200],
        "error_detail": storable_text(getattr(err, "detail", ""), longest=10_000),
        "cause": _cause(err),
    }


def _cause(err: PortalError | None) -> Policies.Cause:
    if isinstance(err, CollectionUnavailable):
        return Policies.Cause.COLLECTION
    if err is not None and submission.may_pass(err):
        return Policies.Cause.GLOBUS
    return Policies.Cause.OTHER
