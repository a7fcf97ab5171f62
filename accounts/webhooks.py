"""Posts a signed document to an address that somebody else chose (security.md W05).

The name is resolved once, every address that it has must be a public one, and the
connection goes to that address, so that a name cannot change its answer in between.
Redirects are not followed, nothing of the answer is read but its status.

The signature is ``X-Causeway-Signature: t=<unix time>,v1=<hex>``, where hex is the
HMAC-SHA256 of ``<unix time>.<body>`` with the key that was shown once.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
import time
from urllib.parse import SplitResult, urlsplit

import certifi
import urllib3
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts.models import User, Webhook
from accounts.secret import Secret
from portal.globus.errors import PortalError

TIMEOUT = urllib3.Timeout(connect=5, read=10)  # seconds
LONGEST_URL = 1000
GONE = 410
#: messages in a row, each tried for hours, that an address may miss
MOST_FAILURES = 3


class BadAddress(PortalError):
    """The address of a webhook cannot be used; ``advice`` says why."""

    title = "This address cannot be used"
    status = 400


class NotDelivered(Exception):
    """It did not arrive; the text says why, without anything of the answer.

    :ivar is_final: trying again makes no sense
    """

    def __init__(self, says: str, *, is_final: bool = False) -> None:
        self.is_final = is_final
        super().__init__(says)


def make(url: str, *, by: User | None) -> tuple[Webhook, Secret]:
    """A webhook, saved, and its key, to be shown once.

    :raises BadAddress: the address cannot be used
    """
    checked(url)
    key = Secret(secrets.token_urlsafe(32))
    webhook = Webhook(url=url, created_by=by)
    webhook.seal_key(key.reveal())
    webhook.save()
    return webhook, key


def note_outcome(webhook: Webhook, failure: str) -> None:
    """Counts what was given up in a row, and switches an address off that is dead.

    :param failure: why it was given up; empty: it arrived
    """
    rows = Webhook.objects.filter(pk=webhook.pk)
    if not failure:
        rows.exclude(failures=0).update(failures=0)
        return
    rows.update(failures=F("failures") + 1)
    rows.filter(failures__gte=MOST_FAILURES, off_at=None).update(
        off_at=timezone.now(), off_because=failure[:300]
    )


def switch_on(webhook: Webhook) -> None:
    """Somebody has looked at it."""
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=0, off_at=None, off_because=""
    )


def checked(url: str) -> SplitResult:
    """:raises BadAddress: a sentence for whoever wrote it"""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable():
        raise BadAddress("The address is too long or holds characters that it cannot.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as err:
        raise BadAddress("This is not an address.") from err
    allowed = {"https", "http"} if settings.WEBHOOKS_TO_PRIVATE else {"https"}
    if parts.scheme not in allowed or not host:
        raise BadAddress("The address of a webhook begins with https://.")
    if parts.username or parts.password or parts.fragment or " " in url:
        raise BadAddress("Leave out names, passwords and what comes after a “#”.")
    return parts


def deliver(url: str, body: bytes, *, key: Secret, delivery_id: str) -> None:
    """:raises NotDelivered: the receiver does not have it, as far as we know"""
    try:
        parts = checked(url)
        address = public_address(parts)
    except BadAddress as err:
        raise NotDelivered(err.advice, is_final=True) from err
    now = int(time.time())
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "Causeway",
        "X-Causeway-Delivery": delivery_id,
        "X-Causeway-Signature": f"t={now},v1={signature(key, now, body)}",
    }
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        with _pool(parts, address) as pool:
            answer = pool.urlopen(
                "POST",
                target,
                body=body,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            status = answer.status
            answer.close()
    except urllib3.exceptions.HTTPError as err:
        raise NotDelivered(f"It did not answer ({type(err).__name__}).") from err
    if not 200 <= status < 300:
        raise NotDelivered(f"It answered {status}.", is_final=status == GONE)


def signature(key: Secret, moment: int, body: bytes) -> str:
    text = f"{moment}.".encode() + body
    return hmac.new(key.reveal().encode(), text, hashlib.sha256).hexdigest()


def public_address(parts: SplitResult) -> str:
    """One of the addresses of the host, all of which have to be public.

    :raises BadAddress: one of them is not
    :raises NotDelivered: the name is not known right now
    """
    assert parts.hostname
    port = _port(parts)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as err:
        raise NotDelivered("Its name could not be resolved.") from err
    addresses = [str(each[4][0]) for each in found]
    if not settings.WEBHOOKS_TO_PRIVATE and not all(map(is_public, addresses)):
        raise BadAddress("The address leads into a private network.")
    return addresses[0]


def is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if inner is not None:
        found = inner
    return found.is_global and not found.is_multicast and not found.is_reserved


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _pool(parts: SplitResult, address: str) -> urllib3.HTTPConnectionPool:
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(address, _port(parts), timeout=TIMEOUT)
    return urllib3.HTTPSConnectionPool(
        address,
        _port(parts),
        timeout=TIMEOUT,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
    )
