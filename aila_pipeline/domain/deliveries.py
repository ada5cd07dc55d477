"""Deliveries: what others are told of calls and batches, and how often it is tried.

Lives here: the events by name, and how long to wait after a try that failed. Does not: remembering messages
(adapters/ledger/outbox.py), sending them (adapters/delivery.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from aila_pipeline.domain.status import BatchStatus, CallStatus

WEBHOOK = "webhook"
"""The kind of a destination that is told over HTTP; every other kind is the name of a CRM."""

UNTIL_DEAD = timedelta(days=3)
"""Before this no message is given up, with the settings as they are by default."""

FAILURES_IN_A_ROW = 5
"""So many, and the destination itself is left alone for a while, with all its messages."""

_RETRY_AFTER_AT_MOST = timedelta(days=1)
_LONGEST_REST = timedelta(minutes=10)


class Notice(StrEnum):
    """What can be told."""

    CALL_COMPLETED = "call.completed"
    CALL_FAILED = "call.failed"
    BATCH_COMPLETED = "batch.completed"
    BATCH_PARTIAL = "batch.partial"
    BATCH_FAILED = "batch.failed"

    @property
    def of_call(self) -> bool:
        """Whether it tells of one call; else of a batch."""
        return self.startswith("call.")

    @classmethod
    def of(cls, status: CallStatus | BatchStatus) -> Notice:
        """What is told when a call or batch ends in this status.

        >>> Notice.of(BatchStatus.PARTIAL)
        <Notice.BATCH_PARTIAL: 'batch.partial'>
        """
        return cls(f"{'call' if isinstance(status, CallStatus) else 'batch'}.{status}")


@dataclass(frozen=True)
class Fact:
    """One thing to be told: the attempt `n` of a call, or the closing `n` of a batch.

    `facts` are those of the moment: ids, status, code, counts; never names, numbers or text.
    """

    notice: Notice
    subject_id: str
    n: int
    facts: Mapping[str, Any]


def usual(kind: str) -> tuple[Notice, ...]:
    """What a destination of this kind is told unless it is said otherwise: a CRM has a place for calls alone."""
    return tuple(notice for notice in Notice if kind == WEBHOOK or notice.of_call)


def known_notices(names: Iterable[str], kind: str) -> tuple[Notice, ...]:
    """The events of these names, each once; ValueError names the first that a destination of this kind has no use for.

    >>> known_notices(["call.failed", "call.failed"], "webhook")
    (<Notice.CALL_FAILED: 'call.failed'>,)
    """
    found = []
    for name in names:
        if name not in usual(kind):
            raise ValueError(f"there is no event of this name for it; known are {', '.join(usual(kind))}")
        found.append(Notice(name))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Backoff:
    """How often a message is tried, and the pauses between: `first`, doubling, `longest` at most."""

    tries: int
    first: timedelta
    longest: timedelta = timedelta(hours=6)

    def pause(self, tries: int, *, asked: timedelta | None = None, chance: float = 0.0) -> timedelta | None:
        """How long to wait after the try of this number failed; None when it was the last one.

        `asked` is what the receiver asked for (Retry-After), and lengthens the pause but does not shorten it: whoever
        asks to be tried at once, for ever, would lose the message within minutes. `chance` of 0..1 adds up to a
        quarter, so that what failed together does not come back together.

        >>> backoff = Backoff(25, timedelta(seconds=10), timedelta(hours=6))
        >>> [backoff.pause(n).total_seconds() for n in (1, 2, 3, 24)]
        [10.0, 20.0, 40.0, 21600.0]
        >>> backoff.pause(25) is None
        True
        """
        if tries >= self.tries:
            return None
        pause = min(self.longest, self.first * (1 << min(tries - 1, 24))) * (1 + chance / 4)
        return max(pause, min(asked, _RETRY_AFTER_AT_MOST)) if asked is not None else pause

    def least(self) -> timedelta:
        """How long a message waits at least before it is given up, were every try answered at once.

        With the settings' own numbers, 10 s doubling up to 6 h and 25 tries: twelve pauses of 10 s to 5.7 h are
        40,950 s, twelve more of 6 h are 259,200 s; together 3 days and 11 hours.

        >>> Backoff(25, timedelta(seconds=10), timedelta(hours=6)).least()
        datetime.timedelta(days=3, seconds=40950)
        """
        return sum((self.pause(n) or timedelta(0) for n in range(1, self.tries)), timedelta(0))

    def rest(self, failures: int, *, asked: timedelta | None = None) -> timedelta | None:
        """How long a destination is left alone after so many failures in a row; None: not at all.

        A receiver that is down would otherwise be asked for each of ten thousand messages, and each would spend a try.
        """
        if asked is not None and asked > timedelta(0):
            return min(asked, _RETRY_AFTER_AT_MOST)
        if failures < FAILURES_IN_A_ROW:
            return None
        return min(_LONGEST_REST, self.longest, self.first * (1 << min(failures - FAILURES_IN_A_ROW, 20)))
