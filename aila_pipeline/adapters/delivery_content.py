"""What a message tells, put together from the ledger at the moment it is sent.

Lives here: the body of a webhook, and a CRM's call. Does not: sending (webhooks.py, crm.py), the form that receivers
rely on in words (docs/webhooks.md; a change here is a change there).

A webhook tells ids, codes, counts, the score and the redacted summary: no names, no numbers, no addresses of people.
A CRM is where the tenant keeps those, so it is told the contact as well.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from aila_pipeline.adapters.crm import CrmCall, CrmContact
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.adapters.ledger.outbox import Message
from aila_pipeline.adapters.ledger.whole_calls import WholeCall
from aila_pipeline.domain.deliveries import Notice
from aila_pipeline.domain.redaction import redact
from aila_pipeline.domain.status import Stage
from aila_pipeline.errors import DeliveryRefused

_E164 = re.compile(r"\+[1-9][0-9]{4,14}")


class Content:
    """What messages tell. `api_url` is the API as clients reach it; without it messages hold no links."""

    def __init__(self, ledger: Ledger, api_url: str | None = None) -> None:
        self._ledger, self._api_url = ledger, api_url.rstrip("/") if api_url else None

    def body(self, message: Message) -> str:
        """The body of a webhook. DeliveryRefused when the ledger has no such call any more."""
        data = self._call(message) if message.notice.of_call else self._batch(message)
        return json.dumps({"type": message.notice, "timestamp": iso(message.created_at), "data": data})

    def _batch(self, message: Message) -> dict[str, Any]:
        """The counts of the moment in which it ended: it may have been opened again since."""
        facts, batch_id = message.facts, message.subject_id
        counts = {name: facts.get(name, 0) for name in ("calls", "completed", "failed")}
        return {
            "batch_id": batch_id,
            "status": facts["status"],
            "closing": message.n,
            **counts,
            "error": {"code": facts["error_code"]} if facts.get("error_code") else None,
            "links": {"batch": self._link(f"calls/batch-upload/{batch_id}")},
        }

    def _call(self, message: Message) -> dict[str, Any]:
        call, completed = self._found(message), message.notice == Notice.CALL_COMPLETED
        attempt = next(each for each in call.attempts if each.n == message.n)
        error = {"code": attempt.error_code, "message": attempt.error_message or "", "retryable": attempt.retryable}
        return {
            "call_id": call.id,
            "external_id": call.external_id,
            "batch_ids": list(call.batch_ids),
            "status": str(attempt.outcome),
            "attempt": attempt.n,
            "ended_at": iso(attempt.ended_at),
            "error": None if attempt.error_code is None else error,
            "warnings": list(call.warnings),
            "score": _score(call) if completed else None,
            "summary": _summary(call) if completed else None,
            "links": {"call": self._link(f"calls/{call.id}")},
        }

    def crm_call(self, message: Message) -> CrmCall | None:
        """The call as a CRM is told of it; None where its row was rejected, so that nothing is known of it."""
        call = self._found(message)
        if call.details is None:
            return None
        failed = message.notice == Notice.CALL_FAILED
        attempt = next(each for each in call.attempts if each.n == message.n)
        score = None if failed else _score(call)
        return CrmCall(
            message_id=message.id,
            call_id=call.id,
            external_id=call.external_id,
            status="failed" if failed else "completed",
            started_at=call.details.started_at,
            seconds=_seconds(call),
            direction=str(call.details.direction) if call.details.direction else None,
            score=score["total"] if score else None,
            checklist=score["checklist"] if score else None,
            summary=None if failed else _summary(call),
            error_code=attempt.error_code,
            contact=self._contact(call, message.tenant_id),
            owner_email=self._owner(call, message.tenant_id),
            api_url=self._link(f"calls/{call.id}"),
        )

    def _found(self, message: Message) -> WholeCall:
        call = self._ledger.whole_calls.find(message.tenant_id, message.subject_id)
        if call is None:
            raise DeliveryRefused("the ledger has no such call any more")
        return call

    def _contact(self, call: WholeCall, tenant_id: str) -> CrmContact | None:
        found = self._ledger.people_pages.contact(tenant_id, call.contact_id) if call.contact_id else None
        if found is None:
            return None
        contact, _observations = found
        # One that can't be a number is kept as it was given, and means nothing to a CRM.
        phone = contact.phone if contact.phone and _E164.fullmatch(contact.phone) else None
        return CrmContact(contact.id, phone=phone, email=contact.email, name=contact.name)

    def _owner(self, call: WholeCall, tenant_id: str) -> str | None:
        found = self._ledger.people_pages.user(tenant_id, call.user_id) if call.user_id else None
        return found[0].email if found is not None else None

    def _link(self, path: str) -> str | None:
        return f"{self._api_url}/api/v1/{path}" if self._api_url else None


def ping(now: datetime) -> str:
    """The body by which a person tries a new receiver out; it tells of nothing."""
    return json.dumps({"type": "ping", "timestamp": iso(now), "data": {}})


def _score(call: WholeCall) -> dict[str, Any] | None:
    """Total and checklist; None where no checklist fits the call."""
    found = call.results.get(Stage.SCORES)
    if found is None or not found.document["checklist"]:
        return None
    return {name: found.document[name] for name in ("total", "checklist", "version")}


def _summary(call: WholeCall) -> str | None:
    """What a language model made of the call. It was redacted before it left for the model, and is again here."""
    found = call.results.get(Stage.SUMMARIES)
    text = found.document.get("summary") if found is not None else None
    return redact(text) if text else None


def _seconds(call: WholeCall) -> float | None:
    found = call.results.get(Stage.CALL_AUDIO)
    return found.document.get("seconds") if found is not None else None
