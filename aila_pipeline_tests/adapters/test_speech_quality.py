"""Which answers are believed: faster-whisper's rules, case by case."""

from __future__ import annotations

import pytest

from aila_pipeline.adapters.speech_quality import Attempt, Thresholds

RULES = Thresholds()
LOOP = "seven one " * 30


def an_attempt(text: str = "good morning", *, sure: float = -0.3, silence: float = 0.1, heat: float = 0.0) -> Attempt:
    return Attempt((1, 2), text, sure, silence, heat)


@pytest.mark.parametrize(
    ("attempt", "fails", "silent"),
    [
        (an_attempt(), False, False),
        (an_attempt(sure=-1.2), True, False),
        (an_attempt(LOOP), True, False),
        (an_attempt(sure=-1.2, silence=0.9), False, True),
        (an_attempt(sure=-0.3, silence=0.9), False, False),
        (an_attempt(LOOP, sure=-1.2, silence=0.9), False, True),
        (an_attempt(LOOP, sure=-0.3, silence=0.9), True, False),
    ],
)
def test_an_answer_fails_when_it_repeats_itself_or_is_unsure_of_speech(
    attempt: Attempt, fails: bool, silent: bool
) -> None:
    assert (RULES.fails(attempt), RULES.is_silence(attempt)) == (fails, silent)


def test_thresholds_that_are_off_let_everything_pass() -> None:
    off = Thresholds(None, None, None)
    assert not off.fails(an_attempt(LOOP, sure=-9, silence=1))
    assert not off.is_silence(an_attempt(silence=1))
    assert Thresholds(log_prob_threshold=None).is_silence(an_attempt(sure=-0.1, silence=0.9))


def test_the_first_answer_that_passes_is_the_best_though_another_is_surer() -> None:
    attempts = [an_attempt(LOOP, sure=-0.1), an_attempt("good", sure=-0.9, heat=0.2)]
    assert RULES.best(attempts) is attempts[1]


def test_of_answers_that_all_fail_the_surest_that_does_not_repeat_itself_is_taken() -> None:
    attempts = [an_attempt(LOOP, sure=-0.1), an_attempt(sure=-1.5, heat=0.2), an_attempt(sure=-1.1, heat=0.4)]
    assert RULES.best(attempts) is attempts[2]
    loops = [an_attempt(LOOP, sure=-0.5), an_attempt(LOOP, sure=-0.2, heat=0.2)]
    assert RULES.best(loops) is loops[1]
