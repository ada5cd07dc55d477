"""Small builders of what was said, for the tests of everything that reads a transcript.

`said("operator 0.0-1.0: hello there", …)` is a transcript with the words spread evenly over each turn.
"""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import strategies as st

import aila_pipeline
from aila_pipeline.domain.models import Recognition, Role, Transcript, Turn, Utterance, Word

CHECKLISTS = Path(aila_pipeline.__file__).parent / "demo" / "checklists"
"""The checklists that ship."""

LINE = re.compile(r"(?P<who>\w+) (?P<start>[\d.]+)-(?P<end>[\d.]+): (?P<text>.*)")
CHANNEL = {Role.CLIENT: 0, Role.OPERATOR: 1, Role.UNKNOWN: 0}


def words(start: float, end: float, text: str) -> tuple[Word, ...]:
    """The words of `text`, each as long as the others, without pauses, from `start` to `end`."""
    parts = text.split()
    step = (end - start) / max(1, len(parts))
    return tuple(
        Word(start=start + n * step, end=start + (n + 1) * step, text=part, probability=0.9)
        for n, part in enumerate(parts)
    )


def said(*lines: str, seconds: float | None = None, language: str | None = "en") -> Transcript:
    """A transcript from lines `role start-end: text`, taken as turns as they are."""
    turns = []
    for line in lines:
        match = LINE.fullmatch(line)
        assert match, line
        role, start, end = Role(match["who"]), float(match["start"]), float(match["end"])
        spoken = words(start, end, match["text"])
        turns.append(Turn(role=role, channel=CHANNEL[role], start=start, end=end, text=match["text"], words=spoken))
    length = seconds if seconds is not None else max((turn.end for turn in turns), default=0.0)
    return Transcript(language=language, model="test", seconds=length, turns=tuple(turns))


def heard(*channels: tuple[Word, ...], language: str | None = "en", seconds: float = 60.0) -> Recognition:
    """A recognition with one utterance for each channel that has words."""
    return Recognition(
        audio_sha256="0" * 64,
        identity="test",
        model="test",
        language=language,
        seconds=seconds,
        channels=len(channels),
        utterances=tuple(
            Utterance(
                channel=n,
                start=spoken[0].start,
                end=spoken[-1].end,
                text=" ".join(w.text for w in spoken),
                words=spoken,
            )
            for n, spoken in enumerate(channels)
            if spoken
        ),
    )


VOCABULARY = re.split(
    " ",
    "hello good morning how can i help you my order is broken not happy thank sorry yes no what price ten dollars "
    "please добрый день как вам помочь спасибо плохо Hello, okay? 42 twenty-five",
)


def _laid_out(drawn: list[tuple[str, int, int]]) -> tuple[Word, ...]:
    """Words with the given pause before and length, both in hundredths of a second, one after the other."""
    laid, at = [], 0
    for text, pause, length in drawn:
        at += pause
        laid.append(Word(start=at / 100, end=(at + length) / 100, text=text, probability=0.5))
        at += length
    return tuple(laid)


spoken_words = st.lists(
    st.tuples(st.sampled_from(VOCABULARY), st.integers(0, 400), st.integers(1, 120)), max_size=40
).map(_laid_out)

recognitions = st.builds(
    lambda channels, language: heard(
        *channels, language=language, seconds=max([1.0, *(spoken[-1].end for spoken in channels if spoken)])
    ),
    st.lists(spoken_words, min_size=1, max_size=3),
    st.sampled_from(["en", "ru", "de", None]),
)
"""Recognitions of one to three channels, with pauses, overlaps and silent channels."""
