"""What a model is shown of a call, and where its quotes are found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.models import Transcript, Turn, Word
from aila_pipeline.domain.summary.reading import LINE_WORDS, read
from aila_pipeline.domain.words import tokens
from aila_pipeline_tests.domain.conversations import said

CALL = said(
    "operator 0.0-2.0: Good morning, how can I help?",
    "client 2.0-6.0: I'd like to cancel my Plan. It costs too much",
    "operator 6.0-7.0: yes",
    "client 7.0-8.0: yes",
)


def test_each_turn_is_a_numbered_line_with_its_speaker() -> None:
    shown = read(CALL, most_characters=10_000)
    assert [(line.number, str(line.role)) for line in shown.lines] == [
        (1, "operator"),
        (2, "client"),
        (3, "operator"),
        (4, "client"),
    ]
    assert shown.lines[1].text == "I'd like to cancel my Plan. It costs too much"
    assert shown.omitted == 0


def test_a_quote_is_found_whatever_its_case_and_punctuation_and_given_as_it_was_said() -> None:
    found = read(CALL, most_characters=10_000).find("cancel, MY plan: it costs", 2)
    assert found is not None
    assert found.quote == "cancel my Plan. It costs"
    assert found.start == CALL.turns[1].words[3].start


def test_the_same_words_said_twice_are_found_in_the_line_that_was_named() -> None:
    shown = read(CALL, most_characters=10_000)
    assert [quote.start for quote in (shown.find("yes", 3), shown.find("yes", 4)) if quote] == [6.0, 7.0]


def test_a_quote_with_a_wrong_line_number_is_found_all_the_same() -> None:
    found = read(CALL, most_characters=10_000).find("Good morning", 99)
    assert found is not None
    assert found.start == 0.0


def test_what_was_not_said_word_for_word_is_not_found() -> None:
    shown = read(CALL, most_characters=10_000)
    for invented in (
        "I want to cancel my plan",  # a word changed
        "cancel plan",  # one left out
        "cancel … much",  # an ellipsis
        "like to cancel my Pla",  # half a word
        "costs too much yes",  # two turns
        "how can I help I'd like to",  # two speakers
        "",
        "?!",
    ):
        assert shown.find(invented, 2) is None, invented


def test_a_language_without_spaces_is_quoted_by_its_letters() -> None:
    turn = Turn(
        role="client",
        channel=0,
        start=0.0,
        end=2.0,
        text="我想取消合同",
        words=tuple(
            Word(start=n / 2, end=n / 2 + 0.5, text=text, probability=1)
            for n, text in enumerate(("我想", "取消", "合同"))
        ),
    )
    found = read(Transcript(language="zh", model="m", seconds=2, turns=(turn,)), most_characters=10_000).find("取消合")
    assert found is not None
    assert (found.start, found.quote) == (0.5, "取消合同")


def test_a_monologue_is_several_lines_and_a_quote_over_their_border_is_found() -> None:
    text = " ".join(f"word{n}" for n in range(2 * LINE_WORDS + 1))
    shown = read(said(f"client 0.0-100.0: {text}"), most_characters=10_000)
    assert [len(line.words) for line in shown.lines] == [LINE_WORDS, LINE_WORDS, 1]
    border = shown.find(f"word{LINE_WORDS - 1} word{LINE_WORDS}")
    assert border is not None
    assert border.start == shown.lines[0].words[-1].start


def test_of_a_long_call_beginning_and_end_are_shown_and_the_middle_is_counted() -> None:
    call = said(*(f"client {n}.0-{n}.9: turn number {n} of this call" for n in range(100, 200)))
    shown = read(call, most_characters=1000)
    assert shown.lines[0].number == 1
    assert shown.lines[-1].number == 100
    assert len(shown.lines) + shown.omitted == 100
    assert sum(len(line.text) for line in shown.lines) <= 1000
    assert abs(sum(line.number <= 50 for line in shown.lines) - sum(line.number > 50 for line in shown.lines)) <= 1


def test_no_quote_joins_what_stands_before_and_after_the_part_left_out() -> None:
    text = " ".join(f"w{n}" for n in range(10 * LINE_WORDS))
    shown = read(said(f"client 0.0-999.0: {text}"), most_characters=2000)
    assert shown.omitted > 0
    gap = next(n for n, line in enumerate(shown.lines) if line.number != n + 1)
    before, after = shown.lines[gap - 1].words[-1].text, shown.lines[gap].words[0].text
    assert shown.find(before) is not None
    assert shown.find(after) is not None
    assert shown.find(f"{before} {after}") is None


TURNS = st.lists(st.lists(st.text(max_size=8), max_size=200).map(tuple), max_size=8)


@given(TURNS, st.integers(min_value=0, max_value=3000))
def test_any_transcript_is_shown_within_the_limit_and_each_line_can_be_quoted(
    turns: list[tuple[str, ...]], most: int
) -> None:
    made = tuple(
        Turn(
            role="client",
            channel=0,
            start=float(n),
            end=n + 1.0,
            text=" ".join(texts),
            words=tuple(Word(start=n, end=n + 0.1, text=text, probability=0.5) for text in texts),
        )
        for n, texts in enumerate(turns)
    )
    shown = read(Transcript(language="en", model="m", seconds=9, turns=made), most_characters=most)
    assert sum(len(line.text) for line in shown.lines) <= most
    for line in shown.lines:
        assert (shown.find(line.text, line.number) is not None) == bool(tokens(line.text))
