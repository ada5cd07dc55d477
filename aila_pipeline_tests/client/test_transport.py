"""What is tried again and what is not, and what a refusal tells."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from aila_pipeline.client.transport import Patience, Transport, retry_after
from aila_pipeline.errors import AilaError, ApiRefused, ApiUnavailable
from aila_pipeline_tests.client.scripted import Answer, Scripted, data, refused, scripted


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as script:
        yield script


def transport(url: str, *, retry_seconds: float, told: list[str] | None = None) -> Transport:
    def note(why: str, _seconds: float) -> None:
        if told is not None:
            told.append(why)

    return Transport(url, headers={"X-Test": "1"}, patience=Patience(5.0, retry_seconds, note))


def ask(server: Scripted, *, retry_seconds: float = 5.0) -> object:
    made = transport(server.url, retry_seconds=retry_seconds)
    try:
        return made.data("POST", "/x", body=lambda: b"body")
    finally:
        made.close()


@pytest.mark.parametrize(
    "passing",
    [
        refused(429, "RATE_LIMIT_EXCEEDED", Retry_After="0"),
        refused(503, "LEDGER_UNAVAILABLE", Retry_After="0"),
        refused(503, "LEDGER_UNAVAILABLE"),
        refused(409, "IDEMPOTENCY_KEY_IN_USE", Retry_After="0"),
        Answer(502, b"<html>a proxy's page</html>"),
        Answer(504),
        Answer(cut=True),
    ],
    ids=["429", "503", "503 without Retry-After", "409 in flight", "502", "504", "lost connection"],
)
def test_what_passes_is_sent_again_the_same(server: Scripted, passing: Answer) -> None:
    server.will(passing, data(done=True))
    assert ask(server) == {"done": True}
    first, second = server.asked
    assert (first.body, first.headers, first.path) == (second.body, second.headers, second.path)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_what_does_not_pass_is_told_at_once_in_the_apis_words(server: Scripted, status: int) -> None:
    server.will(refused(status, "SOME_CODE", "mend this"))
    with pytest.raises(ApiRefused) as refusal:
        ask(server)
    assert (refusal.value.status, refusal.value.api_code) == (status, "SOME_CODE")
    assert refusal.value.message == "the API refused the request: SOME_CODE, mend this"
    assert len(server.asked) == 1


def test_a_wait_that_is_asked_for_is_waited(server: Scripted) -> None:
    server.will(refused(429, "RATE_LIMIT_EXCEEDED", Retry_After="1"), data(done=True))
    begun = datetime.now(UTC)
    ask(server)
    assert (datetime.now(UTC) - begun).total_seconds() >= 1


def test_a_wait_beyond_patience_is_not_begun(server: Scripted) -> None:
    """The hour's limit is reached: whoever asks has to know now, and how long it would be."""
    server.will(refused(429, "RATE_LIMIT_EXCEEDED", details={"limit": "batches per hour"}, Retry_After="1800"))
    begun = datetime.now(UTC)
    with pytest.raises(ApiRefused, match="RATE_LIMIT_EXCEEDED") as refusal:
        ask(server)
    assert (datetime.now(UTC) - begun).total_seconds() < 1
    assert refusal.value.problems == ("limit: batches per hour",)


def test_patience_ends_and_says_why(server: Scripted) -> None:
    server.will(*[refused(503, "STORE_UNAVAILABLE", "the store rests")] * 50)
    with pytest.raises(ApiUnavailable, match="STORE_UNAVAILABLE, the store rests"):
        ask(server, retry_seconds=1.0)
    assert 2 <= len(server.asked) < 20


def test_nobody_listening_is_told_with_the_place_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
    told: list[str] = []
    made = transport(url, retry_seconds=0.5, told=told)
    with pytest.raises(ApiUnavailable, match=rf"{url}, ConnectError; check --api") as failure:
        made.send("GET", "/secret?key=1")
    made.close()
    assert told
    assert all("secret" not in line for line in (*told, failure.value.message))


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.will(data(done=True))
    assert ask(server, retry_seconds=0.0) == {"done": True}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"status": "success"}', b"\xff", b"null"])
def test_something_else_that_answers_is_no_api(server: Scripted, body: bytes) -> None:
    server.will(Answer(200, body))
    with pytest.raises(ApiUnavailable, match="answers, but is not this API"):
        ask(server)


@pytest.mark.parametrize(
    "body", [b"<Error><Key>country/firm/x</Key></Error>", b'{"error": "no"}', b'{"error": {}}', b"[]"]
)
def test_a_refusal_that_is_not_the_apis_is_told_by_its_status_alone(server: Scripted, body: bytes) -> None:
    """S3's XML names keys; a proxy's page names addresses."""
    server.will(Answer(403, body))
    with pytest.raises(AilaError, match=r"HTTP_403, Forbidden$") as refusal:
        ask(server)
    assert "country" not in str(refusal.value)


def test_each_wrong_call_row_and_field_is_a_line(server: Scripted) -> None:
    details = {
        "calls": [
            {"index": 0, "external_id": "call_1", "errors": ["audio_url is not accessible", "duration must be …"]},
            {"index": 7, "external_id": None, "errors": ["external_id is required"]},
        ],
        "rows": [{"row": 2, "field": "start_time", "code": "ROW_INVALID", "message": "no date"}, {"row": 3}],
        "fields": {"metadata_filename": "required"},
        "limit": 100,
        "codes": ["A"],
    }
    server.will(refused(422, "VALIDATION_ERROR", "Invalid calls array", details))
    with pytest.raises(ApiRefused) as refusal:
        ask(server)
    assert str(refusal.value).splitlines() == [
        "the API refused the request: VALIDATION_ERROR, Invalid calls array",
        "  index 0, external_id call_1: audio_url is not accessible; duration must be …",
        "  index 7: external_id is required",
        "  row 2, field start_time, code ROW_INVALID: no date",
        "  row 3",
        "  metadata_filename: required",
        "  limit: 100",
        "  A",
    ]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, datetime(2026, 11, 22, 10, 0, tzinfo=UTC)) == seconds
