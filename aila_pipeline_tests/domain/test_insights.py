"""Figures of small conversations, worked out by hand, and what holds for any conversation."""

from __future__ import annotations

import pytest
from hypothesis import given

from aila_pipeline.domain.insights import analyse, metric, metric_names
from aila_pipeline.domain.models import Recognition, Role, Transcript
from aila_pipeline.domain.transcript import merge_turns
from aila_pipeline_tests.domain.conversations import recognitions, said


def test_talk_is_shared_between_those_who_talk() -> None:
    """Operator 4 + 2 s, client 3 s: 6 and 3 of 9; the recording has 12 s, so 3 s are silent."""
    told = analyse(said("operator 0-4: a b", "client 5-8: c", "operator 8-10: d", seconds=12))
    assert (told.talk_seconds.operator, told.talk_seconds.client) == (6.0, 3.0)
    assert (told.talk_share.operator, told.talk_share.client) == (0.666667, 0.333333)
    assert (told.silence.total_seconds, told.silence.share) == (3.0, 0.25)


def test_silences_are_counted_between_first_and_last_word_only() -> None:
    """Pauses of 1, 3 and 5 s between turns; 2 s of ringing before and 8 s of an open line after count in the total."""
    told = analyse(said("operator 2-4: a", "client 5-6: b", "operator 9-10: c", "client 15-16: d", seconds=24)).silence
    assert (told.long_count, told.long_seconds) == (2, 8.0)
    assert (told.longest_seconds, told.longest_start_seconds) == (5.0, 10.0)
    assert told.total_seconds == 2 + 1 + 3 + 5 + 8


def test_overlap_is_time_in_which_two_speak() -> None:
    """1 s and 0.5 s together count, 0.1 s is within the error of word times."""
    told = analyse(
        said("operator 0-5: a", "client 4-8: b", "operator 7.5-10: c", "client 9.9-12: d", seconds=12)
    ).overlap
    assert (told.count, told.total_seconds) == (2, 1.5)


def test_an_interruption_takes_the_floor() -> None:
    told = analyse(said("client 0-5: my order has not arrived", "operator 4-8: please hold the line", seconds=8))
    assert (told.interruptions.operator, told.interruptions.client) == (1, 0)


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        ("operator 2-3: please hold the line", "it does not outlast the other's turn"),
        ("operator 4-8: okay then", "two words encourage"),
        ("operator 4.6-8: please hold the line", "0.4 s early is a common change of turns"),
        ("operator 5-8: please hold the line", "it does not overlap"),
    ],
)
def test_not_every_overlap_is_an_interruption(turn: str, why: str) -> None:
    told = analyse(said("client 0-5: my order has not arrived", turn, seconds=8))
    assert told.interruptions.operator == 0, why


def test_a_monologue_runs_through_encouragement_and_ends_with_an_answer() -> None:
    """0-4 with an "mhm" inside and 5-9 after a 1 s pause make 9 s; the answer at 9.5 ends it."""
    told = analyse(
        said("operator 0-4: a b", "client 2-2.5: mhm", "operator 5-9: c", "client 9.5-10: yes", "operator 10-12: d")
    )
    assert told.longest_monologue_seconds.operator == 9.0
    assert told.longest_monologue_seconds.client == 0.5


def test_a_monologue_ends_with_a_long_silence() -> None:
    told = analyse(said("operator 0-4: one moment", "operator 8-10: here it is"))
    assert told.longest_monologue_seconds.operator == 4.0


def test_words_per_minute_are_words_over_talk() -> None:
    """Eight words in 4 s are 120 a minute; two words in 1 s are too little talk to tell."""
    told = analyse(said("operator 0-4: one two three four five six seven eight", "client 5-6: yes okay"))
    assert (told.words.operator, told.words_per_minute.operator) == (8, 120.0)
    assert (told.words.client, told.words_per_minute.client) == (2, None)


def test_the_response_delay_is_from_the_clients_first_turn_to_the_operators_answer() -> None:
    told = analyse(said("operator 0-1: hello", "client 2-4: my phone is broken", "operator 6.5-8: let me check"))
    assert told.first_response_delay_seconds == 2.5
    assert (told.first_speech_seconds.operator, told.first_speech_seconds.client) == (0.0, 2.0)


def test_there_is_no_response_delay_without_an_answer() -> None:
    assert analyse(said("operator 0-1: hello", "client 2-4: hello")).first_response_delay_seconds is None
    assert analyse(said("operator 0-1: hello")).first_response_delay_seconds is None


