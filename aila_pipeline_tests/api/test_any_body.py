"""Whatever the bytes of a body: an answer of the documented kind, in the path's envelope, that quotes nothing."""

from __future__ import annotations

import asyncio
import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aila_pipeline.domain.models import TenantSettings
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for

BODIES = int(os.environ.get("AILA_TEST_BODIES", "1000"))
"""Some 100 a second; docs/benchmarks.md tells of 20,000."""
ADDRESSES = [
    prefix + address
    for prefix in ("/api/v1", "/v1")
    for address in ("/calls/batch-upload", "/calls/batch-upload?dry_run=true", "/calls/upload", "/calls/process-upload")
]
EXPECTED = {200, 400, 404, 413, 422}
CANARY = "zq-canary-7741"
"""Stands in fields of which nothing may come back; an external_id alone is told, so that a client knows which call."""

CALL: dict[str, Any] = {
    "external_id": "call_12345",
    "audio_url": f"https://example.com/{CANARY}.mp3?signature={CANARY}",
    "user_email": "agent@example.com",
    "contact_name": CANARY,
    "contact_phone": "+15551234567",
    "contact_email": "john@example.com",
    "call_date": "2025-01-15T14:30:00Z",
    "direction": "outbound",
    "duration": 350,
    "metadata": {"campaign": CANARY},
}
WHOLE: list[dict[str, Any]] = [
    {"calls": [CALL]},
    {"calls": [CALL, CALL | {"external_id": "call_12346"}]},
    {"metadata_filename": "metadata.csv", "audios_filename": "audios.zip"},
    {"metadata_key": f"kz/acme/{CANARY}/metadata.csv", "audios_key": f"kz/acme/{CANARY}/audios.zip"},
    {"metadata_key": "kz/acme/x/metadata.csv", "audio_key": "a", "audios_key": "b"},
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from([CANARY, "", "\0", "\ud800", "’", "1e999", "9" * 400, "2025-13-45", "https://", "s3://", "@"])
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Valid bodies with one thing replaced, added or cut off; any JSON; any bytes."""
    kind = draw(st.sampled_from(("mutated", "mutated", "cut", "json", "bytes")))
    if kind == "bytes":
        return draw(st.binary(max_size=200))
    if kind == "json":
        return _dumped(draw(values))
    document = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    target = document
    if "calls" in document and draw(st.booleans()):
        target = draw(st.sampled_from(document["calls"]))
    target[draw(st.sampled_from([*target, "extra"]))] = draw(values)
    body = _dumped(document)
    return body[: draw(st.integers(0, len(body)))] if kind == "cut" else body


def _dumped(value: object) -> bytes:
    """JSON with all that Python's own writer lets through: NaN, Infinity, halves of characters."""
    escaped = json.dumps(value)
    return (
        escaped.encode() if len(escaped) % 2 else json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )


@pytest.fixture(scope="module")
def roomy_site(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Site]:
    """One home for all bodies, whose tenant has no limits to speak of."""
    home = tmp_path_factory.mktemp("bodies")
    (home / "ledger.db").write_bytes(migrated_file.read_bytes())
    with a_site(settings_for(home, probe_seconds=0.0)) as site:
        wide = TenantSettings(batches_per_hour=10**6, calls_per_hour=10**6, concurrent_batches=10**6)
        site.ledger.tenants.change_settings(site.acme.access.tenant, wide)
        yield site


@pytest.mark.slow
def test_any_body_gets_a_documented_answer_that_quotes_nothing(roomy_site: Site) -> None:
    site = roomy_site
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(site.app),
        base_url="http://api",
        headers={"Authorization": f"Bearer {site.acme.key}", "Content-Type": "application/json"},
    )
    with asyncio.Runner() as runner:

        @settings(max_examples=BODIES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(ADDRESSES), bodies())
        def hold(address: str, body: bytes) -> None:
            answer = runner.run(client.post(address, content=body))
            check_answer(address, answer)

        hold()
        runner.run(client.aclose())


class Answer(Protocol):
    """What two generations of the HTTP client agree on."""

    status_code: int

    @property
    def text(self) -> str: ...

    def json(self) -> Any: ...


def check_answer(address: str, answer: Answer) -> None:
    """One of the documented statuses, in the envelope of the path, quoting nothing."""
    assert answer.status_code in EXPECTED, (answer.status_code, answer.text)
    told = answer.json()
    good = answer.status_code == 200
    if address.startswith("/api/"):
        assert told["status"] == ("success" if good else "error")
        assert set(told) == {"status", "data" if good else "error"}
    else:
        assert told["success"] is good
        assert good or set(told) == {"success", "error"}
    if not good:
        assert set(told["error"]) == {"code", "message", "details"}
    assert CANARY not in answer.text


HOSTILE = {
    "nan": b'{"calls": [{"external_id": "a", "duration": NaN}]}',
    "infinity": b'{"calls": [{"external_id": "a", "duration": Infinity}]}',
    "minus infinity": b'{"calls": [{"external_id": "a", "duration": -Infinity}]}',
    "a number beyond all": b'{"calls": [{"external_id": "a", "duration": 1e999}]}',
    "half a character": b'{"calls": [{"external_id": "\\ud800"}]}',
    "half a character in a key": b'{"calls": [{"\\udfff": 1}]}',
    "half a character in bytes": b'{"calls": [{"external_id": "\xed\xa0\x80"}]}',
    "nested 300 deep": b'{"calls":' + b"[" * 300 + b"]" * 300 + b"}",
    "nested 100,000 deep": b"[" * 100_000,
    "objects nested 300 deep": b'{"calls":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
    "nul": b'{"calls": [{"external_id": "a\\u0000b", "contact_name": "\\u0000"}]}',
    "nul bytes": b"\0\0\0\0",
    "5 MB and more": b'{"calls": [' + b" " * (5 * 1024 * 1024) + b"]}",
    "5 MB of text": b'{"calls": [{"external_id": "' + b"x" * (4 * 1024 * 1024) + b'"}]}',
    "an integer of 5,000 digits": b'{"calls": [{"duration": ' + b"9" * 5_000 + b"}]}",
    "the same key twice": b'{"calls": [], "calls": 1}',
    "utf-16": '{"calls": []}'.encode("utf-16"),
    "latin-1": '{"calls": [{"contact_name": "Jos\xe9"}]}'.encode("latin-1"),
    "empty": b"",
    "null": b"null",
    "a string": b'"calls"',
    "an array": b"[]",
    "half a document": b'{"calls": [',
    "a form": b"calls=1&dry_run=true",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("address", ADDRESSES)
def test_hostile_json_gets_an_answer_in_the_envelope(roomy_site: Site, name: str, address: str) -> None:
    answer = roomy_site.acme.post(address, content=HOSTILE[name])
    assert answer.status_code in {400, 413, 422}
    check_answer(address, answer)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_body_that_lies_about_its_length_is_cut_off_at_the_cap(roomy_site: Site, address: str) -> None:
    """A chunked body declares no length at all; it is given up as soon as the cap is passed."""
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1024**2
            yield b" " * 1024**2

    answer = roomy_site.acme.post(address, content=endless())
    assert answer.status_code == 413
    check_answer(address, answer)
