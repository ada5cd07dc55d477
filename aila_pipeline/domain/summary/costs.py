"""Costs: what a request to a language model costs, in whole millionths of the currency its prices are in.

Lives here: prices, and the most that a request can cost before it is answered. Does not: remembering (the ledger).

Prices are per million tokens, as every server names them: so a price is also the millionths that one token costs, and
no sum is rounded but at its end, upwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

MESSAGE_TOKENS = 32
"""What a server may add to one message and to the whole for its own marks; OpenAI's formats add 3 to 7."""


@dataclass(frozen=True)
class Prices:
    """Per million tokens."""

    prompt: Decimal
    completion: Decimal

    def micros(self, prompt_tokens: int, completion_tokens: int) -> int:
        """What so many tokens cost.

        >>> Prices(Decimal("0.15"), Decimal("0.60")).micros(1000, 100)
        210
        """
        exact = self.prompt * prompt_tokens + self.completion * completion_tokens
        return int(exact.to_integral_value(ROUND_CEILING))


def most_prompt_tokens(*texts: str) -> int:
    """No tokeniser makes more tokens of these texts: each token stands for at least one byte of UTF-8."""
    return sum(len(text.encode("utf-8", "surrogatepass")) + MESSAGE_TOKENS for text in texts) + MESSAGE_TOKENS
