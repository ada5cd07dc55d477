"""`transcripts`: what is said in each recording, recognised once per content and model.

Lives here: the asset, and finding what was recognised before. Does not: recognition (adapters/speech.py), turns
(domain/transcript.py makes them from a recognition and a call's roles).
"""

from collections.abc import Iterator

import dagster as dg

from aila_pipeline.adapters.call_objects import audio_key, load_recognition, recognition_key, save_recognition
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.defs import checks
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, StageWork, held_shard, shard_asset
from aila_pipeline.domain.models import AudioFacts, Warn
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.settings import Settings

CODE_VERSION = "1"


@shard_asset(
    Stage.TRANSCRIPTS,
    deps=["call_audio"],
    group_name="recognition",
    kinds={"faster-whisper", "s3"},
    code_version=CODE_VERSION,
    pool="speech",
    description="Words with times for each channel. The same audio is never recognised twice by the same model.",
)
def transcripts(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    recogniser: dg.ResourceParam[Recogniser],
) -> Iterator[dg.MaterializeResult]:
    """Recognise every call of the shard that has not been recognised by this model."""

    def body(shard: ShardRun) -> dg.MaterializeResult:
        def perform(call: WorkCall, force: bool) -> Found:
            return _recognise(call, store, recogniser, shard, force=force)

        tally = shard.go_through(
            StageWork(
                stage=Stage.TRANSCRIPTS,
                reads=(Stage.CALL_AUDIO,),
                version=lambda call: transcript_version(call, recogniser),
                perform=perform,
                risky=True,
            )
        )
        shown = tally.metadata() | {"model": recogniser.model_name}
        if tally.sums["audio_seconds"]:
            shown["seconds_per_audio_second"] = round(tally.seconds / tally.sums["audio_seconds"], 4)
        return dg.MaterializeResult(metadata=shown, check_results=[checks.demo_model(recogniser, settings)])

    yield from held_shard(context, settings, ledger, body)


def facts_of(call: WorkCall) -> AudioFacts:
    """What `call_audio` found about the call."""
    return AudioFacts.model_validate(call.results[Stage.CALL_AUDIO].document)


def transcript_version(call: WorkCall, recogniser: Recogniser) -> Version:
    """Which recognition of which audio is current for this call."""
    facts = facts_of(call)
    identity = recogniser.identity(facts, call.tenant.settings.language)
    return Version(Stage.TRANSCRIPTS, f"{recogniser.model_name} {recogniser.maker[:16]}", (facts.sha256, identity))


def _recognise(call: WorkCall, store: ObjectStore, recogniser: Recogniser, shard: ShardRun, *, force: bool) -> Found:
    facts, language = facts_of(call), call.tenant.settings.language
    key = recognition_key(call.tenant.id, facts.sha256, recogniser.identity(facts, language))
    recognition = None if force else load_recognition(store, key)
    reused = recognition is not None
    if recognition is None:
        with store.local_path(audio_key(call.tenant.id, facts.sha256)) as path:
            recognition = recogniser.recognise(path, facts, language=language, on_progress=shard.work.progress)
        save_recognition(store, key, recognition)
    document = {"key": key, "language": recognition.language, "model": recognition.model, "reused": reused}
    return Found(
        document=document | {"words": sum(len(utterance.words) for utterance in recognition.utterances)},
        warnings=() if recognition.utterances else (Warn.NO_SPEECH,),
        sums={"audio_seconds": 0.0 if reused else facts.seconds, "calls/reused": int(reused)},
    )
