"""Connections: httpcore's own way to the network, by checked addresses only and with patience that ends.

Lives here: connecting to the very address that was judged, and waiting for bytes. Does not: judging addresses
(fetch_addresses.py), or what is asked and answered (fetch.py).

httpcore hands every connection to a `NetworkBackend` (its documented extension point) and verifies TLS against the
host's name itself, so that the name decides the certificate, and the policy the address.
"""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore

from aila_pipeline.adapters.fetch_addresses import Addresses
from aila_pipeline.domain.intake.sources import WebUrl
from aila_pipeline.errors import DownloadTimeout, SourceUnavailable

MAX_ADDRESSES = 4
"""Addresses of one name that are tried; a resolver may be made to name a thousand."""

_SLICE_SECONDS = 0.5
"""So soon a waiting download notices that nobody wants it any more."""


@dataclass
class Patience:
    """How long one download may go on, and until when its next bytes must come; moments of `time.monotonic`."""

    ends: float
    stopped: threading.Event = field(default_factory=threading.Event)
    _until: float = 0.0

    def __post_init__(self) -> None:
        self._until = self.ends

    def grant(self, seconds: float) -> None:
        """Wait at most so long for what comes next."""
        self._until = min(self.ends, time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds that are left, more than 0; DownloadTimeout if none are, SourceUnavailable if it was stopped."""
        if self.stopped.is_set():
            raise SourceUnavailable("the download was given up")
        now = time.monotonic()
        if now >= self.ends:
            raise DownloadTimeout("it was still not done when its time was over")
        if now >= self._until:
            raise DownloadTimeout("its host fell silent")
        return self._until - now

    def rest(self, seconds: float) -> None:
        """Sleep, unless time ends before or it is stopped meanwhile."""
        self.grant(math.inf)
        self.stopped.wait(min(seconds, self.left()))
        self.left()


class PatientStream(httpcore.NetworkStream):
    """A connection that waits in slices: a server that sends a byte a minute cannot renew anybody's patience."""

    def __init__(self, inner: httpcore.NetworkStream, patience: Patience) -> None:
        self._inner, self._patience = inner, patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the patience decides
        """What has come, at most `max_bytes`."""
        while True:
            try:
                return self._inner.read(max_bytes, min(self._patience.left(), _SLICE_SECONDS))
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the patience decides
        """Send all of it."""
        self._inner.write(buffer, self._patience.left())

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection under TLS."""
        secured = self._inner.start_tls(ssl_context, server_hostname, timeout)
        return PatientStream(secured, self._patience)

    def get_extra_info(self, info: str) -> Any:
        """See httpcore."""
        return self._inner.get_extra_info(info)


class CheckedBackend(httpcore.NetworkBackend):
    """Connects for one URL, to an address that the policy has just passed; there is no second resolution."""

    def __init__(self, url: WebUrl, addresses: Addresses, patience: Patience, network: httpcore.NetworkBackend) -> None:
        self._url, self._addresses, self._patience, self._network = url, addresses, patience, network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """The first of the name's addresses that answers, `timeout` seconds for all of them together."""
        if (host, port) != (self._url.host, self._url.port):
            raise httpcore.ConnectError("a connection for another URL")
        ends = time.monotonic() + (timeout or self._patience.left())
        found = self._addresses.of(self._url)[:MAX_ADDRESSES]
        failure: Exception = httpcore.ConnectTimeout()
        for tried, address in enumerate(found):
            share = (ends - time.monotonic()) / (len(found) - tried)
            if share <= 0:
                break
            try:
                stream = self._network.connect_tcp(
                    address, port, min(share, self._patience.left()), local_address, socket_options
                )
                return PatientStream(stream, self._patience)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class HostSlots:
    """At most so many connections to one host at a time, within this process."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def held(self, host: str, patience: Patience) -> Iterator[None]:
        """Hold a slot of the host; raises as `Patience.left` does while waiting for one."""
        patience.grant(math.inf)
        with self._changed:
            while self._taken[host] >= self._per_host:
                self._changed.wait(min(patience.left(), _SLICE_SECONDS))
            self._taken[host] += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken[host] -= 1
                self._taken += Counter()  # hosts without a connection are forgotten
                self._changed.notify_all()
