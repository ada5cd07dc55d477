"""The demo model's makers: what is trained on, what is kept from it, and that a broken-off run goes on where it was."""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from ctypes.util import find_library
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aila_pipeline.demo import MODEL
from aila_pipeline.demo.samples import samples
from tools.demo_model.corpus import Corpus
from tools.demo_model.evaluate import rates
from tools.demo_model.flite import say
from tools.demo_model.line_codecs import CODECS, coded
from tools.demo_model.make import make
from tools.demo_model.mixes import LONG, MEDIUM, MIXES, SHORT, mix_of
from tools.demo_model.model_file import read_arrays
from tools.demo_model.resampling import resampled
from tools.demo_model.sentences import EXPORTED, FIRST, WHOLE
from tools.demo_model.targets import prompt
from tools.demo_model.tokens import make_tokenizer, read_tokenizer
from tools.demo_model.training_text import (
    drawn_in_shards,
    exported_held_out,
    held_back,
    shard_texts,
    wide_held_out,
)
from tools.demo_model.trials import Trial
from tools.demo_model.voices import CAST, UNHEARD
from tools.sample_calls.dialogues import Audio

RATE_HZ = 16_000


def a_voice(seconds: float = 1.5) -> NDArray[np.float32]:
    """A buzz like a vowel, its pitch gliding, in four syllables: codecs for speech keep it."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    turns = 110 * time + 20 * time**2
    buzz = sum(np.sin(2 * np.pi * harmonic * turns) / harmonic for harmonic in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 2.7 * time), 0, 1)
    return np.asarray(0.15 * buzz * syllables, np.float32)


def test_the_whole_grammar_has_the_words_of_the_first_and_of_the_samples() -> None:
    said = {word for sample in samples().values() for turn in sample.turns for word in turn.text.split()}
    assert set(FIRST.words) | said <= set(EXPORTED) < set(WHOLE.words)
    assert 600 <= len(EXPORTED) <= 1000


@pytest.mark.skipif(find_library("flite") is None, reason="needs flite, as the makers do")
def test_no_word_that_is_written_is_one_sound_apart_from_one_of_the_first() -> None:
    phones = {word: [phone for phone, _ in say(word, "slt").phones if phone != "pau"] for word in WHOLE.words}
    first = [phones[word] for word in FIRST.words]
    wider = set(WHOLE.words) - set(FIRST.words)
    alike = {word for word in wider if any(nearly_the_same(phones[word], other) for other in first)}
    assert wider - alike == set(EXPORTED) - set(FIRST.words)


def nearly_the_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one is the other but for one phone that is another, one more or one less."""
    shorter, longer = sorted((list(one), list(other)), key=len)
    at = next((place for place, both in enumerate(zip(shorter, longer, strict=False)) if both[0] != both[1]), None)
    if at is None:
        return len(longer) - len(shorter) <= 1
    return longer[at + 1 :] in (shorter[at:], shorter[at + 1 :])


def test_sentences_that_tell_how_all_words_are_heard_are_of_words_that_are_written_and_never_trained() -> None:
    told = exported_held_out()
    assert [kind for kind, _ in told] == ["grammar"] * 24 + ["random"] * 24
    assert len({text for _, text in told} - drawn_in_shards()) == 48
    assert {word for _, text in told for word in text.split()} <= set(EXPORTED)
    assert {word for _, text in told for word in text.split()} - set(FIRST.words)


def test_no_text_of_a_shard_is_one_that_is_held_back() -> None:
    said = {
        part.strip() for sample in samples().values() for turn in sample.turns for part in re.split(r"[.?]", turn.text)
    }
    assert said & held_back()
    assert {text for _, text in wide_held_out()} <= held_back()
    assert not held_back() & set(islice(shard_texts(3), 2000))


def test_a_shard_says_the_same_again_and_another_one_something_else() -> None:
    first, again, other = (list(islice(shard_texts(number), 20)) for number in (0, 0, 1))
    assert first == again != other


