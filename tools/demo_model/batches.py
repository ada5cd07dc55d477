"""Batches: windows and targets drawn at random and stacked into tensors.

Lives here: the windows of each kind, and the labels of each encoder frame. Does not: how many there are of each kind
(mixes.py), losses (train.py).
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tools.demo_model.corpus import IGNORED, Corpus, PlacedWord, Utterance
from tools.demo_model.mixes import MEDIUM, SHORT, mix_of
from tools.demo_model.targets import Span, Target, prompt, target
from tools.demo_model.tokens import Ids
from tools.demo_model.voices import CAST
from tools.demo_model.windows import Line, Window

_SHORT_FRAMES, _MEDIUM_FRAMES, _LONG_FRAMES = (240, 320, 400, 500, 640), (700, 1000, 1200, 1600), 3000
_FRAMES_PER_BATCH = 3000
_ENCODER_FRAMES = 1500
_MOST_TOKENS = 440
_SAMPLES_VOICES = [number for number, voice in enumerate(CAST) if voice.engine == "flite"]
_GAPS_SECONDS = (0.1, 0.3, 0.8, 1.5)
_AGAIN = 0.6
"""Of a recurring window's utterances, and of what comes before it, the share that says again some of it."""


@dataclass
class Batch:
    """Tensors of one step. `label_spans`, `input_spans`: (batch, position, 2) in encoder frames, -1 where not heard."""

    mel: Tensor
    offsets: Tensor
    inputs: Tensor
    labels: Tensor
    label_spans: NDArray[np.int64]
    input_spans: NDArray[np.int64]
    frame_labels: dict[str, Tensor]


