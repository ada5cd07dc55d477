"""Rejected: where the files of a refused submission are kept, and the `reasons.json` beside them.

Lives here: names and the document. Does not: deciding to refuse, copying (intake.py).

    _aila/rejected/<country>/<firm>/<name>.<batch id>/    the files as they lay in their folder, and reasons.json
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.ledger.records import Batch
from aila_pipeline.adapters.objects import ObjectInfo
from aila_pipeline.domain.models import Problem
from aila_pipeline.errors import SubmissionRefused

REASONS = "reasons.json"
_NAME_BYTES, _PATH_BYTES = 100, 400
"""A folder's name takes 255 bytes in most file systems, a key 1,024 in S3; ours must leave room for what is around."""


def rejected_folder(batch: Batch, sources: Sequence[ObjectInfo]) -> str:
    """A folder of this batch alone. It carries the name of the folder that was dropped, so that a person finds it.

    A single file's name is left out: a recording is often called after a caller, and this path is shown in Dagster.
    """
    place = f"{OWN}rejected/{batch.tenant.country}/{batch.tenant.firm}/"
    lone_file = len(sources) == 1 and _last(sources[0].key) == _last(batch.name)
    return f"{place}{batch.id}/" if lone_file else f"{place}{_cut(batch.name, _NAME_BYTES)}.{batch.id}/"


def kept_names(sources: Sequence[ObjectInfo]) -> list[str]:
    """What each file is called below the folder: its path below what they all lie in; no two are the same."""
    folders = [info.key.split("/")[:-1] for info in sources]
    common = 0
    while all(len(folder) > common and folder[common] == folders[0][common] for folder in folders):
        common += 1
    names: list[str] = []
    for number, info in enumerate(sources, 1):
        name = "/".join(info.key.split("/")[common:])
        if len(name.encode()) > _PATH_BYTES:
            name = f"{number}.{_cut(_last(name).rpartition('.')[2], _NAME_BYTES)}"
        while name == REASONS or name in names:
            name = f"dropped-{name}"
        names.append(name)
    return names


def reasons_document(
    batch: Batch, sources: Sequence[ObjectInfo], kept: Sequence[str], refusal: SubmissionRefused
) -> bytes:
    """What went wrong and where each file was and is, for the person who looks into the folder."""
    document = {
        "message": refusal.message,
        "code": refusal.code,
        "tenant": f"{batch.tenant.country}/{batch.tenant.firm}",
        "batch_id": batch.id,
        "received_at": batch.received_at.isoformat(timespec="seconds"),
        "files": [{"dropped_as": info.key, "kept_as": name} for info, name in zip(sources, kept, strict=True)],
        "calls": [
            {"call": problem.position, "field": problem.field, "message": problem.message}
            for problem in refusal.problems
            if isinstance(problem, Problem)
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _cut(text: str, size_bytes: int) -> str:
    """As much of the text as fits, whole characters only."""
    return text.encode()[:size_bytes].decode(errors="ignore")
