"""HubSpot's requests: one at a time through HubSpot's own SDK, and what its answers mean for a message.

Lives here: connections, timeouts, and our errors in the place of the SDK's. Does not: what is asked
(crm_hubspot.py), nor trying again (the outbox).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from aila_pipeline.errors import DeliveryFailed, DeliveryRefused

TIMEOUT_SECONDS = (5.0, 20.0)
"""To connect, and between two bytes of the answer."""

_PASSING = frozenset({408, 409, 423, 425, 429, 477})
"""Of the 4xx: too late, at the same time as another, locked, too early, too often, the account is being moved."""

_PROPERTY_CODES = frozenset({
    "INVALID_DATE", "INVALID_EMAIL", "INVALID_FLOAT", "INVALID_INTEGER", "INVALID_LONG", "INVALID_OPTION",
    "INVALID_OWNER_ID", "PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE", "REQUIRED_FIELD",
})  # fmt: skip
"""What HubSpot says of a single property, in the midst of a message that quotes the value."""


class Requests:
    """One account, opened by the token of a private app, at HubSpot's usual address or another."""

    def __init__(self, token: str, url: str | None = None, *, timeout: tuple[float, float] = TIMEOUT_SECONDS) -> None:
        self._token, self._url, self._timeout = token, url, timeout

    @cached_property
    def sdk(self) -> SimpleNamespace:
        """The parts of the SDK that are used, each with its connections. Imported late, as that takes a second."""
        import hubspot  # noqa: PLC0415
        from hubspot.crm import objects, owners, properties  # noqa: PLC0415
        from hubspot.crm.associations import v4  # noqa: PLC0415
        from urllib3 import Retry  # noqa: PLC0415

        # Without this, urllib3 tries three times. Nothing is sent on to another address.
        crm = hubspot.Client(access_token=self._token, host=self._url, retry=Retry(0, redirect=False)).crm
        return SimpleNamespace(
            objects=crm.objects.basic_api,
            batches=crm.objects.batch_api,
            searches=crm.objects.search_api,
            associations=crm.associations.v4.basic_api,
            owners=crm.owners.owners_api,
            properties=crm.properties.core_api,
            groups=crm.properties.groups_api,
            refusals=tuple(part.ApiException for part in (objects, owners, properties, v4)),
        )

    def ask(self, request: Callable[..., Any], *args: object, **options: object) -> Any:
        """HubSpot's answer to one request of `sdk`, as the SDK's model.

        Raises `DeliveryRefused` or `DeliveryFailed` in the place of the SDK's own errors, which quote what was sent.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - loaded with the SDK

        try:
            answer = request(*args, **options, _request_timeout=self._timeout)
            if answer is None or not isinstance(getattr(answer, "results", []), list):
                raise TypeError
        except self.sdk.refusals as answer:
            raise _error(answer.status, answer.headers or {}, answer.body) from None
        except HTTPError as failure:
            raise DeliveryFailed(f"HubSpot did not answer ({type(failure).__name__})") from None
        except (AttributeError, KeyError, TypeError, ValueError):
            # The SDK does not expect anything but JSON of the documented form.
            raise DeliveryFailed("HubSpot's answer cannot be read") from None
        return answer


def _error(status: int, headers: Mapping[str, str], body: str | None) -> DeliveryFailed | DeliveryRefused:
    """What an answer that is no success means for the message."""
    try:
        found = json.loads(body or "")
    except ValueError:
        found = None
    detail = told(status, found if isinstance(found, dict) else {})
    if 300 <= status < 500 and status not in _PASSING:
        return DeliveryRefused(detail, status=status)
    return DeliveryFailed(detail, status=status or None, retry_after_seconds=_retry_after(headers))


def told(status: int, body: Mapping[str, Any]) -> str:
    """HubSpot's status with its codes. Its messages quote what was sent and are left out."""
    fields = (body.get(name) for name in ("category", "subCategory", "errorType", "policyName"))
    known = [code for code in fields if isinstance(code, str) and re.fullmatch(r"[A-Z_]{3,60}", code)]
    known += sorted(set(re.findall(r"[A-Z_]+", str(body.get("message", "")))) & _PROPERTY_CODES)
    trace = str(body.get("correlationId", ""))
    known += [f"correlation {trace}"] if re.fullmatch(r"[0-9a-fA-F-]{36}", trace) else []
    return f"HubSpot answered {status}" + (f" ({', '.join(known)})" if known else "")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that HubSpot asks to wait: `Retry-After` if it says so, else the length of the limit's interval."""
    asked = str(headers.get("Retry-After", ""))
    if re.fullmatch(r"\d{1,6}", asked):
        return float(asked)
    interval = str(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds", ""))
    return float(interval) / 1000 if re.fullmatch(r"\d{1,8}", interval) else None
