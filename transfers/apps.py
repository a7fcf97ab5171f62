from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class TransfersConfig(AppConfig):
    """What is done: collections, files, transfers, jobs."""

    name = "transfers"

    def ready(self) -> None:
        user_logged_in.connect(_send_on, dispatch_uid="transfers.send_on")


def _send_on(user: Any, **kwargs: Any) -> None:
    """Whoever comes back from Globus finds what waited for that under way again."""
    from transfers import submission

    submission.resume_all(user)
