"""Starts Django, or ends the process with a sentence that names the setting."""

import os
import sys

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
    """Ends the process with a sentence when what it needs does not answer."""
    from portal.health import PROBES_AT_START

    for probe in PROBES_AT_START:
        problem = probe.problem()
        if problem:
            sys.exit(f"Causeway cannot start: {problem}")
