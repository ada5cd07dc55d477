"""Verdict: whether a run of numerals must go, and as what.

Lives here: the lengths and shapes that tell a number that identifies somebody from one that counts. Does not: find runs
(runs.py) or cues (cues.py). docs/redaction.md says where the lengths come from.
"""

from __future__ import annotations

from itertools import pairwise

from aila_pipeline.domain.redaction.checksums import luhn
from aila_pipeline.domain.redaction.cues import Cue
from aila_pipeline.domain.redaction.findings import Kind
from aila_pipeline.domain.redaction.phones import is_phone
from aila_pipeline.domain.redaction.runs import Run

FEWEST = 5
"""Digits from which a number goes. Four say a year, a time of day, a price or the end of a card number, which may be
shown (PCI DSS 4.0, 3.4.1)."""
FEWEST_SECRET, MOST_SECRET = 3, 8
"""Digits of a card's security code, a PIN, or a code from a message."""
LONG = 9
"""Digits from which several numerals are no list of amounts."""
CERTAIN = 10
"""Digits in one piece that no amount is written with."""
SINGLE = 4
"""Digits given one by one from which a run of `FEWEST` is dictated, whatever stands around it."""
CARD_LENGTHS = range(12, 20)
"""Digits of a card number (ISO/IEC 7812-1 has up to 19; Maestro's shortest are 12)."""


def must_go(run: Run, text: str, cue: Cue, *, counted: bool, crossing: bool = False) -> bool:
    """Whether a run says a number that must not leave.

    `counted`: a unit or a currency stands with it. `crossing`: it runs over several turns, so its parts may be
    strangers.
    """
    length = len(run.digits)
    large = any(one.large for one in run.numerals)
    if Cue.SECRET in cue and FEWEST_SECRET <= length <= MOST_SECRET and not counted and not large:
        return True
    if length < FEWEST:
        return False
    amount = counted or Cue.AMOUNT in cue
    if len(run.numerals) == 1:
        return _alone(run, cue, amount=amount)
    if large:
        return len(run.numerals) > 2 and length >= LONG and not _round(run)
    return not (_listed(run) and Cue.NUMBER not in cue) and _dictated(run, text, cue, amount=amount, crossing=crossing)


def _dictated(run: Run, text: str, cue: Cue, *, amount: bool, crossing: bool) -> bool:
    """Several numerals: given one by one they go, together with an amount's words or shape they stay."""
    length = len(run.digits)
    if sum(len(one.digits) for one in run.numerals if one.singly) >= SINGLE:
        return True
    if amount:
        return length >= LONG and len(run.numerals) > 2 and not _thousands(run)
    if Cue.NUMBER in cue:
        return True
    if _round(run) or (crossing and length < LONG):
        return False
    return _pair(run, text) if len(run.numerals) == 2 else _several(run, text)


def _alone(run: Run, cue: Cue, *, amount: bool) -> bool:
    """A number in one piece: said, it is an amount; written, it is one if it is round or something is counted."""
    (one,) = run.numerals
    if one.spoken or one.large:
        return one.singly
    if one.code or len(one.digits) >= CERTAIN:
        return True
    return not amount and (Cue.NUMBER in cue or not one.digits.endswith("00"))


def _pair(run: Run, text: str) -> bool:
    """Two numerals without a cue: `555-0142` goes, `12 450` and a spoken "two hundred two hundred fifty" stay."""
    left, right = run.numerals
    if left.spoken or right.spoken:
        return False
    hyphen = "-" in text[left.end : right.start]
    return len(run.digits) >= (6 if hyphen else 7) or (len(run.digits) == 6 and not _thousands(run))


def _several(run: Run, text: str) -> bool:
    """Three numerals or more without a cue: a list with commas and `1 250 000` stay."""
    if len(run.digits) >= LONG:
        return not (_thousands(run) and len(run.numerals[0].digits) < 3)
    return len(run.digits) > FEWEST and not run.parted_by(text, ",") and not _thousands(run)


def _thousands(run: Run) -> bool:
    """Whether it is written as an amount in groups of three."""
    first, *others = run.numerals
    written = not any(one.spoken for one in run.numerals)
    return written and len(first.digits) <= 3 and first.digits[0] != "0" and all(len(one.digits) == 3 for one in others)


def _round(run: Run) -> bool:
    """Whether every part is a round number, as in a list of prices."""
    return all(len(one.digits) > 1 and one.digits[-1] == "0" and one.digits[0] != "0" for one in run.numerals)


def _listed(run: Run) -> bool:
    """Whether it is a short list of years, times of day, or numbers in equal steps."""
    return len(run.digits) <= CARD_LENGTHS.start and (_years(run) or _progression(run) or _times(run))


def _years(run: Run) -> bool:
    """Whether it is made of years: `2019, 2020`, "twenty twenty one twenty twenty two"."""
    digits = run.digits
    halves = {len(one.digits) for one in run.numerals} in ({2}, {4})
    years = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    return halves and all(len(year) == 4 and year[:2] in {"19", "20"} for year in years)


def _progression(run: Run) -> bool:
    """Whether it counts in equal steps up or down: "five, ten, fifteen", `42, 44, 46`."""
    steps = {int(then.digits) - int(one.digits) for one, then in pairwise(run.numerals)}
    zeros = any(one.digits[0] == "0" for one in run.numerals)
    several = any(len(one.digits) > 1 for one in run.numerals)
    return len(run.numerals) > 2 and several and not zeros and len(steps) == 1 and steps != {0}


def _times(run: Run) -> bool:
    """Whether it is made of times of day: "nine thirty ten fifteen"."""
    parts = [int(one.digits) for one in run.numerals]
    pairs = list(zip(parts[::2], parts[1::2], strict=False))
    return len(parts) == 4 and all(hour < 24 and minute in {0, 15, 30, 45} for hour, minute in pairs)


def kind_of(run: Run, text: str, cue: Cue) -> Kind:
    """What a run is that must go."""
    compact, digits = run.compact, run.digits
    if compact[:2].isalpha() and compact[2:4].isdigit() and len(compact) > CERTAIN:
        return Kind.IBAN
    if (len(digits) in CARD_LENGTHS and luhn(digits)) or _begins_with_card(run):
        return Kind.CARD
    # A card number of which one digit was misheard.
    if len(digits) in {15, 16} and Cue.CARD in cue:
        return Kind.CARD
    return Kind.PHONE if is_phone(run, text, asked=Cue.PHONE in cue) else Kind.DIGITS


def _begins_with_card(run: Run) -> bool:
    """Whether a card number is followed by more, such as its expiry."""
    digits = ""
    for one in run.numerals:
        digits += one.digits
        if len(digits) in CARD_LENGTHS and len(digits) > CARD_LENGTHS.start and luhn(digits):
            return True
    return False
