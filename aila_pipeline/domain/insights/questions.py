"""Questions: how many a speaker asks, with and without punctuation.

Lives here: the count. Does not: the words that ask (english.py, russian.py).

A transcript with punctuation is believed: a question is a question mark (several in a row are one). Whether it has any
is decided once per transcript, as some models write none. Without it a question begins
- with a pair of words that asks wherever it stands ("how can", "could you", "чем могу"), unless a word before it embeds
  it ("I know what is wrong"; "can you tell me how much it is" is one question), or
- with a word that asks at the start of a clause ("is the light on", "какой тариф"); a clause starts with the turn,
  after a pause of `CLAUSE_SECONDS` and after words such as "okay" or "а", or
- it has a particle that asks ("можно ли").
The next `STRIDE` words belong to the same question. This misses questions told by the voice alone, and takes some
statements for questions; it is for comparing calls, not for quoting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aila_pipeline.domain.insights.language import Asking, Language
from aila_pipeline.domain.insights.timing import told
from aila_pipeline.domain.models import Turn
from aila_pipeline.domain.words import tokens

CLAUSE_SECONDS = 0.5
"""A pause within a turn after which a new clause starts."""

STRIDE = 3
"""Words after a question's first one in which no other question begins ("how can you …" is one)."""

_MARKS = re.compile(r"[?？؟]+(?:\s*[?？؟])*")
_PUNCTUATION = re.compile(r"[.?!,。？！，؟]")


def punctuated(turns: Iterable[Turn]) -> bool:
    """Whether the model that wrote these turns writes punctuation."""
    return any(_PUNCTUATION.search(turn.text) for turn in turns)


def questions(turn: Turn, language: Language | None, *, punctuated: bool) -> int:
    """How many questions a turn asks. 0 for a language without word lists when there is no punctuation."""
    if punctuated:
        return len(_MARKS.findall(turn.text))
    return _unmarked(turn, language.asking) if language else 0


def _unmarked(turn: Turn, asking: Asking) -> int:
    """Questions told by their words alone."""
    spoken = [
        (token, bool(n) and told(word.start - turn.words[n - 1].end) >= CLAUSE_SECONDS)
        for n, word in enumerate(turn.words)
        for token in tokens(word.text)
    ]
    count, next_from, previous = 0, 0, ""
    for at, (token, paused) in enumerate(spoken):
        pair = (token, spoken[at + 1][0] if at + 1 < len(spoken) else "")
        starts = not previous or paused or previous in asking.openers
        asks = (
            token in asking.particles
            or (pair in asking.anywhere and previous not in asking.embedding)
            or (starts and token in asking.at_start and pair[1] != "" and pair not in asking.not_asking)
        )
        if asks and at >= next_from:
            count, next_from = count + 1, at + 1 + STRIDE
        previous = token
    return count
