"""Fetch: audio from http and https URLs, without being led to where no tenant may look.

Lives here: asking, following redirects, resuming, giving up. Does not: which addresses are allowed
(fetch_addresses.py), the connections (fetch_connections.py), what answers mean (fetch_answers.py).

Nothing of the environment takes part: no proxies, cookies, credentials or compression. Each redirect is judged like the
first URL. Only what passes is tried again: 408, 425, 429, 5xx, broken connections, and connections that never came.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.metadata import version

import httpcore

from aila_pipeline.adapters.fetch_addresses import Addresses
from aila_pipeline.adapters.fetch_answers import REDIRECTS, Answer, PassingError, Progress, redirected
from aila_pipeline.adapters.fetch_connections import CheckedBackend, HostSlots, Patience
from aila_pipeline.domain.intake.sources import WebUrl, web_url
from aila_pipeline.errors import CallError, DownloadTimeout, SourceNotAllowed, SourceUnavailable
from aila_pipeline.settings import Settings

MAX_REDIRECTS = 5
LONGEST_PAUSES_SECONDS = 60.0
"""Pauses between the tries of one download, together; what asks for more is tried again by the retry schedule."""

PROBES_PER_HOST = 16
"""A submission of a hundred URLs has all of them on one host, and a few seconds."""

_PROBED = "bytes=0-15"


class Fetcher:
    """Downloads of one process. Times are in seconds; any number of threads may use it."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        connect_seconds: float = 10.0,
        block_seconds: float = 30.0,
        slowest_bytes_per_second: float = 4096.0,
        longest_seconds: float = 3600.0,
        tries: int = 4,
        per_host: int = 4,
        tls: ssl.SSLContext | None = None,
        network: httpcore.NetworkBackend | None = None,
        pause_seconds: float = 0.5,
        pace_seconds: float = 60.0,
    ) -> None:
        """`block_seconds` is the patience for the answer and for each block, `pace_seconds` what the pace is judged by.

        `pause_seconds` is the first pause between two tries; `tls` replaces the public certificate authorities, and
        `network` the system's sockets, which are handed addresses as numbers.
        """
        self._addresses = addresses
        self._connect_seconds, self._block_seconds = connect_seconds, block_seconds
        self._slowest, self._pace_seconds = slowest_bytes_per_second, pace_seconds
        self._longest_seconds, self._tries, self._pause_seconds = longest_seconds, tries, pause_seconds
        self._slots, self._probe_slots = HostSlots(per_host), HostSlots(PROBES_PER_HOST)
        self._given_tls, self._network = tls, network or httpcore.SyncBackend()

    @classmethod
    def from_settings(cls, settings: Settings) -> Fetcher:
        """As AILA_FETCH_* say."""
        return cls(
            Addresses(settings.fetch_allow),
            connect_seconds=settings.fetch_connect_seconds,
            block_seconds=settings.fetch_first_byte_seconds,
            slowest_bytes_per_second=settings.fetch_slowest_bytes_per_second,
            longest_seconds=settings.fetch_longest_minutes * 60,
            tries=settings.fetch_tries,
            per_host=settings.fetch_per_host,
        )

    def check(self, url: str) -> None:
        """SourceNotAllowed if the text of the URL alone rules it out; nobody is asked."""
        self._checked(url)

    def blocks(
        self, url: str, *, max_bytes: int, stopped: threading.Event | None = None
    ) -> Generator[bytes, None, None]:
        """The file's bytes, each once and in order, over as many connections as it takes and may take.

        Raises SourceNotAllowed, SourceForbidden, SourceNotFound, AudioTooLarge, SourceUnavailable or DownloadTimeout.
        `stopped` ends it from another thread, within about a second, as SourceUnavailable.
        """
        place, progress = self._checked(url), Progress(max_bytes)
        patience = Patience(time.monotonic() + self._longest_seconds, stopped or threading.Event())
        rested = 0.0
        for tried in range(self._tries):
            try:
                yield from self._once(place, progress, patience)
                return
            except PassingError as passing:
                pause = passing.after_seconds
                if pause is None:
                    pause = self._pause_seconds * 2**tried * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load only
                rested += pause
                last = tried + 1 == self._tries
                if last or not progress.resumable or rested > LONGEST_PAUSES_SECONDS:
                    raise passing.error from passing
            patience.rest(pause)

    def probe(self, url: str, *, seconds: float, stopped: threading.Event | None = None) -> CallError | None:
        """What makes a download certain to fail: the policy, or a 401, 403, 404 or 410; None for everything else.

        One GET of the first bytes (signed URLs often refuse HEAD), within `seconds`.
        """
        patience = Patience(time.monotonic() + seconds, stopped or threading.Event())
        try:
            with self._answered(self._checked(url), {"Range": _PROBED}, patience, self._probe_slots) as (answer, _):
                return answer.refusal
        except SourceNotAllowed as refusal:
            return refusal
        except (CallError, PassingError):
            return None

    def _checked(self, url: str) -> WebUrl:
        found = web_url(url)
        if found is None:
            raise SourceNotAllowed("it is no http or https URL")
        self._addresses.check(found)
        return found

    def _once(self, url: WebUrl, progress: Progress, patience: Patience) -> Iterator[bytes]:
        """What one connection brings of the bytes that were not handed out yet."""
        with self._answered(url, progress.headers(), patience, self._slots) as (answer, response):
            known = progress.begin(answer)
            for block in self._body(response, patience):
                fresh, known = block[known:], max(0, known - len(block))
                if fresh:
                    progress.take(len(fresh))
                    yield fresh
            progress.finish(known)

    def _body(self, response: httpcore.Response, patience: Patience) -> Iterator[bytes]:
        """The body's blocks as they come; DownloadTimeout if they come too slowly."""
        blocks = response.iter_stream()
        waited, size = 0.0, 0
        while True:
            patience.grant(self._block_seconds)
            patience.left()
            began = time.monotonic()
            with _translated():
                block = next(blocks, None)
            if block is None:
                return
            # Only the waiting counts, not what the reader does with a block.
            waited, size = waited + time.monotonic() - began, size + len(block)
            if waited >= self._pace_seconds:
                if size / waited < self._slowest:
                    raise DownloadTimeout("its host sends too slowly")
                waited, size = 0.0, 0
            yield block

    @contextmanager
    def _answered(
        self, url: WebUrl, headers: Mapping[str, str], patience: Patience, slots: HostSlots
    ) -> Iterator[tuple[Answer, httpcore.Response]]:
        """The first answer that is no redirect, with its body open; each hop is judged before it is connected to."""
        for _ in range(MAX_REDIRECTS + 1):
            self._addresses.check(url)
            with slots.held(url.host, patience), self._asked(url, headers, patience) as response:
                answer = Answer.of(response)
                if answer.status not in REDIRECTS:
                    yield answer, response
                    return
                url = redirected(url, answer)
        raise SourceUnavailable(f"more than {MAX_REDIRECTS} redirects")

    @contextmanager
    def _asked(self, url: WebUrl, headers: Mapping[str, str], patience: Patience) -> Iterator[httpcore.Response]:
        """One request over a connection of its own."""
        # For connection and answer together; the backend keeps to `connect_seconds` for the former.
        patience.grant(self._connect_seconds + self._block_seconds)
        secure = self._tls if url.scheme == "https" else None
        origin = httpcore.Origin(url.scheme.encode(), url.host.encode(), url.port)
        target = httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)
        backend = CheckedBackend(url, self._addresses, patience, self._network)
        with httpcore.HTTPConnection(origin, ssl_context=secure, network_backend=backend) as connection:
            request = httpcore.Request(
                "GET",
                target,
                headers=_sent(url, headers),
                extensions={"timeout": {"connect": min(self._connect_seconds, patience.left())}},
            )
            with _translated():
                response = connection.handle_request(request)
            try:
                yield response
            finally:
                response.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: reading all authorities takes 20 ms and more."""
        return self._given_tls or httpcore.default_ssl_context()


@cache
def agent() -> str:
    """Who asks; the version is read from the installed files once."""
    return f"aila-pipeline/{version('aila-pipeline')}"


def _sent(url: WebUrl, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """All headers of a request; nothing else is sent."""
    all_of_them = {
        "Host": url.host_header,
        "User-Agent": agent(),
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in all_of_them.items()]


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our exceptions for those of httpcore, which may quote the host's name."""
    try:
        yield
    except httpcore.ConnectError as error:
        cut_off = isinstance(error.__cause__, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if isinstance(error.__cause__, ssl.SSLError) and not cut_off:
            code = getattr(error.__cause__, "verify_code", None)
            told = f"its TLS certificate is not trusted (OpenSSL {code})" if code else "TLS with its host failed"
            raise SourceUnavailable(told) from error
        raise PassingError(SourceUnavailable("there is no connection to its host")) from error
    except httpcore.ConnectTimeout as error:
        raise PassingError(DownloadTimeout("its host took no connection")) from error
    except httpcore.TimeoutException as error:
        raise DownloadTimeout("its host fell silent") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise PassingError(SourceUnavailable("the connection broke")) from error
