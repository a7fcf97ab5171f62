"""Sends what was asked for to Globus: once, whatever dies and whenever.

A transfer is a row before Globus hears of it. The row gets its submission id, and
that is committed, before the first POST; every repeat uses the same id, and Globus
answers a repeat with the task that it has already (``Duplicate``).
https://docs.globus.org/api/transfer/task_submit/#submission_id
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from globus_sdk import TransferClient

from accounts.models import Principal, User
from portal.globus.errors import (
    ConsentRequired,
    GlobusFailure,
    NotFound,
    PortalError,
    QueueFull,
    RateLimited,
    SameTaskRunning,
    SessionRequired,
    SignInRequired,
    UnexpectedAnswer,
    globus_errors,
)
from transfers import blocking, monitoring, needs, places, queue
from transfers.browsing import moment
from transfers.changing import place_of
from transfers.claims import CLAIM_LASTS, KEEP_TRYING, back_off, sweep_time
from transfers.consents import sentence_for, with_own_consent
from transfers.jobs.models import Run
from transfers.models import Transfer
from transfers.paths import is_within, normalised
from transfers.storable import storable_text

logger = logging.getLogger(__name__)

LONGEST_LABEL = 128


class BadRequest(PortalError):
    """What was asked for cannot be sent as it is.

    :ivar field: which part of it: source, destination, items, options or deadline
    """

    title = "This cannot be sent"
    status = 400

    def __init__(self, advice: str, *, field: str = "items") -> None:
        self.field = field
        super().__init__(advice)


@dataclass(frozen=True)
class Item:
    """One thing to copy.

    :ivar recursive: whether it is a folder; nothing said, Globus finds out
    :ivar external_checksum: of the source file, for Globus to compare with
    """

    source_path: str
    destination_path: str
    recursive: bool | None = None
    external_checksum: str = ""


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_moment(value: Any) -> bool:
    return _is_text(value) and moment(value) is not None


def _is_sync_level(value: Any) -> bool:
    return _is_number(value) and value in (0, 1, 2, 3)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_symlink_rule(value: Any) -> bool:
    return value in ("ignore", "keep", "copy")


def _are_filter_rules(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(rule, dict) and _is_text(rule.get("name")) for rule in value
    )


#: What a transfer may be asked with, by Globus's names, and what each value must be.
OPTIONS: dict[str, Callable[[Any], bool]] = {
    "sync_level": _is_sync_level,
    "verify_checksum": _is_flag,
    "preserve_timestamp": _is_flag,
    "encrypt_data": _is_flag,
    "skip_source_errors": _is_flag,
    "fail_on_quota_errors": _is_flag,
    "store_base_path_info": _is_flag,
    "notify_on_succeeded": _is_flag,
    "notify_on_failed": _is_flag,
    "notify_on_inactive": _is_flag,
    "recursive_symlinks": _is_symlink_rule,
    "filter_rules": _are_filter_rules,
    "deadline": _is_moment,
    "source_local_user": _is_text,
    "destination_local_user": _is_text,
}


def document_for(
    *,
    source_collection: UUID,
    destination_collection: UUID,
    items: Sequence[Item],
    label: str = "",
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A transfer document with what was asked for, and nothing that was not.

    Checksums are verified unless the options say otherwise (security.md R14); what is
    left out stays as Globus has it.

    :param options: see ``OPTIONS``
    :raises BadPath: a path cannot be used
    :raises BadRequest: nothing to copy, onto itself, or an option that makes no sense

    https://docs.globus.org/api/transfer/task_submit/#document_types
    """
    if not items:
        raise BadRequest("Choose at least one file or folder.")
    same = source_collection == destination_collection
    document: dict[str, Any] = {
        "DATA_TYPE": "transfer",
        "source_endpoint": str(source_collection),
        "destination_endpoint": str(destination_collection),
        "verify_checksum": True,
        "DATA": [_item(each, same_collection=same) for each in items],
    }
    document |= checked_options(options or {})
    _check_together(document, items)
    if tidy := tidy_label(label):
        document["label"] = tidy
    return document


