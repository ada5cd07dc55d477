"""`people`: the users and contacts that a shard's calls speak of, found or made, and linked with the calls.

Lives here: the asset. Does not: whom a call means (domain/people.py), the transaction (adapters/ledger/people.py).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import dagster as dg

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.database import in_groups
from aila_pipeline.adapters.ledger.people import Matched
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.defs import checks
from aila_pipeline.defs.assets.shard_stage import ShardRun, Tally, held_shard, shard_asset
from aila_pipeline.domain.models import Warn
from aila_pipeline.domain.people import VERSION, people_version
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import AilaError
from aila_pipeline.settings import Settings

TOGETHER = 25
"""Calls of one transaction; while it runs, other shards of the tenant wait to match theirs."""


@shard_asset(
    Stage.PEOPLE,
    deps=["scores"],
    group_name="people",
    kinds={"sqlalchemy"},
    code_version=VERSION,
    description="Users by e-mail or name, contacts by phone or e-mail: matched or made, once each, and linked.",
)
def people(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
) -> Iterator[dg.MaterializeResult]:
    """Match the people of every call of the shard that was not matched by today's rules."""

    def body(shard: ShardRun) -> dg.MaterializeResult:
        tally, stage = Tally(), _Matching()
        for group in in_groups(shard.needing(stage, tally), TOGETHER):
            for call, found in _matched(shard, ledger, group):
                with shard.failing(stage, call, tally):
                    _count(shard.guarded(stage, call, found), tally)
        calls = shard.work.calls(Stage.PEOPLE)
        return dg.MaterializeResult(metadata=tally.metadata(), check_results=checks.people(shard.work.shard_id, calls))

    yield from held_shard(context, settings, ledger, body)


def _version(call: WorkCall) -> Version:
    assert call.details is not None, "calls without details are left out by the stage"
    return people_version(call.details, call.tenant.settings.phone_region)


@dataclass(frozen=True)
class _Matching:
    """The stage. Whoever is matched was scored: people are the last that is found about a call."""

    stage: Stage = Stage.PEOPLE
    reads: tuple[Stage, ...] = (Stage.SCORES,)
    also: tuple[Stage, ...] = ()
    version: Callable[[WorkCall], Version] = _version


def _matched(
    shard: ShardRun, ledger: Ledger, group: Sequence[tuple[WorkCall, Version]]
) -> list[tuple[WorkCall, Callable[[], Matched]]]:
    """Each call with what gives or raises what became of it; one by one where together they cannot be done."""
    try:
        found = ledger.people.match(shard.work, group)
    except AilaError:
        raise
    except Exception as error:  # noqa: BLE001 - a case nobody thought of, in one of them: the others must go on
        shard.context.log.error(f"{type(error).__name__} in {Stage.PEOPLE}; its calls are matched one by one")
        return [(call, partial(_alone, shard, ledger, call, version)) for call, version in group]
    return [(matched.call, partial(_as_it_is, matched)) for matched in found]


def _alone(shard: ShardRun, ledger: Ledger, call: WorkCall, version: Version) -> Matched:
    (matched,) = ledger.people.match(shard.work, [(call, version)])
    return matched


def _as_it_is(matched: Matched) -> Matched:
    return matched


def _count(matched: Matched, tally: Tally) -> None:
    """Add one call to the counts. Raises its refusal."""
    if matched.refusal is not None:
        raise matched.refusal
    tally.done += 1
    tally.warned.update(matched.warnings)
    for name, person in (("users", matched.user), ("contacts", matched.contact)):
        tally.sums[f"{name}/created"] += person is not None and person.created
        tally.sums[f"{name}/matched"] += person is not None and not person.created
        tally.sums["observations"] += person.observations if person is not None else 0
    tally.sums["users/ambiguous"] += Warn.USER_AMBIGUOUS in matched.warnings
