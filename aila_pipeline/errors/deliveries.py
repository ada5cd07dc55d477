"""Failures of telling somebody else about a call: a webhook's receiver, a CRM.

Lives here: whether the receiver will never take the message, or may take it later. Does not: failures of the call
itself (calls.py); whatever a receiver answers, the call's status stays as it is.
"""

from __future__ import annotations

from aila_pipeline.errors.base import AilaError


class DeliveryError(AilaError):
    """A message did not arrive. The call it tells about is not touched.

    `status` is the HTTP status that the receiver answered with, None where it gave none.
    """

    def __init__(self, detail: str = "", *, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class DeliveryRefused(DeliveryError):
    """The receiver will not take this message, however often it is sent."""

    code, what = "DELIVERY_REFUSED", "the receiver refuses the message"
    advice = "check the receiver's address, token and settings, then send the message again"


class DeliveryFailed(DeliveryError):
    """The receiver could not take the message now. `retry_after_seconds` is what it asked for, None if nothing."""

    code, what, retryable = "DELIVERY_FAILED", "the receiver does not take the message now", True
    advice = "it is sent again by itself; check the receiver if that goes on"

    def __init__(
        self, detail: str = "", *, status: int | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(detail, status=status)
        self.retry_after_seconds = retry_after_seconds
