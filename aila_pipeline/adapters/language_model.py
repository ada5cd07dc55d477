"""A language model behind any server that speaks OpenAI's chat completions, by OpenAI's own SDK.

Lives here: one request and what came of it. Does not: what is asked (domain/summary), trying again, what it may cost
(summarising.py), remembering (ledger/model_requests.py).

Servers differ in what they take: newer models refuse `max_tokens` or a temperature, older servers know no schemas. So a
refused request is sent in a simpler form, and the form that was taken is remembered. The SDK's own retries are off:
each request is paid for, and so each is counted by us. Nothing that was sent or answered goes into a log or message.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from aila_pipeline.domain.summary.prompt import Message
from aila_pipeline.settings import Settings

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, OpenAI

MOST_TOKENS = 4096
"""An answer that keeps all limits has about 3,000 in English; what is longer is cut off by the server."""

MOST_BYTES = 1024**2
"""Of an answer with its envelope. Ours are of 20 KB."""

_CONNECT_SECONDS = 10.0
_FORMS: tuple[Literal["json_schema", "json_object", "none"], ...] = ("json_schema", "json_object", "none")


@dataclass(frozen=True)
class Reply:
    """What the model wrote. Tokens are None where the server does not count them."""

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cut_off: bool


@dataclass(frozen=True)
class NoReply:
    """Why there is none.

    `again`: trying again can help, but not before `after_seconds`; `hopeless`: no other request will be answered too.
    """

    reason: str
    again: bool = False
    after_seconds: float | None = None
    perhaps_billed: bool = False
    hopeless: bool = False


@dataclass(frozen=True)
class _Dialect:
    """How a request is put."""

    form: Literal["json_schema", "json_object", "none"] = "json_schema"
    limit_name: str = "max_tokens"
    temperature: bool = True

    def simpler(self, refused_parameter: str | None) -> _Dialect | None:
        """What to try after this one was refused; None when there is nothing left to try."""
        if refused_parameter == self.limit_name == "max_tokens":
            return replace(self, limit_name="max_completion_tokens")
        if refused_parameter == "temperature" and self.temperature:
            return replace(self, temperature=False)
        at = _FORMS.index(self.form) + 1
        return replace(self, form=_FORMS[at]) if at < len(_FORMS) else None

    def arguments(self, messages: Sequence[Message], schema: dict[str, Any]) -> dict[str, Any]:
        """For the SDK."""
        told = [message.model_dump() for message in messages]
        if self.form != "json_schema":
            told[0]["content"] += f"\n\nThe schema:\n{json.dumps(schema)}"
        given: dict[str, Any] = {"messages": told, self.limit_name: MOST_TOKENS}
        if self.temperature:
            given["temperature"] = 0
        if self.form == "json_schema":
            named = {"name": "call_summary", "strict": True, "schema": schema}
            given["response_format"] = {"type": "json_schema", "json_schema": named}
        elif self.form == "json_object":
            given["response_format"] = {"type": "json_object"}
        return given


class LanguageModel:
    """One model of one server. Threads may share it."""

    def __init__(self, *, base_url: str, api_key: str | None, model: str, timeout_seconds: float) -> None:
        self.name = model
        self._base_url, self._api_key, self._timeout_seconds = base_url, api_key, timeout_seconds
        self._taken: _Dialect | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> LanguageModel | None:
        """As AILA_LLM_* say; None when no server is configured."""
        if settings.llm_base_url is None or settings.llm_model is None:
            return None
        key = settings.llm_api_key.get_secret_value().strip() if settings.llm_api_key else None
        return cls(
            base_url=settings.llm_base_url,
            api_key=key,
            model=settings.llm_model,
            timeout_seconds=settings.llm_timeout_seconds,
        )

    def ask(self, messages: Sequence[Message], schema: dict[str, Any]) -> Reply | NoReply:
        """One answer to this conversation, which the server is asked to give in the form of the schema."""
        from openai import APIConnectionError, APIStatusError  # noqa: PLC0415 - the SDK takes a second to import

        dialect: _Dialect | None = self._taken or _Dialect()
        outcome: Reply | NoReply = NoReply("refused")
        while dialect is not None:
            try:
                outcome = self._send(dialect.arguments(messages, schema))
            except APIStatusError as error:
                outcome = _refusal(error)
                taken = self._taken
                if error.status_code in {400, 422} and taken != dialect:
                    dialect = taken or dialect.simpler(_parameter(error))
                    continue
            except APIConnectionError as error:
                outcome = _no_connection(error)
            if isinstance(outcome, Reply):
                self._taken = dialect
            break
        return outcome

    def close(self) -> None:
        """Give its connections back."""
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> OpenAI:
        from openai import DefaultHttpxClient, OpenAI, Timeout  # noqa: PLC0415 - as above

        # At its most talkative the SDK logs requests; OPENAI_LOG must not be able to turn that on.
        logging.getLogger("openai").setLevel(logging.WARNING)
        client = OpenAI(
            base_url=self._base_url,
            # Servers without keys ignore it; without one the SDK would take OPENAI_API_KEY, which is another server's.
            api_key=self._api_key or "none",
            max_retries=0,
            # The redirect of a POST would carry the call to another host.
            http_client=DefaultHttpxClient(
                timeout=Timeout(self._timeout_seconds, connect=_CONNECT_SECONDS), follow_redirects=False
            ),
        )
        client.organization = client.project = None
        return client

    def _send(self, arguments: dict[str, Any]) -> Reply | NoReply:
        until = time.monotonic() + self._timeout_seconds
        create = self._client.chat.completions.with_streaming_response.create
        with create(model=self.name, **arguments) as response:
            body = _read(response.iter_bytes(), until)
        return body if isinstance(body, NoReply) else _reply(body)


class _Said(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


def _count(told: object) -> int | None:
    """What a server counted; what is no count was not counted."""
    return told if isinstance(told, int) and 0 <= told <= 10**8 else None


Count = Annotated[int | None, BeforeValidator(_count)]


class _Usage(BaseModel):
    prompt_tokens: Count = None
    completion_tokens: Count = None


class _Completion(BaseModel):
    """As much of an answer as we look at."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


