"""What the speech engines tell of the places of words is read rightly, also where they run words together."""

from __future__ import annotations

import ctypes
import wave
from pathlib import Path

import numpy as np
import pytest

from tools.demo_model import espeak, festival

RATE_HZ = 16_000


def an_engine(words: list[tuple[int, int, float]], pauses: list[float]) -> espeak._Engine:
    """eSpeak after it has spoken."""
    return espeak._Engine(ctypes.CDLL(None), 22_050, words=words, pauses=pauses)


def test_words_that_espeak_runs_together_share_their_time() -> None:
    engine = an_engine([(0, 5, 0.0), (6, 3, 0.5), (14, 5, 1.1)], [])
    placed = espeak._placed("thank for the house", engine, 1.6)
    assert [word for word, *_ in placed] == ["thank", "for", "the", "house"]
    assert [start for _, start, _ in placed] == pytest.approx([0.0, 0.5, 0.8, 1.1])
    assert [end for *_, end in placed] == pytest.approx([0.5, 0.8, 1.1, 1.6])


def test_a_word_before_a_pause_ends_where_the_pause_begins() -> None:
    engine = an_engine([(0, 3, 0.0), (3, 0, 0.4), (5, 2, 0.6)], [0.4])
    (yes, _, end_of_yes), (my, start_of_my, _) = espeak._placed("yes, my", engine, 0.9)
    assert (yes, my) == ("yes", "my")
    assert (end_of_yes, start_of_my) == pytest.approx((0.4, 0.6))


def test_a_phone_that_festival_puts_after_a_word_is_heard_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(32_000)
        sound.writeframes(np.zeros(32_000, "<i2").tobytes())
    told = "pau 0.2 0 0\nf 0.3 four _1\ner 0.4 four _1\nr 0.45 0 0\npau 0.6 0 0\nf 0.7 four _2\nay 0.9 four _2\n"
    spoken = festival._spoken(path, told)
    assert spoken.words == [("four", 0.2, 0.45), ("four", 0.6, 0.9)]
    assert spoken.phones[0] == ("pau", 0.2)
    assert len(spoken.samples) == RATE_HZ
