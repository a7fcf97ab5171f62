"""``manage.py rotate_vault``: the vault's key is replaced while the site runs."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit, rotation, vault

NOT_ALL_OPEN = 1
FILE_UNUSABLE = 2
ROWS_HELD = 3
SECONDS_BETWEEN_LINES = 1.0


class Command(BaseCommand):
    help = (
        "Seals all tokens and secrets anew with the first key of the vault key file. "
        "May be stopped and started again at any time. Exit status: 0 all done; "
        "1 some rows do not open; 2 the key file cannot be used or changed; "
        "3 some rows stayed locked, run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-key",
            action="store_true",
            help="first put a new key in front of the others in the key file",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only say how many rows need which key",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._count()
            return
        if options["new_key"]:
            self._add_key()
        started = time.monotonic()
        progress = self._reseal()
        seconds = time.monotonic() - started
        self.stdout.write(f"{progress.sealed} rows sealed anew in {seconds:.1f} s.")
        audit.record(
            "vault:key:rotate",
            outcome=_outcome(progress),
            key=vault.key_ring().primary_id.hex(),
            rows=progress.sealed,
            damaged=len(progress.damaged),
            left=max(0, progress.left),
        )
        self._finish(progress)

    def _add_key(self) -> None:
        try:
            key_id = rotation.add_primary_key(settings.VAULT_KEYS_FILE)
        except OSError as err:
            raise CommandError(
                f"The key file cannot be replaced from here ({err.strerror}). Put a "
                "new first line into it as docs/security.md says, and run this again.",
                returncode=FILE_UNUSABLE,
            ) from err
        self.stdout.write(f"Key {key_id} is new and seals from now on.")

    def _reseal(self) -> rotation.Progress:
        progress = rotation.Progress()
        said_at = time.monotonic()
        for progress in rotation.reseal_all():
            if time.monotonic() - said_at >= SECONDS_BETWEEN_LINES:
                said_at = time.monotonic()
                self.stdout.write(
                    f"{progress.sealed} sealed anew, {progress.left} left"
                )
        return progress

    def _finish(self, progress: rotation.Progress) -> None:
        if progress.damaged:
            for row in sorted(progress.damaged):
                self.stderr.write(f"Does not open: {row}")
            raise CommandError(
                "These rows were left as they are. Is a key missing in the file?",
                returncode=NOT_ALL_OPEN,
            )
        if progress.left > 0:
            raise CommandError(
                f"{progress.left} rows stayed locked; run this again.",
                returncode=ROWS_HELD,
            )
        ring = vault.key_ring()
        old = [key_id.hex() for key_id in ring.key_ids if key_id != ring.primary_id]
        if old:
            self.stdout.write(
                f"No row needs {', '.join(old)} any more. Their lines can leave the "
                "file; keep them elsewhere as long as a backup may need them."
            )

    def _count(self) -> None:
        ring = vault.key_ring()
        counts = rotation.rows_by_key()
        for key_id in ring.key_ids:
            role = "seals" if key_id == ring.primary_id else "only opens"
            self.stdout.write(f"{key_id.hex()} ({role}): {counts.pop(key_id.hex(), 0)}")
        for name, count in counts.items():
            self.stdout.write(f"{name} (missing in the key file): {count}")
        self.stdout.write(f"{rotation.stale_rows(ring)} rows would be sealed anew.")


def _outcome(progress: rotation.Progress) -> audit.Outcome:
    if progress.damaged or progress.left > 0:
        return audit.Outcome.FAILED
    return audit.Outcome.OK
