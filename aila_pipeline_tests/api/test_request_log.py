"""The log of requests: one JSON line each, nothing of what was sent in any, and no exception beyond it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from aila_pipeline.api.app import create_app
from aila_pipeline.api.json_lines import line_format
from aila_pipeline.api.request_log import RequestLog
from aila_pipeline.domain.models import UrlSource
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.process import an_api
from aila_pipeline_tests.api.test_calls import a_whole_call
from aila_pipeline_tests.api.test_openapi import a_list
from aila_pipeline_tests.api.test_pairs import uploaded
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row

CANARIES = {
    "name": "Ann-Canary-Lee",
    "phone": "+77019876543",
    "email": "canary@secret.example",
    "path": "canary-in-a-path",
    "query": "X-Amz-Signature=canary0123456789",
    "host": "canary-host.example",
    "key": "aila_canarykey_canarysecret",
    "password": "canary-password",
    "metadata": "canary-campaign",
    "external_id": "canary-external-id",
    "file": "canary-file-name",
    "cell": "canary-in-a-cell",
    "header": "canary in a header!",
    "cookie": "canary-cookie",
    "agent": "canary-agent",
    "method": "CANARY",
    "cursor": "Y2FuYXJ5LWN1cnNvcg",
    "token": "canary-upload-token",
    "time": "canary-o-clock",
    "idempotency": "canary-idempotency-key",
}


class Lines:
    """What has been logged so far."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.all if line["event"] == "request"]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """All that any logger of this process says, as the API's own process writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(line_format())
    root, ours = logging.getLogger(), logging.getLogger("aila_pipeline")
    level = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    yield Lines(stream)
    root.removeHandler(handler)
    ours.setLevel(level)


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    with a_site(settings_for(home, probe_seconds=0)) as made:
        yield made


def test_a_request_is_one_line_with_route_status_time_and_who_asked(site: Site, lines: Lines) -> None:
    call = a_whole_call(site)
    answer = site.acme.get(f"/api/v1/calls/{call}")
    (line,) = lines.requests
    assert line.pop("milliseconds") > 0
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": answer.headers["X-Request-Id"],
        "method": "GET",
        "route": "/api/v1/calls/{call_id}",
        "status": 200,
        "tenant_id": site.acme.tenant_id,
        "key_id": site.acme.access.key_id,
    }


def test_a_refusal_is_logged_with_its_code(site: Site, lines: Lines) -> None:
    site.acme.get("/v1/calls", params={"limit": 0})
    site.stranger.get("/v1/calls")
    assert [(line["status"], line["error_code"], "tenant_id" in line) for line in lines.requests] == [
        (422, "VALIDATION_ERROR", True),
        (401, "UNAUTHORIZED", False),
    ]


def test_a_batch_is_named_once_it_is_known(site: Site, lines: Lines) -> None:
    batch = site.acme.post("/v1/calls/batch-upload", json=a_list("a")).json()["batch_id"]
    site.acme.get(f"/v1/calls/batch-upload/{batch}")
    site.other.get(f"/v1/calls/batch-upload/{batch}")
    submitted, shown, foreign = lines.requests
    assert submitted["batch_id"] == shown["batch_id"] == batch
    assert "batch_id" not in foreign


@pytest.mark.parametrize("given", ["0198c7a2-7a41-7c3e", "a", "A" * 64, "trace_1.2"])
def test_a_short_and_harmless_request_id_is_taken(site: Site, lines: Lines, given: str) -> None:
    answer = site.stranger.get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given == lines.requests[0]["request_id"]


@pytest.mark.parametrize("given", ["", "A" * 65, "two words", 'quote"', "new\tline", "../..", "a/b", "naïve"])
def test_any_other_request_id_is_replaced(site: Site, lines: Lines, given: str) -> None:
    answer = site.stranger.get("/healthz", headers=[(b"X-Request-Id", given.encode())])
    made = answer.headers["X-Request-Id"]
    assert len(made) == 26
    assert lines.requests[0]["request_id"] == made


@pytest.mark.parametrize("address", ["/v1/nowhere", "/", "/v1/calls", "/docs"])
def test_every_answer_has_an_id(site: Site, address: str) -> None:
    assert site.stranger.get(address).headers["X-Request-Id"]


