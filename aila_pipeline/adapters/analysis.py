"""Analysis: a call's insights and score from what the stages before have left in ledger and store.

Lives here: which version of both is current for a call, loading what they read, making them; the same for a shard's
run and for re-scoring. Does not: the rules (domain/insights, domain/scoring).

Who made a score (`made_by`) names the checklist by its digest, and the tenant and segment for which that was chosen. So
it can be told from `made_by` alone whether the same checklist would be chosen today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aila_pipeline.adapters.call_objects import load_recognition
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.ledger.records import StageResult, WorkCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.domain import insights, scoring, transcript
from aila_pipeline.domain.models import CallDetails, Role, Transcript, Warn
from aila_pipeline.domain.scoring import Checklist, segment_label
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.summary import Answer, Summary
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import ChecklistInvalid, ObjectMissing

INSIGHTS_MAKER = f"insights {insights.VERSION} turns {transcript.VERSION}"
NO_CHECKLIST, UNUSABLE = "none", "unusable"
NO_SCORE: Mapping[str, Any] = {"checklist": None, "total": None, "items": []}
"""The document of a call that no checklist serves, or one that cannot be used."""
_SCORE_WARNINGS = (Warn.NO_CHECKLIST, Warn.CHECKLIST_UNUSABLE)
_FOR = " for "


class Analysis:
    """Insights and scores of calls, by the checklists that are in force."""

    def __init__(self, store: ObjectStore, checklists: ChecklistsInForce) -> None:
        self.store, self._checklists = store, checklists

    def is_current(self, stage: Stage, made_by: str) -> bool:
        """Whether these rules, and for a score this checklist for its tenant and segment, would be taken today.

        A score whose checklist cannot be used today is as current as it gets.
        """
        if stage is not Stage.SCORES:
            return made_by == INSIGHTS_MAKER
        tenant_id, label = scored_for(made_by)
        checklist = self._meant(tenant_id, label)
        return isinstance(checklist, ChecklistInvalid) or made_by == _scores_maker(checklist, tenant_id, label)

    def can_score(self, call: WorkCall) -> bool:
        """Whether the checklist of the call's segment, if there is one, can be used."""
        return not isinstance(self._meant(call.tenant.id, _label(call)), ChecklistInvalid)

    def insights_version(self, call: WorkCall) -> Version:
        """Of this call's insights."""
        left, right = roles(call.details)
        return Version(Stage.INSIGHTS, INSIGHTS_MAKER, (call.results[Stage.TRANSCRIPTS].version, left, right))

    def score_version(self, call: WorkCall) -> Version:
        """Of this call's score. Where the checklist asks questions, the summary that answers them decides it too."""
        checklist = self.checklist(call)
        inputs: tuple[str, ...] = (self.insights_version(call).id,)
        if checklist is not None and checklist.questions and Stage.SUMMARIES in call.results:
            inputs += (call.results[Stage.SUMMARIES].version,)
        label = _label(call)
        return Version(Stage.SCORES, _scores_maker(self._meant(call.tenant.id, label), call.tenant.id, label), inputs)

    def checklist(self, call: WorkCall) -> Checklist | None:
        """The checklist of the call's segment; None where there is none, or none that can be used."""
        meant = self._meant(call.tenant.id, _label(call))
        return meant if isinstance(meant, Checklist) else None

    def score_warnings(self, call: WorkCall) -> tuple[tuple[Warn, ...], tuple[Warn, ...]]:
        """What is to be warned of in the call's score, and which warnings that it has hold no more."""
        told: tuple[Warn, ...] = ()
        if not self.can_score(call):
            told = () if _scored(call) else (Warn.CHECKLIST_UNUSABLE,)
        elif self.checklist(call) is None:
            told = (Warn.NO_CHECKLIST,)
        return told, tuple(warn for warn in _SCORE_WARNINGS if warn in call.warnings and warn not in told)

    def _meant(self, tenant_id: str, label: str) -> Checklist | ChecklistInvalid | None:
        """The checklist of the segment, or why it cannot be used; None where there is none."""
        try:
            return self._checklists.of(tenant_id).of_label(label)
        except ChecklistInvalid as error:
            return error

    def transcript(self, call: WorkCall) -> Transcript:
        """The turns of the call. Raises ObjectMissing when its recognition is gone from the store."""
        return load_transcript(self.store, call.results[Stage.TRANSCRIPTS], call.details)

    def insights(self, call: WorkCall) -> dict[str, Any]:
        """The insights as a document."""
        return insights_document(self.transcript(call))

    def score(self, call: WorkCall, found: dict[str, Any]) -> dict[str, Any]:
        """The score as a document; `found` are the call's insights.

        The one that the call has stays if its checklist cannot be used any more.
        """
        checklist = self.checklist(call)
        if checklist is None:
            kept = None if self.can_score(call) else _scored(call)
            return kept or dict(NO_SCORE)
        return score_document(self.transcript(call), found, checklist, call.results)


def insights_document(said: Transcript) -> dict[str, Any]:
    """The insights of these turns."""
    return insights.analyse(said).model_dump(mode="json")


def score_document(
    said: Transcript, found: dict[str, Any], checklist: Checklist, results: Mapping[Stage, StageResult]
) -> dict[str, Any]:
    """The score of these turns; `found` are their insights, `results` have the answers of a language model, if any."""
    figures = insights.Insights.model_validate(found)
    return scoring.score(said, figures, checklist, answers(results)).model_dump(mode="json")


def scored_for(made_by: str) -> tuple[str, str]:
    """The tenant's id and the label of the segment for which a maker of scores chose its checklist."""
    tenant_id, _, label = made_by.partition(_FOR)[2].partition(":")
    return tenant_id, label


def answers(results: Mapping[Stage, StageResult]) -> tuple[Answer, ...] | None:
    """What a language model answered to the questions of the call's checklist; None when none has read the call."""
    known = results.get(Stage.SUMMARIES)
    summary = Summary.model_validate(known.document) if known else Summary()
    return summary.answers if summary.language_model is not None else None


def roles(details: CallDetails | None) -> tuple[Role, Role]:
    """Who speaks on the left and on the right channel."""
    return (details.left_channel, details.right_channel) if details else (Role.UNKNOWN, Role.UNKNOWN)


def load_transcript(store: ObjectStore, result: StageResult, details: CallDetails | None) -> Transcript:
    """The turns behind a `transcripts` result. Raises ObjectMissing when the recognition is gone from the store."""
    recognition = load_recognition(store, result.document["key"])
    if recognition is None:
        raise ObjectMissing("a transcript that the ledger knows")
    return transcript.merge_turns(recognition, *roles(details))


def _scored(call: WorkCall) -> dict[str, Any] | None:
    """The call's score so far, if a checklist made it."""
    known = call.results.get(Stage.SCORES)
    return dict(known.document) if known and known.document.get("checklist") else None


def _label(call: WorkCall) -> str:
    return segment_label(call.details.segment_type if call.details else None)


def _scores_maker(checklist: Checklist | ChecklistInvalid | None, tenant_id: str, label: str) -> str:
    match checklist:
        case None:
            by = NO_CHECKLIST
        case ChecklistInvalid():
            by = UNUSABLE
        case _:
            by = f"{checklist.id[:60]} {checklist.digest[:16]}"
    return f"scores {scoring.VERSION} {by}{_FOR}{tenant_id}:{label}"
