"""Fresh calls: as many unseen calls as one likes, to choose recognition options without looking at the samples.

Lives here: invented dialogues, half of sentences that the grammar can make but training did not draw, half of two such
sentences cut and spliced, which no grammar can make. Does not: sound (mixing.py) or judging (measure_options.py).
"""

from __future__ import annotations

import random

from tools.demo_model.sentences import Sentences, in_grammar
from tools.demo_model.training_text import drawn_in_training
from tools.demo_model.vocabulary import VOICES
from tools.sample_calls.dialogues import Audio, Dialogue, Line, Role, Speaker

_AUDIO = (
    Audio("wav", "pcm_mulaw", 8000),
    Audio("mp3", "mp3", 8000, 32_000),
    Audio("m4a", "aac", 16_000, 32_000),
    Audio("ogg", "opus", 48_000, 48_000),
    Audio("mp3", "mp3", 44_100, 48_000),
    Audio("flac", "flac", 16_000),
)


def fresh_calls(count: int, seed: int, turns: int = 10) -> list[Dialogue]:
    """`count` calls in which operator and client take turns of one or two sentences each."""
    choice = random.Random(seed)
    source = Sentences(seed)
    return [_call(f"fresh_{seed}_{number}", number, turns, choice, source) for number in range(count)]


def _call(name: str, number: int, turns: int, choice: random.Random, source: Sentences) -> Dialogue:
    operator, client = choice.sample(VOICES, 2)
    audio = _AUDIO[number % len(_AUDIO)]
    lines = []
    for turn in range(turns):
        role: Role = "operator" if turn % 2 == 0 else "client"
        text = ". ".join(
            _sentence(choice, source) for _ in range(choice.choice((1, 2) if role == "operator" else (1,)))
        )
        pause = choice.choice((None, None, None, None, -0.3, 1.5, 3.0))
        lines.append(Line(role, text + ".", None if turn == 0 else pause))
    return Dialogue(
        name,
        "invented",
        Audio(f"{name}.{audio.file}", audio.codec, audio.rate_hz, audio.bit_rate),
        Speaker("operator", operator),
        Speaker("client", client),
        lines,
    )


def _sentence(choice: random.Random, source: Sentences) -> str:
    while True:
        first = _unseen(source)
        if choice.random() < 0.5:
            return first
        head, tail = first.split(), _unseen(source).split()
        spliced = " ".join([*head[: choice.randint(2, len(head))], *tail[choice.randint(1, len(tail) - 2) :]])
        if not in_grammar(spliced):
            return spliced


def _unseen(source: Sentences) -> str:
    while True:
        sentence = source.grammar()
        if len(sentence.split()) >= 4 and sentence not in drawn_in_training():
            return sentence
