"""Voices: who speaks in training, how often, and who is never heard there.

Lives here: the cast, and speaking one part with whichever engine has the voice. Does not: the engines (flite.py,
festival.py, espeak.py) or what is done with the sound (synthesise.py).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.demo_model import espeak, festival, flite
from tools.demo_model.flite import Spoken

Engine = Literal["flite", "festival", "espeak"]


@dataclass(frozen=True)
class Voice:
    """A voice as its engine calls it, and its share of the training speech."""

    name: str
    engine: Engine
    share: float


CAST: tuple[Voice, ...] = (
    Voice("slt", "flite", 0.17),
    Voice("rms", "flite", 0.17),
    Voice("awb", "flite", 0.17),
    Voice("ked_diphone", "festival", 0.15),
    Voice("cmu_us_slt_arctic_hts", "festival", 0.06),
    *(Voice(variant, "espeak", 0.035) for variant in ("m3", "m7", "f2", "f5", "klatt2", "klatt4", "Andy", "Annie")),
)
"""Statistical voices (flite's, slt-hts), a diphone voice (ked), formant and Klatt voices (eSpeak NG's variants)."""

UNHEARD = "kal16"
"""flite's diphone voice: no part in any training, so that it tells how a new voice is heard. Neither have flite's kal
and Festival's kal_diphone, the same man."""


@dataclass(frozen=True)
class Part:
    """A text, who speaks it, and how: `stretch` above 1 is slower, `pitch` (eSpeak alone) is 0-99."""

    text: str
    voice: Voice
    stretch: float = 1.0
    pitch: int = 50


def draw_voice(choice: random.Random) -> Voice:
    """One of the cast, by its share."""
    return choice.choices(CAST, [voice.share for voice in CAST])[0]


def named(name: str) -> Voice:
    """A voice of the cast, or the unheard one.

    Raises:
        KeyError: there is no such voice.
    """
    return {voice.name: voice for voice in (*CAST, Voice(UNHEARD, "flite", 0.0))}[name]


def speak(parts: Sequence[Part]) -> list[Spoken]:
    """All parts spoken, in their order."""
    told = [part for part in parts if part.voice.engine == "festival"]
    by_festival = iter(festival.say_all([festival.Line(part.text, part.voice.name, part.stretch) for part in told]))
    return [next(by_festival) if part.voice.engine == "festival" else _alone(part) for part in parts]


def _alone(part: Part) -> Spoken:
    if part.voice.engine == "flite":
        return flite.say(part.text, part.voice.name, stretch=part.stretch)
    return espeak.say(part.text, part.voice.name, stretch=part.stretch, pitch=part.pitch)
