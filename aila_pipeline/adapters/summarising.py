"""Summarising: a call's transcript to a language model, and what holds of its answer back.

Lives here: when the model is asked, again, or no more; that each request is paid from the batch's budget; which version
of a summary is current. Does not: what is asked and what holds (domain/summary), one request (language_model.py).

Nothing of this fails a call: what is missing is a gap in its summary. The transcript is redacted before it leaves.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from aila_pipeline.adapters.analysis import roles
from aila_pipeline.adapters.language_model import MOST_TOKENS, LanguageModel, NoReply, Reply
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.model_requests import ModelRequests, Usage
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.domain import redaction, transcript
from aila_pipeline.domain.models import Transcript
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.summary import Gap, Question, Summary, answer, checking, prompt, reading
from aila_pipeline.domain.summary.costs import Prices, most_prompt_tokens
from aila_pipeline.domain.versions import Version
from aila_pipeline.settings import Settings

TRIES = 4
"""Requests for one answer, the first one included."""

LONGEST_PAUSE_SECONDS = 60.0
"""A server that asks for a longer one is not waited for: the call goes on without, and can be asked about later."""

CALLS_GIVEN_UP = 3
"""So many calls in a row without an answer, and the rest of the shard is not asked about: the server is down."""

Answered = tuple[checking.Checked, str]
"""What holds of an answer, and the answer."""


@dataclass(frozen=True)
class Summarised:
    """A call's summary and what it cost. `repaired`: the first answer was bad, the second is the one that was kept."""

    summary: Summary
    usage: Usage
    repaired: bool = False


class Summariser:
    """One model with one shard's worth of patience. Threads may share it; `stop` ends their waiting."""

    def __init__(
        self,
        model: LanguageModel | None,
        requests: ModelRequests,
        *,
        prices: Prices,
        budget: Decimal | None,
        most_characters: int,
        pause_seconds: float = 1.0,
    ) -> None:
        self.model, self._requests, self._prices = model, requests, prices
        self._budget_micros = None if budget is None else int(budget * 10**6)
        self._most_characters, self._pause_seconds = most_characters, pause_seconds
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._given_up = 0

    @classmethod
    def from_settings(cls, settings: Settings, ledger: Ledger) -> Summariser:
        """As AILA_LLM_* say."""
        return cls(
            LanguageModel.from_settings(settings),
            ledger.model_requests,
            prices=Prices(settings.llm_prompt_price, settings.llm_completion_price),
            budget=settings.llm_batch_budget,
            most_characters=settings.llm_transcript_characters,
        )

    def stop(self) -> None:
        """Nobody waits for answers any more: no request is begun, no pause goes on."""
        self._stopped.set()

    def close(self) -> None:
        """Give the connections to the server back, when all threads are done."""
        if self.model is not None:
            self.model.close()

    def version(self, call: WorkCall, questions: Sequence[Question]) -> Version:
        """Of this call's summary: without a model, of having none."""
        if self.model is None:
            return Version(Stage.SUMMARIES, f"summaries {prompt.VERSION} none", ())
        left, right = roles(call.details)
        turns = f"turns {transcript.VERSION} redaction {redaction.VERSION}"
        said = (call.results[Stage.TRANSCRIPTS].version, left, right, turns, str(self._most_characters))
        made_by = f"summaries {prompt.VERSION} {self.model.name[:100]}"
        return Version(Stage.SUMMARIES, made_by, (*said, self.model.name, prompt.digest(questions)))

    def summarise(
        self,
        call: WorkCall,
        said: Transcript,
        questions: Sequence[Question],
        on_progress: Callable[[], None] = lambda: None,
    ) -> Summarised:
        """Ask about one call: once, and once more to mend what is wrong. `on_progress` is called for every request."""
        if self.model is None:
            return Summarised(Summary(), Usage())
        redacted, _spans = redaction.redact_transcript(said)
        shown = reading.read(redacted, most_characters=self._most_characters)
        if not shown.lines:
            return Summarised(checking.empty(self.model.name, shown, questions), Usage())
        asking = _Asking(self, self.model, call, shown, tuple(questions), on_progress)
        first = asking.ask(prompt.messages(shown, questions))
        if isinstance(first, Gap):
            return Summarised(checking.empty(self.model.name, shown, questions, first), asking.usage)
        checked, text = first
        if not checked.complaints:
            return Summarised(checked.summary, asking.usage)
        mended = asking.ask(prompt.repair(prompt.messages(shown, questions), text, checked.complaints))
        best = checked if isinstance(mended, Gap) else checking.better(checked, mended[0])
        summary = best.summary
        if isinstance(mended, Gap):
            summary = summary.model_copy(update={"gaps": (*summary.gaps, mended)})
        return Summarised(summary, asking.usage, repaired=best is not checked)

    def reserve(self, call: WorkCall, model: str, most_micros: int) -> str | None:
        """A request's id, or None when the batch's budget does not reach for it."""
        return self._requests.reserve(
            call, model, most_micros=most_micros, budget_micros=self._budget_micros, now=datetime.now(UTC)
        )

    def settle(self, request_id: str, outcome: Reply | NoReply, most_micros: int) -> Usage:
        """Note what came of a request, and what it cost; tokens that the server did not count cost the most."""
        now = datetime.now(UTC)
        if isinstance(outcome, NoReply):
            self._requests.failed(request_id, billed=outcome.perhaps_billed, now=now)
            return Usage(1, 0, 0, most_micros if outcome.perhaps_billed else 0)
        read, written = outcome.prompt_tokens, outcome.completion_tokens
        cost = most_micros if read is None or written is None else self._prices.micros(read, written)
        self._requests.answered(request_id, prompt_tokens=read, completion_tokens=written, cost_micros=cost, now=now)
        return Usage(1, read or 0, written or 0, cost)

    def most_micros(self, texts: Sequence[str]) -> int:
        """What a request with these texts can cost."""
        return self._prices.micros(most_prompt_tokens(*texts), MOST_TOKENS)

    @property
    def gave_up(self) -> bool:
        """Whether the server is not asked any more."""
        return self._stopped.is_set() or self._given_up >= CALLS_GIVEN_UP

    def pause(self, seconds: float) -> None:
        """Wait, unless nobody waits any more."""
        self._stopped.wait(seconds)

    def pause_after(self, tries: int, told: float | None) -> float:
        """Before the next try: doubling, with some chance so that threads do not come back as one, or as told."""
        seconds = self._pause_seconds * float(2**tries) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return max(told or 0.0, seconds)

    def note(self, *, answered: bool, hopeless: bool = False) -> None:
        """Count the calls in a row that got no answer."""
        with self._lock:
            self._given_up = 0 if answered else self._given_up + (CALLS_GIVEN_UP if hopeless else 1)


