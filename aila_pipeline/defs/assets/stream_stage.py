"""Stages that work on a stream of calls instead of one after the other.

Lives here: handing out calls, in another thread if the stage takes them there, and keeping what comes back in whatever
order. Does not: what stages share (shard_stage.py), any stage's work.

The call taken last is the one in hand until its result is kept. So a stage that reads ahead blames the call that is
being read when its worker dies: a batch of windows is nobody's. A call with which a worker died before goes alone, from
its reading to its result, so that the next blame is exact: an innocent one is cleared, a deadly one found out.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, Tally
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import CallError


@dataclass(frozen=True)
class Outcome:
    """What a stream gave for a call: `found` raises what went wrong with it; `seconds` were spent on it."""

    call: WorkCall
    found: Callable[[], Found]
    seconds: float


@dataclass(frozen=True)
class StreamWork:
    """A stage: `perform` takes calls when it wants to, and gives the outcome of each when it has it.

    When it ends, or is closed because a part we depend on failed, it has let go of the calls' iterator.
    """

    stage: Stage
    reads: tuple[Stage, ...]
    version: Callable[[WorkCall], Version]
    perform: Callable[[Iterator[WorkCall]], Generator[Outcome, None, None]]
    also: tuple[Stage, ...] = ()


def go_through_stream(shard: ShardRun, stage: StreamWork) -> Tally:
    """Do the stage for every call that needs it; suspects first, each alone."""
    tally = Tally()
    needing = shard.needing(stage, tally)
    versions = {call.id: version for call, version in needing}
    suspects = [[call] for call, _ in needing if call.crashes]
    for group in [*suspects, [call for call, _ in needing if not call.crashes]]:
        crashed: list[tuple[WorkCall, CallError]] = []
        with closing(stage.perform(_taken(shard, stage, group, crashed))) as outcomes:
            for outcome in outcomes:
                with shard.failing(stage, outcome.call, tally):
                    found = shard.guarded(stage, outcome.call, outcome.found)
                    shard.keep(outcome.call, versions[outcome.call.id], found, outcome.seconds, tally)
        for call, error in crashed:
            with shard.failing(stage, call, tally):
                raise error
    shard.work.flush()
    return tally


def _taken(
    shard: ShardRun, stage: StreamWork, calls: Iterable[WorkCall], crashed: list[tuple[WorkCall, CallError]]
) -> Iterator[WorkCall]:
    """The calls, each in hand from when it is asked for; those on which too many workers died are set aside."""
    for call in calls:
        try:
            shard.take(stage, call)
        except CallError as error:
            crashed.append((call, error))
            continue
        yield call
