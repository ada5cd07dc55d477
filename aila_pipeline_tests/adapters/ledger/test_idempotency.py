"""Idempotency keys in the ledger: one right to answer per key, and the first answer for ever after (contracts, gap 24).

Lives here: claims and remembered answers. Does not: the header and the HTTP answers (api/test_idempotency.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.idempotency import CLAIM, Claim, Remembered
from aila_pipeline.adapters.ledger.submissions import Answering, Submitted
from aila_pipeline.adapters.ledger.tables import attempts, batches, idempotency_keys
from aila_pipeline.errors import IdempotencyKeyReused, LimitReached, RequestInFlight
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, a_tenant, rows
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound
from aila_pipeline_tests.adapters.ledger.submitting import ROOMY, an_access, submit
from aila_pipeline_tests.adapters.ledger.test_two_at_once import at_once

DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)
ANSWER = {"batch_id": "batch_1", "calls_submitted": 2}


def claim(
    ledger: Ledger, key: str = "k", request: str = "r", *, firm: str = "acme", now: datetime = NOW
) -> Claim | Remembered:
    return ledger.idempotency.claim(a_tenant(ledger, firm).id, key, request, now=now, remembered_for=DAY)


def claimed(ledger: Ledger, key: str = "k", request: str = "r", *, now: datetime = NOW) -> Claim:
    found = claim(ledger, key, request, now=now)
    assert isinstance(found, Claim)
    return found


def test_the_first_request_may_answer_and_the_next_gets_that_answer(ledger: Ledger) -> None:
    ledger.idempotency.remember(claimed(ledger), 200, ANSWER)
    for _ in range(2):
        assert claim(ledger) == Remembered(200, ANSWER)


def test_the_same_key_for_another_request_is_refused_answered_or_not(ledger: Ledger) -> None:
    mine = claimed(ledger)
    with pytest.raises(IdempotencyKeyReused):
        claim(ledger, request="other")
    ledger.idempotency.remember(mine, 200, ANSWER)
    with pytest.raises(IdempotencyKeyReused):
        claim(ledger, request="other")


def test_a_request_under_way_is_told_so(ledger: Ledger) -> None:
    claimed(ledger)
    with pytest.raises(RequestInFlight):
        claim(ledger, now=NOW + CLAIM)


def test_a_key_belongs_to_its_tenant(ledger: Ledger) -> None:
    ledger.idempotency.remember(claimed(ledger), 200, ANSWER)
    assert isinstance(claim(ledger, firm="globex"), Claim)


def test_a_released_key_is_as_if_it_had_never_been_used(ledger: Ledger) -> None:
    ledger.idempotency.release(claimed(ledger))
    assert rows(ledger, idempotency_keys) == []
    claimed(ledger, request="mended")


def test_releasing_leaves_an_answer_that_was_remembered(ledger: Ledger) -> None:
    mine = claimed(ledger)
    ledger.idempotency.remember(mine, 200, ANSWER)
    ledger.idempotency.release(mine)
    assert claim(ledger) == Remembered(200, ANSWER)


def test_a_claim_whose_process_died_runs_out_and_its_holder_can_write_nothing(ledger: Ledger) -> None:
    late = claimed(ledger)
    second = claimed(ledger, now=NOW + CLAIM + SECOND)
    with pytest.raises(RequestInFlight):
        ledger.idempotency.remember(late, 200, {"late": True})
    ledger.idempotency.release(late)
    ledger.idempotency.remember(second, 200, ANSWER)
    assert claim(ledger) == Remembered(200, ANSWER)


def test_an_answer_is_remembered_for_as_long_as_is_set(ledger: Ledger) -> None:
    ledger.idempotency.remember(claimed(ledger), 200, ANSWER)
    assert claim(ledger, now=NOW + DAY) == Remembered(200, ANSWER)
    assert isinstance(claim(ledger, request="another day", now=NOW + DAY + SECOND), Claim)


def test_old_keys_are_forgotten(ledger: Ledger) -> None:
    claimed(ledger, "old")
    claimed(ledger, "new", now=NOW + DAY)
    assert ledger.idempotency.forget(NOW + SECOND) == 1
    assert [row.key for row in rows(ledger, idempotency_keys)] == ["new"]


def submitting(ledger: Ledger, key: str | None) -> Callable[[], str]:
    """What one request does: claim, submit and answer in one transaction, else say why not."""
    access = an_access(ledger, **ROOMY)

    def request() -> str:
        mine = claim(ledger, key) if key is not None else None
        if isinstance(mine, Remembered):
            return str(mine.body["batch_id"])
        answering = Answering(mine, answer_of) if mine else None
        return submit(ledger, access, a_call(0, "c-0"), a_call(1, "c-1"), answering=answering).batch_id

    def patient() -> str:
        while True:
            try:
                return request()
            except RequestInFlight:
                continue

    return patient


def answer_of(submitted: Submitted) -> dict[str, object]:
    return {"batch_id": submitted.batch_id}


def test_fifty_threads_with_one_key_make_one_batch(ledger: Ledger) -> None:
    assert len(set(at_once([submitting(ledger, "k")] * 50))) == 1
    assert len(rows(ledger, batches)) == 1
    assert [row.n for row in rows(ledger, attempts)] == [1, 1]
    assert_sound(ledger)


def test_fifty_threads_without_a_key_make_fifty_batches_that_share_their_calls(ledger: Ledger) -> None:
    """Gap 20: each is a batch of its own, and each call is processed once."""
    assert len(set(at_once([submitting(ledger, None)] * 50))) == 50
    assert len(rows(ledger, batches)) == 50
    assert [row.n for row in rows(ledger, attempts)] == [1, 1]
    assert_sound(ledger)


def test_of_many_claimers_at_once_one_may_answer(ledger: Ledger) -> None:
    def ask() -> bool:
        try:
            return isinstance(claim(ledger), Claim)
        except RequestInFlight:
            return False

    assert sum(at_once([ask] * 16)) == 1


def test_a_batch_and_its_answer_are_written_together_or_not_at_all(ledger: Ledger) -> None:
    """The answer cannot be made: the batch is not there either, and its limits are free."""
    access = an_access(ledger, batches_per_hour=1)
    mine = claimed(ledger)

    def broken(_submitted: Submitted) -> dict[str, object]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        submit(ledger, access, answering=Answering(mine, broken))
    assert rows(ledger, batches) == []
    submitted = submit(ledger, access, answering=Answering(mine, answer_of))
    assert claim(ledger) == Remembered(200, {"batch_id": submitted.batch_id})


def test_a_submission_whose_claim_was_lost_leaves_nothing(ledger: Ledger) -> None:
    """It was so slow that another request took the key over; that one answers, and makes the only batch."""
    access, late = an_access(ledger), claimed(ledger)
    second = claimed(ledger, now=NOW + CLAIM + SECOND)
    with pytest.raises(RequestInFlight):
        submit(ledger, access, answering=Answering(late, answer_of))
    assert rows(ledger, batches) == []
    submit(ledger, access, answering=Answering(second, answer_of))
    assert len(rows(ledger, batches)) == 1


def test_a_refused_submission_leaves_the_claim_to_be_released(ledger: Ledger) -> None:
    access, mine = an_access(ledger, batches_per_hour=0), claimed(ledger)
    with pytest.raises(LimitReached):
        submit(ledger, access, answering=Answering(mine, answer_of))
    ledger.idempotency.release(mine)
    assert rows(ledger, idempotency_keys) == []


def test_forgetting_while_many_ask_harms_nothing(ledger: Ledger) -> None:
    forget = partial(ledger.idempotency.forget, NOW - SECOND)

    def use(number: int) -> str:
        ledger.idempotency.remember(claimed(ledger, f"k-{number}"), 200, {"n": number})
        return str(forget())

    assert set(at_once([partial(use, n) for n in range(16)])) == {"0"}
    assert claim(ledger, "k-7") == Remembered(200, {"n": 7})
