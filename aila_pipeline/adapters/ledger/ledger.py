"""The ledger: the truth about tenants, batches, calls, attempts, shards and what is still to be told.

Lives here: the one object that others hold, with a room for each concern. Does not: SQL (the rooms have it).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aila_pipeline.adapters.ledger.arrivals import Arrivals
from aila_pipeline.adapters.ledger.audits import Contradictions, References
from aila_pipeline.adapters.ledger.batch_pages import BatchPages
from aila_pipeline.adapters.ledger.batches import Batches
from aila_pipeline.adapters.ledger.call_pages import CallPages
from aila_pipeline.adapters.ledger.checklists import Checklists
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.destinations import Destinations
from aila_pipeline.adapters.ledger.events import Events
from aila_pipeline.adapters.ledger.figures import LedgerFigures
from aila_pipeline.adapters.ledger.idempotency import Idempotency
from aila_pipeline.adapters.ledger.keys import ApiKeys
from aila_pipeline.adapters.ledger.leases import process_token
from aila_pipeline.adapters.ledger.model_requests import ModelRequests
from aila_pipeline.adapters.ledger.outbox import Outbox
from aila_pipeline.adapters.ledger.outbox_views import OutboxViews
from aila_pipeline.adapters.ledger.people import People
from aila_pipeline.adapters.ledger.people_pages import PeoplePages
from aila_pipeline.adapters.ledger.polls import Polls
from aila_pipeline.adapters.ledger.results import Results
from aila_pipeline.adapters.ledger.shards import Shards
from aila_pipeline.adapters.ledger.submissions import Submissions
from aila_pipeline.adapters.ledger.tenants import Tenants
from aila_pipeline.adapters.ledger.uploads import Uploads
from aila_pipeline.adapters.ledger.views import Views
from aila_pipeline.adapters.ledger.whole_calls import WholeCalls
from aila_pipeline.adapters.ledger.work import Work, claimed
from aila_pipeline.errors import SettingInvalid


class Ledger:
    """One database, and what can be done in it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.tenants = Tenants(self.database)
        self.keys = ApiKeys(self.database)
        self.uploads = Uploads(self.database)
        self.idempotency = Idempotency(self.database)
        self.submissions = Submissions(self.database)
        self.batches = Batches(self.database)
        self.arrivals = Arrivals(self.database)
        self.shards = Shards(self.database)
        self.events = Events(self.database)
        self.destinations = Destinations(self.database)
        self.outbox = Outbox(self.database)
        self.outbox_views = OutboxViews(self.database)
        self.results = Results(self.database)
        self.checklists = Checklists(self.database)
        self.people = People(self.database)
        self.people_pages = PeoplePages(self.database)
        self.model_requests = ModelRequests(self.database)
        self.views = Views(self.database)
        self.batch_pages = BatchPages(self.database)
        self.polls = Polls(self.database, self.batch_pages)
        self.call_pages = CallPages(self.database)
        self.whole_calls = WholeCalls(self.database)
        self.figures = LedgerFigures(self.database)
        self.contradictions = Contradictions(self.database)
        self.references = References(self.database)

    def migrate(self) -> None:
        """Bring the schema to the newest version."""
        from aila_pipeline.adapters.ledger.migrations import migrate  # noqa: PLC0415 - Alembic, slow to import

        migrate(self.database)

    def require_schema(self) -> None:
        """Raise SettingInvalid when the schema is not the one this program was made for."""
        from aila_pipeline.adapters.ledger.migrations import versions  # noqa: PLC0415 - as above

        found, newest = versions(self.database)
        if found != newest:
            raise SettingInvalid(f"the ledger has schema {found or 'none'}, this program needs {newest}: run `aila db`")

    @contextmanager
    def claimed(
        self, shard_id: str, *, run_id: str, lease_seconds: float, stall_seconds: float, token: str | None = None
    ) -> Iterator[Work]:
        """Hold a shard for this process; see work.claimed."""
        with claimed(
            self.database,
            shard_id,
            token=token or process_token(),
            run_id=run_id,
            lease_seconds=lease_seconds,
            stall_seconds=stall_seconds,
        ) as work:
            yield work

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()