@dataclass
class _Asking:
    """One call being asked about; `usage` grows with each request."""

    summariser: Summariser
    model: LanguageModel
    call: WorkCall
    shown: reading.Reading
    questions: tuple[Question, ...]
    on_progress: Callable[[], None]
    usage: Usage = field(default_factory=Usage)

    def ask(self, messages: Sequence[prompt.Message]) -> Answered | Gap:
        """The checked answer to this conversation, or why there is none."""
        reply = self._reply(messages)
        if isinstance(reply, Gap):
            return reply
        checked = checking.check(
            reply.text, model=self.model.name, reading=self.shown, questions=self.questions, cut_off=reply.cut_off
        )
        return checked, reply.text

    def _reply(self, messages: Sequence[prompt.Message]) -> Reply | Gap:
        schema = answer.schema(self.questions)
        # The schema goes twice: a server may count the one it is given beside the messages.
        texts = [*(message.content for message in messages), str(schema), str(schema)]
        most = self.summariser.most_micros(texts)
        hopeless = False
        for tries in range(TRIES):
            if self.summariser.gave_up:
                return Gap.MODEL_UNAVAILABLE
            request_id = self.summariser.reserve(self.call, self.model.name, most)
            if request_id is None:
                return Gap.BUDGET_SPENT
            outcome = self._sent(request_id, messages, schema, most)
            if isinstance(outcome, Reply):
                self.summariser.note(answered=True)
                return outcome
            hopeless = outcome.hopeless
            seconds = self.summariser.pause_after(tries, outcome.after_seconds)
            if not outcome.again or seconds > LONGEST_PAUSE_SECONDS or tries == TRIES - 1:
                break
            self.summariser.pause(seconds)
        self.summariser.note(answered=False, hopeless=hopeless)
        return Gap.MODEL_UNAVAILABLE

    def _sent(
        self, request_id: str, messages: Sequence[prompt.Message], schema: dict[str, object], most: int
    ) -> Reply | NoReply:
        """One request, settled whatever becomes of it."""
        outcome: Reply | NoReply = NoReply("ended by an error", perhaps_billed=True)
        try:
            outcome = self.model.ask(messages, schema)
        finally:
            self.usage += self.summariser.settle(request_id, outcome, most)
            self.on_progress()
        return outcome


def incomplete(version: Version) -> Version:
    """The version of a summary that lacks something for a passing reason: current never, so that it is asked again."""
    return replace(version, inputs=(*version.inputs, "incomplete"))
