"""Lists of calls to submit, as contract B prints them.

Lives here: bodies and what a good answer holds. Does not: asserting (test_batches.py …).
"""

from __future__ import annotations

from typing import Any

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import shards
from aila_pipeline_tests.adapters.ledger.builders import rows, run
from aila_pipeline_tests.api.conftest import Party

LIST = "/v1/calls/batch-upload"


def an_item(name: str = "call_12345", **changed: Any) -> dict[str, Any]:
    """One call as contract B prints it; a field that is changed to `...` is left out."""
    item: dict[str, Any] = {
        "external_id": name,
        "audio_url": f"https://yourdomain.com/recordings/{name}.mp3",
        "user_email": "agent@company.com",
        "contact_name": "John Doe",
        "contact_phone": "+15551234567",
        "contact_email": "john@example.com",
        "call_date": "2025-01-15T14:30:00Z",
        "direction": "outbound",
        "duration": 350,
        "metadata": {"campaign": "Q1 2025", "product": "Enterprise Plan"},
    }
    return {name: value for name, value in (item | changed).items() if value is not ...}


def a_list(*items: dict[str, Any]) -> dict[str, Any]:
    """The body with these calls; one call, if none is given."""
    return {"calls": list(items or (an_item(),))}


def submitted(party: Party, *items: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The answer to a list that must be accepted; `idempotency_key` is written `Idempotency-Key`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = party.post(LIST, json=a_list(*items), headers=named)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def shown(party: Party, batch_id: str, **params: Any) -> dict[str, Any]:
    """The status of a batch that must be there."""
    answer = party.get(f"{LIST}/{batch_id}", params=params)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def errors_of(party: Party, *items: Any, address: str = LIST) -> list[dict[str, Any]]:
    """What a list that must be refused is told of its calls."""
    answer = party.post(address, json={"calls": list(items)})
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("VALIDATION_ERROR", "Invalid calls array")
    told: list[dict[str, Any]] = error["details"]["calls"]
    return told


def work_off(ledger: Ledger, **failing: Any) -> None:
    """Every waiting shard; the calls named in `failing` fail."""
    for shard in rows(ledger, shards, shards.c.state != "ended"):
        run(ledger, shard.id, failing=failing)
