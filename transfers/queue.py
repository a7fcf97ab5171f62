"""Sends worker functions on their way, once the rows they are about are committed.

The only module that the verbs know of the queue. It imports late: ``portal.celery``
starts Django, and Django loads the models and the admin that use the verbs.
"""

from uuid import UUID


def is_free() -> bool:
    """Whether this thread of a worker need not leave for the sake of a message."""
    from portal import celery

    return celery.is_free()


def send_transfer(transfer_id: UUID) -> None:
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.send_transfer, str(transfer_id))


def execute_run(run_id: UUID) -> None:
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.execute_run, str(run_id))


def execute_trial(trial_id: UUID) -> None:
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.execute_trial, str(trial_id))


def execute_runs(run_ids: list[UUID]) -> None:
    """Many, over one connection."""
    from portal.celery import send_all_after_commit
    from transfers import tasks

    send_all_after_commit(tasks.execute_run, [str(each) for each in run_ids])


def stop_run(run_id: UUID) -> None:
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.stop_run, str(run_id))


def poll_transfers(kind: str, principal_id: str) -> None:
    """:param kind: with the id, what ``Watch.key`` gives"""
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.poll_transfers, kind, principal_id)


def check_timers(user_id: UUID) -> None:
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.check_timers, str(user_id))


def fetch_details(transfer_id: UUID) -> None:
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.fetch_details, str(transfer_id))


def cancel_transfer(transfer_id: UUID) -> None:
    from portal.celery import send_after_commit
    from transfers import tasks

    send_after_commit(tasks.cancel_transfer, str(transfer_id))
