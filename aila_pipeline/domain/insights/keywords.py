"""Keywords: the words a call is about.

Lives here: choosing and ranking them. Does not: stop words (english.py, russian.py).

A term is a word of at least `MIN_LETTERS` letters that is no stop word and no number, or two such words in direct
succession that occur so at least `MIN_COUNT` times. Forms of a word count together (by its stem) and are shown as the
most frequent form. Its salience is `count * words of the term`, so that a pair that is always said together stands
before its halves; a word heard only inside of a kept pair is dropped. No outside frequencies: the same call always
gives the same keywords, with no list of a language's common words to keep up to date.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

from aila_pipeline.domain.insights.language import Language
from aila_pipeline.domain.models import Frozen, Turn
from aila_pipeline.domain.words import tokens

MIN_LETTERS = 3
MIN_COUNT = 2
"""A pair said once is chance. A single word may be a keyword with one mention: calls are short."""

LIMIT = 10
"""How many are kept."""


class Keyword(Frozen):
    """A term and how often it was said."""

    text: str
    count: int


def keywords(turns: Iterable[Turn], language: Language | None) -> tuple[Keyword, ...]:
    """The most salient terms, the first the most; ties go to what was said first.

    Without word lists for the language there is no telling a subject from a preposition: no keywords.
    """
    if language is None:
        return ()
    forms: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for turn in turns:
        for run in _runs(tokens(turn.text), language):
            for word in run:
                forms[(language.stem(word),)][word] += 1
            for first, second in pairwise(run):
                forms[language.stem(first), language.stem(second)][f"{first} {second}"] += 1
    counts = {term: spelt.total() for term, spelt in forms.items()}
    kept = [term for term, count in counts.items() if len(term) == 1 or count >= MIN_COUNT]
    inside: Counter[tuple[str, ...]] = Counter()
    for term in kept:
        inside.update({(stem,): counts[term] for stem in term if len(term) > 1})
    ranked = sorted(
        (term for term in kept if len(term) > 1 or counts[term] > inside[term]),
        key=lambda term: -counts[term] * len(term),
    )
    return tuple(Keyword(text=_form(forms[term]), count=counts[term]) for term in ranked[:LIMIT])


def _runs(spoken: list[str], language: Language) -> Iterator[list[str]]:
    """Stretches of telling words, cut at each stop word, number or short word."""
    for telling, run in groupby(spoken, key=lambda word: _telling(word, language)):
        if telling:
            yield list(run)


def _telling(word: str, language: Language) -> bool:
    return len(word) >= MIN_LETTERS and word not in language.stop_words and not any(map(str.isdigit, word))


def _form(spelt: Counter[str]) -> str:
    """The most frequent form; `Counter` keeps ties in the order heard."""
    return spelt.most_common(1)[0][0]
