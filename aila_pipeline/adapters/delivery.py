"""Delivery: takes messages of the outbox in hand, sends them, and notes what came of it.

Lives here: who is served when, by how many threads, and what a failure means for message and destination. Does not:
the life of a message in the ledger (ledger/outbox.py), what it tells (delivery_content.py), the ways to send it
(webhooks.py, crm.py).

Any number of deliveries may run on one ledger, and any of them may be killed at any moment: a message that was sent
and not noted is sent again under the same id. A slow receiver holds at most its own few threads, and one that fails
again and again is left alone for a while.
"""

from __future__ import annotations

import random
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from pathlib import Path

from aila_pipeline.adapters.crm import Crm, open_crm
from aila_pipeline.adapters.delivery_content import Content
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.destinations import REMOVED, Destination
from aila_pipeline.adapters.ledger.outbox import Message, Settled, Wanted
from aila_pipeline.adapters.webhooks import Webhooks
from aila_pipeline.domain.deliveries import WEBHOOK, Backoff
from aila_pipeline.errors import AilaError, DeliveryError, DeliveryFailed, DeliveryRefused, InfrastructureError
from aila_pipeline.settings import Settings

THREADS = 32
KEPT_FREE = 8
"""Threads that only a destination without any message in flight may take: slow ones leave them to the others."""

AT_ONCE_TO_A_WEBHOOK, AT_ONCE_TO_A_CRM = 4, 2
"""Messages in flight to one destination. HubSpot takes about ten requests a second, and a call costs three."""

CRM_CLAIM = timedelta(minutes=5)
"""Outlives the half dozen requests of one call, each with the longest patience of the adapter."""

_NOT_ABOUT_THE_MESSAGE = frozenset({401, 403})
"""A token that expired is no fault of the message, which will be taken when there is a new one."""

_POLL_SECONDS = 0.5

Counts = dict[str, Counter[str]]
"""By kind of destination: how many messages were `delivered`, `postponed` or given up as `dead`."""


