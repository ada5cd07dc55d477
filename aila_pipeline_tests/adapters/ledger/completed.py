"""Completed calls whose recognition lies in a store, ready to be scored.

Lives here: making them, and the checklists of these tests. Does not: asserting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.call_objects import recognition_key, save_recognition
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.checklist_tables import checklists
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.domain.models import CallDetails, Role, SubmittedCall, UrlSource
from aila_pipeline.domain.scoring import Checklist, parse_checklist, parse_checklists
from aila_pipeline.domain.status import Stage
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_version, an_accepted_batch, hexdigest, holding
from aila_pipeline_tests.domain.conversations import heard, words

CLIENT, OPERATOR = "hello I need a price", "good morning how can I help you"


def yaml_of(name: str, version: int = 1, *, segments: Sequence[str] = (), phrase: str = "good morning") -> str:
    """A checklist with one phrase; for the segment of its name if none are given."""
    named = ", ".join(f'"{segment}"' for segment in segments or [name])
    return f"""\
id: {name}
version: "{version}"
title: Calls of {name}
segments: [{named}]
items:
  - id: greeting
    title: Greets
    kind: phrase
    any_of: [{phrase}]
"""


def a_checklist(
    name: str, version: int = 1, *, segments: Sequence[str] = (), phrase: str = "good morning"
) -> Checklist:
    """The same, read."""
    return parse_checklist(yaml_of(name, version, segments=segments, phrase=phrase), name)


def imported(ledger: Ledger, tenant: Tenant, name: str, version: int = 1, *, phrase: str = "good morning") -> Checklist:
    """A version that the tenant has imported."""
    text = yaml_of(name, version, phrase=phrase)
    checklist = parse_checklist(text, name)
    ledger.checklists.import_version(tenant, checklist, text, now=NOW)
    return checklist


def active(ledger: Ledger, tenant: Tenant, name: str, version: int = 1, *, phrase: str = "good morning") -> Checklist:
    """A version that scores the tenant's calls of its own segment."""
    checklist = imported(ledger, tenant, name, version, phrase=phrase)
    ledger.checklists.activate(tenant, checklist.id, checklist.version, now=NOW)
    return checklist


def made_unreadable(ledger: Ledger, tenant: Tenant, name: str) -> None:
    """All versions of it become such as a release with other rules may have imported."""
    change = sa.update(checklists).where(checklists.c.tenant_id == tenant.id, checklists.c.id == name)
    document = {"id": name, "kind": "of another release"}
    ledger.database.write(lambda connection: connection.execute(change.values(document=document)))


def an_analysis(ledger: Ledger, store: ObjectStore, *files: str) -> Analysis:
    """What scores calls now; `files` are the YAML texts of the configured directory."""
    parsed = parse_checklists({f"{number}.yaml": text for number, text in enumerate(files)})
    return Analysis(store, ChecklistsInForce(parsed, ledger))


def written(directory: Path, *texts: str) -> Path:
    """The directory, with these files in it."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        (directory / f"{number}.yaml").write_text(text, "utf-8")
    return directory


def completed(
    ledger: Ledger, store: ObjectStore, tenant: Tenant, segments: Iterable[str | None], *, now: datetime = NOW
) -> list[str]:
    """Ids of completed calls, one of each segment, accepted at `now`; none has insights or a score yet."""
    submitted = [
        SubmittedCall(position=position, details=_details(segment, now, position))
        for position, segment in enumerate(segments)
    ]
    accepted = an_accepted_batch(ledger, *submitted, tenant=tenant, now=now)
    ids = []
    with holding(ledger, accepted.shards[0]) as work:
        work.enter(Stage.TRANSCRIPTS)
        calls = work.calls()
        for call in calls:
            key = recognition_key(tenant.id, hexdigest(call.id), "test")
            save_recognition(store, key, heard(words(1, 3, CLIENT), words(4, 7, OPERATOR)))
            work.save(call, a_version(Stage.TRANSCRIPTS), {"key": key}, seconds=0.1)
            ids.append(call.id)
        work.end([(call, {}) for call in calls])
    return ids


def _details(segment: str | None, at: datetime, position: int) -> CallDetails:
    return CallDetails(
        source=UrlSource(url=f"s3://calls/{at:%j}-{position}.wav"),
        started_at=at,
        segment_type=segment,
        left_channel=Role.CLIENT,
        right_channel=Role.OPERATOR,
    )
