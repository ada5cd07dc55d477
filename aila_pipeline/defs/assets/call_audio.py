"""`call_audio`: the recordings of a shard, checked by decoding them, and kept once by content.

Lives here: getting a call's bytes from its batch's archive or its URL. Does not: reading ZIPs (adapters/archive*.py),
fetching (adapters/outside.py, downloads.py), judging audio (adapters/audio.py).
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
from dagster_aws.s3 import S3Resource

from aila_pipeline.adapters.archive import open_entry
from aila_pipeline.adapters.call_objects import audio_key
from aila_pipeline.adapters.checking import read_archive
from aila_pipeline.adapters.downloads import Downloads, Wanted
from aila_pipeline.adapters.intake import archive_of
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore
from aila_pipeline.adapters.outside import Outside
from aila_pipeline.defs import checks
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, StageWork, held_shard, shard_asset
from aila_pipeline.domain.intake.join import Files
from aila_pipeline.domain.intake.sources import expires_at
from aila_pipeline.domain.models import ArchiveSource, AudioFacts, CallDetails, UrlSource, Warn
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import audio_version
from aila_pipeline.errors import ObjectChanged, ObjectMissing, SourceChanged, SubmissionRefused
from aila_pipeline.settings import Settings

CODE_VERSION = "1"

_NEVER = datetime.max.replace(tzinfo=UTC)


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
        with Downloads(
            ahead=settings.fetch_ahead, per_host=settings.fetch_per_host, on_progress=shard.work.progress
        ) as downloads:
            sources = _Sources(ledger, store, s3, settings, downloads)

            def perform(call: WorkCall, _force: bool) -> Found:
                # The stage `people` asks again, but only after recognition was paid for.
                ledger.people.require_user(call.tenant, _details(call))
                return _keep(call, sources, store, settings)

            tally = shard.go_through(
                StageWork(
                    stage=Stage.CALL_AUDIO,
                    reads=(),
                    version=lambda call: audio_version(_details(call), call.batch_id, CODE_VERSION),
                    perform=perform,
                    arrange=sources.begin,
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

    def __init__(
        self, ledger: Ledger, store: ObjectStore, s3: S3Resource, settings: Settings, downloads: Downloads
    ) -> None:
        # Imported here: httpcore costs 0.1 s, which every start of the code server would otherwise pay.
        from aila_pipeline.adapters.fetch import Fetcher  # noqa: PLC0415

        self._ledger, self._store, self._settings, self._downloads = ledger, store, settings, downloads
        self._outside = Outside(store, s3.get_client, Fetcher.from_settings(settings))
        self._archive = cache(self._read_archive)

    def begin(self, calls: Sequence[WorkCall]) -> Sequence[WorkCall]:
        """Begin to download what lies at URLs; the calls whose signed URLs end first come first."""
        ordered = sorted(calls, key=_last_moment)
        self._downloads.begin([self._wanted(call) for call in ordered if isinstance(_details(call).source, UrlSource)])
        return ordered

    def file(self, call: WorkCall) -> AbstractContextManager[Path]:
        """The call's recording, unpacked, as a temporary file of a neutral name."""
        source = _details(call).source
        return self._downloads.taken(call.id) if isinstance(source, UrlSource) else self._unpacked(call, source)

    def _wanted(self, call: WorkCall) -> Wanted:
        source = _details(call).source
        assert isinstance(source, UrlSource)
        limit = self._settings.max_audio_bytes
        return Wanted(
            key=call.id,
            host=urlsplit(source.url).netloc,
            blocks=lambda stopped: self._outside.blocks(source.url, call.tenant, max_bytes=limit, stopped=stopped),
        )

    @contextmanager
    def _unpacked(self, call: WorkCall, source: ArchiveSource) -> Iterator[Path]:
        limit = self._settings.max_audio_bytes
        with tempfile.NamedTemporaryFile(prefix="aila-call-") as file:
            try:
                archive, files = self._archive(call.batch_id, call.tenant.settings.fallback_encoding)
                entry = files.find(source.name, max_audio_bytes=limit)
                for block in open_entry(self._store.reader(archive.key, pinned=archive), entry, budget_bytes=limit):
                    file.write(block)
            except (ObjectChanged, ObjectMissing, SubmissionRefused) as error:
                raise SourceChanged("the batch's archive is not what was accepted") from error
            file.flush()
            yield Path(file.name)

    def _read_archive(self, batch_id: str, fallback_encoding: str) -> tuple[ObjectInfo, Files]:
        batch = self._ledger.batches.get(batch_id)
        assert batch is not None, "a call's batch is kept by a foreign key"
        archive = archive_of(batch.sources)
        return archive, Files(read_archive(self._store, archive), fallback_encoding=fallback_encoding)


def _keep(call: WorkCall, sources: _Sources, store: ObjectStore, settings: Settings) -> Found:
    # Imported here: PyAV costs 0.2 s, which every sensor tick of the code server would otherwise pay at start.
    from aila_pipeline.adapters.audio import inspect  # noqa: PLC0415

    with sources.file(call) as path:
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


def _last_moment(call: WorkCall) -> datetime:
    """Until when the recording can be had; calls without such a moment come last, in the batch's order."""
    source = _details(call).source
    return (expires_at(source.url) if isinstance(source, UrlSource) else None) or _NEVER


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
