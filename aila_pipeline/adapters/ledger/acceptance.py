"""Acceptance: a checked submission becomes calls, links, attempts and shards, in one transaction.

Lives here: which call a row or item means (contracts, gap 20), and what is written for it. Does not: checking rows
(domain/intake), copying files, ending attempts (attempts.py).

    id unknown                      a new call, attempt 1
    id known, completed or open     same data: linked, nothing is done twice; other data: EXTERNAL_ID_CONFLICT,
                                    which refuses the whole where `conflicts_refuse` (the API's list; gap 19)
    id known, failed                the same call with the new data, next attempt; its other batches show it too
    rejected row                    a call that has failed already, with its reasons
    id used by an earlier item      a call that has failed already; intake refuses such submissions

A call that failed here has no data in the ledger unless it was accepted: there is nothing to try again with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.attempts import Error, fail_at_once, open_attempts
from aila_pipeline.adapters.ledger.database import in_groups
from aila_pipeline.adapters.ledger.tables import batch_calls, calls, stage_results
from aila_pipeline.domain import ids
from aila_pipeline.domain.models import Priority, Problem, SubmittedCall
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.errors import ExternalIdConflict, ManifestInvalid


@dataclass
class _Plan:
    """What one acceptance is going to write."""

    links: list[dict[str, Any]] = field(default_factory=list)
    new_calls: list[dict[str, Any]] = field(default_factory=list)
    new_data: list[dict[str, Any]] = field(default_factory=list)
    to_open: list[str] = field(default_factory=list)
    failed: list[tuple[str, Error]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    conflicts: list[int] = field(default_factory=list)


class Fate(StrEnum):
    """What becomes of one row or item at acceptance."""

    NEW = "new"
    LINKED = "linked"
    TRIED_AGAIN = "tried_again"
    CONFLICT = "conflict"


def fate_of(call: SubmittedCall, known: sa.Row[Any] | None, fingerprint: str | None) -> Fate:
    """Which of the cases above it is; `known` is the call of its id (status, fingerprint), if there is one."""
    if known is None:
        return Fate.NEW
    if known.status == CallStatus.FAILED and call.accepted:
        return Fate.TRIED_AGAIN
    return Fate.LINKED if call.accepted and known.fingerprint == fingerprint else Fate.CONFLICT


def known_calls(
    connection: sa.Connection, tenant_id: str, external_ids: Iterable[str], *, lock: bool = False
) -> dict[str, sa.Row[Any]]:
    """The tenant's calls that are known by these ids."""
    found: dict[str, sa.Row[Any]] = {}
    for group in in_groups(sorted(set(external_ids))):
        query = (
            sa.select(calls.c.id, calls.c.external_id, calls.c.status, calls.c.fingerprint)
            .where(calls.c.tenant_id == tenant_id, calls.c.external_id.in_(group))
            .order_by(_in_order_of_bytes(connection))
        )
        rows = connection.execute(query.with_for_update(key_share=True) if lock else query)
        found.update({row.external_id: row for row in rows})
    return found


def _in_order_of_bytes(connection: sa.Connection) -> sa.ColumnElement[str]:
    """Ids in the order in which Python sorts them, so that all groups of all acceptances lock in one order."""
    order = calls.c.external_id
    return order if connection.dialect.name == "sqlite" else order.collate("C")


def conflict(positions: Iterable[int]) -> ManifestInvalid:
    """The refusal of a list in which these items have the ids of other calls."""
    told = f"{ExternalIdConflict.code}: {ExternalIdConflict.what}"
    code, name = ExternalIdConflict.code, "external_id"
    problems = tuple(Problem(position=i, field=name, code=code, message=told) for i in sorted(positions))
    return ManifestInvalid(f"{len(problems)} calls have the external_id of another call", problems=problems)


