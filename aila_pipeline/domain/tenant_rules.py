"""Tenant rules: what an operator may set for a tenant, told by name.

Lives here: reading `name=value` as settings, and refusing what could not work later. Does not: storing them (the
ledger), or which tenants there are.
"""

from __future__ import annotations

import codecs
import re
import zoneinfo
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from aila_pipeline.domain.intake.sources import s3_url
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.errors import SettingInvalid

_OPTIONAL = frozenset({"phone_region", "language", "hotwords", "initial_prompt"})
_LISTS = frozenset({"allowed_sources"})
_LANGUAGE = re.compile(r"[a-z]{2,3}")


def changed(settings: TenantSettings, wanted: Mapping[str, str]) -> TenantSettings:
    """The settings with these values in place of theirs; an empty value takes an optional one away.

    `allowed_sources` is a list with commas.

    Raises:
        SettingInvalid: no such setting, or a value that cannot work; names the setting and quotes no value.
    """
    unknown = [name for name in wanted if name not in TenantSettings.model_fields]
    if unknown:
        raise SettingInvalid(f"a tenant has no such setting; it has {', '.join(TenantSettings.model_fields)}")
    values = settings.model_dump() | {name: _read(name, text) for name, text in wanted.items()}
    try:
        found = TenantSettings.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        raise SettingInvalid(f"{problem['loc'][0]}: {problem['msg']}") from None
    for name, (good, rule) in _RULES.items():
        if name in wanted and not good(found):
            raise SettingInvalid(f"{name}: {rule}")
    return found


def _read(name: str, text: str) -> object:
    text = text.strip()
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return None if name in _OPTIONAL and not text else text


def _is_text_encoding(name: str) -> bool:
    try:
        # Only codecs between bytes and text: `rot13` and `zlib` are in the same register.
        return isinstance(b"a".decode(codecs.lookup(name).name), str)
    except (LookupError, ValueError):
        return False


def _is_region(name: str) -> bool:
    import phonenumbers  # noqa: PLC0415 - slow to import

    return name in phonenumbers.SUPPORTED_REGIONS


def _are_places(settings: TenantSettings) -> bool:
    return all(s3_url(f"{place.rstrip('/')}/a") is not None for place in settings.allowed_sources)


def _roles_differ(settings: TenantSettings) -> bool:
    return settings.left_channel != settings.right_channel


_RULES: Mapping[str, tuple[Callable[[TenantSettings], bool], str]] = {
    "timezone": (
        lambda settings: settings.timezone in zoneinfo.available_timezones(),
        "a time zone of the IANA database, like Asia/Almaty",
    ),
    "fallback_encoding": (lambda settings: _is_text_encoding(settings.fallback_encoding), "an encoding like cp1251"),
    "phone_region": (
        lambda settings: settings.phone_region is None or _is_region(settings.phone_region),
        "a country's two letters, like KZ, or nothing",
    ),
    "language": (
        lambda settings: settings.language is None or _LANGUAGE.fullmatch(settings.language) is not None,
        "a language's letters, like ru, or nothing",
    ),
    "allowed_sources": (_are_places, "places like s3://bucket/prefix, with commas between them"),
    "left_channel": (_roles_differ, "the two channels have two different roles"),
    "right_channel": (_roles_differ, "the two channels have two different roles"),
}
"""What the type alone does not hold, and the words for it."""
