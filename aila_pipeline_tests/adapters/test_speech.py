"""What the recogniser hears, with the demo model, in `recordings/two_voices.flac`.

The recording is 12 s of stereo at 8 kHz, synthesised with flite: its voice slt on the left at 0.5 s and 8 s, rms on
the right at 3 s, with the words below.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from faster_whisper import WhisperModel

from aila_pipeline.adapters.audio import channel_blocks, inspect
from aila_pipeline.adapters.speech import Recogniser, channels_to_recognise
from aila_pipeline.adapters.speech_model import find_model, read_card
from aila_pipeline.domain.models import AudioFacts, Hints, Recognition
from aila_pipeline.errors import LeaseLost, ModelUnavailable, RecognitionFailed
from aila_pipeline.settings import Settings
from aila_pipeline_tests.adapters.sounds import Signal, a_recording, tone

TWO_VOICES = Path(__file__).parent / "recordings" / "two_voices.flac"
LEFT = ["hello how can i help you today", "your order was delivered on monday"]
RIGHT = ["good morning i have a problem with my account"]
DEMO = Recogniser("demo")
PLAIN = Recogniser("demo", engine="plain")
BOTH = pytest.mark.parametrize("recogniser", [DEMO, PLAIN], ids=["pooled", "plain"])
RATE_HZ = 8_000


def facts_of(path: Path) -> AudioFacts:
    return inspect(path, max_seconds=3600, max_bytes=2**31)


def hear(path: Path, recogniser: Recogniser = DEMO) -> Recognition:
    return recogniser.recognise(path, facts_of(path))


def voices() -> tuple[Signal, Signal]:
    """The two channels of the recording."""
    with av.open(TWO_VOICES) as container:
        frames = [frame.to_ndarray().reshape(-1, 2).T for frame in container.decode(audio=0)]
    left, right = np.concatenate(frames, axis=1).astype(np.float32) / 32768
    return left, right


def texts(recognition: Recognition, channel: int) -> list[str]:
    return [utterance.text for utterance in recognition.utterances if utterance.channel == channel]


def a_recogniser(folder: Path, **card: object) -> Recogniser:
    """The demo model with another card."""
    shutil.copytree(find_model("demo", on_download=print), folder)
    (folder / "aila.json").unlink()
    (folder / "aila.json").write_text(json.dumps(card))
    return Recogniser(str(folder))


@BOTH
def test_each_channel_s_words_are_heard_where_they_were_said(recogniser: Recogniser) -> None:
    recognition = hear(TWO_VOICES, recogniser)
    assert (texts(recognition, 0), texts(recognition, 1)) == (LEFT, RIGHT)
    starts = [utterance.start for utterance in recognition.utterances]
    assert starts == pytest.approx([0.5, 8.0, 3.0], abs=0.4)
    for utterance in recognition.utterances:
        assert [word.text for word in utterance.words] == utterance.text.split()
        assert (utterance.start, utterance.end) == (utterance.words[0].start, utterance.words[-1].end)
        assert all(first.end <= second.start for first, second in pairwise(utterance.words))
        assert all(0 <= word.start <= word.end <= recognition.seconds for word in utterance.words)
        assert all(0 < word.probability <= 1 for word in utterance.words)


@BOTH
def test_the_result_says_what_it_is_of(recogniser: Recogniser) -> None:
    facts = facts_of(TWO_VOICES)
    recognition = recogniser.recognise(TWO_VOICES, facts)
    assert recognition.audio_sha256 == facts.sha256
    assert recognition.identity == recogniser.identity(facts)
    assert (recognition.model, recognition.language, recognition.channels) == ("demo", "en", 2)
    assert recognition.seconds == 12.0


def test_the_plain_engine_hears_a_call_exactly_as_plain_faster_whisper_hears_its_channels() -> None:
    """Word by word and to the millisecond, with faster-whisper finding the speech itself."""
    model = find_model("demo", on_download=print)
    plain = WhisperModel(str(model), device="cpu", compute_type="int8")
    expected = []
    for channel in (0, 1):
        samples = np.concatenate(list(channel_blocks(TWO_VOICES, channel)))
        segments, _ = plain.transcribe(
            samples, vad_filter=True, word_timestamps=True, language="en", beam_size=5, **read_card(model).options
        )
        expected += [
            (channel, word.word.strip(), round(float(word.start), 3), round(float(word.end), 3))
            for segment in segments
            for word in segment.words or ()
        ]
    heard = [
        (u.channel, word.text, word.start, word.end) for u in hear(TWO_VOICES, PLAIN).utterances for word in u.words
    ]
    assert heard == expected


@BOTH
def test_a_dual_mono_call_is_heard_once_and_counts_as_one_channel(recogniser: Recogniser, tmp_path: Path) -> None:
    left, _ = voices()
    recognition = hear(a_recording(tmp_path / "call.wav", "wav-16", left, left), recogniser)
    assert (texts(recognition, 0), texts(recognition, 1), recognition.channels) == (LEFT, [], 1)


@BOTH
def test_a_silent_channel_is_passed_over_and_keeps_its_number(recogniser: Recogniser, tmp_path: Path) -> None:
    _, right = voices()
    recognition = hear(a_recording(tmp_path / "call.wav", "wav-16", np.zeros_like(right), right), recogniser)
    assert (texts(recognition, 0), texts(recognition, 1), recognition.channels) == ([], RIGHT, 2)


@BOTH
def test_a_recording_without_speech_has_no_utterances(recogniser: Recogniser, tmp_path: Path) -> None:
    beeps, silence = tone(425, seconds=3), np.zeros(3 * RATE_HZ, np.float32)
    assert hear(a_recording(tmp_path / "beeps.wav", "wav-16", beeps, beeps * 0.5), recogniser).utterances == ()
    assert hear(a_recording(tmp_path / "silence.wav", "wav-16", silence), recogniser).utterances == ()


@BOTH
def test_a_call_of_more_than_one_stretch_keeps_its_times(recogniser: Recogniser, tmp_path: Path) -> None:
    """Words after five and a half minutes of silence are heard there."""
    left, _ = voices()
    pause = np.zeros(330 * RATE_HZ, np.float32)
    path = a_recording(tmp_path / "long.wav", "wav-16", np.concatenate([left, pause, left]))
    recognition = hear(path, recogniser)
    assert texts(recognition, 0) == LEFT + LEFT
    starts = [utterance.start for utterance in recognition.utterances]
    assert starts == pytest.approx([0.5, 8.0, 342.5, 350.0], abs=0.4)


@BOTH
def test_progress_is_told_all_along_and_a_lost_lease_ends_the_work(recogniser: Recogniser) -> None:
    facts, told = facts_of(TWO_VOICES), []
    recogniser.recognise(TWO_VOICES, facts, on_progress=lambda: told.append(1))
    assert len(told) >= 2 + 3  # two channels searched for speech, three utterances

    def lose() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        recogniser.recognise(TWO_VOICES, facts, on_progress=lose)


def test_what_the_model_cannot_do_with_a_call_fails_that_call(tmp_path: Path) -> None:
    """More new tokens than the model has room for is refused by faster-whisper while it decodes."""
    recogniser = a_recogniser(tmp_path / "model", transcribe={"max_new_tokens": 9_999})
    with pytest.raises(RecognitionFailed, match="ValueError"):
        hear(TWO_VOICES, recogniser)


def test_options_of_the_card_are_used(tmp_path: Path) -> None:
    """With a threshold that no voice reaches, nothing is speech."""
    recogniser = a_recogniser(tmp_path / "deaf", transcribe={"vad_parameters": {"threshold": 0.9999}})
    assert hear(TWO_VOICES, recogniser).utterances == ()
    assert (recogniser.model_name, recogniser.is_demo) == ("deaf", False)


def test_a_model_that_cannot_be_loaded_stops_the_shard_and_not_the_call(tmp_path: Path) -> None:
    broken = a_recogniser(tmp_path / "model")
    (tmp_path / "model" / "model.bin").write_bytes(b"no model")
    with pytest.raises(ModelUnavailable, match=str(tmp_path)):
        hear(TWO_VOICES, broken)
    with pytest.raises(ModelUnavailable, match="AILA_WHISPER_COMPUTE_TYPE"):
        hear(TWO_VOICES, Recogniser("demo", device="cpu", compute_type="int3"))


def test_the_settings_make_the_recogniser() -> None:
    recogniser = Recogniser.from_settings(Settings(whisper_model="demo", whisper_beam_size=2))
    assert (recogniser.model_name, recogniser.is_demo) == ("demo", True)
    assert recogniser.identity(facts_of(TWO_VOICES)) == Recogniser("demo", beam_size=2).identity(facts_of(TWO_VOICES))


def test_the_identity_follows_what_decides_the_text_and_nothing_else(tmp_path: Path) -> None:
    facts = facts_of(TWO_VOICES)
    other_call = facts.model_copy(update={"sha256": "0" * 64, "seconds": 99.0, "size_bytes": 1, "format": "mp3"})
    assert DEMO.identity(facts) == Recogniser("demo", cpu_threads=1, memory_mb=300).identity(other_call, hints=Hints())
    identities = [
        DEMO.identity(facts),
        DEMO.identity(facts.model_copy(update={"dual_mono": True})),
        DEMO.identity(facts.model_copy(update={"silent_channels": (0,)})),
        DEMO.identity(facts, "de"),
        DEMO.identity(facts, hints=Hints(hotwords="order")),
        DEMO.identity(facts, hints=Hints(initial_prompt="order")),
        PLAIN.identity(facts),
        Recogniser("demo", beam_size=1).identity(facts),
        Recogniser("demo", compute_type="float32").identity(facts),
        a_recogniser(tmp_path / "other", language="en", transcribe={"temperature": 0.2}).identity(facts),
    ]
    assert len(set(identities)) == len(identities)


def test_the_identity_is_told_without_loading_the_model() -> None:
    program = (
        "import sys, json\n"
        "from aila_pipeline.adapters.speech import Recogniser\n"
        "from aila_pipeline.domain.models import AudioFacts\n"
        "print(Recogniser('demo').identity(AudioFacts.model_validate_json(sys.argv[1])))\n"
        "assert not {'faster_whisper', 'ctranslate2', 'av'} & set(sys.modules)\n"
    )
    facts = facts_of(TWO_VOICES)
    ended = subprocess.run(
        [sys.executable, "-c", program, facts.model_dump_json()], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == DEMO.identity(facts)


@pytest.mark.parametrize(
    ("channels", "dual_mono", "silent", "expected"),
    [(1, False, (), [0]), (2, False, (), [0, 1]), (2, True, (), [0]), (2, False, (0,), [1]), (3, False, (0, 1, 2), [])],
)
def test_every_channel_with_a_voice_of_its_own_is_recognised(
    channels: int, dual_mono: bool, silent: tuple[int, ...], expected: list[int]
) -> None:
    facts = facts_of(TWO_VOICES).model_copy(
        update={"channels": channels, "dual_mono": dual_mono, "silent_channels": silent}
    )
    assert channels_to_recognise(facts) == expected
