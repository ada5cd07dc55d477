"""Models: the facts that travel between intake, stages, ledger and report.

Lives here: what a tenant, a submitted call, an audio file, a recognition and a transcript are made of. Does not: how
any of them is read, stored or judged. Times are UTC; a position in a recording is in seconds from its start.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """An immutable model that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    """Who speaks on a channel."""

    OPERATOR = "operator"
    CLIENT = "client"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Who called whom, seen from the tenant."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Priority(StrEnum):
    """Which shards go first: fresh submissions before re-runs of old ones."""

    LIVE = "live"
    BACKFILL = "backfill"


class Warn(StrEnum):
    """What a person should know about a call or batch that was processed all the same."""

    MONO_AUDIO = "MONO_AUDIO"
    DUAL_MONO = "DUAL_MONO"
    SILENT_CHANNEL = "SILENT_CHANNEL"
    EXTRA_CHANNELS = "EXTRA_CHANNELS"
    NO_SPEECH = "NO_SPEECH"
    PARTIAL_TRANSCRIPT = "PARTIAL_TRANSCRIPT"
    DURATION_MISMATCH = "DURATION_MISMATCH"
    TIME_WITHOUT_ZONE = "TIME_WITHOUT_ZONE"
    AUDIO_WITHOUT_ROW = "AUDIO_WITHOUT_ROW"
    COLUMN_IGNORED = "COLUMN_IGNORED"
    NO_CHECKLIST = "NO_CHECKLIST"
    CHECKLIST_UNUSABLE = "CHECKLIST_UNUSABLE"
    INSIGHTS_INCOMPLETE = "INSIGHTS_INCOMPLETE"
    PHONE_UNUSUAL = "PHONE_UNUSUAL"
    USER_AMBIGUOUS = "USER_AMBIGUOUS"


class TenantSettings(Frozen):
    """What one tenant (a firm in a country) has set; kept in the ledger."""

    timezone: str = "UTC"
    fallback_encoding: str = "cp1252"
    phone_region: str | None = None
    left_channel: Role = Role.CLIENT
    right_channel: Role = Role.OPERATOR
    language: str | None = None
    hotwords: Annotated[str, Field(max_length=500)] | None = None
    """Words that this tenant's calls are full of (products, names), so that they are heard as such."""
    initial_prompt: Annotated[str, Field(max_length=500)] | None = None
    """A sentence or two in the manner in which its transcripts should be written."""
    allowed_sources: tuple[str, ...] = ()
    """`s3://bucket/prefix` places that audio URLs of this tenant may point to."""
    create_users: bool = True
    """Whether a user that a call names and nobody knows is made; else the call fails with USER_NOT_FOUND."""
    batches_per_hour: Annotated[int, Field(ge=0)] = 100
    calls_per_hour: Annotated[int, Field(ge=0)] = 10_000
    concurrent_batches: Annotated[int, Field(ge=0)] = 10
    """Contract B's limits, for what comes through the API."""


class ArchiveSource(Frozen):
    """Audio as an entry of the batch's own archive, named by the CSV."""

    kind: Literal["archive"] = "archive"
    name: str


class UrlSource(Frozen):
    """Audio at a URL (`https://…` or `s3://…`)."""

    kind: Literal["url"] = "url"
    url: str


Source = Annotated[ArchiveSource | UrlSource, Field(discriminator="kind")]


class CallDetails(Frozen):
    """What the submission says about one call, checked and normalised."""

    source: Source
    external_id: str | None = None
    started_at: datetime
    segment_type: str | None = None
    left_channel: Role
    right_channel: Role
    direction: Direction | None = None
    partner_call_id: str | None = None
    contact_phone: str | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    user_name: str | None = None
    user_email: str | None = None
    user_group: str | None = None
    disconnect_reason: str | None = None
    declared_seconds: float | None = None
    metadata: dict[str, Any] = {}


class Problem(Frozen):
    """One thing that is wrong with one row or item; `field` is None when it is meant as a whole.

    `position` counts rows as a spreadsheet does (the header is 1, so the first call is 2), or items from 0.
    """

    position: int
    field: str | None
    code: str
    message: str


class SubmittedCall(Frozen):
    """One row or item of a submission: either accepted (`details`) or rejected (`problems`)."""

    position: int
    external_id: str | None = None
    details: CallDetails | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Warn, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether the call can be worked on."""
        return self.details is not None and not self.problems


class Submission(Frozen):
    """A whole submission after its checks: every row or item, and what concerns all of them."""

    kind: Literal["pair", "manifest"]
    digest: str
    """SHA-256 that is equal exactly when the same content was submitted again."""
    calls: tuple[SubmittedCall, ...]
    warnings: tuple[str, ...] = ()
    """`CODE: text` lines that concern the batch, like audio files without a row."""


class AudioFacts(Frozen):
    """What probing and decoding a recording told."""

    sha256: str
    size_bytes: int
    format: str
    codec: str
    channels: int
    sample_rate_hz: int
    seconds: float
    dual_mono: bool = False
    silent_channels: tuple[int, ...] = ()


class Word(Frozen):
    """One recognised word with its place in the recording."""

    start: float
    end: float
    text: str
    probability: float


class Utterance(Frozen):
    """What was recognised in one stretch of one channel."""

    channel: int
    start: float
    end: float
    text: str
    words: tuple[Word, ...]


class Missing(Frozen):
    """A stretch of a channel that has speech which could not be recognised."""

    channel: int
    start: float
    end: float


class Hints(Frozen):
    """What the recogniser is told before it hears a call."""

    hotwords: str | None = None
    initial_prompt: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """Those that there are."""
        return {name: text for name, text in self.model_dump().items() if text}


class Recognition(Frozen):
    """All that the recogniser heard in a recording; stored by content, and so free of any call's metadata.

    `utterances` are ordered by channel, then time. A dual-mono recording is recognised on channel 0 alone.
    """

    audio_sha256: str
    identity: str
    """Hash of what decides the text: model, options, given language, way of splitting channels."""
    model: str
    language: str | None
    language_probability: float | None = None
    seconds: float
    channels: int
    utterances: tuple[Utterance, ...]
    missing: tuple[Missing, ...] = ()


class Turn(Frozen):
    """One speaker's uninterrupted go, in a call's time order."""

    role: Role
    channel: int
    start: float
    end: float
    text: str
    words: tuple[Word, ...]


class Transcript(Frozen):
    """A recognition seen with the call's roles: the turns of all channels merged in time."""

    language: str | None
    model: str
    seconds: float
    turns: tuple[Turn, ...]
