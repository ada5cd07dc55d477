"""Checks: what a data engineer wants told about a shard before a client tells it. Green, yellow (WARN) or red (ERROR).

Lives here: every check of every asset, evaluated in the asset's own step, so that it costs no run of its own. Does
not: anything that changes data. Dagster's pages show an asset's newest check, so each names the shard it looked at.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.outbox_views import Standing
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.rescoring import stale_makers
from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.domain.models import Warn
from aila_pipeline.domain.status import TERMINAL, CallStatus, Stage
from aila_pipeline.domain.summary import Gap
from aila_pipeline.settings import Settings

_DESCRIPTIONS: dict[Stage, dict[str, str]] = {
    Stage.CALL_AUDIO: {
        "no_silent_channel": "No recording has a channel on which nothing is said",
        "no_dual_mono": "No stereo recording carries the same signal twice (roles can't be told apart)",
        "duration_as_declared": "Recordings last as long as the submission says (1 s or 5%)",
    },
    Stage.TRANSCRIPTS: {"no_demo_model": "The demo model, which knows a few hundred words, hears no real traffic"},
    Stage.SUMMARIES: {
        "no_incomplete_summaries": "A language model's reading of every call is whole, where one is asked"
    },
    Stage.SCORES: {"no_stale_results": "All insights and scores were made by today's rules and checklists"},
    Stage.PEOPLE: {
        "no_ambiguous_users": "No call names a user by a name that several have",
        "every_phone_has_a_contact": "Every call with a phone has a contact; what cannot be a number makes none",
    },
    Stage.OUTCOMES: {
        "nothing_lost": "Every call of the shard has ended",
        "few_failures": "At most AILA_FAILURE_SHARE of the shard's calls failed",
    },
}


def specs(stage: Stage) -> list[dg.AssetCheckSpec]:
    """The checks of the asset of this stage."""
    return [
        dg.AssetCheckSpec(name, asset=str(stage), description=description)
        for name, description in _DESCRIPTIONS.get(stage, {}).items()
    ]


def call_audio(shard_id: str, calls: Sequence[WorkCall]) -> list[dg.AssetCheckResult]:
    """On the recordings of a shard."""
    return [
        _warned("no_silent_channel", shard_id, calls, Warn.SILENT_CHANNEL),
        _warned("no_dual_mono", shard_id, calls, Warn.DUAL_MONO),
        _warned("duration_as_declared", shard_id, calls, Warn.DURATION_MISMATCH),
    ]


def _warned(name: str, shard_id: str, calls: Sequence[WorkCall], warning: Warn) -> dg.AssetCheckResult:
    """Passed when no call carries the warning."""
    found = [call.id for call in calls if warning in call.warnings]
    return _none_found(name, shard_id, calls, found)


def _none_found(name: str, shard_id: str, calls: Sequence[WorkCall], found: Sequence[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"shard": shard_id, "calls": len(calls), "found": len(found), "first_ids": list(found[:10])},
    )


def people(shard_id: str, calls: Sequence[WorkCall]) -> list[dg.AssetCheckResult]:
    """On whom the calls of a shard were matched with."""
    matched = [(call, call.results[Stage.PEOPLE].document) for call in calls if Stage.PEOPLE in call.results]
    alone = [call.id for call, who in matched if call.details and call.details.contact_phone and not who["contact"]]
    return [
        _warned("no_ambiguous_users", shard_id, calls, Warn.USER_AMBIGUOUS),
        _none_found("every_phone_has_a_contact", shard_id, calls, alone),
    ]


def demo_model(recogniser: Recogniser, settings: Settings) -> dg.AssetCheckResult:
    """The demo model is welcome only where the settings say that this is a demo."""
    return dg.AssetCheckResult(
        check_name="no_demo_model",
        passed=settings.demo or not recogniser.is_demo,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"model": recogniser.model_name},
    )


def incomplete_summaries(shard_id: str, calls: Sequence[WorkCall]) -> dg.AssetCheckResult:
    """What the summaries of a shard lack. Passing reasons are asked about again by the next run of the shard."""
    known = [call.results[Stage.SUMMARIES].document for call in calls if Stage.SUMMARIES in call.results]
    gaps = [{Gap(gap) for gap in document["gaps"]} for document in known]
    counts = Counter(gap for found in gaps for gap in found)
    shown: dict[str, int | str] = {"shard": shard_id, "calls": len(known), "incomplete": sum(map(bool, gaps))}
    shown |= {f"gap/{gap}": count for gap, count in sorted(counts.items())}
    if any(gap.passing for gap in counts):
        shown["what now"] = "mend what it says, then materialize `summaries` and `scores` of this shard again"
    return dg.AssetCheckResult(
        check_name="no_incomplete_summaries",
        passed=not counts,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=shown,
    )


def stale_results(ledger: Ledger, analysis: Analysis) -> dg.AssetCheckResult:
    """How many stored results were made by rules or checklists that are not today's; a schedule makes them again."""
    counts = ledger.results.stale(stale_makers(ledger, analysis))
    shown: dict[str, Any] = {f"stale/{stage}": count for stage, count in counts.items()}
    unusable = ledger.checklists.unusable()
    passed = not unusable and not any(counts.values())
    shown["what now"] = "job `rescore`, or wait for its schedule"
    if unusable:
        shown |= {
            "unusable checklists": unusable,
            "what now": "another release imported them: import them as new versions",
        }
    return dg.AssetCheckResult(
        check_name="no_stale_results", passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=shown
    )