class Delivery:
    """One worker on the outbox. `clock` tells the time by which messages are due."""

    def __init__(
        self,
        ledger: Ledger,
        webhooks: Webhooks,
        content: Content,
        backoff: Backoff,
        *,
        webhook_claim: timedelta = timedelta(minutes=1),
        crms: Callable[[Destination], Crm] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger, self._webhooks, self._content, self._backoff = ledger, webhooks, content, backoff
        self._webhook_claim, self._clock = webhook_claim, clock
        self._open_crm = crms or (lambda place: open_crm(place.kind, token=place.secret, url=place.url))
        self._token = uuid.uuid4().hex
        self._crms: dict[str, Crm] = {}
        self._in_flight: dict[Future[Settled], Destination] = {}
        self._served: dict[str, float] = {}

    @classmethod
    def from_settings(cls, ledger: Ledger, settings: Settings) -> Delivery:
        """As AILA_DELIVERY_* say."""
        return cls(
            ledger,
            Webhooks.from_settings(settings),
            Content(ledger, settings.api_url),
            Backoff(settings.delivery_tries, timedelta(seconds=settings.delivery_pause_seconds)),
            webhook_claim=timedelta(seconds=4 * settings.delivery_seconds),
        )

    def run(
        self, *, seconds: float, linger_seconds: float = 0.0, wanted: Callable[[str], bool] = lambda _kind: True
    ) -> Counts:
        """Deliver until nothing has been due for `linger_seconds`, or `seconds` are over; what is in flight is awaited.

        `wanted` chooses by kind of destination. Raises LedgerUnavailable; what is in hand then is claimed anew later.
        """
        counts: Counts = {}
        ends, quiet_since = time.monotonic() + seconds, time.monotonic()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="delivery") as pool:
            try:
                while True:
                    now = time.monotonic()
                    if now < ends:
                        self._start(pool, wanted)
                    if self._in_flight:
                        done, _ = wait(self._in_flight, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                        self._note(done, counts)
                        quiet_since = time.monotonic()
                    elif now >= ends or now - quiet_since >= linger_seconds:
                        return counts
                    else:
                        time.sleep(min(_POLL_SECONDS, linger_seconds))
            finally:
                # Whoever is interrupted still notes what has arrived, so that it is not sent twice.
                self._note(wait(self._in_flight).done, counts)

    def _start(self, pool: ThreadPoolExecutor, wanted: Callable[[str], bool]) -> None:
        """Fill free threads with messages that are due: one by one for whoever has the fewest in flight."""
        free = THREADS - len(self._in_flight)
        if free <= 0:
            return
        busy = Counter(place.id for place in self._in_flight.values())
        queue = [
            (busy[destination], self._served.get(destination, 0.0), destination, _at_once(kind))
            for destination, kind in self._ledger.outbox.due(now=self._clock())
            if wanted(kind) and busy[destination] < _at_once(kind)
        ]
        heapify(queue)
        rooms: Counter[str] = Counter()
        while queue and free > 0:
            held, served, destination, most = heappop(queue)
            if held and free <= KEPT_FREE:
                break
            rooms[destination] += 1
            free -= 1
            if held + 1 < most:
                heappush(queue, (held + 1, served, destination, most))
        self._serve(pool, rooms)

    def _serve(self, pool: ThreadPoolExecutor, rooms: Mapping[str, int]) -> None:
        """Take up to so many messages of each destination in hand, and send each in a thread of its own."""
        if not rooms:
            return
        now, places = self._clock(), self._ledger.destinations.named(list(rooms))
        wanted = [Wanted(each, room, now + self._claim_of(places[each])) for each, room in rooms.items()]
        self._served |= dict.fromkeys(rooms, time.monotonic())
        for message in self._ledger.outbox.claim(wanted, self._token, now=now):
            place = places[message.destination_id]
            self._in_flight[pool.submit(self._try, message, place)] = place

    def _claim_of(self, place: Destination) -> timedelta:
        return self._webhook_claim if place.kind == WEBHOOK else CRM_CLAIM

    def _note(self, done: Iterable[Future[Settled]], counts: Counts) -> None:
        """Settle what is done, all of it in one transaction."""
        places = {future: self._in_flight.pop(future) for future in done}
        settled = [future.result() for future in places]
        if not settled:
            return
        self._ledger.outbox.settle(settled, self._token, now=self._clock())
        for one, place in zip(settled, places.values(), strict=True):
            counted = "postponed" if one.state == "waiting" else one.state
            counts.setdefault(place.kind, Counter())[counted] += 1

    def _try(self, message: Message, place: Destination) -> Settled:
        """Send one message; in a thread of its own."""
        try:
            return Settled(message, "delivered", self._send(message, place))
        except InfrastructureError:
            raise
        except DeliveryRefused as error:
            if error.status in _NOT_ABOUT_THE_MESSAGE:
                return self._later(message, error)
            return Settled(message, "dead", _told(error), rest=self._backoff.rest)
        except AilaError as error:
            return self._later(message, error)
        except Exception as error:  # noqa: BLE001 - a case nobody thought of must not hold back the other messages
            # Not the error's own text: it may quote a call.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            case = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
            return self._later(message, DeliveryFailed(f"a case that the program does not know ({case})"))

    def _send(self, message: Message, place: Destination) -> str | None:
        """Send it; returns why there was nothing to send, if there was not."""
        if place.removed_at is not None:
            raise DeliveryRefused(REMOVED)
        if place.kind == WEBHOOK:
            body = self._content.body(message)
            self._webhooks.send(place.url or "", place.secret, message.id, body, now=datetime.now(UTC))
            return None
        call = self._content.crm_call(message)
        if call is None:
            return "nothing was told: the call's row was rejected"
        crm = self._crms.get(place.id) or self._crms.setdefault(place.id, self._open_crm(place))
        contact = [call.contact.id] if call.contact else []
        known = self._ledger.outbox.remembered(place.id, [call.call_id, *contact])
        crm.sync(call, known, partial(self._remember, place.id, call.call_id, call.contact.id if call.contact else ""))
        return None

    def _remember(self, destination: str, call_id: str, contact_id: str, kind: str, remote_id: str) -> None:
        subject = contact_id if kind == "contact" else call_id
        self._ledger.outbox.remember(destination, kind, subject, remote_id, now=self._clock())

    def _later(self, message: Message, error: AilaError) -> Settled:
        """Wait for the next try, or give up if that was the last."""
        seconds = error.retry_after_seconds if isinstance(error, DeliveryFailed) else None
        asked = timedelta(seconds=seconds) if seconds is not None else None
        chance = random.random()  # noqa: S311 - spreads load only
        pause = self._backoff.pause(message.tries + 1, asked=asked, chance=chance)
        rest = partial(self._backoff.rest, asked=asked)
        if pause is None:
            return Settled(message, "dead", f"{_told(error)}; tried {message.tries + 1} times", rest=rest)
        return Settled(message, "waiting", _told(error), self._clock() + pause, rest)


def _at_once(kind: str) -> int:
    return AT_ONCE_TO_A_WEBHOOK if kind == WEBHOOK else AT_ONCE_TO_A_CRM


def _told(error: AilaError) -> str:
    """Why it did not arrive, without the advice, which is the same for all."""
    return error.detail or (error.what if isinstance(error, DeliveryError) else error.message)
