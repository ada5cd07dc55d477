"""Speech reading: a thread that reads recordings ahead, so that the model never waits for a decoder.

Lives here: the thread, and the line of what it has found, which is bounded: reading stops while nobody takes windows.
Does not: reading a recording (speech_windows.py), or what becomes of the windows (speech_pooled.py).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from aila_pipeline.adapters.speech_calls import Question
from aila_pipeline.adapters.speech_windows import SoundWindow

T = TypeVar("T")

_LOOK_UP_SECONDS = 0.2


@dataclass(frozen=True)
class Found(Generic[T]):
    """A window of the call, or its end: `window` None, with what went wrong in reading it, if anything did."""

    question: Question[T]
    window: SoundWindow | None
    error: Exception | None = None
    seconds: float = 0.0
    """Spent on reading since the last one."""


@dataclass(frozen=True)
class _End:
    """No more calls; or the asker failed, which ends the work."""

    error: BaseException | None = None


class Reader(Generic[T]):
    """Reads the calls of the questions one after the other, at most `ahead` windows before they are taken."""

    def __init__(
        self,
        questions: Iterable[Question[T]],
        windows: Callable[[Question[T]], Iterator[SoundWindow]],
        *,
        ahead: int,
    ) -> None:
        self._questions, self._windows = questions, windows
        self._line: queue.Queue[Found[T] | _End] = queue.Queue(maxsize=max(1, ahead))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="speech-reader", daemon=True)
        self.ended = False

    def __enter__(self) -> Reader[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, wherever it is, and wait until the thread has let go of its recording."""
        self._stopped.set()
        self._thread.join()

    def take(self, *, wait_seconds: float) -> Found[T] | None:
        """The next find; None if there is none within this time, or none any more (`ended`).

        Raises what the questions raise.
        """
        if self.ended:
            return None
        try:
            found = self._line.get(timeout=wait_seconds) if wait_seconds > 0 else self._line.get_nowait()
        except queue.Empty:
            return None
        if isinstance(found, _End):
            self.ended = True
            if found.error is not None:
                raise found.error
            return None
        return found

    def _run(self) -> None:
        try:
            for question in self._questions:
                self._read(question)
            self._put(_End())
        except _StoppedError:
            pass  # nobody takes anything any more
        except BaseException as error:  # noqa: BLE001 - raised again where the windows are taken
            self._put_last(_End(error))

    def _read(self, question: Question[T]) -> None:
        began = time.perf_counter()
        error: Exception | None = None
        try:
            for window in self._windows(question):
                self._put(Found(question, window, seconds=time.perf_counter() - began))
                began = time.perf_counter()
        except _StoppedError:
            raise
        except Exception as caught:  # noqa: BLE001 - the call's own; the asker decides what it means
            error = caught
        self._put(Found(question, None, error, time.perf_counter() - began))

    def _put(self, found: Found[T] | _End) -> None:
        while not self._stopped.is_set():
            try:
                self._line.put(found, timeout=_LOOK_UP_SECONDS)
            except queue.Full:
                continue
            return
        raise _StoppedError

    def _put_last(self, end: _End) -> None:
        try:
            self._put(end)
        except _StoppedError:
            return


class _StoppedError(Exception):
    """Whoever took the windows has gone."""
