"""Figures: what is told about a call's conversation, with meaning and unit of each figure.

Lives here: the model, and how a figure is found by its dotted name. Does not: working the figures out
(speech_measures.py, questions.py, keywords.py, sentiment.py) or judging them (scoring/).
"""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel

from aila_pipeline.domain.insights.keywords import Keyword
from aila_pipeline.domain.models import Frozen, Role

T = TypeVar("T")


class PerRole(Frozen, Generic[T]):
    """One figure for each role."""

    operator: T
    client: T
    unknown: T

    def of(self, role: Role) -> T:
        """The figure of this role."""
        found: T = getattr(self, role.value)
        return found


class Silence(Frozen):
    """Time in which nobody has a turn."""

    total_seconds: float
    """All of it, with what lies before the first and after the last word."""
    share: float | None
    """`total_seconds / seconds` of the recording, 0..1; None for a recording without length."""
    long_count: int
    """Pauses of at least `LONG_SILENCE_SECONDS` between the first and the last word."""
    long_seconds: float
    """Their sum."""
    longest_seconds: float | None
    """The longest pause between the first and the last word, however short; None when nobody spoke."""
    longest_start_seconds: float | None
    """Where that pause begins."""


class Overlap(Frozen):
    """Time in which at least two channels have speech (words at most 0.3 s apart are one stretch)."""

    count: int
    """Stretches of at least `MIN_OVERLAP_SECONDS`."""
    total_seconds: float
    """Their sum."""


class Insights(Frozen):
    """What the turns of one call tell. An empty transcript gives zeros, and None where there is nothing to measure."""

    seconds: float
    """Length of the recording."""
    talk_seconds: PerRole[float]
    """Time covered by a role's turns, with the short pauses in them."""
    talk_share: PerRole[float | None]
    """`talk_seconds` of the role / `talk_seconds` of all roles, 0..1; None when nobody spoke."""
    silence: Silence
    overlap: Overlap
    interruptions: PerRole[int]
    """How often the role took the floor while another spoke: its turn begins at least `INTERRUPTION_SECONDS` before
    the other's ends, has at least `INTERRUPTION_WORDS` words, and outlasts the other's."""
    longest_monologue_seconds: PerRole[float]
    """The longest stretch of a role's turns with no other turn between them and no pause of `LONG_SILENCE_SECONDS`;
    what lies wholly inside another's turn (an "mhm") breaks no monologue, and is a stretch of its own."""
    words: PerRole[int]
    words_per_minute: PerRole[float | None]
    """`words * 60 / talk_seconds`; None under `MIN_PACE_SECONDS` of talk."""
    questions: PerRole[int]
    """See insights/questions.py."""
    turns: PerRole[int]
    first_speech_seconds: PerRole[float | None]
    """When the role's first word begins; None when it never spoke."""
    first_response_delay_seconds: float | None
    """From the end of the client's first turn to the start of the operator's next one; 0 when the operator already
    speaks then and goes on; None when there is no such pair of turns."""
    keywords: tuple[Keyword, ...]
    """See insights/keywords.py."""
    sentiment: PerRole[float | None]
    """-1..1, see insights/sentiment.py; None when the role said nothing or the language has no word lists."""


def metric_names(model: type[BaseModel] = Insights, prefix: str = "") -> frozenset[str]:
    """The dotted names of all figures, such as `talk_share.operator`."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= metric_names(field.annotation, f"{prefix}{name}.")
        elif field.annotation in {int, float, float | None}:
            names.add(prefix + name)
    return frozenset(names)


def metric(insights: Insights, name: str) -> float | int | None:
    """The figure of this name. Raises `AttributeError` for a name that is not among `metric_names()`."""
    found: object = insights
    for part in name.split("."):
        found = getattr(found, part)
    assert found is None or isinstance(found, int | float), name
    return found
