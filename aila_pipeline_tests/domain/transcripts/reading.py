"""Reads the calls of this folder: what was said, and what a person expects of it.

A file is a list of calls. Each has
- `call`: what it shows; `language` (default en) and `seconds` of the recording (default: the last word's end);
- `turns`: `role start-end: text`, the words spread evenly over the turn, or a list `[start-end word, …]`. The operator
  is on channel 1, everybody else on 0; `role/channel` says otherwise;
- `figures`: by name; a list is one figure for operator, client and, if there is a third, unknown; `keywords` with
  counts;
- `items` or `checklist` (one that ships), `verdicts` (`pass|fail|not_applicable`, then start and quote of the evidence)
  and `score`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aila_pipeline.domain.models import Role, Transcript, Turn, Word
from aila_pipeline.domain.scoring import Checklist, parse_checklist
from aila_pipeline_tests.domain.conversations import CHANNEL, CHECKLISTS, words

HERE = Path(__file__).parent
HEAD = re.compile(r"(operator|client|unknown)(?:/(\d))? ([\d.]+)-([\d.]+)")
SPOKEN = re.compile(r"([\d.]+)-([\d.]+) (\S+)")
KEYS = {"call", "language", "seconds", "turns", "figures", "items", "checklist", "verdicts", "score"}


@dataclass(frozen=True)
class Call:
    """One call and what is expected of it."""

    name: str
    transcript: Transcript
    figures: dict[str, Any]
    checklist: Checklist | None
    verdicts: dict[str, str]
    score: float | None


def all_calls() -> list[Call]:
    """Every call of this folder."""
    return [
        _call(path.stem, told)
        for path in sorted(HERE.glob("*.yaml"))
        for told in yaml.safe_load(path.read_text("utf-8"))
    ]


def _call(file: str, told: dict[str, Any]) -> Call:
    assert told.keys() <= KEYS, told.keys() - KEYS
    assert ("verdicts" in told) == ("score" in told) == ("items" in told or "checklist" in told), told["call"]
    turns = [_turn(head, said) for turn in told["turns"] for head, said in turn.items()]
    transcript = Transcript(
        language=told.get("language", "en"),
        model="by hand",
        seconds=told.get("seconds", max((turn.end for turn in turns), default=0)),
        turns=tuple(turns),
    )
    return Call(
        name=f"{file}: {told['call']}",
        transcript=transcript,
        figures=told.get("figures", {}),
        checklist=_checklist(told),
        verdicts=told.get("verdicts", {}),
        score=told.get("score"),
    )


def _turn(head: str, said: str | list[str]) -> Turn:
    match = HEAD.fullmatch(head)
    assert match, head
    role, start, end = Role(match[1]), float(match[3]), float(match[4])
    spoken = words(start, end, said) if isinstance(said, str) else tuple(_word(word) for word in said)
    return Turn(
        role=role,
        channel=CHANNEL[role] if match[2] is None else int(match[2]),
        start=start,
        end=end,
        text=" ".join(word.text for word in spoken),
        words=spoken,
    )


def _word(said: str) -> Word:
    match = SPOKEN.fullmatch(said)
    assert match, said
    return Word(start=float(match[1]), end=float(match[2]), text=match[3], probability=0.9)


def _checklist(told: dict[str, Any]) -> Checklist | None:
    if "checklist" in told:
        path = CHECKLISTS / f"{told['checklist']}.yaml"
        return parse_checklist(path.read_text("utf-8"), path.name)
    if "items" not in told:
        return None
    return Checklist.model_validate(
        {"id": "by-hand", "version": "1", "title": "By hand", "segments": ["*"], "items": told["items"]}
    )
