"""Both contracts through a real stack on a fresh home: the printed programs run to their end, the calls are scored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import zipped
from aila_pipeline_tests.end_to_end.printed_clients import audio_host, run_node, run_python
from aila_pipeline_tests.end_to_end.site import Site, environment, wait_until

pytestmark = pytest.mark.slow


class Up:
    """A home that is up, with a host that serves a recording."""

    def __init__(self, site: Site, api: str, audio: str) -> None:
        self.site, self.api, self.audio_url = site, api, f"http://{audio}/call1.mp3"

    def key(self, firm: str) -> str:
        """A new key of a firm of its own."""
        tenant = self.site.ledger.tenants.ensure("kz", firm)
        user_id = self.site.ledger.tenants.ensure_user(tenant, "ops")
        return self.site.ledger.keys.create(tenant, user_id, now=datetime.now(UTC))

    def scored(self, key: str) -> list[dict[str, Any]]:
        """The tenant's calls in full, by contract A's list; each completed, with words and a score."""
        headers = {"Authorization": f"Bearer {key}"}
        listed = requests.get(f"{self.api}/api/v1/calls?status=completed", headers=headers, timeout=30).json()
        found = [
            requests.get(f"{self.api}/api/v1/calls/{call['id']}", headers=headers, timeout=30).json()["data"]
            for call in listed["data"]["calls"]
        ]
        for call in found:
            assert call["transcript"]["turns"]
            assert call["score"]["items"]
        return found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for all of these tests: each has a tenant of its own."""
    recording = Path(__file__).parent.parent / "adapters" / "recordings" / "two_voices.flac"
    home = tmp_path_factory.mktemp("api-flow") / "home"
    with audio_host({"call1.mp3": recording.read_bytes()}) as audio:
        site = Site(Settings(home=home, whisper_model="demo", demo=True))
        variables = environment(site.settings) | {"AILA_FETCH_ALLOW": audio}
        with Stack(site.settings, dagster_port=0, api_port=0, env=variables) as stack:
            assert stack.api_url is not None
            yield Up(site, stack.api_url, audio)
        wait_until(lambda: site.ledger.events.waiting() == 0, "every ending is told")
        assert site.differences() == []
        site.ledger.close()


def test_the_printed_python_program_runs_to_its_end(up: Up, tmp_path: Path) -> None:
    key = up.key("python")
    lines = run_python(tmp_path, api=up.api, audio_url=up.audio_url, key=key)
    assert lines[0].startswith("Batch ID: batch_")
    assert lines[-1] == "Status: completed, Processed: 1/1"
    assert len(up.scored(key)) == 1


@pytest.mark.services
def test_the_printed_javascript_program_runs_to_its_end(up: Up, tmp_path: Path) -> None:
    key = up.key("node")
    lines = run_node(tmp_path, api=up.api, audio_url=up.audio_url, key=key)
    assert lines[0].startswith("Batch ID: batch_")
    assert lines[-1] == "Status: completed, Processed: 1/1"
    assert len(up.scored(key)) == 1


def test_the_three_steps_of_a_pair_give_scored_calls(up: Up, speech: bytes) -> None:
    """As contract A's page tells it, without an Authorization header in step 2."""
    key = up.key("pairs")
    api, headers = f"{up.api}/api/v1", {"Authorization": f"Bearer {key}"}
    names = {"metadata_filename": "metadata.csv", "audios_filename": "audios.zip"}
    issued = requests.post(f"{api}/calls/upload", json=names, headers=headers, timeout=30).json()["data"]
    csv, archive = a_csv(a_row("a.flac"), a_row("b.flac")), zipped({"a.flac": speech, "b.flac": speech})
    for url, kind, data in (
        (issued["metadata_upload_url"], "text/csv", csv),
        (issued["audio_upload_url"], "application/zip", archive),
    ):
        assert requests.put(url, data=data, headers={"Content-Type": kind}, timeout=30).status_code == 200
    keys = {"metadata_key": issued["metadata_key"], "audios_key": issued["audio_key"]}
    queued = requests.post(f"{api}/calls/process-upload", json=keys, headers=headers, timeout=30).json()
    assert queued["status"] == "success"
    assert queued["data"]["message"] == "Files validated and queued for processing"
    ended = poll(f"{up.api}/v1/calls/batch-upload/{queued['data']['batch_id']}", headers)
    assert (ended["status"], ended["processed"], ended["total_calls"]) == ("completed", 2, 2)
    assert {call["audio_file_name"] for call in up.scored(key)} == {"a.flac", "b.flac"}


def poll(url: str, headers: dict[str, str]) -> dict[str, Any]:
    """The batch once it is terminal."""
    deadline = time.monotonic() + 300
    while True:
        status: dict[str, Any] = requests.get(url, headers=headers, timeout=30).json()
        if status["terminal"]:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(1)
