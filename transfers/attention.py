"""What waits for a person, and the one thing that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.urls import reverse
from django.utils import timezone

from accounts import broken_credentials
from accounts.models import Token, User
from portal.globus.requirements import Kind
from transfers import stalls
from transfers.jobs.permissions import Action, jobs_open_to
from transfers.models import Run, Transfer, TroubledTimer
from transfers.open_matters import MOST, dead_webhooks, deaf_jobs, unmended, unwell_runs
from transfers.templatetags.places import changed_again_url


@dataclass(frozen=True)
class Matter:
    """
    :ivar way_on: what the button says that leads to ``link``
    :ivar fix: where the button is sent that mends it, or leads to Globus; may be empty
    :ivar fix_fields: what is sent with it
    """

    title: str
    says: str
    since: datetime | None
    link: str
    way_on: str
    is_urgent: bool = True
    fix: str = ""
    fix_words: str = ""
    fix_fields: tuple[tuple[str, str], ...] = ()


def matters(user: User) -> list[Matter]:
    """The most pressing first."""
    found = [*_dead_sign_ins(user), *_transfers(user), *_timers(user)]
    found += _webhook(user)
    if user.is_staff:
        found += [*_failed_runs(user), *_credentials(user), *_webhooks_of_jobs(user)]
    return sorted(found, key=lambda matter: not matter.is_urgent)


def _timers(user: User) -> Iterator[Matter]:
    for row in TroubledTimer.objects.filter(user=user)[:MOST]:
        waits = row.kind == TroubledTimer.Kind.WAITS
        matter = Matter(
            title=f"The timer “{row.name}” {_TIMER_WORDS[row.kind]}",
            says=row.says,
            since=row.since,
            link=reverse("transfers:timer", args=[row.pk]),
            way_on="See its runs",
            is_urgent=waits,
        )
        page = "transfers:timer_resume" if waits else "transfers:timer_once"
        words = "Let it go on" if waits else "Send it once now"
        yield replace(matter, fix=reverse(page, args=[row.pk]), fix_words=words)


_TIMER_WORDS = {
    TroubledTimer.Kind.WAITS.value: "waits for you",
    TroubledTimer.Kind.FAILED.value: "has failed",
}


def _webhook(user: User) -> Iterator[Matter]:
    for webhook in dead_webhooks(user):
        yield Matter(
            title="Your webhook is switched off",
            says=f"Message after message did not arrive. {webhook.off_because}",
            since=webhook.off_at,
            link=reverse("accounts:notifications"),
            way_on="Look at it",
            is_urgent=False,
            fix=reverse("accounts:notification_webhook_on"),
            fix_words="Switch it on again",
        )


def _webhooks_of_jobs(user: User) -> Iterator[Matter]:
    for job in deaf_jobs(user).select_related("webhook")[:MOST]:
        assert job.webhook is not None
        yield Matter(
            title=f"The webhook of the job “{job.name}” is switched off",
            says=f"Message after message did not arrive. {job.webhook.off_because}",
            since=job.webhook.off_at,
            link=reverse("transfers:job_webhook", args=[job.pk]),
            way_on="Set it anew",
            is_urgent=False,
        )


def _credentials(user: User) -> Iterator[Matter]:
    found = list(broken_credentials.broken_for(user)[:MOST])
    in_reach = broken_credentials.in_reach(user, found)
    for account in found:
        can_mend = account.pk in in_reach
        page = broken_credentials.page_of(account, can_mend=can_mend)
        matter = Matter(
            title=f"The secret of the service account “{account.name}” does not work",
            says="Globus refuses it, so its jobs do not get on.",
            since=account.broken_told_at,
            link=page,
            way_on="Enter a new secret" if can_mend else "Look at it",
        )
        if secret := in_reach.get(account.pk):
            fields = (("do", "test"), ("secret", str(secret)))
            matter = replace(
                matter, fix=page, fix_words="Test it again", fix_fields=fields
            )
        yield matter


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
    for transfer in mine.waiting()[:MOST]:
        yield _blocked(transfer) if transfer.is_blocked else _waiting(transfer)
    for transfer in mine.stalled(now)[:MOST]:
        yield _stalled(transfer, now)
    for transfer in unmended(mine, now)[:MOST]:
        yield replace(
            _matter(transfer, "failed", "Send it again", is_urgent=False),
            link=reverse("transfers:again", args=[transfer.pk]),
        )


def _waiting(transfer: Transfer) -> Matter:
    is_consent = transfer.requirement.kind == Kind.CONSENT
    return replace(
        _matter(transfer, "waits for you", "See what to do"),
        fix=reverse("transfers:way_on", args=[transfer.pk]),
        fix_words="Give consent" if is_consent else "Sign in",
    )


def _blocked(transfer: Transfer) -> Matter:
    return replace(
        _matter(transfer, "stands behind another one", "See which"),
        fix=reverse("transfers:resume", args=[transfer.pk]),
        fix_words="Wait for it",
    )


def _stalled(transfer: Transfer, now: datetime) -> Matter:
    """With the button that mends it, where there is one."""
    stall = stalls.stall_of(transfer, now)
    is_paused = transfer.is_paused
    matter = _matter(
        transfer, "is paused" if is_paused else "does not get on", "Look into it"
    )
    if stall is None:
        return matter
    detail = f" {stall.detail}" if stall.detail else ""
    matter = replace(matter, says=f"{stall.says}{detail}", since=stall.since)
    if stall.remedy == stalls.Remedy.SIGN_IN:
        fix = reverse("transfers:way_on", args=[transfer.pk])
        return replace(matter, fix=fix, fix_words=stall.button)
    if stall.remedy not in (stalls.Remedy.LEAVE_OUT, stalls.Remedy.EDIT):
        return matter
    leave_out = stall.remedy == stalls.Remedy.LEAVE_OUT
    link = changed_again_url(transfer.pk, leave_out=leave_out)
    return replace(matter, link=link, way_on=stall.button)


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


def _failed_runs(user: User) -> Iterator[Matter]:
    """Jobs whose latest run failed; a later run that works mends it."""
    rows = unwell_runs(user).defer("inputs", "result").select_related("job")
    found = list(rows[:MOST])
    may_run = jobs_open_to(user, Action.RUN).filter(
        pk__in={run.job_id for run in found}
    )
    runnable = set(may_run.values_list("pk", flat=True))
    for run in found:
        has_failed = run.state == Run.State.FAILED
        what = "failed" if has_failed else "is stalled"
        matter = Matter(
            title=f"The job “{run.job.name}” {what}",
            says=run.says or run.last_error,
            since=run.finished_at or run.created_at,
            link=reverse("transfers:run", args=[run.pk]),
            way_on="See why",
        )
        if has_failed and run.job_id in runnable:
            matter = replace(
                matter,
                fix=reverse("transfers:run_again", args=[run.pk]),
                fix_words="Run it again",
                fix_fields=(("do", Run.Lineage.SAME.value),),
            )
        yield matter