def an_app_that_fails(prefix: str = "/v1") -> FastAPI:
    """One whose only route raises an exception with a canary in its message, caused by another one."""
    app = FastAPI()

    @app.get(prefix + "/broken/{name}")
    async def broken(request: Request) -> None:
        try:
            raise ValueError(CANARIES["name"])
        except ValueError as error:
            raise RuntimeError(f"{request.url} {CANARIES['phone']}") from error

    app.add_middleware(RequestLog)
    return app


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_an_exception_is_answered_in_the_envelope_and_not_raised(prefix: str, lines: Lines) -> None:
    """This client would raise what the app raises."""
    answer = TestClient(an_app_that_fails(prefix)).get(f"{prefix}/broken/{CANARIES['path']}")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("INTERNAL_ERROR", {})
    assert not [name for name, canary in CANARIES.items() if canary in answer.text]
    assert ("status" in answer.json()) is (prefix == "/api/v1")
    assert answer.headers["X-Request-Id"] == lines.requests[0]["request_id"]


def test_an_exception_is_logged_by_type_and_frames_without_its_message(lines: Lines) -> None:
    TestClient(an_app_that_fails()).get(f"/v1/broken/{CANARIES['path']}")
    (line,) = [line for line in lines.all if line["event"] == "unexpected"]
    assert (line["error"], line["causes"]) == ("RuntimeError", ["ValueError"])
    assert any(frame.endswith(" broken") and __file__ in frame for frame in line["frames"])
    assert line["request_id"] == lines.requests[0]["request_id"]
    assert lines.requests[0]["status"] == 500
    assert not [name for name, canary in CANARIES.items() if canary in lines.text]


