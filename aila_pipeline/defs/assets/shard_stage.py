"""The shape that the assets of a shard share: hold its lease, go through its calls, save, report.

Lives here: what is current and skipped, what a failure of one call means, the counts. Does not: any stage's work.

A stage is a `StageWork`: which results it reads, which version a call's result would have, and how to make it. One
call's failure ends that call; a failing database, store or model ends the step, and the shard is launched again. A
run that lost its shard to another stops quietly: it yields nothing, so its later steps are skipped.
"""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

import dagster as dg

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.ledger.work import Work
from aila_pipeline.defs import checks
from aila_pipeline.defs.partitions import forced, shards
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import (
    AilaError,
    CallError,
    KeptObjectLost,
    LeaseLost,
    ObjectMissing,
    ProcessingCrashed,
    Unexpected,
)
from aila_pipeline.settings import Settings

T = TypeVar("T")

SUPERSEDED_TAG = "aila/superseded"


@dataclass(frozen=True)
class Found:
    """What a stage found about a call: a JSON document, warnings, and numbers that are summed over the shard.

    `withdrawn` are warnings of an earlier run that hold no more.
    """

    document: dict[str, Any]
    warnings: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    sums: Mapping[str, float] = field(default_factory=dict)


class AnyStage(Protocol):
    """What every kind of stage has."""

    @property
    def stage(self) -> Stage:
        """Its name."""

    @property
    def reads(self) -> tuple[Stage, ...]:
        """The stages whose results it needs, besides its own."""

    @property
    def also(self) -> tuple[Stage, ...]:
        """The stages whose results it uses where they are there."""

    @property
    def version(self) -> Callable[[WorkCall], Version]:
        """Which version a call's result would have."""


@dataclass(frozen=True)
class StageWork:
    """A stage: `reads` are the stages whose results it needs, besides its own; `also` those that it uses if there.

    `risky` stages run foreign code on foreign bytes; the call in hand is noted, so that one that kills its worker
    again and again is found out and failed. `arrange` is shown the calls that need the stage before the first is done,
    so that it may begin what takes long, and returns them in the order in which they are done.
    """

    stage: Stage
    reads: tuple[Stage, ...]
    version: Callable[[WorkCall], Version]
    perform: Callable[[WorkCall, bool], Found]
    risky: bool = False
    also: tuple[Stage, ...] = ()
    arrange: Callable[[Sequence[WorkCall]], Sequence[WorkCall]] = lambda calls: calls


@dataclass
class Tally:
    """The counts of one stage over one shard."""

    done: int = 0
    current: int = 0
    seconds: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)
    warned: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)

    def metadata(self) -> dict[str, Any]:
        """For the materialization, in the words of the ledger."""
        shown: dict[str, Any] = {
            "calls/done": self.done,
            "calls/current": self.current,
            "calls/failed": self.failed.total(),
        }
        sums = {name: round(value, 3) for name, value in sorted(self.sums.items())}
        shown |= {name: value for name, value in sums.items() if name.startswith("calls/")}
        shown["processing_seconds"] = round(self.seconds, 3)
        shown |= {f"failed/{code}": count for code, count in sorted(self.failed.items())}
        shown |= {f"warnings/{code}": count for code, count in sorted(self.warned.items())}
        return shown | sums


