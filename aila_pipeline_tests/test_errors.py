"""Errors: each tells what happened, what to do, and whether a retry helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aila_pipeline import errors
from aila_pipeline.errors import AilaError, CallError, PermanentCallError, TransientCallError, advice_of


def leaves(family: type[AilaError] = AilaError) -> Iterator[type[AilaError]]:
    """The classes that are raised."""
    below = family.__subclasses__()
    if not below:
        yield family
    for child in below:
        yield from leaves(child)


def test_codes_are_unique() -> None:
    counts = Counter(leaf.code for leaf in leaves())
    assert {code for code, count in counts.items() if count > 1} == set()


def test_each_says_what_happened_and_what_to_do() -> None:
    for leaf in leaves():
        assert leaf.what != AilaError.what, leaf
        assert leaf.advice != AilaError.advice, leaf
        assert leaf("5 of 6").message == f"{leaf.what}: 5 of 6; {leaf.advice}"


def test_a_retry_helps_exactly_with_what_passes() -> None:
    for leaf in leaves(CallError):
        assert leaf.retryable == issubclass(leaf, TransientCallError) != issubclass(leaf, PermanentCallError)


def test_the_tree_at_the_top_shows_every_class() -> None:
    """The picture is what people read first, so it must be whole."""
    drawn = errors.__doc__ or ""
    for leaf in leaves():
        if leaf.__module__.startswith(f"{errors.__name__}."):
            assert f"─ {leaf.__name__} " in drawn, leaf
            assert f" {leaf.code}" in drawn, leaf


def test_a_stored_code_finds_its_advice() -> None:
    assert advice_of("FILE_NOT_FOUND") == errors.FileNotFound.advice
    assert advice_of("A_CODE_OF_LAST_YEAR") == AilaError.advice