def test_an_exception_after_the_answer_began_is_logged_and_sends_no_second_answer(lines: Lines) -> None:
    """The server then closes the connection, so the client sees that the answer is not whole."""
    sent: list[Message] = []

    async def half(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError(CANARIES["name"])

    async def note(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/v1/half", "headers": [], "app": FastAPI()}
    asyncio.run(RequestLog(half)(scope, nothing, note))

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert [line["event"] for line in lines.all] == ["unexpected", "request"]
    assert lines.requests[0]["status"] == 200


def test_a_client_that_goes_away_is_no_error(lines: Lines) -> None:
    async def gone(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ClientDisconnect

    async def nothing(*_: object) -> Any:
        raise AssertionError("nobody is there any more")

    scope = {"type": "http", "method": "POST", "path": "/v1/calls/batch-upload", "headers": [], "app": FastAPI()}
    asyncio.run(RequestLog(gone)(scope, nothing, nothing))

    assert [(line["event"], line["status"]) for line in lines.all] == [("request", 499)]


def test_a_library_is_heard_with_the_first_line_of_what_it_says(lines: Lines) -> None:
    """Exceptions and what a message goes on with may quote the request."""
    try:
        raise ValueError(CANARIES["name"])
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: <%s>", CANARIES["phone"])
    (line,) = lines.all
    assert (line["event"], line["logger"], line["error"]) == (
        "Task exception was never retrieved",
        "asyncio",
        "ValueError",
    )
    assert "anary" not in lines.text
    assert "7701" not in lines.text


def test_no_canary_of_good_and_bad_requests_gets_into_the_log(site: Site, lines: Lines) -> None:
    c = CANARIES
    url = f"https://{c['host']}/{c['path']}.mp3?{c['query']}"
    call = a_list(c["external_id"], url=url)["calls"][0] | {
        "contact_name": c["name"],
        "contact_phone": c["phone"],
        "contact_email": c["email"],
        "user_email": c["email"],
        "metadata": {"campaign": c["metadata"]},
    }
    headers = {"Cookie": c["cookie"], "User-Agent": c["agent"], "X-Request-Id": c["header"]}
    headers |= {"Idempotency-Key": c["idempotency"]}
    for prefix in ("/api/v1", "/v1"):
        lists = f"{prefix}/calls/batch-upload"
        for body in (
            {"calls": [call]},
            {"calls": [call | {"audio_url": c["path"]}]},
            {"calls": [call | {"call_date": c["time"]}, call]},
            {"calls": c["name"], c["metadata"]: 1},
        ):
            site.acme.post(lists, json=body, headers=headers)
            site.acme.post(lists, json=body, headers=headers, params={"dry_run": c["query"]})
        site.acme.post(lists, content=f"{{{c['name']}".encode())
        site.acme.get(f"{lists}/{c['path']}")
        site.acme.post(f"{lists}/{c['phone']}/retry")
        for name in ("status", "batch_id", "external_id", "from", "to", "cursor", "limit", "what"):
            site.acme.get(f"{prefix}/calls", params={name: c["cursor"]})
            site.acme.get(f"{prefix}/calls", params={name: c["time"]})
        site.acme.get(f"{prefix}/calls/{c['external_id']}", headers=headers)
        site.acme.get(f"{prefix}/contacts", params={"phone": c["phone"], "email": c["email"], "limit": c["name"]})
        site.acme.get(f"{prefix}/contacts/{c['phone']}/calls")
        site.acme.get(f"{prefix}/users", params={"email": c["email"], "cursor": c["cursor"]})
        site.acme.get(f"{prefix}/{c['path']}?{c['query']}")
        site.acme.request(c["method"], f"{prefix}/calls")
        site.stranger.get(f"{prefix}/calls", headers={"Authorization": f"Bearer {c['key']}"})
        site.stranger.get(f"{prefix}/calls", headers={"Authorization": f"Basic {c['password']}"})
        site.stranger.get(f"http://user:{c['password']}@testserver{prefix}/calls")
        site.acme.post(f"{prefix}/calls/upload", json={"metadata_filename": f"{c['file']}/", "audios_filename": 1})
        site.stranger.put(f"{prefix}/uploads/{c['token']}", content=b"1", headers={"Content-Type": "text/csv"})
        keys = {"metadata_key": c["file"], "audios_key": c["file"]}
        site.acme.post(f"{prefix}/calls/process-upload", json=keys)
        row = a_row("one.wav", operator_name=c["name"], client_phone_number=c["phone"])
        for rows in ((row,), (row, a_row(c["file"], start_time=c["cell"])), (a_row("one.wav", direction=c["cell"]),)):
            site.acme.post(f"{prefix}/calls/process-upload", json=uploaded(site, csv=a_csv(*rows)).keys)
    site.acme.get(f"/v1/calls/{a_whole_call(site, UrlSource(url=url))}")

    assert len(lines.requests) > 90
    assert {line["status"] for line in lines.requests} >= {200, 400, 401, 403, 404, 405, 422}
    assert not [name for name, canary in CANARIES.items() if canary.lower() in lines.text.lower()]


def test_the_process_logs_nothing_but_json_lines_and_no_canary(home: Path) -> None:
    """Its own start and end, requests, and what is not even HTTP."""
    with an_api(home, AILA_DAGSTER_URL="http://127.0.0.1:9") as api:
        for raw in (
            f"GET /v1/{CANARIES['path']}?{CANARIES['query']} HTTP/1.1\r\nHost: {CANARIES['host']}\r\n\r\n",
            f"{CANARIES['path']} {CANARIES['phone']}\r\n\r\n",
            f"GET /v1/calls HTTP/1.1\r\n{CANARIES['header']}\r\n\r\n",
            f"GET /v1/calls?{CANARIES['query']} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
                connection.sendall(raw.encode())
                assert connection.recv(65536).startswith(b"HTTP/1.1 4")
        api.kill(signal.SIGTERM)
        text = api.log.read_text()
    told = [json.loads(line) for line in text.splitlines()]
    assert {"time", "level", "event"} <= set.intersection(*(set(line) for line in told))
    events = [line["event"] for line in told]
    assert "Application startup complete." in events
    assert "Application shutdown complete." in events
    assert "Invalid HTTP request received." in events
    assert not [name for name, canary in CANARIES.items() if canary in text]


def test_a_process_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    """A ledger without its schema; the server would print the whole trace."""
    with pytest.raises(AssertionError, match="the API ended"), an_api(tmp_path):
        pass
    told = [json.loads(line) for line in (tmp_path / "api-under-test.log").read_text().splitlines()]
    (failure,) = [line for line in told if line["event"] == "the app cannot start"]
    assert failure["error"].endswith("SettingInvalid")
    assert failure["frames"]


def test_the_log_is_the_outermost_layer(home: Path) -> None:
    assert create_app(settings_for(home)).user_middleware[0].cls is RequestLog  # type: ignore[comparison-overlap]
