"""Downloads: the recordings of a shard, fetched ahead of need into temporary files.

Lives here: how many at a time, in which order, and that nothing is left over. Does not: fetching (outside.py), or what
is done with a file.

A download holds its place until its file was used, so no more than `ahead` files exist at one time. Whoever takes files
must go in the order that was given: what comes before the file asked for is needed no more and dropped. So the file
asked for has been begun or can be begun now, since nothing before it holds a place, and nothing behind it its host.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

_LOOK_SECONDS = 1.0
"""So often a waiting taker tells that bytes have come."""

_FAREWELL_SECONDS = 2.0
"""So long the end waits for threads that were told to stop; a resolver may keep one longer."""


@dataclass(frozen=True)
class Wanted:
    """A file to be downloaded. `host` is where from; `blocks` is handed what tells it to stop."""

    key: str
    host: str
    blocks: Callable[[threading.Event], Generator[bytes, None, None]]


@dataclass
class _Download:
    """One that was begun."""

    wanted: Wanted
    path: Path
    stopped: threading.Event = field(default_factory=threading.Event)
    size_bytes: int = 0
    done: bool = False
    error: BaseException | None = None
    thread: threading.Thread | None = None


class Downloads:
    """Used as a context; at its end everything is stopped and removed, whatever state it is in.

    `on_progress` is called while someone waits for a file and bytes come in.
    """

    def __init__(self, *, ahead: int, per_host: int, on_progress: Callable[[], None] = lambda: None) -> None:
        self._ahead, self._per_host, self._on_progress = ahead, per_host, on_progress
        self._directory = tempfile.TemporaryDirectory(prefix="aila-calls-", ignore_cleanup_errors=True)
        self._changed = threading.Condition()
        self._waiting: list[Wanted] = []
        self._order: dict[str, int] = {}
        self._begun: dict[str, _Download] = {}

    def __enter__(self) -> Downloads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._waiting.clear()
            threads = [download.thread for download in self._begun.values() if download.thread]
            for download in self._begun.values():
                download.stopped.set()
        ends = time.monotonic() + _FAREWELL_SECONDS
        for thread in threads:
            thread.join(max(0.0, ends - time.monotonic()))
        self._directory.cleanup()

    def begin(self, wanted: Sequence[Wanted]) -> None:
        """Download these, the first ones first; they will be taken in this order."""
        with self._changed:
            for file in wanted:
                self._order[file.key] = len(self._order)
                self._waiting.append(file)
            self._start()

    @contextmanager
    def taken(self, key: str) -> Iterator[Path]:
        """The file, as soon as it is whole; removed afterwards. Raises what its download has failed with."""
        with self._changed:
            self._pass_over(key)
        try:
            download = self._awaited(key)
            if download.error is not None:
                raise download.error
            yield download.path
        finally:
            with self._changed:
                self._drop(key)
                self._start()

    def _awaited(self, key: str) -> _Download:
        size_bytes = 0
        while True:
            with self._changed:
                download = self._begun[key]
                if not download.done:
                    self._changed.wait(_LOOK_SECONDS)
                if download.done:
                    return download
            if download.size_bytes > size_bytes:
                size_bytes = download.size_bytes
                self._on_progress()

    def _pass_over(self, key: str) -> None:
        """Drop what comes before it; called under the lock."""
        place = self._order[key]
        for earlier in [known for known in self._begun if self._order[known] < place]:
            self._drop(earlier)
        self._waiting = [wanted for wanted in self._waiting if self._order[wanted.key] >= place]
        self._start()

    def _drop(self, key: str) -> None:
        """Stop it and remove its file; called under the lock."""
        download = self._begun.pop(key, None)
        if download is not None:
            download.stopped.set()
            download.path.unlink(missing_ok=True)

    def _start(self) -> None:
        """Begin what may begin, the first ones first; called under the lock."""
        for wanted in list(self._waiting):
            if len(self._begun) >= self._ahead:
                return
            at_work = sum(not known.done and known.wanted.host == wanted.host for known in self._begun.values())
            if at_work >= self._per_host:
                continue
            self._waiting.remove(wanted)
            download = _Download(wanted, Path(self._directory.name) / str(self._order[wanted.key]))
            self._begun[wanted.key] = download
            download.thread = threading.Thread(target=self._run, args=(download,), name="download", daemon=True)
            download.thread.start()

    def _run(self, download: _Download) -> None:
        try:
            with download.path.open("xb") as file, closing(download.wanted.blocks(download.stopped)) as blocks:
                for block in blocks:
                    if download.stopped.is_set():
                        break
                    file.write(block)
                    download.size_bytes += len(block)
        except BaseException as error:  # noqa: BLE001 - belongs to whoever takes the file, and is raised there
            download.error = error
        with self._changed:
            download.done = True
            if download.stopped.is_set():
                # Dropped while it was written, or before it was opened.
                download.path.unlink(missing_ok=True)
            self._start()
            self._changed.notify_all()
