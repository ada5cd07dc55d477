"""Answers: what the API says, as typed values.

Lives here: reading its JSON. Does not: asking for it. Fields that are not known here stay in `document`, so that a
newer API loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, TypeVar

from aila_pipeline.errors import ApiUnavailable

Document = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class CallFailure:
    """Why a call failed; `retryable` tells whether trying it again can help."""

    code: str
    message: str
    retryable: bool

    @classmethod
    def of(cls, document: Document | None) -> Self | None:
        """None for a call that has not failed."""
        if not document:
            return None
        return cls(str(document["code"]), str(document.get("message", "")), bool(document.get("retryable", False)))


@dataclass(frozen=True)
class BatchCall:
    """One call as its batch lists it. `status` is one of contract B's: pending … completed, failed."""

    id: str
    external_id: str | None
    status: str
    error: CallFailure | None
    warnings: tuple[str, ...]
    processed_at: datetime | None
    document: Document = field(repr=False)

    @classmethod
    def of(cls, document: Document) -> Self:
        """From one item of `calls`."""
        return cls(
            id=str(document["aila_call_id"]),
            external_id=document.get("external_id"),
            status=str(document["status"]),
            error=CallFailure.of(document.get("error")),
            warnings=tuple(document.get("warnings") or ()),
            processed_at=moment(document.get("processed_at")),
            document=document,
        )


@dataclass(frozen=True)
class Batch:
    """A batch as it is now.

    `status` is submitted, processing, completed, partial or failed; the last three are `terminal`. `calls` holds the
    first of them, up to 1,000; `next_cursor` continues (`Client.batch_calls` does it by itself). `problem` says why the
    whole submission was refused.
    """

    id: str
    status: str
    terminal: bool
    total_calls: int
    processed: int
    failed: int
    pending: int
    eta_seconds: float | None
    submitted_at: datetime | None
    warnings: tuple[str, ...]
    problem: Document | None
    calls: tuple[BatchCall, ...] = field(repr=False)
    next_cursor: str | None
    document: Document = field(repr=False)

    @classmethod
    def of(cls, document: Document) -> Self:
        """From the data of a batch's status."""
        return cls(
            id=str(document["batch_id"]),
            status=str(document["status"]),
            terminal=bool(document["terminal"]),
            total_calls=int(document["total_calls"]),
            processed=int(document["processed"]),
            failed=int(document["failed"]),
            pending=int(document["pending"]),
            eta_seconds=document.get("eta_seconds"),
            submitted_at=moment(document.get("submitted_at")),
            warnings=tuple(document.get("warnings") or ()),
            problem=document.get("error"),
            calls=tuple(BatchCall.of(call) for call in document.get("calls") or ()),
            next_cursor=document.get("next_cursor"),
            document=document,
        )


@dataclass(frozen=True)
class Call:
    """One call. Transcript, insights, score and all else of the answer are in `document`."""

    id: str
    external_id: str | None
    partner_call_id: str | None
    batch_id: str | None
    status: str
    error: CallFailure | None
    warnings: tuple[str, ...]
    document: Document = field(repr=False)

    @classmethod
    def of(cls, document: Document) -> Self:
        """From a call's data, in a list or alone."""
        return cls(
            id=str(document["id"]),
            external_id=document.get("external_id"),
            partner_call_id=document.get("partner_call_id"),
            batch_id=document.get("batch_id"),
            status=str(document["status"]),
            error=CallFailure.of(document.get("error")),
            warnings=tuple(document.get("warnings") or ()),
            document=document,
        )


@dataclass(frozen=True)
class Retried:
    """What became of a wish to try failed calls again; those without data have to be sent anew."""

    batch_id: str
    status: str
    calls_retried: int
    calls_not_retriable: int
    document: Document = field(repr=False)

    @classmethod
    def of(cls, document: Document) -> Self:
        """From the data of a retry."""
        counts = int(document["calls_retried"]), int(document["calls_not_retriable"])
        return cls(str(document["batch_id"]), str(document["status"]), *counts, document)


@dataclass(frozen=True)
class Upload:
    """Contract A's step 1: where the files of one upload go, and the keys that step 3 names them by."""

    metadata_url: str = field(repr=False)
    audio_url: str = field(repr=False)
    metadata_key: str
    audio_key: str

    @classmethod
    def of(cls, document: Document) -> Self:
        """From the data of step 1."""
        urls = str(document["metadata_upload_url"]), str(document["audio_upload_url"])
        return cls(*urls, str(document["metadata_key"]), str(document["audio_key"]))


def read(reader: Callable[[Document], T], document: Document) -> T:
    """What `reader` makes of the answer; ApiUnavailable when it lacks what every answer of its kind has."""
    try:
        return reader(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ApiUnavailable(f"what answers is not this API ({type(error).__name__} in its answer)") from None


def moment(text: str | None) -> datetime | None:
    """A time of the API's, in UTC."""
    return datetime.fromisoformat(text) if text else None