@dataclass(frozen=True)
class ShardRun:
    """One step's hold on its shard."""

    context: dg.AssetExecutionContext
    work: Work
    settings: Settings

    @property
    def force(self) -> bool:
        """Whether what is current is done again."""
        return forced(self.context)

    def go_through(self, stage: StageWork) -> Tally:
        """Do the stage for every call that needs it."""
        tally = Tally()
        needing = {call.id: (call, version) for call, version in self.needing(stage, tally)}
        for call in stage.arrange([call for call, _ in needing.values()]):
            with self.failing(stage, call, tally):
                self._one(stage, *needing[call.id], tally)
        self.work.flush()
        return tally

    def needing(self, stage: AnyStage, tally: Tally) -> list[tuple[WorkCall, Version]]:
        """Enter the stage; the calls that need it, each with the version that its result will have."""
        self.work.enter(stage.stage)
        found = []
        for call in self.work.calls(stage.stage, *stage.reads, *stage.also):
            if call.details is None or any(name not in call.results for name in stage.reads):
                continue  # failed at intake or in an earlier stage
            if not call.open and call.status != "completed":
                continue
            with self.failing(stage, call, tally):
                version = self.guarded(stage, call, partial(stage.version, call))
                if self._current(stage, call, version):
                    tally.current += 1
                else:
                    found.append((call, version))
        return found

    @contextmanager
    def failing(self, stage: AnyStage, call: WorkCall, tally: Tally) -> Iterator[None]:
        """A CallError inside ends the call, and nothing else."""
        try:
            yield
        except CallError as error:
            tally.failed[error.code] += 1
            self.context.log.warning(f"{call.id}: {error.code} in {stage.stage}")
            if call.open:
                self.work.fail(call, stage.stage, error)

    def _current(self, stage: AnyStage, call: WorkCall, version: Version) -> bool:
        known = call.results.get(stage.stage)
        return known is not None and known.version == version.id and not self.force

    def _one(self, stage: StageWork, call: WorkCall, version: Version, tally: Tally) -> None:
        if stage.risky:
            self.take(stage, call)
        began = time.perf_counter()
        found = self.guarded(stage, call, lambda: stage.perform(call, self.force))
        self.keep(call, version, found, time.perf_counter() - began, tally)

    def take(self, stage: AnyStage, call: WorkCall) -> None:
        """Note that the call is in hand. Raises ProcessingCrashed if too many workers died with it."""
        if self.work.take(call) >= self.settings.crash_limit:
            raise ProcessingCrashed(f"{self.settings.crash_limit} workers died on it in {stage.stage}")

    def keep(self, call: WorkCall, version: Version, found: Found, seconds: float, tally: Tally) -> None:
        """Save and count what was found; `seconds` were spent on it."""
        told = {"warnings": found.warnings, "withdrawn": found.withdrawn}
        self.work.save(call, version, dict(found.document), seconds=seconds, **told)
        tally.done += 1
        tally.seconds += seconds
        tally.warned.update(found.warnings)
        tally.sums.update(found.sums)

    def guarded(self, stage: AnyStage, call: WorkCall, work: Callable[[], T]) -> T:
        """What `work` gives; what goes wrong in it is this call's failure, unless a part we depend on failed."""
        try:
            return work()
        except ObjectMissing as error:
            # Launching the shard again would meet the same gap for ever.
            raise KeptObjectLost from error
        except AilaError:
            raise
        except Exception as error:  # noqa: BLE001 - a case nobody thought of must not take the other calls with it
            frames = traceback.extract_tb(error.__traceback__)
            # Without the exception's message, which may quote the call.
            trace = "".join(traceback.format_list(frames))
            self.context.log.error(f"{call.id}: {type(error).__name__} in {stage.stage}\n{trace}")
            raise Unexpected(f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno}") from None


def shard_asset(
    stage: Stage,
    *,
    deps: Sequence[str | dg.AssetDep],
    group_name: str,
    kinds: set[str],
    code_version: str,
    description: str,
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """An asset of a shard with the checks of its stage. It may materialize nothing, and then evaluates no check.

    `dg.asset` insists on its checks even where `output_required` is off, so a run that lost its shard ended as a
    failure with a stack trace (seen in Dagster 1.13.27); the outputs of a subsettable multi-asset are all optional.
    """
    spec = dg.AssetSpec(
        str(stage),
        deps=deps,
        group_name=group_name,
        kinds=kinds,
        owners=["team:calls"],
        code_version=code_version,
        description=description,
        skippable=True,
    )
    return dg.multi_asset(
        name=str(stage),
        specs=[spec],
        check_specs=checks.specs(stage),
        can_subset=True,
        partitions_def=shards,
        pool=pool,
    )


def held_shard(
    context: dg.AssetExecutionContext,
    settings: Settings,
    ledger: Ledger,
    body: Callable[[ShardRun], dg.MaterializeResult],
) -> Iterator[dg.MaterializeResult]:
    """Run `body` while this process holds the partition's shard; yield its result, or nothing if it was lost."""
    if not context.has_partition_key:
        raise dg.Failure(
            "choose a shard: this asset and its checks run for one partition at a time", allow_retries=False
        )
    try:
        with ledger.claimed(
            context.partition_key,
            run_id=context.run.run_id,
            lease_seconds=settings.lease_seconds,
            stall_seconds=settings.stall_seconds,
        ) as work:
            result = body(ShardRun(context, work, settings))
    except LeaseLost:
        context.log.info("another run holds this shard; nothing is done here")
        context.instance.add_run_tags(context.run.run_id, {SUPERSEDED_TAG: "yes"})
        return
    except AilaError as error:
        raise dg.Failure(
            error.message, metadata={"code": error.code, "what now": "the shard is launched again by itself"}
        ) from error
    yield result
