"""Bodies that are taken, as JSON schemas, with the contracts' own examples.

Lives here: fields, forms and bounds of what clients send. Does not: checking them (domain/intake, the handlers).

A schema here is at most narrower than what is taken: phone numbers in other than E.164 form, hosts in other scripts and
metadata with objects in objects are taken as well. What fits the schema is mostly taken, so that a program can make
examples from it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aila_pipeline.domain.intake.manifest_model import MAX_CALLS, MAX_METADATA_VALUES

Json = dict[str, Any]

_PRINTABLE = "[^\\u0000-\\u001f\\u007f-\\u009f]"
_PLAIN = "[^\\u0000-\\u001f\\u007f-\\u009f/\\\\]"
_NAME = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
_HOST = f"{_NAME}(?:\\.{_NAME}){{0,3}}\\.[a-z]{{2,10}}"
_PATH = "/[A-Za-z0-9._~/-]*"
# The forms of a URL, and those of a phone number below, are told apart so that examples are made of each.
_URLS = (
    f"https://{_HOST}{_PATH}",
    f"https://{_HOST}{_PATH}\\?[A-Za-z0-9._~%/?&=+-]*",
    f"https?://{_HOST}(?::(?:80|443|[1-9][0-9]{{1,4}}))?{_PATH}",
    "s3://[a-z0-9][a-z0-9-]{1,61}[a-z0-9]/[A-Za-z0-9_-][A-Za-z0-9_/-]*\\.[a-z0-9]{2,4}",
)
_PHONES = ("1[2-9][0-9]{2}[2-9][0-9]{6}", "7[0-9]{10}", "44[0-9]{10}", "49[0-9]{10}", "[1-9][0-9]{6,14}")
_EMAIL = "^[A-Za-z0-9._+-]{1,64}@[a-z0-9-]{1,30}(?:\\.[a-z0-9-]{1,30}){1,3}$"
_DAY = "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\\.[0-9]{1,6})?)?"
_ZONE = "(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])?"


def _years(last: int) -> str:
    """1970 to this one, as a pattern; a call cannot have begun later."""
    decades, year = divmod(last - 2000, 10)
    return f"(?:19[7-9][0-9]|20[0-{decades - 1}][0-9]|20{decades}[0-{year}])"


_MOMENT = f"^{_years(datetime.now(UTC).year)}-{_DAY}[T ]{_TIME}{_ZONE}$"


def _file_name(suffix: str) -> Json:
    spelled = "".join(f"[{letter}{letter.upper()}]" for letter in suffix)
    pattern = f"^(?!\\.){_PLAIN}*\\.{spelled}$"
    return {
        "type": "string",
        "maxLength": 200,
        "pattern": pattern,
        "description": f"a plain name that ends in .{suffix} and does not begin with a full stop",
    }


UPLOAD: Json = {
    "type": "object",
    "required": ["metadata_filename", "audios_filename"],
    "properties": {"metadata_filename": _file_name("csv"), "audios_filename": _file_name("zip")},
    "example": {"metadata_filename": "metadata.csv", "audios_filename": "audios.zip"},
}

_KEY: Json = {"type": "string", "minLength": 1, "maxLength": 1024}

PROCESS_UPLOAD: Json = {
    "type": "object",
    "required": ["metadata_key"],
    "anyOf": [{"required": ["audios_key"]}, {"required": ["audio_key"]}],
    "properties": {
        "metadata_key": _KEY | {"description": "as step 1 gave it"},
        "audios_key": _KEY | {"description": "step 1's `audio_key`"},
        "audio_key": _KEY | {"description": "the same under step 1's own name; one of the two is enough"},
    },
    "example": {
        "metadata_key": "kz/acme/0198c7a2-7a41-7c3e-9d52-3f1f0f6f7d11/metadata.csv",
        "audios_key": "kz/acme/0198c7a2-7a41-7c3e-9d52-3f1f0f6f7d11/audios.zip",
    },
}

_SCALARS: list[Json] = [
    {"type": "string", "maxLength": 1000, "pattern": "^[^\\u0000]*$"},
    {"type": "number", "minimum": -(2**53), "maximum": 2**53},
    {"type": "boolean"},
    {"type": "null"},
]

_CALL: Json = {
    "type": "object",
    "required": ["external_id", "audio_url", "user_email", "call_date"],
    "properties": {
        "external_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": f"^{_PRINTABLE}*[^\\u0000-\\u0020\\u007f-\\u00a0]{_PRINTABLE}*$",
            "description": "your own id of the call. Known already: linked, or tried again if it has failed",
        },
        "audio_url": {
            "type": "string",
            "maxLength": 8192,
            "pattern": f"^(?:{'|'.join(_URLS)})$",
            "description": "public or signed http(s) URL, or `s3://bucket/key` at a place that your tenant may read",
        },
        "user_email": {
            "type": "string",
            "maxLength": 254,
            "pattern": _EMAIL,
            "description": "who of yours made or took the call; a user is created where there is none",
        },
        "call_date": {
            "type": "string",
            "pattern": _MOMENT,
            "description": "ISO 8601, at most 24 hours ahead; without a zone it is in your tenant's, with a warning",
        },
        "contact_name": {"type": ["string", "null"], "maxLength": 255, "pattern": f"^{_PRINTABLE}*$"},
        "contact_phone": {
            "type": ["string", "null"],
            "pattern": f"^\\+(?:{'|'.join(_PHONES)})$",
            "description": "E.164 is recommended; what cannot be a number is kept as given, with a warning",
        },
        "contact_email": {
            "type": ["string", "null"],
            "maxLength": 254,
            "pattern": _EMAIL,
        },
        "direction": {"type": ["string", "null"], "enum": ["inbound", "outbound", None]},
        "duration": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "description": "seconds; compared with the recording",
        },
        "metadata": {
            "type": ["object", "null"],
            "maxProperties": MAX_METADATA_VALUES - 1,
            "propertyNames": {"maxLength": 100, "pattern": "^[^\\u0000]*$"},
            "additionalProperties": {"anyOf": _SCALARS},
            "description": "your own keys and values. `segment_type` chooses the checklist; `left_channel` and "
            "`right_channel` (operator or client) tell who speaks where",
        },
    },
}

_CALLS: Json = {"type": "array", "minItems": 1, "maxItems": MAX_CALLS, "uniqueItems": True, "items": _CALL}

BATCH_UPLOAD: Json = {
    "type": "object",
    "required": ["calls"],
    "properties": {
        "calls": {"type": "array", "minItems": 1, "maxItems": MAX_CALLS, "uniqueItems": True, "items": _CALL}
    },
    "example": {
        "calls": [
            {
                "external_id": "call_12345",
                "audio_url": "https://yourdomain.com/recordings/call1.mp3",
                "user_email": "agent@company.com",
                "contact_name": "John Doe",
                "contact_phone": "+15551234567",
                "contact_email": "john@example.com",
                "call_date": "2025-01-15T14:30:00Z",
                "direction": "outbound",
                "duration": 350,
                "metadata": {"campaign": "Q1 2025", "product": "Enterprise Plan"},
            },
            {
                "external_id": "call_12346",
                "audio_url": "s3://your-bucket/call2.mp3",
                "user_email": "agent2@company.com",
                "contact_name": "Jane Smith",
                "contact_phone": "+15559876543",
                "call_date": "2025-01-15T15:45:00Z",
                "direction": "inbound",
                "duration": 420,
            },
        ]
    },
}
