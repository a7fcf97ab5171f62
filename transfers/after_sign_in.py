"""The last step of a sign-in; ``settings.SOCIAL_AUTH_PIPELINE`` names it."""

from typing import Any

from accounts import notices
from accounts.models import User
from transfers import submission


def send_on(user: User, **kwargs: Any) -> None:
    """What waited for a consent or a sign-in of this person goes on by itself."""
    notices.settle(user)
    submission.resume_all(user)
