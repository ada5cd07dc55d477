"""`aila retry`: the failed calls of a batch once more.

Lives here: saying what is tried again and what has to be mended. Does not: the attempts (the ledger opens them).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from aila_pipeline.adapters.intake import rejects_key
from aila_pipeline.cli.opening import opened
from aila_pipeline.cli.output import Code, numbers, plural, show, tell
from aila_pipeline.domain.status import CallStatus
from aila_pipeline.errors import NotKnown


def retry_batch(home: Path | None, batch_id: str) -> int:
    """Open new attempts. Exit 0 when there are some or nothing had failed; 1 when all that failed must be mended."""
    with opened(home) as here:
        ledger, store = here.ledger, here.store
        view = ledger.views.batch(batch_id)
        if view is None:
            raise NotKnown(batch_id)
        if view.problem is not None:
            tell(f"{view.id} was refused: {view.problem['message']}")
            return Code.OTHER
        before = [call for call in ledger.views.calls_of(view.id) if call.status is CallStatus.FAILED]
        if not before:
            open_calls = f"; {plural(view.pending, 'call')} still open" if view.pending else ""
            show(f"{view.id}: no call has failed, nothing to retry{open_calls}")
            return Code.WELL
        shards = ledger.batches.retry(view.id, shard_size=here.settings.shard_size, now=datetime.now(UTC))
        left = {call.id for call in ledger.views.calls_of(view.id) if call.status is CallStatus.FAILED}
        opened_again = [call for call in before if call.id not in left]
        if opened_again:
            show(f"{plural(len(opened_again), 'call')} of {view.id} tried again, in {plural(len(shards), 'shard')}:")
            show(*(f"  {shard}" for shard in shards))
            show(f"the work starts within seconds while `aila up` runs; `aila status {view.id}` shows it")
        rows = [call.position for call in before if call.id in left]
        if rows:
            tell(f"{plural(len(rows), 'row')} cannot be tried again, the data must be mended: {numbers(rows)}")
            if store.exists(rejects_key(view.id)):
                tell(f"  the rows with their reasons: {store.url.rstrip('/')}/{rejects_key(view.id)}")
                tell("  mend them there and submit them as a new CSV with their files")
        return Code.WELL if opened_again else Code.OTHER
