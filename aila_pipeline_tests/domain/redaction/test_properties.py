"""What holds for any text, and for any number planted in one."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from aila_pipeline.domain.redaction import Kind, find, redact
from aila_pipeline.domain.redaction.checksums import luhn, mod_97
from aila_pipeline_tests.domain.redaction.labelled import FILES, utterances

PHRASES = [one.text for name in FILES for one in utterances(name)]
WORDS = sorted({word for phrase in PHRASES for word in phrase.split()})
MARKS = [*" .,-/:+()@%$#=\n…—", "[card]", "[digits]", "собака", " at ", " dot com", " тысяч ", "4", "11", "2023"]
texts = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join),
    st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(MARKS)), max_size=30).map("".join),
    st.lists(st.sampled_from(PHRASES), min_size=1, max_size=3).map(" ".join),
)


def digits_in(text: str) -> int:
    return sum(sign.isdigit() for sign in text)


@given(texts)
@example("four one one one [digits] one one one one")
@example("00001#ТЫСЯЧ!0000:0")
@example("VERSION:5105111500155!00001")
@example("+1000000 0:00!0000")
@example("00001 ТЫС?0000:0")
@example("K Z 8 6 at gmail dot com 12 345 собака mail ru")
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    assert digits_in(once) <= digits_in(text)


@given(texts)
def test_findings_are_in_order_inside_the_text_and_do_not_overlap(text: str) -> None:
    at = 0
    for found in find(text):
        assert at <= found.start < found.end <= len(text)
        assert any(sign.isalnum() for sign in text[found.start : found.end])
        at = found.end


def _checked(body: str) -> str:
    return next(body + str(check) for check in range(10) if luhn(body + str(check)))


numbers = st.builds(
    lambda issuer, rest: _checked(issuer + rest),
    st.sampled_from(["2200", "2720", "34", "37", "36", "4", "51", "55", "6011", "62"]),
    st.text("0123456789", min_size=9, max_size=14),
).filter(lambda number: 13 <= len(number) <= 19)
SEPARATORS = [" ", "-", "", ".", ", ", "  ", " - ", "–", "/", "\u00a0"]


@st.composite
def grouped(draw: st.DrawFn) -> str:
    """A card number with its digits in any groups, parted by any marks."""
    number, written = draw(numbers), ""
    one_mark = draw(st.none() | st.sampled_from(SEPARATORS))
    while number:
        size = draw(st.integers(1, 6))
        mark = one_mark if one_mark is not None else draw(st.sampled_from(SEPARATORS))
        written, number = written + number[:size] + (mark if number[size:] else ""), number[size:]
    return written


@given(grouped(), st.sampled_from([phrase for phrase in PHRASES if not re.search(r"\d$", phrase)]))
def test_a_card_number_is_found_in_any_grouping(card: str, phrase: str) -> None:
    """Alone, and after any sentence."""
    (alone,) = find(card)
    assert (alone.kind, card[alone.start : alone.end]) == (Kind.CARD, card)
    text = f"{phrase} Card: {card} thanks"
    at = text.rindex(card)
    covered = {place for found in find(text) for place in range(found.start, found.end)}
    assert all(at + n in covered for n, sign in enumerate(card) if sign.isdigit())


def test_no_check_digit_but_one_is_right() -> None:
    for body in ("411111111111111", "37828224631000"):
        assert sum(luhn(body + str(check)) for check in range(10)) == 1
    assert sum(mod_97(f"KZ{check:02}125KZT5004100100") for check in range(2, 99)) == 1
