"""Versions: when a stage's result is current, and when it is stale.

Lives here: how a version is made from what decides a result. Does not: remembering versions (the ledger does).

A result is decided by who made it (the stage's code, a model, a checklist: `made_by`) and by what went in. So a changed
checklist makes exactly the scores stale that used it, and a changed model makes transcripts, insights and scores stale
and leaves the audio alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from aila_pipeline.domain.models import CallDetails
from aila_pipeline.domain.status import Stage


@dataclass(frozen=True)
class Version:
    """What decides a result. `made_by` alone tells whether a stored result can still be current anywhere."""

    stage: Stage
    made_by: str
    inputs: tuple[str, ...]

    @property
    def id(self) -> str:
        """32 hex characters, equal exactly when the result would be."""
        parts = [self.stage, self.made_by, *self.inputs]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def audio_version(details: CallDetails, batch_id: str, code_version: str) -> Version:
    """The version of a call's audio: where it comes from decides it."""
    origin = batch_id if details.source.kind == "archive" else ""
    return Version(Stage.CALL_AUDIO, f"call_audio {code_version}", (details.source.model_dump_json(), origin))
