"""Where a connection to somebody else's server may go, decided on the address itself.

A name is looked up once, what it means is judged, and the connection goes to that
address and to no other: a name that answers differently the next time changes nothing
(security.md W05). The certificate is still checked against the name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from globus_sdk import config

from portal import env

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: addresses of one name that are tried; each may take the whole connect timeout
MOST_TRIES = 2
#: IPv6 addresses that a gateway turns into the IPv4 address at their end (RFC 6052)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenAddress(OSError):
    """A name stands for an address that nothing of the portal may speak to."""


def deployment_is_local() -> bool:
    """Whether Globus itself runs on this machine, as the sandbox does."""
    host = urlsplit(config.get_service_url("transfer")).hostname
    return env.is_loopback(host or "")


def may_be_reached(address: str, *, local: bool = False) -> bool:
    """Whether it is an address of the open network.

    :param local: this machine is fine as well
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    meant = list(_meanings(found))
    if all(each.is_loopback for each in meant):
        return local
    return all(each.is_global and not each.is_multicast for each in meant)


def _meanings(address: IPAddress) -> Iterator[IPAddress]:
    """The address, or the IPv4 addresses that packets to it end up at."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address.sixtofour:
        yield from (address, address.sixtofour)
    elif address.teredo:
        yield from (address, *address.teredo)
    elif address in _NAT64:
        yield from (address, ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    else:
        yield address


def connected(
    host: str, port: int, timeout_seconds: float, *, local: bool
) -> socket.socket:
    """A connection to an address of ``host`` that may be reached.

    :raises ForbiddenAddress: one of its addresses must not be reached; a name that
        mixes both kinds is not trusted with either
    :raises OSError: there is no such name, or nobody answers
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    places = list(dict.fromkeys((each[0], each[4]) for each in found))
    if not all(may_be_reached(str(place[0]), local=local) for _, place in places):
        raise ForbiddenAddress(host)
    failure = OSError(f"{host} has no address")
    for family, place in places[:MOST_TRIES]:
        trying = socket.socket(family, socket.SOCK_STREAM)
        try:
            trying.settimeout(timeout_seconds)
            trying.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            trying.connect(place)
        except OSError as err:
            trying.close()
            failure = err
        else:
            return trying
    raise failure
