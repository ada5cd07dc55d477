"""A manifest: contract B's JSON body, from its bytes to a `Submission`.

Lives here: what is no JSON, the problems of all calls together, and `CallDetails` from a good call. Does not: the
rules of single fields (manifest_model.py), or whether the tenant may read the audio (`sources.allowed`, at the stage).

One malformed call refuses the whole (contracts, gap 19); partial success comes from processing alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from aila_pipeline.domain.intake import fields
from aila_pipeline.domain.intake.header import shown
from aila_pipeline.domain.intake.identity import manifest_digest
from aila_pipeline.domain.intake.manifest_model import MAX_CALLS, WORDS, Manifest, ManifestCall, Rules
from aila_pipeline.domain.intake.sources import allowed
from aila_pipeline.domain.models import (
    CallDetails,
    Direction,
    Problem,
    Role,
    Submission,
    SubmittedCall,
    TenantSettings,
    UrlSource,
    Warn,
)
from aila_pipeline.domain.people import has_odd_phone
from aila_pipeline.errors import ManifestInvalid

__all__ = ["MAX_CALLS", "MAX_MANIFEST_BYTES", "allowed", "read_manifest"]

MAX_MANIFEST_BYTES = 5 * 1024**2
"""A hundred calls with the largest metadata stay below 2 MB."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OPPOSITE = {Role.OPERATOR: Role.CLIENT, Role.CLIENT: Role.OPERATOR}


def read_manifest(body: bytes, tenant: TenantSettings, now: datetime) -> Submission:
    """Every call of the body, all accepted; or `ManifestInvalid` with the problems of all calls.

    A problem's `position` is the call's index, from 0.
    """
    if len(body) > MAX_MANIFEST_BYTES:
        raise ManifestInvalid(f"{len(body)} bytes, the limit is {MAX_MANIFEST_BYTES}")
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        raw = from_json(body, allow_inf_nan=False)
    except ValueError:
        # The parser's own message may quote the text; it refuses NaN, halves of characters and nesting beyond 200.
        raise ManifestInvalid("it is not JSON in UTF-8") from None
    repeated = _repeated_ids(raw)
    try:
        rules = Rules(fields.zone_of(tenant), now, tenant.phone_region)
        manifest = Manifest.model_validate_json(body, context=rules)
    except ValidationError as broken:
        found = broken.errors(include_input=False, include_url=False, include_context=False)
        raise _refusal(found, repeated) from None
    if repeated:
        raise _refusal([], repeated)
    return Submission(
        kind="manifest",
        digest=manifest_digest(body),
        calls=tuple(_call(i, call, tenant) for i, call in enumerate(manifest.calls)),
        warnings=_unread(manifest),
    )


def _refusal(found: list[ErrorDetails], repeated: list[Problem]) -> ManifestInvalid:
    """The refusal that lists what is wrong with each call, or with the body as a whole."""
    whole = [error for error in found if len(error["loc"]) < 2]
    if whole:
        return ManifestInvalid(_whole_words(whole[0]))
    problems = tuple(sorted({*map(_problem, found), *repeated}, key=_place))
    calls = len({problem.position for problem in problems})
    first = f"the first is call {problems[0].position}: {problems[0].message}"
    return ManifestInvalid(f"{len(problems)} problems in {calls} calls, {first}", problems=problems)


def _place(problem: Problem) -> tuple[int, str, str]:
    """The order in which problems are told."""
    return problem.position, problem.field or "", problem.message


def _whole_words(error: ErrorDetails) -> str:
    """What is wrong with the body around the calls."""
    if not error["loc"] or error["type"] in {"missing", "list_type"}:
        return 'the body must be an object with an array "calls"'
    return f"calls must have 1 to {MAX_CALLS} items"


def _problem(error: ErrorDetails) -> Problem:
    """One of pydantic's errors in the contract's words."""
    place = error["loc"]
    field = str(place[2]) if len(place) > 2 else None
    if field is None:
        message = "each call must be an object"
    elif error["type"] == "missing":
        message = f"{field} is required"
    else:
        message = error["msg"] if error["type"] == "broken_rule" else WORDS[field]
    return Problem(position=int(place[1]), field=field, code=ManifestInvalid.code, message=message)


def _repeated_ids(raw: Any) -> list[Problem]:
    """A problem for each call whose `external_id` another call of the body has too; asks nothing else of the body."""
    calls = raw.get("calls") if isinstance(raw, dict) else None
    if not isinstance(calls, list):
        return []
    ids = [call.get("external_id") if isinstance(call, dict) else None for call in calls]
    counts = Counter(key for key in ids if isinstance(key, str))
    return [
        Problem(
            position=i,
            field="external_id",
            code=ManifestInvalid.code,
            message="external_id is used by more than one call of the request",
        )
        for i, key in enumerate(ids)
        if isinstance(key, str) and counts[key] > 1
    ]


def _call(index: int, call: ManifestCall, tenant: TenantSettings) -> SubmittedCall:
    """A checked call as the pipeline knows it."""
    metadata = call.metadata or {}
    left, right = _roles(metadata, tenant)
    details = CallDetails(
        source=UrlSource(url=call.audio_url),
        external_id=call.external_id,
        started_at=call.call_date.at,
        segment_type=_segment(metadata),
        left_channel=left,
        right_channel=right,
        direction=Direction(call.direction) if call.direction else None,
        contact_phone=call.contact_phone,
        contact_name=call.contact_name,
        contact_email=call.contact_email,
        user_email=call.user_email,
        declared_seconds=call.duration,
        metadata=metadata,
    )
    warnings = [] if call.call_date.zoned else [Warn.TIME_WITHOUT_ZONE]
    warnings += [Warn.PHONE_UNUSUAL] if has_odd_phone(details, tenant.phone_region) else []
    return SubmittedCall(position=index, external_id=call.external_id, details=details, warnings=tuple(warnings))


def _roles(metadata: dict[str, Any], tenant: TenantSettings) -> tuple[Role, Role]:
    """Left and right role: the metadata's, the opposite of the only one that is given, or the tenant's."""
    left, right = _role(metadata.get("left_channel")), _role(metadata.get("right_channel"))
    if left and right:
        return left, right
    if left:
        return left, _OPPOSITE[left]
    if right:
        return _OPPOSITE[right], right
    return tenant.left_channel, tenant.right_channel


def _role(told: object) -> Role | None:
    """A checked role of the metadata, or None where none is given."""
    return fields.role(told.strip()) if isinstance(told, str) else None


def _segment(metadata: dict[str, Any]) -> str | None:
    """The kind of call, by which its checklist is chosen, if the metadata name one."""
    told = metadata.get("segment_type")
    if not isinstance(told, str):
        return None
    return fields.one_line(told)[: fields.MAX_SEGMENT_CHARACTERS] or None


def _unread(manifest: Manifest) -> tuple[str, ...]:
    """One line that names the fields that nobody reads, if there are any."""

    def names() -> Iterator[str]:
        yield from manifest.model_extra or ()
        for call in manifest.calls:
            yield from call.model_extra or ()

    unread = sorted(set(names()))
    return (f"{Warn.COLUMN_IGNORED}: not read: {shown(unread)}",) if unread else ()
