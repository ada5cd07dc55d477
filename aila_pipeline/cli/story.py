"""`aila trace`: one call's whole story on one timeline, and what is known about it.

Lives here: putting it together for a person. Does not: the steps (the ledger's views tell them). What was said is
printed only when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from aila_pipeline.adapters.analysis import load_transcript
from aila_pipeline.adapters.ledger.records import StageResult
from aila_pipeline.adapters.ledger.views import CallView, Step
from aila_pipeline.cli.opening import Opened, opened
from aila_pipeline.cli.output import Code, clock, length, row, show, show_json, table, when
from aila_pipeline.domain.insights import Insights
from aila_pipeline.domain.models import ArchiveSource, AudioFacts, Role, Transcript
from aila_pipeline.domain.scoring import Score
from aila_pipeline.domain.status import Stage
from aila_pipeline.errors import NotKnown, advice_of

_STAGES = (Stage.CALL_AUDIO, Stage.TRANSCRIPTS, Stage.INSIGHTS, Stage.SCORES)


def show_call(home: Path | None, call_id: str, *, transcript: bool, as_json: bool) -> int:
    """Print the story; raises NotKnown when there is no such call."""
    with opened(home) as here:
        call = here.ledger.views.call(call_id)
        if call is None:
            raise NotKnown(call_id)
        results = here.ledger.views.results([call_id], *_STAGES)[call_id]
        steps = here.ledger.views.story(call_id)
        said = None
        if transcript and Stage.TRANSCRIPTS in results:
            said = load_transcript(here.store, results[Stage.TRANSCRIPTS], call.details)
        if as_json:
            show_json(_document(here, call, results, steps, said))
            return Code.WELL
        show(_facts(call, results), "", _timeline(steps))
        runs = list(dict.fromkeys(step.run_id for step in steps if step.run_id))
        if runs:
            show("", *(f"run {run_id[:8]}  {here.run_url(run_id)}" for run_id in runs))
        if said is not None:
            show("", _turns(said))
        elif transcript:
            show("", "there is no transcript yet")
    return Code.WELL


def _facts(call: CallView, results: dict[Stage, StageResult]) -> Table:
    made = table("", "", fold=("",))
    made.show_header = False
    row(made, "call", call.id)
    if call.external_id:
        row(made, "its own id", call.external_id)
    if call.details is not None:
        source = call.details.source
        row(made, "audio", source.name if isinstance(source, ArchiveSource) else source.url)
        row(made, "began", f"{call.details.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    row(made, "status", call.status)
    if call.error_code:
        row(made, "error", f"{call.error_code}: {call.error_message}")
        row(made, "", f"a retry {'can' if call.retryable else 'cannot'} help; {advice_of(call.error_code)}")
    if call.warnings:
        row(made, "warnings", ", ".join(call.warnings))
    for name, told in _found(results).items():
        row(made, name, told)
    return made


def _found(results: dict[Stage, StageResult]) -> dict[str, str]:
    """What the stages found, each in a line."""
    told: dict[str, str] = {}
    if audio := results.get(Stage.CALL_AUDIO):
        facts = AudioFacts.model_validate(audio.document)
        shape = f"{facts.format} ({facts.codec}), {facts.sample_rate_hz:,} Hz, {facts.channels} channels"
        told["recording"] = f"{length(facts.seconds)}, {shape}, SHA-256 {facts.sha256[:12]}…"
    if heard := results.get(Stage.TRANSCRIPTS):
        reused = ", recognised before" if heard.document["reused"] else ""
        language = heard.document["language"] or "unknown"
        told["speech"] = (
            f"{heard.document['words']} words, language {language}, model {heard.document['model']}{reused}"
        )
    if measured := results.get(Stage.INSIGHTS):
        told["talk"] = talk_told(Insights.model_validate(measured.document)) or "nobody spoke"
    if (scored := results.get(Stage.SCORES)) and scored.document["checklist"]:
        score = Score.model_validate(scored.document)
        total = "no item applies" if score.total is None else f"{score.total:.1f} of 100"
        told["score"] = f"{total} (checklist {score.checklist} {score.version})"
    return told


def talk_told(insights: Insights) -> str:
    """`operator 61 %, client 39 %`; empty when nobody spoke."""
    shares = ((role, insights.talk_share.of(role)) for role in Role)
    return ", ".join(f"{role} {share:.0%}" for role, share in shares if share)


def _timeline(steps: Sequence[Step]) -> Table:
    made = table("UTC", "AFTER", "WHAT", "RUN", right=("AFTER",), fold=("WHAT",))
    for step in steps:
        after = (step.at - steps[0].at).total_seconds()
        run = step.run_id[:8] if step.run_id else ""
        row(made, when(step.at, seconds=True), f"+{length(after)}", step.what, run)
    return made


def _turns(said: Transcript) -> Table:
    made = table("FROM", "TO", "WHO", "SAID", right=("FROM", "TO"), fold=("SAID",))
    for turn in said.turns:
        row(made, clock(turn.start), clock(turn.end), turn.role, turn.text)
    return made


def _document(
    here: Opened,
    call: CallView,
    results: dict[Stage, StageResult],
    steps: Sequence[Step],
    said: Transcript | None,
) -> dict[str, Any]:
    told = [
        {"at": _iso(step.at), "what": step.what, "run": here.run_url(step.run_id) if step.run_id else None}
        for step in steps
    ]
    found = {str(stage): result.document for stage, result in results.items()}
    transcript = said.model_dump(mode="json") if said else None
    return call.document() | {"attempt": call.attempt, "found": found, "steps": told, "transcript": transcript}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
