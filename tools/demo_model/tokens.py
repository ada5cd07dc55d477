"""Tokens: the demo model's tokenizer, one token a word, and the ids that have a meaning of their own.

Lives here: making, saving and reading `tokenizer.json`. Does not: choosing words (vocabulary.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tools.demo_model.sentences import WHOLE

TIMESTAMPS = 1501
"""0.00 to 30.00 seconds in steps of 20 ms."""

_SPECIAL = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>"),
    *("<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)


@dataclass(frozen=True)
class Ids:
    """Ids of special tokens, and how many tokens there are. Words have the ids 1 to `end_of_text` - 1."""

    end_of_text: int
    start: int
    previous: int
    no_speech: int
    no_timestamps: int
    count: int

    @property
    def first_timestamp(self) -> int:
        """The token of 0.00 s."""
        return self.no_timestamps + 1


def make_tokenizer(known: Collection[str] = WHOLE.words) -> Tokenizer:
    """The tokenizer: known words, single letters, Whisper's special tokens. Other words become `<unk>`."""
    # "Ġ" stands for the space before a word in a byte-level vocabulary.
    words = [f"Ġ{word}" for word in known] + [f"Ġ{letter}" for letter in ascii_lowercase if letter not in known]
    vocabulary = {token: number for number, token in enumerate(["<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*_SPECIAL, *(f"<|{step * 0.02:.2f}|>" for step in range(TIMESTAMPS))])
    return tokenizer


def read_tokenizer(path: Path) -> tuple[Tokenizer, Ids]:
    """A saved tokenizer and its special ids."""
    tokenizer = Tokenizer.from_file(str(path))
    number = tokenizer.get_vocab(with_added_tokens=True)
    return tokenizer, Ids(
        end_of_text=number["<|endoftext|>"],
        start=number["<|startoftranscript|>"],
        previous=number["<|startofprev|>"],
        no_speech=number["<|nospeech|>"],
        no_timestamps=number["<|notimestamps|>"],
        count=len(number),
    )
