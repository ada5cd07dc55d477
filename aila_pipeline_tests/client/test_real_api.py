"""The client against the real API in a process of its own, with the real pipeline behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from aila_pipeline.adapters.outside import DIRECTORY_BUCKET, RECORDINGS
from aila_pipeline.client import Client
from aila_pipeline.domain.tenant_rules import changed
from aila_pipeline.errors import ApiRefused
from aila_pipeline_tests.api.process import an_api
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline, zipped

pytestmark = pytest.mark.slow

SPEECH = Path(__file__).parent.parent / "adapters" / "recordings" / "two_voices.flac"
PLACE = f"{RECORDINGS}kz/acme/a.flac"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with a_pipeline(tmp_path_factory.mktemp("site") / "home") as made:
        made.store.write(PLACE, SPEECH.read_bytes())
        yield made


@pytest.fixture(scope="module")
def url(pipeline: Pipeline) -> Iterator[str]:
    """Nothing listens where Dagster would be: the pipeline is run by hand."""
    with an_api(pipeline.settings.home, AILA_DAGSTER_URL="http://127.0.0.1:9") as api:
        yield api.url


@pytest.fixture
def key(pipeline: Pipeline) -> str:
    tenant = pipeline.ledger.tenants.ensure("kz", "acme")
    user_id = pipeline.ledger.tenants.ensure_user(tenant, "ops@acme.example")
    return pipeline.ledger.keys.create(tenant, user_id, now=datetime.now(UTC))


@pytest.fixture
def client(url: str, key: str) -> Iterator[Client]:
    with Client(url, key, timeout_seconds=20.0, retry_seconds=10.0) as made:
        yield made


def an_item(external_id: str, **changed: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "audio_url": f"s3://{DIRECTORY_BUCKET}/{PLACE}",
        "user_email": "agent@acme.example",
        "call_date": "2026-01-13T10:30:00Z",
    } | changed


@contextmanager
def losing_answers(target: str, most: int) -> Iterator[str]:
    """A proxy that hands requests on, but cuts the connection instead of giving the first `most` answers back."""
    left = [most]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = httpx.post(target + self.path, content=body, headers=headers)
            if left[0]:
                left[0] -= 1
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_pair_goes_from_upload_to_transcript(pipeline: Pipeline, client: Client, tmp_path: Path) -> None:
    """Two of its three calls fail: one has no file, the other is no audio."""
    csv, archive = tmp_path / "metadata.csv", tmp_path / "audios.zip"
    csv.write_bytes(a_csv(*(a_row(name) for name in ("a.flac", "gone.wav", "text.mp3"))))
    archive.write_bytes(zipped({"a.flac": SPEECH.read_bytes(), "text.mp3": b"This is a text." * 99}))
    batch_id = client.submit_pair(csv, archive)
    assert client.batch(batch_id).status == "submitted"
    pipeline.run()
    batch = client.wait(batch_id, poll_seconds=0.1, timeout=30)
    assert (batch.status, batch.total_calls, batch.processed, batch.failed, batch.pending) == ("partial", 3, 1, 2, 0)
    calls = list(client.batch_calls(batch_id))
    assert [call.error.code if call.error else None for call in calls] == [None, "FILE_NOT_FOUND", "AUDIO_INVALID"]
    heard = client.call(calls[0].id)
    assert heard.batch_id == batch_id
    assert heard.document["transcript"]["turns"]
    failed = list(client.calls(status="failed", batch_id=batch_id, page_size=1))
    assert [call.id for call in failed] == [call.id for call in calls[1:]]
    retried = client.retry_failed(batch_id)
    assert retried.calls_retried + retried.calls_not_retriable == 2
    pipeline.run()
    assert client.wait(batch_id, poll_seconds=0.1, timeout=30).failed == 2


def test_a_list_that_fails_as_a_whole_ends_the_waiting(pipeline: Pipeline, client: Client) -> None:
    place = f"{RECORDINGS}kz/acme/text.wav"
    pipeline.store.write(place, b"This is a text." * 99)
    batch_id = client.submit_calls([an_item("a_text", audio_url=f"s3://{DIRECTORY_BUCKET}/{place}")])
    pipeline.run()
    batch = client.wait(batch_id, poll_seconds=0.1, timeout=30)
    assert batch.status == "failed"
    assert batch.terminal


def test_an_answer_that_is_lost_makes_no_second_batch(pipeline: Pipeline, url: str, key: str) -> None:
    """The proxy has handed both tries on; the API knows the second by its Idempotency-Key."""
    before = len(pipeline.ledger.views.recent(1000))
    with losing_answers(url, 2) as proxy, Client(proxy, key, retry_seconds=10.0) as client:
        batch_id = client.submit_calls([an_item("lost_answer")])
    batches = pipeline.ledger.views.recent(1000)
    assert len(batches) == before + 1
    assert batches[0].id == batch_id


def test_each_wrong_item_is_told_by_its_index(client: Client) -> None:
    items = [an_item("right"), an_item("wrong", duration=-1, audio_url="ftp://host/a.wav"), an_item("")]
    with pytest.raises(ApiRefused) as refusal:
        client.submit_calls(items)
    assert refusal.value.status == 422
    assert refusal.value.api_code == "VALIDATION_ERROR"
    second, third = refusal.value.problems
    assert second.startswith("index 1, external_id wrong: ")
    assert "audio_url" in second
    assert "duration" in second
    assert third.startswith("index 2")


def test_a_key_that_is_not_one_is_refused_at_once(url: str) -> None:
    with Client(url, "aila_no_key") as client, pytest.raises(ApiRefused) as refusal:
        client.batch("batch_1")
    assert (refusal.value.status, refusal.value.api_code) == (401, "UNAUTHORIZED")


def test_what_is_not_there_is_refused(client: Client) -> None:
    for ask in (client.batch, client.call, client.retry_failed):
        with pytest.raises(ApiRefused, match="NOT_FOUND"):
            ask("../batch_1?x=1")


def test_a_limit_that_lasts_longer_than_patience_is_told_with_its_name(
    pipeline: Pipeline, url: str, client: Client
) -> None:
    small = pipeline.ledger.tenants.ensure("kz", "small")
    pipeline.ledger.tenants.change_settings(small, changed(small.settings, {"calls_per_hour": "1"}))
    user_id = pipeline.ledger.tenants.ensure_user(small, "ops@small.example")
    key = pipeline.ledger.keys.create(small, user_id, now=datetime.now(UTC))
    items = [an_item(f"limited_{n}", audio_url=f"s3://{DIRECTORY_BUCKET}/{RECORDINGS}kz/small/a.wav") for n in (1, 2)]
    pipeline.store.write(f"{RECORDINGS}kz/small/a.wav", b"")
    with Client(url, key) as limited:
        limited.submit_calls(items[:1])
        with pytest.raises(ApiRefused, match="RATE_LIMIT_EXCEEDED") as refusal:
            limited.submit_calls(items[1:])
    assert any("calls" in problem for problem in refusal.value.problems)
