"""``manage.py check_credentials``: whether each service account’s secret works."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Prefetch

from accounts import credential_check
from accounts.models import ServiceAccount, ServiceAccountSecret
from accounts.service_accounts import warnings_about

NOT_SET = "not-set"
SWITCHED_OFF = "switched-off"


class Command(BaseCommand):
    help = (
        "Asks Globus Auth with the secret of every service account; one line each. "
        "What Auth gives is not kept. Exit status: 0 all work, 1 one does not. "
        "Service accounts that are switched off are named and not tried."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="prints a list of objects instead"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for account in _accounts():
            found.append(_look_at(account))
            if not options["json"]:
                self.stdout.write(_line(found[-1]))
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))
        elif not found:
            self.stdout.write("There is no service account.")
        if any(each["ok"] is False for each in found):
            raise SystemExit(1)


def _accounts() -> list[ServiceAccount]:
    active = ServiceAccountSecret.objects.filter(
        state=ServiceAccountSecret.State.ACTIVE
    )
    active = active.select_related("service_account")
    rows = ServiceAccount.objects.order_by("name")
    return list(rows.prefetch_related(Prefetch("secrets", active, "active_secrets")))


def _look_at(account: ServiceAccount) -> dict[str, Any]:
    """:returns: plain values; ``ok`` is ``None`` for what was not tried"""
    about = {"name": account.name, "identity": account.identity_username}
    if not account.enabled:
        says = f"Switched off: {account.disabled_reason}"
        return about | {"ok": None, "result": SWITCHED_OFF, "says": says}
    row = next(iter(account.active_secrets), None)  # type: ignore[attr-defined] # of the prefetch
    if row is None:
        says = "No secret is set. Enter one in the administration."
        return about | {"ok": False, "result": NOT_SET, "says": says}
    finding = credential_check.check(row)
    return about | {
        "ok": finding.is_fine,
        "result": str(finding.verdict),
        "says": finding.says,
        "code": finding.detail,
        "secret": row.label,
        "warnings": warnings_about(row),
    }


def _line(found: dict[str, Any]) -> str:
    """As ``doctor`` writes them: the word first, then whom and what."""
    if found["ok"] is None:
        return f"skip  {found['name']}: {found['says']}"
    if not found["ok"]:
        return f"FAIL  {found['name']}: {found['says']}"
    return " ".join([f"ok    {found['name']}", *_in_brackets(found["warnings"])])


def _in_brackets(warnings: list[str]) -> list[str]:
    return [f"({warning})" for warning in warnings]
