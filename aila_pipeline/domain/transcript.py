"""Transcript: what was recognised on each channel, merged into the turns of a conversation.

Lives here: who a channel is, where one turn ends and the next begins. Does not: recognition (adapters/speech.py), nor
what the turns tell about the call (insights/).

When a turn ends. The words of one channel are one turn until
- that channel pauses for longer than `PAUSE_SECONDS`, whoever else speaks, or
- it pauses for longer than `FLOOR_SECONDS` and a word of another channel falls into the pause: it gave the floor away.
So a "yes" put into a breath of the other's sentence is a turn of its own, lying inside the other's, and does not shred
it, while an answer to a question ends the question. Who talks over somebody does not end that turn either: the two
turns overlap, as the voices did. Turns of one channel never overlap each other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from aila_pipeline.domain.models import Recognition, Role, Transcript, Turn, Utterance, Word

VERSION = "1"
"""Raised when the same recognition would give other turns."""

PAUSE_SECONDS = 2.0
"""A speaker silent for longer begins a new turn. Pauses within a turn are rarely longer than 1 s (Heldner and Edlund,
Journal of Phonetics 38, 2010); 2 s leaves room for word times that are off by some tenths."""

FLOOR_SECONDS = 0.8
"""A speaker silent for longer, while another speaks, has given the floor away. A one-word answer with the usual 0.2 s
before and after it (Stivers et al., PNAS 106, 2009) takes about as long."""

UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""Languages (as Whisper names them) written without spaces between words."""


def merge_turns(recognition: Recognition, left: Role, right: Role) -> Transcript:
    """The recognition as turns of both sides, in time order.

    Channel 0 is `left`, channel 1 is `right`, any further one is unknown. With a single channel (mono, or dual mono,
    which counts as the one channel that was recognised: `recognition.channels == 1`) nobody can be told apart, and
    all turns are unknown. No word is lost; an utterance that came without word times gets them spread evenly.
    """
    roles = (left, right) if recognition.channels > 1 else ()
    spoken: dict[int, list[Word]] = {}
    for utterance in recognition.utterances:
        spoken.setdefault(utterance.channel, []).extend(_words(utterance))
    for words in spoken.values():
        words.sort(key=lambda word: (word.start, word.end))
    space = "" if recognition.language in UNSPACED else " "
    turns = [
        _turn(roles[channel] if channel < len(roles) else Role.UNKNOWN, channel, go, space)
        for channel, words in spoken.items()
        for go in _goes(words, [word for other, those in spoken.items() if other != channel for word in those])
    ]
    turns.sort(key=lambda turn: (turn.start, turn.channel))
    return Transcript(
        language=recognition.language, model=recognition.model, seconds=recognition.seconds, turns=tuple(turns)
    )


def _goes(words: Sequence[Word], others: Iterable[Word]) -> list[list[Word]]:
    """The words of one channel, in time order, cut where a turn ends."""
    middles = sorted((word.start + word.end) / 2 for word in others)
    goes: list[list[Word]] = []
    end = 0.0
    for word in words:
        # Most words follow at once: looking at the other voices for each costs a third of the merging.
        if not goes or (word.start - end > FLOOR_SECONDS and _cut(end, word.start, middles)):
            goes.append([])
        end = max(end, word.end) if goes[-1] else word.end
        goes[-1].append(word)
    return goes


def _cut(end: float, start: float, middles: Sequence[float]) -> bool:
    """Whether a turn ends in the pause from `end` to `start`. `middles`: sorted middles of all other voices' words."""
    pause = start - end
    if pause > PAUSE_SECONDS:
        return True
    heard_from = bisect_right(middles, end)
    return pause > FLOOR_SECONDS and heard_from < len(middles) and middles[heard_from] < start


def _turn(role: Role, channel: int, words: Sequence[Word], space: str) -> Turn:
    """One turn of these words, which are not empty and in time order."""
    return Turn(
        role=role,
        channel=channel,
        start=words[0].start,
        end=max(word.end for word in words),
        text=space.join(word.text.strip() for word in words),
        words=tuple(words),
    )


def _words(utterance: Utterance) -> list[Word]:
    """The utterance's words; where the recogniser gave none, its text cut at spaces and spread by length."""
    if utterance.words or not utterance.text.strip():
        return [word for word in utterance.words if word.text.strip()]
    parts = utterance.text.split()
    per_letter = (utterance.end - utterance.start) / sum(map(len, parts))
    words, at = [], utterance.start
    for part in parts:
        words.append(Word(start=at, end=at + len(part) * per_letter, text=part, probability=0.0))
        at = words[-1].end
    return words