@dataclass(frozen=True)
class Acceptance:
    """One batch's acceptance. `fingerprints` maps a position to the fingerprint of its source and time."""

    batch_id: str
    tenant_id: str
    priority: Priority
    shard_size: int
    now: datetime
    fingerprints: Mapping[int, str]
    conflicts_refuse: bool = False

    def write(self, connection: sa.Connection, submitted: tuple[SubmittedCall, ...]) -> tuple[list[str], int]:
        """Write everything; returns the new shards' keys and how many calls have failed already."""
        known = self._known(connection, [call.external_id for call in submitted if call.external_id])
        plan = _Plan()
        for call in submitted:
            if call.external_id is None:
                self._add(plan, call, external_id=None)
            elif call.external_id in plan.ids:
                self._add(plan, call, external_id=None, conflict=True)
            else:
                plan.ids.add(call.external_id)
                self._place(plan, call, known.get(call.external_id))
        if plan.conflicts and self.conflicts_refuse:
            raise conflict(plan.conflicts)
        # Each new id locks out its equals until the end, so all acceptances write them in one order, as they lock the
        # known ones. Otherwise two lists that name the same calls in different orders wait for each other.
        for group in in_groups(sorted(plan.new_calls, key=lambda row: row["external_id"] or "")):
            connection.execute(sa.insert(calls), group)
        for group in in_groups(plan.links):
            connection.execute(sa.insert(batch_calls), group)
        if plan.new_data:
            connection.execute(_NEW_DATA, plan.new_data)
            for renewed in in_groups(row["known_id"] for row in plan.new_data):
                # What was found in the old data is nothing that a report may show beside the new.
                connection.execute(sa.delete(stage_results).where(stage_results.c.call_id.in_(renewed)))
        fail_at_once(connection, self.batch_id, plan.failed, now=self.now)
        shards = open_attempts(
            connection,
            self.batch_id,
            plan.to_open,
            now=self.now,
            shard_size=self.shard_size,
            priority=self.priority,
        )
        return shards, len(plan.failed)

    def _known(self, connection: sa.Connection, external_ids: list[str]) -> dict[str, sa.Row[Any]]:
        """The calls that are known by these ids, locked until the end of the transaction.

        One that ended while it is being linked would not know of this batch, and never close it. Sorted, so that two
        acceptances lock in the same order.
        """
        return known_calls(connection, self.tenant_id, external_ids, lock=True)

    def _place(self, plan: _Plan, call: SubmittedCall, known: sa.Row[Any] | None) -> None:
        """Decide which call this row or item is, and note what is to be written for it."""
        match fate_of(call, known, self.fingerprints.get(call.position)):
            case Fate.NEW:
                self._add(plan, call, external_id=call.external_id)
            case Fate.TRIED_AGAIN if known is not None:
                renewed = {"batch_id": self.batch_id, "known_id": known.id, "user_id": None, "contact_id": None}
                plan.new_data.append(self._data(call) | renewed)
                plan.to_open.append(known.id)
                self._link(plan, call, known.id)
            case Fate.LINKED if known is not None:
                self._link(plan, call, known.id)
            case _:
                self._add(plan, call, external_id=None, conflict=True)

    def _add(self, plan: _Plan, call: SubmittedCall, *, external_id: str | None, conflict: bool = False) -> None:
        """A new call; failed if its row was rejected, or for the `conflict` of its id with another call."""
        if conflict:
            plan.conflicts.append(call.position)
        call_id = ids.call_id(self.now)
        row: dict[str, Any] = {
            "id": call_id,
            "tenant_id": self.tenant_id,
            "batch_id": self.batch_id,
            "external_id": external_id,
        }
        row |= {"status": CallStatus.PENDING, "stage": Stage.SUBMISSION, "attempt": 0, "created_at": self.now}
        plan.new_calls.append(row | self._data(call, keep=not conflict))
        self._link(plan, call, call_id)
        error = _problems_of(call) or (_told(ExternalIdConflict()) if conflict else None)
        if error:
            plan.failed.append((call_id, error))
        else:
            plan.to_open.append(call_id)

    def _data(self, call: SubmittedCall, *, keep: bool = True) -> dict[str, Any]:
        details = call.details.model_dump(mode="json") if call.details and keep else None
        fingerprint = self.fingerprints.get(call.position) if call.accepted and keep else None
        return {"details": details, "fingerprint": fingerprint, "warnings": list(call.warnings), "retryable": False}

    def _link(self, plan: _Plan, call: SubmittedCall, call_id: str) -> None:
        plan.links.append(
            {"batch_id": self.batch_id, "position": call.position, "call_id": call_id, "external_id": call.external_id}
        )


_NEW_DATA = sa.update(calls).where(calls.c.id == sa.bindparam("known_id"))


def _told(error: ExternalIdConflict) -> Error:
    return error.code, error.message, error.retryable


def _problems_of(call: SubmittedCall) -> Error | None:
    """All problems of a rejected row as one error; the first one's code names it."""
    if not call.problems:
        return None
    told = "; ".join(dict.fromkeys(problem.message for problem in call.problems))
    return call.problems[0].code, told, False