def test_the_unheard_voice_is_not_in_the_cast_and_four_kinds_of_voices_are() -> None:
    assert all("kal" not in voice.name for voice in CAST)
    assert UNHEARD.startswith("kal")
    assert {voice.engine for voice in CAST} == {"flite", "festival", "espeak"}
    assert sum(voice.share for voice in CAST) == pytest.approx(1)


@pytest.mark.parametrize("audio", CODECS, ids=lambda audio: f"{audio.codec} {audio.rate_hz}")
def test_a_codec_leaves_speech_where_it_was(audio: Audio) -> None:
    sound = a_voice()
    back = coded(sound, audio)
    assert len(back) == len(sound)
    loudness, loudness_back = ((wave[:23_840].reshape(-1, 160) ** 2).mean(1) for wave in (sound, back))
    assert np.corrcoef(loudness, loudness_back)[0, 1] > 0.9


def test_sound_played_faster_is_higher_and_shorter() -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    faster = resampled(tone, 1.25)
    assert len(faster) == 12_800
    loudest = np.abs(np.fft.rfft(faster)).argmax() * RATE_HZ / len(faster)
    assert loudest == pytest.approx(625, abs=2)


def test_a_prompt_is_what_faster_whisper_gives_text_with_rising_times_and_no_more_than_it_keeps(tmp_path: Path) -> None:
    make_tokenizer().save(str(tmp_path / "tokenizer.json"))
    _, ids = read_tokenizer(tmp_path / "tokenizer.json")
    words = [(5, 0, 40), (6, 40, 80), (7, 80, 130)]
    seen = [prompt(random.Random(seed), lambda: words, long=True, share=1.0, ids=ids) for seed in range(200)]
    assert all(one[0] == ids.previous and len(one) <= 224 for one in seen)
    timed = [one for one in seen if any(token >= ids.first_timestamp for token in one)]
    assert 100 < len(timed) < 200
    for one in timed:
        stamps = [token for token in one if token >= ids.first_timestamp]
        assert all(later >= earlier or later - ids.first_timestamp < 200 for earlier, later in pairwise(stamps))
    assert {len(one) for one in seen if len(one) == 224}
    assert prompt(random.Random(1), lambda: words, long=True, share=0.0, ids=ids) == []


def test_each_mix_is_drawn_from_in_its_shares_from_its_step_on() -> None:
    begun = [step for step, _ in MIXES]
    assert begun == sorted(begun)
    assert {mix_of(step).kind(step) for step in range(400)} == {SHORT, MEDIUM}, "whole windows come later"
    for step, mix in MIXES:
        assert mix_of(step) is mix
        drawn = Counter(mix.kind(number) for number in range(step, step + 1000))
        assert drawn[SHORT] == round(1000 * mix.short)
        assert drawn[MEDIUM] == round(1000 * mix.medium)
        assert drawn[LONG] == 1000 - drawn[SHORT] - drawn[MEDIUM]


def test_no_mix_has_more_windows_than_there_are() -> None:
    assert all(mix.short + mix.medium <= 1 for _, mix in MIXES)
    assert all(mix.silent + mix.few + mix.scattered + mix.channels <= 1 for _, mix in MIXES)


def _shard(work: Path, said_by_voice: dict[int, list[int]]) -> None:
    """A shard in which each voice says one utterance for each of its words."""
    _shard_of_utterances(work, {voice: [[word] for word in words] for voice, words in said_by_voice.items()})


def _shard_of_utterances(work: Path, said_by_voice: dict[int, list[list[int]]]) -> None:
    """A shard in which each voice says these utterances, three frames for a word."""
    spoken = [(voice, words) for voice, said in said_by_voice.items() for words in said]
    np.save(work / "speech_000.npy", np.zeros((3 * sum(len(words) for _, words in spoken), 80), np.float16))
    np.savez(
        work / "speech_000.npz",
        words=np.array([(word, 3 * at, 3 * at + 3) for _, words in spoken for at, word in enumerate(words)]),
        phones=np.array([(1, 3 * len(words)) for _, words in spoken]),
        counts=np.array([(3 * len(words), len(words), 1, voice) for voice, words in spoken]),
    )


