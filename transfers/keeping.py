"""Packs of bytes that are kept for one person for a few minutes, in Redis.

Redis may be wiped at any moment, or be away: then there is nothing here, and whoever
asks makes the pack anew. A pack is for one person in one session, and its key says so:
nobody else can name it. What changes a folder forgets it, and every key made before
names nothing any more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, Protocol
from uuid import UUID

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

#: how long a pack is good for, in seconds
KEPT_SECONDS = 300
#: marks outlive every pack that was made before them
_MARK_SECONDS = 2 * KEPT_SECONDS
#: the mark of a whole collection, among those of its folders
_EVERYWHERE = "*"


class Gone(Exception):
    """The pack is not kept any more, or Redis does not answer."""


class Pack(Protocol):
    """Named bytes that belong together."""

    def get(self, *names: str) -> list[bytes]: ...

    def slices(self, name: str, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """:param spans: ``(first byte, byte after the last)``"""
        ...

    def add(self, name: str, value: bytes) -> None: ...

    def has(self, name: str) -> bool: ...


class FreshPack:
    """A pack that was just made; it stays in this process, for one request."""

    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self.parts = dict(parts)

    def get(self, *names: str) -> list[bytes]:
        return [self.parts[name] for name in names]

    def slices(self, name: str, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        whole = self.parts[name]
        return [whole[start:end] for start, end in spans]

    def add(self, name: str, value: bytes) -> None:
        self.parts[name] = value

    def has(self, name: str) -> bool:
        return name in self.parts


@dataclass(frozen=True)
class KeptPack:
    """A pack in Redis; only what is asked for comes over the wire."""

    key: str

    def get(self, *names: str) -> list[bytes]:
        return _whole(_ask(lambda client: client.mget([self._of(n) for n in names])))

    def slices(self, name: str, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        def ask(client: redis.Redis) -> Any:
            with client.pipeline(transaction=False) as pipe:
                pipe.exists(self._of(name))
                for start, end in spans:
                    pipe.getrange(self._of(name), start, end - 1)
                return pipe.execute()

        is_there, *found = _ask(ask)
        return _whole(found if is_there else [None])

    def add(self, name: str, value: bytes) -> None:
        """A part that was worked out later; it goes with the others."""

        def ask(client: redis.Redis) -> None:
            left = max(1, client.ttl(self._of("about")))
            client.set(self._of(name), value, ex=left)

        _try(ask)

    def has(self, name: str) -> bool:
        return bool(_try(lambda client: client.exists(self._of(name))))

    def _of(self, name: str) -> str:
        return f"{self.key}:{name}"


def keep(key: str, parts: Mapping[str, bytes]) -> None:
    """Keeps a pack; that Redis does not answer costs the next request, no more."""

    def ask(client: redis.Redis) -> None:
        with client.pipeline() as pipe:
            for name, value in parts.items():
                pipe.set(f"{key}:{name}", value, ex=KEPT_SECONDS)
            pipe.execute()

    _try(ask)


def key_of(
    user_id: UUID, session_key: str, collection_id: UUID, path: str, *facts: str
) -> str:
    """The name of the pack about a folder, for this person in this session."""
    marks = _try(
        lambda client: client.hmget(
            _marks_of(user_id, collection_id), [_EVERYWHERE, _digest(path)]
        )
    )
    parts = [user_id.hex, session_key, collection_id.hex, path, *facts]
    return "files:" + _digest(*parts, *(str(mark) for mark in marks or ()))


def forget(user_id: UUID, collection_id: UUID, path: str | None = None) -> None:
    """What is kept of a folder names nothing any more, in all of the person's sessions.

    :param path: nothing for all folders of the collection
    """
    field = _EVERYWHERE if path is None else _digest(path)
    name = _marks_of(user_id, collection_id)

    def ask(client: redis.Redis) -> None:
        with client.pipeline() as pipe:
            pipe.hincrby(name, field, 1)
            pipe.expire(name, _MARK_SECONDS)
            pipe.execute()

    _try(ask)


def _marks_of(user_id: UUID, collection_id: UUID) -> str:
    return f"files:marks:{_digest(user_id.hex, collection_id.hex)}"


def _digest(*parts: str) -> str:
    """Parts that differ make digests that differ, wherever one part ends."""
    lengths = ",".join(str(len(part)) for part in parts)
    text = "\0".join([lengths, *parts]).encode("utf-8", "surrogatepass")
    key = settings.SECRET_KEY.encode()[:64]
    return blake2b(text, digest_size=20, key=key).hexdigest()


def _whole(found: list[bytes | None]) -> list[bytes]:
    if any(part is None for part in found):
        raise Gone
    return [part for part in found if part is not None]


def _ask(call: Any) -> Any:
    """:raises Gone: Redis does not answer"""
    try:
        return call(_client())
    except redis.RedisError as err:
        logger.warning("Redis keeps no listings: %s", type(err).__name__)
        raise Gone from err


def _try(call: Any) -> Any:
    try:
        return _ask(call)
    except Gone:
        return None


@cache
def _client() -> redis.Redis:
    """One pool per process; it begins anew after a fork by itself."""
    return redis.Redis.from_url(
        settings.LISTINGS_REDIS_URL,
        socket_connect_timeout=1,
        socket_timeout=2,
        retry=None,
    )
