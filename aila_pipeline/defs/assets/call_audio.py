"""`call_audio`: the recordings of a shard, checked by decoding them, and kept once by content.

Lives here: getting a call's bytes from its batch's archive or its URL. Does not: reading ZIPs (adapters/archive*.py),
judging audio (adapters/audio.py).
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import dagster as dg
from dagster_aws.s3 import S3Resource

from aila_pipeline.adapters.archive import open_entry
from aila_pipeline.adapters.call_objects import audio_key
from aila_pipeline.adapters.intake import archive_of, read_archive
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore
from aila_pipeline.adapters.outside import Outside
from aila_pipeline.defs import checks
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, StageWork, held_shard, shard_asset
from aila_pipeline.domain.intake.join import Files
from aila_pipeline.domain.models import ArchiveSource, AudioFacts, CallDetails, Warn
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import audio_version
from aila_pipeline.errors import AudioTooLarge, ObjectChanged, ObjectMissing, SourceChanged, SubmissionRefused
from aila_pipeline.settings import Settings

CODE_VERSION = "1"


@shard_asset(
    Stage.CALL_AUDIO,
    deps=[dg.AssetDep("submission", partition_mapping=dg.AllPartitionMapping())],
    group_name="recognition",
    kinds={"s3", "ffmpeg"},
    code_version=CODE_VERSION,
    description="Each recording decoded once from start to end, its facts noted, stored by its SHA-256.",
)
def call_audio(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    s3: S3Resource,
) -> Iterator[dg.MaterializeResult]:
    """Fetch, probe and keep the audio of every call of the shard."""

    def body(shard: ShardRun) -> dg.MaterializeResult:
        shard.work.reopen(force=shard.force)
        sources = _Sources(ledger, store, s3, settings)
        tally = shard.go_through(
            StageWork(
                stage=Stage.CALL_AUDIO,
                reads=(),
                version=lambda call: audio_version(_details(call), call.batch_id, CODE_VERSION),
                perform=lambda call, _force: _keep(call, sources, store, settings),
                risky=True,
            )
        )
        calls = shard.work.calls(Stage.CALL_AUDIO)
        return dg.MaterializeResult(
            metadata=tally.metadata(), check_results=checks.call_audio(shard.work.shard_id, calls)
        )

    yield from held_shard(context, settings, ledger, body)


def _details(call: WorkCall) -> CallDetails:
    assert call.details is not None, "calls without details are left out by the stage"
    return call.details


class _Sources:
    """Where the bytes of calls come from; an archive's directory is read once per shard."""

    def __init__(self, ledger: Ledger, store: ObjectStore, s3: S3Resource, settings: Settings) -> None:
        self._ledger, self._store, self._settings = ledger, store, settings
        self._outside = Outside(store, s3.get_client)
        self._archive = cache(self._read_archive)

    def blocks(self, call: WorkCall) -> Iterable[bytes]:
        """The bytes of the call's recording, unpacked."""
        details = _details(call)
        if not isinstance(details.source, ArchiveSource):
            return self._outside.blocks(details.source.url, call.tenant, max_bytes=self._settings.max_audio_bytes)
        archive, files = self._archive(call.batch_id, call.tenant.settings.fallback_encoding)
        entry = files.find(details.source.name, max_audio_bytes=self._settings.max_audio_bytes)
        reader = self._store.reader(archive.key, pinned=archive)
        return open_entry(reader, entry, budget_bytes=self._settings.max_audio_bytes)

    def _read_archive(self, batch_id: str, fallback_encoding: str) -> tuple[ObjectInfo, Files]:
        batch = self._ledger.batches.get(batch_id)
        assert batch is not None, "a call's batch is kept by a foreign key"
        archive = archive_of(batch.sources)
        return archive, Files(read_archive(self._store, archive), fallback_encoding=fallback_encoding)


def _keep(call: WorkCall, sources: _Sources, store: ObjectStore, settings: Settings) -> Found:
    # Imported here: PyAV costs 0.2 s, which every sensor tick of the code server would otherwise pay at start.
    from aila_pipeline.adapters.audio import inspect  # noqa: PLC0415

    with _unpacked(call, sources, settings) as path:
        facts = inspect(path, max_seconds=settings.max_audio_hours * 3600, max_bytes=settings.max_audio_bytes)
        key = audio_key(call.tenant.id, facts.sha256)
        if not store.exists(key):
            with path.open("rb") as file:
                store.write_stream(key, iter(lambda: file.read(1024**2), b""))
    return Found(
        document=facts.model_dump(mode="json"),
        warnings=tuple(warnings_of(facts, _details(call))),
        sums={"audio_seconds": facts.seconds, "audio_bytes": facts.size_bytes},
    )


@contextmanager
def _unpacked(call: WorkCall, sources: _Sources, settings: Settings) -> Iterator[Path]:
    """The call's bytes as a temporary file of a neutral name, at most the limit long."""
    with tempfile.NamedTemporaryFile(prefix="aila-call-") as file:
        size = 0
        try:
            for block in sources.blocks(call):
                size += len(block)
                if size > settings.max_audio_bytes:
                    raise AudioTooLarge(f"more than {settings.max_audio_bytes} bytes")
                file.write(block)
        except (ObjectChanged, ObjectMissing, SubmissionRefused) as error:
            raise SourceChanged("the batch's archive is not what was accepted") from error
        file.flush()
        yield Path(file.name)


def warnings_of(facts: AudioFacts, details: CallDetails) -> Iterator[Warn]:
    """What a person should know about this recording."""
    if facts.channels == 1:
        yield Warn.MONO_AUDIO
    if facts.channels > 2:
        yield Warn.EXTRA_CHANNELS
    if facts.dual_mono:
        yield Warn.DUAL_MONO
    if facts.silent_channels:
        yield Warn.SILENT_CHANNEL
    declared = details.declared_seconds
    # A second for how billing rounds, 5% for clocks and ring time.
    if declared is not None and abs(declared - facts.seconds) > max(1.0, 0.05 * facts.seconds):
        yield Warn.DURATION_MISMATCH
