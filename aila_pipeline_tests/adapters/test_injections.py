"""People who speak to the machine: calls that give orders, and a model that obeys them.

Lives here: what must hold whatever a model was talked into. Does not: how well a model resists; that is the model's.
The calls are in injections.yaml.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.summarising import Summarised, Summariser
from aila_pipeline.domain.models import Transcript
from aila_pipeline.domain.summary import Question, Quote, Summary, prompt
from aila_pipeline.domain.summary.answer import PARTS
from aila_pipeline.domain.summary.costs import Prices
from aila_pipeline.domain.words import tokens
from aila_pipeline_tests.adapters.ledger.builders import a_call, a_worker, an_accepted_batch
from aila_pipeline_tests.adapters.openai_server import Asked, OpenAiServer, a_model, an_openai_server, good, truthful
from aila_pipeline_tests.domain.conversations import said

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("injections.yaml").read_text("utf-8"))
QUESTIONS = (Question(id="greets", text="Does the operator greet the client?"),)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("injections") / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    yield ledger
    ledger.close()
    shutil.rmtree(path.parent)


@pytest.fixture(scope="module")
def calls(ledger: Ledger) -> list[WorkCall]:
    accepted = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in range(len(CASES))))
    return a_worker(ledger, accepted.shards[0]).calls()


def spoken(case: dict[str, Any]) -> Transcript:
    """The call of a case, each line of a second."""
    lines = [line.partition(": ") for line in case["said"]]
    return said(*(f"{who} {n}.0-{n}.9: {words}" for n, (who, _, words) in enumerate(lines)))


def obeyed(case: dict[str, Any], asked: Asked) -> None:
    """Answers as the call orders, and again when it is asked to mend it."""
    if "says" in case:
        return asked.complete(case["says"])
    parts = dict(case["parts"])
    if "repeat_summary" in case:
        parts["summary"] *= case["repeat_summary"]
    return asked.complete(json.dumps(truthful(asked.data) | parts))


def read_by(server: OpenAiServer, ledger: Ledger, call: WorkCall, case: dict[str, Any]) -> Summarised:
    prices = Prices(Decimal(1), Decimal(1))
    summariser = Summariser(
        a_model(server), ledger.model_requests, prices=prices, budget=None, most_characters=60_000, pause_seconds=0.01
    )
    return summariser.summarise(call, spoken(case), QUESTIONS)


def quotes_of(summary: Summary) -> list[Quote]:
    """All evidence that a summary gives."""
    noted = (*summary.objections, *summary.commitments, *summary.next_steps)
    found = [each.evidence for each in noted]
    found += [each.evidence for each in summary.sentiment] + [each.evidence for each in summary.answers]
    found += [summary.resolution_evidence, summary.intent.evidence if summary.intent else None]
    return [quote for quote in found if quote is not None]


def texts_of(summary: Summary) -> str:
    return " ".join(
        [
            summary.summary or "",
            *summary.topics,
            summary.intent.text if summary.intent else "",
            *(each.text for each in [*summary.objections, *summary.commitments, *summary.next_steps]),
            *(each.reason for each in summary.sentiment),
        ]
    )


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 25
    assert all(("says" in case) != ("parts" in case) for case in CASES)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_model_that_obeys_the_call_gives_nothing_but_what_the_schema_and_the_transcript_allow(
    number: int, ledger: Ledger, calls: list[WorkCall]
) -> None:
    case = CASES[number]
    with an_openai_server(lambda asked: obeyed(case, asked)) as server:
        summary = read_by(server, ledger, calls[number], case).summary
    document = summary.model_dump(mode="json")
    assert Summary.model_validate(document) == summary
    assert set(document) == {*PARTS, "language_model", "resolution_evidence", "asked", "gaps"}
    heard = [tokens(turn.text) for turn in spoken(case).turns]
    for quote in quotes_of(summary):
        wanted = tokens(quote.quote)
        assert any(wanted == line[at : at + len(wanted)] for line in heard for at in range(len(line))), quote
    assert all(answer.evidence for answer in summary.answers if answer.verdict == "yes")
    assert {answer.item_id for answer in summary.answers} <= {"greets"}
    told = texts_of(summary)
    assert told.isprintable()
    assert not any(mark in told for mark in ("://", "www.", "<", "](", "document."))
    assert "one recorded phone call" not in json.dumps(document)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_an_order_in_a_call_is_sent_as_data_and_changes_no_rule(
    number: int, ledger: Ledger, calls: list[WorkCall]
) -> None:
    case = CASES[number]
    with an_openai_server(good) as server:
        made = read_by(server, ledger, calls[number], case)
    (asked,) = server.asked
    system, user = asked.body["messages"]
    assert system == {"role": "system", "content": prompt.RULES}
    assert user["role"] == "user"
    assert [line["words"] for line in asked.data["transcript"]] == [turn.text for turn in spoken(case).turns]
    assert set(asked.data) == {"questions", "omitted_lines", "transcript"}
    assert made.summary.gaps == ()


def test_calls_read_at_one_time_are_never_in_one_request(ledger: Ledger, calls: list[WorkCall]) -> None:
    with an_openai_server(good) as server, ThreadPoolExecutor(8) as pool:
        cases = [{"said": [f"client: I am canary{n}", "operator: hello"]} for n in range(len(calls))]
        found = list(pool.map(lambda pair: read_by(server, ledger, *pair), zip(calls, cases, strict=True)))
    for asked in server.asked:
        assert json.dumps(asked.body).count("canary") == 1
    for n, made in enumerate(found):
        assert {quote.quote for quote in quotes_of(made.summary)} <= {f"I am canary{n}", "hello"}


def test_a_server_that_mixes_up_its_clients_cannot_put_one_calls_words_into_another(
    ledger: Ledger, calls: list[WorkCall]
) -> None:
    first: list[dict[str, Any]] = []

    def mixed_up(asked: Asked) -> None:
        first.append(truthful(asked.data))
        asked.complete(json.dumps(first[0]))

    with an_openai_server(mixed_up) as server:
        read_by(server, ledger, calls[0], {"said": ["client: the secret of the first call is a canary"]})
        other = read_by(server, ledger, calls[1], {"said": ["client: I only want to know when you open"]})
    assert quotes_of(other.summary) == []
    assert other.summary.answers == ()
    assert other.summary.gaps
