"""What becomes of a pair after step 3: its run, files that change before it, runs that die, files that nobody wants.

The pair comes through the API; its run, the drop zone's look and the nightly cleaning are called as Dagster does.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aila_pipeline.adapters.drop_zone import DropZone
from aila_pipeline.adapters.intake import Intake, Refused, Withdrawn, rejects_key
from aila_pipeline.adapters.ledger.records import Accepted
from aila_pipeline.adapters.objects import ObjectInfo
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.domain.status import BatchStatus
from aila_pipeline_tests.adapters.zips import a_zip
from aila_pipeline_tests.api.conftest import Site
from aila_pipeline_tests.api.test_pairs import AUDIOS, GOOD, Uploaded, processed, uploaded
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.test_intake_crashes import Fragile, FragileLedger, Fuse, Killed, both_moments

OTHER_AUDIOS = a_zip({"one.wav": b"other", "two.wav": b"recordings"})


def taken(site: Site, batch_id: str, store: Any = None) -> Accepted | Refused | Withdrawn:
    """What the batch's run makes of it."""
    batch = site.ledger.batches.get(batch_id)
    assert batch is not None
    return Intake(site.ledger, store or site.store, site.settings).take(batch)


def submitted(site: Site, csv: bytes = GOOD, archive: bytes = AUDIOS) -> tuple[Uploaded, str]:
    """A pair that waits for its run."""
    upload = uploaded(site, csv, archive)
    return upload, processed(site, upload)["batch_id"]


def objects(site: Site, prefix: str = "") -> list[str]:
    return [info.key for info in site.store.list(prefix)]


def codes(site: Site, batch_id: str) -> list[str | None]:
    return [call.error_code for call in site.ledger.views.calls_of(batch_id)]


def status(site: Site, batch_id: str) -> BatchStatus:
    view = site.ledger.views.batch(batch_id)
    assert view is not None
    return view.status


def test_a_pair_is_taken_in_and_its_files_moved_to_the_batchs_own_place(site: Site) -> None:
    _, batch_id = submitted(site)
    outcome = taken(site, batch_id)
    assert isinstance(outcome, Accepted)
    assert (outcome.state, outcome.calls, len(outcome.shards)) == ("accepted", 2, 1)
    folder = f"_aila/batches/{batch_id}/source/"
    assert objects(site) == [f"{folder}audios.zip", f"{folder}metadata.csv"]
    assert site.store.read(f"{folder}metadata.csv") == GOOD
    assert {key for _, key in site.ledger.references.objects()} == set(objects(site))


def test_a_bad_row_is_kept_ready_to_mend(site: Site) -> None:
    _, batch_id = submitted(site, a_csv(a_row("one.wav"), a_row("none.wav")))
    taken(site, batch_id)
    assert codes(site, batch_id) == [None, "FILE_NOT_FOUND"]
    assert b"none.wav" in site.store.read(rejects_key(batch_id))


def overwritten(site: Site, upload: Uploaded) -> None:
    site.store.write(upload.audios_key, OTHER_AUDIOS)


def removed(site: Site, upload: Uploaded) -> None:
    site.store.delete(upload.audios_key)


@pytest.mark.parametrize("change", [overwritten, removed])
def test_a_zip_that_changes_before_the_run_fails_every_call(site: Site, change: Any) -> None:
    """Gap 6: the batch was promised, and so it is there and says why it failed; the other file is left alone."""
    rows = [a_row("one.wav", partner_call_id="C-1"), a_row("two.wav"), a_row("none.wav", segment_type="")]
    upload, batch_id = submitted(site, a_csv(*rows))
    change(site, upload)
    outcome = taken(site, batch_id)
    assert isinstance(outcome, Accepted)
    assert codes(site, batch_id) == ["SOURCE_CHANGED"] * 3
    assert status(site, batch_id) is BatchStatus.FAILED
    assert site.ledger.batches.retry(batch_id, shard_size=100, now=datetime.now(UTC)) == []
    assert objects(site, "kz/") == ([upload.audios_key] if change is overwritten else [])
    assert objects(site, "_aila/uploads/") == []
    assert {key for _, key in site.ledger.references.objects()} <= set(objects(site))


def test_the_pair_that_was_meant_can_be_sent_again(site: Site) -> None:
    """It is no duplicate of the batch that failed, and its ids are not taken."""
    csv = a_csv(a_row("one.wav", partner_call_id="C-1"), a_row("two.wav"))
    upload, failed = submitted(site, csv)
    overwritten(site, upload)
    taken(site, failed)
    _, batch_id = submitted(site, csv)
    outcome = taken(site, batch_id)
    assert isinstance(outcome, Accepted)
    assert (outcome.state, outcome.batch_id) == ("accepted", batch_id)
    assert codes(site, batch_id) == [None, None]


