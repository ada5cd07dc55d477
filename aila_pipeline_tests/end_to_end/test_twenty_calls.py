"""Twenty sample calls, dropped as a pair while Dagster is up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from faster_whisper import WhisperModel, decode_audio

from aila_pipeline.adapters.analysis import load_transcript
from aila_pipeline.adapters.speech_model import read_card
from aila_pipeline.demo import MODEL
from aila_pipeline.demo.samples import Sample, samples, write_pair
from aila_pipeline.domain.models import ArchiveSource
from aila_pipeline.domain.status import Stage
from aila_pipeline.settings import Settings
from aila_pipeline_tests.end_to_end.site import Site, wait_until
from aila_pipeline_tests.word_error_rate import word_error_rate

pytestmark = pytest.mark.slow

ALLOWED_LOSS = 0.02


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(Settings(home=tmp_path / "home", whisper_model="demo", demo=True))
    yield made
    made.ledger.close()


def test_twenty_calls_are_all_completed_told_once_and_heard_as_well_as_by_plain_faster_whisper(
    site: Site, tmp_path: Path
) -> None:
    """Every ending is one event, the audit finds nothing, and the words are plain faster-whisper's to two points."""
    metadata, audios = write_pair(tmp_path / "pair", names=list(samples()))
    with site.up():
        site.store.write("inbox/kz/acme/twenty/audios.zip", audios.read_bytes())
        site.store.write("inbox/kz/acme/twenty/metadata.csv", metadata.read_bytes())
        wait_until(site.ended, "every batch has ended")
        wait_until(lambda: site.ledger.events.waiting() == 0, "every ending is told")
    (batch,) = site.ledger.views.recent()
    calls = site.ledger.views.calls_of(batch.id)
    assert Counter(str(call.status) for call in calls) == {"completed": 20}
    assert Counter(event.kind for event in site.ledger.events.every()) == {"call": 20, "batch": 1}
    assert site.differences() == []
    pipeline, plain = word_error_rate(by_pipeline(site, batch.id)), word_error_rate(by_plain_faster_whisper())
    print(f"word error rate: pipeline {pipeline:.3f}, plain faster-whisper {plain:.3f}")  # noqa: T201 - shown with -s
    assert pipeline <= plain + ALLOWED_LOSS


def by_pipeline(site: Site, batch_id: str) -> Iterator[tuple[str, str]]:
    """(said, heard) for each channel, as the transcripts have it."""
    by_file = {sample.file: sample for sample in samples().values()}
    calls = site.ledger.views.calls_of(batch_id)
    results = site.ledger.views.results([call.id for call in calls], Stage.TRANSCRIPTS)
    for call in calls:
        assert call.details is not None
        assert isinstance(call.details.source, ArchiveSource)
        transcript = load_transcript(site.store, results[call.id][Stage.TRANSCRIPTS], call.details)
        sample = by_file[call.details.source.name]
        for channel, said in enumerate(spoken_by_channel(sample)):
            turns = [turn for turn in transcript.turns if turn.channel == channel]
            yield said, " ".join(turn.text for turn in turns)


def by_plain_faster_whisper() -> Iterator[tuple[str, str]]:
    """(said, heard) for each channel, by `WhisperModel.transcribe` with the model's own options."""
    model = WhisperModel(str(MODEL), device="cpu", compute_type="int8", local_files_only=True)
    card = read_card(MODEL)
    for sample in samples().values():
        channels = decode_audio(str(sample.path), split_stereo=True)
        for said, sound in zip(spoken_by_channel(sample), channels, strict=False):
            segments, _ = model.transcribe(
                sound, language=card.language, vad_filter=True, word_timestamps=True, **card.options
            )
            yield said, " ".join(segment.text.strip() for segment in segments)


def spoken_by_channel(sample: Sample) -> list[str]:
    """What is said on each channel that has words of its own: client left, operator right; or all on one."""
    if sample.layout != "stereo":
        return [" ".join(turn.text for turn in sample.turns)]
    return [" ".join(turn.text for turn in sample.turns if turn.role == role) for role in ("client", "operator")]
