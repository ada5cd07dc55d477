"""Emission: telling Dagster how attempts and batches ended, as materializations of `call` and `batch`.

Lives here: the two asset specs, an event's metadata, and telling without telling twice. Does not: deciding that
something ended (the ledger's transaction wrote the event). Metadata holds ids, codes and numbers; never names,
phone numbers or text.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from aila_pipeline.adapters.batch_report import write_report
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.leases import process_token
from aila_pipeline.adapters.ledger.records import WaitingEvent
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.errors import ObjectMissing

call_spec = dg.AssetSpec(
    "call",
    deps=["outcomes", "submission"],
    group_name="status",
    kinds={"sqlalchemy"},
    owners=["team:calls"],
    description="One materialization when an attempt at a call ends; its partition is the call's id.",
)

batch_spec = dg.AssetSpec(
    "batch",
    deps=["call"],
    group_name="status",
    kinds={"sqlalchemy"},
    owners=["team:calls"],
    description="One materialization each time a batch ends; its partition is the batch's id.",
)

NUMBER = "aila/n"
"""Tag of a materialization: the attempt's number, or how often the batch has closed."""

Teller = Callable[[dg.AssetMaterialization], None]


def tell_waiting(
    instance: dg.DagsterInstance,
    ledger: Ledger,
    store: ObjectStore,
    tell: Teller,
    *,
    shard_id: str | None = None,
    subjects: Sequence[str] | None = None,
    older_than: timedelta = timedelta(0),
    most: int = 500,
) -> int:
    """Tell up to `most` waiting events, each once; returns how many were told now. What is left, the sensor tells.

    A teller may have died between telling and noting, so what Dagster has already is noted and not told again.
    """
    token = process_token()
    claimed = ledger.events.claim(
        token, now=datetime.now(UTC), most=most, shard_id=shard_id, subjects=subjects, older_than=older_than
    )
    known = _known(instance, claimed)
    missing = [event for event in claimed if (event.kind, event.subject_id, event.n) not in known]
    for event in missing:
        tell(_materialization(event, ledger, store))
    ledger.events.told(claimed, token=token, now=datetime.now(UTC))
    return len(missing)


def _known(instance: dg.DagsterInstance, waiting: Sequence[WaitingEvent]) -> set[tuple[str, str, int]]:
    """Those of the waiting events that Dagster has already."""
    known = set()
    for kind in {event.kind for event in waiting}:
        subjects = [event.subject_id for event in waiting if event.kind == kind]
        cursor: str | None = None
        while True:
            found = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=dg.AssetKey(kind), asset_partitions=subjects), limit=500, cursor=cursor
            )
            for record in found.records:
                materialization = record.asset_materialization
                if materialization is not None and materialization.partition is not None:
                    number = int((materialization.tags or {}).get(NUMBER, "0"))
                    known.add((kind, materialization.partition, number))
            if not found.has_more:
                break
            cursor = found.cursor
    return known


def _materialization(event: WaitingEvent, ledger: Ledger, store: ObjectStore) -> dg.AssetMaterialization:
    metadata: dict[str, object] = {name: value for name, value in event.payload.items() if value is not None}
    if event.kind == "batch":
        metadata["report"] = _report_link(event.subject_id, ledger, store)
    return dg.AssetMaterialization(
        asset_key=event.kind,
        partition=event.subject_id,
        description=_headline(event),
        metadata={name: _shown(value) for name, value in metadata.items()},
        tags={NUMBER: str(event.n)},
    )


def _headline(event: WaitingEvent) -> str:
    """`call failed: FILE_NOT_FOUND`, since Dagster shows every materialization with the same green mark."""
    code = event.payload.get("error_code")
    return f"{event.kind} {event.payload['status']}" + (f": {code}" if code else "")


def _report_link(batch_id: str, ledger: Ledger, store: ObjectStore) -> str:
    """The batch's report, written now: whoever is told that the batch ended finds it."""
    try:
        return write_report(ledger, store, batch_id)
    except ObjectMissing as missing:
        return f"not written: {missing.message}"


def _shown(value: object) -> dg.MetadataValue:
    match value:
        case str() if value.startswith(("http://", "https://")):
            return dg.MetadataValue.url(value)
        case str() if value.startswith(("file://", "s3://")):
            # A browser opens neither from a page of Dagster's; a path has a button that copies it.
            return dg.MetadataValue.path(value)
        case bool():
            return dg.MetadataValue.bool(value)
        case int():
            return dg.MetadataValue.int(value)
        case float():
            return dg.MetadataValue.float(value)
        case _:
            return dg.MetadataValue.text(str(value))
