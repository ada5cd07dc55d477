"""Dialogues: what the sample calls say, read from dialogues.yaml and checked against the demo model's vocabulary.

Lives here: the script's structure and its rules (known words only, nothing that training contained). Does not: sound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import TypeAdapter

from tools.demo_model.sentences import EXPORTED
from tools.demo_model.training_text import drawn_in_training

SCRIPT = Path(__file__).with_name("dialogues.yaml")

Role = Literal["operator", "client"]
Layout = Literal["stereo", "mono", "dual_mono"]
Direction = Literal["inbound", "outbound"]


@dataclass(frozen=True)
class Audio:
    """How a call is stored: FFmpeg's name of an encoder, and bits a second for a lossy one.

    `layout`: stereo (client left, operator right), mono, or the mix of both on two channels.
    """

    file: str
    codec: str
    rate_hz: int
    bit_rate: int | None = None
    layout: Layout = "stereo"


@dataclass(frozen=True)
class Speaker:
    """A person of a call and the flite voice that speaks for them."""

    name: str
    voice: str


@dataclass(frozen=True)
class Line:
    """One turn of the script. `pause_seconds`: silence before it, negative to overlap, None for the maker's choice."""

    role: Role
    text: str
    pause_seconds: float | None = None


@dataclass(frozen=True)
class Dialogue:
    """One call."""

    name: str
    about: str
    audio: Audio
    operator: Speaker
    client: Speaker
    turns: list[Line]
    direction: Direction = "inbound"

    @property
    def segment_type(self) -> str:
        """`sales` or `support`, from the name."""
        return self.name.split("_")[0]


def read(path: Path = SCRIPT) -> list[Dialogue]:
    """All dialogues of the script.

    Raises:
        pydantic.ValidationError: the file does not have the shape that its opening comment describes.
    """
    dialogues = yaml.safe_load(path.read_text("utf-8"))
    for dialogue in dialogues:
        dialogue["turns"] = [
            dict(zip(("role", "text", "pause_seconds"), turn, strict=False)) for turn in dialogue["turns"]
        ]
    return TypeAdapter(list[Dialogue]).validate_python(dialogues)


def words_of(text: str) -> list[str]:
    """The words as the model writes them: lower case, no punctuation.

    >>> words_of("Great, I will call.")
    ['great', 'i', 'will', 'call']
    """
    return re.findall(r"[a-z]+", text.lower())


def as_spoken(text: str) -> str:
    """The text as flite gets it: lower case, every mark a comma, which is the only mark that training used.

    >>> as_spoken("Good morning. How may I help you?")
    'good morning, how may i help you'
    """
    return re.sub(r"[.?,]+", ",", text.lower()).strip(" ,")


def problems(dialogue: Dialogue) -> list[str]:
    """What makes a dialogue unfit: unknown words, and sentences that training contained."""
    found = []
    for line in dialogue.turns:
        unknown = set(words_of(line.text)) - set(EXPORTED)
        if unknown:
            found.append(f"{dialogue.name}: the model does not know {sorted(unknown)}")
        for part in re.split(r"[.?]", line.text):
            sentence = " ".join(words_of(part))
            if sentence in drawn_in_training():
                found.append(f"{dialogue.name}: training contained {sentence!r}")
    return found
