"""CRM: what is told of a call to the system in which people keep their contacts.

Lives here: the port that every CRM's adapter offers, and finding an adapter by its name. Does not: any CRM
(crm_<name>.py, one file each; docs/crm.md shows how to add one), nor when to send and how often to try (the outbox).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Literal, Protocol
from urllib.parse import urlsplit

from aila_pipeline.errors import SettingInvalid

CONTACT, CALL, ASSOCIATION = "contact", "call", "association"
"""The kinds of remote ids that an adapter hands to `remember`."""

Remember = Callable[[str, str], None]
"""Keeps a remote id (kind, id) for good, before the next step is taken."""


@dataclass(frozen=True)
class CrmContact:
    """The person on the other side of a call. What tells who it is stays out of `repr`."""

    id: str
    """Ours; the same person has the same id in every call of a tenant."""
    phone: str | None = field(default=None, repr=False)
    """E.164, such as +77012345678."""
    email: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CrmCall:
    """One message to a CRM: what became of a call."""

    message_id: str
    """The outbox's; the same message has the same id each time it is sent."""
    call_id: str
    external_id: str | None = field(repr=False)
    status: Literal["completed", "failed"]
    """Whether the call was processed; the conversation itself took place either way."""
    started_at: datetime
    seconds: float | None
    direction: str | None
    score: float | None
    """0..100."""
    checklist: str | None
    summary: str | None = field(repr=False)
    """Already redacted."""
    error_code: str | None
    contact: CrmContact | None
    owner_email: str | None = field(repr=False)
    """Of the operator; the CRM's user with this address becomes the record's owner."""
    api_url: str | None = field(repr=False)
    """Where the call can be read in full."""


class Crm(Protocol):
    """One account of one CRM."""

    def sync(self, call: CrmCall, known: Mapping[str, str], remember: Remember) -> Mapping[str, str]:
        """Brings the CRM to what `call` tells: one contact, one record of the call, the two associated.

        `known` are the remote ids that earlier syncs of this call and this contact remembered, by kind. Each remote
        id is handed to `remember` as soon as it is there, so that a crash repeats as little as possible; all of them
        are returned. The same message again, also after a crash at any point, changes nothing.

        Raises `DeliveryRefused` if the CRM will never take it, `DeliveryFailed` if a later try may help. Does not try
        again by itself, and logs nothing of the call.
        """
        ...


def open_crm(kind: str, *, token: str, url: str | None = None) -> Crm:
    """The adapter of this name for the account that the token opens; `url` stands in for the CRM's usual address.

    Raises `SettingInvalid` for a name that no adapter has, an empty token, and an address to which the token would go
    unencrypted over a network.
    """
    if kind not in _KINDS:
        raise SettingInvalid(f"there is no CRM adapter of this name; known are {', '.join(sorted(_KINDS))}")
    if not token.strip():
        raise SettingInvalid("a CRM needs a token")
    if url is not None and not _safe_for_a_token(url):
        raise SettingInvalid("a CRM's address begins with https:// (http:// to this machine alone)")
    return _KINDS[kind](token, url)


def _safe_for_a_token(url: str) -> bool:
    """Whether nobody on the way can read what is sent there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and (host == "localhost" or _loopback(host))


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _hubspot(token: str, url: str | None) -> Crm:
    from aila_pipeline.adapters.crm_hubspot import HubSpot  # noqa: PLC0415 - a CRM that is not used is not loaded

    return HubSpot(token, url)


_KINDS: dict[str, Callable[[str, str | None], Crm]] = {"hubspot": _hubspot}
"""Each CRM by its name."""
