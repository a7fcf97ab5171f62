from django.apps import AppConfig


class TransfersConfig(AppConfig):
    """What is done: collections, files, transfers, jobs."""

    name = "transfers"
