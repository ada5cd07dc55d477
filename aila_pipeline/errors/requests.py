"""Why a request to the API is refused. Nothing was changed by a request that was refused.

Lives here: the refusals that are the API's own, with the HTTP status of each. Does not: a submission whose content is
refused, which every door refuses alike (submissions.py); the envelopes (api/envelopes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aila_pipeline.errors.base import AilaError


class RequestRefused(AilaError):
    """`http_status` is the answer's status; `details` says more, by row or index and field, and never quotes input.

    `words`: what a contract prints as the message of this very error.
    """

    http_status: ClassVar[int] = 400

    def __init__(self, detail: str = "", details: Mapping[str, Any] | None = None, *, words: str | None = None) -> None:
        self.details, self._words = dict(details or {}), words
        super().__init__(detail)

    @property
    def message(self) -> str:
        """The contract's own words where it has any."""
        return super().message if self._words is None else self._words


class RequestUnreadable(RequestRefused):
    code, what = "INVALID_JSON", "the body cannot be read"
    advice = "send one JSON object in UTF-8"


class RequestContradictory(RequestRefused):
    code, what = "BAD_REQUEST", "the request contradicts itself"
    advice = "mend it and send it again"


class Unauthenticated(RequestRefused):
    http_status = 401
    code, what = "UNAUTHORIZED", "no valid API key"
    advice = "send the header `Authorization: Bearer YOUR_API_KEY` with a key that is not revoked"


class UploadForbidden(RequestRefused):
    http_status = 403
    code, what = "UPLOAD_FORBIDDEN", "this URL does not allow this upload"
    advice = "PUT with the content type it was issued for, within its time; or ask for new URLs"


class NotFound(RequestRefused):
    http_status = 404
    code, what = "NOT_FOUND", "there is nothing of this name here"
    advice = "check the address and the ids in it"


class MethodNotAllowed(RequestRefused):
    http_status = 405
    code, what = "METHOD_NOT_ALLOWED", "this address does not take this method"
    advice = "the header `Allow` names those that it takes"


class RequestInFlight(RequestRefused):
    http_status, retryable = 409, True
    code, what = "IDEMPOTENCY_KEY_IN_USE", "a request with this Idempotency-Key is being worked on"
    advice = "send it again in a moment"


class RequestTooLarge(RequestRefused):
    http_status = 413
    code, what = "PAYLOAD_TOO_LARGE", "the body is larger than this address takes"
    advice = "split it into several requests"


class RequestInvalid(RequestRefused):
    http_status = 422
    code, what = "VALIDATION_ERROR", "the request breaks a rule"
    advice = "mend what `details` lists and send it again"


class UploadMissing(RequestRefused):
    http_status = 422
    code, what = "UPLOAD_MISSING", "a file of this upload is not there"
    advice = "PUT both files to the URLs of step 1, then send step 3 again"


class IdempotencyKeyReused(RequestRefused):
    http_status = 422
    code, what = "IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key was used for another request"
    advice = "use a key of its own for each request"


class LimitReached(RequestRefused):
    """`limit` names it, like "batches per hour"; `retry_after_seconds` is when trying again can help.

    `most` is the limit's number, `left` how much of it is free: not enough for this request.
    """

    http_status, retryable = 429, True
    code, what = "RATE_LIMIT_EXCEEDED", "a limit is reached"
    advice = "wait as long as the header `Retry-After` says; nothing of this request was counted"

    def __init__(self, limit: str = "", retry_after_seconds: int = 60, *, most: int = 0, left: int = 0) -> None:
        self.retry_after_seconds, self.most, self.left = retry_after_seconds, most, left
        super().__init__(limit, {"limit": limit, "retry_after_seconds": retry_after_seconds})


class RequestFailed(RequestRefused):
    http_status = 500
    code, what = "INTERNAL_ERROR", "the program met a case in this request that it does not know"
    advice = "please report it with the header `X-Request-Id` of this answer"
