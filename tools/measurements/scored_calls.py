"""Completed calls with transcripts of 300 to 600 words, as the pipeline leaves them before they are scored.

Lives here: conversations put together from the sample calls' sentences, their recognitions in a store, the rows of the
ledger written in bulk past its own doors. Does not: insights and scores (rescore_speed.py has the code make them).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from aila_pipeline.adapters.call_objects import recognition_key, save_recognition
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, calls, stage_results
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.domain.ids import batch_id, call_id
from aila_pipeline.domain.models import ArchiveSource, CallDetails, Recognition, Role, Utterance, Word
from aila_pipeline.domain.status import CallStatus, Stage

CALLS_A_BATCH = 100
SEGMENTS = ("sales", "support", "retention")
_DIALOGUES = Path(__file__).parent.parent / "sample_calls" / "dialogues.yaml"
_CHANNEL = {"client": 0, "operator": 1}
Rows = dict[str, list[dict[str, Any]]]
_WORD_SECONDS, _PAUSE_SECONDS = 0.36, 0.6


def fill(
    ledger: Ledger,
    store: ObjectStore,
    tenant: Tenant,
    user_id: str,
    *,
    count: int,
    days: int,
    tell: Callable[[int], None],
) -> None:
    """Write `count` completed calls, accepted over so many days until now; `tell` gets the calls written so far."""
    chance, said = random.Random(7), _exchanges()
    start = datetime.now(UTC) - timedelta(days=days - 1)
    for number in range(count // CALLS_A_BATCH):
        at = start + timedelta(days=number * days // (count // CALLS_A_BATCH)) * (days > 1)
        batch = _batch(batch_id(at), tenant, user_id, at)
        rows: Rows = {"batches": [batch], "calls": [], "batch_calls": [], "attempts": [], "stage_results": []}
        for position in range(CALLS_A_BATCH):
            sha256 = hashlib.sha256(f"{number}-{position}".encode()).hexdigest()
            heard = conversation(chance, said, sha256)
            key = recognition_key(tenant.id, sha256, "measured")
            save_recognition(store, key, heard)
            words = sum(len(utterance.words) for utterance in heard.utterances)
            _call(rows, tenant, batch, position, {"key": key, "words": words, "language": "en", "reused": False})
        ledger.database.write(partial(_insert, rows))
        tell((number + 1) * CALLS_A_BATCH)


def conversation(chance: random.Random, said: list[list[tuple[str, str]]], sha256: str) -> Recognition:
    """A call of 300 to 600 words: exchanges of several sample calls after each other."""
    utterances, at, count, wanted = [], 1.0, 0, chance.randint(300, 560)
    while count < wanted:
        for role, text in chance.choice(said):
            parts = text.split()
            words = tuple(
                Word(
                    start=round(at + n * _WORD_SECONDS, 3),
                    end=round(at + (n + 1) * _WORD_SECONDS, 3),
                    text=part,
                    probability=round(chance.uniform(0.5, 1), 3),
                )
                for n, part in enumerate(parts)
            )
            end = words[-1].end
            utterances.append(Utterance(channel=_CHANNEL[role], start=words[0].start, end=end, text=text, words=words))
            at, count = end + chance.uniform(0.1, 2 * _PAUSE_SECONDS), count + len(parts)
    utterances.sort(key=lambda utterance: (utterance.channel, utterance.start))
    return Recognition(
        audio_sha256=sha256,
        identity="measured",
        model="small",
        language="en",
        language_probability=0.99,
        seconds=round(at + 1, 3),
        channels=2,
        utterances=tuple(utterances),
    )


def _exchanges() -> list[list[tuple[str, str]]]:
    """Three turns after each other, of all sample calls that have two sides."""

    def found() -> Iterator[list[tuple[str, str]]]:
        for call in yaml.safe_load(_DIALOGUES.read_text("utf-8")):
            turns = [(turn[0], turn[1]) for turn in call["turns"] if turn[0] in _CHANNEL]
            yield from (turns[first : first + 3] for first in range(len(turns) - 2))

    return list(found())


def _batch(batch: str, tenant: Tenant, user_id: str, at: datetime) -> dict[str, Any]:
    return (
        {"id": batch, "tenant_id": tenant.id, "user_id": user_id, "kind": "pair", "name": "measured"}
        | {"priority": "live", "state": "accepted", "fingerprint": batch, "sources": [], "warnings": []}
        | {"total_calls": CALLS_A_BATCH, "completed_calls": CALLS_A_BATCH, "failed_calls": 0}
        | {"received_at": at, "accepted_at": at, "started_at": at, "ended_at": at + timedelta(minutes=5)}
    )


def _call(rows: Rows, tenant: Tenant, batch: dict[str, Any], position: int, transcript: dict[str, Any]) -> None:
    at: datetime = batch["accepted_at"]
    call, ended = call_id(at), at + timedelta(minutes=4)
    details = CallDetails(
        source=ArchiveSource(name=f"call_{position:03}.wav"),
        started_at=at,
        segment_type=SEGMENTS[position % len(SEGMENTS)],
        left_channel=Role.CLIENT,
        right_channel=Role.OPERATOR,
    )
    rows["calls"].append(
        {"id": call, "tenant_id": tenant.id, "batch_id": batch["id"], "details": details.model_dump(mode="json")}
        | {"status": CallStatus.COMPLETED, "stage": Stage.OUTCOMES, "attempt": 1, "warnings": [], "retryable": False}
        | {"created_at": at, "ended_at": ended}
    )
    rows["batch_calls"].append({"batch_id": batch["id"], "position": position, "call_id": call})
    rows["attempts"].append(
        {"call_id": call, "n": 1, "batch_id": batch["id"], "stage": Stage.OUTCOMES, "outcome": CallStatus.COMPLETED}
        | {"created_at": at, "started_at": at, "ended_at": ended, "retryable": False}
    )
    rows["stage_results"].append(
        {"call_id": call, "stage": Stage.TRANSCRIPTS, "version": "measured", "made_by": "measured"}
        | {"document": transcript, "seconds": 1.0, "created_at": at}
    )


def _insert(rows: Rows, connection: sa.Connection) -> None:
    for table in (batches, calls, batch_calls, attempts, stage_results):
        connection.execute(sa.insert(table), rows[table.name])
