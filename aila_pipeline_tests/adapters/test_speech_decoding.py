"""A batch of windows through the demo model: what one gives does not depend on the others."""

from __future__ import annotations

import inspect

import pytest
from faster_whisper import WhisperModel

from aila_pipeline.adapters.speech_decoding import Decoder
from aila_pipeline.adapters.speech_method import Method
from aila_pipeline.domain.models import Hints
from aila_pipeline.errors import ModelUnavailable
from aila_pipeline_tests.adapters.pooled import METHOD, failing, ready, sample_windows, whisper

WINDOWS = sample_windows("sales_01", "support_08", "sales_10")


def tokens(decoder: Decoder, batch: int) -> list[tuple[int, ...]]:
    found = []
    for start in range(0, len(WINDOWS), batch):
        heard = decoder.hear([ready(decoder, window) for window in WINDOWS[start : start + batch]])
        found += [window.tokens for window in heard.windows]
    return found


def test_every_window_gives_the_same_tokens_and_words_alone_and_in_a_batch() -> None:
    decoder = Decoder(whisper(), METHOD, largest=12)
    alone = [decoder.hear([ready(decoder, window)]).windows[0] for window in WINDOWS]
    together = decoder.hear([ready(decoder, window) for window in WINDOWS]).windows
    assert [heard.tokens for heard in together] == [heard.tokens for heard in alone]
    assert [heard.utterances for heard in together] == [heard.utterances for heard in alone]
    assert sum(len(heard.tokens) for heard in alone) > 100


def test_encoding_all_windows_of_a_batch_at_once_as_on_a_gpu_gives_the_same_tokens() -> None:
    together = Decoder(whisper(), METHOD, largest=12, encode_together=True)
    assert tokens(together, 12) == tokens(Decoder(whisper(), METHOD, largest=12), 5)


def test_a_batch_for_which_there_is_no_memory_is_halved_until_it_fits() -> None:
    asked: list[int] = []

    def refuse(windows: int) -> None:
        asked.append(windows)
        if windows > 2:
            raise RuntimeError("CUDA failed with error out of memory")

    decoder = Decoder(failing(refuse), METHOD, largest=8)
    batch = [ready(decoder, window) for window in WINDOWS[:8]]
    heard = decoder.hear(batch)
    assert asked == [8, 4, 2, 2, 4, 2, 2]
    assert (heard.halved, decoder.largest) == (3, 2)
    sound = Decoder(whisper(), METHOD, largest=8)
    assert [window.tokens for window in heard.windows] == [window.tokens for window in sound.hear(batch).windows]


@pytest.mark.parametrize("told", ["CUDA failed with error out of memory", "CUDA failed with error device lost"])
def test_a_device_that_fails_for_one_window_is_nobodys_fault(told: str) -> None:
    def refuse(_windows: int) -> None:
        raise RuntimeError(told)

    decoder = Decoder(failing(refuse), METHOD, largest=2)
    with pytest.raises(ModelUnavailable, match="while recognising"):
        decoder.hear([ready(decoder, window) for window in WINDOWS[:2]])


def test_a_window_that_fails_does_not_take_its_batch_with_it() -> None:
    calls: list[int] = []

    def stumble(windows: int) -> None:
        calls.append(windows)
        if windows > 1 or len(calls) == 3:
            raise ValueError("a secret")

    decoder = Decoder(failing(stumble), METHOD, largest=3)
    heard = decoder.hear([ready(decoder, window) for window in WINDOWS[:3]]).windows
    assert [type(window.error) for window in heard] == [type(None), ValueError, type(None)]


def test_a_window_that_no_temperature_satisfies_is_tried_at_each_and_alone() -> None:
    asked: list[int] = []
    method = Method(temperature=(0.0, 0.2, 0.4), log_prob_threshold=0.0, max_new_tokens=20, no_speech_threshold=None)
    decoder = Decoder(failing(asked.append), method, largest=2)
    heard = decoder.hear([ready(decoder, window) for window in WINDOWS[:2]]).windows
    assert asked == [2, 1, 1, 1, 1]
    assert all(window.retried for window in heard)


def test_a_window_that_sounds_silent_has_no_words() -> None:
    method = Method(temperature=0.0, no_speech_threshold=-1.0, log_prob_threshold=0.0, max_new_tokens=60)
    (heard,) = (
        Decoder(whisper(), method, largest=1).hear([ready(Decoder(whisper(), method, largest=1), WINDOWS[0])]).windows
    )
    assert (heard.utterances, heard.retried) == ((), False)
    assert heard.tokens


def test_a_window_without_room_for_all_its_words_is_heard_in_halves() -> None:
    decoder = Decoder(whisper(), Method(temperature=0.0, max_new_tokens=4), largest=1)
    window = max(WINDOWS, key=lambda window: window.window.length)
    (heard,) = decoder.hear([ready(decoder, window)]).windows
    first, second = heard.again
    assert heard.utterances == ()
    assert first.window.speech + second.window.speech == window.window.speech
    assert first.window.span.end <= second.window.span.start


def test_hot_words_and_a_prompt_come_before_the_window() -> None:
    decoder = Decoder(whisper(), METHOD, largest=1)
    bare = decoder.prompt("en", Hints())
    for hints in (Hints(hotwords="monday order"), Hints(initial_prompt="monday order")):
        told = decoder.prompt("en", hints)
        assert len(told) == len(bare) + 3
        assert told[-len(bare) :] == bare


def test_more_new_tokens_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="exceed"):
        Decoder(whisper(), Method(max_new_tokens=9_999), largest=1).prompt("en", Hints())


def test_the_options_are_faster_whispers_own_with_its_defaults() -> None:
    """But for lists, which are tuples here."""
    theirs = inspect.signature(WhisperModel.transcribe).parameters
    ours = {name: value for name, value in Method().decisive().items() if name != "hear_rest"}
    assert ours == {
        name: tuple(theirs[name].default) if isinstance(theirs[name].default, list) else theirs[name].default
        for name in ours
    }


@pytest.mark.parametrize(
    ("prompt", "wanted", "expected"),
    [(1, None, (448, 224)), (1, 60, (120, 60)), (100, 60, (160, 60)), (300, None, (448, 149))],
)
def test_a_limit_of_new_tokens_is_what_the_model_gets(
    prompt: int, wanted: int | None, expected: tuple[int, int]
) -> None:
    """CTranslate2 halves what it is given."""
    assert Method(max_new_tokens=wanted).limits(prompt, 448) == expected
