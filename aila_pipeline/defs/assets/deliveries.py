"""`notices` and `crm_sync`: what webhooks and CRMs are told of calls and batches, and how that goes.

Lives here: the two assets, made by one step so that neither waits for the other. Does not: delivering
(adapters/delivery.py), when it runs (sensors.py, schedules.py).

A materialization tells what its run delivered, and how the outbox stands then. Metadata holds ids, codes and counts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.destinations import Destination
from aila_pipeline.adapters.ledger.outbox_views import ListedMessage
from aila_pipeline.defs import checks
from aila_pipeline.domain.deliveries import WEBHOOK
from aila_pipeline.errors import AilaError
from aila_pipeline.settings import Settings

NOTICES, CRM_SYNC = "notices", "crm_sync"
SHOWN = 50
"""Dead letters in the table of one materialization; `aila outbox list --dead` has them all."""


def _spec(name: str, kinds: set[str], description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=["call", "batch"] if name == NOTICES else ["call", "people"],
        group_name="delivery",
        kinds=kinds,
        owners=["team:calls"],
        description=description,
    )


@dg.multi_asset(
    name="deliveries",
    specs=[
        _spec(NOTICES, {"webhook"}, "Signed webhooks that tell how calls and batches ended."),
        _spec(CRM_SYNC, {"hubspot"}, "Contacts and calls in the tenants' CRMs, with score and redacted summary."),
    ],
    check_specs=[*checks.delivery_specs(NOTICES), *checks.delivery_specs(CRM_SYNC)],
    can_subset=True,
)
def deliveries(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], ledger: dg.ResourceParam[Ledger]
) -> Iterator[dg.MaterializeResult]:
    """Deliver until nothing has been due for a while, and tell how the outbox stands."""
    from aila_pipeline.adapters.delivery import Delivery  # noqa: PLC0415 - sends over HTTP, which no other asset needs

    chosen = {key.to_user_string() for key in context.selected_asset_keys}
    try:
        counts = Delivery.from_settings(ledger, settings).run(
            seconds=settings.delivery_minutes * 60,
            linger_seconds=settings.delivery_linger_seconds,
            wanted=lambda kind: _asset_of(kind) in chosen,
        )
        for name in sorted(chosen):
            mine = [count for kind, count in counts.items() if _asset_of(kind) == name]
            yield _result(name, sum(mine, Counter()), settings, ledger)
    except AilaError as error:
        raise dg.Failure(
            error.message, metadata={"code": error.code, "what now": "the next run goes on by itself"}
        ) from error


def _asset_of(kind: str) -> str:
    return NOTICES if kind == WEBHOOK else CRM_SYNC


def _result(name: str, counts: Mapping[str, int], settings: Settings, ledger: Ledger) -> dg.MaterializeResult:
    webhooks, now = name == NOTICES, datetime.now(UTC)
    standing = ledger.outbox_views.standing(webhooks=webhooks, now=now)
    reasons = ledger.outbox_views.dead_by_reason(webhooks=webhooks)
    places = [place for place in ledger.destinations.all() if _asset_of(place.kind) == name]
    shown: dict[str, Any] = {f"run/{what}": counts.get(what, 0) for what in ("delivered", "postponed", "dead")}
    shown |= {"waiting": standing.waiting, "oldest_waiting_seconds": round(standing.oldest_seconds, 1)}
    shown |= {"dead_letters": standing.dead} | {f"dead/{reason}": number for reason, number in reasons[:10]}
    shown |= {"destinations": len(places)}
    failing = [place for place in places if place.last_error]
    if failing:
        shown["failing_destinations"] = dg.MetadataValue.md(_failing(failing, now))
    if standing.dead:
        dead = ledger.outbox_views.messages(state="dead", webhooks=webhooks, limit=SHOWN)
        shown["dead_letters_table"] = dg.MetadataValue.md(_dead(dead))
    return dg.MaterializeResult(
        asset_key=name, metadata=shown, check_results=checks.deliveries(name, standing, reasons, settings)
    )


def _failing(places: Sequence[Destination], now: datetime) -> str:
    rows = ["| destination | tenant | failures in a row | left alone for | reason |", "|---|---|---|---|---|"]
    for place in places:
        rest = max(0.0, (place.paused_until - now).total_seconds()) if place.paused_until else 0.0
        told = (place.id, f"{place.country}/{place.firm}", place.failures, f"{rest:.0f} s", place.last_error or "")
        rows.append(_row(told))
    return "\n".join(rows)


def _dead(messages: Sequence[ListedMessage]) -> str:
    rows = ["| message | event | of | # | destination | tries | reason |", "|---|---|---|---|---|---|---|"]
    for each in messages:
        told = (each.id, each.event, each.subject_id, each.n, each.destination_id, each.tries, each.reason or "")
        rows.append(_row(told))
    return "\n".join(rows)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"
