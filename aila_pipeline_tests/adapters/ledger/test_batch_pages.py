"""Batches for clients: pages that continue where they ended, cost the same anywhere, and show no other tenant's.

Lives here: reading from the ledger. Does not: the answers' fields (test_views.py), HTTP (api/test_batches.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.batch_pages import BatchPage, Place
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.tables import batches, shards
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline.errors import AudioInvalid, LedgerUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_submission,
    a_tenant,
    a_worker,
    accept,
    an_accepted_batch,
    received,
    run,
)
from aila_pipeline_tests.adapters.ledger.submitting import ROOMY, an_access, an_upload, submit

SECOND = timedelta(seconds=1)


def page(ledger: Ledger, batch_id: str, *, after: int = -1, limit: int = 1000, firm: str = "acme") -> BatchPage:
    found = ledger.batch_pages.one(a_tenant(ledger, firm).id, batch_id, after=after, limit=limit)
    assert found is not None
    return found


def ids(ledger: Ledger, *statuses: BatchStatus, limit: int = 100, firm: str = "acme") -> list[str]:
    """All batches of the list, page by page."""
    found: list[str] = []
    place: Place | None = None
    while True:
        views, place = ledger.batch_pages.newest(
            a_tenant(ledger, firm).id, statuses=frozenset(statuses), after=place, limit=limit
        )
        assert len(views) <= limit
        found += [view.id for view in views]
        if place is None:
            return found


@contextmanager
def queries(ledger: Ledger) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile, with its parameters."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    # On any engine: on PostgreSQL what is asked often goes over connections of its own.
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield asked
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_a_batch_shows_its_calls_in_pages_by_position(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in (0, 3, 4, 8, 9)))
    seen: list[int] = []
    after: int | None = -1
    while after is not None:
        found = page(ledger, accepted.batch_id, after=after, limit=2)
        assert found.view.counts == {CallStatus.PENDING: 5}, "the counts are the whole batch's on each page"
        seen += [row.position for row in found.calls]
        after = found.after
    assert seen == [0, 3, 4, 8, 9]


def test_a_page_that_is_exactly_full_is_the_last(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0), a_call(1))
    assert page(ledger, accepted.batch_id, limit=2).after is None
    assert page(ledger, accepted.batch_id, limit=1).after == 0


def test_a_batch_of_another_tenant_is_like_none(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    globex = a_tenant(ledger, "globex").id
    for batch_id in (accepted.batch_id, "batch_nobody"):
        assert ledger.batch_pages.one(globex, batch_id, after=-1, limit=10) is None
    assert ids(ledger, firm="globex") == []


def test_a_duplicate_shows_the_content_of_the_batch_that_it_duplicates(ledger: Ledger) -> None:
    content = a_submission(a_call(0, "c"), digest="same")
    first, again = received(ledger), received(ledger, now=NOW + SECOND)
    accept(ledger, first, content)
    accept(ledger, again, content)
    found = page(ledger, again.id)
    assert (found.duplicate_of, found.view.id, len(found.calls)) == (first.id, first.id, 1)
    assert page(ledger, first.id).duplicate_of is None
    assert ids(ledger) == [first.id]


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
def test_the_list_goes_from_the_newest_to_the_oldest_without_gap_or_repetition(ledger: Ledger, limit: int) -> None:
    """Five of them in one moment."""
    access = an_access(ledger, **ROOMY)
    made = [submit(ledger, access, now=NOW + n // 5 * SECOND).batch_id for n in range(11)]
    found = ids(ledger, limit=limit)
    assert sorted(found) == sorted(made)
    assert found == sorted(made, key=lambda each: (each[:16], each), reverse=True)


def test_batches_that_come_while_one_pages_move_nothing(ledger: Ledger) -> None:
    access = an_access(ledger, **ROOMY)
    made = [submit(ledger, access, now=NOW + n * SECOND).batch_id for n in range(4)]
    first, place = ledger.batch_pages.newest(access.tenant.id, limit=2)
    submit(ledger, access, now=NOW + 60 * SECOND)
    rest, _ = ledger.batch_pages.newest(access.tenant.id, after=place, limit=9)
    assert [view.id for view in [*first, *rest]] == made[::-1]


def test_the_list_can_be_asked_for_each_status(ledger: Ledger) -> None:
    access = an_access(ledger, **ROOMY)
    made: dict[BatchStatus, str] = {}
    made[BatchStatus.SUBMITTED] = submit(ledger, access).batch_id
    going_on = submit(ledger, access)
    a_worker(ledger, going_on.shards[0])
    made[BatchStatus.PROCESSING] = going_on.batch_id
    for status, failing in (
        (BatchStatus.COMPLETED, ()),
        (BatchStatus.PARTIAL, ("a",)),
        (BatchStatus.FAILED, ("a", "b")),
    ):
        names = [f"{status}-{name}" for name in ("a", "b")]
        done = submit(ledger, access, *(a_call(n, name) for n, name in enumerate(names)))
        run(ledger, done.shards[0], failing={f"{status}-{name}": AudioInvalid() for name in failing})
        made[status] = done.batch_id
    for status, batch_id in made.items():
        assert ids(ledger, status) == [batch_id], status
    assert set(ids(ledger, BatchStatus.FAILED, BatchStatus.PARTIAL, limit=1)) == {
        made[BatchStatus.FAILED],
        made[BatchStatus.PARTIAL],
    }
    assert len(ids(ledger, *BatchStatus)) == len(ids(ledger)) == 5


def test_a_refused_submission_is_listed_as_failed(ledger: Ledger) -> None:
    batch = received(ledger)
    ledger.batches.refuse(batch.id, {"code": "CSV_EMPTY", "message": "the CSV has no rows"}, now=NOW)
    assert ids(ledger, BatchStatus.FAILED) == [batch.id]
    assert page(ledger, batch.id).view.status is BatchStatus.FAILED


def test_a_status_that_few_batches_have_is_found_behind_many_others(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aila_pipeline.adapters.ledger.batch_pages._CHUNK", 3)
    access = an_access(ledger, **ROOMY)
    wanted = [submit(ledger, access, a_call(0, f"c-{n}"), now=NOW) for n in range(2)]
    for submitted in wanted:
        a_worker(ledger, submitted.shards[0])
    for n in range(10):
        submit(ledger, access, now=NOW + n * SECOND)
    found = ids(ledger, BatchStatus.PROCESSING, limit=1)
    assert sorted(found) == sorted(submitted.batch_id for submitted in wanted)


def test_batches_that_an_older_version_ended_are_counted(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "good"), a_call(1, "bad"))
    run(ledger, accepted.shards[0], failing={"bad": AudioInvalid()})
    forget = sa.update(batches).values(completed_calls=None, failed_calls=None)
    ledger.database.write(lambda connection: connection.execute(forget))
    assert page(ledger, accepted.batch_id).view.counts == {CallStatus.COMPLETED: 1, CallStatus.FAILED: 1}
    assert ids(ledger, BatchStatus.PARTIAL) == [accepted.batch_id]
    assert ids(ledger, BatchStatus.COMPLETED) == []


def test_a_pair_that_waits_to_be_checked_tells_its_calls_and_why_it_waits(ledger: Ledger) -> None:
    access = an_access(ledger)
    submitted = ledger.submissions.submit_pair(access, an_upload(ledger, access), sources=[], rows=7, now=NOW)
    found = page(ledger, submitted.batch_id)
    assert (found.view.status, found.view.pending, found.calls) == (BatchStatus.SUBMITTED, 7, ())
    assert (found.view.waits_for or "").startswith("waits to be checked")


def test_what_a_batch_waits_for_is_told_until_it_has_ended(ledger: Ledger) -> None:
    access = an_access(ledger)
    first = submit(ledger, access, a_call(0, "c"))
    linking = submit(ledger, access, a_call(0, "c"))
    assert page(ledger, first.batch_id).view.waits_for == "waits to be admitted"
    assert page(ledger, linking.batch_id).view.waits_for == "waits for calls that another batch has brought"
    run(ledger, first.shards[0])
    assert [page(ledger, each.batch_id).view.waits_for for each in (first, linking)] == [None, None]


def test_why_a_run_stopped_is_for_the_house_alone(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    ledger.database.write(lambda c: c.execute(sa.update(shards).values(last_error="disk /srv/a is full")))
    view = page(ledger, accepted.batch_id).view
    assert "/srv/a" in (view.waits_for or "")
    assert view.waits_in_short == "waits to be admitted"


def test_a_late_retry_has_a_pace_of_its_own(ledger: Ledger) -> None:
    """Begun a day after the batch: one of its two calls took ten seconds, so the other will too."""
    accepted = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in range(4)))
    run(ledger, accepted.shards[0], failing={"c-0": AudioInvalid(), "c-1": AudioInvalid()})
    begun = datetime.now(UTC) + timedelta(days=1)
    (key,) = ledger.batches.retry(accepted.batch_id, shard_size=100, now=begun)
    worker = a_worker(ledger, key)
    assert page(ledger, accepted.batch_id).view.eta_seconds(begun + 10 * SECOND) is None, "none has ended since"
    ended = sa.text("update calls set status = 'completed', ended_at = :at where external_id = 'c-0'")
    ended = ended.bindparams(sa.bindparam("at", begun + 10 * SECOND, type_=batches.c.ended_at.type))
    ledger.database.write(lambda connection: connection.execute(ended))
    for limit in (1, 1000):
        assert page(ledger, accepted.batch_id, limit=limit).view.eta_seconds(begun + 10 * SECOND) == 10.0
    assert worker.calls()


def polled(ledger: Ledger, key: str, batch_id: str) -> tuple[Access | None, BatchPage | None]:
    return ledger.polls.find(key, batch_id, limit=1000)


def test_a_poll_tells_what_the_page_tells_and_asks_nothing_besides(ledger: Ledger) -> None:
    access = an_access(ledger, **ROOMY)
    open_one = submit(ledger, access, *(a_call(n) for n in range(100)))
    ended = submit(ledger, access, *(a_call(n) for n in range(100)))
    run(ledger, ended.shards[0])
    key = ledger.keys.create(access.tenant, access.user_id, now=NOW)
    for batch_id in (ended.batch_id, open_one.batch_id):
        with queries(ledger) as besides:
            found, shown = polled(ledger, key, batch_id)
        assert (found.tenant, found.user_id) == (access.tenant, access.user_id) if found else None
        assert besides == []
        with queries(ledger) as asked:
            assert shown == ledger.batch_pages.one(access.tenant.id, batch_id, after=-1, limit=1000)
        assert len(asked) <= 3
        assert not any("calls.details" in query or "batches.sources" in query for query, _ in asked)


def test_a_poll_of_more_calls_than_a_page_holds_counts_them_all(ledger: Ledger) -> None:
    access = an_access(ledger, **ROOMY)
    batch_id = submit(ledger, access, *(a_call(n) for n in range(5))).batch_id
    key = ledger.keys.create(access.tenant, access.user_id, now=NOW)
    _, shown = ledger.polls.find(key, batch_id, limit=3)
    assert shown == ledger.batch_pages.one(access.tenant.id, batch_id, after=-1, limit=3)
    assert shown is not None
    assert (len(shown.calls), shown.view.pending) == (3, 5)


def test_a_poll_of_a_database_that_went_away_is_told_and_the_next_one_connects_again(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    access = an_access(ledger, **ROOMY)
    batch_id = submit(ledger, access, a_call(0)).batch_id
    key = ledger.keys.create(access.tenant, access.user_id, now=NOW)
    ledger.database.write(lambda connection: connection.execute(sa.text("alter table shards rename to elsewhere")))
    with pytest.raises(LedgerUnavailable):
        polled(ledger, key, batch_id)
    ledger.database.write(lambda connection: connection.execute(sa.text("alter table elsewhere rename to shards")))
    assert polled(ledger, key, batch_id)[1] is not None
    ledger.close()


def test_a_list_asks_as_much_for_twenty_batches_as_for_two(ledger: Ledger) -> None:
    access = an_access(ledger, **ROOMY)
    for n in range(20):
        submitted = submit(ledger, access, now=NOW + n * SECOND)
        if n % 2:
            run(ledger, submitted.shards[0])
    asked_for: list[int] = []
    for limit in (2, 20):
        with queries(ledger) as asked:
            ledger.batch_pages.newest(access.tenant.id, limit=limit)
        asked_for.append(len(asked))
    assert asked_for[0] == asked_for[1] <= 3


@pytest.mark.parametrize("statuses", [frozenset(), frozenset({BatchStatus.FAILED})])
def test_a_list_is_read_along_its_index(ledger: Ledger, statuses: frozenset[BatchStatus]) -> None:
    """SQLite tells its plan whatever is in the tables; PostgreSQL must be kept from reading small ones whole."""
    tenant_id, sqlite = a_tenant(ledger).id, ledger.database.sqlite
    with queries(ledger) as asked:
        ledger.batch_pages.newest(tenant_id, statuses=statuses, after=Place(NOW, "batch_x"), limit=10)
    ((query, parameters),) = [(query, given) for query, given in asked if "received_at DESC" in query]

    def explained(connection: sa.Connection) -> str:
        if not sqlite:
            connection.exec_driver_sql("set local enable_seqscan = off")
            connection.exec_driver_sql("set local enable_bitmapscan = off")
        explain = "explain query plan " if sqlite else "explain "
        return " / ".join(str(row[-1]) for row in connection.exec_driver_sql(explain + query, parameters))

    plan = ledger.database.write(explained)
    assert "ix_batches_tenant_id_received_at" in plan, plan
    whole_sort = "TEMP B-TREE FOR ORDER BY" if sqlite else "-> Sort"
    assert whole_sort not in plan, plan


def test_a_poll_finds_nothing_without_the_tenants_own_key(ledger: Ledger) -> None:
    access, other = an_access(ledger, **ROOMY), a_tenant(ledger, "other")
    batch_id = submit(ledger, access, a_call(0)).batch_id
    foreign = ledger.keys.create(other, ledger.tenants.ensure_user(other, "ops"), now=NOW)
    known, page_of_it = polled(ledger, foreign, batch_id)
    assert known is not None
    assert (known.tenant.id, page_of_it) == (other.id, None)
    assert polled(ledger, foreign[:-1] + ("A" if foreign[-1] != "A" else "B"), batch_id) == (None, None)
    assert ledger.keys.revoke(known.key_id, now=NOW)
    assert polled(ledger, foreign, batch_id) == (None, None)
