"""Windows: one channel's speech packed into what a Whisper model pays for anyway.

Lives here: packing spans of speech into windows, and the way back from a window to the channel, exact to the sample.
Does not: finding speech (voice_activity.py) or holding any sound (adapters/speech_windows.py).

Whisper's encoder costs the same for a window that holds one word and for one that is full, and half of a phone channel
is silence. A window holds spans of one channel of one call, in order; where silence was left out between two of them,
a gap is kept. Positions are whole samples throughout, so the way back is exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """Samples of a channel from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """In samples."""
        return self.end - self.start


@dataclass(frozen=True)
class Piece:
    """A span of the channel, and where in the window it begins."""

    at: int
    span: Span

    @property
    def end(self) -> int:
        """Where in the window it ends."""
        return self.at + self.span.length


@dataclass(frozen=True)
class Window:
    """Pieces of one channel in order, none empty. Between two pieces lies silence that the channel has more of."""

    pieces: tuple[Piece, ...]

    @property
    def length(self) -> int:
        """In samples."""
        return self.pieces[-1].end

    @property
    def span(self) -> Span:
        """From its first sample in the channel to its last."""
        return Span(self.pieces[0].span.start, self.pieces[-1].span.end)

    @property
    def speech(self) -> int:
        """Samples of the channel that it holds."""
        return sum(piece.span.length for piece in self.pieces)

    def source(self, position: float) -> float:
        """The channel's sample at this place of the window; a place in a gap is the end of the piece before it."""
        piece = self._piece(position)
        return min(max(piece.span.start + position - piece.at, piece.span.start), piece.span.end)

    def place(self, start: float, end: float) -> tuple[float, float]:
        """Where in the channel that lies which the window has from `start` to `end`.

        Its middle decides the piece, and nothing reaches beyond that: a word is never stretched over what was left out.
        """
        piece = self._piece((start + end) / 2)
        back = piece.span.start - piece.at
        first, last = (min(max(edge + back, piece.span.start), piece.span.end) for edge in (start, end))
        return first, last

    def after(self, position: int) -> tuple[Window, int] | None:
        """What is left from this place on as a window of its own, and where in this one it begins; None if nothing."""
        left = [
            Piece(max(piece.at, position), Span(piece.span.start + max(0, position - piece.at), piece.span.end))
            for piece in self.pieces
            if piece.end > position
        ]
        if not left:
            return None
        begins = left[0].at
        return Window(tuple(Piece(piece.at - begins, piece.span) for piece in left)), begins

    def until(self, position: int) -> Window | None:
        """What comes before this place as a window of its own; None if nothing."""
        kept = [
            Piece(piece.at, Span(piece.span.start, min(piece.span.end, piece.span.start + position - piece.at)))
            for piece in self.pieces
            if piece.at < position
        ]
        return Window(tuple(kept)) if kept else None

    def middle(self) -> int:
        """Where to cut it in two: where a piece begins, if one does so in the middle half, else right in the middle."""
        half = self.length // 2
        begins = [piece.at for piece in self.pieces if abs(piece.at - half) <= self.length // 4]
        return min(begins, key=lambda at: abs(at - half), default=half)

    def _piece(self, position: float) -> Piece:
        return self.pieces[max(0, bisect_right(self.pieces, position, key=lambda piece: piece.at) - 1)]


class Packer:
    """Packs one channel's spans, which come in order and do not overlap, into windows of at most `limit` samples.

    A span that does not fit any more opens the next window; one that is longer than a window is cut into equal parts.
    Between spans that were apart in the channel, `gap` samples are kept free, or as many as they were apart.

    Raises:
        ValueError: `limit` has no room for a sample.
    """

    def __init__(self, limit: int, gap: int) -> None:
        if limit < 1:
            raise ValueError("a window holds at least one sample")
        self._limit, self._gap = limit, gap
        self._open: list[Piece] = []

    def add(self, span: Span) -> Iterator[Window]:
        """Take the next span; yields the windows that are full now."""
        for part in self._parts(span):
            at = self._next_place(part)
            if at + part.length > self._limit:
                yield from self.end()
                at = 0
            last = self._open[-1] if self._open else None
            if last is not None and last.span.end == part.start:
                self._open[-1] = Piece(last.at, Span(last.span.start, part.end))
            else:
                self._open.append(Piece(at, part))

    def end(self) -> Iterator[Window]:
        """The window begun last, if there is one."""
        if self._open:
            done, self._open = Window(tuple(self._open)), []
            yield done

    def _next_place(self, span: Span) -> int:
        if not self._open:
            return 0
        last = self._open[-1]
        return last.end + min(self._gap, span.start - last.span.end)

    def _parts(self, span: Span) -> Iterator[Span]:
        """The span itself, or equal parts that fit."""
        count = -(-span.length // self._limit)
        for number in range(count):
            start = span.start + span.length * number // count
            yield Span(start, span.start + span.length * (number + 1) // count)