def _check_together(document: Mapping[str, Any], items: Sequence[Item]) -> None:
    """:raises BadRequest: an option that contradicts the rest"""
    if all(item.recursive is False for item in items):
        for name in ("filter_rules", "recursive_symlinks"):
            if document.get(name):
                says = f"The option “{name}” is about folders; these are only files."
                raise BadRequest(says, field="options")
    deadline = moment(document.get("deadline"))
    if deadline is not None and deadline <= timezone.now():
        raise BadRequest("The deadline has passed already.", field="deadline")


def deletion_for(
    *, collection: UUID, paths: Iterable[str], label: str = "", recursive: bool = False
) -> dict[str, Any]:
    """A delete document.

    :param recursive: folders too, with all that is in them
    :raises BadPath: a path cannot be used
    :raises BadRequest: nothing to delete, or a whole collection
    """
    rows = [{"DATA_TYPE": "delete_item", "path": normalised(each)} for each in paths]
    if not rows:
        raise BadRequest("Choose at least one file or folder.")
    if any(row["path"] in ("/", "/~/") for row in rows):
        raise BadRequest("The top folder itself cannot be deleted here.")
    document: dict[str, Any] = {
        "DATA_TYPE": "delete",
        "endpoint": str(collection),
        "recursive": recursive,
        "DATA": rows,
    }
    if tidy := tidy_label(label):
        document["label"] = tidy
    return document


def deletion_of_listed(
    *, collection: UUID, folder: str, names: Sequence[str], recursive: bool
) -> dict[str, Any]:
    """A delete document for entries of a folder, by the names that a listing gave.

    They go to Globus unchanged, whatever is in them (security.md W03).

    :raises BadName: a name that would lead elsewhere
    :raises BadRequest: nothing to delete, or a name that cannot be kept here
    """
    if not names:
        raise BadRequest("Choose at least one file or folder.")
    folder = normalised(folder, folder=True)
    paths = [place_of(folder, name) for name in names]
    if any(storable_text(path) != path for path in paths):
        raise BadRequest(
            "One of these has a name that is not valid text. Rename it first; then it "
            "can be deleted."
        )
    return {
        "DATA_TYPE": "delete",
        "endpoint": str(collection),
        "recursive": recursive,
        "DATA": [{"DATA_TYPE": "delete_item", "path": path} for path in paths],
    }


def tidy_label(label: str) -> str:
    """One line without outer blanks, of the length that Globus takes."""
    return storable_text(" ".join(label.split()))[:LONGEST_LABEL].strip()


def _item(item: Item, *, same_collection: bool) -> dict[str, Any]:
    source = normalised(item.source_path)
    destination = normalised(item.destination_path)
    if same_collection:
        if source.rstrip("/") == destination.rstrip("/"):
            raise BadRequest(
                f"Source and destination are the same: {source}", field="destination"
            )
        if item.recursive is not False and is_within(destination, source):
            raise BadRequest(
                f"The destination lies inside the source {source}", field="destination"
            )
    row: dict[str, Any] = {
        "DATA_TYPE": "transfer_item",
        "source_path": source,
        "destination_path": destination,
    }
    if item.recursive is not None:
        row["recursive"] = item.recursive
    if item.external_checksum:
        row["external_checksum"] = item.external_checksum
    return row


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """:raises BadRequest: an option is not in ``OPTIONS``, or has no sensible value"""
    for name, value in options.items():
        fits = OPTIONS.get(name)
        if fits is None:
            raise BadRequest(f"There is no option “{name}”.", field="options")
        if not fits(value):
            raise BadRequest(
                f"The option “{name}” cannot have this value.", field="options"
            )
    return dict(options)


