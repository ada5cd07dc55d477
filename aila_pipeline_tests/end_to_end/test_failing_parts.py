"""What happens to a shard when a part of the program, not the input, fails: by a hand-written recogniser.

Lives here: unknown exceptions, infrastructure that fails, workers that die or lose their shard. Does not: real
processes that are killed (test_faults.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.call_objects import audio_key
from aila_pipeline.adapters.ledger.tables import shards
from aila_pipeline.adapters.speech_calls import Answer, OneByOne, Question, nothing
from aila_pipeline.definitions import build_defs
from aila_pipeline.domain.models import AudioFacts, Hints, Missing, Recognition, Utterance, Word
from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage
from aila_pipeline.errors import ModelUnavailable
from aila_pipeline_tests.adapters.sounds import a_wav
from aila_pipeline_tests.end_to_end.in_process import Pipeline

pytestmark = pytest.mark.slow

T = TypeVar("T")

STAGES = ("call_audio", "transcripts", "insights", "scores", "outcomes")
QUOTE = "no entry for Jane Canary +77019998877"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Parrot(OneByOne):
    """A recogniser that hears one word in everything. `before` is called with the number of the recording."""

    model_name, is_demo, maker = "parrot", True, "parrot-1"

    def __init__(self, before: Callable[[int], None] = lambda _number: None) -> None:
        self.before = before
        self.heard: list[str] = []

    def identity(self, _facts: AudioFacts, language: str | None = None, _hints: Hints | None = None) -> str:
        return f"parrot {language}"

    def recognise(
        self,
        path: Path,
        facts: AudioFacts,
        *,
        language: str | None = None,
        hints: Hints | None = None,
        on_progress: Callable[[], None] = nothing,
    ) -> Recognition:
        self.heard.append(facts.sha256)
        self.before(len(self.heard))
        on_progress()
        word = Word(start=0.1, end=0.5, text="hello", probability=1.0)
        return Recognition(
            audio_sha256=facts.sha256,
            identity=self.identity(facts, language),
            model=self.model_name,
            language="en",
            seconds=facts.seconds,
            channels=facts.channels,
            utterances=(Utterance(channel=0, start=0.1, end=0.5, text="hello", words=(word,)),),
        )


class Flock(Parrot):
    """A parrot that takes all calls before it answers the first, in another thread, as the pooled engine may."""

    def __init__(self, before: Callable[[int], None] = lambda _number: None) -> None:
        super().__init__(before)
        self.groups: list[int] = []

    def recognise_all(
        self, questions: Iterable[Question[T]], *, on_progress: Callable[[], None] = nothing
    ) -> Generator[Answer[T], None, None]:
        with ThreadPoolExecutor(1) as reader:
            taken = reader.submit(list, questions).result()
        self.groups.append(len(taken))
        yield from super().recognise_all(reversed(taken), on_progress=on_progress)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """Three short recordings, no two the same."""
    random = np.random.default_rng(7)
    return {
        name: a_wav(tmp_path / name, random.integers(-9000, 9000, (8_000, 2)).astype(np.int16)).read_bytes()
        for name in ("one.wav", "two.wav", "three.wav")
    }


def taken_in(pipeline: Pipeline, files: dict[str, bytes], parrot: Parrot) -> str:
    """The pair of these files accepted and admitted; returns its shard's key."""
    pipeline.defs = build_defs(pipeline.settings, recogniser=parrot)
    pipeline.drop_calls(files)
    (batch,) = pipeline.tick_drop_zone()
    assert pipeline.execute("take_in", batch).success
    (shard,) = pipeline.tick_admission()
    return shard


def statuses(pipeline: Pipeline) -> list[CallStatus]:
    return [call.status for call in pipeline.calls()]


