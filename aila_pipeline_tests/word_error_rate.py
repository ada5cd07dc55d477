"""Word error rate: how far a transcript is from what was said. Lives here: the measure. Does not: any recognition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def word_edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest words to put in, take out or replace to turn `said` into `heard` (Levenshtein distance over words).

    >>> word_edits("thank you for calling".split(), "thank you four".split())
    2
    """
    previous = list(range(len(heard) + 1))
    for row, word in enumerate(said, start=1):
        current = [row]
        for column, other in enumerate(heard, start=1):
            substituted = previous[column - 1] + (word != other)
            current.append(min(substituted, previous[column] + 1, current[-1] + 1))
        previous = current
    return previous[-1]


def word_error_rate(pairs: Iterable[tuple[str, str]]) -> float:
    """Edits over spoken words, pooled over all (said, heard) pairs, so that a long call weighs more than a short one.

    Raises:
        ValueError: nothing was said in any of them.

    >>> word_error_rate([("good morning", "good morning"), ("have a nice day", "have nice day")])
    0.16666666666666666
    """
    edits = words = 0
    for said, heard in pairs:
        edits += word_edits(said.split(), heard.split())
        words += len(said.split())
    if not words:
        raise ValueError("no words were said")
    return edits / words
