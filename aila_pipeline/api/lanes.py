"""Lanes: kinds of work with threads of their own, so that much of one kind does not keep other requests waiting.

Lives here: how many of a kind go on at one time; who comes later waits without holding a thread. Does not: the work.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """At most `width` calls at one time."""

    def __init__(self, name: str, width: int) -> None:
        self._width = width
        self._limiter: RunVar[CapacityLimiter] = RunVar(name)  # a limiter belongs to one event loop

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What `work` returns or raises, called in a thread; its turn may have to be waited for."""
        limiter = self._limiter.get(None)
        if limiter is None:
            limiter = CapacityLimiter(self._width)
            self._limiter.set(limiter)
        return await to_thread.run_sync(partial(work, *arguments, **named), limiter=limiter)