def ask(
    principal: Principal,
    document: Mapping[str, Any],
    *,
    asked_by: User | None,
    run: Run | None = None,
    source_name: str = "",
    destination_name: str = "",
    transfer_id: UUID | None = None,
    again_of: Transfer | None = None,
    cancel_if_stalled: bool = False,
) -> Transfer:
    """Stores what is to be sent; a worker sends it once that is committed.

    :param transfer_id: made with the form, so that a form that is sent twice is one
        transfer; sent again with other content, it is another

    With a run there is one transfer, however often this is called, and the worker that
    executes the run sends it.

    :param document: of ``document_for`` or ``deletion_for``
    :param again_of: what it repeats
    """
    with transaction.atomic():
        if run is not None:
            locked = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
            if locked.transfer is not None:
                run.transfer = locked.transfer
                return locked.transfer
        transfer = row_for(document)
        if transfer_id is not None:
            lock_key(transfer_id)
            earlier = Transfer.objects.filter(pk=transfer_id).first()
            if earlier is None:
                transfer.pk = transfer_id
            elif (
                earlier.principal == principal and earlier.document == transfer.document
            ):
                return earlier
        transfer.source_name = source_name[:255]
        transfer.destination_name = destination_name[:255]
        transfer.principal = principal
        transfer.asked_by = asked_by
        transfer.again_of = again_of
        transfer.cancel_if_stalled = cancel_if_stalled
        if run is not None:
            transfer.origin = Transfer.Origin.JOB
            transfer.next_try_at = None  # the run's own times count
        transfer.save(force_insert=True)
        if run is None:
            queue.send_transfer(transfer.pk)
        else:
            Run.objects.filter(pk=run.pk).update(transfer=transfer)
            run.transfer = transfer
    return transfer


