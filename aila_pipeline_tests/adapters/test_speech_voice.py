"""Speech is found as faster-whisper finds it, whatever blocks a channel comes in."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from faster_whisper import decode_audio
from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aila_pipeline.adapters.speech_voice import VoiceProbabilities
from aila_pipeline.demo.samples import samples
from aila_pipeline.domain.voice_activity import SpeechFinder, VoiceRule
from aila_pipeline.domain.windows import Span

RATE_HZ = 16_000
CALL: NDArray[np.float32] = decode_audio(str(samples()["sales_04"].path), split_stereo=True)[1]


def found(sound: NDArray[np.float32], rule: VoiceRule, block: int, *, gated: bool = False) -> list[Span]:
    """Spans from blocks of so many samples; also checks that what is undecided is never told wrong."""
    voice, finder = VoiceProbabilities(ask_about_silence=not gated), SpeechFinder(rule, RATE_HZ)
    spans: list[Span] = []
    for start in range(0, len(sound), block):
        undecided = finder.undecided_from
        new = list(finder.hear(voice.hear(sound[start : start + block])))
        assert all(span.start >= undecided for span in new)
        spans += new
    return [*spans, *finder.hear(voice.end()), *finder.end(len(sound))]


def by_faster_whisper(sound: NDArray[np.float32], rule: VoiceRule) -> list[Span]:
    options = VadOptions(**{name: value for name, value in asdict(rule).items() if value is not None})
    return [Span(span["start"], span["end"]) for span in get_speech_timestamps(sound, options)]


def covered(sound: NDArray[np.float32], spans: list[Span]) -> NDArray[np.bool_]:
    """Which samples lie in a span."""
    inside = np.zeros(len(sound), bool)
    for span in spans:
        inside[span.start : span.end] = True
    return inside


RULES = st.builds(
    VoiceRule,
    threshold=st.floats(0.05, 0.95),
    neg_threshold=st.none() | st.floats(0.01, 0.9),
    min_speech_duration_ms=st.integers(0, 1500),
    max_speech_duration_s=st.floats(2.5, 40) | st.just(float("inf")),
    min_silence_duration_ms=st.integers(0, 2500),
    speech_pad_ms=st.integers(0, 900),
)


@settings(max_examples=40, deadline=None)
@given(RULES, st.integers(100, 400_000), st.integers(0, 1000))
def test_blocks_of_any_length_give_the_spans_of_the_whole(rule: VoiceRule, block: int, cut: int) -> None:
    sound = CALL[: len(CALL) - cut]
    assert found(sound, rule, block) == by_faster_whisper(sound, rule)


def test_blocks_of_any_length_give_the_probabilities_of_the_whole() -> None:
    whole = get_vad_model()(np.pad(CALL, (0, 512 - len(CALL) % 512))).reshape(-1)
    for block in (160, 5_000, 160_000):
        voice = VoiceProbabilities(ask_about_silence=True)
        parts = [voice.hear(CALL[start : start + block]) for start in range(0, len(CALL), block)]
        assert np.concatenate([*parts, voice.end()]) == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("name", ["sales_01", "sales_10", "support_04", "support_08"])
def test_not_asking_about_digital_silence_loses_no_speech(name: str) -> None:
    """A minute of silence in front. Without asking, a span may begin a little earlier, and none is shorter."""
    rule = VoiceRule(min_silence_duration_ms=160)
    for sound in decode_audio(str(samples()[name].path), split_stereo=True):
        longer = np.concatenate((np.zeros(60 * RATE_HZ, np.float32), sound))
        quick, asked = (covered(longer, found(longer, rule, 160_000, gated=gated)) for gated in (True, False))
        assert np.count_nonzero(asked & ~quick) <= 0.1 * RATE_HZ
        assert np.count_nonzero(quick & ~asked) <= 0.1 * np.count_nonzero(asked)


def test_a_silent_channel_has_no_speech() -> None:
    assert found(np.zeros(60 * RATE_HZ, np.float32), VoiceRule(), 160_000, gated=True) == []
    assert found(np.zeros(0, np.float32), VoiceRule(), 160_000, gated=True) == []
