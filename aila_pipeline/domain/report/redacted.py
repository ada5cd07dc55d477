"""Redacted: a call as the report may show it, since the page is sent around.

Lives here: the transcript, the evidence and the keywords without what must not leave. Does not: find what that is
(domain/redaction); the summary was made from a redacted transcript.
"""

from __future__ import annotations

from aila_pipeline.domain.insights import Insights
from aila_pipeline.domain.models import Transcript
from aila_pipeline.domain.redaction import redact, redact_transcript
from aila_pipeline.domain.report.model import ReportedCall
from aila_pipeline.domain.scoring import Score
from aila_pipeline.domain.words import tokens

_NOT_SHOWN = "[redacted]"


def redacted(call: ReportedCall) -> ReportedCall:
    """The call with placeholders in the place of card numbers and the like, wherever its words are shown."""
    if call.transcript is None:
        return call
    transcript, spans = redact_transcript(call.transcript)
    if not spans:
        return call
    update = {
        "transcript": transcript,
        "score": call.score and _score(call.score, transcript),
        "insights": call.insights and _insights(call.insights, transcript),
    }
    return call.model_copy(update=update)


def _score(score: Score, transcript: Transcript) -> Score:
    items = tuple(
        item.model_copy(
            update={
                "evidence": tuple(
                    each.model_copy(update={"quote": _quote(each.quote, transcript)}) for each in item.evidence
                )
            }
        )
        for item in score.items
    )
    return score.model_copy(update={"items": items})


def _quote(quote: str, transcript: Transcript) -> str:
    """The quote if its words are still there. A part of a number that runs over turns is known by the whole alone."""
    for shown in (quote, redact(quote)):
        if any(shown in turn.text for turn in transcript.turns):
            return shown
    return _NOT_SHOWN


def _insights(insights: Insights, transcript: Transcript) -> Insights:
    """Without keywords that are said nowhere else than in what is gone."""
    said = {word for turn in transcript.turns for word in tokens(turn.text)}
    kept = tuple(keyword for keyword in insights.keywords if said.issuperset(tokens(keyword.text)))
    return insights.model_copy(update={"keywords": kept})
