"""Webhooks: one signed message to one receiver, as Standard Webhooks has it (standardwebhooks.com).

Lives here: signing, sending, and what a receiver's answer means. Does not: what is told (delivery_content.py), when and
how often (the outbox). docs/webhooks.md is for those who receive them.

A receiver's URL is a tenant's, so it is judged as one that audio is fetched from: the address that was checked is the
one connected to, and nothing inside the network is, unless AILA_FETCH_ALLOW lists it. Redirects are not followed: the
signature would go to whoever is pointed at. Nothing of the environment takes part: no proxies, no credentials.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property

import httpcore
from standardwebhooks import Webhook

from aila_pipeline.adapters.fetch import agent
from aila_pipeline.adapters.fetch_addresses import Addresses
from aila_pipeline.adapters.fetch_answers import REDIRECTS, Answer, retry_after
from aila_pipeline.adapters.fetch_connections import CheckedBackend, Patience
from aila_pipeline.domain.intake.sources import WebUrl, web_url
from aila_pipeline.errors import CallError, DeliveryError, DeliveryFailed, DeliveryRefused, SourceNotAllowed
from aila_pipeline.settings import Settings

CONNECT_SECONDS = 5.0
_DRAINED_SECONDS, _DRAINED_BYTES = 1.0, 4096
"""So much of an answer's body is taken, and thrown away: a connection cut in its midst looks like a fault."""


class Webhooks:
    """Sends to receivers; any number of threads may use it. Times are in seconds."""

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        seconds: float = 15.0,
        addresses: Addresses | None = None,
        tls: ssl.SSLContext | None = None,
        network: httpcore.NetworkBackend | None = None,
    ) -> None:
        """`allow` are `host:port` pairs that may lie inside and may be told without TLS; `seconds` is for one message.

        `addresses` replaces the policy that follows from `allow`, `tls` the public certificate authorities, `network`
        the system's sockets.
        """
        self._allow = frozenset(place.strip().lower() for place in allow)
        self._addresses = addresses or Addresses(self._allow)
        self._seconds, self._given_tls, self._network = seconds, tls, network or httpcore.SyncBackend()

    @classmethod
    def from_settings(cls, settings: Settings) -> Webhooks:
        """As AILA_FETCH_ALLOW and AILA_DELIVERY_SECONDS say."""
        return cls(settings.fetch_allow, seconds=settings.delivery_seconds)

    def check(self, url: str) -> WebUrl:
        """The URL in its strict form; DeliveryRefused if its text alone rules it out. Asks nobody."""
        found = web_url(url)
        if found is None:
            raise DeliveryRefused("its URL is no https URL")
        if found.scheme != "https" and found.place not in self._allow:
            raise DeliveryRefused("its URL begins with http://, and what is told would be read on the way")
        with _translated():
            self._addresses.check(found)
        return found

    def resolve(self, url: str) -> None:
        """DeliveryRefused if its name leads inside; DeliveryFailed if it has no address at the moment."""
        place = self.check(url)
        with _translated():
            self._addresses.of(place)

    def send(self, url: str, secret: str, message_id: str, body: str, *, now: datetime) -> None:
        """Tell the receiver. `secret` is its `whsec_…`; the same message has the same id each time it is sent.

        Raises DeliveryRefused if it will never be taken (an address inside, HTTP 410), else DeliveryFailed: a receiver
        that answers 404 or 401 today may have been mended by tomorrow.
        """
        place, data = self.check(url), body.encode()
        headers = {
            "Host": place.host_header,
            "User-Agent": agent(),
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            "Connection": "close",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, now.astimezone(UTC), body),
        }
        sent = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        with _translated():
            answer = self._answer(place, sent, data)
        error = _meaning(answer)
        if error is not None:
            raise error

    def _answer(self, place: WebUrl, headers: list[tuple[bytes, bytes]], data: bytes) -> Answer:
        """Status and headers of what the receiver answers, over a connection of its own."""
        patience = Patience(time.monotonic() + self._seconds)
        patience.grant(self._seconds)
        origin = httpcore.Origin(place.scheme.encode(), place.host.encode(), place.port)
        target = httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target)
        request = httpcore.Request(
            "POST",
            target,
            headers=headers,
            content=data,
            extensions={"timeout": {"connect": min(CONNECT_SECONDS, self._seconds)}},
        )
        backend = CheckedBackend(place, self._addresses, patience, self._network)
        secure = self._tls if place.scheme == "https" else None
        with httpcore.HTTPConnection(origin, ssl_context=secure, network_backend=backend) as connection:
            response = connection.handle_request(request)
            try:
                answer = Answer.of(response)
                _drain(response, patience)
                return answer
            finally:
                response.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: reading all authorities takes 20 ms and more."""
        return self._given_tls or httpcore.default_ssl_context()


def _drain(response: httpcore.Response, patience: Patience) -> None:
    patience.grant(_DRAINED_SECONDS)
    taken = 0
    # The status is known by now; whatever happens to the body changes nothing.
    with suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, CallError):
        for block in response.iter_stream():
            taken += len(block)
            if taken > _DRAINED_BYTES:
                return


def _meaning(answer: Answer) -> DeliveryError | None:
    """What came of the message, None if it has arrived."""
    status = answer.status
    if 200 <= status < 300:
        return None
    if status == 410:
        return DeliveryRefused("HTTP 410: the receiver says that it is gone for good", status=status)
    told = f"HTTP {status}" + (": redirects are not followed" if status in REDIRECTS else "")
    return DeliveryFailed(told, status=status, retry_after_seconds=retry_after(answer.headers.get("retry-after")))


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our errors for those of httpcore and of the fetcher's parts; none of them may quote the URL."""
    try:
        yield
    except SourceNotAllowed as refusal:
        raise DeliveryRefused(refusal.detail) from refusal
    except CallError as error:
        raise DeliveryFailed("the receiver was too slow") from error
    except httpcore.ConnectError as error:
        cut_off = isinstance(error.__cause__, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if isinstance(error.__cause__, ssl.SSLError) and not cut_off:
            code = getattr(error.__cause__, "verify_code", None)
            told = f"its TLS certificate is not trusted (OpenSSL {code})" if code else "TLS with its host failed"
            raise DeliveryFailed(told) from error
        raise DeliveryFailed("there is no connection to its host") from error
    except httpcore.TimeoutException as error:
        raise DeliveryFailed("the receiver was too slow") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise DeliveryFailed("the connection broke") from error
