"""Speech pool: the windows of many calls, from which batches are taken.

Lives here: which windows go into a batch together. Does not: filling it or recognising (speech_pooled.py).

A batch lasts as long as its longest window, so windows of like length go together; with the oldest one always among
them, none waits for ever, and calls end about in the order in which they came. CTranslate2 wants prompts of one length
in a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

W = TypeVar("W")


class Pool(Generic[W]):
    """Windows in the order in which they came. `length` and `kind` tell of each what decides its neighbours."""

    def __init__(self, *, length: Callable[[W], int], kind: Callable[[W], int]) -> None:
        self._length, self._kind = length, kind
        self._windows: list[W] = []

    def __len__(self) -> int:
        return len(self._windows)

    def put(self, window: W) -> None:
        """Add the newest window."""
        self._windows.append(window)

    def put_back(self, window: W) -> None:
        """Add a window that comes before all others: what is left of one that was taken."""
        self._windows.insert(0, window)

    def take(self, count: int) -> list[W]:
        """The oldest window and those most like it in length, at most so many, in the order in which they came."""
        if not self._windows:
            return []
        oldest = self._windows[0]
        alike = [at for at, window in enumerate(self._windows) if self._kind(window) == self._kind(oldest)]
        alike.sort(key=lambda at: (abs(self._length(self._windows[at]) - self._length(oldest)), at))
        chosen = sorted({0, *alike[:count]} if count > 1 else {0})[:count]
        taken = [self._windows[at] for at in chosen]
        for at in reversed(chosen):
            del self._windows[at]
        return taken

    def drop(self, unwanted: Callable[[W], bool]) -> int:
        """Take away what is not wanted any more; returns how many that were."""
        before = len(self._windows)
        self._windows = [window for window in self._windows if not unwanted(window)]
        return before - len(self._windows)