def test_an_unknown_exception_ends_its_call_and_the_others_complete(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    """What the exception says may quote the call, so it is told to nobody: its type and place are."""

    def stumble(number: int) -> None:
        if number == 2:
            raise LookupError(QUOTE)

    shard = taken_in(pipeline, files, Parrot(stumble))
    run = pipeline.execute("process", shard, aila__launch="1")
    assert run.success
    assert statuses(pipeline) == [CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.COMPLETED]
    call = pipeline.calls()[1]
    assert (call.error_code, call.retryable, call.stage) == ("UNEXPECTED", True, Stage.TRANSCRIPTS)
    assert call.error_message is not None
    assert "LookupError at stumble:" in call.error_message
    log = [str(entry) for entry in pipeline.instance.all_logs(run.run_id)]
    assert any("LookupError in transcripts" in line for line in log)
    assert not [line for line in [*log, call.error_message] if "Canary" in line or "77019998877" in line]
    assert pipeline.differences() == []


def test_memory_that_a_call_does_not_get_ends_that_call(pipeline: Pipeline, files: dict[str, bytes]) -> None:
    """As its shard's failure it would come back with every launch."""

    def burst(number: int) -> None:
        if number == 1:
            raise MemoryError

    shard = taken_in(pipeline, files, Parrot(burst))
    assert pipeline.execute("process", shard).success
    assert [call.error_code for call in pipeline.calls()] == ["UNEXPECTED", None, None]


def test_a_failing_part_stops_the_shard_and_the_next_run_goes_on_from_there(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    """No call fails of it, and what was recognised is not recognised again."""

    def fail_once(number: int) -> None:
        if number == 2:
            raise ModelUnavailable("the disk is gone")

    parrot = Parrot(fail_once)
    shard = taken_in(pipeline, files, parrot)
    first = pipeline.execute("process", shard, aila__launch="1")
    assert not first.success
    assert CallStatus.FAILED not in statuses(pipeline)
    assert pipeline.the_batch().waits_for == (
        "waits for its run to start (launch 1); the last run stopped: " + ModelUnavailable("the disk is gone").message
    )
    assert pipeline.tick_recovery() == f"brought back 1: {shard}"
    assert pipeline.tick_admission() == [shard]
    assert pipeline.execute("process", shard, aila__launch="2").success
    assert statuses(pipeline) == [CallStatus.COMPLETED] * 3
    assert sorted(Counter(parrot.heard).values()) == [1, 1, 2]
    assert len(pipeline.events("call")) == 3
    assert pipeline.differences() == []


def test_a_call_on_which_workers_die_again_and_again_is_failed_and_the_others_complete(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    """Each death is a lease that nobody renews, with that call in hand."""
    parrot = Parrot()
    shard = taken_in(pipeline, files, parrot)
    deadly = pipeline.calls()[1].id
    for number in range(pipeline.settings.crash_limit):
        with pipeline.ledger.claimed(
            shard, run_id=f"dead {number}", lease_seconds=30, stall_seconds=30, token=f"dead {number}"
        ) as work:
            (call,) = [call for call in work.calls() if call.id == deadly]
            assert work.take(call) == number
        expire(pipeline, shard)
        assert pipeline.tick_recovery() == f"brought back 1: {shard}"
    assert pipeline.execute("process", shard).success
    assert [call.error_code for call in pipeline.calls()] == [None, "PROCESSING_CRASHED", None]
    assert len(parrot.heard) == 2
    assert pipeline.differences() == []


def test_calls_taken_ahead_and_answered_in_another_order_are_all_kept(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    def stumble(number: int) -> None:
        if number == 1:
            raise LookupError(QUOTE)

    flock = Flock(stumble)
    shard = taken_in(pipeline, files, flock)
    assert pipeline.execute("process", shard).success
    assert flock.groups == [3]
    assert [call.error_code for call in pipeline.calls()] == [None, None, "UNEXPECTED"]
    assert pipeline.differences() == []


def test_a_call_with_which_a_worker_died_goes_alone_so_that_the_next_blame_is_exact(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    flock = Flock()
    shard = taken_in(pipeline, files, flock)
    suspect = pipeline.calls()[1].id
    with pipeline.ledger.claimed(shard, run_id="dead", lease_seconds=30, stall_seconds=30, token="dead") as work:
        work.take(next(call for call in work.calls() if call.id == suspect))
    expire(pipeline, shard)
    assert pipeline.tick_recovery() == f"brought back 1: {shard}"
    assert pipeline.execute("process", shard).success
    assert flock.groups == [1, 2]
    assert statuses(pipeline) == [CallStatus.COMPLETED] * 3
    assert pipeline.differences() == []


def test_one_recording_sent_as_three_calls_is_recognised_once_though_all_are_taken_at_once(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    flock = Flock()
    shard = taken_in(pipeline, dict.fromkeys(files, files["one.wav"]), flock)
    assert pipeline.execute("process", shard).success
    assert (len(flock.heard), statuses(pipeline)) == (1, [CallStatus.COMPLETED] * 3)
    found = pipeline.ledger.views.results([call.id for call in pipeline.calls()], Stage.TRANSCRIPTS)
    assert sorted(result[Stage.TRANSCRIPTS].document["reused"] for result in found.values()) == [False, True, True]


def test_a_recognition_with_a_gap_completes_its_call_with_a_warning_and_the_times(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    class Deaf(Parrot):
        def recognise(self, path: Path, facts: AudioFacts, **more: Any) -> Recognition:
            gap = Missing(channel=1, start=0.2, end=0.9)
            return super().recognise(path, facts, **more).model_copy(update={"missing": (gap,)})

    shard = taken_in(pipeline, {"one.wav": files["one.wav"]}, Deaf())
    assert pipeline.execute("process", shard).success
    (call,) = pipeline.calls()
    assert (call.status, list(call.warnings)) == (CallStatus.COMPLETED, ["PARTIAL_TRANSCRIPT"])
    found = pipeline.ledger.views.results([call.id], Stage.TRANSCRIPTS)[call.id][Stage.TRANSCRIPTS].document
    assert found["missing"] == [{"channel": 1, "start": 0.2, "end": 0.9}]


def test_a_run_that_loses_its_shard_writes_nothing_more_and_says_so_by_a_tag(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    """Another worker takes the shard over while this one is busy recognising."""
    with ExitStack() as other:

        def lose(number: int) -> None:
            if number == 1:
                expire(pipeline, shard)
                other.enter_context(
                    pipeline.ledger.claimed(shard, run_id="other", lease_seconds=30, stall_seconds=30, token="other")
                )

        parrot = Parrot(lose)
        shard = taken_in(pipeline, files, parrot)
        run = pipeline.execute("process", shard)
        assert run.success
        assert pipeline.instance.get_run_by_id(run.run_id).tags["aila/superseded"] == "yes"  # type: ignore[union-attr]
        assert [name for name in STAGES if run.asset_materializations_for_node(name)] == ["call_audio"]
        ids = [call.id for call in pipeline.calls()]
        assert all(not found for found in pipeline.ledger.views.results(ids, Stage.TRANSCRIPTS).values())
        assert pipeline.events("call") == []
    expire(pipeline, shard)
    assert pipeline.execute("process", shard).success
    assert pipeline.the_batch().status is BatchStatus.COMPLETED
    assert pipeline.differences() == []


def test_a_recording_that_the_store_lost_fails_its_call_and_can_be_forced(
    pipeline: Pipeline, files: dict[str, bytes]
) -> None:
    """Its shard would else stop at the same gap for ever."""

    def lose(number: int) -> None:
        if number == 1:
            for info in pipeline.store.list("_aila/audio/"):
                if info.key != audio_key(info.key.split("/")[2], parrot.heard[0]):
                    pipeline.store.delete(info.key)

    parrot = Parrot(lose)
    shard = taken_in(pipeline, files, parrot)
    assert pipeline.execute("process", shard).success
    assert [call.error_code for call in pipeline.calls()] == [None, "KEPT_OBJECT_LOST", "KEPT_OBJECT_LOST"]
    assert pipeline.execute("process", shard, aila__force="yes").success
    assert pipeline.the_batch().status is BatchStatus.COMPLETED
    assert pipeline.differences() == []


def expire(pipeline: Pipeline, shard: str) -> None:
    """Let the lease run out."""
    pipeline.ledger.database.write(
        lambda connection: connection.execute(
            sa.update(shards).where(shards.c.id == shard).values(lease_expires_at=LONG_AGO)
        )
    )
