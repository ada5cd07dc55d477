"""Analysis: a call's insights and score from what the stages before have left in ledger and store.

Lives here: which version of both is current for a call, loading what they read, making them; the same for a shard's
run and for re-scoring. Does not: the rules (domain/insights, domain/scoring).
"""

from __future__ import annotations

from typing import Any

from aila_pipeline.adapters.call_objects import load_recognition
from aila_pipeline.adapters.ledger.records import StageResult, WorkCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.domain import insights, scoring, transcript
from aila_pipeline.domain.models import CallDetails, Role, Transcript, Warn
from aila_pipeline.domain.scoring import Checklist, choose
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import ObjectMissing

INSIGHTS_MAKER = f"insights {insights.VERSION} turns {transcript.VERSION}"
NO_CHECKLIST = "none"


class Analysis:
    """Insights and scores of calls, with one set of checklists."""

    def __init__(self, store: ObjectStore, checklists: tuple[Checklist, ...]) -> None:
        self._store, self._checklists = store, checklists

    def makers(self) -> dict[Stage, set[str]]:
        """What makes results that are current now. A call without checklist may have got one; see `versions`."""
        scores = {_scores_maker(checklist) for checklist in self._checklists}
        return {Stage.INSIGHTS: {INSIGHTS_MAKER}, Stage.SCORES: scores | {_scores_maker(None)}}

    def insights_version(self, call: WorkCall) -> Version:
        """Of this call's insights."""
        left, right = roles(call.details)
        return Version(Stage.INSIGHTS, INSIGHTS_MAKER, (call.results[Stage.TRANSCRIPTS].version, left, right))

    def score_version(self, call: WorkCall) -> Version:
        """Of this call's score."""
        maker = _scores_maker(self.checklist(call))
        return Version(Stage.SCORES, maker, (self.insights_version(call).id,))

    def checklist(self, call: WorkCall) -> Checklist | None:
        """The checklist of the call's segment."""
        return choose(self._checklists, call.details.segment_type if call.details else None)

    def transcript(self, call: WorkCall) -> Transcript:
        """The turns of the call. Raises ObjectMissing when its recognition is gone from the store."""
        return load_transcript(self._store, call.results[Stage.TRANSCRIPTS], call.details)

    def insights(self, call: WorkCall) -> dict[str, Any]:
        """The insights as a document."""
        return insights.analyse(self.transcript(call)).model_dump(mode="json")

    def score(self, call: WorkCall, found: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The score as a document, and warnings; `found` are the call's insights."""
        checklist = self.checklist(call)
        if checklist is None:
            return {"checklist": None, "total": None, "items": []}, (Warn.NO_CHECKLIST,)
        scored = scoring.score(self.transcript(call), insights.Insights.model_validate(found), checklist)
        return scored.model_dump(mode="json"), ()


def roles(details: CallDetails | None) -> tuple[Role, Role]:
    """Who speaks on the left and on the right channel."""
    return (details.left_channel, details.right_channel) if details else (Role.UNKNOWN, Role.UNKNOWN)


def load_transcript(store: ObjectStore, result: StageResult, details: CallDetails | None) -> Transcript:
    """The turns behind a `transcripts` result. Raises ObjectMissing when the recognition is gone from the store."""
    recognition = load_recognition(store, result.document["key"])
    if recognition is None:
        raise ObjectMissing("a transcript that the ledger knows")
    return transcript.merge_turns(recognition, *roles(details))


def _scores_maker(checklist: Checklist | None) -> str:
    if checklist is None:
        return f"scores {scoring.VERSION} {NO_CHECKLIST}"
    return f"scores {scoring.VERSION} {checklist.id[:60]} {checklist.digest[:16]}"