class Overwriting:
    """In front of a store: the ZIP is replaced after its directory was read, before it is copied."""

    def __init__(self, site: Site, upload: Uploaded) -> None:
        self._site, self._upload = site, upload

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site.store, name)

    def copy(self, source: ObjectInfo, key: str) -> ObjectInfo:
        overwritten(self._site, self._upload)
        return self._site.store.copy(source, key)


def test_a_zip_that_changes_during_the_run_fails_every_call(site: Site) -> None:
    upload, batch_id = submitted(site)
    assert isinstance(taken(site, batch_id, Overwriting(site, upload)), Accepted)
    assert codes(site, batch_id) == ["SOURCE_CHANGED", "SOURCE_CHANGED"]


def test_a_csv_that_changes_before_the_run_changes_nothing(site: Site) -> None:
    """The run reads the copy that was checked, and leaves alone what it has not read."""
    upload, batch_id = submitted(site)
    site.store.write(upload.metadata_key, b"something else")
    taken(site, batch_id)
    assert codes(site, batch_id) == [None, None]
    assert site.store.read(upload.metadata_key) == b"something else"


def test_when_nothing_is_left_of_a_pair_it_is_refused(site: Site) -> None:
    _, batch_id = submitted(site)
    for key in objects(site):
        site.store.delete(key)
    outcome = taken(site, batch_id)
    assert isinstance(outcome, Refused)
    assert outcome.code == "PAIR_VANISHED"
    assert objects(site) == [f"{outcome.folder}reasons.json"]


def test_the_same_pair_again_is_a_duplicate_and_leaves_nothing(site: Site) -> None:
    """Gap 24, for pairs of the API and of the drop zone alike."""
    _, first = submitted(site)
    taken(site, first)
    before = objects(site)
    upload, second = submitted(site)
    outcome = taken(site, second)
    assert isinstance(outcome, Accepted)
    assert (outcome.state, outcome.batch_id) == ("duplicate", first)
    assert objects(site) == before
    assert processed(site, upload)["batch_id"] == second


class Overtaken:
    """In front of a store: before its first look at a file, another request submits the pair and its run takes it."""

    def __init__(self, site: Site, upload: Uploaded) -> None:
        self._site, self._upload, self._services = site, upload, site.services

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services.store, name)

    def stat(self, key: str) -> ObjectInfo:
        if self._site.services is not self._services:
            self._site.app.state.services = self._services
            taken(self._site, processed(self._site, self._upload)["batch_id"])
        return self._services.store.stat(key)


def test_a_request_that_is_overtaken_by_another_and_its_run_gets_the_same_answer(site: Site) -> None:
    upload = uploaded(site)
    overtaken: Any = Overtaken(site, upload)
    site.app.state.services = replace(site.services, store=overtaken)
    answer = processed(site, upload)
    assert site.store.exists(f"_aila/batches/{answer['batch_id']}/source/audios.zip")
    assert answer == processed(site, upload)


@both_moments
def test_a_pair_of_the_api_is_taken_in_once_wherever_its_run_died(site: Site, after: bool) -> None:
    deaths = 0
    site.ledger.tenants.change_settings(site.acme.access.tenant, TenantSettings(concurrent_batches=1000))
    while True:
        csv = a_csv(a_row("one.wav", operator_name=f"n-{deaths}"), a_row("none.wav"))
        _, batch_id = submitted(site, csv)
        fuse = Fuse(deaths, after=after)
        ledger: Any = FragileLedger(site.ledger, fuse)
        store: Any = Fragile(site.store, fuse)
        batch = site.ledger.batches.get(batch_id)
        assert batch is not None
        died = True
        with suppress(Killed):
            Intake(ledger, store, site.settings).take(batch)
            died = False
        look(site)
        if batch_id in [launch.key for launch in site.ledger.batches.received(now=in_a_week(), most=100)]:
            taken(site, batch_id)
        assert codes(site, batch_id) == [None, "FILE_NOT_FOUND"]
        assert objects(site, "kz/") == []
        assert objects(site, "_aila/uploads/") == []
        if not died:
            break
        deaths += 1
    assert deaths >= 8


def look(site: Site) -> list[str]:
    """What a tick of the drop zone does; returns the batches it knows or receives, each drop that waits as such."""
    now = datetime.now(UTC)
    zone, intake = DropZone(site.store, site.settings), Intake(site.ledger, site.store, site.settings)
    seen = []
    for arrival in zone.arrivals(site.ledger, now + timedelta(hours=1)):
        if arrival.batch is not None:
            intake.finish(arrival.batch, arrival.objects)
            seen.append(arrival.batch.id)
        elif arrival.drop.kind == "waiting":
            seen.append("waiting")
        else:
            received = zone.receive(site.ledger, arrival.drop, arrival.objects, now)
            seen.append(received.id if received else "unknown")
    return seen


def in_a_week() -> datetime:
    return datetime.now(UTC) + timedelta(days=7, hours=2)
