"""Submitting: what happens to a list of calls between its bytes and the ledger.

Lives here: the checks in their order, and what a refusal or a dry run tells. Does not: addresses (batches.py), the
rules of an item (domain/intake), the transaction that writes (adapters/ledger/submissions.py).

    bytes ─> items, all of them right ─> limits ─> which are known ─> do their URLs answer ─> written in one transaction
               a refusal lists every problem of every item, by index; nothing was written

A URL is asked only for calls that will be fetched: that of a linked call may have expired long ago.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from aila_pipeline.adapters.ledger.acceptance import Fate, conflict
from aila_pipeline.adapters.ledger.idempotency import Claim
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.submissions import Answering, Submitted
from aila_pipeline.api.bodies import json_object
from aila_pipeline.api.idempotency import Answer
from aila_pipeline.api.limit_headers import standing_headers
from aila_pipeline.api.services import Services
from aila_pipeline.domain.intake.identity import source_fingerprint
from aila_pipeline.domain.intake.manifest import read_manifest
from aila_pipeline.domain.intake.manifest_problems import told_by_item
from aila_pipeline.domain.models import Problem, Submission, UrlSource, Warn
from aila_pipeline.errors import CallError, ManifestInvalid, RequestInvalid, SourceNotAllowed

WORDS = "Invalid calls array"
"""Contract B's message, whatever is wrong with the calls."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FETCHED = {Fate.NEW, Fate.TRIED_AGAIN}


@dataclass(frozen=True)
class CallList:
    """A request's body, submitted by `access` at `now`."""

    services: Services
    access: Access
    body: bytes
    now: datetime

    @cached_property
    def submission(self) -> Submission:
        """The calls. Raises RequestUnreadable for what is no JSON object, RequestInvalid with every problem."""
        body = self.body.removeprefix(_BYTE_ORDER_MARK)
        raw = json_object(body)
        try:
            return read_manifest(body, self.access.tenant.settings, self.now)
        except ManifestInvalid as refusal:
            problems = [each for each in refusal.problems if isinstance(each, Problem)]
            raise calls_invalid(told_by_item(problems, raw), None if problems else refusal.detail) from None

    @cached_property
    def fingerprints(self) -> dict[int, str]:
        """Per position, what tells the same call again from another call under its id."""
        calls = self.submission.calls
        return {call.position: source_fingerprint(call.details, None) for call in calls if call.details is not None}

    def check(self) -> dict[int, Fate]:
        """What would become of each call. Raises RequestInvalid, RequestUnreadable and LimitReached; writes nothing."""
        ledger, submission = self.services.ledger, self.submission
        # Before anything is asked of other hosts: who is over the limit must not make us ask.
        ledger.submissions.standing(self.access, len(submission.calls), now=self.now)
        fates = ledger.submissions.fates(self.access.tenant.id, submission, self.fingerprints)
        conflicts = conflict(position for position, fate in fates.items() if fate is Fate.CONFLICT)
        problems = [*_problems(conflicts), *self._inaccessible(fates)]
        if problems:
            raise self._refusal(problems)
        return fates

    def submit(self, claim: Claim | None) -> Answer:
        """Check, write, launch. Raises as `check`, and RequestInFlight where the claim was lost."""
        self.check()
        try:
            submitted = self.services.ledger.submissions.submit_calls(
                self.access,
                self.submission,
                fingerprints=self.fingerprints,
                shard_size=self.services.settings.shard_size,
                now=self.now,
                answering=Answering(claim, self._data) if claim else None,
            )
        except ManifestInvalid as refusal:
            # Somebody else submitted one of the ids since it was looked up.
            raise self._refusal(_problems(refusal)) from None
        if submitted.shards:
            self.services.launcher.shards()
        headers = standing_headers(submitted.standing) if submitted.standing else {}
        return Answer(self._data(submitted), headers, remembered=claim is not None)

    def dry_run(self) -> Answer:
        """All of it without writing: what would become of the calls."""
        fates = Counter(self.check().values())
        would_be = {str(fate): fates[fate] for fate in (Fate.NEW, Fate.LINKED, Fate.TRIED_AGAIN)}
        data: dict[str, Any] = {"dry_run": True, "calls_submitted": 0, "calls_valid": len(self.submission.calls)}
        return Answer(data | {"would_be": would_be, "warnings": self._warnings()})

    def _data(self, submitted: Submitted) -> dict[str, Any]:
        return {
            "batch_id": submitted.batch_id,
            "calls_submitted": submitted.calls,
            "status": str(submitted.status),
            "warnings": self._warnings(),
        }

    def _warnings(self) -> list[str]:
        """Those of the whole list, then each kind once with the items that it is about."""
        told = list(self.submission.warnings)
        for warning in Warn:
            at = [str(call.position) for call in self.submission.calls if warning in call.warnings]
            if at:
                told.append(f"{warning}: calls {', '.join(at)}")
        return told

    def _inaccessible(self, fates: dict[int, Fate]) -> list[Problem]:
        """The URLs of which it is certain that they cannot be fetched (contracts, gap 18)."""
        urls = {
            call.position: call.details.source.url
            for call in self.submission.calls
            if call.details is not None and isinstance(call.details.source, UrlSource)
            if fates[call.position] in _FETCHED
        }
        refused = self.services.outside.probe(urls, self.access.tenant, seconds=self.services.settings.probe_seconds)
        return [
            Problem(position=position, field="audio_url", code=error.code, message=_told(error))
            for position, error in refused.items()
        ]

    def _refusal(self, problems: Iterable[Problem]) -> RequestInvalid:
        return calls_invalid(told_by_item(problems, json_object(self.body.removeprefix(_BYTE_ORDER_MARK))))


def calls_invalid(calls: Sequence[dict[str, Any]], whole: str | None = None) -> RequestInvalid:
    """Contract B's VALIDATION_ERROR; `whole` is what is wrong with the body around the calls."""
    details: dict[str, Any] = {"calls": list(calls)}
    return RequestInvalid("", details | ({"body": whole} if whole else {}), words=WORDS)


def _problems(refusal: ManifestInvalid) -> list[Problem]:
    return [each for each in refusal.problems if isinstance(each, Problem)]


def _told(error: CallError) -> str:
    """In the contract's words, where it has any."""
    if isinstance(error, SourceNotAllowed):
        return f"audio_url is not allowed: {error.detail or error.what}"
    return "audio_url is not accessible"
