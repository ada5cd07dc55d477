"""The client itself: one method for each thing that the API does.

Lives here: the steps of both contracts, waiting, paging. Does not: retries and errors (transport.py), what an answer
holds (answers.py).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from aila_pipeline.client.answers import Batch, BatchCall, Call, Document, Retried, Upload, read
from aila_pipeline.client.transport import Patience, Transport
from aila_pipeline.errors import SettingInvalid, WaitedTooLong

Sent = Callable[[str, int, int], None]
"""Told while a file is sent: its name, the bytes sent so far, all its bytes. Begins again when a try is repeated."""

_BLOCK_BYTES = 256 * 1024
_JSON = {"Content-Type": "application/json"}


class Client:
    """One API in the name of one key. Safe to share between threads; `with` or `close()` gives connections back.

    Args:
        url: where the API answers, like `https://aila.example` (no `/api/v1`).
        key: as `aila keys create` printed it.
        timeout_seconds: patience for a connection, and for each part of an answer.
        retry_seconds: how long pauses between the tries of one request may last together. Lost connections, 429 and
            503 are tried again; the API's `Retry-After` is respected.
        on_retry: told why a request is sent once more, and after how many seconds.

    All methods raise ApiRefused (with the API's own code, message and what is wrong with each call) and
    ApiUnavailable.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = 60.0,
        retry_seconds: float = 60.0,
        on_retry: Callable[[str, float], None] | None = None,
    ) -> None:
        """SettingInvalid for what is no http or https URL."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingInvalid("the API's URL must be like https://host or http://127.0.0.1:8000")
        patience = Patience(timeout_seconds, retry_seconds, on_retry)
        self._api = Transport(url.rstrip("/"), headers={"Authorization": f"Bearer {key}"}, patience=patience)
        # Signed URLs carry their own authorization; a second one is refused by S3, and would hand it our key.
        self._signed = Transport(headers={}, patience=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._api.close()
        self._signed.close()

    def submit_pair(self, csv: Path, zip: Path, *, on_progress: Sent | None = None) -> str:
        """Send a CSV and a ZIP, contract A's three steps; returns the batch's id. OSError for a file it cannot read."""
        names = {"metadata_filename": csv.name, "audios_filename": zip.name}
        issued = self._post("/api/v1/calls/upload", names)
        upload = read(Upload.of, issued)
        self._put(upload.metadata_url, csv, "text/csv", on_progress)
        self._put(upload.audio_url, zip, "application/zip", on_progress)
        keys = {"metadata_key": upload.metadata_key, "audios_key": upload.audio_key}
        return read(_batch_id, self._post("/api/v1/calls/process-upload", keys))

    def submit_calls(self, calls: Sequence[Mapping[str, Any]] | bytes) -> str:
        """Send 1-100 calls with their audio URLs (contract B); returns the batch's id.

        `calls`: the items of B's `calls`, or the whole body as it shall be sent. A try that is repeated never makes a
        second batch.
        """
        body = calls if isinstance(calls, bytes) else json.dumps({"calls": list(calls)}).encode()
        return read(_batch_id, self._post("/api/v1/calls/batch-upload", body))

    def batch(self, batch_id: str, *, cursor: str | None = None) -> Batch:
        """The batch as it is now; `cursor`: with the calls from there on."""
        params = {"cursor": cursor} if cursor else {}
        return read(Batch.of, self._api.data("GET", _batch_address(batch_id), params=params))

    def batch_calls(self, batch_id: str) -> Iterator[BatchCall]:
        """All calls of the batch, in the order of its rows or items."""
        page = self.batch(batch_id)
        yield from page.calls
        while page.next_cursor:
            page = self.batch(batch_id, cursor=page.next_cursor)
            yield from page.calls

    def wait(
        self,
        batch_id: str,
        *,
        poll_seconds: float = 2.0,
        timeout: float | None = None,
        on_progress: Callable[[Batch], None] | None = None,
    ) -> Batch:
        """The batch once it has ended, well or not: completed, partial or failed.

        `timeout` in seconds; WaitedTooLong when it is over. `on_progress` gets the batch after each look.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            found = self.batch(batch_id)
            if on_progress is not None:
                on_progress(found)
            if found.terminal:
                return found
            if deadline is not None and time.monotonic() + poll_seconds > deadline:
                raise WaitedTooLong(f"batch {found.id}: {found.status}")
            time.sleep(poll_seconds)

    def retry_failed(self, batch_id: str) -> Retried:
        """Try the batch's failed calls again, all that have data to try with."""
        return read(Retried.of, self._post(f"{_batch_address(batch_id)}/retry", b""))

    def calls(
        self,
        *,
        status: str | None = None,
        batch_id: str | None = None,
        external_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 100,
    ) -> Iterator[Call]:
        """All calls that fit, the newest first, or one batch's in their order; pages are fetched as they are needed.

        `status`: one of contract B's, or several with commas. `since` and `until` are of a call's acceptance.
        """
        wanted = {
            "status": status,
            "batch_id": batch_id,
            "external_id": external_id,
            "from": since.isoformat() if since else None,
            "to": until.isoformat() if until else None,
            "limit": page_size,
        }
        params = {name: value for name, value in wanted.items() if value is not None}
        while True:
            page = self._api.data("GET", "/api/v1/calls", params=params)
            found, cursor = read(_page, page)
            yield from found
            if not cursor:
                return
            params["cursor"] = cursor

    def call(self, call_id: str) -> Call:
        """One call with all that is known of it."""
        return read(Call.of, self._api.data("GET", f"/api/v1/calls/{quote(call_id, safe='')}"))

    def _post(self, address: str, body: Mapping[str, Any] | bytes) -> Any:
        """With a key of its own, the same for each try: whichever of them arrives first is the only one that counts."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**_JSON, "Idempotency-Key": str(uuid.uuid4())}
        return self._api.data("POST", address, body=lambda: content, headers=headers)

    def _put(self, url: str, path: Path, content_type: str, on_progress: Sent | None) -> None:
        size = path.stat().st_size
        headers = {"Content-Type": content_type, "Content-Length": str(size)}
        self._signed.send("PUT", url, body=lambda: _blocks(path, size, on_progress), headers=headers)


def _blocks(path: Path, size: int, on_progress: Sent | None) -> Iterator[bytes]:
    """The file from its beginning, never as a whole in memory."""
    sent = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
            sent += len(block)
            if on_progress is not None:
                on_progress(path.name, sent, size)


def _batch_address(batch_id: str) -> str:
    return f"/api/v1/calls/batch-upload/{quote(batch_id, safe='')}"


def _batch_id(data: Document) -> str:
    return str(data["batch_id"])


def _page(data: Document) -> tuple[list[Call], str | None]:
    return [Call.of(call) for call in data["calls"]], data.get("next_cursor")
