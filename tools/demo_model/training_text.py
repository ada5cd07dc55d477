"""Training text: which sentences a model was trained on, and which are kept from it.

Lives here: the text of each shard of speech, the held-out lists, the streams of the first model. Does not: the grammars
(sentences.py) or speech (synthesise.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain, islice
from pathlib import Path

import yaml

from tools.demo_model.sentences import EXPORTED, HELD_OUT_SEED, MOCK_CALLS_SEED, WHOLE, Sentences

FIRST_TRAINING_SEED = 1000
"""Plus the rank of the synthesising process; the first model's."""

SHARDS, TEXTS_PER_SHARD = 44, 400
"""Of the training speech; part of the recipe."""

WIDE_HELD_OUT_SEED = 9191
_SAMPLE_SCRIPT = Path(__file__).parents[1] / "sample_calls" / "dialogues.yaml"


def shard_texts(number: int) -> Iterator[str]:
    """The texts that shard `number` of the training speech is drawn from, without end; none of `held_back`."""
    source = Sentences(f"shard {number}", WHOLE)
    while True:
        text = source.any()
        if text not in held_back():
            yield text


@cache
def wide_held_out(per_kind: int = 24) -> list[tuple[str, str]]:
    """(kind, text): sentences of the whole grammar and random words of all 758, none of which training speaks."""
    source = Sentences(WIDE_HELD_OUT_SEED, WHOLE)
    found: list[tuple[str, str]] = []
    while len(found) < per_kind:
        text = source.grammar()
        if len(text.split()) >= 6 and ("grammar", text) not in found:
            found.append(("grammar", text))
    return found + [("random", source.random_words(3, 10)) for _ in range(per_kind)]


@cache
def exported_held_out(per_kind: int = 24) -> list[tuple[str, str]]:
    """(kind, text): as `wide_held_out`, in the words that the model writes, and not in any shard either."""
    spoken = drawn_in_shards()
    more = Sentences(WIDE_HELD_OUT_SEED + 1, WHOLE)
    streams = {"grammar": more.grammar, "random": lambda: more.random_words(3, 10)}
    chosen = []
    for kind, draw in streams.items():
        first = [text for other, text in wide_held_out() if other == kind]
        texts = (text for text in chain(first, iter(draw, None)) if set(text.split()) <= set(EXPORTED))
        new = (text for text in texts if text not in spoken and (kind == "random" or len(text.split()) >= 6))
        chosen += [(kind, text) for text in islice(_distinct(new), per_kind)]
    return chosen


def _distinct(texts: Iterator[str]) -> Iterator[str]:
    seen = set[str]()
    for text in texts:
        if text not in seen:
            seen.add(text)
            yield text


@cache
def held_back() -> frozenset[str]:
    """All that training never speaks: both held-out lists, the mock calls, and the sentences of the sample calls."""
    first = {text for lines in Sentences(HELD_OUT_SEED).held_out().values() for _, text in lines}
    calls = {text for call in Sentences(MOCK_CALLS_SEED).mock_calls() for _, text in call}
    return frozenset({*first, *calls, *(text for _, text in wide_held_out()), *_sample_sentences()})


def _sample_sentences() -> set[str]:
    script = yaml.safe_load(_SAMPLE_SCRIPT.read_text("utf-8"))
    parts = [part for call in script for turn in call["turns"] for part in re.split(r"[.?]", turn[1])]
    return {" ".join(re.findall(r"[a-z]+", part.lower())) for part in parts}


def training_stream(rank: int) -> Iterator[str]:
    """The texts that synthesising process `rank` of the first model drew, in order, without end."""
    source = Sentences(FIRST_TRAINING_SEED + rank)
    while True:
        yield source.any()


@cache
def drawn_in_shards() -> frozenset[str]:
    """All texts of the training speech."""
    return frozenset(text for number in range(SHARDS) for text in islice(shard_texts(number), TEXTS_PER_SHARD))


@cache
def drawn_in_training(ranks: int = 2, each: int = 12_000) -> frozenset[str]:
    """At least all texts that the model ever heard: those of the shards, and of the first model, which it began as.

    The first model's training synthesised 9,000 by each of two processes.
    """
    first = (text for rank in range(ranks) for text in islice(training_stream(rank), each))
    return frozenset(first) | drawn_in_shards()
