"""Addresses: what may be connected to when audio is fetched for a tenant.

Lives here: which addresses are on the public internet, which ports, and asking the resolver. Does not: connecting
(fetch_connections.py), or the form of a URL (domain/intake/sources.py).

The resolved address is judged, not the name: a name may resolve to anything, and resolvers read `2130706433` or
`0x7f.1` as addresses. `ipaddress.is_global` alone calls NAT64, 6to4 and others global, which lead to any IPv4 address.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpcore

from aila_pipeline.domain.intake.sources import WebUrl
from aila_pipeline.errors import SourceNotAllowed

PUBLIC_PORTS = frozenset({80, 443})

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to addresses as text; OSError if there are none."""

# IANA's registries of special addresses (RFC 6890 and later), whether or not Python's `is_global` knows them.
_REFUSED_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared; a metadata service of Alibaba's
            "127.0.0.0/8",
            "168.63.129.16/32",  # public by number, but Azure's hosts answer there for their own machines
            "169.254.0.0/16",  # link-local; the metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)

# Only what is handed out as global unicast; leaves out mapped and compatible addresses, NAT64, SRv6, unique local (with
# Amazon's metadata), link-local, site-local and multicast.
_GLOBAL_6 = IPv6Network("2000::/3")
_REFUSED_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks, AMT, AS112
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # the former 6bone
            "3fff::/20",  # documentation
        ),
    )
)


def resolved(host: str, port: int) -> list[str]:
    """The system's answer; OSError if there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is an address of the public internet that leads nowhere else.

    A NAT64 prefix of an operator's own looks like any other address; such networks need a firewall.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _REFUSED_4)
    return (
        address.is_global
        and address.scope_id is None
        and address in _GLOBAL_6
        and not any(address in network for network in _REFUSED_6)
    )


class Addresses:
    """The policy. `allow` are `host:port` pairs, as URLs have them, whose port and addresses are not asked about."""

    def __init__(
        self, allow: Iterable[str] = (), *, resolve: Resolver = resolved, ports: Iterable[int] = PUBLIC_PORTS
    ) -> None:
        self._allow = frozenset(place.strip().lower() for place in allow)
        self._resolve, self._ports = resolve, frozenset(ports)

    def check(self, url: WebUrl) -> None:
        """SourceNotAllowed if the URL's text alone rules it out; asks no resolver."""
        if url.place in self._allow:
            return
        if url.port not in self._ports:
            raise SourceNotAllowed("its port is not open")
        literal = _parsed(url.host)
        if literal is not None and not is_public(literal):
            raise SourceNotAllowed("its address is not on the public internet")

    def of(self, url: WebUrl) -> list[str]:
        """The addresses that may be connected to for this URL, as numbers.

        SourceNotAllowed if the port, or any of the name's addresses, is refused: a name with one address inside and
        one outside is up to no good. `httpcore.ConnectError` if there is no address.
        """
        self.check(url)
        try:
            found = self._resolve(url.host, url.port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name has no address") from error
        if not found:
            raise httpcore.ConnectError("the name has no address")
        if url.place in self._allow:
            return list(found)
        addresses = [_parsed(text) for text in found]
        if not all(address is not None and is_public(address) for address in addresses):
            raise SourceNotAllowed("its host is not on the public internet")
        return [str(address) for address in addresses]


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except (AddressValueError, ValueError):
        return None
