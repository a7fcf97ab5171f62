"""What every table has, and what is kept by name."""

from typing import Any

from django.db import models


def id_field(**options: Any) -> "models.CharField[str, str]":
    """A UUID as text, which is how every client sends and compares it."""
    return models.CharField(max_length=64, **options)


class Setting(models.Model):
    """A value that outlives a restart: the clock, the knobs."""

    name = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()

    def __str__(self) -> str:
        return self.name
