"""Summary: what a language model made of a call, after its quotes were found in the transcript.

Lives here: the shape that the ledger keeps, clients read and checklists ask. Does not: what is sent to the model
(prompt.py), what it answers (answer.py), how an answer is checked (checking.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from aila_pipeline.domain.models import Frozen, Role

MAX_SUMMARY, MAX_TEXT, MAX_TOPIC, MAX_QUOTE = 2000, 500, 80, 400
"""Characters."""
MAX_TOPICS, MAX_NOTED = 12, 10

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Topic = Annotated[str, Field(min_length=1, max_length=MAX_TOPIC)]
Resolved = Literal["resolved", "unresolved", "unclear"]
Feeling = Literal["positive", "neutral", "negative", "mixed"]
YesOrNo = Literal["yes", "no", "not_applicable"]


class Gap(StrEnum):
    """Why a summary is not whole."""

    MODEL_UNAVAILABLE = "model_unavailable"
    """The server did not answer, or refused, however often it was asked."""
    BUDGET_SPENT = "budget_spent"
    """The batch had nothing left to spend; the model was not asked, or not asked again."""
    ANSWER_UNUSABLE = "answer_unusable"
    """The model was asked twice and gave nothing that could be read."""
    PART_LEFT_OUT = "part_left_out"
    """What broke the schema or a limit was left out."""
    QUOTE_NOT_FOUND = "quote_not_found"
    """What rested on a quote that is not in the transcript was left out."""
    QUESTION_NOT_ANSWERED = "question_not_answered"
    """A question of the checklist has no answer, or none that a quote bears out."""
    TRANSCRIPT_CUT = "transcript_cut"
    """The call is too long to be read whole: its middle was not read."""
    UNEXPECTED = "unexpected"
    """A case that the program does not know; the run's log tells where."""

    @property
    def passing(self) -> bool:
        """Whether the same call may get a whole summary when it is asked for later."""
        return self in {Gap.MODEL_UNAVAILABLE, Gap.BUDGET_SPENT, Gap.UNEXPECTED}


class Question(Frozen):
    """What a checklist wants to know about the call."""

    id: str
    text: str


class Quote(Frozen):
    """Words of the transcript, redacted as the model saw them, and where they begin in the recording."""

    start: float
    """Seconds from the start of the recording."""
    quote: str


class Noted(Frozen):
    """One thing that the model noted, in its own words, and what was said that shows it."""

    text: Text
    evidence: Quote | None = None


class RoleSentiment(Frozen):
    """How one side felt, and why the model thinks so."""

    role: Role
    label: Feeling
    reason: Text
    evidence: Quote | None = None


class Answer(Frozen):
    """The answer to one question of the checklist. A `yes` always has its evidence."""

    item_id: str
    verdict: YesOrNo
    evidence: Quote | None = None


class Summary(Frozen):
    """A call as a language model read it. Without a model (`language_model` None) all else is empty."""

    language_model: str | None = None
    """The model's name as the server knows it; None: none is configured."""
    summary: Annotated[str, Field(min_length=1, max_length=MAX_SUMMARY)] | None = None
    topics: tuple[Topic, ...] = ()
    intent: Noted | None = None
    """What the client wanted."""
    objections: tuple[Noted, ...] = ()
    commitments: tuple[Noted, ...] = ()
    next_steps: tuple[Noted, ...] = ()
    resolution: Resolved | None = None
    resolution_evidence: Quote | None = None
    sentiment: tuple[RoleSentiment, ...] = ()
    asked: str | None = None
    """Digest of the questions that were asked, whether answered or not."""
    answers: tuple[Answer, ...] = ()
    gaps: tuple[Gap, ...] = ()
    """Why it is not whole; empty when it is."""
