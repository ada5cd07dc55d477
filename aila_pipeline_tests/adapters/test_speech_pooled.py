"""Many calls recognised together: whose words are whose, what fails alone, and when a call is done."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import decode_audio
from numpy.typing import NDArray

from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.adapters.speech_calls import Question
from aila_pipeline.adapters.speech_decoding import Decoder
from aila_pipeline.adapters.speech_method import Method
from aila_pipeline.adapters.speech_windows import SoundWindow
from aila_pipeline.demo.samples import samples
from aila_pipeline.domain.models import Recognition
from aila_pipeline.errors import AudioInvalid, LeaseLost, RecognitionFailed, StoreUnavailable
from aila_pipeline_tests.adapters.pooled import (
    METHOD,
    a_question,
    a_run,
    failing,
    sample_question,
    short_windows,
    whisper,
    windows,
)
from aila_pipeline_tests.adapters.sounds import a_recording
from aila_pipeline_tests.word_error_rate import word_error_rate
from tools.demo_model.nonspeech import non_speech
from tools.measurements.random_model import Dimensions, make_model

DEMO = Recogniser("demo")
NAMES = ["sales_01", "support_08", "sales_10", "support_09", "sales_04"]
RATE_HZ = 16_000


def text(recognition: Recognition) -> str:
    return " ".join(utterance.text for utterance in recognition.utterances)


def a_truncated_file(folder: Path) -> Path:
    """Bytes of no recording."""
    path = folder / "broken.wav"
    path.write_bytes(b"RIFF....WAVEfmt ")
    return path


@pytest.fixture(scope="module")
def alone() -> dict[str, Recognition]:
    """Each call by itself."""
    return {
        question.about: DEMO.recognise(path, question.facts)
        for name in NAMES
        for path in [samples()[name].path]
        for question in [a_question(path)]
    }


@pytest.mark.parametrize("batches", [1, 2])
def test_calls_together_are_heard_as_each_alone(alone: dict[str, Recognition], batches: int) -> None:
    """Word by word and to the millisecond, whichever windows share a batch, and with two batches at one time."""
    run = a_run(Decoder(whisper(), METHOD, largest=4), batches=batches)
    answers = {answer.about: answer.recognition() for answer in run.answers(map(sample_question, NAMES), windows)}
    assert set(answers) == set(alone)
    for name, recognition in answers.items():
        if name.startswith("support_09"):
            continue  # dual mono: this run hears both channels, the recogniser one
        assert recognition.utterances == alone[name].utterances


def test_the_seconds_and_windows_of_each_call_are_told() -> None:
    questions = [sample_question(name) for name in NAMES]
    answers = {answer.about: answer for answer in DEMO.recognise_all(questions)}
    assert all(answer.seconds > 0 for answer in answers.values())
    both, mono = (answers[samples()[name].file].sums["speech/windows"] for name in ("sales_01", "support_09"))
    assert 2 <= both <= 4, "one for each channel; one whose rest is heard again counts twice"
    assert 1 <= mono <= 2


def test_a_call_is_answered_before_the_last_one_is_even_asked_for() -> None:
    """With room for one window at a time, the reader is never more than a few windows ahead."""
    asked: list[int] = []

    def questions() -> Iterator[Question[str]]:
        for number in range(12):
            asked.append(number)
            yield sample_question("sales_01")

    answers = a_run(Decoder(whisper(), METHOD, largest=1)).answers(questions(), short_windows)
    next(answers)
    assert max(asked) <= 4
    answers.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("speech")]


def test_all_calls_but_the_first_are_asked_for_in_another_thread() -> None:
    threads: list[str] = []

    def questions() -> Iterator[Question[str]]:
        for _ in range(2):
            threads.append(threading.current_thread().name)
            yield sample_question("sales_04")

    assert len(list(DEMO.recognise_all(questions()))) == 2
    assert threads == [threading.current_thread().name, "speech-reader"]


def test_without_calls_no_model_is_needed(tmp_path: Path) -> None:
    assert list(Recogniser(str(tmp_path / "no model")).recognise_all([])) == []


def test_the_sound_of_a_long_call_is_let_go_as_it_is_heard(tmp_path: Path) -> None:
    """Of some fifty windows no more than eight are there at a time: pooled, read ahead, in hand."""
    left, right = decode_audio(str(samples()["sales_01"].path), split_stereo=True)
    path = a_recording(tmp_path / "long.wav", "wav-16", np.tile(left, 9), np.tile(right, 9), rate_hz=RATE_HZ)
    alive: list[int] = []

    def look(_windows: int) -> None:
        gc.collect()
        alive.append(sum(type(thing) is SoundWindow for thing in gc.get_objects()))

    before = sum(type(thing) is SoundWindow for thing in gc.get_objects())
    quick = Method(temperature=0.0, beam_size=1, max_new_tokens=40, hear_rest=False)
    (answer,) = a_run(Decoder(failing(look), quick, largest=1)).answers([a_question(path)], short_windows)
    assert answer.sums["speech/windows"] == len(alive) > 40
    assert max(alive) - before <= 8


def test_a_recording_that_cannot_be_read_fails_alone(tmp_path: Path, alone: dict[str, Recognition]) -> None:
    good = sample_question("sales_04")
    broken = Question("broken", good.facts, lambda: nullcontext(a_truncated_file(tmp_path)))
    answers = {answer.about: answer for answer in DEMO.recognise_all([broken, good])}
    with pytest.raises(AudioInvalid):
        answers["broken"].recognition()
    assert answers[good.about].recognition().utterances == alone[good.about].utterances


def test_a_store_that_fails_is_told_with_the_call_that_met_it() -> None:
    def lost() -> nullcontext[Path]:
        raise StoreUnavailable

    (answer,) = DEMO.recognise_all([Question("call", sample_question("sales_04").facts, lost)])
    with pytest.raises(StoreUnavailable):
        answer.recognition()


def test_what_the_asker_raises_ends_the_work() -> None:
    def questions() -> Iterator[Question[str]]:
        yield sample_question("sales_04")
        raise LeaseLost

    with pytest.raises(LeaseLost):
        list(DEMO.recognise_all(questions()))


def test_a_window_that_fails_leaves_a_gap_that_is_told() -> None:
    calls: list[int] = []

    def stumble(_windows: int) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("a secret")

    run = a_run(Decoder(failing(stumble), METHOD, largest=1))
    (answer,) = run.answers([sample_question("sales_01")], short_windows)
    recognition = answer.recognition()
    assert answer.sums["speech/windows_failed"] == 1
    assert recognition.missing
    assert recognition.utterances
    for missing in recognition.missing:
        assert 0 <= missing.start < missing.end <= recognition.seconds
        inside = [
            word
            for utterance in recognition.utterances
            if utterance.channel == missing.channel
            for word in utterance.words
            if missing.start <= (word.start + word.end) / 2 <= missing.end
        ]
        assert inside == []


def test_a_call_of_which_nothing_could_be_recognised_fails() -> None:
    def refuse(_windows: int) -> None:
        raise ValueError("a secret")

    run = a_run(Decoder(failing(refuse), METHOD, largest=2))
    (answer,) = run.answers([sample_question("sales_04")], windows)
    with pytest.raises(RecognitionFailed, match="ValueError") as caught:
        answer.recognition()
    assert "secret" not in caught.value.message


def test_a_window_cut_for_want_of_tokens_is_heard_in_parts() -> None:
    """With room for six tokens at a time, most of the words are still there."""
    short = Method(temperature=0.0, max_new_tokens=12, no_repeat_ngram_size=6)
    (answer,) = a_run(Decoder(whisper(), short, largest=4)).answers([sample_question("sales_04")], windows)
    said = " ".join(turn.text for turn in samples()["sales_04"].turns)
    assert answer.sums["speech/windows_cut"] > 0
    assert len(text(answer.recognition()).split()) > 0.6 * len(said.split())


@pytest.mark.parametrize("kind", ["zeros", "white noise", "hum", "non-speech"])
def test_what_is_no_speech_has_no_words(kind: str, tmp_path: Path) -> None:
    """A minute each; non-speech is music, ring and dial tones, clicks and noises, as on hold."""
    random = np.random.default_rng(17)
    seconds = np.arange(60 * RATE_HZ) / RATE_HZ
    sounds: dict[str, NDArray[Any]] = {
        "zeros": np.zeros(60 * RATE_HZ),
        "white noise": random.normal(scale=0.03, size=60 * RATE_HZ),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * seconds) + 0.05 * np.sin(2 * np.pi * 150 * seconds),
        "non-speech": non_speech(60, random),
    }
    path = a_recording(tmp_path / "call.wav", "wav-16", sounds[kind].astype(np.float32), rate_hz=RATE_HZ)
    (answer,) = DEMO.recognise_all([a_question(path)])
    assert text(answer.recognition()) == ""


def test_a_channel_without_speech_costs_no_window(tmp_path: Path) -> None:
    tones = (0.2 * np.sin(np.arange(30 * RATE_HZ) * 0.17)).astype(np.float32)
    path = a_recording(tmp_path / "call.wav", "wav-16", tones, np.zeros_like(tones), rate_hz=RATE_HZ)
    (answer,) = DEMO.recognise_all([a_question(path)])
    assert answer.sums.get("speech/windows", 0) == 0


def test_a_language_that_nobody_gave_is_voted_by_the_call_s_windows(tmp_path: Path) -> None:
    """A model with random weights hears nonsense, but in one language a call, and the same one again."""
    folder = make_model(tmp_path / "model", Dimensions(width=64, heads=1, layers=2))
    (folder / "aila.json").write_text('{"transcribe": {"temperature": 0.0, "max_new_tokens": 3}}')
    recogniser = Recogniser(str(folder), beam_size=1)
    heard = [
        [(a.recognition().language, a.recognition().language_probability) for a in recogniser.recognise_all(asked)]
        for asked in ([sample_question("sales_01")], [sample_question("sales_01"), sample_question("sales_01")])
    ]
    assert heard[0] * 2 == heard[1]
    ((language, probability),) = heard[0]
    assert language is not None
    assert probability is not None
    assert 0 < probability < 1
    (given,) = recogniser.recognise_all([a_question(samples()["sales_01"].path, language="kk")])
    assert (given.recognition().language, given.recognition().language_probability) == ("kk", None)
    (unknown,) = recogniser.recognise_all([a_question(samples()["sales_01"].path, language="xx")])
    with pytest.raises(RecognitionFailed, match="xx"):
        unknown.recognition()


@pytest.mark.slow
def test_the_samples_are_heard_no_worse_than_by_the_plain_engine_and_at_the_same_times() -> None:
    """Half a point of word error rate; 95 % of the words that both hear alike within 0.3 s."""
    plain = Recogniser("demo", engine="plain")
    heard = {}
    for recogniser in (DEMO, plain):
        questions = [sample_question(name) for name in samples()]
        heard[recogniser] = {answer.about: answer.recognition() for answer in recogniser.recognise_all(questions)}
    rates = {recogniser: word_error_rate(pairs(found)) for recogniser, found in heard.items()}
    print(f"word error rate: pooled {rates[DEMO]:.3f}, plain {rates[plain]:.3f}")  # noqa: T201 - shown with -s
    assert rates[DEMO] <= rates[plain] + 0.005
    apart = [shift for name in heard[plain] for shift in shifts(heard[DEMO][name], heard[plain][name])]
    near = sum(shift <= 0.3 for shift in apart) / len(apart)
    print(f"{len(apart)} words in common, {near:.1%} within 0.3 s")  # noqa: T201 - as above
    assert len(apart) > 500
    assert near >= 0.95


def pairs(found: dict[str, Recognition]) -> Iterator[tuple[str, str]]:
    """(said, heard) for each channel with words of its own."""
    for sample in samples().values():
        recognition = found[sample.file]
        if sample.layout != "stereo":
            yield " ".join(turn.text for turn in sample.turns), text(recognition)
            continue
        for channel, role in enumerate(("client", "operator")):
            said = " ".join(turn.text for turn in sample.turns if turn.role == role)
            yield said, " ".join(u.text for u in recognition.utterances if u.channel == channel)


def shifts(one: Recognition, other: Recognition) -> Iterator[float]:
    """How far the starts lie apart of words that both hear, matched in order on each channel."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - for this alone

    for channel in range(2):
        ours, theirs = (
            [word for utterance in found.utterances if utterance.channel == channel for word in utterance.words]
            for found in (one, other)
        )
        matcher = SequenceMatcher(None, [word.text for word in ours], [word.text for word in theirs], autojunk=False)
        for block in matcher.get_matching_blocks():
            for offset in range(block.size):
                yield abs(ours[block.a + offset].start - theirs[block.b + offset].start)
