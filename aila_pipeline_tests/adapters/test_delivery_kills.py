"""Deliveries that are killed with -9, to a receiver that fails 30 times in 100: once per id, in order per call.

`AILA_TEST_KILLS` says how often; the release was tested with 20.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.outbox_tables import outbox
from aila_pipeline.domain.deliveries import Notice
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.delivering import a_delivery
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, an_accepted_batch, run
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound
from aila_pipeline_tests.adapters.ledger.outbox_builders import a_webhook, messages
from aila_pipeline_tests.adapters.ledger.test_two_at_once import url_of
from aila_pipeline_tests.adapters.receiver import Receiver, a_receiver

KILLS = int(os.environ.get("AILA_TEST_KILLS", "3"))
CALLS = max(60, 12 * KILLS)
"""Enough messages for each worker to be in the midst of them when it is killed."""


def ended_again_and_again(ledger: Ledger) -> None:
    """Calls with up to three messages each: half of them fail once, a third of those twice."""
    names = [f"c-{n}" for n in range(CALLS)]
    accepted = an_accepted_batch(ledger, *(a_call(n, name) for n, name in enumerate(names)))
    shards = list(accepted.shards)
    for failing in (names[::2], names[::6], []):
        for shard in shards:
            run(ledger, shard, failing=dict.fromkeys(failing, AudioInvalid()))
        shards = ledger.batches.retry(accepted.batch_id, shard_size=100, now=NOW)


def assert_each_took_effect_once_and_in_order(ledger: Ledger, receiver: Receiver) -> None:
    written = {(row.id, row.event, row.subject_id, row.n) for row in messages(ledger)}
    paths = {path for path, _id, _body in receiver.effects}
    assert len(receiver.effects) == len({message for _path, message, _body in receiver.effects})
    assert {message for _path, message, _body in receiver.effects} == {message for message, *_ in written}
    by_id = {message: (event, subject, n) for message, event, subject, n in written}
    order: dict[tuple[str, str], list[int]] = defaultdict(list)
    for path, message, body in receiver.effects:
        event, subject, n = by_id[message]
        assert body["type"] == event
        assert body["data"]["call_id" if Notice(event).of_call else "batch_id"] == subject
        order[path, subject].append(n)
    assert len(order) == len(paths) * (CALLS + 1)
    assert all(first < second for found in order.values() for first, second in pairwise(found))
    assert {row.state for row in messages(ledger)} == {"delivered"}


def wait_for(receiver: Receiver, requests: int) -> None:
    """Until the receiver was asked so often; the worker is in the midst of it then."""
    ends = time.monotonic() + 120
    while len(receiver.requests) < requests:
        assert time.monotonic() < ends, "the worker does not deliver"
        time.sleep(0.01)


@pytest.mark.slow
def test_each_message_takes_effect_once_and_in_order_whoever_is_killed(ledger: Ledger) -> None:
    """Two destinations, one worker after the other, and what they were doing when they died is done again."""
    chance = random.Random(KILLS)
    with a_receiver() as receiver:
        receiver.faults = 0.3
        for path in ("/one", "/two"):
            receiver.secrets[path] = a_webhook(ledger, url=receiver.url(path)).secret
        ended_again_and_again(ledger)
        for _ in range(KILLS):
            command = [sys.executable, "-m", "aila_pipeline_tests.adapters.delivering", url_of(ledger), receiver.place]
            before = len(receiver.requests)
            with subprocess.Popen(command) as worker:
                wait_for(receiver, before + chance.randrange(1, 12))
                worker.send_signal(signal.SIGKILL)
        assert messages(ledger, outbox.c.state == "waiting"), "the last of them had something left to do"
        counts = a_delivery(ledger, receiver.place).run(seconds=240, linger_seconds=3)
        time.sleep(2)  # what a slow receiver is still doing
    assert counts["webhook"]["dead"] == 0
    assert len(receiver.requests) > len(receiver.effects), "some were sent more than once"
    assert_each_took_effect_once_and_in_order(ledger, receiver)
    assert_sound(ledger)
