"""Checking: what of a model's answer holds.

Lives here: each part held against its form, the limits, and what was really said; the complaints for the one request
to mend it. Does not: the form (answer.py), finding a quote (reading.py), asking again (adapters/summarising.py).

A part that breaks its form or quotes what nobody said is left out as a whole: what rests on an invented quote may be
invented too. What remains is kept, and the summary says that it is not whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from aila_pipeline.domain.summary import answer as form
from aila_pipeline.domain.summary import prompt
from aila_pipeline.domain.summary.models import (
    MAX_NOTED,
    MAX_TOPICS,
    Answer,
    Gap,
    Noted,
    Question,
    Quote,
    RoleSentiment,
    Summary,
)
from aila_pipeline.domain.summary.reading import Reading

T = TypeVar("T")

MOST_COMPLAINTS = 30
"""More are not told to the model; one that is wrong so often will not be mended by a longer list."""


@dataclass(frozen=True)
class Checked:
    """What holds of an answer, and what is wrong with it, in words for the model."""

    summary: Summary
    complaints: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether anything could be read."""
        return Gap.ANSWER_UNUSABLE not in self.summary.gaps


def check(text: str, *, model: str, reading: Reading, questions: Sequence[Question], cut_off: bool = False) -> Checked:
    """Hold an answer against form, limits and transcript. `cut_off`: the server ended it at its longest length."""
    found = form.parse(text)
    if isinstance(found, str):
        complaint = "it was cut off; write far less" if cut_off else found
        return Checked(empty(model, reading, questions, Gap.ANSWER_UNUSABLE), (complaint,))
    checking = _Checking(reading, questions)
    resolution, evidence = checking.resolution(found.get("resolution"))
    summary = Summary(
        language_model=model,
        summary=checking.part("summary", form.SummaryText, found.get("summary")),
        topics=tuple(topic for _, topic in checking.each("topics", form.TopicText, found.get("topics"), MAX_TOPICS)),
        intent=checking.intent(found.get("intent")),
        objections=checking.noted("objections", found.get("objections"), quoted=True),
        commitments=checking.noted("commitments", found.get("commitments"), quoted=True),
        next_steps=checking.noted("next_steps", found.get("next_steps"), quoted=False),
        resolution=resolution,
        resolution_evidence=evidence,
        sentiment=checking.sentiment(found.get("sentiment")),
        asked=prompt.digest(questions),
        answers=checking.answers(found.get("answers")),
    )
    gaps = [*empty(model, reading, questions).gaps, *dict.fromkeys(checking.gaps)]
    return Checked(summary.model_copy(update={"gaps": tuple(gaps)}), tuple(checking.complaints[:MOST_COMPLAINTS]))


def better(first: Checked, second: Checked) -> Checked:
    """The answer of which less is wrong; the mended one if they are equal."""
    if first.usable != second.usable:
        return first if first.usable else second
    return first if len(first.complaints) < len(second.complaints) else second


def empty(model: str, reading: Reading, questions: Sequence[Question], *gaps: Gap) -> Summary:
    """A summary without content, and why."""
    cut = (Gap.TRANSCRIPT_CUT,) if reading.omitted else ()
    return Summary(language_model=model, asked=prompt.digest(questions), gaps=(*cut, *gaps))


@dataclass
class _Checking:
    """One answer being checked; what is wrong gathers in `complaints` and `gaps`."""

    reading: Reading
    questions: Sequence[Question]
    complaints: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def wrong(self, place: str, told: str, gap: Gap = Gap.PART_LEFT_OUT) -> None:
        self.complaints.append(f"{place}: {told}")
        self.gaps.append(gap)

    def part(self, place: str, kind: Any, value: object) -> Any:
        """The value, if it has this form; else None."""
        try:
            return TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            for problem in error.errors(include_input=False, include_url=False)[:3]:
                self.wrong(".".join([place, *map(str, problem["loc"])]), problem["msg"])
            return None

    def each(self, place: str, kind: Any, values: object, most: int) -> Iterator[tuple[str, Any]]:
        """The items that have this form, `most` at most, each with its place."""
        if not isinstance(values, list):
            self.wrong(place, "must be a list")
            return
        if len(values) > most:
            self.wrong(place, f"has more than {most} items")
        for number, value in enumerate(values[:most]):
            if (item := self.part(f"{place}[{number}]", kind, value)) is not None:
                yield f"{place}[{number}]", item

    def quoted(self, place: str, cited: form.Cited | None, *, needed: bool = False) -> tuple[bool, Quote | None]:
        """Whether what rests on this quote may stay, and the quote as it is in the transcript."""
        if cited is None:
            if needed:
                self.wrong(place, "needs a quote", Gap.QUOTE_NOT_FOUND)
            return not needed, None
        found = self.reading.find(cited.words, cited.line)
        if found is None:
            self.wrong(place, f"these words are not in line {cited.line}, nor elsewhere", Gap.QUOTE_NOT_FOUND)
        return found is not None, found

    def noted(self, place: str, values: object, *, quoted: bool) -> tuple[Noted, ...]:
        kept = []
        for item, claim in self.each(place, form.Claim, values, MAX_NOTED):
            holds, evidence = self.quoted(f"{item}.quote", claim.quote, needed=quoted)
            if holds:
                kept.append(Noted(text=claim.text, evidence=evidence))
        return tuple(kept)

    def intent(self, value: object) -> Noted | None:
        if value is None:
            return None
        return next(iter(self.noted("intent", [value], quoted=True)), None)

    def resolution(self, value: object) -> tuple[Any, Quote | None]:
        claimed = self.part("resolution", form.ClaimedResolution, value)
        if claimed is None:
            return None, None
        holds, evidence = self.quoted("resolution.quote", claimed.quote)
        return (claimed.verdict if holds else None), evidence

    def sentiment(self, values: object) -> tuple[RoleSentiment, ...]:
        kept: dict[str, RoleSentiment] = {}
        for place, claimed in self.each("sentiment", form.ClaimedSentiment, values, MAX_NOTED):
            if claimed.role not in self.reading.roles or claimed.role in kept:
                self.wrong(place, "one entry for each role that speaks, and no other")
                continue
            holds, evidence = self.quoted(f"{place}.quote", claimed.quote)
            if holds:
                kept[claimed.role] = RoleSentiment(
                    role=claimed.role, label=claimed.label, reason=claimed.reason, evidence=evidence
                )
        return tuple(kept.values())

    def answers(self, values: object) -> tuple[Answer, ...]:
        asked = {question.id for question in self.questions}
        if not asked:
            return ()
        claims = [claim for _, claim in self.each("answers", form.ClaimedAnswer, values, len(asked))]
        given = Counter(claim.id for claim in claims)
        kept = {}
        for claim in claims:
            place = f"answers, id {claim.id[:64]}"
            if claim.id not in asked:
                self.wrong(place, "was not asked")
            elif given[claim.id] > 1:
                self.wrong(place, "is answered more than once")
            else:
                holds, evidence = self.quoted(place, claim.quote, needed=claim.verdict == "yes")
                if holds:
                    kept[claim.id] = Answer(item_id=claim.id, verdict=claim.verdict, evidence=evidence)
        for missing in sorted(asked - kept.keys()):
            self.wrong(f"answers, id {missing}", "has no answer that holds", Gap.QUESTION_NOT_ANSWERED)
        return tuple(kept[question.id] for question in self.questions if question.id in kept)
