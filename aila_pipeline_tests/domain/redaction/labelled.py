"""Labelled utterances: what must go is marked in them, and how well it is found is counted.

A line is `language | text` with marks `[[kind:what must go]]`. A mark is found when each of its letters and digits is
covered by findings; a finding is false when it covers nothing that is marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aila_pipeline.domain.redaction import Finding, Kind

HERE = Path(__file__).parent
FILES = ("tuning.txt", "held_out.txt", "hardest.txt")
_MARK = re.compile(r"\[\[(\w+):(.*?)\]\]")


@dataclass(frozen=True)
class Utterance:
    """One line: the text without marks, and what is marked in it."""

    language: str
    text: str
    marked: tuple[Finding, ...]


def utterances(name: str) -> list[Utterance]:
    """The utterances of a file of this folder."""
    lines = (HERE / name).read_text("utf-8").splitlines()
    return [_utterance(line) for line in lines if line.strip() and not line.startswith("#")]


def _utterance(line: str) -> Utterance:
    language, written = line.split(" | ", 1)
    text, marked, at = "", [], 0
    for mark in _MARK.finditer(written):
        text += written[at : mark.start()]
        marked.append(Finding(Kind(mark[1]), len(text), len(text) + len(mark[2])))
        text, at = text + mark[2], mark.end()
    return Utterance(language, text + written[at:], tuple(marked))


@dataclass
class Tally:
    """How many marks were found, how many findings were right, and each miss in words."""

    marks: int = 0
    found: int = 0
    findings: int = 0
    right: int = 0
    kinds: int = 0
    """Marks that were found as what they are."""
    faults: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / self.marks

    @property
    def precision(self) -> float:
        return self.right / self.findings

    def __str__(self) -> str:
        figures = f"recall {self.recall:.4f} ({self.found}/{self.marks}), "
        figures += f"precision {self.precision:.4f} ({self.right}/{self.findings}), kinds {self.kinds}/{self.marks}"
        return "\n".join([figures, *self.faults])


def tally(said: Sequence[Utterance], find: Callable[[str], Sequence[Finding]]) -> Tally:
    """The figures of `find` on these utterances."""
    told = Tally()
    for one in said:
        findings = find(one.text)
        covered = {at for found in findings for at in range(found.start, found.end)}
        for mark in one.marked:
            left = [one.text[at] for at in range(mark.start, mark.end) if one.text[at].isalnum() and at not in covered]
            told.marks += 1
            told.found += not left
            overlapping = {found.kind for found in findings if found.start < mark.end and mark.start < found.end}
            told.kinds += overlapping == {mark.kind}
            if left:
                told.faults.append(f"missed {''.join(left)!r} of {one.text!r}")
        must = {at for mark in one.marked for at in range(mark.start, mark.end)}
        for found in findings:
            right = not must.isdisjoint(range(found.start, found.end))
            told.findings += 1
            told.right += right
            if not right:
                told.faults.append(f"false {one.text[found.start : found.end]!r} in {one.text!r}")
    return told
