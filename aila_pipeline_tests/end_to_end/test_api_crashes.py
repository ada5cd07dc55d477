"""The API is killed with -9 at any moment between a request and its launch: what it acknowledged is processed once."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.settings import Settings
from aila_pipeline_tests.api.process import ApiProcess
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import zipped
from aila_pipeline_tests.end_to_end.site import Site, at_work, environment, wait_until

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("AILA_TEST_API_KILLS", "3"))
"""Each makes a batch that is processed; docs/benchmarks.md tells of 50."""
CALLS_A_BATCH = 2


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(Settings(home=tmp_path / "home", whisper_model="demo", demo=True))
    yield made
    made.ledger.close()


class Submitter:
    """A client that sends one batch in each life of the API, and remembers what was acknowledged."""

    def __init__(self, site: Site, api: ApiProcess, key: str, speech: bytes) -> None:
        self._api, self._headers, self._speech = api, {"Authorization": f"Bearer {key}"}, speech
        site.store.write("recordings/kz/acme/speech.flac", speech)
        self.acknowledged: dict[int, str] = {}

    def send(self, serial: int) -> None:
        """A list of calls or, every third time, a pair; a connection that breaks is what the test is about."""
        try:
            with httpx.Client(base_url=self._api.url, headers=self._headers, timeout=60) as client:
                answer = self._pair(client, serial) if serial % 3 == 2 else self._list(client, serial)
        except httpx.TransportError:
            return
        assert answer.status_code == 200, answer.text
        body = answer.json()
        self.acknowledged[serial] = body["batch_id"]

    def _list(self, client: httpx.Client, serial: int) -> httpx.Response:
        return client.post("/v1/calls/batch-upload", json={"calls": [a_list_item(serial, n) for n in range(2)]})

    def _pair(self, client: httpx.Client, serial: int) -> httpx.Response:
        names = {"metadata_filename": "metadata.csv", "audios_filename": "audios.zip"}
        issued = client.post("/v1/calls/upload", json=names).json()
        # Rows of their own, else the second pair would be the first one again.
        rows = (a_row(f"{serial}-{n}.flac", partner_call_id=f"{serial}-{n}") for n in range(CALLS_A_BATCH))
        files = {f"{serial}-{n}.flac": self._speech for n in range(CALLS_A_BATCH)}
        for url, kind, data in (
            (issued["metadata_upload_url"], "text/csv", a_csv(*rows)),
            (issued["audio_upload_url"], "application/zip", zipped(files)),
        ):
            httpx.put(url, content=data, headers={"Content-Type": kind}, timeout=60).raise_for_status()
        keys = {"metadata_key": issued["metadata_key"], "audios_key": issued["audio_key"]}
        return client.post("/v1/calls/process-upload", json=keys)


def a_list_item(serial: int, number: int) -> dict[str, Any]:
    """A call of a list, whose id nobody else has."""
    return {
        "external_id": f"call-{serial}-{number}",
        "audio_url": "s3://aila/recordings/kz/acme/speech.flac",
        "user_email": "agent@example.com",
        "call_date": "2025-01-15T14:30:00Z",
    }


def test_what_was_acknowledged_is_processed_once_and_nothing_is_half_there(site: Site, speech: bytes) -> None:
    tenant = site.ledger.tenants.ensure("kz", "acme")
    site.ledger.tenants.change_settings(tenant, TenantSettings(concurrent_batches=10**6))
    key = site.ledger.keys.create(tenant, site.ledger.tenants.ensure_user(tenant, "ops"), now=datetime.now(UTC))
    chance = random.Random(11)
    with site.up() as stack:
        api = ApiProcess(site.settings.home, environment(site.settings) | {"AILA_DAGSTER_URL": stack.dagster_url})
        submitter = Submitter(site, api, key, speech)
        for serial in range(KILLS):
            api.start()
            client = threading.Thread(target=submitter.send, args=(serial,))
            client.start()
            # A list is accepted within some 30 ms and launched within some 500 ms; a pair takes longer.
            time.sleep(chance.uniform(0.0, 0.3 if chance.random() < 0.7 else 1.0))
            if serial == KILLS - 1 and not submitter.acknowledged:
                client.join()  # however slow the machine is, one answer is heard
            api.kill()
            client.join()
        wait_until(lambda: site.ended() and site.ledger.events.waiting() == 0, "every batch has ended and is told")
    assert 0 < len(submitter.acknowledged) <= KILLS
    found = {view.id: view for view in site.ledger.views.recent(KILLS + 1)}
    assert set(submitter.acknowledged.values()) <= set(found)
    assert len(found) <= KILLS
    for batch_id, view in found.items():
        calls = site.ledger.views.calls_of(batch_id)
        assert (str(view.status), len(calls)) == ("completed", CALLS_A_BATCH)
        assert {call.attempt for call in calls} == {1}
    assert site.differences() == []
    assert at_work(site) == {}