def outcomes(shard_id: str, calls: Sequence[WorkCall], settings: Settings) -> list[dg.AssetCheckResult]:
    """On how the shard ended."""
    open_calls = [call.id for call in calls if call.open or CallStatus(call.status) not in TERMINAL]
    failed = sum(call.status == CallStatus.FAILED for call in calls)
    share = failed / len(calls) if calls else 0.0
    return [
        dg.AssetCheckResult(
            check_name="nothing_lost",
            passed=not open_calls,
            metadata={"shard": shard_id, "calls": len(calls), "open": len(open_calls), "open_ids": open_calls[:10]},
        ),
        dg.AssetCheckResult(
            check_name="few_failures",
            passed=share <= settings.failure_share,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"shard": shard_id, "failed": failed, "share": round(share, 3), "limit": settings.failure_share},
        ),
    ]


_OF_DELIVERY = {
    "no_dead_letters": "No message was given up; those that were wait for `aila outbox replay`",
    "nothing_waits_long": "No message has waited for longer than AILA_DELIVERY_ALARM_MINUTES",
}


def delivery_specs(asset: str) -> list[dg.AssetCheckSpec]:
    """The checks of `notices` and of `crm_sync`."""
    return [dg.AssetCheckSpec(name, asset=asset, description=told) for name, told in _OF_DELIVERY.items()]


def deliveries(
    asset: str, standing: Standing, reasons: Sequence[tuple[str, int]], settings: Settings
) -> list[dg.AssetCheckResult]:
    """On how the messages of webhooks, or of CRMs, stand; `reasons` are why messages were given up."""
    late = standing.oldest_seconds > settings.delivery_alarm_minutes * 60
    return [
        dg.AssetCheckResult(
            check_name="no_dead_letters",
            asset_key=asset,
            passed=standing.dead == 0,
            metadata={"dead_letters": standing.dead}
            | {f"dead/{reason}": number for reason, number in reasons[:10]}
            | ({"what now": "mend the receiver, then `aila outbox replay --all-dead`"} if standing.dead else {}),
        ),
        dg.AssetCheckResult(
            check_name="nothing_waits_long",
            asset_key=asset,
            passed=not late,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"waiting": standing.waiting, "oldest_waiting_seconds": round(standing.oldest_seconds, 1)},
        ),
    ]
