"""What the sample calls say was not in the demo model's training text, which its seeds bring back exactly."""

from __future__ import annotations

import doctest
from itertools import islice
from types import ModuleType

import pytest

from aila_pipeline.demo import MODEL
from aila_pipeline.demo.samples import samples
from tools.demo_model import sentences
from tools.demo_model.sentences import EXPORTED, Sentences, in_grammar
from tools.demo_model.training_text import drawn_in_training, training_stream
from tools.sample_calls import dialogues
from tools.sample_calls.dialogues import Dialogue, Line, problems, read, words_of
from tools.sample_calls.fresh import fresh_calls


def a_dialogue(*texts: str) -> Dialogue:
    """A dialogue of the operator's alone."""
    script = read()[0]
    turns = [Line("operator", text) for text in texts]
    return Dialogue("test", "a test", script.audio, script.operator, script.client, turns)


@pytest.mark.slow
def test_no_sentence_of_the_samples_was_in_the_training_text() -> None:
    assert [problem for dialogue in read() for problem in problems(dialogue)] == []


def test_a_sentence_of_the_training_text_is_found() -> None:
    trained = next(text for text in training_stream(0) if len(text.split()) > 3)
    assert problems(a_dialogue(f"{trained.capitalize()}."))


def test_an_unknown_word_is_found() -> None:
    assert "zebra" in problems(a_dialogue("My zebra is late today."))[0]


def test_the_shipped_calls_say_what_the_script_says() -> None:
    """The recordings were made anew after the script's last change."""
    said = {dialogue.name: [" ".join(words_of(line.text)) for line in dialogue.turns] for dialogue in read()}
    assert said == {call.name: [turn.text for turn in call.turns] for call in samples().values()}


def test_the_words_are_the_models_words() -> None:
    assert list(EXPORTED) == (MODEL / "words.txt").read_text("utf-8").split()


def test_every_sentence_of_the_grammar_is_recognised_as_such() -> None:
    source = Sentences(7)
    assert all(in_grammar(source.grammar()) for _ in range(2000))


def test_a_seed_gives_the_same_sentences_again() -> None:
    assert list(islice(training_stream(1), 50)) == list(islice(training_stream(1), 50))


def test_fresh_calls_are_made_of_unseen_sentences() -> None:
    said = {part.strip() for call in fresh_calls(2, seed=3) for line in call.turns for part in line.text.split(".")}
    assert not said & drawn_in_training()


@pytest.mark.parametrize("module", [sentences, dialogues])
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
