"""Puts what was held back for a person into one mail, at the hour they chose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import outbox, telling
from accounts.models import OutboxMessage, Wishes

#: people whose digest one sweep makes
BATCH = 200
#: what one digest lists; the rest is in the next one
MOST_LISTED = 200


def put_due(now: datetime) -> int:
    """Makes the digests whose hour has come; two sweeps at once share the people.

    Each digest is put into the outbox in the transaction that takes what is in it, so
    that nothing is in two of them, or in none. How many people were looked at.
    """
    due = Wishes.objects.filter(next_digest_at__lte=now)
    if not due.exists():
        return 0  # nearly always; without a transaction
    with transaction.atomic():
        found = list(
            due.select_for_update(skip_locked=True, of=("self",))
            .select_related("user")
            .order_by("next_digest_at")[:BATCH]
        )
        held = _held([each.pk for each in found])
        for wishes in found:
            _put(wishes, held.get(wishes.pk, []), now)
    return len(found)


def _held(users: Sequence[UUID]) -> dict[UUID, list[OutboxMessage]]:
    rows = OutboxMessage.objects.filter(
        user__in=users, state=OutboxMessage.State.HELD
    ).order_by("created_at")
    found: dict[UUID, list[OutboxMessage]] = {}
    for row in rows.defer("payload").iterator():
        assert row.user_id is not None
        found.setdefault(row.user_id, []).append(row)
    return found


def _put(wishes: Wishes, held: list[OutboxMessage], now: datetime) -> None:
    listed = held[:MOST_LISTED]
    if listed:
        outbox.put([_digest(wishes, listed)], as_is=True)
        OutboxMessage.objects.filter(pk__in=[each.pk for each in listed]).update(
            state=OutboxMessage.State.IN_DIGEST, sent_at=now
        )
    is_wanted = wishes.mail == Wishes.Mail.DIGEST
    wishes.next_digest_at = wishes.digest_after(now) if is_wanted else None
    wishes.save(update_fields=["next_digest_at"])


def _digest(wishes: Wishes, held: Sequence[OutboxMessage]) -> OutboxMessage:
    assert wishes.next_digest_at is not None
    parts = [
        f"- {each.subject}\n  {telling.link_to(each.path or '/')}" for each in held
    ]
    count = f"{len(held)} thing{'' if len(held) == 1 else 's'}"
    return OutboxMessage(
        key=f"digest:{wishes.pk}:{wishes.next_digest_at.isoformat()}",
        user=wishes.user,
        subject=f"{count} from Causeway since the last digest",
        body=f"Hello {wishes.user},\n\n" + "\n\n".join(parts) + "\n",
        shown_at=outbox.nothing_to_show(),
    )
