"""Submitting to a ledger as the API does, for tests.

    access = an_access(ledger, calls_per_hour=5)
    submitted = submit(ledger, access, a_call(0, "c-0"))

Lives here: arranging. Does not: asserting, and what comes through the drop zone (builders.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.submissions import Answering, Submitted
from aila_pipeline.adapters.ledger.uploads import Upload
from aila_pipeline.domain.intake.identity import source_fingerprint
from aila_pipeline.domain.models import SubmittedCall, TenantSettings
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, a_submission, a_tenant

ROOMY: dict[str, Any] = {"batches_per_hour": 10**6, "calls_per_hour": 10**6, "concurrent_batches": 10**6}


def an_access(ledger: Ledger, firm: str = "acme", **limits: Any) -> Access:
    """A user of the firm, whose settings are changed by `limits`."""
    tenant = a_tenant(ledger, firm)
    if limits:
        tenant = ledger.tenants.change_settings(tenant, TenantSettings(**limits))
    return Access("key_test", tenant, ledger.tenants.ensure_user(tenant, f"ops@{firm}.example"))


def submit(
    ledger: Ledger,
    access: Access,
    *submitted: SubmittedCall,
    now: datetime = NOW,
    shard_size: int = 100,
    answering: Answering[Submitted] | None = None,
) -> Submitted:
    """A list of these calls; one call without an id, if none is given."""
    submission = a_submission(*(submitted or (a_call(),)))
    return ledger.submissions.submit_calls(
        access,
        submission,
        fingerprints={
            call.position: source_fingerprint(call.details, None) for call in submission.calls if call.details
        },
        shard_size=shard_size,
        now=now,
        answering=answering,
    )


def an_upload(ledger: Ledger, access: Access, *, now: datetime = NOW) -> Upload:
    """Two keys that were issued to the user."""
    return ledger.uploads.issue(
        access, metadata_name="metadata.csv", audios_name="audios.zip", lasts=timedelta(hours=1), now=now
    )
