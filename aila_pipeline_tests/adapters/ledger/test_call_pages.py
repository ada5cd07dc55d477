"""Pages of calls: complete, in order, and as cheap at the end as at the start."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.call_pages import CallPage, Wanted
from aila_pipeline.adapters.ledger.tables import batches, calls
from aila_pipeline.domain import ids
from aila_pipeline.domain.models import Priority
from aila_pipeline.domain.status import CallStatus
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_tenant,
    an_accepted_batch,
    received,
    rows,
    run,
)

MINUTE = timedelta(minutes=1)


def all_pages(ledger: Ledger, tenant_id: str, wanted: Wanted, *, limit: int) -> list[str]:
    """The ids of every page, read as a client does."""
    found: list[str] = []
    after = None
    while True:
        page = ledger.call_pages.newest(tenant_id, wanted, after=after, limit=limit)
        found += [call.id for call in page.calls]
        assert len(page.calls) == limit or not page.more
        if not page.more:
            return found
        after = page.calls[-1].id


def test_pages_hold_every_call_of_the_tenant_once_newest_first(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    for minute in range(7):
        an_accepted_batch(ledger, a_call(0), a_call(1), tenant=tenant, now=NOW + minute * MINUTE)
    an_accepted_batch(ledger, tenant=a_tenant(ledger, "other"))

    found = all_pages(ledger, tenant.id, Wanted(), limit=3)

    assert found == sorted((row.id for row in rows(ledger, calls, calls.c.tenant_id == tenant.id)), reverse=True)


def test_several_statuses_are_merged_in_order(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    for minute in range(4):
        accepted = an_accepted_batch(
            ledger, a_call(0, f"a-{minute}"), a_call(1, f"b-{minute}"), tenant=tenant, now=NOW + minute * MINUTE
        )
        if minute != 2:
            run(ledger, accepted.shards[0], failing={f"b-{minute}": AudioInvalid()})
    kept = frozenset({CallStatus.FAILED, CallStatus.PENDING})

    found = all_pages(ledger, tenant.id, Wanted(statuses=kept), limit=2)

    expected = rows(ledger, calls, calls.c.status.in_(sorted(kept)))
    assert found == sorted((row.id for row in expected), reverse=True)
    assert len(found) == 5


def test_times_bound_the_acceptance_from_inclusive_to_exclusive(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    for minute in range(5):
        an_accepted_batch(ledger, a_call(0, f"c-{minute}"), tenant=tenant, now=NOW + minute * MINUTE)

    page = ledger.call_pages.newest(tenant.id, Wanted(since=NOW + MINUTE, before=NOW + 3 * MINUTE), limit=10)

    assert [call.external_id for call in page.calls] == ["c-2", "c-1"]


def test_a_time_before_1970_bounds_nothing(ledger: Ledger) -> None:
    an_accepted_batch(ledger)
    page = ledger.call_pages.newest(
        a_tenant(ledger).id, Wanted(since=datetime.fromisoformat("0900-01-01T00Z")), limit=1
    )
    assert len(page.calls) == 1


def test_an_external_id_names_one_call_of_its_own_tenant(ledger: Ledger) -> None:
    mine, other = a_tenant(ledger), a_tenant(ledger, "other")
    an_accepted_batch(ledger, a_call(0, "x"), a_call(1, "y"), tenant=mine)
    an_accepted_batch(ledger, a_call(0, "x"), tenant=other)

    page = ledger.call_pages.newest(mine.id, Wanted(external_id="x"), limit=10)

    assert [(call.external_id, call.audio_url, call.audio_file_name) for call in page.calls] == [
        ("x", "s3://calls/x.wav", None)
    ]


def test_a_batch_shows_its_calls_in_its_own_order_and_by_its_own_ids(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    first = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"), tenant=tenant)
    second = an_accepted_batch(
        ledger, a_call(0, "b"), a_call(1, "new"), a_call(2, "a", url="s3://calls/changed.wav"), tenant=tenant
    )

    page = ledger.call_pages.of_batch(tenant.id, second.batch_id, Wanted(), limit=10)

    assert page is not None
    assert [(call.position, call.external_id, call.batch_id) for call in page.calls] == [
        (0, "b", first.batch_id),
        (1, "new", second.batch_id),
        (2, "a", second.batch_id),
    ]
    assert page.calls[2].error_code == "EXTERNAL_ID_CONFLICT"


def test_a_batch_is_paged_by_position(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    batch = an_accepted_batch(ledger, *(a_call(position, f"c-{position}") for position in range(7)), tenant=tenant)
    found, after = [], None
    while True:
        page = ledger.call_pages.of_batch(tenant.id, batch.batch_id, Wanted(), after=after, limit=3)
        assert page is not None
        found += [call.position for call in page.calls]
        if not page.more:
            break
        after = page.calls[-1].position
    assert found == list(range(7))


@pytest.mark.parametrize("whose", ["other", "nobody"])
def test_a_batch_that_is_not_the_tenants_is_no_batch(ledger: Ledger, whose: str) -> None:
    batch = an_accepted_batch(ledger, tenant=a_tenant(ledger, "other")).batch_id
    asked = batch if whose == "other" else ids.batch_id(NOW)
    assert ledger.call_pages.of_batch(a_tenant(ledger).id, asked, Wanted(), limit=1) is None


def test_a_duplicate_shows_the_calls_of_what_it_duplicates(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    batch = an_accepted_batch(ledger, a_call(0, "a"), tenant=tenant)
    twin = received(ledger, tenant=tenant, now=NOW + MINUTE)

    def point(connection: sa.Connection) -> None:
        told = sa.update(batches).where(batches.c.id == twin.id)
        connection.execute(told.values(duplicate_of=batch.batch_id, state="duplicate"))

    ledger.database.write(point)
    page = ledger.call_pages.of_batch(tenant.id, twin.id, Wanted(), limit=5)
    assert page is not None
    assert [call.external_id for call in page.calls] == ["a"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    limit=st.integers(1, 7),
    statuses=st.frozensets(st.sampled_from(CallStatus)),
)
def test_no_page_size_loses_or_repeats_a_call(
    ledger: Ledger, sizes: list[int], limit: int, statuses: frozenset[CallStatus]
) -> None:
    """The ledger grows from example to example, which the expectation follows."""
    tenant = a_tenant(ledger)
    for minute, size in enumerate(sizes):
        broken = [a_call(position, problem="ROW_INVALID" if position % 2 else None) for position in range(size)]
        an_accepted_batch(ledger, *broken, tenant=tenant, now=NOW + minute * MINUTE, priority=Priority.LIVE)
    chosen = statuses or frozenset(CallStatus)
    expected = sorted((row.id for row in rows(ledger, calls) if row.status in chosen), reverse=True)
    assert all_pages(ledger, tenant.id, Wanted(statuses=statuses), limit=limit) == expected


QUESTIONS: dict[str, tuple[Wanted, str]] = {
    "all": (Wanted(), "ix_calls_tenant_id_id"),
    "one status": (Wanted(statuses=frozenset({CallStatus.FAILED})), "ix_calls_tenant_id_status_id"),
    "a common status": (Wanted(statuses=frozenset({CallStatus.COMPLETED})), "ix_calls_tenant_id_status_id"),
    "two statuses": (
        Wanted(statuses=frozenset({CallStatus.FAILED, CallStatus.PENDING})),
        "ix_calls_tenant_id_status_id",
    ),
    "a time": (Wanted(since=NOW, before=NOW + 10 * MINUTE), "ix_calls_tenant_id_id"),
    "an id": (Wanted(external_id="c-7"), "external_id"),
}


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_page_walks_an_index_and_sorts_nothing(ledger: Ledger, name: str, place: str) -> None:
    """Every plan of a page uses an index in its order: its cost does not depend on how many calls there are."""
    fill(ledger, 3_000)
    wanted, index = QUESTIONS[name]
    after = sorted(row.id for row in rows(ledger, calls))[600] if place == "end" else None

    told = plans(ledger, lambda: ledger.call_pages.newest(a_tenant(ledger).id, wanted, after=after, limit=10))

    assert index in told, told
    # Of an external id there is one call at most, and it may be filtered.
    for costly in ("SCAN CALLS", "SEQ SCAN", "SORT", "TEMP B-TREE", *([] if name == "an id" else ["FILTER"])):
        assert costly not in told.upper(), told


def test_a_page_of_a_batch_walks_its_positions(ledger: Ledger) -> None:
    fill(ledger, 3_000)
    batch = rows(ledger, batches)[0].id

    told = plans(ledger, lambda: ledger.call_pages.of_batch(a_tenant(ledger).id, batch, Wanted(), after=500, limit=10))

    assert "batch_calls" in told
    for costly in ("SORT", "TEMP B-TREE", "SEQ SCAN", "SCAN BATCH_CALLS", "SCAN CALLS"):
        assert costly not in told.upper(), told


def fill(ledger: Ledger, count: int) -> None:
    """A tenant with so many calls in three batches: most completed, one in fifty failed, one in a hundred pending."""
    tenant = a_tenant(ledger)
    ours = [received(ledger, tenant=tenant).id for _ in range(3)]

    def status(number: int) -> CallStatus:
        if number % 100 == 0:
            return CallStatus.PENDING
        return CallStatus.FAILED if number % 50 == 1 else CallStatus.COMPLETED

    made: list[dict[str, Any]] = [
        {
            "id": ids.call_id(NOW + number * timedelta(seconds=1)),
            "tenant_id": tenant.id,
            "batch_id": ours[number % 3],
            "external_id": f"c-{number}",
            "details": {"source": {"kind": "url", "url": f"s3://calls/{number}.wav"}},
            "status": status(number),
            "stage": "outcomes",
            "attempt": 1,
            "retryable": False,
            "warnings": [],
            "created_at": NOW + number * timedelta(seconds=1),
        }
        for number in range(count)
    ]

    def change(connection: sa.Connection) -> None:
        connection.execute(sa.insert(calls), made)
        links = [
            {"batch_id": row["batch_id"], "position": place, "call_id": row["id"]} for place, row in enumerate(made)
        ]
        connection.execute(sa.insert(calls.metadata.tables["batch_calls"]), links)
        connection.exec_driver_sql("ANALYZE")

    ledger.database.write(change)


def plans(ledger: Ledger, ask: Any) -> str:
    """How the database carries out what `ask` asks it."""
    asked: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(ledger.database.engine, "before_cursor_execute", note)
    try:
        page: CallPage | None = ask()
    finally:
        sa.event.remove(ledger.database.engine, "before_cursor_execute", note)
    assert page is not None
    assert page.calls
    statement, parameters = next((s, p) for s, p in reversed(asked) if "calls" in s)
    prefix = "EXPLAIN QUERY PLAN" if ledger.database.sqlite else "EXPLAIN"

    def explain(connection: sa.Connection) -> str:
        return "\n".join(str(row) for row in connection.exec_driver_sql(f"{prefix} {statement}", parameters))

    return ledger.database.read(explain)
