"""The last step of a sign-in; ``settings.SOCIAL_AUTH_PIPELINE`` names it."""

from typing import Any

from django.db import transaction

from accounts import notices
from accounts.models import User
from transfers import submission


def send_on(user: User, **kwargs: Any) -> None:
    """What waited for a consent or a sign-in of this person goes on by itself."""
    # In the order in which a worker writes that something waits, and tells of it.
    submission.resume_all(user)
    notices.settle(user)
    # Workers have the new tokens once these are stored, and may wait until then.
    transaction.on_commit(lambda: submission.resume_all(user))
