"""Festival as a process: many sentences at a time, with the place of each word and phone.

Lives here: the script it is given, and reading what it says. Does not: flite's and eSpeak's voices (flite.py,
espeak.py). Needs Debian's `festival` with `festvox-kdlpc16k` and `festvox-us-slt-hts`.
"""

from __future__ import annotations

import subprocess
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.demo_model.flite import RATE_HZ, Spoken
from tools.demo_model.resampling import resampled

_SPEAK = """
(define (speak text path)
  (set! utterance (SynthText text))
  (utt.save.wave utterance path 'riff)
  (mapcar
    (lambda (segment)
      (format t "%s %s %s %s\\n" (item.name segment) (item.feat segment 'end)
        (item.feat segment "R:SylStructure.parent.parent.name") (item.feat segment "R:SylStructure.parent.parent.id")))
    (utt.relation.items utterance 'Segment))
  (format t "END\\n"))
"""


@dataclass(frozen=True)
class Line:
    """A sentence, and which of Festival's voices says it how slowly (`stretch` above 1 is slower)."""

    text: str
    voice: str
    stretch: float


def say_all(lines: Sequence[Line]) -> list[Spoken]:
    """Speak all lines in one process.

    Raises:
        subprocess.CalledProcessError: Festival failed, for want of a voice say.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "speak.scm")
        commands = [_SPEAK]
        for number, line in enumerate(lines):
            commands.append(f"(voice_{line.voice})(Parameter.set 'Duration_Stretch {line.stretch:.3f})")
            commands.append(f'(speak "{line.text}" "{folder}/{number}.wav")')
        script.write_text("\n".join(commands), "utf-8")
        told = subprocess.run(["festival", "-b", str(script)], check=True, capture_output=True, text=True).stdout
        blocks = told.split("END\n")[: len(lines)]
        return [_spoken(Path(folder, f"{number}.wav"), block) for number, block in enumerate(blocks)]


def _spoken(path: Path, block: str) -> Spoken:
    with wave.open(str(path)) as sound:
        rate_hz, raw = sound.getframerate(), sound.readframes(sound.getnframes())
    samples = np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(32768)
    words: list[tuple[str, float, float]] = []
    phones: list[tuple[str, float]] = []
    last, begin = "", 0.0
    for row in block.strip().splitlines():
        phone, end, word, identity = row.split()
        phones.append((phone, float(end)))
        # An "r" that a rule puts after "er" belongs to no word; it is heard as part of the one before it.
        if words and (identity == last or (word == "0" and phone != "pau")):
            words[-1] = (*words[-1][:2], float(end))
        elif word != "0":
            words.append((word, begin, float(end)))
            last = identity
        begin = float(end)
    return Spoken(resampled(samples, rate_hz / RATE_HZ), words, phones)
