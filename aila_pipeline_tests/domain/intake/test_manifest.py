"""Contract B's body: good calls, and every way in which it is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aila_pipeline.domain.intake.manifest import MAX_MANIFEST_BYTES, read_manifest
from aila_pipeline.domain.models import Direction, Problem, Role, Submission, TenantSettings, UrlSource, Warn
from aila_pipeline.errors import ManifestInvalid
from aila_pipeline_tests.domain.intake.builders import NOW, TENANT


def a_call(external_id: str = "call_12345", **values: Any) -> dict[str, Any]:
    """The contract's example of a call, with these values instead."""
    call = {
        "external_id": external_id,
        "audio_url": "s3://your-bucket/call2.mp3",
        "user_email": "agent@company.com",
        "contact_name": "John Doe",
        "contact_phone": "+15551234567",
        "contact_email": "john@example.com",
        "call_date": "2025-01-15T14:30:00Z",
        "direction": "outbound",
        "duration": 350,
        "metadata": {"campaign": "Q1 2025", "product": "Enterprise Plan"},
    }
    return call | values


def a_body(*calls: object) -> bytes:
    return json.dumps({"calls": calls}).encode()


def read(body: bytes, tenant: TenantSettings = TENANT) -> Submission:
    return read_manifest(body, tenant, NOW)


def refused(body: bytes) -> ManifestInvalid:
    with pytest.raises(ManifestInvalid) as caught:
        read(body)
    return caught.value


def told(body: bytes) -> list[tuple[int, str | None, str]]:
    """Index, field and message of each problem."""
    problems = refused(body).problems
    return [(p.position, p.field, p.message) for p in problems if isinstance(p, Problem)]


def test_the_contracts_example_becomes_a_call() -> None:
    submission = read(a_body(a_call()))
    (call,) = submission.calls
    assert (submission.kind, submission.warnings, call.position, call.warnings) == ("manifest", (), 0, ())
    assert call.accepted
    assert call.external_id == "call_12345"
    assert call.details is not None
    assert call.details.model_dump(exclude_none=True) == {
        "source": {"kind": "url", "url": "s3://your-bucket/call2.mp3"},
        "external_id": "call_12345",
        "started_at": datetime(2025, 1, 15, 14, 30, tzinfo=UTC),
        "left_channel": Role.CLIENT,
        "right_channel": Role.OPERATOR,
        "direction": Direction.OUTBOUND,
        "contact_phone": "+15551234567",
        "contact_name": "John Doe",
        "contact_email": "john@example.com",
        "user_email": "agent@company.com",
        "declared_seconds": 350.0,
        "metadata": {"campaign": "Q1 2025", "product": "Enterprise Plan"},
    }


def test_only_the_four_required_fields_are_required_and_null_or_empty_is_absent() -> None:
    required = {name: a_call()[name] for name in ("external_id", "audio_url", "user_email", "call_date")}
    empty = dict.fromkeys(("contact_name", "contact_phone", "contact_email", "direction"), "")
    nulls = dict.fromkeys([*empty, "duration", "metadata"])
    first, second, third = read(
        a_body(required, required | empty | {"external_id": "2"}, required | nulls | {"external_id": "3"})
    ).calls
    assert first.details is not None
    assert first.details.contact_phone is None
    for other in (second, third):
        assert other.details is not None
        assert other.details.model_copy(update={"external_id": first.external_id}) == first.details
    assert told(a_body({})) == [
        (0, field, f"{field} is required") for field in ("audio_url", "call_date", "external_id", "user_email")
    ]


def test_a_number_that_cannot_be_one_is_kept_as_given_with_a_warning() -> None:
    kept, usual = read(a_body(a_call(contact_phone=" 5551234567 "), a_call(external_id="2"))).calls
    assert kept.details is not None
    assert kept.details.contact_phone == "5551234567"
    assert (kept.warnings, usual.warnings) == ((Warn.PHONE_UNUSUAL,), ())


