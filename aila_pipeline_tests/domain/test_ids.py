"""Ids: unique, in the order of time, readable aloud."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.ids import batch_id, call_id, shard_key, ulid

ALLOWED = re.compile("[0-9a-hjkmnp-tv-z]{26}")
MOMENTS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9998, 1, 1), timezones=st.just(UTC))


@given(moment=MOMENTS)
def test_an_id_has_no_letter_that_looks_like_a_digit(moment: datetime) -> None:
    assert ALLOWED.fullmatch(ulid(moment))


@given(first=MOMENTS, later=st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=300)))
def test_ids_sort_by_time(first: datetime, later: timedelta) -> None:
    assert ulid(first) < ulid(first + later)


def test_ids_of_one_moment_differ() -> None:
    now = datetime(2026, 1, 15, tzinfo=UTC)
    assert len({ulid(now) for _ in range(10_000)}) == 10_000


def test_the_kind_of_an_id_shows() -> None:
    assert re.fullmatch(f"batch_{ALLOWED.pattern}", batch_id())
    assert re.fullmatch(f"aila_{ALLOWED.pattern}", call_id())


def test_a_shard_s_key_has_the_day_in_utc() -> None:
    after_midnight = datetime(2026, 1, 16, 1, 0, tzinfo=timezone(timedelta(hours=5)))
    key = shard_key("batch_x", 7, country="kz", firm="acme", accepted_at=after_midnight)
    assert key == "2026-01-15.kz-acme.batch_x.007"


@given(numbers=st.lists(st.integers(1, 999), min_size=2, unique=True))
def test_the_shards_of_a_batch_sort_by_number(numbers: list[int]) -> None:
    now = datetime(2026, 1, 15, tzinfo=UTC)
    keys = {number: shard_key("batch_x", number, country="kz", firm="acme", accepted_at=now) for number in numbers}
    assert [keys[number] for number in sorted(numbers)] == sorted(keys.values())
