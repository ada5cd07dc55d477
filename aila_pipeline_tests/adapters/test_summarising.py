"""Asking about calls: once, once more to mend, again after failures, within the budget, and no more than that."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from aila_pipeline.adapters.language_model import MOST_TOKENS, LanguageModel
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.model_tables import model_requests
from aila_pipeline.adapters.ledger.records import StageResult, WorkCall
from aila_pipeline.adapters.summarising import TRIES, Summariser, incomplete
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.summary import Gap, Question, Summary, prompt
from aila_pipeline.domain.summary.costs import Prices
from aila_pipeline_tests.adapters.ledger.builders import a_call, a_worker, an_accepted_batch, rows
from aila_pipeline_tests.adapters.openai_server import (
    Asked,
    Behaviour,
    OpenAiServer,
    a_model,
    an_openai_server,
    changed,
    good,
    hangs_up,
    in_turn,
    refuses,
    says,
    slowly,
)
from aila_pipeline_tests.domain.conversations import said

CALL = said(
    "operator 0.0-2.0: Good morning, how can I help?",
    "client 2.0-6.0: My card is 4111 1111 1111 1111 and my number is +7 701 123 45 67",
    "client 6.0-9.0: write to john.smith@example.com please, I want to cancel",
)
QUESTIONS = (Question(id="greets", text="Does the operator greet?"),)
INVENTED = {"line": 1, "words": "we will refund everything"}
PRICES = Prices(Decimal("2"), Decimal("8"))


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("summarising") / "template.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    ledger.close()
    return path


@pytest.fixture
def ledger(migrated: Path, tmp_path: Path) -> Iterator[Ledger]:
    shutil.copy(migrated, tmp_path / "ledger.db")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield ledger
    ledger.close()


def some_calls(ledger: Ledger, count: int = 1) -> list[WorkCall]:
    accepted = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in range(count)))
    return a_worker(ledger, accepted.shards[0]).calls()


def a_summariser(ledger: Ledger, model: LanguageModel | None, *, budget: Decimal | None = None) -> Summariser:
    return Summariser(
        model, ledger.model_requests, prices=PRICES, budget=budget, most_characters=60_000, pause_seconds=0.01
    )


def summarised(ledger: Ledger, server: OpenAiServer, *, timeout_seconds: float = 30.0) -> Summary:
    summariser = a_summariser(ledger, a_model(server, timeout_seconds=timeout_seconds))
    return summariser.summarise(some_calls(ledger)[0], CALL, QUESTIONS).summary


def test_a_good_answer_is_one_request_and_a_whole_summary(ledger: Ledger) -> None:
    with an_openai_server(good) as server:
        made = a_summariser(ledger, a_model(server)).summarise(some_calls(ledger)[0], CALL, QUESTIONS)
    assert len(server.asked) == made.usage.requests == 1
    assert made.summary.gaps == ()
    assert made.summary.language_model == "test-model"
    assert [(answer.item_id, answer.verdict) for answer in made.summary.answers] == [("greets", "yes")]
    (row,) = rows(ledger, model_requests)
    assert row.state == "answered"
    assert row.cost_micros == made.usage.cost_micros == 2 * row.prompt_tokens + 8 * row.completion_tokens > 0


def test_no_card_phone_or_address_reaches_the_server(ledger: Ledger) -> None:
    with an_openai_server(changed(summary="https://evil.example")) as server:  # so that it is asked to mend it, too
        summarised(ledger, server)
    assert len(server.asked) == 2
    for secret in ("4111", "1111", "701 123", "45 67", "john.smith", "example.com"):
        assert secret not in server.everything
    for mark in ("[card]", "[phone]", "[email]"):
        assert mark in server.everything


BAD: dict[str, Behaviour] = {
    "no JSON": says("Sure! The client called about a card."),
    "cut off": says('{"summary": "The', finish="length"),
    "too long": says("x" * 100_000),
    "a list": says("[]"),
    "nothing": says(None),
    "an invented quote": changed(commitments=[{"text": "Refund.", "quote": INVENTED}]),
    "an invented answer": changed(answers=[{"id": "greets", "verdict": "yes", "quote": INVENTED}]),
    "a broken part": changed(topics="cancelling"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_answer_is_mended_by_one_more_request(bad: Behaviour, ledger: Ledger) -> None:
    with an_openai_server(in_turn(bad, good)) as server:
        made = a_summariser(ledger, a_model(server)).summarise(some_calls(ledger)[0], CALL, QUESTIONS)
    assert made.summary.gaps == ()
    assert made.repaired
    assert made.usage.requests == len(server.asked) == 2
    *_, answer, order = server.asked[1].body["messages"]
    assert answer["role"] == "assistant"
    assert order["content"].startswith("Your answer breaks the rules:")


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_model_that_stays_bad_is_asked_twice_and_the_gap_is_told(bad: Behaviour, ledger: Ledger) -> None:
    with an_openai_server(bad) as server:
        found = summarised(ledger, server)
    assert len(server.asked) == 2
    assert found.gaps
    assert not any(gap.passing for gap in found.gaps)


def test_what_rests_on_invented_quotes_is_dropped_and_the_rest_is_kept(ledger: Ledger) -> None:
    with an_openai_server(BAD["an invented quote"]) as server:
        found = summarised(ledger, server)
    assert found.commitments == ()
    assert found.summary is not None
    assert found.gaps == (Gap.QUOTE_NOT_FOUND,)


def test_a_good_part_of_the_first_answer_is_not_lost_to_a_worse_second_one(ledger: Ledger) -> None:
    with an_openai_server(in_turn(BAD["an invented quote"], says("no"))) as server:
        found = summarised(ledger, server)
    assert found.summary is not None
    assert found.gaps == (Gap.QUOTE_NOT_FOUND,)


FAILING: dict[str, Behaviour] = {
    "busy": refuses(429, retry_after="0"),
    "broken": refuses(500),
    "dropped connections": hangs_up,
    "no completion": lambda asked: asked.answer(200, b"<html>"),
}


@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
def test_a_server_that_fails_for_a_while_is_asked_again(failing: Behaviour, ledger: Ledger) -> None:
    with an_openai_server(in_turn(failing, failing, good)) as server:
        assert summarised(ledger, server).gaps == ()
    assert len(server.asked) == 3


@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
def test_a_server_that_fails_for_ever_costs_a_bounded_number_of_requests(failing: Behaviour, ledger: Ledger) -> None:
    with an_openai_server(failing) as server:
        found = summarised(ledger, server)
    assert found == Summary(language_model="test-model", asked=prompt.digest(QUESTIONS), gaps=(Gap.MODEL_UNAVAILABLE,))
    assert len(server.asked) == TRIES
    assert {row.state for row in rows(ledger, model_requests)} == {"failed"}


def test_a_server_that_is_too_slow_keeps_the_most_it_may_have_billed(ledger: Ledger) -> None:
    with an_openai_server(slowly(2.0)) as server:
        assert summarised(ledger, server, timeout_seconds=0.2).gaps == (Gap.MODEL_UNAVAILABLE,)
    costs = [row.cost_micros for row in rows(ledger, model_requests)]
    assert len(costs) == TRIES
    assert min(costs) > 8 * MOST_TOKENS


def test_a_pause_that_the_server_asks_for_is_kept(ledger: Ledger) -> None:
    with an_openai_server(in_turn(refuses(429, retry_after="0.7"), good)) as server:
        began = time.monotonic()
        assert summarised(ledger, server).gaps == ()
        assert time.monotonic() - began >= 0.7


def test_a_server_that_asks_for_an_hour_is_not_waited_for(ledger: Ledger) -> None:
    with an_openai_server(refuses(429, retry_after="3600")) as server:
        began = time.monotonic()
        assert summarised(ledger, server).gaps == (Gap.MODEL_UNAVAILABLE,)
        assert time.monotonic() - began < 5
    assert len(server.asked) == 1


def test_a_server_that_is_down_is_left_alone_for_the_rest_of_the_shard(ledger: Ledger) -> None:
    with an_openai_server(refuses(503)) as server:
        summariser = a_summariser(ledger, a_model(server))
        found = [summariser.summarise(call, CALL, ()).summary.gaps for call in some_calls(ledger, 20)]
    assert found == [(Gap.MODEL_UNAVAILABLE,)] * 20
    assert len(server.asked) == 3 * TRIES


def test_a_wrong_key_is_tried_once(ledger: Ledger) -> None:
    with an_openai_server(refuses(401)) as server:
        summariser = a_summariser(ledger, a_model(server))
        for call in some_calls(ledger, 5):
            assert summariser.summarise(call, CALL, ()).summary.gaps == (Gap.MODEL_UNAVAILABLE,)
    assert len(server.asked) == 1


def test_one_good_answer_shows_that_the_server_is_there(ledger: Ledger) -> None:
    calls = some_calls(ledger, 9)
    down = [refuses(400)] * 2
    with an_openai_server(in_turn(good, *down, good, *down, good, *down)) as server:
        summariser = a_summariser(ledger, a_model(server))
        found = [bool(summariser.summarise(call, CALL, ()).summary.gaps) for call in calls]
    assert found == [False, True, True] * 3


def test_a_batch_never_costs_more_than_its_budget_and_says_where_it_ended(ledger: Ledger) -> None:
    calls = some_calls(ledger, 12)
    with an_openai_server(good) as server:
        probe = a_summariser(ledger, a_model(server)).summarise(calls[0], CALL, ()).usage
        spent = ledger.model_requests.of_batch(calls[0].batch_id).cost_micros
        most = 2 * 9_000 + 8 * MOST_TOKENS  # what a request of this length is taken for
        budget = Decimal(spent + most + 3 * probe.cost_micros) / 10**6
        summariser = a_summariser(ledger, a_model(server), budget=budget)
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda call: summariser.summarise(call, CALL, ()).summary.gaps, calls))
    assert ledger.model_requests.of_batch(calls[0].batch_id).cost_micros <= budget * 10**6
    assert set(found) == {(), (Gap.BUDGET_SPENT,)}


def test_nothing_is_sent_without_a_budget_to_pay_it(ledger: Ledger) -> None:
    with an_openai_server(good) as server:
        summariser = a_summariser(ledger, a_model(server), budget=Decimal("0.000001"))
        made = summariser.summarise(some_calls(ledger)[0], CALL, QUESTIONS)
    assert made.summary.gaps == (Gap.BUDGET_SPENT,)
    assert server.asked == []


def test_a_budget_that_ends_before_the_answer_is_mended_keeps_what_holds(ledger: Ledger) -> None:
    with an_openai_server(BAD["an invented quote"]) as server:
        first = a_summariser(ledger, a_model(server)).most_micros([json.dumps(["x" * 9_000])])
        summariser = a_summariser(ledger, a_model(server), budget=Decimal(first) / 10**6)
        made = summariser.summarise(some_calls(ledger)[0], CALL, QUESTIONS)
    assert len(server.asked) == 1
    assert made.summary.gaps == (Gap.QUOTE_NOT_FOUND, Gap.BUDGET_SPENT)
    assert made.summary.summary is not None


def test_tokens_that_the_server_does_not_count_cost_the_most(ledger: Ledger) -> None:
    def uncounted(asked: Asked) -> None:
        says("{}", usage={})(asked)

    with an_openai_server(uncounted) as server:
        made = a_summariser(ledger, a_model(server)).summarise(some_calls(ledger)[0], CALL, ())
    assert made.usage.cost_micros > 2 * 8 * MOST_TOKENS


def test_a_call_in_which_nobody_speaks_is_not_asked_about(ledger: Ledger) -> None:
    with an_openai_server(good) as server:
        made = a_summariser(ledger, a_model(server)).summarise(some_calls(ledger)[0], said(), QUESTIONS)
    assert made.summary == Summary(language_model="test-model", asked=prompt.digest(QUESTIONS))
    assert server.asked == []


def test_without_a_model_the_summary_says_so(ledger: Ledger) -> None:
    made = a_summariser(ledger, None).summarise(some_calls(ledger)[0], CALL, QUESTIONS)
    assert made.summary == Summary()
    assert rows(ledger, model_requests) == []


def test_who_stops_it_does_not_wait_for_pauses(ledger: Ledger) -> None:
    with an_openai_server(refuses(503, retry_after="50")) as server, ThreadPoolExecutor(1) as pool:
        summariser = a_summariser(ledger, a_model(server))
        asking = pool.submit(summariser.summarise, some_calls(ledger)[0], CALL, ())
        while not server.asked:
            time.sleep(0.01)
        summariser.stop()
        assert asking.result(timeout=5).summary.gaps == (Gap.MODEL_UNAVAILABLE,)


def test_each_request_is_told_as_progress(ledger: Ledger) -> None:
    told: list[int] = []
    with an_openai_server(in_turn(refuses(500), good)) as server:
        a_summariser(ledger, a_model(server)).summarise(some_calls(ledger)[0], CALL, (), lambda: told.append(1))
    assert len(told) == 2


def test_another_model_prompt_question_or_transcript_makes_a_summary_stale_and_nothing_else(ledger: Ledger) -> None:
    (call,) = some_calls(ledger)
    call.results[Stage.TRANSCRIPTS] = StageResult("t1", {}, 0.0)
    with an_openai_server(good) as server:
        version = a_summariser(ledger, a_model(server)).version(call, QUESTIONS)
        assert a_summariser(ledger, a_model(server), budget=Decimal(1)).version(call, QUESTIONS) == version
        assert a_summariser(ledger, a_model(server)).version(call, ()).id != version.id
        other = LanguageModel(base_url=server.url, api_key=None, model="other", timeout_seconds=1)
        assert a_summariser(ledger, other).version(call, QUESTIONS).made_by != version.made_by
        call.results[Stage.TRANSCRIPTS] = StageResult("t2", {}, 0.0)
        assert a_summariser(ledger, a_model(server)).version(call, QUESTIONS).id != version.id
    assert incomplete(version).id != version.id
    assert incomplete(version).made_by == version.made_by
    assert a_summariser(ledger, None).version(call, QUESTIONS).inputs == ()