def lock_key(key: UUID) -> None:
    """One at a time for this key, until the transaction ends."""
    number = int.from_bytes(key.bytes[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def row_for(document: Mapping[str, Any]) -> Transfer:
    """A row, not saved, that tells pages what a document asks for."""
    items = document["DATA"]
    row = Transfer(
        document={
            key: value for key, value in document.items() if key != "submission_id"
        },
        label=document.get("label", ""),
        items_count=len(items),
    )
    if document["DATA_TYPE"] == "delete":
        row.kind = Transfer.Kind.DELETE
        row.source_id = UUID(document["endpoint"])
        row.source_path = items[0]["path"]
    else:
        row.source_id = UUID(document["source_endpoint"])
        row.source_path = items[0]["source_path"]
        row.destination_id = UUID(document["destination_endpoint"])
        row.destination_path = items[0]["destination_path"]
    return row


def send(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Submits a transfer that is New, and writes down what came of it.

    Nothing is raised for what Globus says: the row then is Active, or Waiting for a
    person, or New with a time for the next try, or Failed, and says why. Calling
    again is safe at any moment, also while another worker is at it.

    :param transfer_client: acts for the principal of the transfer, never for another

    https://docs.globus.org/api/transfer/task_submit/#submit_transfer_task
    """
    if not _claim(transfer):
        return
    if _hold_back(transfer):
        return
    try:
        _submit(transfer_client, transfer)
    except SameTaskRunning as err:
        _note_blocked(transfer, err, blocking.find(transfer_client, transfer, err))
    except PortalError as err:
        _note(transfer, err)
    if transfer.task_id and transfer.cancel_asked_at:
        _cancel_late(transfer_client, transfer)


def _claim(transfer: Transfer) -> bool:
    now = timezone.now()
    rows = Transfer.objects.unsent().filter(pk=transfer.pk, claimed_at__isnull=True)
    won = rows.update(
        claimed_at=now,
        next_try_at=now + CLAIM_LASTS,
        attempts=F("attempts") + 1,
        trying_since=Coalesce("trying_since", now),
    )
    transfer.refresh_from_db()
    return won == 1


def _hold_back(transfer: Transfer) -> bool:
    """Keeps it here while it is known that Globus would not take it.

    Not what Globus may have already: it is asked for, to learn its task id.
    """
    if transfer.outcome_open:
        return False
    if blocking.must_wait(transfer):
        changes = blocking.hold()
    elif not places.is_turn_of(transfer):
        changes = places.hold(transfer)
    else:
        return False
    Transfer.objects.unsent().filter(pk=transfer.pk).update(claimed_at=None, **changes)
    transfer.refresh_from_db()
    return True


def _submit(transfer_client: TransferClient, transfer: Transfer) -> None:
    submission_id = reserved_submission_id(transfer_client, transfer)
    was_open = transfer.outcome_open
    _set_outcome_open(transfer, True)
    document = {**transfer.document, "submission_id": str(submission_id)}
    post = (
        transfer_client.submit_delete
        if transfer.kind == Transfer.Kind.DELETE
        else transfer_client.submit_transfer
    )

    def call() -> UUID:
        with globus_errors():
            return _uuid(post(dict(document)).data, "task_id")

    try:
        task_id = with_own_consent(transfer.principal, call)
    except PortalError as err:
        if not was_open and (isinstance(err, QueueFull) or not may_pass(err)):
            _set_outcome_open(transfer, False)  # a clear no
        raise
    _accepted(transfer, task_id)


def _set_outcome_open(transfer: Transfer, value: bool) -> None:
    if transfer.outcome_open != value:
        transfer.outcome_open = value
        transfer.save(update_fields=["outcome_open"])


def reserved_submission_id(transfer_client: TransferClient, transfer: Transfer) -> UUID:
    """The submission id of the row; the first one stored is the one for all.

    It is committed when this returns, so that a repeat after any crash is the same
    submission.
    """
    if transfer.submission_id is None:
        with globus_errors():
            value = _uuid(transfer_client.get_submission_id().data, "value")
        try:
            with transaction.atomic(durable=True):
                Transfer.objects.filter(
                    pk=transfer.pk, submission_id__isnull=True
                ).update(submission_id=value)
        except IntegrityError as err:  # another transfer has this one already
            raise UnexpectedAnswer(code="SubmissionId") from err
        transfer.refresh_from_db(fields=["submission_id"])
    assert transfer.submission_id is not None
    return transfer.submission_id


def _accepted(transfer: Transfer, task_id: UUID) -> None:
    """Also of a row that somebody gave up meanwhile: Globus has it, so we say so."""
    now = timezone.now()
    try:
        with transaction.atomic():
            # Should the monitor have taken it for one that was begun elsewhere.
            Transfer.objects.filter(
                task_id=task_id, origin=Transfer.Origin.ELSEWHERE
            ).delete()
            Transfer.objects.filter(pk=transfer.pk, task_id__isnull=True).update(
                task_id=task_id,
                status=Transfer.Status.ACTIVE,
                sent_at=now,
                moved_at=now,
                finished_at=None,
                claimed_at=None,
                next_try_at=None,
                outcome_open=False,
                **_NO_ERROR,
                **_NOT_HELD,
            )
            monitoring.watch(transfer.principal, now=now)
            places.let_in(transfer.principal, now=now)
    except IntegrityError as err:  # a task of another submission
        raise UnexpectedAnswer(code="TaskId") from err
    transfer.refresh_from_db()


_NO_ERROR: dict[str, Any] = {
    "waiting_reason": "",
    "required_collections": [],
    "session_parameters": {},
    "last_error": "",
    "error_code": "",
    "error_detail": "",
}
_NOT_HELD: dict[str, Any] = {
    "place_asked_at": None,
    "blocked_at": None,
    "blocked_by": None,
}


def _note(transfer: Transfer, err: PortalError) -> None:
    """Writes down why it was not sent, and what happens next."""
    now = timezone.now()
    says = needs.sentence(transfer.principal, err) or sentence_for(
        transfer.principal, err
    )
    changes: dict[str, Any] = {
        **_NO_ERROR,
        **_NOT_HELD,
        "claimed_at": None,
        "next_try_at": None,
        "last_error": says[:500],
        **_words_of(err),
    }
    if isinstance(err, QueueFull):
        changes |= places.hold(transfer)
    elif may_pass(err):
        if now - (transfer.trying_since or now) < KEEP_TRYING:
            pause = back_off(transfer.attempts, at_least=asked_pause(err))
            changes["next_try_at"] = now + pause
        else:
            changes |= _gave_up(transfer) | {"finished_at": now}
    elif transfer.user_id and isinstance(err, _NEEDS_A_PERSON):
        changes |= {"status": Transfer.Status.WAITING, "waiting_reason": says[:500]}
        changes |= _needs(err)
    else:
        changes |= {"status": Transfer.Status.FAILED, "finished_at": now}
    with transaction.atomic():
        rows = Transfer.objects.unsent().filter(pk=transfer.pk)
        if rows.update(**changes) and changes.get("status") == Transfer.Status.WAITING:
            needs.tell(transfer.principal, err, says=says)
    transfer.refresh_from_db()
    logger.warning(
        "Transfer %s was not sent: %s %s; now %s",
        transfer.pk,
        type(err).__name__,
        transfer.error_code,
        transfer.status,
    )


def _words_of(err: PortalError) -> dict[str, str]:
    return {
        "error_code": getattr(err, "code", "")[:200],
        "error_detail": storable_text(getattr(err, "detail", ""), longest=10_000),
    }


def _note_blocked(
    transfer: Transfer, err: SameTaskRunning, task_id: UUID | None
) -> None:
    """A person chooses what to do about it, once; a service account waits at once."""
    now = timezone.now()
    changes: dict[str, Any] = {
        **_NO_ERROR,
        **_NOT_HELD,
        **_words_of(err),
        "claimed_at": None,
        "blocked_at": transfer.blocked_at or now,
        "blocked_by": task_id,
    }
    if transfer.user_id and transfer.blocked_at is None:
        changes |= {
            "status": Transfer.Status.WAITING,
            "waiting_reason": blocking.SAYS,
            "next_try_at": None,
        }
    else:
        changes |= blocking.hold()
    Transfer.objects.unsent().filter(pk=transfer.pk).update(**changes)
    transfer.refresh_from_db()
    logger.warning("Transfer %s is blocked by task %s", transfer.pk, task_id)


_NEEDS_A_PERSON = (ConsentRequired, SessionRequired, SignInRequired)


def may_pass(err: PortalError) -> bool:
    """Whether the same request may work later.

    An answer that makes no sense says nothing about the outcome, so it is asked for
    again: with the same submission id that cannot do harm.
    """
    return isinstance(err, GlobusFailure) and (
        err.passing or isinstance(err, UnexpectedAnswer)
    )


def asked_pause(err: PortalError) -> int | None:
    """The seconds that Globus asked to wait; never more than an hour."""
    seconds = err.retry_after if isinstance(err, RateLimited) else None
    return min(seconds, 3600) if seconds else None


def _gave_up(transfer: Transfer) -> dict[str, Any]:
    says = "Globus could not be reached for a day, so the portal gave up."
    if transfer.outcome_open:
        says += " Look in the Globus web app whether it got there after all."
    return {"status": Transfer.Status.FAILED, "last_error": says}


def _needs(err: ConsentRequired | SessionRequired | SignInRequired) -> dict[str, Any]:
    """As ``Transfer.requirement`` reads it: checked, not as Globus said it."""
    assert err.requirement is not None
    wanted = err.requirement.as_json()
    return {
        "required_collections": wanted.pop("collections", []),
        "session_parameters": wanted,
    }


def resume(transfer: Transfer) -> bool:
    """Sends on what waited for a person, who has done what was asked.

    :returns: whether it waited at all
    """
    with transaction.atomic():
        resumed = (
            Transfer.objects.waiting()
            .filter(pk=transfer.pk)
            .update(
                status=Transfer.Status.NEW,
                next_try_at=sweep_time(),
                claimed_at=None,
                trying_since=None,
                **_NO_ERROR,
            )
        )
        if resumed:
            queue.send_transfer(transfer.pk)
    transfer.refresh_from_db()
    return resumed == 1


def resume_all(user: User) -> int:
    """Sends on all that waits for this person, e.g. after a sign-in.

    What still lacks something comes back to Waiting, with the reason it has then.
    """
    waiting = Transfer.objects.owned_by(user).waiting()
    return sum(map(resume, waiting.filter(blocked_at__isnull=True)))


def cancel_blocker(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Stops the task in the way of this one, which is sent when it has ended.

    :raises GlobusFailure: Globus did not take the wish
    :raises NotFound: it is not known which task that is
    """
    blocker = (
        Transfer.objects.acted_by(transfer.principal)
        .filter(task_id=transfer.blocked_by, task_id__isnull=False)
        .first()
    )
    if blocker is None:
        raise NotFound("It is not known which task is in the way.")
    cancel(transfer_client, blocker)
    resume(transfer)


def cancel(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Asks Globus to stop the task; what was not sent is not sent any more.

    The task is cancelled when the monitor hears so. While its outcome is open (the
    POST went out and no answer came back) it is sent once more, to learn the task id,
    and stopped then. Nothing happens to a finished transfer.

    :raises GlobusFailure: Globus did not take the wish

    https://docs.globus.org/api/transfer/task/#cancel_task_by_id
    """
    if _cancel_unsent(transfer) or transfer.is_finished:
        return
    if transfer.task_id:
        _cancel_task(transfer_client, transfer)
        return
    now = timezone.now()
    open_outcome = Transfer.objects.unsent() | Transfer.objects.waiting()
    open_outcome.filter(pk=transfer.pk).update(cancel_asked_at=now)
    transfer.refresh_from_db()


def cancel_wanted(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Keeps the promise of ``wishes.want_cancelled``, in a later try if need be."""
    if transfer.cancel_wanted_at is None:
        return
    says = ""
    try:
        cancel(transfer_client, transfer)
    except PortalError as err:
        logger.warning("Transfer %s was not cancelled: %s", transfer.pk, type(err))
        if may_pass(err):
            return
        says = "It could not be stopped. Cancel it again."
    Transfer.objects.filter(pk=transfer.pk).update(
        cancel_wanted_at=None, **({"last_error": says} if says else {})
    )
    transfer.refresh_from_db()


def _cancel_unsent(transfer: Transfer) -> bool:
    """Whether it is certain that Globus knows nothing of it, and never will."""
    now = timezone.now()
    rows = Transfer.objects.filter(
        pk=transfer.pk, claimed_at__isnull=True, outcome_open=False
    )
    cancelled = (rows.unsent() | rows.waiting()).update(
        status=Transfer.Status.FAILED,
        error_code="CANCELED",
        last_error="Cancelled before it was sent.",
        cancel_asked_at=now,
        finished_at=now,
        next_try_at=None,
    )
    transfer.refresh_from_db()
    return cancelled == 1


def _cancel_task(transfer_client: TransferClient, transfer: Transfer) -> None:
    assert transfer.task_id is not None
    with globus_errors():
        transfer_client.cancel_task(transfer.task_id)
    now = timezone.now()
    Transfer.objects.filter(pk=transfer.pk).update(cancel_asked_at=now)
    monitoring.watch(transfer.principal, now=now)
    transfer.refresh_from_db()


def _cancel_late(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Keeps the promise of a cancellation that came before the task id was known."""
    try:
        _cancel_task(transfer_client, transfer)
    except GlobusFailure as err:
        says = "It could not be stopped when it was sent. Cancel it again."
        Transfer.objects.filter(pk=transfer.pk).update(
            cancel_asked_at=None, last_error=says
        )
        transfer.refresh_from_db()
        logger.warning("Task %s was not cancelled: %s", transfer.task_id, err.code)


def _uuid(data: Any, key: str) -> UUID:
    try:
        return UUID(data[key])
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise UnexpectedAnswer(code=key) from err
