"""`aila submit`: through the API. Here a server says what each test needs; the real one: client/test_real_api.py."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline_tests.cli.conftest import Aila
from aila_pipeline_tests.client.scripted import Scripted, data, refused, scripted
from aila_pipeline_tests.client.test_client import a_batch, issued, pair


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as script:
        yield script


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "batch.json"
    path.write_text('{"calls": []}')
    return path


def a_call(status: str, code: str = "", **changed: Any) -> dict[str, Any]:
    error = {"code": code, "message": "it is broken", "retryable": False} if code else None
    return {"external_id": "e", "aila_call_id": "aila_1", "status": status, "error": error} | changed


def test_a_list_is_sent_as_it_is_and_the_batch_id_is_alone_on_standard_output(
    aila: Aila, server: Scripted, manifest: Path
) -> None:
    server.will(data(batch_id="batch_1"))
    said = aila("submit", manifest, "--api", server.url, "--key", "aila_k")
    assert (said.code, said.out) == (0, "batch_1\n")
    assert "`aila status batch_1`" in said.err
    (asked,) = server.asked
    assert asked.body == manifest.read_bytes()
    assert asked.headers["authorization"] == "Bearer aila_k"


def test_a_pair_is_uploaded_and_told_of(aila: Aila, server: Scripted, tmp_path: Path) -> None:
    csv, archive = pair(tmp_path, 2_500_000)
    server.will(issued(server), data(), data(), data(batch_id="batch_1"))
    said = aila("submit", archive, csv, "--api", server.url, "--key", "aila_k", "--json")
    assert said.json == {"batch_id": "batch_1"}
    assert [asked.method for asked in server.asked] == ["POST", "PUT", "PUT", "POST"]
    assert server.asked[1].body == csv.read_bytes()
    assert "january.zip: sent 2.5 MB" in said.err
    assert len(said.err.splitlines()) == 4, "a line when a file begins and one when it has left, and no more"


def test_the_key_may_come_from_the_environment_and_must_come_from_somewhere(
    aila: Aila, server: Scripted, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = aila("submit", manifest, "--api", server.url)
    assert said.code == 2
    assert "no API key is given; pass --key or set AILA_API_KEY" in said.error
    monkeypatch.setenv("AILA_API_KEY", "aila_env")
    server.will(data(batch_id="batch_1"))
    assert aila("submit", manifest, "--api", server.url).code == 0
    assert server.asked[0].headers["authorization"] == "Bearer aila_env"


def test_the_address_is_the_options_the_settings_or_what_up_noted(
    aila: Aila, server: Scripted, manifest: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them before the next."""
    options = ("submit", manifest, "--key", "k", "--home", home)
    server.will(*(data(batch_id="batch_1") for _ in range(3)))
    (home / "api-url").write_text(server.url + "\n")
    assert aila(*options).code == 0
    (home / "api-url").write_text("http://127.0.0.1:9\n")
    monkeypatch.setenv("AILA_API_URL", server.url)
    assert aila(*options).code == 0
    monkeypatch.setenv("AILA_API_URL", "http://127.0.0.1:9")
    assert aila(*options, "--api", server.url + "/").code == 0


@pytest.mark.parametrize(("end", "code"), [("completed", 0), ("partial", 3), ("failed", 4)])
def test_waiting_ends_with_the_batch_and_its_exit_code(
    aila: Aila, server: Scripted, manifest: Path, end: str, code: int
) -> None:
    calls = [a_call("completed"), a_call("failed", "AUDIO_INVALID", external_id="bad_1")]
    server.will(data(batch_id="batch_1"), data(**a_batch("submitted", waits_for="waits for a worker")))
    server.will(data(**a_batch(end, calls=calls, total_calls=2, failed=1, pending=0)))
    said = aila("submit", manifest, "--api", server.url, "--key", "k", "--wait")
    assert said.code == code
    assert f"batch_1: {end}, 2 calls, 1 failed" in said.out
    assert "AUDIO_INVALID" in said.out
    assert "bad_1" in said.out
    assert "it is broken; send a wav, mp3" in said.out
    assert "batch_1: 0/1 done, waits for a worker" in said.err
    assert "batch_1: 2/2 done, 1 failed" in said.err
    assert "\x1b" not in said.out + said.err, "no colours where no terminal is"


def test_the_document_of_a_large_batch_has_all_its_calls(aila: Aila, server: Scripted, manifest: Path) -> None:
    first = a_batch("completed", calls=[a_call("completed")], next_cursor="c1")
    server.will(data(batch_id="batch_1"), data(**first), data(**first))
    server.will(data(**a_batch("completed", calls=[a_call("completed", aila_call_id="aila_2")])))
    said = aila("submit", manifest, "--api", server.url, "--key", "k", "--wait", "--json")
    assert [call["aila_call_id"] for call in said.json["calls"]] == ["aila_1", "aila_2"]
    assert said.json["next_cursor"] is None
    assert json.loads(said.out)["status"] == "completed"


def test_a_refusal_is_the_apis_own_with_a_line_for_each_call(aila: Aila, server: Scripted, manifest: Path) -> None:
    details = {"calls": [{"index": n, "external_id": None, "errors": ["external_id is required"]} for n in (0, 4)]}
    server.will(refused(422, "VALIDATION_ERROR", "Invalid calls array", details))
    said = aila("submit", manifest, "--api", server.url, "--key", "k")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "error: the API refused the request: VALIDATION_ERROR, Invalid calls array",
        "  index 0: external_id is required",
        "  index 4: external_id is required",
    ]


def test_an_api_that_does_not_answer_is_told_with_its_address(
    aila: Aila, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aila_pipeline.cli.submit._RETRY_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
    said = aila("submit", manifest, "--api", url, "--key", "k")
    assert said.code == 1
    assert said.err.splitlines()[-1].startswith(f"error: the API does not answer: {url}, ConnectError; check --api")


def test_waiting_in_vain_ends_with_the_timeout(aila: Aila, server: Scripted, manifest: Path) -> None:
    server.will(data(batch_id="batch_1"), *[data(**a_batch())] * 5)
    said = aila("submit", manifest, "--api", server.url, "--key", "k", "--wait", "--timeout", "0.5")
    assert said.code == 1
    assert "the time given with --timeout is over: batch batch_1: processing" in said.err
