"""Contract B's body as a model: what each field of a call may hold, in the contract's own words where it has any.

Lives here: the pydantic models and the words for each broken rule. Does not: JSON as such, rules between calls, or
what becomes of the whole (manifest.py). No message quotes a value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from aila_pipeline.domain.intake import fields
from aila_pipeline.domain.intake.sources import s3_url, web_url
from aila_pipeline.domain.models import Role

MAX_CALLS = 100
MAX_METADATA_DEPTH, MAX_METADATA_VALUES, MAX_METADATA_CHARACTERS = 5, 200, 16_000
_MAX_INTEGER = 2**63

WORDS: Mapping[str, str] = {
    "external_id": "external_id must be text of 1 to 255 characters without control characters",
    "audio_url": "audio_url must be a URL like https://host/file.mp3 or s3://bucket/key",
    "user_email": "user_email must be an e-mail address",
    "contact_name": "contact_name must be text of at most 255 characters without control characters",
    "contact_phone": "contact_phone must be text of at most 255 characters without control characters",
    "contact_email": "contact_email must be an e-mail address",
    "call_date": "call_date must be an ISO 8601 date and time, like 2025-01-15T14:30:00Z",
    "direction": "direction must be inbound or outbound",
    "duration": "duration must be positive number",
    "metadata": "metadata must be an object with at most 200 values, 16,000 characters and 5 levels",
}
"""What is wrong with a field of a wrong type or content; the words for `duration` are the contract's."""


@dataclass(frozen=True)
class Rules:
    """What the rules depend on besides the body."""

    zone: tzinfo
    now: datetime
    phone_region: str | None


def rules_of(info: ValidationInfo) -> Rules:
    """The rules that were handed to the validation as its context."""
    if not isinstance(info.context, Rules):
        raise TypeError("a manifest is validated with `context=Rules(…)`")
    return info.context


def _wrong(words: str) -> PydanticCustomError:
    """A broken rule with words of its own."""
    # Braces would be taken for a template by pydantic; these words have none.
    return PydanticCustomError("broken_rule", words)


def external_id(text: str) -> str | None:
    """The text if it can be a call's `external_id`."""
    valid = text.strip() and len(text) <= fields.MAX_TEXT_CHARACTERS and fields.printable(text)
    return text if valid else None


def _key(text: str) -> str:
    """An identifier is kept as it is: the client compares it with its own."""
    if external_id(text) is None:
        raise ValueError
    return text


def _url(text: str) -> str:
    """A file's or object's URL, scheme and host in lower case."""
    found = web_url(text) or s3_url(text)
    if found is None:
        raise ValueError
    return str(found)


def _email(text: str) -> str:
    """An address, trimmed."""
    if not fields.is_email(text.strip()):
        raise ValueError
    return text.strip()


def _optional_email(text: str | None) -> str | None:
    """An address, or nothing."""
    return _email(text) if text and text.strip() else None


def _name(text: str | None) -> str | None:
    """A name in one line, or nothing."""
    told = fields.one_line(text or "")
    if len(told) > fields.MAX_TEXT_CHARACTERS or not fields.printable(told):
        raise ValueError
    return told or None


def _phone(text: str | None, info: ValidationInfo) -> str | None:
    """A number in E.164, or as it was given where it cannot be one, or nothing."""
    if not text or not text.strip():
        return None
    number = fields.phone(text.strip(), rules_of(info).phone_region)
    if number is None:
        raise ValueError
    return number


def _date(value: object, info: ValidationInfo) -> fields.Moment:
    """When the call began."""
    rules = rules_of(info)
    told = fields.moment(value.strip(), rules.zone) if isinstance(value, str) else None
    if told is None:
        raise ValueError
    if not fields.plausible(told.at, rules.now):
        raise _wrong("call_date must not lie more than 24 hours in the future or before 1970")
    return told


def _direction(text: str | None) -> str | None:
    """Inbound, outbound or nothing."""
    if not text or not text.strip():
        return None
    told = fields.direction(text.strip())
    if told is None:
        raise ValueError
    return told.value


def _metadata(values: dict[str, Any] | None) -> dict[str, Any]:
    """Bounded in depth, number and length, so that it can be stored and shown; the roles in it must make sense."""
    found = values or {}
    if _weight(found, MAX_METADATA_DEPTH) > MAX_METADATA_VALUES or _length(found) > MAX_METADATA_CHARACTERS:
        raise ValueError
    channels = [_role(found, side) for side in ("left_channel", "right_channel")]
    if channels[0] is not None and channels[0] == channels[1]:
        raise _wrong("metadata.left_channel and metadata.right_channel must not be the same")
    return found


def _role(metadata: Mapping[str, Any], name: str) -> Role | None:
    """The role that the metadata give a channel; a value that is none is an error, lest roles be silently swapped."""
    told = metadata.get(name)
    if told is None:
        return None
    role = fields.role(told.strip()) if isinstance(told, str) else None
    if role is None:
        raise _wrong(f"metadata.{name} must be operator or client")
    return role


def _weight(value: object, depth: int) -> int:
    """How many values there are; ValueError for what lies too deep or cannot be stored."""
    if isinstance(value, dict | list):
        if depth == 0:
            raise ValueError
        children = value.values() if isinstance(value, dict) else value
        return 1 + sum(_weight(child, depth - 1) for child in children)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        raise ValueError
    return 1


def _length(value: object) -> int:
    """Characters of all texts and keys; ValueError for a NUL, which no database stores."""
    if isinstance(value, dict):
        return sum(_length(key) + _length(child) for key, child in value.items())
    if isinstance(value, list):
        return sum(map(_length, value))
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError
        return len(value)
    return 0


class ManifestCall(BaseModel):
    """One call of contract B's body, checked and normalised."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    external_id: Annotated[str, AfterValidator(_key)]
    audio_url: Annotated[str, AfterValidator(_url)]
    user_email: Annotated[str, AfterValidator(_email)]
    call_date: Annotated[fields.Moment, BeforeValidator(_date)]
    contact_name: Annotated[str | None, AfterValidator(_name)] = None
    contact_phone: Annotated[str | None, AfterValidator(_phone)] = None
    contact_email: Annotated[str | None, AfterValidator(_optional_email)] = None
    direction: Annotated[str | None, AfterValidator(_direction)] = None
    duration: Annotated[float, Field(gt=0)] | None = None
    metadata: Annotated[dict[str, Any] | None, AfterValidator(_metadata)] = None


class Manifest(BaseModel):
    """Contract B's body."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    calls: Annotated[list[ManifestCall], Field(min_length=1, max_length=MAX_CALLS)]
