"""Verdicts: a call held against a checklist.

Lives here: the verdict on each item, and the total. Does not: what items there are (checklist.py),
how phrases are found (phrases.py).

An item is not applicable when its `when` does not hold, when the role it is about never spoke (a mono recording has no
operator), or when its figure could not be measured. A question that no language model answered is not answered. Both
count neither for nor against the call.
Total = 100 * weights passed / weights applicable, in whole numbers, rounded half up to a tenth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from aila_pipeline.domain.insights import Insights, metric
from aila_pipeline.domain.models import Frozen, Role, Transcript
from aila_pipeline.domain.scoring.checklist import (
    Checklist,
    ForbiddenPhraseItem,
    Item,
    MetricItem,
    PhraseItem,
    QuestionItem,
    When,
)
from aila_pipeline.domain.scoring.phrases import Evidence, Hit, Search, Speech
from aila_pipeline.domain.summary import Answer


class Verdict(StrEnum):
    """What became of one item."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    NOT_ANSWERED = "not_answered"


_SLACK_SECONDS = 0.0005
"""Word times are told to the millisecond, and floats hold few of them exactly: 0.1 + 4.1 is a little less than 4.2."""

UNCOUNTED = frozenset({Verdict.NOT_APPLICABLE, Verdict.NOT_ANSWERED})
"""Verdicts that count neither for nor against a call."""


class ItemScore(Frozen):
    """One item's verdict and why."""

    id: str
    title: str
    verdict: Verdict
    weight: int
    reason: str
    """One line for a person; holds figures and the checklist's own words, nothing that was said."""
    evidence: tuple[Evidence, ...] = ()
    """Where it was said. A passed phrase gives its best place, a forbidden one every phrase that was heard."""


class Score(Frozen):
    """A call's quality by one checklist."""

    checklist: str
    version: str
    digest: str
    total: float | None
    """0..100 with one decimal; None when no item applies."""
    items: tuple[ItemScore, ...]


def score(
    transcript: Transcript, insights: Insights, checklist: Checklist, answers: Iterable[Answer] | None = None
) -> Score:
    """The call's score; the same input gives the same score.

    `answers` are a language model's to the checklist's questions; None when no model has read the call.
    """
    speech = Speech(transcript)
    known = None if answers is None else {answer.item_id: answer for answer in answers}
    # All at once: phrase by phrase, the search costs four times as much.
    heard = speech.find(search for item in checklist.items for search in _searches(item, speech))
    call = _Call(speech, insights, known, heard)
    items = tuple(_judged(item, call) for item in checklist.items)
    return Score(
        checklist=checklist.id,
        version=checklist.version,
        digest=checklist.digest,
        total=total(items),
        items=items,
    )


def total(items: tuple[ItemScore, ...]) -> float | None:
    """The weighted share of passed items among the applicable ones, in percent with one decimal."""
    applicable = sum(item.weight for item in items if item.verdict not in UNCOUNTED)
    passed = sum(item.weight for item in items if item.verdict is Verdict.PASS)
    # Whole tenths of a percent, half up, so that no rounding of floats decides: floor(1000 p / a + 1/2).
    return (2000 * passed + applicable) // (2 * applicable) / 10 if applicable else None


@dataclass(frozen=True)
class _Call:
    """What a call is judged by. `heard`: the places of all phrases of the checklist that were said."""

    speech: Speech
    insights: Insights
    answers: Mapping[str, Answer] | None
    heard: Mapping[Search, Hit]


def _judged(item: Item, call: _Call) -> ItemScore:
    """One item's verdict."""
    against = _not_met(item.when, call)
    evidence: tuple[Evidence, ...] = ()
    if against is not None:
        verdict, reason = Verdict.NOT_APPLICABLE, against
    elif isinstance(item, MetricItem):
        verdict, reason = _measured(item, call)
    elif isinstance(item, QuestionItem):
        verdict, reason, evidence = _answered(item, call)
    else:
        verdict, reason, evidence = _searched(item, call)
    return ItemScore(
        id=item.id, title=item.title, verdict=verdict, weight=item.weight, reason=reason, evidence=evidence
    )


