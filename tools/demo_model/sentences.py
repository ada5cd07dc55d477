"""Sentences: the demo model's training text, drawn from the vocabulary by a seed.

Lives here: the grammars (the first model's, and the whole one of today), the random word sequences, the held-out
lists, and whether a sentence could have come out of the first grammar. Does not: which text is trained on and which is
not (training_text.py), or speech (synthesise.py).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from tools.demo_model.vocabulary import OPENERS, SLOTS, TEMPLATES, VOICES
from tools.demo_model.wider_vocabulary import ONE_SOUND_APART, WIDER_SLOTS, WIDER_TEMPLATES

GRAMMAR_SHARE = 0.4
"""The rest are uniformly random words: they force the decoder to listen instead of reciting templates."""

HELD_OUT_SEED, MOCK_CALLS_SEED = 4242, 777

_SLOT = re.compile(r"\{(\w+)\}")
_AGENT_LINES = TEMPLATES.index("hello my name is {person}")

_HOMOPHONES = ("to", "for", "too")
"""They sound like other words of the list: only the grammar can tell them apart."""


@dataclass(frozen=True)
class Grammar:
    """Templates, and what may stand in their slots."""

    slots: Mapping[str, tuple[str, ...]]
    templates: tuple[str, ...]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words there are, sorted."""
        fixed = " ".join(_SLOT.sub(" ", template) for template in self.templates)
        compound = "hundred and the of tomorrow on next week today this in days within hours between"
        slots = " ".join(" ".join(values) for values in self.slots.values())
        return tuple(sorted({*fixed.split(), *compound.split(), *slots.split(), *OPENERS}))


FIRST = Grammar(SLOTS, TEMPLATES)
"""383 words. The sample calls and the first held-out lists are made of it."""

_MERGED = {name: (*SLOTS.get(name, ()), *WIDER_SLOTS.get(name, ())) for name in (*SLOTS, *WIDER_SLOTS)}
WHOLE = Grammar(_MERGED, (*TEMPLATES, *WIDER_TEMPLATES))
"""758 words, the 383 among them. What training speaks."""

EXPORTED = tuple(word for word in WHOLE.words if word not in ONE_SOUND_APART)
"""670 words, the 383 among them. What a model made so writes."""


