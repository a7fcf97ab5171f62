"""What waits for a person, and the one thing that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone

from accounts.models import Token, User
from portal.globus.requirements import Kind
from transfers.models import Run, Transfer

#: A failure that nobody looked after is news for this long.
FAILURES_SHOWN_FOR = timedelta(days=3)
MOST = 50


@dataclass(frozen=True)
class Matter:
    """
    :ivar way_on: what the button says that leads to ``link``
    :ivar fix: where the button is sent that leads to Globus at once; may be empty
    """

    title: str
    says: str
    since: datetime | None
    link: str
    way_on: str
    is_urgent: bool = True
    fix: str = ""
    fix_words: str = ""


def matters(user: User) -> list[Matter]:
    """The most pressing first."""
    found = [*_dead_sign_ins(user), *_transfers(user)]
    if user.is_staff:
        found += _failed_runs()
    return sorted(found, key=lambda matter: not matter.is_urgent)


def _dead_sign_ins(user: User) -> Iterator[Matter]:
    held = Token.objects.held_for(user)
    if held.filter(state=Token.State.NEEDS_SIGN_IN).exists():
        yield Matter(
            title="Your sign-in with Globus has ended",
            says="The portal can do nothing for you until you sign in again.",
            since=None,
            link=reverse("accounts:account"),
            way_on="See your access",
            fix=reverse("accounts:begin"),
            fix_words="Sign in again",
        )


def _transfers(user: User) -> Iterator[Matter]:
    now = timezone.now()
    mine = Transfer.objects.owned_by(user).defer("document", "task_document")
    for transfer in mine.unfinished()[:MOST]:
        if transfer.status == Transfer.Status.WAITING:
            yield replace(
                _matter(transfer, "waits for you", "See what to do"),
                fix=reverse("transfers:way_on", args=[transfer.pk]),
                fix_words=(
                    "Give consent"
                    if transfer.requirement.kind == Kind.CONSENT
                    else "Sign in"
                ),
            )
        elif transfer.is_stalled(now):
            yield _matter(transfer, "does not get on", "Look into it")
    failed = mine.filter(
        status=Transfer.Status.FAILED, finished_at__gte=now - FAILURES_SHOWN_FOR
    ).exclude(error_code="CANCELED")
    for transfer in failed[:MOST]:
        yield _matter(transfer, "failed", "See why", is_urgent=False)


def _matter(
    transfer: Transfer, what: str, way_on: str, *, is_urgent: bool = True
) -> Matter:
    return Matter(
        title=f"{name_of_transfer(transfer)} {what}",
        says=transfer.says,
        since=transfer.finished_at or transfer.moved_at or transfer.created_at,
        link=reverse("transfers:detail", args=[transfer.pk]),
        way_on=way_on,
        is_urgent=is_urgent,
    )


def name_of_transfer(transfer: Transfer) -> str:
    if transfer.label:
        return f"“{transfer.label}”"
    if transfer.kind == Transfer.Kind.DELETE:
        return f"The deletion on {transfer.source_name or transfer.source_id}"
    source = transfer.source_name or transfer.source_id
    destination = transfer.destination_name or transfer.destination_id
    return f"The transfer from {source} to {destination}"


def _failed_runs() -> Iterator[Matter]:
    """Jobs whose latest run failed; a later run that works mends it."""
    latest = (
        Run.objects.filter(job__enabled=True)
        .order_by("job_id", "-created_at")
        .distinct("job_id")
    )
    unwell = Run.objects.filter(
        pk__in=latest.values("pk"), state__in=[Run.State.FAILED, Run.State.STALLED]
    )
    for run in unwell.defer("inputs", "result").select_related("job")[:MOST]:
        what = "failed" if run.state == Run.State.FAILED else "is stalled"
        yield Matter(
            title=f"The job “{run.job.name}” {what}",
            says=run.says or run.last_error,
            since=run.finished_at or run.created_at,
            link=reverse("transfers:run", args=[run.pk]),
            way_on="See why",
        )