def test_an_answer_that_overlaps_has_no_delay() -> None:
    assert analyse(said("client 0-4: a b c", "operator 3-6: d e f")).first_response_delay_seconds == 0.0


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("thank you for calling metro internet my name is anna how can i help you today", "en", 1),
        ("can you tell me your date of birth please", "en", 1),
        ("could you please tell me how much is it", "en", 1),
        ("how much does the router cost and when will it be delivered", "en", 2),
        ("okay is the light on the router red", "en", 1),
        ("i know what is wrong with it", "en", 0),
        ("that is what is wrong", "en", 0),
        ("i will call you as soon as i can i promise", "en", 0),
        ("the price of the phone is ten dollars", "en", 0),
        ("How much is it? And when?? I see.", "en", 2),
        ("How are you doing.", "en", 0),
        ("добрый день чем могу помочь", "ru", 1),
        ("подскажите сколько стоит доставка", "ru", 1),
        ("а можно ли изменить тариф", "ru", 1),
        ("я знаю что случилось", "ru", 0),
        ("как только заказ придет я позвоню", "ru", 0),
        ("как вас зовут", "ru", 1),
        ("wie kann ich helfen", "de", 0),
        ("Wie kann ich helfen?", "de", 1),
    ],
)
def test_questions_are_told_by_their_marks_or_else_by_their_words(text: str, language: str, count: int) -> None:
    assert analyse(said(f"operator 0-5: {text}", language=language)).questions.operator == count


def test_a_pause_lets_a_question_begin_within_a_turn() -> None:
    """The second half starts 1 s after the first: "is the screen black" asks there, and would not in one breath."""
    first, second = said("operator 0-2: i found the notes"), said("operator 3-5: is the screen black")
    joined = first.turns[0].model_copy(
        update={
            "end": 5.0,
            "text": f"{first.turns[0].text} {second.turns[0].text}",
            "words": first.turns[0].words + second.turns[0].words,
        }
    )
    assert analyse(first.model_copy(update={"turns": (joined,)})).questions.operator == 1
    assert analyse(said("operator 0-5: i found the notes is the screen black")).questions.operator == 0


def test_keywords_are_what_is_said_often_pairs_before_their_halves() -> None:
    """ "credit card" twice (2 * 2) leads, "refund" twice follows; "card" alone was said only inside of the pair."""
    told = analyse(
        said(
            "client 0-4: i want a refund to my credit card",
            "operator 5-9: the refund will be paid to your credit card in ten days",
            "client 10-11: and the invoices",
            "operator 12-13: yes the invoice",
        )
    )
    assert [(word.text, word.count) for word in told.keywords] == [
        ("credit card", 2),
        ("refund", 2),
        ("invoices", 2),
        ("paid", 1),
    ]


def test_forms_of_a_russian_word_count_together() -> None:
    told = analyse(said("client 0-4: мой договор закончился", "operator 5-9: номер договора и договор", language="ru"))
    assert (told.keywords[0].text, told.keywords[0].count) == ("договор", 3)


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [
        ("the service is good", "en", 1 / 3),
        ("the service is not good", "en", -0.5 / 2.5),
        ("there is no problem", "en", 0.5 / 2.5),
        ("the phone is broken and the delivery is late", "en", -2 / 4),
        ("great but expensive", "en", 0.0),
        ("good morning how may i help", "en", 0.0),
        ("not late and very good", "en", 1.5 / 3.5),
        ("отлично все работает", "ru", 1 / 3),
        ("мне не нравится и телефон сломался", "ru", -1.5 / 3.5),
        ("добрый день", "ru", 0.0),
        ("das ist gut", "de", None),
        ("good", None, None),
    ],
)
def test_sentiment_weighs_praise_against_complaint(text: str, language: str | None, value: float | None) -> None:
    told = analyse(said(f"client 0-5: {text}", language=language)).sentiment
    assert told.client == (None if value is None else pytest.approx(value, abs=1e-4))
    assert told.operator is None


def test_an_empty_transcript_gives_zeros_and_nothing() -> None:
    told = analyse(Transcript(language=None, model="test", seconds=0.0, turns=()))
    values = {name: metric(told, name) for name in metric_names()}
    assert set(values.values()) == {0, None}
    assert told.talk_share.operator is None
    assert told.silence.longest_seconds is None


@given(recognitions)
def test_figures_of_any_conversation_agree_with_each_other(recognition: Recognition) -> None:
    transcript = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    told = analyse(transcript)
    assert told == analyse(transcript)
    shares = [told.talk_share.of(role) for role in Role]
    assert sum(share or 0.0 for share in shares) == pytest.approx(1.0 if transcript.turns else 0.0, abs=1e-5)
    assert sum(told.turns.of(role) for role in Role) == len(transcript.turns)
    assert sum(told.words.of(role) for role in Role) == sum(len(turn.words) for turn in transcript.turns)
    assert 0 <= told.silence.long_seconds <= told.silence.total_seconds + 1e-3
    for role in Role:
        assert told.longest_monologue_seconds.of(role) <= told.seconds
        longest = max((turn.end - turn.start for turn in transcript.turns if turn.role is role), default=0.0)
        assert told.longest_monologue_seconds.of(role) >= longest - 1e-3
        assert told.talk_seconds.of(role) <= told.seconds + 1e-3
        assert told.interruptions.of(role) <= told.turns.of(role)
        value = told.sentiment.of(role)
        assert value is None or -1 < value < 1


def test_the_names_of_figures_are_those_a_checklist_uses() -> None:
    assert {"talk_share.operator", "silence.longest_seconds", "first_response_delay_seconds"} <= metric_names()
