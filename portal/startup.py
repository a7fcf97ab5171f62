"""Starts Django, or ends the process with a sentence that names the setting."""

import os
import sys
from urllib.parse import urlsplit

import django
from django.core.exceptions import ImproperlyConfigured


def django_or_exit() -> None:
    """``django.setup()``; exit status 1 and no traceback for a bad setting."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    try:
        django.setup()
    except ImproperlyConfigured as err:
        sys.exit(f"Causeway cannot start: {err}")


def services_or_exit() -> None:
    """Ends the process when PostgreSQL, Redis or Globus Auth is out of reach."""
    from portal.health import PROBES

    for probe in PROBES:
        problem = probe.problem()
        if problem and probe.needed_to_start:
            sys.exit(f"Causeway cannot start: {problem}")


def shown_url(url: str) -> str:
    """A URL for a message: without the user's name and password."""
    parts = urlsplit(url)
    host = parts.hostname or parts.path
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
