"""Checklist: what a good call of a segment is, as a manager writes it down in YAML.

Lives here: the model of a checklist. Does not: reading YAML (checklist_file.py), which checklist a call is held against
(selection.py), holding it against one (verdicts.py). Unknown keys are refused, so that a misspelt `wieght` is told and
not ignored.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from rapidfuzz import process

from aila_pipeline.domain.insights import metric_names
from aila_pipeline.domain.models import Frozen, Role
from aila_pipeline.domain.summary import Question
from aila_pipeline.domain.words import tokens

DEFAULT_SIMILARITY = 85.0
"""Of 100, as rapidfuzz's `ratio` counts: lets one letter in six be off, so that "good bye" is "goodbye" and "hallo" is
not "hello"."""

FORBIDDEN_SIMILARITY = 95.0
"""Stricter for what must not be said: "I can help you" and "I cannot help you" are 90 alike."""

ANY_SEGMENT = "*"

MAX_SEGMENT_LETTERS = 200

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
Similarity = Annotated[float, Field(ge=50, le=100)]
Phrases = Annotated[tuple[str, ...], Field(min_length=1, max_length=200)]
Speaker = Role | Literal["any"]


def plain_segment(segment: str) -> str:
    """A segment's name as it is compared: without regard to case and outer blanks."""
    return segment.strip().casefold()


def _nameable(segment: str) -> str:
    """Refuses what no call's `segment_type` can be."""
    if not 1 <= len(plain_segment(segment)) <= MAX_SEGMENT_LETTERS:
        raise ValueError(f"a segment has 1 to {MAX_SEGMENT_LETTERS} letters")
    return segment


Segment = Annotated[str, AfterValidator(_nameable)]


def _speakable(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses phrases that no speech can match."""
    for phrase in phrases:
        if not tokens(phrase):
            raise ValueError("a phrase needs at least one word")
    return phrases


class Said(Frozen):
    """A condition: somebody said one of these."""

    any_of: Phrases
    role: Speaker = Role.CLIENT
    similarity: Similarity = DEFAULT_SIMILARITY

    _check = field_validator("any_of")(_speakable)


class When(Frozen):
    """When an item applies; all conditions given must hold."""

    min_call_seconds: Seconds | None = None
    """The recording is at least so long."""
    said: Said | None = None


class _Item(Frozen):
    """What all items have."""

    id: Name
    title: Annotated[str, Field(min_length=1, max_length=200)]
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    when: When = When()


class _PhraseItem(_Item):
    """What both kinds of phrases have."""

    any_of: Phrases
    role: Speaker = Role.OPERATOR
    similarity: Similarity = DEFAULT_SIMILARITY
    within_first_seconds: Seconds | None = None
    """Counted from the first word of the call."""
    within_last_seconds: Seconds | None = None
    """Counted back from the last word of the call."""

    _check = field_validator("any_of")(_speakable)

    @model_validator(mode="after")
    def _one_place(self) -> _PhraseItem:
        if self.within_first_seconds is not None and self.within_last_seconds is not None:
            raise ValueError("take within_first_seconds or within_last_seconds, not both")
        return self


class PhraseItem(_PhraseItem):
    """Passes when one of the phrases is heard."""

    kind: Literal["phrase"]


class ForbiddenPhraseItem(_PhraseItem):
    """Passes when none of the phrases is heard."""

    kind: Literal["forbidden_phrase"]
    similarity: Similarity = FORBIDDEN_SIMILARITY


class MetricItem(_Item):
    """Passes when a figure of the insights lies between the bounds, both included."""

    kind: Literal["metric"]
    metric: str
    min: Bound | None = None
    max: Bound | None = None

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in metric_names():
            near = process.extract(name, sorted(metric_names()), limit=3)
            raise ValueError(f"there is no figure of this name; near it are {', '.join(known for known, _, _ in near)}")
        return name

    @model_validator(mode="after")
    def _bounded(self) -> MetricItem:
        if self.min is None and self.max is None:
            raise ValueError("a metric needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is greater than max: nothing can pass")
        return self


class QuestionItem(_Item):
    """Passes when a language model that read the call gives the wanted answer, with a quote where it says so."""

    kind: Literal["question"]
    ask: Annotated[str, Field(min_length=1, max_length=500)]
    """To be answered by yes or no from the transcript alone."""
    expect: Literal["yes", "no"] = "yes"

    @field_validator("expect", mode="before")
    @classmethod
    def _spoken(cls, value: object) -> object:
        """YAML reads a bare `yes` or `no` as true or false; here they are the words."""
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


Item = Annotated[PhraseItem | ForbiddenPhraseItem | MetricItem | QuestionItem, Field(discriminator="kind")]


class Checklist(Frozen):
    """The items by which calls of some segments are scored."""

    id: Name
    version: Annotated[str, Field(min_length=1, max_length=64, coerce_numbers_to_str=True)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=200)]
    """`segment_type` values of the calls it is for, without regard to case; `*`: all that no other checklist is for."""
    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _distinct(self) -> Checklist:
        for item_id, count in Counter(item.id for item in self.items).items():
            if count > 1:
                raise ValueError(f"{count} items have the id {item_id!r}")
        return self

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the checklist asks. Comments, blank lines and the order of keys do not change it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """What a language model has to answer before a call can be held against all of it."""
        return tuple(Question(id=item.id, text=item.ask) for item in self.items if isinstance(item, QuestionItem))

    def serves(self, segment_type: str | None) -> bool:
        """Whether the segment is named here; `*` names none."""
        return segment_type is not None and plain_segment(segment_type) in {
            plain_segment(segment) for segment in self.segments if segment != ANY_SEGMENT
        }
