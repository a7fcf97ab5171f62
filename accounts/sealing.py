"""Chains the audit's entries by hash, so that a gap or a change shows (A05).

Whoever writes an entry does not wait for the chain: a trigger notes the entry as
unsealed, and the tick has the notes worked off, by one worker at a time. The digest of
the last link goes to the log: whoever can rewrite the whole chain in the database
cannot rewrite that line where the logs are kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import AuditEvent, AuditSeal, AuditUnsealed

logger = logging.getLogger(__name__)

BATCH = 1000
#: names the lock that one sealing worker holds; any number that nobody else uses
LOCK = 0x0A0D17
#: how long an entry may go without a seal: a tick, an outage of the workers
GRACE = timedelta(minutes=10)
FIRST = ""


def canonical(event: AuditEvent) -> bytes:
    """What a seal covers: every column, in one spelling."""
    content = {
        "id": event.pk,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": event.kind,
        "outcome": event.outcome,
        "actor_id": _text(event.actor_id),
        "actor_name": event.actor_name,
        "owner_key": event.owner_key,
        "owner_name": event.owner_name,
        "credential_id": _text(event.credential_id),
        "address": _text(event.address),
        "request_id": event.request_id,
        "detail": event.detail,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def digest_of(event: AuditEvent, number: int, before: str) -> str:
    head = f"{before}\n{number}\n".encode()
    return hashlib.sha256(head + canonical(event)).hexdigest()


def seal_new(limit: int = BATCH) -> int:
    """Seals entries that have none yet; nothing while another worker is at it.

    :returns: how many
    """
    if not AuditUnsealed.objects.exists():
        return 0
    with transaction.atomic():
        if not _alone():
            return 0
        entry = AuditEvent.objects.filter(pk=OuterRef("event_id"))
        waiting = AuditUnsealed.objects.filter(Exists(entry)).order_by("event_id")
        ids = list(waiting.values_list("event_id", flat=True)[:limit])
        if not ids:
            return 0
        last = AuditSeal.objects.order_by("-number").first()
        number, digest = (last.number, last.digest) if last else (0, FIRST)
        seals = []
        for event in AuditEvent.objects.filter(pk__in=ids).order_by("pk"):
            number += 1
            digest = digest_of(event, number, digest)
            seals.append(AuditSeal(number=number, event_id=event.pk, digest=digest))
        AuditSeal.objects.bulk_create(seals)
        AuditUnsealed.objects.filter(pk__in=ids).delete()
    logger.info("The audit is sealed up to %s", anchor(seals[-1]))
    return len(seals)


def _alone() -> bool:
    """Whether no other transaction is sealing; if so, none will until ours ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def anchor(seal: AuditSeal) -> str:
    """A link in a line, to be kept elsewhere and given to ``verify_audit`` later."""
    return f"{seal.number}:{seal.digest}"


@dataclass
class Verification:
    """:ivar sealed: how many links there are; :ivar unsealed: entries still in grace"""

    sealed: int = 0
    unsealed: int = 0
    head: str = ""


def problems(result: Verification, *, expected: str = "") -> Iterator[str]:
    """Walks the chain from its beginning; a sentence for each thing that is wrong.

    :param result: is filled in on the way
    :param expected: an ``anchor`` of an earlier time
    """
    if expected:
        yield from _anchor_problems(expected)
    before, number = FIRST, 0
    for seals in _seal_batches():
        events = AuditEvent.objects.in_bulk([seal.event_id for seal in seals])
        for seal in seals:
            if seal.number != number + 1:
                yield f"Seals {number + 1} to {seal.number - 1} are missing."
            event = events.get(seal.event_id)
            if event is None:
                yield f"Entry {seal.event_id} is gone; seal {seal.number} covers it."
            elif digest_of(event, seal.number, before) != seal.digest:
                yield _mismatch(seal, gap=seal.number != number + 1)
            number, before = seal.number, seal.digest
            result.sealed += 1
            result.head = anchor(seal)
    yield from _unsealed_problems(result)


def _mismatch(seal: AuditSeal, *, gap: bool) -> str:
    if gap:
        return f"Seal {seal.number} cannot be checked, for the one before is missing."
    return f"Entry {seal.event_id} or seal {seal.number} was changed."


def _seal_batches() -> Iterator[list[AuditSeal]]:
    after = 0
    while batch := list(AuditSeal.objects.filter(number__gt=after)[:BATCH]):
        yield batch
        after = batch[-1].number


def _anchor_problems(expected: str) -> Iterator[str]:
    number, _, digest = expected.partition(":")
    seal = AuditSeal.objects.filter(number=int(number)).first()
    if seal is None:
        yield f"Seal {number} is missing; it was there when you wrote it down."
    elif seal.digest != digest:
        yield f"Seal {number} is not the one that you wrote down."


def _unsealed_problems(result: Verification) -> Iterator[str]:
    seal = AuditSeal.objects.filter(event_id=OuterRef("pk"))
    unsealed = AuditEvent.objects.filter(~Exists(seal)).order_by("pk")
    oldest = timezone.now() - GRACE
    for event in unsealed.iterator():
        if event.at < oldest:
            yield f"Entry {event.pk} has no seal, {GRACE} after it was written."
        else:
            result.unsealed += 1
    entry = AuditEvent.objects.filter(pk=OuterRef("event_id"))
    for note in AuditUnsealed.objects.filter(~Exists(entry)):
        yield f"Entry {note.event_id} is gone; it was written and never sealed."
