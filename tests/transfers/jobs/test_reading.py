"""What a walk keeps of an answer while it reads it."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

from transfers.browsing import UnreadListing
from transfers.jobs import reading
from transfers.jobs.reading import Reader
from transfers.jobs.tree_rules import Rules

ROWS = [
    {"name": f"file-{number}", "type": "file", "size": number, "user": "".join("me")}
    for number in range(100)
]


class Answered:
    """What the SDK gives; says whether somebody else could read one meanwhile."""

    def __init__(self):
        self.is_alone = False

    @property
    def data(self):
        self.is_alone = reading._turn.locked()
        return {"path": "/run/", "DATA": [*ROWS], "total": 250}


def test_one_answer_at_a_time_is_read_in_a_process(monkeypatch):
    answered = Answered()
    unread = UnreadListing(uuid4(), "/run/", answered)
    monkeypatch.setattr(reading, "unread_listing", lambda *args, **kwargs: unread)
    rules = Rules.of({"recursive": True})
    found = Reader(SimpleNamespace(), None, uuid4(), rules).first("/run/", 0)
    assert answered.is_alone
    assert not reading._turn.locked()
    assert (found.received, found.total, found.entries) == (100, 250, 100)
    assert found.bytes == sum(range(100))
    assert len({id(row.user) for row in found.rows}) == 1


def test_what_was_read_of_an_answer_is_let_go():
    answered = Answered()
    data = answered.data
    unread = UnreadListing(uuid4(), "/run/", SimpleNamespace(data=data))
    received, total, entries = unread.one_by_one()
    assert (received, total) == (100, 250)
    for _ in range(60):
        next(entries)
    assert len(data["DATA"]) == 40
    assert next(entries).path == "/run/file-60"
