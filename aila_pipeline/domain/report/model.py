"""What a report of a batch is made of.

Lives here: the models that whoever asks for a report fills, and sums over them. Does not: words and pictures
(wording.py, plots.py) or the page (templates/). All times are UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from statistics import median

from pydantic import computed_field

from aila_pipeline.domain.insights import Insights
from aila_pipeline.domain.models import AudioFacts, Direction, Frozen, Transcript
from aila_pipeline.domain.scoring import Score
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline.domain.summary import Summary


class ReportedError(Frozen):
    """Why a call failed."""

    code: str
    message: str
    """What happened; may end in the advice, as `AilaError.message` does."""
    advice: str
    """What a person can do about it."""
    retryable: bool = False

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented order, which mypy does not follow
    @property
    def happened(self) -> str:
        """The message without the advice."""
        return self.message.removesuffix(self.advice).rstrip("; ") or self.code


class ReportedCall(Frozen):
    """One call as the report shows it; what a failed or unfinished call has not is None."""

    call_id: str
    position: int
    """Row of the CSV (the first after the header is 2) or index of the manifest (from 0)."""
    external_id: str | None = None
    audio_name: str | None = None
    """File name or URL."""
    status: CallStatus
    attempt: int = 1
    error: ReportedError | None = None
    warnings: tuple[str, ...] = ()
    """Codes of `Warn`."""
    segment_type: str | None = None
    started_at: datetime | None = None
    direction: Direction | None = None
    user_name: str | None = None
    audio: AudioFacts | None = None
    transcript: Transcript | None = None
    insights: Insights | None = None
    summary: Summary | None = None
    score: Score | None = None
    link: str | None = None
    """The call's run in the Dagster UI; only http and https links are shown."""

    @property
    def name(self) -> str:
        """What a person calls it: the file, else the id of the submitter, else ours."""
        return self.audio_name or self.external_id or self.call_id

    @property
    def seconds(self) -> float | None:
        """Length of the recording, once it is known."""
        if self.audio is not None:
            return self.audio.seconds
        return self.transcript.seconds if self.transcript is not None else None

    @property
    def total(self) -> float | None:
        """The score in percent, when there is one."""
        return None if self.score is None else self.score.total


class BatchReport(Frozen):
    """A batch as the report shows it."""

    batch_id: str
    tenant: str
    """country/firm"""
    status: BatchStatus
    received_at: datetime
    finished_at: datetime | None = None
    generated_at: datetime
    source: str | None = None
    """What was submitted, in words or as the name of the drop."""
    model: str | None = None
    """The speech model."""
    warnings: tuple[str, ...] = ()
    """`CODE: text` lines that concern the whole batch."""
    calls: tuple[ReportedCall, ...] = ()
    link: str | None = None
    """The batch in the Dagster UI; only http and https links are shown."""

    @property
    def counts(self) -> dict[CallStatus, int]:
        """How many calls have each status; statuses without calls are left out."""
        found = Counter(call.status for call in self.calls)
        return {status: found[status] for status in CallStatus if found[status]}

    @property
    def audio_seconds(self) -> float:
        """Length of all recordings that could be read."""
        return sum(call.seconds or 0.0 for call in self.calls)

    @property
    def totals(self) -> list[float]:
        """All scores."""
        return [call.total for call in self.calls if call.total is not None]

    @property
    def median_total(self) -> float | None:
        """The score that half of the scored calls reach."""
        return median(self.totals) if self.totals else None


class Failure(Frozen):
    """All calls of a batch that failed for one reason."""

    code: str
    happened: str
    """The most frequent message of this code."""
    advice: str
    retryable: bool
    calls: tuple[ReportedCall, ...]


def failures(calls: Sequence[ReportedCall]) -> list[Failure]:
    """The failed calls by code, the most frequent code first."""
    by_code: dict[str, list[tuple[ReportedError, ReportedCall]]] = {}
    for call in calls:
        if call.error is not None and call.status is CallStatus.FAILED:
            by_code.setdefault(call.error.code, []).append((call.error, call))
    return [
        Failure(
            code=code,
            happened=Counter(error.happened for error, _ in failed).most_common(1)[0][0],
            advice=Counter(error.advice for error, _ in failed).most_common(1)[0][0],
            retryable=any(error.retryable for error, _ in failed),
            calls=tuple(call for _, call in failed),
        )
        for code, failed in sorted(by_code.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
