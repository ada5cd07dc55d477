"""Bodies: the bytes of a request, at most as many as its address takes.

Lives here: reading with a cap, JSON of small requests. Does not: the batch's JSON, which domain/intake reads itself.
"""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from aila_pipeline.errors import RequestInvalid, RequestTooLarge, RequestUnreadable

M = TypeVar("M", bound=BaseModel)

SMALL_BYTES = 64 * 1024


async def read_body(request: Request, most_bytes: int) -> bytes:
    """All of the body; RequestTooLarge as soon as it is known to be larger, whatever its length claims to be."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise RequestTooLarge(f"the limit is {most_bytes} bytes")
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > most_bytes:
            raise RequestTooLarge(f"the limit is {most_bytes} bytes")
    return bytes(body)


def json_object(body: bytes) -> dict[str, Any]:
    """The body's JSON. Raises RequestUnreadable for what is no JSON object, without quoting it."""
    try:
        raw = from_json(body, allow_inf_nan=False)
    except ValueError:
        # The parser's own message may quote the text; it refuses NaN, halves of characters and nesting beyond 200.
        raise RequestUnreadable("it is not JSON in UTF-8") from None
    if not isinstance(raw, dict):
        raise RequestUnreadable("it is not a JSON object")
    return raw


def parsed(model: type[M], body: bytes) -> M:
    """The body as the model.

    Raises RequestUnreadable for what is no JSON object, RequestInvalid with each wrong field. No input is quoted.
    """
    json_object(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as broken:
        found = broken.errors(include_input=False, include_url=False, include_context=False)
        fields = {".".join(str(part) for part in error["loc"]): error["msg"] for error in found}
        known = {name: told for name, told in fields.items() if name in model.model_fields}
        raise RequestInvalid("", {"fields": known or {"body": "it does not have the fields of this request"}}) from None
