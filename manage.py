#!/usr/bin/env python
"""The portal's command line; ``sandbox`` runs under settings of its own."""

import os
import sys

SETTINGS = {"sandbox": "sandbox.settings"}


def main(argv: list[str]) -> None:
    command = argv[1] if len(argv) > 1 else ""
    if command == "demo":
        from portal import demo

        sys.exit(demo.main(argv[2:]))
    os.environ.setdefault(
        "DJANGO_SETTINGS_MODULE", SETTINGS.get(command, "portal.settings")
    )
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(argv)
    except ImproperlyConfigured as err:
        sys.exit(f"Causeway cannot start: {err}")
    except OperationalError:
        from portal.health import database_problem

        problem = database_problem()
        if not problem:
            raise
        sys.exit(f"Causeway cannot start: {problem}")


if __name__ == "__main__":
    main(sys.argv)
