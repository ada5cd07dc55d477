"""The whole pipeline in this process: real ledger, store, model, sensors, assets and Dagster instance; no daemon.

Lives here: a home that ticks the sensors by hand and executes what they request. Does not: processes (the stack's
tests start those).
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.views import BatchView, CallView
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.audit import Audit
from aila_pipeline.definitions import build_defs
from aila_pipeline.defs import sensors
from aila_pipeline.settings import Settings
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row


class Pipeline:
    """One home. `drop_*` puts files where a client would; `run` ticks until nothing is left to do."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = settings, instance
        self.ledger = Ledger(settings.ledger_url)
        self.ledger.migrate()
        self.store: ObjectStore = open_store(settings.store_url)
        self.defs = build_defs(settings)

    def drop_pair(self, csv: bytes, archive: bytes, *, place: str = "inbox/kz/acme/one") -> None:
        """Both halves in one folder of the drop zone."""
        self.store.write(f"{place}/audios.zip", archive)
        self.store.write(f"{place}/metadata.csv", csv)

    def drop_calls(self, files: Mapping[str, bytes], *, place: str = "inbox/kz/acme/one", **cells: str) -> None:
        """A pair with one row for each file."""
        self.drop_pair(a_csv(*(a_row(name, **cells) for name in files)), zipped(files), place=place)

    def tick_drop_zone(self) -> list[str]:
        """One tick of the drop zone's sensor; returns the batches that it asks to take in."""
        context = dg.build_sensor_context(instance=self.instance)
        return self._requested(sensors.drop_zone(context, settings=self.settings, ledger=self.ledger, store=self.store))

    def tick_admission(self) -> list[str]:
        """One tick of the admission sensor; returns the shards that it asks to process."""
        context = dg.build_sensor_context(instance=self.instance)
        return self._requested(sensors.shard_admission(context, settings=self.settings, ledger=self.ledger))

    def tick_recovery(self) -> str:
        """One tick of the recovery sensor; returns what it says."""
        skipped = sensors.shard_recovery(dg.build_sensor_context(instance=self.instance), ledger=self.ledger)
        assert isinstance(skipped, dg.SkipReason)
        return skipped.skip_message or ""

    def _requested(self, result: object) -> list[str]:
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys or []))
        return [str(request.partition_key) for request in result.run_requests or []]

    def execute(self, job: str, key: str | None = None, **tags: str) -> dg.ExecuteInProcessResult:
        """Run a job to its end in this process."""
        resolved = self.defs.resolve_job_def(job)
        tagged = {name.replace("__", "/"): value for name, value in tags.items()}
        return resolved.execute_in_process(instance=self.instance, partition_key=key, tags=tagged, raise_on_error=False)

    def run(self) -> None:
        """Take in and process until neither sensor asks for anything; every run must succeed."""
        while True:
            batches = self.tick_drop_zone()
            for batch in batches:
                assert self.execute("take_in", batch).success
            shards = self.tick_admission()
            for shard in shards:
                assert self.execute("process", shard).success
            if not batches and not shards:
                return

    def batches(self) -> list[BatchView]:
        """The newest first."""
        return self.ledger.views.recent(100)

    def the_batch(self) -> BatchView:
        """The only batch there is."""
        (batch,) = self.batches()
        return batch

    def calls(self, batch: BatchView | None = None) -> list[CallView]:
        """The calls of the batch, or of the only one."""
        return self.ledger.views.calls_of((batch or self.the_batch()).id)

    def events(self, kind: str) -> list[dg.AssetMaterialization]:
        """What Dagster was told of calls or batches."""
        found = self.instance.fetch_materializations(dg.AssetKey(kind), limit=1000).records
        return [record.asset_materialization for record in found if record.asset_materialization is not None]

    def differences(self) -> list[str]:
        """What the audit finds."""
        audit = Audit(self.settings, self.ledger, self.store, self.instance, lambda _line: None)
        return [f"{found.kind} {found.subject}: {found.what}" for found in audit.differences()]


@contextmanager
def a_pipeline(home: Path, **settings: Any) -> Iterator[Pipeline]:
    """A fresh home with the demo model; `settings` replace what tests need replaced."""
    defaults: dict[str, Any] = {"home": home, "whisper_model": "demo", "demo": True, "settle_seconds": 0.0}
    with dg.DagsterInstance.ephemeral() as instance:
        pipeline = Pipeline(Settings(**defaults | settings), instance)
        try:
            yield pipeline
        finally:
            pipeline.ledger.close()


def zipped(files: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> bytes:
    """An ordinary archive; a sequence may hold a name twice."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, data in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(name, data)
    return target.getvalue()
