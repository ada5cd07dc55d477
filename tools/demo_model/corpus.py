"""Corpus: the synthesised utterances in memory, and new ones spliced from single words.

Lives here: reading the shards of synthesise.py. Does not: putting utterances into windows (windows.py).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IGNORED = -100
"""A label that costs nothing (torch's convention)."""

PlacedWord = tuple[int, int, int]
"""A word's id, and its first and its last frame."""


@dataclass(frozen=True)
class Utterance:
    """Frames (n, 80), the words in them, and the phone of each frame (`IGNORED` where the engine does not tell)."""

    frames: NDArray[np.float16]
    words: list[PlacedWord]
    phones: NDArray[np.int64]


class Corpus:
    """All utterances, and where each word of each voice lies."""

    def __init__(self, work: Path, choice: random.Random) -> None:
        """Read the shards of the directory `work`; the frames stay on disk, where processes share them.

        Raises:
            FileNotFoundError: there are none.
        """
        self._choice = choice
        self.utterances: list[Utterance] = []
        self._voices: list[int] = []
        self._of_voice: dict[int, list[Utterance]] = {}
        self._places: dict[int, list[tuple[int, int]]] = {}
        self._spoken: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._pairs: dict[tuple[int | None, tuple[int, int]], list[Utterance]] = {}
        for path in sorted(work.glob("speech_[0-9][0-9][0-9].npz")):
            self._read(path)
        if not self.utterances:
            raise FileNotFoundError(f"no speech_*.npz in {work}; run tools.demo_model.synthesise first")

    def _read(self, path: Path) -> None:
        with np.load(path) as shard:
            words, phones, counts = (shard[name] for name in ("words", "phones", "counts"))
        frames = np.load(path.with_suffix(".npy"), mmap_mode="r")
        ends = np.cumsum(counts[:, :3], axis=0)
        for (count, word_count, phone_count, voice), (frame_end, word_end, phone_end) in zip(counts, ends, strict=True):
            placed = [(int(word), int(start), int(end)) for word, start, end in words[word_end - word_count : word_end]]
            phone_of = np.full(count, 0 if phone_count else IGNORED, np.int64)
            start = 0
            for phone, end in phones[phone_end - phone_count : phone_end]:
                phone_of[start:end] = phone
                start = max(start, end)
            places = self._places.setdefault(int(voice), [])
            places += [(len(self.utterances), position) for position in range(len(placed))]
            self.utterances.append(Utterance(frames[frame_end - count : frame_end], placed, phone_of))
            self._voices.append(int(voice))
            self._of_voice.setdefault(int(voice), []).append(self.utterances[-1])
            for position, (word, _, _) in enumerate(placed):
                self._spoken.setdefault((int(voice), word), []).append((len(self.utterances) - 1, position))
            for pair in set(_pairs_of(placed)):
                self._pairs.setdefault((int(voice), pair), []).append(self.utterances[-1])
                self._pairs.setdefault((None, pair), []).append(self.utterances[-1])

    def draw_voice(self) -> int:
        """A voice, as often as it speaks."""
        return self._choice.choice(self._voices)

    def draw(self, voice: int | None = None) -> Utterance:
        """An utterance (of a voice) as it was synthesised, or (30 %) a new sequence of words."""
        if self._choice.random() < 0.3:
            return self._spliced(voice)
        return self._choice.choice(self.utterances if voice is None else self._of_voice[voice])

    def draw_again(self, said: Sequence[Sequence[PlacedWord]], voice: int | None = None) -> Utterance:
        """An utterance (of a voice) that says again some of what was `said`: two words in a row, or (half) any."""
        if self._choice.random() < 0.5:
            return self._spliced(voice, [word for words in said for word, _, _ in words])
        return self.draw_alike(said, voice) or self.draw(voice)

    def draw_alike(self, said: Sequence[Sequence[PlacedWord]], voice: int | None = None) -> Utterance | None:
        """One as it was synthesised, in which two words of `said` follow each other as there; None if there is none."""
        pairs = [pair for words in said for pair in _pairs_of(words) if (voice, pair) in self._pairs]
        return self._choice.choice(self._pairs[voice, self._choice.choice(pairs)]) if pairs else None

    def draw_placed(self) -> list[PlacedWord]:
        """The words of some utterance, for a prompt."""
        return self._choice.choice(self.utterances).words

    def _spliced(self, voice: int | None, among: Sequence[int] = ()) -> Utterance:
        """1-10 words cut out of one voice's utterances, at times with silence between them.

        All of them are `among` these, where the voice says them; of any words if there are none.
        """
        speaker = self._choice.choice(list(self._places)) if voice is None else voice
        places = self._places[speaker]
        frames: list[NDArray[np.float16]] = []
        phones: list[NDArray[np.int64]] = []
        words: list[PlacedWord] = []
        length, with_gaps = 0, self._choice.random() < 0.4
        for _ in range(self._choice.randint(1, 10)):
            if among:
                places = self._spoken.get((speaker, self._choice.choice(among)), self._places[speaker])
            number, position = self._choice.choice(places)
            source = self.utterances[number]
            word, start, end = source.words[position]
            frames.append(source.frames[start:end])
            phones.append(source.phones[start:end])
            words.append((word, length, length + end - start))
            length += end - start
            if with_gaps and self._choice.random() < 0.4:
                gap = self._choice.randint(2, 30)
                frames.append(np.repeat(source.frames[:4].min(0, keepdims=True), gap, 0))
                phones.append(np.zeros(gap, np.int64))
                length += gap
        return Utterance(np.concatenate(frames), words, np.concatenate(phones))


def _pairs_of(words: Sequence[PlacedWord]) -> list[tuple[int, int]]:
    return [(one, other) for (one, _, _), (other, _, _) in pairwise(words)]
