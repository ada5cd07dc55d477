"""Speech, pooled: many calls recognised together, window by window.

Lives here: the way of a window from the reader through the pool and a batch to its call, and when a call is done. Does
not: reading (speech_reading.py), choosing batches (speech_pool.py), the model (speech_decoding.py).

Nothing here grows with the length of a recording or the number of calls: the reader runs ahead by two batches of
windows, the pool holds four, and a call's windows are let go when they are heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from aila_pipeline.adapters.speech_calls import Answer, Question
from aila_pipeline.adapters.speech_decoding import Decoder, HeardBatch, ReadyWindow
from aila_pipeline.adapters.speech_pool import Pool
from aila_pipeline.adapters.speech_reading import Found, Reader
from aila_pipeline.adapters.speech_underway import Underway
from aila_pipeline.adapters.speech_windows import SoundWindow
from aila_pipeline.domain.models import Recognition
from aila_pipeline.errors import RecognitionFailed

T = TypeVar("T")

POOLED_BATCHES, READ_AHEAD_BATCHES = 4, 2
_PATIENCE_SECONDS = 0.5
"""A batch that could be better sorted waits no longer than this for more windows."""


@dataclass(frozen=True)
class _Pooled(Generic[T]):
    """A window that waits for its turn, and the call it is of."""

    call: Underway[T]
    ready: ReadyWindow


class PooledRun(Generic[T]):
    """One stream of calls under way. `batches`: how many are given to the model at one time."""

    def __init__(
        self,
        decoder: Decoder,
        *,
        language_of: Callable[[Question[T]], str | None],
        recognition: Callable[[Underway[T]], Recognition],
        on_progress: Callable[[], None],
        batches: int = 1,
    ) -> None:
        self._decoder, self._language_of, self._recognition = decoder, language_of, recognition
        self._on_progress, self._batches = on_progress, batches
        self._pool: Pool[_Pooled[T]] = Pool(
            length=lambda window: window.ready.sound.window.length, kind=lambda window: len(window.ready.prompt)
        )
        self._calls: dict[int, Underway[T]] = {}
        self._flying: dict[Future[tuple[HeardBatch, float]], list[_Pooled[T]]] = {}

    def answers(
        self, questions: Iterable[Question[T]], windows: Callable[[Question[T]], Iterator[SoundWindow]]
    ) -> Generator[Answer[T], None, None]:
        """Each call's answer, the moment its last window is heard."""
        ahead = READ_AHEAD_BATCHES * self._decoder.largest
        with (
            ThreadPoolExecutor(self._batches, thread_name_prefix="speech-batch") as executor,
            Reader(questions, windows, ahead=ahead) as reader,
        ):
            while not (reader.ended and not self._pool and not self._flying):
                if self._collect(reader):
                    self._launch(executor, is_last=reader.ended)
                yield from self._done()
                self._land(reader)
                yield from self._done()

    def _collect(self, reader: Reader[T]) -> bool:
        """Take in what the reader has found; whether a batch should go now. Waits only while nothing else goes on."""
        while len(self._pool) < POOLED_BATCHES * self._decoder.largest:
            found = reader.take(wait_seconds=0.0 if self._flying else _PATIENCE_SECONDS)
            self._on_progress()
            if found is None:
                return reader.ended or not self._flying or len(self._pool) >= self._decoder.largest
            self._take_in(found)
            if found.window is None:
                return False  # a call without speech is done with this, and should not wait for a batch
        return True

    def _take_in(self, found: Found[T]) -> None:
        is_new = id(found.question) not in self._calls
        call = self._calls.setdefault(id(found.question), Underway(found.question))
        call.seconds += found.seconds
        if found.window is None:
            call.is_read, call.error = True, call.error or found.error
        try:
            if is_new:
                call.language = self._language_of(found.question)
            if call.error is None:
                self._prepare(call, found.window)
        except (ValueError, RecognitionFailed) as error:
            call.error = error if isinstance(error, RecognitionFailed) else RecognitionFailed(type(error).__name__)
        if call.error is not None:
            call.waiting -= self._pool.drop(lambda window: window.call is call)
            call.voting.clear()

    def _prepare(self, call: Underway[T], sound: SoundWindow | None) -> None:
        """Pool the window, once its call's language is known."""
        if call.language is None:
            if sound is not None:
                began = time.perf_counter()
                call.vote(sound, *self._decoder.languages(sound))
                call.seconds += time.perf_counter() - began
            if not call.has_voted:
                return
            call.elect()
            for voted, encoded in call.voting:
                self._put(call, ReadyWindow(voted, call.language or "", self._prompt(call), encoded))
            call.voting.clear()
        elif sound is not None:
            self._put(call, ReadyWindow(sound, call.language, self._prompt(call)))

    def _prompt(self, call: Underway[T]) -> tuple[int, ...]:
        if call.prompt is None:
            call.prompt = self._decoder.prompt(call.language or "", call.question.hints)
        return call.prompt

    def _put(self, call: Underway[T], ready: ReadyWindow) -> None:
        call.waiting += 1
        self._pool.put(_Pooled(call, ready))

    def _launch(self, executor: ThreadPoolExecutor, *, is_last: bool) -> None:
        while (free := self._batches - len(self._flying)) > 0 and self._pool:
            # The last windows are shared out, or a short call would be heard by one worker while others have nothing.
            count = min(self._decoder.largest, -(-len(self._pool) // free)) if is_last else self._decoder.largest
            batch = self._pool.take(count)
            self._flying[executor.submit(self._hear, batch)] = batch

    def _hear(self, batch: list[_Pooled[T]]) -> tuple[HeardBatch, float]:
        began = time.perf_counter()
        return self._decoder.hear([window.ready for window in batch]), time.perf_counter() - began

    def _land(self, reader: Reader[T]) -> None:
        """Wait for a batch, and hand what it gave to the calls."""
        if not self._flying:
            return
        could_launch = len(self._flying) < self._batches and not reader.ended
        landed, _ = wait(self._flying, _PATIENCE_SECONDS if could_launch else None, FIRST_COMPLETED)
        for future in landed:
            batch = self._flying.pop(future)
            heard, seconds = future.result()
            batch[0].call.sums["speech/batches"] += 1
            batch[0].call.sums["speech/batches_halved"] += heard.halved
            for window, result in zip(batch, heard.windows, strict=True):
                call, sound = window.call, window.ready.sound
                call.seconds += seconds / len(batch)
                call.waiting -= 1
                call.note(sound, result)
                for rest in result.again if call.error is None else ():
                    call.waiting += 1
                    self._pool.put_back(_Pooled(call, ReadyWindow(rest, window.ready.language, window.ready.prompt)))
        self._on_progress()

    def _done(self) -> Iterator[Answer[T]]:
        for key, call in list(self._calls.items()):
            if call.is_done:
                del self._calls[key]
                yield call.answer(self._recognition)