class Sentences:
    """A seeded source of sentences. The same seed gives the same stream, on every machine."""

    def __init__(self, seed: int | str, grammar: Grammar = FIRST) -> None:
        """Start the stream of `seed`."""
        self._random = random.Random(seed)
        self._grammar = grammar
        self._pool = [word for word in grammar.words if word not in _HOMOPHONES]
        self._compound: dict[str, Callable[[], str]] = {
            "num": self._number,
            "money": self._money,
            "digits": self._digits,
            "date": self._date,
            "when": self._when,
            "addr": self._address,
            "person": self._person,
        }

    def grammar(self) -> str:
        """A template with its slots filled."""
        sentence = self._fill(self._random.choice(self._grammar.templates))
        return f"{self._random.choice(OPENERS)} {sentence}" if self._random.random() < 0.1 else sentence

    def random_words(self, fewest: int = 1, most: int = 12) -> str:
        """Uniformly random words."""
        return " ".join(self._random.choice(self._pool) for _ in range(self._random.randint(fewest, most)))

    def any(self) -> str:
        """What training draws: random words or a sentence of the grammar."""
        return self.random_words() if self._random.random() < 1 - GRAMMAR_SHARE else self.grammar()

    def held_out(self, per_kind: int = 32) -> dict[str, list[tuple[str, str]]]:
        """For each voice, `per_kind` grammar sentences of 6+ words and as many random sequences of 2-10 words."""
        seen: set[str] = set()
        lists: dict[str, list[tuple[str, str]]] = {}
        for voice in VOICES:
            lists[voice] = []
            for kind, fewest in (("grammar", 6), ("random", 2)):
                accepted = 0
                while accepted < per_kind:
                    text = self.grammar() if kind == "grammar" else self.random_words(2, 10)
                    if text in seen or len(text.split()) < fewest:
                        continue
                    seen.add(text)
                    lists[voice].append((kind, text))
                    accepted += 1
        return lists

    def mock_calls(self, count: int = 4, turns: int = 22) -> list[list[tuple[str, str]]]:
        """Calls of alternating turns, each an agent's ("A") or a customer's ("C") line with a slot in it."""
        agent = [template for template in TEMPLATES[:_AGENT_LINES] if "{" in template]
        customer = [template for template in TEMPLATES[_AGENT_LINES:] if "{" in template]

        def line(turn: int) -> tuple[str, str]:
            who, lines = ("A", agent) if turn % 2 == 0 else ("C", customer)
            return who, self._fill(self._random.choice(lines))

        return [[line(turn) for turn in range(turns)] for _ in range(count)]

    def _fill(self, template: str) -> str:
        return _SLOT.sub(lambda slot: self._slot(slot.group(1)), template)

    def _slot(self, name: str) -> str:
        return self._compound[name]() if name in self._compound else self._random.choice(self._grammar.slots[name])

    def _number(self) -> str:
        kind = self._random.choice(("digit", "teen", "tens", "compound"))
        if kind == "digit":
            return self._random.choice(SLOTS["d"][2:])
        if kind == "teen":
            return self._slot("teen")
        return self._slot("tens") + (f" {self._random.choice(SLOTS['d'][1:])}" if kind == "compound" else "")

    def _money(self) -> str:
        if self._random.random() < 0.6:
            amount = self._number()
        else:
            amount = f"{self._random.choice(SLOTS['d'][1:])} hundred"
            if self._random.random() < 0.5:
                amount += f" and {self._number()}"
        return f"{amount} {self._slot('cur')}"

    def _digits(self) -> str:
        return " ".join(self._slot("d") for _ in range(self._random.randint(3, 7)))

    def _date(self) -> str:
        kind = self._random.choice(("day", "the first of may", "may first"))
        if kind == "day":
            return self._slot("day")
        first = self._slot("ord") if kind == "the first of may" else self._slot("month")
        return f"the {first} of {self._slot('month')}" if kind == "the first of may" else f"{first} {self._slot('ord')}"

    def _when(self) -> str:
        makers: tuple[Callable[[], str], ...] = (
            lambda: f"tomorrow {self._slot('tod')}",
            lambda: f"on {self._slot('day')}",
            lambda: "next week",
            lambda: "today",
            lambda: f"this {self._slot('tod')}",
            lambda: f"in {self._number()} days",
            lambda: f"within {self._number()} hours",
            lambda: f"on the {self._slot('ord')} of {self._slot('month')}",
            lambda: f"between {self._slot('d')} and {self._slot('d')}",
        )
        return self._random.choice(makers)()

    def _address(self) -> str:
        return f"{self._number()} {self._slot('street')}"

    def _person(self) -> str:
        full = self._random.choice((False, True))
        first = self._slot("first")
        return f"{first} {self._slot('last')}" if full else first


@cache
def _grammar_pattern() -> re.Pattern[str]:
    """One expression that matches every sentence of the grammar, and some more (any two numbers where one fits)."""

    def one_of(*slots: str) -> str:
        return "(?:" + "|".join(value for slot in slots for value in SLOTS[slot]) + ")"

    number = f"(?:{one_of('tens')}(?: {one_of('d')})?|{one_of('d', 'teen')})"
    date = f"(?:{one_of('day')}|the {one_of('ord')} of {one_of('month')}|{one_of('month')} {one_of('ord')})"
    compound = {
        "num": number,
        "money": f"(?:{number}|{one_of('d')} hundred(?: and {number})?) {one_of('cur')}",
        "digits": f"{one_of('d')}(?: {one_of('d')}){{2,6}}",
        "date": date,
        "when": f"(?:(?:tomorrow|this) {one_of('tod')}|on {date}|next week|today|in {number} days"
        f"|within {number} hours|between {one_of('d')} and {one_of('d')})",
        "addr": f"{number} {one_of('street')}",
        "person": f"{one_of('first')}(?: {one_of('last')})?",
    }

    def slot(match: re.Match[str]) -> str:
        name = match.group(1)
        return compound[name] if name in compound else one_of(name)

    lines = "|".join(_SLOT.sub(slot, template) for template in TEMPLATES)
    return re.compile(f"(?:(?:{'|'.join(OPENERS)}) )?(?:{lines})")


def in_grammar(sentence: str) -> bool:
    """Whether the first grammar can make this sentence, so that training may have contained it.

    >>> in_grammar("yes your balance is forty two euros"), in_grammar("your balance is good")
    (True, False)
    """
    return _grammar_pattern().fullmatch(sentence) is not None
