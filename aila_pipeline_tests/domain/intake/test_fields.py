"""Single values: any text has an answer, and none raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from aila_pipeline.domain.intake import fields

ALMATY = ZoneInfo("Asia/Almaty")


@settings(deadline=None)
@given(st.text(max_size=40), st.sampled_from([None, "KZ", "US", "XX"]))
def test_any_text_is_a_value_or_none(text: str, region: str | None) -> None:
    number, told = fields.e164(text, region), fields.moment(text, ALMATY)
    assert number is None or (number[0] == "+" and number[1:].isascii() and number[1:].isdigit())
    assert told is None or told.at.utcoffset() == timedelta(0)
    assert fields.phone(text, region) in {number} if number else {text, None}
    fields.is_email(text)
    assert fields.printable(fields.one_line(text)) or not fields.printable(text)


@settings(deadline=None)
@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), st.integers(-14 * 60, 14 * 60))
def test_every_iso_time_comes_back_as_the_same_moment(at: datetime, offset_minutes: int) -> None:
    zoned = at.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    told = fields.moment(zoned.isoformat(), ALMATY)
    assert told == fields.Moment(zoned.astimezone(UTC), zoned=True)


@given(st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([+-][0-9]{2}:[0-9]{2})?\Z"))
def test_what_only_looks_like_a_time_is_none_and_never_an_exception(text: str) -> None:
    told = fields.moment(text, ALMATY)
    assert told is None or told.at.tzinfo is UTC


def test_emails_have_a_form() -> None:
    good = ["agent@company.com", "first.last+tag@sub.company.kz", "имя@почта.рф"]
    bad = ["", "a@b", "@b.c", "a@", "a b@c.d", "a@b..c", "a@b.c, d@e.f", "a@b.c\n", "x" * 250 + "@b.c", "a@.c"]
    assert all(map(fields.is_email, good))
    assert not any(map(fields.is_email, bad))
