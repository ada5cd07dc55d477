"""Refusals: both contracts' error envelopes, and an example of every error.

Lives here: how an error looks, and one that tells what `details` may hold. Does not: errors themselves
(aila_pipeline/errors), which of them an address gives (operations.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aila_pipeline.api.documentation.requests import Json
from aila_pipeline.api.envelopes import Contract, error_body, status_of
from aila_pipeline.api.submitting import calls_invalid
from aila_pipeline.errors import (
    AilaError,
    CsvColumnMissing,
    IdempotencyKeyReused,
    LedgerUnavailable,
    LimitReached,
    NotFound,
    RequestContradictory,
    RequestFailed,
    RequestInFlight,
    RequestInvalid,
    RequestTooLarge,
    RequestUnreadable,
    StoreUnavailable,
    SubmissionRefused,
    Unauthenticated,
    UploadForbidden,
    UploadMissing,
)

UNREADABLE = RequestUnreadable("it is not JSON in UTF-8")
CONTRADICTORY = RequestContradictory("audios_key and audio_key are not the same")
BROKEN = RequestContradictory("the connection broke before the end of the file")
UNAUTHENTICATED = Unauthenticated()
FORBIDDEN = UploadForbidden("the content type must be text/csv")
NOT_FOUND = NotFound()
IN_FLIGHT = RequestInFlight()
TOO_LARGE = RequestTooLarge("the limit is 65536 bytes")
INVALID = RequestInvalid("", {"fields": {"limit": "Input should be less than or equal to 500"}})
NAME_INVALID = RequestInvalid("", {"fields": {"audios_filename": "must end in .zip"}})
KEY_INVALID = RequestInvalid(
    "", {"fields": {"Idempotency-Key": "must be one header of 1 to 255 printable ASCII characters"}}
)
CALLS_INVALID = calls_invalid(
    [
        {
            "index": 0,
            "external_id": "call_12345",
            "errors": ["audio_url is not accessible", "duration must be positive number"],
        }
    ]
)
ROWS_INVALID = RequestInvalid(
    "no row can be processed",
    {
        "rows": [{"row": 2, "field": "start_time", "code": "ROW_INVALID", "message": "start_time is no ISO 8601 time"}],
        "total": 1,
    },
)
FILE_MISSING = UploadMissing("audios_key", {"fields": {"audios_key": "nothing has been uploaded to it"}})
FILES_REFUSED = CsvColumnMissing("segment_type")
KEY_REUSED = IdempotencyKeyReused()
LIMITED = LimitReached("100 batches per hour", 1740, most=100)
FAILED = RequestFailed()
LEDGER_DOWN, STORE_DOWN = LedgerUnavailable(), StoreUnavailable()

HEADERS: dict[int, dict[str, Json]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    409: {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds until trying again can help"}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}},
}

_TEXT: Json = {"type": "string"}
_OWN_ID: Json = {"type": ["string", "null"]}

_ERROR: Json = {
    "type": "object",
    "required": ["code", "message", "details"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string", "description": "stable; decide by it"},
        "message": {"type": "string", "description": "for a person: what happened and what to do"},
        "details": {
            "type": "object",
            "description": "what is wrong where; never what was sent",
            "additionalProperties": False,
            "properties": {
                "fields": {"type": "object", "additionalProperties": _TEXT, "description": "by field or parameter"},
                "calls": {
                    "type": "array",
                    "description": "items of a list of calls",
                    "items": {
                        "type": "object",
                        "required": ["index", "external_id", "errors"],
                        "additionalProperties": False,
                        "properties": {
                            "index": {"type": "integer", "minimum": 0},
                            "external_id": _OWN_ID,
                            "errors": {"type": "array", "items": _TEXT},
                        },
                    },
                },
                "body": {"type": "string", "description": "what is wrong with a list as a whole"},
                "rows": {
                    "type": "array",
                    "description": "rows of a CSV, numbered as a spreadsheet does (the header is 1)",
                    "items": {
                        "type": "object",
                        "required": ["row", "field", "code", "message"],
                        "additionalProperties": False,
                        "properties": {
                            "row": {"type": "integer", "minimum": 1},
                            "field": _OWN_ID,
                            "code": _TEXT,
                            "message": _TEXT,
                        },
                    },
                },
                "total": {"type": "integer", "description": "problems in all, where not all are listed"},
                "limit": {"type": "string", "description": "the limit that is reached"},
                "retry_after_seconds": {"type": "integer", "minimum": 1},
            },
        },
    },
}

SCHEMAS: dict[str, Json] = {
    "Error": _ERROR,
    "RefusalA": {
        "type": "object",
        "required": ["status", "error"],
        "additionalProperties": False,
        "properties": {"status": {"const": "error"}, "error": {"$ref": "#/components/schemas/Error"}},
    },
    "RefusalB": {
        "type": "object",
        "required": ["success", "error"],
        "additionalProperties": False,
        "properties": {"success": {"const": False}, "error": {"$ref": "#/components/schemas/Error"}},
    },
}


def refusals(contract: Contract, errors: Iterable[AilaError]) -> dict[str, Json]:
    """The responses of an operation that can end in these errors, by status."""
    by_status: dict[int, list[AilaError]] = {}
    for error in errors:
        by_status.setdefault(status_of(error), []).append(error)
    return {str(status): _response(contract, status, by_status[status]) for status in sorted(by_status)}


def _response(contract: Contract, status: int, errors: list[AilaError]) -> Json:
    schema: Json = {"$ref": f"#/components/schemas/Refusal{contract.upper()}"}
    codes = sorted({code for error in errors for code in _codes(error)})
    if status != 503:  # what the house lacks may be anything
        only = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
        schema = {"allOf": [schema, only]}
    examples: dict[str, Any] = {}
    for error in errors:
        examples[error.code.lower()] = {"summary": error.what, "value": error_body(contract, error)}
    content = {"application/json": {"schema": schema, "examples": examples}}
    told = "; ".join(dict.fromkeys(f"`{error.code}`: {error.what}" for error in errors))
    return {"description": told, "content": content, "headers": HEADERS.get(status, {})}


def _codes(error: AilaError) -> set[str]:
    """The error's own code; for a refusal of files that of each of them."""
    if not isinstance(error, SubmissionRefused):
        return {error.code}
    return {SubmissionRefused.code} | {family.code for family in SubmissionRefused.__subclasses__()}
