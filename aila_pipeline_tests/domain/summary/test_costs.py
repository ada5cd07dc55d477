"""What a request costs, to the millionth."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.summary.costs import Prices, most_prompt_tokens

PRICES = st.decimals(min_value=0, max_value=10_000, places=6)
TOKENS = st.integers(min_value=0, max_value=10**8)


@given(PRICES, PRICES, TOKENS, TOKENS)
def test_a_cost_is_rounded_up_by_less_than_a_millionth(
    prompt: Decimal, completion: Decimal, read: int, written: int
) -> None:
    exact = (Fraction(prompt) * read + Fraction(completion) * written) / 10**6
    assert 0 <= Fraction(Prices(prompt, completion).micros(read, written), 10**6) - exact < Fraction(1, 10**6)


@given(PRICES, PRICES, st.tuples(TOKENS, TOKENS), st.tuples(TOKENS, TOKENS))
def test_more_tokens_never_cost_less(
    prompt: Decimal, completion: Decimal, few: tuple[int, int], more: tuple[int, int]
) -> None:
    prices = Prices(prompt, completion)
    assert prices.micros(*few) <= prices.micros(few[0] + more[0], few[1] + more[1])


@given(st.lists(st.text(), max_size=5))
def test_a_prompt_has_at_most_a_token_for_each_byte_and_the_servers_own_marks(texts: list[str]) -> None:
    assert most_prompt_tokens(*texts) >= sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def test_russian_letters_count_as_the_bytes_they_are() -> None:
    assert most_prompt_tokens("д" * 100) - most_prompt_tokens("d" * 100) == 100