METADATA = "metadata must be an object with at most 200 values, 16,000 characters and 5 levels"
EXTERNAL_ID = "external_id must be text of 1 to 255 characters without control characters"
AUDIO_URL = "audio_url must be a URL like https://host/file.mp3 or s3://bucket/key"
PHONE = "contact_phone must be text of at most 255 characters without control characters"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("duration", 0, "duration must be positive number"),
        ("duration", -1.5, "duration must be positive number"),
        ("duration", "350", "duration must be positive number"),
        ("duration", True, "duration must be positive number"),
        ("external_id", " ", EXTERNAL_ID),
        ("external_id", 17, EXTERNAL_ID),
        ("external_id", "a\u0000", EXTERNAL_ID),
        ("audio_url", "https://me@example.com/a.mp3", AUDIO_URL),
        ("audio_url", "http://127.1/a.mp3", AUDIO_URL),
        ("audio_url", "s3://bucket", AUDIO_URL),
        ("audio_url", "s3://bucket/a/../b.mp3", AUDIO_URL),
        ("audio_url", "file:///etc/passwd", AUDIO_URL),
        ("user_email", "agent", "user_email must be an e-mail address"),
        ("user_email", None, "user_email must be an e-mail address"),
        ("contact_email", "a b@c.de", "contact_email must be an e-mail address"),
        ("contact_phone", "555\u0007", PHONE),
        ("contact_phone", 5551234567, PHONE),
        ("contact_name", "x" * 256, "contact_name must be text of at most 255 characters without control characters"),
        ("call_date", "15.01.2025", "call_date must be an ISO 8601 date and time, like 2025-01-15T14:30:00Z"),
        ("call_date", 1736951400, "call_date must be an ISO 8601 date and time, like 2025-01-15T14:30:00Z"),
        ("call_date", "2026-02-15T14:30:00Z", "call_date must not lie more than 24 hours in the future or before 1970"),
        ("direction", "up", "direction must be inbound or outbound"),
        ("metadata", [], METADATA),
        ("metadata", {"a": "\0"}, METADATA),
        ("metadata", {"a": 2**70}, METADATA),
        ("metadata", {"a": "x" * 16_000}, METADATA),
        ("metadata", {"a": [1] * 200}, METADATA),
        ("metadata", {"a": [[[[[1]]]]]}, METADATA),
        ("metadata", {"left_channel": "agent"}, "metadata.left_channel must be operator or client"),
        ("metadata", {"right_channel": 1}, "metadata.right_channel must be operator or client"),
        (
            "metadata",
            {"left_channel": "client", "right_channel": "Client"},
            "metadata.left_channel and metadata.right_channel must not be the same",
        ),
    ],
)
def test_each_rule_is_told_by_index_and_field_in_words_that_quote_nothing(
    field: str, value: object, message: str
) -> None:
    assert told(a_body(a_call("1"), a_call("2") | {field: value})) == [(1, field, message)]


def test_the_problems_of_all_calls_are_told_together() -> None:
    error = refused(a_body(a_call(duration=0, direction="up"), 3, a_call("x"), a_call("x", call_date="?")))
    assert [(p.position, p.field) for p in error.problems if isinstance(p, Problem)] == [
        (0, "direction"),
        (0, "duration"),
        (1, None),
        (2, "external_id"),
        (3, "call_date"),
        (3, "external_id"),
    ]
    assert error.detail.startswith("6 problems in 4 calls, the first is call 0: direction must be")


def test_an_id_used_twice_is_an_error_of_both_calls() -> None:
    message = "external_id is used by more than one call of the request"
    assert told(a_body(a_call("a"), a_call("b"), a_call("a"))) == [
        (0, "external_id", message),
        (2, "external_id", message),
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no calls"),
        pytest.param(b'{"calls": {}}', id="calls are no array"),
        pytest.param(a_body(), id="no call"),
        pytest.param(a_body(*(a_call(str(i)) for i in range(101))), id="101 calls"),
        pytest.param(a_body(a_call()).replace(b"350", b"NaN"), id="NaN"),
        pytest.param(a_body(a_call()).replace(b"350", b"Infinity"), id="Infinity"),
        pytest.param(a_body(a_call()).replace(b"350", b"1e999"), id="a number beyond all"),
        pytest.param(a_body(a_call()).replace(b'"Q1 2025"', b"1e999"), id="a number beyond all in the metadata"),
        pytest.param(a_body(a_call()).replace(b"350", b"1" + b"0" * 5000), id="a number of 5,000 digits"),
        pytest.param(a_body(a_call()).replace(b"John", b"\\ud800"), id="half a character"),
        pytest.param(a_body(a_call()).replace(b"John", b"\xff"), id="no UTF-8"),
        pytest.param(a_body(a_call()).replace(b"John", b"\x00"), id="NUL"),
        pytest.param(a_body(a_call()).replace(b"John", b"\\u0000"), id="NUL, escaped"),
        pytest.param(a_body(a_call()).replace(b'"Q1 2025"', b"[" * 300 + b"]" * 300), id="nested 300 deep"),
        pytest.param(a_body(a_call()) + b" " * MAX_MANIFEST_BYTES, id="too large"),
        pytest.param(json.dumps({"calls": [a_call()]}).encode("utf-16"), id="UTF-16"),
    ],
)
def test_what_is_not_the_contracts_json_is_refused(body: bytes) -> None:
    error = refused(body)
    assert error.code == "MANIFEST_INVALID"
    assert "John" not in error.message


