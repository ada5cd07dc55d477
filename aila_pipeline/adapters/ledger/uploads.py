"""Uploads: the keys of the store that the API issued for a pair, and whose they are.

Lives here: issuing and finding them. Does not: signing URLs (the stores), what becomes of the files (intake.py).

    <country>/<firm>/<id>/<metadata file>.csv
    <country>/<firm>/<id>/<audios file>.zip
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database, in_groups
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.tables import batches, uploads

FINGERPRINT = "upload "
"""How the fingerprint of a batch that came as an upload begins; the upload's id follows."""


@dataclass(frozen=True)
class Upload:
    """Two keys that belong together; `expires_at` binds the PUTs alone."""

    id: str
    tenant_id: str
    user_id: str
    metadata_key: str
    audios_key: str
    expires_at: datetime

    @property
    def fingerprint(self) -> str:
        """Of the batch that it becomes: one upload is one batch."""
        return FINGERPRINT + self.id


class Uploads:
    """What was issued."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue(self, access: Access, *, metadata_name: str, audios_name: str, lasts: timedelta, now: datetime) -> Upload:
        """Two fresh keys for files of these names, known from now on as this user's."""
        upload_id = str(uuid.uuid4())
        folder = f"{access.tenant.country}/{access.tenant.firm}/{upload_id}"
        values: dict[str, Any] = {
            "id": upload_id,
            "tenant_id": access.tenant.id,
            "user_id": access.user_id,
            "metadata_key": f"{folder}/{metadata_name}",
            "audios_key": f"{folder}/{audios_name}",
            "expires_at": now + lasts,
        }
        self._database.write(lambda c: c.execute(sa.insert(uploads).values(**values, created_at=now)))
        return Upload(**values)

    def find(self, tenant: Tenant, metadata_key: str, audios_key: str) -> Upload | None:
        """The tenant's upload that both keys were issued for."""
        if "\0" in metadata_key + audios_key:  # PostgreSQL does not even compare with such text
            return None
        upload_id = next(iter(metadata_key.split("/")[2:3]), "")
        query = sa.select(uploads).where(
            uploads.c.id == upload_id,
            uploads.c.tenant_id == tenant.id,
            uploads.c.metadata_key == metadata_key,
            uploads.c.audios_key == audios_key,
        )
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _upload(row) if row is not None else None

    def issued(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are uploads."""

        def question(connection: sa.Connection) -> set[str]:
            found: set[str] = set()
            for group in in_groups(sorted(set(ids))):
                found.update(connection.scalars(sa.select(uploads.c.id).where(uploads.c.id.in_(group))))
            return found

        return self._database.read(question)

    def expired(self, before: datetime, *, most: int) -> list[Upload]:
        """The oldest uploads whose URLs ended before this time and which no run is still to take in."""
        waits = sa.exists().where(
            batches.c.fingerprint == sa.literal(FINGERPRINT) + uploads.c.id, batches.c.state == "received"
        )
        query = sa.select(uploads).where(uploads.c.expires_at < before, ~waits)
        return self._database.read(
            lambda connection: [
                _upload(row) for row in connection.execute(query.order_by(uploads.c.expires_at).limit(most))
            ]
        )

    def forget(self, ids: Sequence[str]) -> None:
        """Remove uploads whose files are gone."""

        def change(connection: sa.Connection) -> None:
            for group in in_groups(ids):
                connection.execute(sa.delete(uploads).where(uploads.c.id.in_(group)))

        self._database.write(change)


def _upload(row: sa.Row[Any]) -> Upload:
    return Upload(row.id, row.tenant_id, row.user_id, row.metadata_key, row.audios_key, row.expires_at)