def _searches(item: Item, speech: Speech) -> Iterator[Search]:
    """All that has to be looked for to judge the item."""
    yield from _conditions(item.when)
    if isinstance(item, PhraseItem | ForbiddenPhraseItem):
        yield from _phrases(item, speech)


def _conditions(when: When) -> list[Search]:
    """What has to be said for an item to apply."""
    return [Search(phrase, when.said.role, when.said.similarity) for phrase in when.said.any_of] if when.said else []


def _phrases(item: PhraseItem | ForbiddenPhraseItem, speech: Speech) -> list[Search]:
    """The item's phrases, in its place of the call."""
    after = -inf if item.within_last_seconds is None else speech.end - item.within_last_seconds - _SLACK_SECONDS
    before = inf if item.within_first_seconds is None else speech.begin + item.within_first_seconds + _SLACK_SECONDS
    return [Search(phrase, item.role, item.similarity, after, before) for phrase in item.any_of]


def _not_met(when: When, call: _Call) -> str | None:
    """Why the item's condition does not hold; None when it does."""
    if when.min_call_seconds is not None and call.insights.seconds < when.min_call_seconds:
        return f"the call is shorter than {when.min_call_seconds:g} s"
    if when.said is not None and not any(search in call.heard for search in _conditions(when)):
        return "what it depends on was not said"
    return None


def _searched(item: PhraseItem | ForbiddenPhraseItem, call: _Call) -> tuple[Verdict, str, tuple[Evidence, ...]]:
    """The verdict of a phrase that should, or should not, be heard."""
    if not call.speech.spoke(item.role):
        return Verdict.NOT_APPLICABLE, f"the role '{item.role}' never spoke", ()
    found = (call.heard.get(search) for search in _phrases(item, call.speech))
    hits = sorted((hit for hit in found if hit is not None), key=lambda hit: (-hit[0], hit[1].start))
    if isinstance(item, PhraseItem):
        if hits:
            return Verdict.PASS, "heard", (hits[0][1],)
        return Verdict.FAIL, f"not heard{_place(item)}", ()
    heard = tuple(sorted({hit[1] for hit in hits}, key=lambda place: (place.start, place.quote)))
    return (Verdict.FAIL, "heard", heard) if heard else (Verdict.PASS, f"not heard{_place(item)}", ())


def _place(item: PhraseItem | ForbiddenPhraseItem) -> str:
    if item.within_first_seconds is not None:
        return f" in the first {item.within_first_seconds:g} s"
    return f" in the last {item.within_last_seconds:g} s" if item.within_last_seconds is not None else ""


def _measured(item: MetricItem, call: _Call) -> tuple[Verdict, str]:
    """The verdict of a figure."""
    role = next((role for role in Role if item.metric.endswith(f".{role}")), None)
    if role is not None and not call.speech.spoke(role):
        return Verdict.NOT_APPLICABLE, f"the role '{role}' never spoke"
    value = metric(call.insights, item.metric)
    if value is None:
        return Verdict.NOT_APPLICABLE, "it could not be measured in this call"
    low, high = item.min, item.max
    holds = (low is None or value >= low) and (high is None or value <= high)
    bounds = " and ".join(
        [*([f"at least {low:g}"] if low is not None else []), *([f"at most {high:g}"] if high is not None else [])]
    )
    return Verdict.PASS if holds else Verdict.FAIL, f"{value:.4g}, wanted {bounds}"


def _answered(item: QuestionItem, call: _Call) -> tuple[Verdict, str, tuple[Evidence, ...]]:
    """The verdict of a question."""
    if call.answers is None:
        return Verdict.NOT_ANSWERED, "no language model has read this call", ()
    answer = call.answers.get(item.id)
    if answer is None:
        return Verdict.NOT_ANSWERED, "the language model gave no answer that holds", ()
    if answer.verdict == "not_applicable":
        return Verdict.NOT_APPLICABLE, "the language model finds that it does not apply", ()
    evidence: tuple[Evidence, ...] = ()
    if answer.evidence is not None:
        start, quote = answer.evidence.start, answer.evidence.quote
        evidence = (Evidence(start=start, quote=quote, role=call.speech.speaker_at(start)),)
    told = f"answered {answer.verdict}, wanted {item.expect}"
    return Verdict.PASS if answer.verdict == item.expect else Verdict.FAIL, told, evidence
