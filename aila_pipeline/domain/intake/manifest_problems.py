"""What is wrong with a list of calls, as contract B's error body tells it.

Lives here: problems by item, each under the client's own id. Does not: finding them (manifest.py, the ledger, the
probe of URLs), the envelope around them (api).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aila_pipeline.domain.intake.manifest_model import external_id
from aila_pipeline.domain.models import Problem


def told_by_item(problems: Iterable[Problem], body: object) -> list[dict[str, Any]]:
    """Contract B's `details.calls`: index, external_id and errors of each item that has any, in order.

    `body` is the request's JSON. An external_id that is not valid itself is not repeated, but null.
    """
    errors: dict[int, list[str]] = {}
    for problem in problems:
        told = errors.setdefault(problem.position, [])
        if problem.message not in told:
            told.append(problem.message)
    return [{"index": i, "external_id": _id_of(body, i), "errors": errors[i]} for i in sorted(errors)]


def _id_of(body: object, index: int) -> str | None:
    """The item's own id, as far as it is one."""
    items = body.get("calls") if isinstance(body, dict) else None
    item = items[index] if isinstance(items, list) and index < len(items) else None
    told = item.get("external_id") if isinstance(item, dict) else None
    return external_id(told) if isinstance(told, str) else None