def _read(blocks: Iterator[bytes], until: float) -> bytes | NoReply:
    """The body, as long as it is neither too long nor too slow."""
    body = bytearray()
    try:
        for block in blocks:
            body += block
            if len(body) > MOST_BYTES:
                return NoReply("the answer is far too long", perhaps_billed=True)
            if time.monotonic() > until:
                return NoReply("the answer came too slowly", again=True, perhaps_billed=True)
    except Exception as error:  # noqa: BLE001 - here the SDK passes on its HTTP library's own, which is not always the same
        return NoReply(f"the answer broke off ({type(error).__name__})", again=True, perhaps_billed=True)
    return bytes(body)


def _reply(body: bytes) -> Reply | NoReply:
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        return NoReply("the answer is no chat completion", again=True, perhaps_billed=True)
    first, usage = completion.choices[0], completion.usage
    return Reply(
        text=first.message.content or "",
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        cut_off=first.finish_reason == "length",
    )


def _refusal(error: APIStatusError) -> NoReply:
    """From the status alone: a body may quote what was sent."""
    status, reason = error.status_code, f"status {error.status_code}"
    if status in {408, 409, 425, 429} or status >= 500:
        after_seconds = _retry_after(error.response.headers.get("retry-after"))
        # A gateway that gave up waiting does not know whether the model went on writing.
        return NoReply(reason, again=True, after_seconds=after_seconds, perhaps_billed=status in {408, 502, 504})
    return NoReply(reason, hopeless=status in {401, 403, 404, 405} or status < 400)


def _retry_after(told: str | None) -> float | None:
    """Seconds; a date, which chat servers do not send, is not read."""
    try:
        seconds = float(told or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _parameter(error: APIStatusError) -> str | None:
    """The name of what the server did not take, where it says so."""
    return error.param if isinstance(error.param, str) else None


def _no_connection(error: APIConnectionError) -> NoReply:
    """Without a connection nothing was asked; after it broke, the server may have worked on an answer."""
    cause = type(error.__cause__).__name__
    connected = cause not in {"ConnectError", "ConnectTimeout", "PoolTimeout"}
    return NoReply(f"no answer ({cause})", again=True, perhaps_billed=connected)
