"""Failures of a part we depend on: nobody's call is at fault.

Lives here: database, object store, model, Dagster, and a worker's hold on its shard. Does not: what an operator asked
for and cannot have (operations.py).
"""

from __future__ import annotations

from aila_pipeline.errors.base import AilaError


class InfrastructureError(AilaError):
    """A part we depend on failed. The shard stops, is launched again and goes on where it stopped."""

    retryable = True


class LedgerUnavailable(InfrastructureError):
    code, what = "LEDGER_UNAVAILABLE", "the ledger's database does not answer"
    advice = "check AILA_DATABASE_URL and the database"


class StoreUnavailable(InfrastructureError):
    code, what = "STORE_UNAVAILABLE", "the object store does not answer"
    advice = "check AILA_OBJECT_STORE, the endpoint and the credentials"


class ObjectMissing(InfrastructureError):
    code, what = "OBJECT_MISSING", "the object store has no such object"
    advice = "`aila verify` lists what is missing"


class ObjectChanged(InfrastructureError):
    code, what = "OBJECT_CHANGED", "the object is not the one that was pinned"
    advice = "send the files again"


class ModelUnavailable(InfrastructureError):
    code, what = "MODEL_UNAVAILABLE", "the speech model cannot be loaded"
    advice = "check AILA_WHISPER_MODEL: a size that can be downloaded, or a directory with a CTranslate2 model"


class DagsterUnavailable(InfrastructureError):
    code, what = "DAGSTER_UNAVAILABLE", "Dagster does not answer"
    advice = "check AILA_DAGSTER_URL, or start it with `aila up`"


class KeyInvalid(AilaError):
    """Not retryable, and no failure of the store: the name itself cannot be held."""

    code, what = "KEY_INVALID", "no object of the store can have this name"
    advice = "use a shorter or simpler name"


class LeaseLost(AilaError):
    """Another worker holds the shard now; this one writes nothing more and stops quietly."""

    code, what, advice = "LEASE_LOST", "another run took the shard over", "nothing to do"
