"""Answers: what a web server's status and headers mean for a download.

Lives here: which answers are final, which are worth another try, where a body goes on, where a redirect leads. Does
not: any network (fetch.py).

No detail of an error quotes the URL or a header: both may hold names, numbers and signatures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

import httpcore

from aila_pipeline.domain.intake.sources import WebUrl, web_url
from aila_pipeline.errors import (
    AudioTooLarge,
    CallError,
    SourceForbidden,
    SourceNotAllowed,
    SourceNotFound,
    SourceUnavailable,
)

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FORBIDDEN = frozenset({401, 403})
_GONE = frozenset({404, 410})
_COME_BACK = frozenset({408, 425, 429})
_PASSING = frozenset({409, 416, 421, 423})
"""Client errors that another day may not bring; every other one will come again."""

_CHANGED = "the file changed while it was read"
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_SECONDS = re.compile(r"[0-9]{1,9}")


class PassingError(Exception):
    """A try that failed in a way that the next one may not; `error` is what to tell if there is no next one.

    `after_seconds`: how long the server asked to wait.
    """

    def __init__(self, error: CallError, after_seconds: float | None = None) -> None:
        super().__init__(error.code)
        self.error, self.after_seconds = error, after_seconds


@dataclass(frozen=True)
class Answer:
    """Status and headers; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]

    @classmethod
    def of(cls, response: httpcore.Response) -> Answer:
        """The part of a response that comes before its body."""
        # Latin-1 reads any bytes, and writes them back as they were.
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return cls(response.status, headers)

    @property
    def refusal(self) -> CallError | None:
        """What a definite no means: 401, 403, 404 and 410."""
        if self.status in _FORBIDDEN:
            return SourceForbidden(f"HTTP {self.status}")
        return SourceNotFound(f"HTTP {self.status}") if self.status in _GONE else None

    @property
    def validator(self) -> str | None:
        """What tells one state of the file from another, byte by byte: a strong ETag, else the time of its change."""
        tag = self.headers.get("etag", "")
        if len(tag) > 2 and tag.startswith('"') and tag.endswith('"'):
            return tag
        return self.headers.get("last-modified") or None

    @property
    def length(self) -> int | None:
        """How many bytes the body has, if it says so."""
        told = self.headers.get("content-length", "")
        return int(told) if re.fullmatch(r"[0-9]{1,18}", told) and "transfer-encoding" not in self.headers else None

    def check(self) -> None:
        """Raise what the answer means unless it brings the file or a part of it."""
        if self.status in {200, 203, 206}:
            if self.headers.get("content-encoding", "identity").strip().lower() not in {"identity", ""}:
                raise SourceUnavailable("its host compressed it, though asked not to")
            return
        refusal = self.refusal
        if refusal is not None:
            raise refusal
        told = f"HTTP {self.status}"
        if self.status in _COME_BACK or self.status >= 500:
            raise PassingError(SourceUnavailable(told), retry_after(self.headers.get("retry-after")))
        if 400 <= self.status < 500 and self.status not in _PASSING:
            raise SourceForbidden(told)
        raise SourceUnavailable(told)


@dataclass
class Progress:
    """How much of a file was handed out, and which state of the file that was."""

    max_bytes: int
    received: int = 0
    validator: str | None = None
    total: int | None = None

    @property
    def resumable(self) -> bool:
        """Whether another try can go on from here, or begin."""
        return self.received == 0 or self.validator is not None

    def headers(self) -> dict[str, str]:
        """What to ask for: the rest, if the file is still the same."""
        if not self.received or self.validator is None:
            return {}
        return {"Range": f"bytes={self.received}-", "If-Range": self.validator}

    def begin(self, answer: Answer) -> int:
        """How many bytes at the beginning of the answer's body were handed out already.

        Raises what the answer means if it does not bring what is wanted; SourceUnavailable if it brings another state
        of the file, AudioTooLarge if it announces more than the limit.
        """
        answer.check()
        if (
            self.received
            and answer.validator != self.validator
            and not (answer.status == 206 and answer.validator is None)
        ):
            raise SourceUnavailable(_CHANGED)
        start, total = 0, answer.length
        if answer.status == 206:
            start, total = self._part(answer)
        if self.received and self.total is not None and total is not None and total != self.total:
            raise SourceUnavailable(_CHANGED)
        if total is not None and total > self.max_bytes:
            raise AudioTooLarge(f"{total} bytes, the limit is {self.max_bytes}")
        if not self.received:
            self.validator, self.total = answer.validator, total
        return self.received - start

    def _part(self, answer: Answer) -> tuple[int, int | None]:
        """Where a 206 begins, and how long the whole file is."""
        told = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if not told or not self.received or int(told[1]) != self.received:
            raise SourceUnavailable("its host sent another part than was asked for")
        return self.received, None if told[3] == "*" else int(told[3])

    def finish(self, known: int) -> None:
        """A body has ended with `known` bytes still to be skipped. Servers may send less of the rest than asked for."""
        if known:
            raise SourceUnavailable(_CHANGED)
        if self.total is not None and self.received < self.total:
            raise PassingError(SourceUnavailable("the connection broke"))

    def take(self, size_bytes: int) -> None:
        """Count what is handed out; AudioTooLarge beyond the limit."""
        self.received += size_bytes
        if self.received > self.max_bytes:
            raise AudioTooLarge(f"more than {self.max_bytes} bytes")


def retry_after(told: str | None) -> float | None:
    """Seconds to wait, from a `Retry-After` of seconds or of a date; None for none."""
    if not told:
        return None
    if _SECONDS.fullmatch(told.strip()):
        return float(told)
    try:
        at = parsedate_to_datetime(told)
    except (TypeError, ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def redirected(url: WebUrl, answer: Answer) -> WebUrl:
    """Where a redirect leads; SourceUnavailable if nowhere, SourceNotAllowed if to something that is not fetched."""
    location = answer.headers.get("location", "")
    if not location:
        raise SourceUnavailable(f"HTTP {answer.status} without a place")
    try:
        place = location.encode("latin-1").decode("utf-8")
        # Before it is joined: `urljoin` drops line breaks and tabs, which the strict form refuses.
        target = web_url(urljoin(str(url), place)) if place.isprintable() else None
    except ValueError:
        target = None
    if target is None:
        raise SourceNotAllowed("it redirects to what is no http or https URL")
    if url.scheme == "https" and target.scheme == "http":
        raise SourceNotAllowed("it redirects from https to http")
    return target