class Batches:
    """Draws batches. `prompt_share`: how many of the long windows have previous text before them."""

    def __init__(
        self,
        corpus: Corpus,
        line: Line,
        ids: Ids,
        *,
        prompt_share: float,
        choice: random.Random,
        noise: np.random.Generator,
    ) -> None:
        self._corpus, self._line, self._ids, self._prompt_share = corpus, line, ids, prompt_share
        self._choice, self._random = choice, noise
        self._mix = mix_of(0)

    def draw(self, step: int) -> Batch:
        """The batch of a step: windows of one kind and one length."""
        self._mix = mix_of(step)
        kind = self._mix.kind(step)
        if kind == SHORT:
            length = self._choice.choice(_SHORT_FRAMES)
            drawn = [self._short(length) for _ in range(_FRAMES_PER_BATCH // length)]
        else:
            length = self._choice.choice(_MEDIUM_FRAMES) if kind == MEDIUM else _LONG_FRAMES
            count = _FRAMES_PER_BATCH // length
            drawn = [self._with_several(length, kind) for _ in range(count)]
        for window, _, _ in drawn:
            self._line.mask(window.mel)
        return _stacked(
            [window for window, _, _ in drawn], [offset for _, offset, _ in drawn], [t for *_, t in drawn], self._ids
        )

    def _short(self, length: int) -> tuple[Window, int, Target]:
        recurring = self._recurs()
        utterance = self._utterance(recurring)
        while len(utterance.frames) > length - 6:
            utterance = self._utterance(recurring)
        lead = self._choice.randint(0, max(0, length - len(utterance.frames) - 1))
        window = self._line.lay([utterance], length, lead=lead, gap_seconds=lambda: 0)
        offset = self._choice.randint(0, _ENCODER_FRAMES - length // 2) if self._choice.random() < 0.6 else 0
        timestamps = self._choice.random() < 0.4
        return window, offset, self._target(window, offset, long=False, timestamps=timestamps, recurring=recurring)

    def _with_several(self, length: int, kind: int) -> tuple[Window, int, Target]:
        choice, random_ = self._choice, self._random
        share, lead, gap, count, background = (
            choice.random(),
            choice.randint(0, 100),
            choice.choice(_GAPS_SECONDS),
            14,
            None,
        )
        mix = self._mix
        voice: int | None = None
        if share < mix.silent:
            count = 0
            background = (
                self._line.non_speech(choice.choice([length, length, length // 2])) if choice.random() < 0.65 else None
            )
        elif share < mix.silent + mix.few:
            count = choice.randint(1, 4)
        elif share < mix.silent + mix.few + mix.scattered:
            count, gap, lead = choice.randint(1, 6), 6.0, choice.randint(0, 400)
        if share >= 1 - mix.channels:
            count, gap, lead = choice.randint(2, 9), 6.0, choice.randint(0, 600)
            voice = self._one_voice()
        recurring = self._recurs()
        if recurring and voice is None and choice.random() < 0.5:
            voice = self._one_voice()  # a channel whose pauses were taken out
        utterances = self._utterances(count, voice, recurring)
        window = self._line.lay(
            utterances, length, lead=lead, gap_seconds=lambda: choice.uniform(0.05, gap), background=background
        )
        timestamps = choice.random() < mix.timed
        segments = window.segments
        if segments and segments[-1].cut and not timestamps:  # cut speech cannot be written without timestamps
            start = max(0, segments[-1].start - 5)
            window.mel[:, start:], window.phones[start:] = 0, 0
            window.segments = segments[:-1]
        elif segments and not segments[-1].cut and choice.random() < 0.75:  # zero padding, as in faster-whisper
            window.mel[:, min(length, segments[-1].end + choice.randint(5, 60)) :] = 0
        elif not segments and choice.random() < 0.5:
            window.mel[:, random_.integers(100, length - 100) :] = 0
        moved = kind == MEDIUM and choice.random() < 0.3
        offset = choice.randint(0, _ENCODER_FRAMES - length // 2) if moved else 0
        return window, offset, self._target(window, offset, long=True, timestamps=timestamps, recurring=recurring)

    def _utterance(self, recurring: bool) -> Utterance:
        """Of anybody; a recurring one has its few words many times, in any order."""
        voice = self._samples_voice()
        utterance = self._corpus.draw(voice)
        return self._corpus.draw_again([utterance.words], voice) if recurring else utterance

    def _utterances(self, count: int, voice: int | None, recurring: bool) -> list[Utterance]:
        """So many, of this voice or of anybody; recurring ones say again some of what was said before them."""
        drawn: list[Utterance] = []
        for _ in range(count):
            speaker = self._samples_voice() if voice is None else voice
            if recurring and drawn and self._choice.random() < _AGAIN:
                drawn.append(self._corpus.draw_again([utterance.words for utterance in drawn], speaker))
            else:
                drawn.append(self._corpus.draw(speaker))
        return drawn

    def _recurs(self) -> bool:
        return self._mix.recurring > 0 and self._choice.random() < self._mix.recurring

    def _one_voice(self) -> int:
        voice = self._samples_voice()
        return self._corpus.draw_voice() if voice is None else voice

    def _samples_voice(self) -> int | None:
        """One of them, if it is their turn."""
        if not self._mix.samples_voices or self._choice.random() >= self._mix.samples_voices:
            return None
        return self._choice.choice(_SAMPLES_VOICES)

    def _target(self, window: Window, offset: int, *, long: bool, timestamps: bool, recurring: bool) -> Target:
        said = [segment.words for segment in window.segments] if recurring else []

        def draw() -> list[PlacedWord]:
            alike = self._corpus.draw_alike(said) if said and self._choice.random() < _AGAIN else None
            return alike.words if alike else self._corpus.draw_placed()

        before = prompt(self._choice, draw, long=long, share=self._prompt_share, ids=self._ids)
        return target(
            window.segments,
            before,
            offset=offset,
            timestamps=timestamps,
            early=long and offset == 0,
            ids=self._ids,
            silent_from=int(self._random.integers(0, 51)),
        )


def _stacked(windows: list[Window], offsets: list[int], targets: list[Target], ids: Ids) -> Batch:
    most = min(_MOST_TOKENS, max(len(one.inputs) for one in targets))
    frames, count = windows[0].mel.shape[1] // 2, len(windows)
    inputs, labels = torch.full((count, most), ids.end_of_text), torch.full((count, most), IGNORED)
    for number, one in enumerate(targets):
        inputs[number, : len(one.inputs[:most])] = torch.tensor(one.inputs[:most])
        labels[number, : len(one.labels[:most])] = torch.tensor(one.labels[:most])
    words = [_word_labels(window, frames) for window in windows]
    frame_labels = {name: torch.from_numpy(np.stack([one[name] for one in words])) for name in words[0]}
    phones = np.stack([window.phones[: frames * 2 : 2] for window in windows])
    return Batch(
        mel=torch.from_numpy(np.stack([window.mel for window in windows])).float(),
        offsets=torch.tensor(offsets),
        inputs=inputs,
        labels=labels,
        label_spans=_spans([one.label_spans for one in targets], most, frames),
        input_spans=_spans([one.input_spans for one in targets], most, frames),
        frame_labels={**frame_labels, "early": frame_labels["word"], "phone": torch.from_numpy(phones)},
    )


def _spans(rows: list[list[Span]], most: int, frames: int) -> NDArray[np.int64]:
    placed = np.full((len(rows), most, 2), -1, np.int64)
    for number, row in enumerate(rows):
        for position, span in enumerate(row[:most]):
            if span is not None:
                start, end = span
                placed[number, position] = max(0, start // 2), max(start // 2 + 1, min(frames, (end + 1) // 2))
    return placed


def _word_labels(window: Window, frames: int) -> dict[str, NDArray[np.int64]]:
    """For each encoder frame: the word heard, the one before it, and the one before that; 0 for none."""
    word, previous, before = (np.zeros(frames, np.int64) for _ in range(3))
    words = [placed for segment in window.segments for placed in segment.words]
    for number, (token, first, last) in enumerate(words):
        start, end = first // 2, max(first // 2 + 1, last // 2)
        until = words[number + 1][1] // 2 if number + 1 < len(words) else frames
        word[start:end] = token
        previous[end:until] = token
        before[end:until] = words[number - 1][0] if number else 0
        if number:
            previous[start:end] = words[number - 1][0]
        if number > 1:
            before[start:end] = words[number - 2][0]
    return {"word": word, "previous": previous, "before": before}
