"""Answers: the data of every 200, as models from which the schemas are made, with examples.

Lives here: names, types and meaning of what clients get. Does not: making answers; the handlers build plain
dictionaries, and the tests hold those against these models. What is told of a recording itself (turns, insights) is
the domain's own model.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from aila_pipeline.api.documentation.insights import CallInsights
from aila_pipeline.domain.models import Direction, Turn
from aila_pipeline.domain.scoring import ItemScore
from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Each part by name, with a reason for what is not well."""

    status: Literal["ok", "degraded", "failed"] = Field(description="degraded: submissions wait for Dagster")
    ledger: Literal["ok", "failed", "unreachable"]
    store: Literal["ok", "failed", "unreachable"]
    dagster: Literal["ok", "failed", "unreachable"]
    reasons: dict[str, str]


class UploadUrls(BaseModel):
    """Where to PUT the two files, and the keys by which step 3 knows them."""

    metadata_upload_url: str = Field(description="PUT the CSV here, with Content-Type: text/csv")
    metadata_key: str
    audio_upload_url: str = Field(description="PUT the ZIP here, with Content-Type: application/zip")
    audio_key: str
    expires_in: int = Field(description="seconds in which a PUT may begin")


class Processed(BaseModel):
    """The pair's batch."""

    message: Literal["Files validated and queued for processing"]
    batch_id: str
    calls: int = Field(description="rows of the CSV")
    rejected_rows: int = Field(description="rows whose calls have failed already, with their reasons")
    warnings: list[str]


class RowProblem(BaseModel):
    """What is wrong with one row; the header is row 1."""

    row: int
    field: str | None
    code: str
    message: str


class ProcessDryRun(BaseModel):
    """What would become of the pair."""

    dry_run: Literal[True]
    rows: int
    would_be_processed: int
    rejected_rows: int
    problems: list[RowProblem]
    warnings: list[str]


class SubmittedCalls(BaseModel):
    """The list's batch."""

    batch_id: str
    calls_submitted: int
    status: BatchStatus
    warnings: list[str]


class WouldBe(BaseModel):
    """How many calls are new, known and linked, or failed before and tried again."""

    new: int
    linked: int
    tried_again: int


class SubmitDryRun(BaseModel):
    """What would become of the list."""

    dry_run: Literal[True]
    calls_submitted: Literal[0]
    calls_valid: int
    would_be: WouldBe
    warnings: list[str]


class CallError(BaseModel):
    """Why a call has failed. `retryable`: trying again as it is can help."""

    code: str
    message: str
    retryable: bool


class LinkedCall(BaseModel):
    """One call as its batch shows it."""

    external_id: str | None
    status: CallStatus
    aila_call_id: str
    processed_at: AwareDatetime | None = Field(default=None, description="once it is terminal")
    progress: CallStatus | None = Field(default=None, description="the status again, while it is not terminal")
    error: CallError | None = None
    warnings: list[str]


class BatchError(BaseModel):
    """Why a batch was refused as a whole."""

    code: str | None
    message: str | None


class Batch(BaseModel):
    """One submission. `processed`, `failed` and `pending` add up to `total_calls`."""

    batch_id: str
    status: BatchStatus
    submitted_at: AwareDatetime
    total_calls: int
    processed: int = Field(description="completed calls")
    failed: int
    pending: int
    terminal: bool = Field(description="nothing of it is going on any more: completed, partial or failed")
    eta_seconds: float | None = Field(description="time left at the pace so far; null while that is not known")
    waits_for: str | None = Field(description="why it does not go on, in words")
    ended_at: AwareDatetime | None
    name: str
    kind: Literal["pair", "manifest"]
    warnings: list[str]
    error: BatchError | None


class BatchPage(BaseModel):
    """A page of batches."""

    batches: list[Batch]
    next_cursor: str | None


class WholeBatch(Batch):
    """A batch with its calls, or a page of them."""

    duplicate_of: str | None = Field(default=None, description="the batch that has the same files, where there is one")
    calls: list[LinkedCall]
    next_cursor: str | None


class RetriedBatch(BaseModel):
    """What is tried again."""

    batch_id: str
    duplicate_of: str | None = None
    calls_retried: int
    calls_not_retriable: int = Field(description="their rows were rejected: mend and submit them")
    status: BatchStatus


class ListedCall(BaseModel):
    """One call as a row of a list. Of an audio URL the query is left out."""

    id: str
    external_id: str | None
    batch_id: str
    audio_file_name: str | None
    audio_url: str | None
    status: CallStatus
    progress: CallStatus | None = Field(description="the status again, while it is not terminal")
    error: CallError | None
    warnings: list[str]
    attempt: int
    created_at: AwareDatetime
    ended_at: AwareDatetime | None


class CallPage(BaseModel):
    """A page of calls."""

    calls: list[ListedCall]
    next_cursor: str | None


class User(BaseModel):
    """Who of the tenant's made or took the call, as the call says; `id` is the user that it was matched with."""

    id: str | None
    name: str | None
    email: str | None
    group: str | None


class Contact(BaseModel):
    """Whom it was with, as the call says; `id` is the contact that it was matched with."""

    id: str | None
    name: str | None
    phone: str | None = Field(description="E.164; as given where it cannot be a number")
    email: str | None


class Audio(BaseModel):
    """The recording."""

    sha256: str
    seconds: float
    channels: int
    format: str


class Said(BaseModel):
    """What was said, by turns; times are seconds from the start of the recording."""

    language: str | None
    model: str
    turns: list[Turn]


class CallScore(BaseModel):
    """The call held against the checklist of its segment."""

    checklist: str
    version: str
    total: float | None = Field(description="0 to 100; null where no item applies")
    items: list[ItemScore]


class TriedOnce(BaseModel):
    """One try at the call."""

    n: int
    batch_id: str
    outcome: CallStatus | None
    stage: Stage
    error: CallError | None
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    dagster_run_id: str | None


class WholeCall(BaseModel):
    """One call in full; what is not there yet is null."""

    id: str
    external_id: str | None
    partner_call_id: str | None
    batch_id: str = Field(description="the batch that brought its data")
    batch_ids: list[str] = Field(description="all that link it, oldest first")
    audio_file_name: str | None
    audio_url: str | None
    status: CallStatus
    progress: CallStatus | None
    error: CallError | None
    warnings: list[str]
    user: User
    contact: Contact
    call_date: AwareDatetime | None = Field(description="when the conversation began")
    direction: Direction | None
    segment_type: str | None
    disconnect_reason: str | None
    metadata: dict[str, Any]
    audio: Audio | None
    transcript: Said | None
    insights: CallInsights | None
    score: CallScore | None
    created_at: AwareDatetime = Field(description="when it was accepted")
    started_at: AwareDatetime | None = Field(description="when work on the newest attempt began")
    processed_at: AwareDatetime | None = Field(description="when the newest attempt ended")
    attempt: int
    attempts: list[TriedOnce]
    dagster_run_id: str | None
    dagster_run_url: str | None
