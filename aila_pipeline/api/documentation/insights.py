"""Insights as clients get them: the figures, and beside them what a language model made of the conversation.

Lives here: the models and an example. Does not: the figures themselves and the summary, which are the domain's own.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from aila_pipeline.domain.insights import Insights
from aila_pipeline.domain.summary import Summary


class ModelUsage(BaseModel):
    """What asking the language model about this call has taken, over all its attempts."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float = Field(description="in the currency of the configured prices; 0 without prices")


class Conversation(Summary):
    """The summary. Where no language model is configured, `language_model` is null and nothing else is told."""

    usage: ModelUsage | None = None


class CallInsights(Insights):
    """Figures worked out from the turns, and the conversation as a language model read it."""

    conversation: Conversation | None = Field(description="null until it is known")


_SAID = {"start": 0.4, "quote": "Good morning"}

INSIGHTS: dict[str, Any] = {
    "seconds": 12.5,
    "talk_seconds": {"operator": 0.0, "client": 0.0, "unknown": 0.7},
    "talk_share": {"operator": 0.0, "client": 0.0, "unknown": 1.0},
    "silence": {
        "total_seconds": 11.8,
        "share": 0.944,
        "long_count": 0,
        "long_seconds": 0.0,
        "longest_seconds": 0.0,
        "longest_start_seconds": None,
    },
    "overlap": {"count": 0, "total_seconds": 0.0},
    "interruptions": {"operator": 0, "client": 0, "unknown": 0},
    "longest_monologue_seconds": {"operator": 0.0, "client": 0.0, "unknown": 0.7},
    "words": {"operator": 0, "client": 0, "unknown": 2},
    "words_per_minute": {"operator": None, "client": None, "unknown": None},
    "questions": {"operator": 0, "client": 0, "unknown": 0},
    "turns": {"operator": 0, "client": 0, "unknown": 1},
    "first_speech_seconds": {"operator": None, "client": None, "unknown": 0.4},
    "first_response_delay_seconds": None,
    "keywords": [],
    "sentiment": {"operator": None, "client": None, "unknown": 0.0},
    "conversation": {
        "language_model": "gpt-4o-mini",
        "summary": "Somebody says good morning, and nobody answers.",
        "topics": ["greeting"],
        "intent": None,
        "objections": [],
        "commitments": [],
        "next_steps": [{"text": "Call again.", "evidence": None}],
        "resolution": "unclear",
        "resolution_evidence": None,
        "sentiment": [{"role": "unknown", "label": "neutral", "reason": "Greets politely.", "evidence": _SAID}],
        "answers": [{"item_id": "says-hello", "verdict": "yes", "evidence": _SAID}],
        "gaps": [],
        "usage": {"requests": 1, "prompt_tokens": 1450, "completion_tokens": 310, "cost": 0.000404},
    },
}
