"""Every due time becomes one row, in the transaction that moves its schedule on.

Any number of schedulers may be at it: each takes what the others have not locked
(``SKIP LOCKED``), and ``(job, scheduled_for)`` is unique. Whichever of them dies, the
row and the next due time are both there or both not. Messages go out after the
commit; what was committed and not sent, the sweep sends (``transfers.sweeping``).

The database's clock decides, since the clocks of several schedulers differ.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from accounts.models import ServiceAccount
from transfers.jobs.blackouts import end_of_blackout
from transfers.jobs.holds import Holds
from transfers.jobs.making import new_run
from transfers.jobs.models import Job, Run, Schedule
from transfers.jobs.policies import Policies
from transfers.jobs.schedules import BadSchedule, Rhythm, due_after, rhythm_of
from transfers.jobs.storing import store

logger = logging.getLogger(__name__)

#: schedules that one transaction takes
BATCH = 1000
#: due times of one schedule in one transaction; the rest follows in the next
MOST_DUE_TIMES = 500
#: transactions in a row, so that one tick ends
MOST_ROUNDS = 20

_S = Run.State


def fire_due(*, now: datetime | None = None) -> int:
    """Turns what is due into runs.

    :param now: for tests; the database's clock otherwise
    :returns: how many rows were made
    """
    made = 0
    for _ in range(MOST_ROUNDS):
        moment = _due_at(now)
        if moment is None:
            break
        found = _fire_batch(moment)
        if not found.schedules:
            break  # another scheduler has them
        made += found.rows
    return made


def _due_at(now: datetime | None) -> datetime | None:
    """The present moment if anything is due: one look into an index."""
    clock, given = ("statement_timestamp()", []) if now is None else ("%s", [now])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {clock} FROM transfers_schedule "  # noqa: S608 - one of two words
            f"WHERE next_run_at <= {clock} LIMIT 1",
            given * 2,
        )
        found = cursor.fetchone()
    return found[0] if found else None


@dataclass
class _Batch:
    schedules: int = 0
    rows: int = 0


def _fire_batch(now: datetime) -> _Batch:
    with transaction.atomic():
        schedules = list(
            Schedule.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(next_run_at__lte=now)
            .order_by("next_run_at")[:BATCH]
        )
        if not schedules:
            return _Batch()
        _attach_jobs(schedules)
        deciding = _Deciding.about({each.job for each in schedules}, now)
        runs: dict[tuple[UUID, datetime], Run] = {}
        for schedule in schedules:
            for run in _due_runs(schedule, now, deciding):
                assert run.scheduled_for is not None
                runs.setdefault((run.job_id, run.scheduled_for), run)
        stored = store([*runs.values()], now)
        _move_on(schedules)
    return _Batch(len(schedules), len(stored))


def _attach_jobs(schedules: list[Schedule]) -> None:
    """Each job and account once: a join makes an object of each for each schedule."""
    jobs = Job.objects.in_bulk({each.job_id for each in schedules})
    accounts = ServiceAccount.objects.in_bulk(
        {each.service_account_id for each in jobs.values()}
    )
    for job in jobs.values():
        job.service_account = accounts[job.service_account_id]
    for schedule in schedules:
        schedule.job = jobs[schedule.job_id]


def _due_runs(schedule: Schedule, now: datetime, deciding: _Deciding) -> list[Run]:
    """The rows for what was due; moves ``schedule.next_run_at`` to what follows."""
    try:
        return _decided(schedule, now, deciding)
    except BadSchedule as err:
        logger.error("Schedule %s cannot be read any more: %s", schedule.pk, err)
        schedule.says = f"It cannot be read any more. {err}"[:500]
    except Exception:
        # Whatever is wrong with one, the others of the batch must not wait for it.
        logger.exception("The due times of schedule %s cannot be computed", schedule.pk)
        schedule.says = (
            "Its due times cannot be computed, so it is not due any more. An operator "
            "should look at the logs; saving it anew starts it again."
        )
    schedule.next_run_at = None
    return []


def _decided(schedule: Schedule, now: datetime, deciding: _Deciding) -> list[Run]:
    assert schedule.next_run_at is not None
    rhythm = rhythm_of(schedule)
    found, following = _due_times(rhythm, schedule.next_run_at, now)
    schedule.next_run_at = following
    if following is None:
        schedule.says = "It has come to its end."
    has_more = following is not None and following <= now
    return deciding.runs_for(schedule, rhythm, found, has_more=has_more)


def _due_times(
    rhythm: Rhythm, first: datetime, now: datetime
) -> tuple[list[datetime], datetime | None]:
    """What is due from ``first`` on, and the due time after that."""
    found: list[datetime] = []
    for moment in itertools.chain([first], due_after(rhythm, first)):
        if moment > now or len(found) == MOST_DUE_TIMES:
            return found, moment
        found.append(moment)
    return found, None


@dataclass
class _Deciding:
    """What becomes of each due time: a run that waits, or a row that says why not."""

    now: datetime
    holds: Holds
    #: unfinished and, of those, waiting runs of each job
    unfinished: Counter[UUID] = field(default_factory=Counter)
    waiting: Counter[UUID] = field(default_factory=Counter)

    @classmethod
    def about(cls, jobs: set[Job], now: datetime) -> _Deciding:
        found = cls(now, Holds.in_force())
        careful = [
            job.pk for job in jobs if job.overlap_policy != Policies.Overlap.ALLOW
        ]
        rows = Run.objects.unfinished().filter(job__in=careful)
        for job_id, state in rows.values_list("job", "state"):
            found.unfinished[job_id] += 1
            found.waiting[job_id] += state == _S.WAITING
        return found

    def runs_for(
        self,
        schedule: Schedule,
        rhythm: Rhythm,
        due: list[datetime],
        *,
        has_more: bool,
    ) -> list[Run]:
        job = schedule.job
        missed = self._missed(job, due, has_more=has_more)
        return [self._run(schedule, rhythm, at, missed.get(at, "")) for at in due]

    def _missed(
        self, job: Job, due: list[datetime], *, has_more: bool
    ) -> dict[datetime, str]:
        """Why due times are not made up for, by the policy of the job."""
        grace = timedelta(minutes=job.missed_grace_minutes)
        late = [at for at in due if self.now - at > grace]
        if has_more:  # what runs is among the due times that follow
            return dict.fromkeys(due, "It was missed, and many others since.")
        policy = job.missed_policy
        if policy == Policies.Missed.SKIP:
            kept = 0
        elif policy == Policies.Missed.ONCE:
            kept = 1 if len(late) == len(due) else 0  # what is on time does for it
        else:
            kept = job.missed_most
        dropped = late[: len(late) - kept] if kept < len(late) else []
        return dict.fromkeys(dropped, _MISSED[Policies.Missed(policy)])

    def _run(
        self, schedule: Schedule, rhythm: Rhythm, at: datetime, missed: str
    ) -> Run:
        job = schedule.job
        why_not = missed or self._why_not(job)
        run = new_run(
            job,
            now=self.now,
            trigger=Run.Trigger.SCHEDULE,
            schedule=schedule,
            scheduled_for=at,
        )
        if why_not:
            _skip(run, why_not, self.now)
            return run
        self._explain(run, job, rhythm)
        self.unfinished[job.pk] += 1
        self.waiting[job.pk] += 1
        return run

    def _why_not(self, job: Job) -> str:
        if not job.enabled:
            return "The job is switched off."
        drained = self.holds.draining(job)
        if drained:
            return drained
        if job.overlap_policy == Policies.Overlap.SKIP and self.unfinished[job.pk]:
            return "An earlier run of the job had not ended, so it was skipped."
        if job.overlap_policy == Policies.Overlap.QUEUE and self.waiting[job.pk]:
            return "An earlier run of the job was waiting already, so it was skipped."
        return ""

    def _explain(self, run: Run, job: Job, rhythm: Rhythm) -> None:
        paused = self.holds.pausing(job)
        until = end_of_blackout(rhythm.blackouts, rhythm.zone, self.now)
        if until is not None:
            hold_back(run, rhythm, until)
        elif paused:
            run.waits_for, run.says = Run.WaitsFor.HOLD, paused
        elif job.overlap_policy == Policies.Overlap.QUEUE and self.unfinished[job.pk]:
            run.waits_for = Run.WaitsFor.OVERLAP
            run.says = "Waits for an earlier run of the job to end."


_MISSED = {
    Policies.Missed.SKIP: "It was missed, and missed ones are skipped.",
    Policies.Missed.ONCE: "It was missed; one run makes up for all of them.",
    Policies.Missed.ALL: "It was missed; of so many, only the newest are made up for.",
}


def hold_back(run: Run, rhythm: Rhythm, until: datetime) -> None:
    run.ready_at = until
    run.next_try_at = until
    run.waits_for = Run.WaitsFor.BLACKOUT
    local = until.astimezone(rhythm.zone)
    run.says = f"A blackout holds it back until {local:%Y-%m-%d %H:%M} ({rhythm.zone})."


def _skip(run: Run, why: str, now: datetime) -> None:
    run.state = _S.SKIPPED
    run.says = why[:500]
    run.finished_at = now
    run.next_try_at = None


def _move_on(schedules: list[Schedule]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE transfers_schedule AS row "
            "SET next_run_at = news.at, says = news.says "
            "FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[]) "
            "AS news(id, at, says) WHERE row.id = news.id",
            [
                [each.pk for each in schedules],
                [each.next_run_at for each in schedules],
                [each.says for each in schedules],
            ],
        )
