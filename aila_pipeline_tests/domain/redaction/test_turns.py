"""Numbers in conversations: over turns, in words, and in seconds."""

from __future__ import annotations

import pytest
from hypothesis import given

from aila_pipeline.domain.models import Recognition, Role, Transcript, Turn
from aila_pipeline.domain.redaction import Kind, Span, redact_transcript
from aila_pipeline.domain.transcript import merge_turns
from aila_pipeline_tests.domain.conversations import recognitions, said, words


def texts(*lines: str) -> list[str]:
    return [turn.text for turn in redact_transcript(said(*lines))[0].turns]


def test_the_words_of_a_number_become_one_with_their_time() -> None:
    """Eight words of a second each: two before, four groups of digits, one after the comma."""
    transcript, spans = redact_transcript(said("client 0-8: card is 4111 1111 1111 1111, thank you"))
    (turn,) = transcript.turns
    assert turn.text == "card is [card], thank you"
    assert [(word.text, word.start, word.end) for word in turn.words] == [
        ("card", 0, 1),
        ("is", 1, 2),
        ("[card],", 2, 6),
        ("thank", 6, 7),
        ("you", 7, 8),
    ]
    assert spans == (Span(Kind.CARD, 0, 2, 6),)


def test_a_merged_word_is_as_sure_as_its_least_sure_part() -> None:
    turn = said("client 0-3: 4111 1111 11111111").turns[0]
    doubtful = turn.words[1].model_copy(update={"probability": 0.2})
    turn = turn.model_copy(update={"words": (turn.words[0], doubtful, turn.words[2])})
    transcript = Transcript(language="en", model="test", seconds=3, turns=(turn,))
    assert [word.probability for word in redact_transcript(transcript)[0].turns[0].words] == [0.2]


def test_a_number_dictated_over_encouragement_goes_from_each_turn() -> None:
    transcript, spans = redact_transcript(
        said(
            "client 0-3: it is four one one one",
            "operator 3.2-3.5: uh-huh",
            "client 4-6: one one one one",
            "operator 6.2-6.5: yes",
            "client 7-9: one one one one",
            "operator 9.2-9.5: mhm",
            "client 10-12: one one one one",
        )
    )
    assert [turn.text for turn in transcript.turns] == [
        "it is [card]",
        "uh-huh",
        "[card]",
        "yes",
        "[card]",
        "mhm",
        "[card]",
    ]
    assert [(span.kind, span.channel, span.start, span.end) for span in spans] == [
        (Kind.CARD, 0, pytest.approx(1), 3),
        (Kind.CARD, 0, 4, 6),
        (Kind.CARD, 0, 7, 9),
        (Kind.CARD, 0, 10, 12),
    ]


def test_parts_repeated_by_the_operator_go_too() -> None:
    """Three digits alone would stay."""
    assert texts("client 0-2: семь ноль один") == ["семь ноль один"]
    assert (
        texts(
            "client 0-2: семь ноль один",
            "operator 2.2-4: семь ноль один",
            "client 4.2-6: пять пять пять",
            "operator 6.2-8: пять пять пять",
            "client 8.2-10: ноль один два два",
            "operator 10.2-12: ноль один два два",
        )
        == ["[phone]"] * 6
    )


def test_numbers_that_are_far_apart_are_strangers() -> None:
    """The same words as a dictation, with half a minute between them."""
    assert texts("client 0-2: so it is seven two two", "client 4.1-6: three four") == ["so it is [digits]", "[digits]"]
    assert texts("client 0-2: so it is seven two two", "client 32-34: three four") == [
        "so it is seven two two",
        "three four",
    ]


def test_amounts_in_neighbouring_turns_are_not_one_number() -> None:
    lines = ("operator 0-2: it starts at 10 30", "client 2.5-3: okay", "operator 3.5-5: 25 people will come")
    assert texts(*lines) == ["it starts at 10 30", "okay", "25 people will come"]


def test_the_question_of_the_other_makes_three_digits_a_code() -> None:
    assert texts("operator 0-2: and the security code?", "client 2.5-3: four two one") == [
        "and the security code?",
        "[digits]",
    ]
    assert texts("operator 0-2: and how many do you want?", "client 2.5-3: four two one") == [
        "and how many do you want?",
        "four two one",
    ]


def test_two_findings_in_one_word_leave_nothing_of_it() -> None:
    transcript, spans = redact_transcript(said("client 0-2: write john@gmail.com;ann@gmail.com please"))
    assert [word.text for word in transcript.turns[0].words] == ["write", "[email];[email]", "please"]
    assert [span.kind for span in spans] == [Kind.EMAIL, Kind.EMAIL]


def test_words_that_are_not_those_of_the_text_are_not_kept() -> None:
    turn = Turn(
        role=Role.CLIENT, channel=0, start=1, end=3, text="card 4111111111111111", words=words(1, 3, "card 4111")
    )
    transcript = Transcript(language="en", model="test", seconds=3, turns=(turn,))
    redacted, spans = redact_transcript(transcript)
    assert (redacted.turns[0].text, redacted.turns[0].words) == ("card [card]", ())
    assert spans == (Span(Kind.CARD, 0, 1, 3),)


def test_a_call_with_nothing_to_redact_stays_as_it_is() -> None:
    transcript = said("operator 0-2: how can I help", "client 3-5: it costs nineteen ninety nine")
    assert redact_transcript(transcript) == (transcript, ())


@given(recognitions)
def test_any_transcript_keeps_its_shape(recognition: Recognition) -> None:
    """As many turns at the same times, words that are the text, and nothing left to find."""
    transcript = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    redacted, spans = redact_transcript(transcript)
    assert [(turn.start, turn.end) for turn in redacted.turns] == [(turn.start, turn.end) for turn in transcript.turns]
    for turn in redacted.turns:
        assert " ".join(word.text for word in turn.words) == turn.text
    assert all(0 <= span.start <= span.end for span in spans)
    assert redact_transcript(redacted) == (redacted, ())
