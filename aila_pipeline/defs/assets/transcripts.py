"""`transcripts`: what is said in each recording, recognised once per content and model.

Lives here: the asset, and finding what was recognised before. Does not: recognition (adapters/speech.py), turns
(domain/transcript.py makes them from a recognition and a call's roles).
"""

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import dagster as dg

from aila_pipeline.adapters.call_objects import audio_key, load_recognition, recognition_key, save_recognition
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.adapters.speech_calls import Answer, Question
from aila_pipeline.defs import checks
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, held_shard, shard_asset
from aila_pipeline.defs.assets.stream_stage import Outcome, StreamWork, go_through_stream
from aila_pipeline.domain.hints import hints_for
from aila_pipeline.domain.models import AudioFacts, Hints, Recognition, Warn
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
        tally = go_through_stream(
            shard,
            StreamWork(
                stage=Stage.TRANSCRIPTS,
                reads=(Stage.CALL_AUDIO,),
                version=lambda call: transcript_version(call, recogniser),
                perform=lambda calls: _outcomes(calls, store, recogniser, shard),
            ),
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
    identity = recogniser.identity(facts, call.tenant.settings.language, _hints(call))
    return Version(Stage.TRANSCRIPTS, f"{recogniser.model_name} {recogniser.maker[:16]}", (facts.sha256, identity))


def _hints(call: WorkCall) -> Hints:
    return hints_for(call.tenant.settings, call.details)


def _key(call: WorkCall, recogniser: Recogniser) -> str:
    """Where the call's recognition lies, or will."""
    facts = facts_of(call)
    identity = recogniser.identity(facts, call.tenant.settings.language, _hints(call))
    return recognition_key(call.tenant.id, facts.sha256, identity)


def _outcomes(
    calls: Iterator[WorkCall], store: ObjectStore, recogniser: Recogniser, shard: ShardRun
) -> Generator[Outcome, None, None]:
    """Each call's recognition, as soon as there is one; the same is never recognised twice."""
    same = _SameAudio()
    known: list[Outcome] = []

    def questions() -> Iterator[Question[WorkCall]]:
        for call in calls:
            key = _key(call, recogniser)
            if same.follows(key, call):
                continue
            found = None if shard.force else load_recognition(store, key)
            if found is not None:
                known.extend(Outcome(one, partial(_found, one, found, key, reused=True), 0.0) for one in same.end(key))
                continue
            facts = facts_of(call)
            audio = partial(store.local_path, audio_key(call.tenant.id, facts.sha256))
            yield Question(call, facts, audio, call.tenant.settings.language, _hints(call))

    with closing(recogniser.recognise_all(questions(), on_progress=shard.work.progress)) as answers:
        for answer in answers:
            yield from _emptied(known)
            key = _key(answer.about, recogniser)
            yield Outcome(answer.about, partial(_saved, answer, store, key), answer.seconds)
            for call in same.end(key):
                if call is not answer.about:
                    yield Outcome(call, partial(_shared, answer, call, key), 0.0)
    yield from _emptied(known)


class _SameAudio:
    """Calls with one and the same recording, of which the first is being recognised. Two threads use it."""

    def __init__(self) -> None:
        self._calls: dict[str, list[WorkCall]] = {}
        self._lock = threading.Lock()

    def follows(self, key: str, call: WorkCall) -> bool:
        """Note the call; whether another one is at work on the same."""
        with self._lock:
            self._calls.setdefault(key, []).append(call)
            return len(self._calls[key]) > 1

    def end(self, key: str) -> list[WorkCall]:
        """All calls noted, since the recognition lies in the store now, or has failed; who comes later looks anew."""
        with self._lock:
            return self._calls.pop(key, [])


def _emptied(outcomes: list[Outcome]) -> Iterator[Outcome]:
    while outcomes:
        yield outcomes.pop(0)


def _saved(answer: Answer[WorkCall], store: ObjectStore, key: str) -> Found:
    recognition = answer.recognition()
    save_recognition(store, key, recognition)
    return _found(answer.about, recognition, key, sums=answer.sums)


def _shared(answer: Answer[WorkCall], call: WorkCall, key: str) -> Found:
    """What another call with the same recording got, or its failure."""
    return _found(call, answer.recognition(), key, reused=True)


def _found(
    call: WorkCall,
    recognition: Recognition,
    key: str,
    *,
    reused: bool = False,
    sums: Mapping[str, float] | None = None,
) -> Found:
    document: dict[str, Any] = {
        "key": key,
        "language": recognition.language,
        "model": recognition.model,
        "reused": reused,
        "words": sum(len(utterance.words) for utterance in recognition.utterances),
    }
    warnings: tuple[Warn, ...] = () if recognition.utterances else (Warn.NO_SPEECH,)
    if recognition.missing:
        document["missing"] = [missing.model_dump() for missing in recognition.missing]
        warnings += (Warn.PARTIAL_TRANSCRIPT,)
    audio_seconds = 0.0 if reused else facts_of(call).seconds
    return Found(
        document=document,
        warnings=warnings,
        sums={"audio_seconds": audio_seconds, "calls/reused": int(reused), **(sums or {})},
    )
