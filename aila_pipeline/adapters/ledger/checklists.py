"""Checklists: the versions that were imported for a tenant, and which of them scores which segment.

Lives here: keeping versions, making one active for segments, reading what is active. Does not: what a checklist may
say, or choosing one for a call (domain/scoring).

A version, once imported, never changes: a score that names it can be explained for ever. What is active is one row a
segment, replaced by whoever activates another version for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects import postgresql, sqlite

from aila_pipeline.adapters.ledger.checklist_tables import active_checklists, checklists
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.tables import tenants
from aila_pipeline.domain.scoring import MAX_SEGMENT_LETTERS, Checklist, plain_segment
from aila_pipeline.errors import ChecklistConflict, ChecklistInvalid, ChecklistUnknown


@dataclass(frozen=True)
class ImportedChecklist:
    """One version of a tenant's checklist. `active_for`: the segments whose calls it scores now."""

    tenant_id: str
    id: str
    version: str
    document: Mapping[str, Any]
    source: str
    imported_at: datetime
    active_for: tuple[str, ...]

    @property
    def checklist(self) -> Checklist:
        """What it asks. Raises ChecklistInvalid when this program knows other rules than the one that imported it."""
        return _checklist(self.id, self.version, self.document)


class Checklists:
    """Imported and active checklists of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def import_version(self, tenant: Tenant, checklist: Checklist, source: str, *, now: datetime) -> bool:
        """Keep this version with its YAML; False when the same was imported before.

        Raises ChecklistConflict when the same version asked something else then.
        """
        row: dict[str, Any] = {"tenant_id": tenant.id, "id": checklist.id, "version": checklist.version}
        row |= {"digest": checklist.digest, "document": checklist.model_dump(mode="json"), "source": source}
        row["imported_at"] = now

        def change(connection: sa.Connection) -> bool:
            query = sa.select(checklists.c.digest).where(_is(tenant.id, checklist.id, checklist.version))
            known = connection.scalar(query)
            if known is None:
                connection.execute(sa.insert(checklists).values(**row))
            elif known != checklist.digest:
                raise ChecklistConflict(f"{checklist.id} version {checklist.version}")
            return known is None

        return self._database.write(change)

    def versions(self, tenant: Tenant | None = None) -> list[ImportedChecklist]:
        """All versions, of one tenant or of all: by tenant and id, the newest import first."""
        query = sa.select(checklists).order_by(
            checklists.c.tenant_id, checklists.c.id, checklists.c.imported_at.desc(), checklists.c.version.desc()
        )
        served = sa.select(active_checklists).order_by(active_checklists.c.segment)
        if tenant is not None:
            query = query.where(checklists.c.tenant_id == tenant.id)
            served = served.where(active_checklists.c.tenant_id == tenant.id)

        def question(connection: sa.Connection) -> list[ImportedChecklist]:
            segments: dict[tuple[str, str, str], list[str]] = {}
            for row in connection.execute(served):
                segments.setdefault((row.tenant_id, row.checklist_id, row.version), []).append(row.segment)
            return [
                _imported(row, segments.get((row.tenant_id, row.id, row.version), ()))
                for row in connection.execute(query)
            ]

        return self._database.read(question)

    def find(self, tenant: Tenant, checklist_id: str, version: str | None = None) -> ImportedChecklist:
        """One version; if none is named the one that is active, else the one imported last. Raises ChecklistUnknown."""
        of_id = self._versions_of(tenant, checklist_id)
        if version is not None:
            of_id = [each for each in of_id if each.version == version]
            if not of_id:
                raise ChecklistUnknown("no version of it has this name")
        return next((each for each in of_id if each.active_for), of_id[0])

    def newest(self, tenant: Tenant, checklist_id: str) -> ImportedChecklist:
        """The version that was imported last. Raises ChecklistUnknown."""
        return self._versions_of(tenant, checklist_id)[0]

    def _versions_of(self, tenant: Tenant, checklist_id: str) -> list[ImportedChecklist]:
        of_id = [each for each in self.versions(tenant) if each.id == checklist_id]
        if not of_id:
            raise ChecklistUnknown("none has this id")
        return of_id

    def activate(
        self, tenant: Tenant, checklist_id: str, version: str, segments: Iterable[str] | None = None, *, now: datetime
    ) -> tuple[str, ...]:
        """Let this version score these segments from now on, or if None those that it names itself; returns which.

        Raises ChecklistUnknown when it was not imported, ChecklistInvalid for what no segment can be called.
        """
        found = self.find(tenant, checklist_id, version)
        wanted = found.checklist.segments if segments is None else segments
        served = tuple(dict.fromkeys(map(plain_segment, wanted)))
        if not all(1 <= len(segment) <= MAX_SEGMENT_LETTERS for segment in served):
            raise ChecklistInvalid(f"a segment has 1 to {MAX_SEGMENT_LETTERS} letters")
        chosen = {"checklist_id": checklist_id, "version": version, "activated_at": now}

        def change(connection: sa.Connection) -> None:
            insert = sqlite.insert if self._database.sqlite else postgresql.insert
            for segment in served:
                statement = insert(active_checklists).values(tenant_id=tenant.id, segment=segment, **chosen)
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["tenant_id", "segment"], set_=chosen)
                )

        self._database.write(change)
        return served

    def deactivate(self, tenant: Tenant, checklist_id: str, segments: Iterable[str] | None = None) -> tuple[str, ...]:
        """Let the checklist, in any version, score these segments no more, or if None none at all.

        Returns the segments that it had until now.
        """
        mine = sa.and_(active_checklists.c.tenant_id == tenant.id, active_checklists.c.checklist_id == checklist_id)
        if segments is not None:
            mine &= active_checklists.c.segment.in_([plain_segment(segment) for segment in segments])
        statement = sa.delete(active_checklists).where(mine).returning(active_checklists.c.segment)
        gone = self._database.write(lambda connection: connection.scalars(statement).all())
        return tuple(sorted(gone))

    def active(self, tenant_id: str) -> dict[str, Checklist | ChecklistInvalid]:
        """What scores the tenant's calls now, by segment.

        ChecklistInvalid stands for one that was imported by a program with other rules than this one.
        """
        query = (
            sa.select(active_checklists.c.segment, checklists)
            .join(checklists, _is(tenant_id, active_checklists.c.checklist_id, active_checklists.c.version))
            .where(active_checklists.c.tenant_id == tenant_id)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {row.segment: _usable(row) for row in rows}

    def unusable(self) -> list[str]:
        """Active checklists of all tenants that were imported under other rules: `firm/id version`."""
        query = (
            sa.select(tenants.c.firm, checklists)
            .join(tenants, tenants.c.id == checklists.c.tenant_id)
            .where(
                sa.exists().where(
                    active_checklists.c.tenant_id == checklists.c.tenant_id,
                    active_checklists.c.checklist_id == checklists.c.id,
                    active_checklists.c.version == checklists.c.version,
                )
            )
            .order_by(tenants.c.firm, checklists.c.id)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [f"{row.firm}/{row.id} {row.version}" for row in rows if isinstance(_usable(row), ChecklistInvalid)]


_Text = str | sa.ColumnElement[str]


def _is(tenant_id: _Text, checklist_id: _Text, version: _Text) -> sa.ColumnElement[bool]:
    return sa.and_(
        checklists.c.tenant_id == tenant_id, checklists.c.id == checklist_id, checklists.c.version == version
    )


def _checklist(checklist_id: str, version: str, document: Mapping[str, Any]) -> Checklist:
    try:
        return Checklist.model_validate(document)
    except ValidationError:
        raise ChecklistInvalid(
            f"{checklist_id} version {version} was imported by another release; import it as a new version"
        ) from None


def _usable(row: sa.Row[Any]) -> Checklist | ChecklistInvalid:
    try:
        return _checklist(row.id, row.version, row.document)
    except ChecklistInvalid as error:
        return error


def _imported(row: sa.Row[Any], segments: Sequence[str]) -> ImportedChecklist:
    return ImportedChecklist(
        tenant_id=row.tenant_id,
        id=row.id,
        version=row.version,
        document=row.document,
        source=row.source,
        imported_at=row.imported_at,
        active_for=tuple(segments),
    )
