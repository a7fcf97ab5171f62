"""Seals what the portal keeps for people, and opens it where it belongs only.

AES-256-GCM-SIV (RFC 8452) with a random nonce. The associated data names the table,
column, row and owner, so ciphertext that was moved, planted or changed does not open.

Layout: version (1 byte), key id (4), nonce (12), ciphertext with its tag.
"""

import base64
import binascii
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from django.conf import settings

from accounts.secret import Secret
from portal import counters
from portal.env import BadSetting

logger = logging.getLogger(__name__)

VERSION = b"\x01"
KEY_ID_BYTES = 4
NONCE_BYTES = 12
KEY_BYTES = 32
HEADER_BYTES = len(VERSION) + KEY_ID_BYTES
TAG_BYTES = 16


class CannotOpen(Exception):
    """Sealed data that is damaged, moved, or sealed with a key we do not have.

    Never retried: a person has to look.
    """


@dataclass(frozen=True)
class Binding:
    """Where sealed data belongs; it opens nowhere else.

    :ivar row: the row's UUID, made before the first save
    :ivar owner: the id of the user or service account, with its kind
    :ivar purpose: the resource server of a token, the label of a secret's slot
    """

    table: str
    column: str
    row: str
    owner: str
    purpose: str = ""

    def encoded(self) -> bytes:
        """Every part with its length in front, so that no two bindings are alike."""
        encoded = b""
        for part in (self.table, self.column, self.row, self.owner, self.purpose):
            text = part.encode()
            encoded += len(text).to_bytes(4, "big") + text
        return encoded


class KeyRing:
    """The keys of this process. The first one seals, every one of them opens."""

    def __init__(self, keys: dict[bytes, bytes]) -> None:
        self.primary_id = next(iter(keys))
        self.key_ids = tuple(keys)
        #: what everything begins with that the first key sealed
        self.header = VERSION + self.primary_id
        self._ciphers = {key_id: AESGCMSIV(key) for key_id, key in keys.items()}

    def seal(self, text: str, binding: Binding) -> bytes:
        header = self.header
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._ciphers[self.primary_id]
        sealed = cipher.encrypt(nonce, text.encode(), header + binding.encoded())
        return header + nonce + sealed

    def open(self, sealed_data: bytes | memoryview, binding: Binding) -> Secret:
        data = bytes(sealed_data)
        if len(data) < HEADER_BYTES + NONCE_BYTES + TAG_BYTES:
            raise CannotOpen("The sealed data is too short.")
        header, rest = data[:HEADER_BYTES], data[HEADER_BYTES:]
        cipher = self._ciphers.get(header[len(VERSION) :])
        if header[: len(VERSION)] != VERSION or cipher is None:
            raise CannotOpen("The sealed data names a version or key we do not have.")
        nonce, sealed = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
        try:
            opened = cipher.decrypt(nonce, sealed, header + binding.encoded())
            return Secret(opened.decode())
        except (InvalidTag, UnicodeDecodeError):
            # Without its cause: the exception's notes and frames stay out of reports.
            raise CannotOpen("The sealed data does not open here.") from None

    def is_current(self, sealed_data: bytes | memoryview) -> bool:
        """Whether the first key sealed it."""
        return bytes(sealed_data[:HEADER_BYTES]) == self.header


def seal(text: str, binding: Binding) -> bytes:
    return key_ring().seal(text, binding)


def open_sealed(data: bytes | memoryview, binding: Binding) -> Secret:
    """:raises CannotOpen: whatever is wrong with ``data``; never a wrong text"""
    try:
        return key_ring().open(data, binding)
    except CannotOpen:
        counters.count("causeway_decrypt_failures_total", table=binding.table)
        logger.error("Sealed data of %s %s does not open", binding.table, binding.row)
        raise


#: what tells one state of the file from the next; nothing when it is not there
Stamp = tuple[int, int, int] | None

_lock = threading.Lock()
_known: dict[Path, tuple[Stamp, KeyRing]] = {}


def key_ring() -> KeyRing:
    """The ring as the file has it now; looking whether it changed costs 2 µs.

    A process starts with a usable file or not at all. Once it runs, a file that became
    unusable (half written, unmounted) changes nothing but the log: going on with the
    keys at hand loses nothing, and stopping every process at once would.

    :raises BadSetting: there is no usable file, and there has not been one
    """
    path: Path = settings.VAULT_KEYS_FILE
    stamp = _stamp(path)
    known = _known.get(path)
    if known is not None and known[0] == stamp:
        return known[1]
    with _lock:
        return _look_again(path, stamp)


def _look_again(path: Path, stamp: Stamp) -> KeyRing:
    known = _known.get(path)
    if known is not None and known[0] == stamp:
        return known[1]  # another thread was quicker
    try:
        ring = read_ring(path)
    except BadSetting as err:
        if known is None:
            raise
        logger.error(
            "The changed vault key file is not usable; this process goes on with the "
            "keys it has. %s",
            err,
        )
        ring = known[1]
    _known[path] = (stamp, ring)
    return ring


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_ring(path: Path) -> KeyRing:
    """:raises BadSetting: what is wrong with the file, never what stands in it"""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as err:
        raise BadSetting(
            "PORTAL_VAULT_KEYS_FILE names a file that cannot be read: "
            f"{getattr(err, 'strerror', 'it is not text')}."
        ) from err
    return KeyRing(parse_keys(text))


def parse_keys(text: str) -> dict[bytes, bytes]:
    """Reads lines of ``<8 hex digits>:<base64 of 32 bytes>``; the first is primary.

    :raises BadSetting: with the number of the line, never with what stands in it
    """
    keys: dict[bytes, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key_id, key = _parse_line(line, number)
        if key_id in keys or key in keys.values():
            raise BadSetting(
                f"PORTAL_VAULT_KEYS_FILE, line {number}: a key or id twice."
            )
        keys[key_id] = key
    if not keys:
        raise BadSetting("PORTAL_VAULT_KEYS_FILE names a file that holds no key.")
    return keys


def _parse_line(line: str, number: int) -> tuple[bytes, bytes]:
    where = f"PORTAL_VAULT_KEYS_FILE, line {number}"
    name, _, encoded = line.partition(":")
    try:
        key_id = bytes.fromhex(name)
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        # Without its cause, which quotes the line.
        raise BadSetting(f"{where}: it must read <8 hex digits>:<base64>.") from None
    if len(key_id) != KEY_ID_BYTES:
        raise BadSetting(f"{where}: a key id has 8 hex digits.")
    if len(key) != KEY_BYTES:
        raise BadSetting(f"{where}: a key has 32 bytes, this one has {len(key)}.")
    if len(set(key)) < 8:
        raise BadSetting(f"{where}: this key is not random.")
    return key_id, key
