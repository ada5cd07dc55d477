"""Status: the values of a call and of a batch, and how one follows from the other.

Lives here: the statuses of contract B, the order in which a call passes them, the roll-up. Does not: storing them.

    pending -> downloading -> transcribing -> analyzing -> completed
                    any of these may end in failed
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Stage(StrEnum):
    """Where a call is worked on; each is the Dagster asset of the same name."""

    SUBMISSION = "submission"
    CALL_AUDIO = "call_audio"
    TRANSCRIPTS = "transcripts"
    INSIGHTS = "insights"
    SUMMARIES = "summaries"
    SCORES = "scores"
    PEOPLE = "people"
    OUTCOMES = "outcomes"


class CallStatus(StrEnum):
    """Contract B's statuses of one call."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    TRANSCRIBING = "transcribing"
    ANALYZING = "analyzing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """Whether the attempt is over."""
        return self in TERMINAL


TERMINAL = frozenset({CallStatus.COMPLETED, CallStatus.FAILED})


class BatchStatus(StrEnum):
    """Contract B's statuses of one batch."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """Whether no call of the batch is still open."""
        return self in {BatchStatus.COMPLETED, BatchStatus.PARTIAL, BatchStatus.FAILED}


STATUS_IN_STAGE: Mapping[Stage, CallStatus] = {
    Stage.SUBMISSION: CallStatus.PENDING,
    Stage.CALL_AUDIO: CallStatus.DOWNLOADING,
    Stage.TRANSCRIPTS: CallStatus.TRANSCRIBING,
    Stage.INSIGHTS: CallStatus.ANALYZING,
    Stage.SUMMARIES: CallStatus.ANALYZING,
    Stage.SCORES: CallStatus.ANALYZING,
    Stage.PEOPLE: CallStatus.ANALYZING,
    Stage.OUTCOMES: CallStatus.ANALYZING,
}
"""The status a call shows while a stage works on it."""


def roll_up(counts: Mapping[CallStatus, int], *, started: bool = True) -> BatchStatus:
    """The batch's status, derived from its calls'; never stored as a separate truth.

    `started`: whether a run of the batch has begun (contracts, gap 15: `submitted` until then).
    A batch without calls was refused as a whole, and counts as failed once it has started.

    >>> roll_up({CallStatus.COMPLETED: 3, CallStatus.FAILED: 1})
    <BatchStatus.PARTIAL: 'partial'>
    >>> roll_up({CallStatus.COMPLETED: 3, CallStatus.PENDING: 1})
    <BatchStatus.PROCESSING: 'processing'>
    >>> roll_up({CallStatus.PENDING: 1}, started=False)
    <BatchStatus.SUBMITTED: 'submitted'>
    """
    completed, failed = counts.get(CallStatus.COMPLETED, 0), counts.get(CallStatus.FAILED, 0)
    if sum(counts.values()) > completed + failed:
        waiting = counts.get(CallStatus.PENDING, 0) == sum(counts.values())
        return BatchStatus.SUBMITTED if waiting and not started else BatchStatus.PROCESSING
    if not started and not completed and not failed:
        return BatchStatus.SUBMITTED
    if failed == 0 and completed:
        return BatchStatus.COMPLETED
    return BatchStatus.PARTIAL if completed else BatchStatus.FAILED
