"""The budget of a batch, and what asking a language model has cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.model_requests import LOST_AFTER, Usage
from aila_pipeline.adapters.ledger.model_tables import model_requests
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, a_worker, an_accepted_batch, rows
from aila_pipeline_tests.adapters.ledger.test_two_at_once import at_once

THREADS = 20


def some_calls(ledger: Ledger, count: int = 1, name: str = "c") -> list[WorkCall]:
    accepted = an_accepted_batch(ledger, *(a_call(n, f"{name}-{n}") for n in range(count)))
    return a_worker(ledger, accepted.shards[0]).calls()


def reserve(ledger: Ledger, call: WorkCall, most: int, budget: int | None = None) -> str | None:
    return ledger.model_requests.reserve(call, "m", most_micros=most, budget_micros=budget, now=NOW)


def test_a_budget_is_exact_however_many_ask_at_once(ledger: Ledger) -> None:
    calls = some_calls(ledger, THREADS)
    for round_number in range(3):  # a race that is lost once in three would not be seen in one
        got = at_once([partial(reserve, ledger, call, 10, 10 * (7 + 3 * round_number)) for call in calls])
        spent = ledger.model_requests.of_batch(calls[0].batch_id)
        assert spent.cost_micros == 10 * (7 + 3 * round_number)
        assert sum(request is not None for request in got) == (7 if round_number == 0 else 3)


def test_what_an_answer_cost_less_than_reserved_is_there_for_the_next(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    first = reserve(ledger, call, 100, 100)
    assert first is not None
    assert reserve(ledger, call, 60, 100) is None
    ledger.model_requests.answered(first, prompt_tokens=30, completion_tokens=10, cost_micros=40, now=NOW)
    assert reserve(ledger, call, 61, 100) is None
    assert reserve(ledger, call, 60, 100) is not None


def test_each_batch_has_its_own_budget(ledger: Ledger) -> None:
    (one,), (other,) = some_calls(ledger, name="a"), some_calls(ledger, name="b")
    assert reserve(ledger, one, 100, 100) is not None
    assert reserve(ledger, other, 100, 100) is not None


def test_without_a_budget_everything_is_noted_and_nothing_refused(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    assert all(reserve(ledger, call, 10**15) for _ in range(3))
    assert ledger.model_requests.of_batch(call.batch_id).requests == 3


def test_a_failed_request_costs_nothing_unless_it_may_have_been_billed(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    for billed in (False, True):
        request = reserve(ledger, call, 100)
        assert request is not None
        ledger.model_requests.failed(request, billed=billed, now=NOW)
    assert ledger.model_requests.of_batch(call.batch_id) == Usage(2, 0, 0, 100)


def test_a_dead_workers_reservation_keeps_its_cost_and_is_called_lost(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    request = reserve(ledger, call, 100, 100)
    assert request is not None
    assert ledger.model_requests.mark_lost(NOW + LOST_AFTER) == 0
    assert ledger.model_requests.mark_lost(NOW + LOST_AFTER + timedelta(seconds=1)) == 1
    assert [row.state for row in rows(ledger, model_requests)] == ["lost"]
    assert reserve(ledger, call, 1, 100) is None


def test_an_answer_that_comes_after_all_settles_the_lost_one(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    request = reserve(ledger, call, 100)
    assert request is not None
    ledger.model_requests.mark_lost(NOW + 2 * LOST_AFTER)
    ledger.model_requests.answered(request, prompt_tokens=3, completion_tokens=2, cost_micros=5, now=NOW)
    assert ledger.model_requests.of_batch(call.batch_id) == Usage(1, 3, 2, 5)


def test_a_settled_request_is_not_settled_again(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    request = reserve(ledger, call, 100)
    assert request is not None
    ledger.model_requests.answered(request, prompt_tokens=3, completion_tokens=2, cost_micros=5, now=NOW)
    ledger.model_requests.failed(request, billed=False, now=NOW)
    assert ledger.model_requests.of_batch(call.batch_id).cost_micros == 5


def test_usage_is_told_for_each_call_and_for_the_batch(ledger: Ledger) -> None:
    one, other, silent = some_calls(ledger, 3)
    for call, tokens in ((one, 10), (one, 20), (other, 5)):
        request = reserve(ledger, call, 100)
        assert request is not None
        ledger.model_requests.answered(
            request, prompt_tokens=tokens, completion_tokens=1, cost_micros=tokens * 2, now=NOW
        )
    of_call = ledger.model_requests.of_call
    assert [of_call(call.id) for call in (one, other, silent)] == [Usage(2, 30, 2, 60), Usage(1, 5, 1, 10), Usage()]
    assert ledger.model_requests.of_batch(one.batch_id) == Usage(3, 35, 3, 70)
    assert of_call(one.id).document() == {"requests": 2, "prompt_tokens": 30, "completion_tokens": 2, "cost": 0.00006}


def test_a_model_with_a_long_name_is_noted_all_the_same(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    assert ledger.model_requests.reserve(replace(call), "m" * 500, most_micros=1, budget_micros=None, now=NOW)
