"""What the queue carries to the workers for the portal as a whole: house-keeping."""

from __future__ import annotations

import logging

from celery import shared_task
from django.core.management import call_command

from portal import limits, sessions

logger = logging.getLogger(__name__)

#: sign-ins that nobody came back from; none can be finished after half an hour
UNFINISHED_SIGN_IN_DAYS = 1


@shared_task(ignore_result=True)
def clean_up() -> None:
    """Takes away what sign-ins and sessions leave behind (security.md L30).

    Safe at any time and in any number. Beat sends it several times a day, so that one
    that was down at the hour makes up for it at the next.
    """
    call_command("clearsocial", age=UNFINISHED_SIGN_IN_DAYS)
    call_command("clearsessions")
    ended = sessions.delete_ended()
    unused = limits.delete_unused()
    logger.info("Cleaned up: %d ended sessions, %d counters", ended, unused)
