"""The client's requests, step by step, as a server sees them. What the real API says to them: test_real_api.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.client import Batch, Client
from aila_pipeline.errors import ApiRefused, ApiUnavailable, SettingInvalid, WaitedTooLong
from aila_pipeline_tests.client.scripted import Answer, Scripted, data, refused, scripted

KEY = "aila_id_secret"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as script:
        yield script


@pytest.fixture
def client(server: Scripted) -> Iterator[Client]:
    with Client(server.url, KEY, timeout_seconds=5.0, retry_seconds=5.0) as made:
        yield made


def pair(folder: Path, size_bytes: int = 10) -> tuple[Path, Path]:
    csv, archive = folder / "january.csv", folder / "january.zip"
    csv.write_bytes(b"c" * size_bytes)
    archive.write_bytes(b"z" * size_bytes)
    return csv, archive


def issued(server: Scripted) -> Answer:
    return data(
        metadata_upload_url=f"{server.url}/put/csv?signature=1",
        audio_upload_url=f"{server.url}/put/zip?signature=2",
        metadata_key="kz/acme/u/metadata.csv",
        audio_key="kz/acme/u/audios.zip",
        expires_in=3600,
    )


def a_batch(status: str = "processing", **changed: Any) -> dict[str, Any]:
    ended = status in {"completed", "partial", "failed"}
    return {
        "batch_id": "batch_1",
        "status": status,
        "terminal": ended,
        "submitted_at": "2026-11-22T10:00:00Z",
        "total_calls": 1,
        "processed": int(status == "completed"),
        "failed": int(status == "failed"),
        "pending": int(not ended),
        "eta_seconds": None,
        "calls": [],
        "next_cursor": None,
    } | changed


def test_a_pair_takes_the_three_steps_of_its_contract(server: Scripted, client: Client, tmp_path: Path) -> None:
    csv, archive = pair(tmp_path)
    server.will(issued(server), Answer(), Answer(), data(message="queued", batch_id="batch_1"))
    assert client.submit_pair(csv, archive) == "batch_1"
    first, put_csv, put_zip, last = server.asked
    assert (first.method, first.path) == ("POST", "/api/v1/calls/upload")
    assert json.loads(first.body) == {"metadata_filename": "january.csv", "audios_filename": "january.zip"}
    assert (put_csv.method, put_csv.path, put_csv.query) == ("PUT", "/put/csv", {"signature": "1"})
    assert (put_csv.body, put_csv.headers["content-type"]) == (csv.read_bytes(), "text/csv")
    assert (put_zip.body, put_zip.headers["content-type"]) == (archive.read_bytes(), "application/zip")
    assert (last.method, last.path) == ("POST", "/api/v1/calls/process-upload")
    keys = {"metadata_key": "kz/acme/u/metadata.csv", "audios_key": "kz/acme/u/audios.zip"}
    assert json.loads(last.body) == keys
    assert [asked.headers.get("authorization") for asked in server.asked] == [
        f"Bearer {KEY}",
        None,
        None,
        f"Bearer {KEY}",
    ]


def test_files_are_sent_in_pieces_with_their_length_and_progress(
    server: Scripted, client: Client, tmp_path: Path
) -> None:
    """S3 refuses a PUT without a length, and a ZIP of gigabytes does not fit into memory."""
    csv, archive = pair(tmp_path, 1_000_000)
    server.will(issued(server), Answer(), Answer(), data(batch_id="batch_1"))
    told: list[tuple[str, int, int]] = []
    client.submit_pair(csv, archive, on_progress=lambda *progress: told.append(progress))
    assert [server.asked[n].headers["content-length"] for n in (1, 2)] == ["1000000"] * 2
    assert "transfer-encoding" not in server.asked[1].headers
    sent = [done for name, done, _ in told if name == "january.zip"]
    assert sent == sorted(sent)
    assert len(sent) > 2
    assert told[-1] == ("january.zip", 1_000_000, 1_000_000)


def test_a_put_that_breaks_is_sent_again_from_its_beginning(server: Scripted, client: Client, tmp_path: Path) -> None:
    csv, archive = pair(tmp_path, 300_000)
    server.will(issued(server), Answer(), Answer(cut=True), Answer(503), Answer())
    server.will(data(batch_id="batch_1"))
    assert client.submit_pair(csv, archive) == "batch_1"
    assert [asked.body for asked in server.asked if asked.path == "/put/zip"] == [archive.read_bytes()] * 3


def test_a_put_that_is_refused_ends_it(server: Scripted, client: Client, tmp_path: Path) -> None:
    server.will(issued(server), Answer(403, b"<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(ApiRefused, match="HTTP_403"):
        client.submit_pair(*pair(tmp_path))
    assert len(server.asked) == 2


def test_a_file_that_is_not_there_is_told_before_it_is_sent(server: Scripted, client: Client, tmp_path: Path) -> None:
    server.will(issued(server))
    with pytest.raises(FileNotFoundError):
        client.submit_pair(tmp_path / "gone.csv", tmp_path / "gone.zip")
    assert all(asked.method != "PUT" for asked in server.asked)


def test_a_post_that_is_repeated_has_the_same_idempotency_key_and_the_next_one_another(
    server: Scripted, client: Client
) -> None:
    """The answer to the first try was lost; the server knows the second for the same submission."""
    server.will(Answer(cut=True), refused(409, "IDEMPOTENCY_KEY_IN_USE", Retry_After="0"), data(batch_id="batch_1"))
    server.will(data(batch_id="batch_2"))
    assert client.submit_calls([{"external_id": "a"}]) == "batch_1"
    assert client.submit_calls([{"external_id": "a"}]) == "batch_2"
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_calls_are_wrapped_and_a_body_is_sent_as_it_is(server: Scripted, client: Client) -> None:
    server.will(data(batch_id="batch_1"), data(batch_id="batch_2"))
    client.submit_calls([{"external_id": "é"}])
    client.submit_calls(b' {"calls": []} ')
    assert [asked.path for asked in server.asked] == ["/api/v1/calls/batch-upload"] * 2
    assert json.loads(server.asked[0].body) == {"calls": [{"external_id": "é"}]}
    assert server.asked[1].body == b' {"calls": []} '


def test_a_batch_is_typed_and_keeps_what_it_does_not_know(server: Scripted, client: Client) -> None:
    calls = [
        {"external_id": "a", "status": "completed", "aila_call_id": "aila_1", "processed_at": "2026-11-22T10:01:00Z"},
        {
            "external_id": None,
            "status": "failed",
            "aila_call_id": "aila_2",
            "error": {"code": "AUDIO_INVALID", "message": "not readable", "retryable": False},
            "warnings": ["MONO_AUDIO"],
        },
    ]
    server.will(data(**a_batch("partial", total_calls=2, calls=calls, from_the_future=1)))
    found = client.batch("batch_1")
    assert (found.status, found.terminal, found.total_calls) == ("partial", True, 2)
    assert found.submitted_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    good, bad = found.calls
    assert (good.id, good.error, good.processed_at) == ("aila_1", None, datetime(2026, 11, 22, 10, 1, tzinfo=UTC))
    assert bad.error is not None
    assert (bad.error.code, bad.error.retryable, bad.warnings) == ("AUDIO_INVALID", False, ("MONO_AUDIO",))
    assert found.document["from_the_future"] == 1


def test_the_calls_of_a_large_batch_are_paged(server: Scripted, client: Client) -> None:
    pages = [["1", "2"], ["3"]]
    for ids, cursor in zip(pages, ["c1", None], strict=True):
        calls = [{"external_id": None, "status": "pending", "aila_call_id": call_id} for call_id in ids]
        server.will(data(**a_batch(calls=calls, next_cursor=cursor)))
    assert [call.id for call in client.batch_calls("batch_1")] == ["1", "2", "3"]
    assert [asked.query for asked in server.asked] == [{}, {"cursor": "c1"}]


@pytest.mark.parametrize("end", ["completed", "partial", "failed"])
def test_waiting_ends_with_every_end(server: Scripted, client: Client, end: str) -> None:
    """The loops that are printed in contract B never end for a batch whose calls all failed."""
    server.will(*(data(**a_batch(status)) for status in ("submitted", "processing", end)))
    seen: list[Batch] = []
    assert client.wait("batch_1", poll_seconds=0.01, on_progress=seen.append).status == end
    assert [batch.status for batch in seen] == ["submitted", "processing", end]


def test_waiting_has_a_limit(server: Scripted, client: Client) -> None:
    server.will(*[data(**a_batch())] * 100)
    with pytest.raises(WaitedTooLong, match="batch_1: processing"):
        client.wait("batch_1", poll_seconds=0.05, timeout=0.2)


def test_failed_calls_are_tried_again_by_one_post(server: Scripted, client: Client) -> None:
    server.will(data(batch_id="batch_1", calls_retried=3, calls_not_retriable=1, status="processing"))
    retried = client.retry_failed("batch_1")
    assert (retried.calls_retried, retried.calls_not_retriable, retried.status) == (3, 1, "processing")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/api/v1/calls/batch-upload/batch_1/retry")


def test_filters_are_named_as_the_api_names_them_and_pages_follow(server: Scripted, client: Client) -> None:
    for call_id, cursor in (("aila_1", "c1"), ("aila_2", None)):
        server.will(data(calls=[{"id": call_id, "status": "failed"}], next_cursor=cursor))
    since = datetime(2026, 11, 1, tzinfo=UTC)
    found = client.calls(status="failed", batch_id="batch_1", external_id="e", since=since, until=since, page_size=1)
    assert [call.id for call in found] == ["aila_1", "aila_2"]
    asked = {"status": "failed", "batch_id": "batch_1", "external_id": "e", "limit": "1"}
    asked |= {"from": "2026-11-01T00:00:00+00:00", "to": "2026-11-01T00:00:00+00:00"}
    assert [each.query for each in server.asked] == [asked, asked | {"cursor": "c1"}]


def test_an_id_stays_one_part_of_the_address(server: Scripted, client: Client) -> None:
    server.will(data(id="aila_1", status="completed", transcript={"turns": []}))
    assert client.call("../aila_1?x").document["transcript"] == {"turns": []}
    assert server.asked[0].path == "/api/v1/calls/..%2Faila_1%3Fx"


@pytest.mark.parametrize("answer", [{}, {"batch_id": "b"}, {"batch_id": "b", "status": "x", "terminal": 1, "calls": 5}])
def test_an_answer_without_what_it_must_have_is_no_answer_of_this_api(
    server: Scripted, client: Client, answer: dict[str, Any]
) -> None:
    server.will(data(**answer))
    with pytest.raises(ApiUnavailable, match="is not this API"):
        client.batch("b")


@pytest.mark.parametrize("url", ["", "aila.example", "ftp://aila.example", "http://", "/api"])
def test_what_is_no_url_is_told_at_once(url: str) -> None:
    with pytest.raises(SettingInvalid, match="must be like"):
        Client(url, KEY)