def test_a_hundred_calls_and_a_byte_order_mark_are_fine() -> None:
    assert len(read(b"\xef\xbb\xbf" + a_body(*(a_call(str(i)) for i in range(100)))).calls) == 100


def test_a_date_without_a_zone_is_the_tenants_with_a_warning() -> None:
    (call,) = read(a_body(a_call(call_date="2025-01-15T14:30:00")), TenantSettings(timezone="Asia/Almaty")).calls
    assert call.details is not None
    assert call.details.started_at == datetime(2025, 1, 15, 9, 30, tzinfo=UTC)
    assert call.warnings == (Warn.TIME_WITHOUT_ZONE,)


@pytest.mark.parametrize(
    ("metadata", "roles"),
    [
        ({}, (Role.OPERATOR, Role.CLIENT)),
        ({"left_channel": "client", "right_channel": "operator"}, (Role.CLIENT, Role.OPERATOR)),
        ({"left_channel": " Client "}, (Role.CLIENT, Role.OPERATOR)),
        ({"right_channel": "operator"}, (Role.CLIENT, Role.OPERATOR)),
        ({"left_channel": None}, (Role.OPERATOR, Role.CLIENT)),
    ],
)
def test_roles_come_from_the_metadata_and_else_from_the_tenant(
    metadata: dict[str, Any], roles: tuple[Role, Role]
) -> None:
    tenant = TenantSettings(left_channel=Role.OPERATOR, right_channel=Role.CLIENT)
    (call,) = read(a_body(a_call(metadata=metadata)), tenant).calls
    assert call.details is not None
    assert (call.details.left_channel, call.details.right_channel) == roles


@pytest.mark.parametrize(("told_type", "segment"), [("sales", "sales"), (" ", None), (3, None), (None, None)])
def test_the_segment_comes_from_the_metadata_if_it_is_a_text(told_type: object, segment: str | None) -> None:
    (call,) = read(a_body(a_call(metadata={"segment_type": told_type}))).calls
    assert call.details is not None
    assert call.details.segment_type == segment


def test_fields_that_nobody_reads_are_a_warning() -> None:
    body = json.dumps({"calls": [a_call(contactphone="1")], "version": 2}).encode()
    assert read(body).warnings == ("COLUMN_IGNORED: not read: contactphone, version",)


def test_the_digest_is_of_the_meaning_and_not_of_the_spelling() -> None:
    call = a_call(contact_name="Айгүл")
    first = read(a_body(call)).digest
    spaced = json.dumps({"calls": [dict(reversed(call.items()))]}, indent=2, ensure_ascii=False)
    assert read(spaced.encode()).digest == first
    assert read(a_body(a_call(contact_name="Aigul"))).digest != first


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("S3://calls/a%20b+c?.mp3", "s3://calls/a%20b+c?.mp3"),
        ("HTTP://Example.com:80/A%20b.mp3#1", "http://example.com/A%20b.mp3"),
    ],
)
def test_scheme_and_host_are_normalised_and_the_rest_is_literal(given_url: str, kept: str) -> None:
    (call,) = read(a_body(a_call(audio_url=given_url))).calls
    assert call.details is not None
    assert call.details.source == UrlSource(url=kept)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from([*a_call(), "x"]), JSON).map(lambda d: a_call() | d) | JSON, max_size=3)
)
def test_any_json_is_a_submission_or_a_coded_refusal(calls: list[object]) -> None:
    body = json.dumps({"calls": calls}).encode()
    try:
        submission = read(body)
    except ManifestInvalid as error:
        assert error.detail  # noqa: PT017 - which of the two happens is the example's business
    else:
        assert all(call.accepted for call in submission.calls)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_with_a_code(body: bytes) -> None:
    assert refused(body).code == "MANIFEST_INVALID"