def test_utterances_drawn_for_a_voice_are_of_that_voice_alone_spliced_ones_too(tmp_path: Path) -> None:
    _shard(tmp_path, {0: [10, 11, 12], 1: [20]})
    corpus = Corpus(tmp_path, random.Random(1))
    drawn = [corpus.draw(voice=0) for _ in range(200)]
    assert {word for utterance in drawn for word, _, _ in utterance.words} == {10, 11, 12}
    assert max(len(utterance.words) for utterance in drawn) > 1  # spliced
    assert {word for _ in range(200) for word, _, _ in corpus.draw().words} == {10, 11, 12, 20}


def test_what_recurs_is_spliced_of_words_said_before_or_shares_two_of_them_in_a_row(tmp_path: Path) -> None:
    said = {0: [[10, 11, 12], [13, 11, 12, 14], [15, 16]], 1: [[10, 11], [17]]}
    _shard_of_utterances(tmp_path, said)
    corpus = Corpus(tmp_path, random.Random(1))
    placed = [[(10, 0, 3), (11, 3, 6), (12, 6, 9)]]
    drawn = [[word for word, _, _ in corpus.draw_again(placed, voice=0).words] for _ in range(300)]
    assert [13, 11, 12, 14] in drawn
    assert all(set(words) <= {10, 11, 12} or words == [13, 11, 12, 14] for words in drawn)
    assert any(len(words) > len(set(words)) for words in drawn)
    alike = [corpus.draw_alike(placed) for _ in range(100)]
    assert {len(utterance.words) for utterance in alike if utterance} == {2, 3, 4}
    assert corpus.draw_alike(placed, voice=1) is not None
    assert corpus.draw_alike([[(15, 0, 3), (16, 3, 6)]], voice=1) is None
    assert corpus.draw_again([[(15, 0, 3), (16, 3, 6)]], voice=1).words  # it says neither: any of its words


def test_a_voice_is_drawn_as_often_as_it_speaks(tmp_path: Path) -> None:
    _shard(tmp_path, {0: [10, 11, 12], 1: [20]})
    corpus = Corpus(tmp_path, random.Random(1))
    assert 650 < sum(corpus.draw_voice() == 0 for _ in range(1000)) < 850


def test_the_shipped_model_can_be_read_back_for_a_next_one() -> None:
    """int8 weights come back as floats of a trained network's size, one row of the table for each token."""
    arrays = read_arrays(MODEL / "model.bin")
    table = arrays["decoder/embeddings/weight"]
    tokens = len((MODEL / "vocabulary.json").read_text("utf-8").strip().splitlines()) - 2
    assert table.dtype == np.float32
    assert table.shape[0] == tokens
    assert 0.1 < np.abs(table).std() < 10
    assert arrays["encoder/conv1/weight"].shape[1:] == (80, 3)


def test_the_error_rate_of_a_group_is_that_of_its_trials_alone() -> None:
    silence = np.zeros(160, np.float32)
    found = [Trial("one two", silence, ("all", "a")), Trial("one", silence, ("all", "b"))]
    assert rates(found, lambda sound: "one") == {"all": 1 / 3, "a": 1 / 2, "b": 0.0}


def test_a_run_that_broke_off_goes_on_with_the_step_that_failed(tmp_path: Path) -> None:
    taken: list[str] = []
    broken = [True]

    def speech(work: Path) -> None:
        taken.append("speech")
        if broken.pop():
            raise subprocess.CalledProcessError(1, "synthesise")
        broken.append(False)

    steps = {
        "tokens": lambda work: taken.append("tokens"),
        "speech": speech,
        "export": lambda work: taken.append("export"),
    }
    with pytest.raises(subprocess.CalledProcessError):
        make(tmp_path, steps)
    broken.append(False)
    assert make(tmp_path, steps, until="speech") == ["speech"]
    assert make(tmp_path, steps) == ["export"]
    assert make(tmp_path, steps) == []
    assert taken == ["tokens", "speech", "speech", "export"]
