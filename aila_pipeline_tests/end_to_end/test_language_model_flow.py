"""Calls read by a language model on their way: the whole pipeline with a server beside it, good and bad.

Lives here: what becomes of calls, results, warnings, costs. Does not: what is asked and what of an answer is kept
(adapters/test_summarising.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from aila_pipeline.adapters.call_document import load_findings, whole_document
from aila_pipeline.api.documentation.answers import WholeCall
from aila_pipeline.demo.samples import samples
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.domain.words import tokens
from aila_pipeline_tests.adapters.openai_server import (
    KEY,
    Asked,
    Behaviour,
    OpenAiServer,
    an_openai_server,
    changed,
    good,
    in_turn,
    refuses,
    says,
)
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline

pytestmark = pytest.mark.slow

ASKS = """
id: asks
version: 1
title: What a model is asked
segments: ["*"]
items:
  - {id: greets, kind: question, title: Greets, ask: "Does the operator greet the client?"}
  - {id: rude, kind: question, title: Is not rude, ask: "Is the operator rude?", expect: "no"}
"""


@contextmanager
def read_by(server: OpenAiServer, tmp_path: Path, **settings: Any) -> Iterator[Pipeline]:
    """A pipeline whose calls the server reads, with a checklist that asks it two questions."""
    checklists = tmp_path / "checklists"
    checklists.mkdir(exist_ok=True)
    (checklists / "asks.yaml").write_text(ASKS, "utf-8")
    with a_pipeline(
        tmp_path / "home",
        checklists=checklists,
        llm_base_url=server.url,
        llm_model="test-model",
        **{"llm_api_key": KEY, "llm_prompt_price": "1", "llm_completion_price": "4", **settings},
    ) as pipeline:
        yield pipeline


def drop_samples(pipeline: Pipeline, *names: str) -> None:
    """Sample calls that the demo model understands."""
    pipeline.drop_calls({samples()[name].file: samples()[name].path.read_bytes() for name in names})


def results(pipeline: Pipeline, stage: Stage) -> list[dict[str, Any]]:
    """The stage's document of each call."""
    calls = pipeline.calls()
    found = pipeline.ledger.views.results([call.id for call in calls], stage)
    return [found[call.id][stage].document for call in calls]


def documents(pipeline: Pipeline) -> list[dict[str, Any]]:
    """The calls in full, as the API shows them."""
    tenant, shown = pipeline.ledger.tenants.ensure("kz", "acme"), []
    for view in pipeline.calls():
        call = pipeline.ledger.whole_calls.find(tenant.id, view.id)
        assert call is not None
        found = load_findings(pipeline.store, call.details, call.results)
        document = whole_document(call, found, dagster_url="http://localhost:3000")
        WholeCall.model_validate(document, strict=False)
        shown.append(document)
    return shown


def told(pipeline: Pipeline) -> dict[str, Any]:
    """Metadata of the newest materialization of `summaries`."""
    event = pipeline.instance.get_latest_materialization_event(dg.AssetKey("summaries"))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    """What became of the check on summaries."""
    (found,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "no_incomplete_summaries"]
    return found


def the_shard(pipeline: Pipeline) -> str:
    (shard,) = pipeline.instance.get_dynamic_partitions("shards")
    return shard


def no_honest(asked: Asked) -> None:
    """Answers truthfully; nobody is rude."""
    parts = {"answers": [{"id": "rude", "verdict": "no", "quote": None}]}
    greeting = asked.data["transcript"][0]
    quote = {"line": greeting["line"], "words": " ".join(greeting["words"].split()[:3])}
    parts["answers"].append({"id": "greets", "verdict": "yes", "quote": quote})  # type: ignore[dict-item]
    changed(**parts)(asked)


def test_sample_calls_are_read_scored_by_the_answers_and_shown_with_their_cost(tmp_path: Path) -> None:
    with an_openai_server(no_honest) as server, read_by(server, tmp_path) as pipeline:
        drop_samples(pipeline, "sales_01", "support_01", "sales_04")
        pipeline.run()
        assert [call.status for call in pipeline.calls()] == [CallStatus.COMPLETED] * 3
        assert [call.warnings for call in pipeline.calls() if "INSIGHTS_INCOMPLETE" in call.warnings] == []
        for document in documents(pipeline):
            spoken = [tokens(turn["text"]) for turn in document["transcript"]["turns"]]
            conversation = document["insights"]["conversation"]
            wanted = tokens(conversation["intent"]["evidence"]["quote"])
            assert any(wanted == turn[at : at + len(wanted)] for turn in spoken for at in range(len(turn)))
            assert conversation["language_model"] == "test-model"
            assert conversation["gaps"] == []
            assert conversation["usage"]["requests"] == 1
            assert conversation["usage"]["cost"] > 0
            assert document["score"]["total"] == 100.0
            assert [item["verdict"] for item in document["score"]["items"]] == ["pass", "pass"]
        shown = told(pipeline)
        assert (shown["calls/done"], shown["model/requests"], shown["calls/incomplete"]) == (3, 3, 0)
        assert shown["model/cost"] == pipeline.ledger.model_requests.of_batch(pipeline.the_batch().id).cost
        report = pipeline.store.read(f"_aila/batches/{pipeline.the_batch().id}/report.html").decode()
        assert "The client asked for help and the operator answered." in report


def test_without_a_server_the_call_says_so_and_costs_nothing(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    (document,) = documents(pipeline)
    assert document["insights"]["conversation"] == {"language_model": None}
    assert document["warnings"] == []
    assert told(pipeline)["calls/without_model"] == 1
    again = pipeline.execute("process", the_shard(pipeline))
    (event,) = again.asset_materializations_for_node("summaries")
    assert event.metadata["calls/current"].value == 1


BAD: dict[str, Behaviour] = {
    "down": refuses(503),
    "forbidden": refuses(401),
    "no JSON": says("Sure!"),
    "invented quotes": changed(
        intent={"text": "Insult.", "quote": {"line": 1, "words": "nobody ever said this"}}, answers=[]
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_model_never_fails_a_call(bad: Behaviour, tmp_path: Path, speech: bytes) -> None:
    with an_openai_server(bad) as server, read_by(server, tmp_path) as pipeline:
        pipeline.drop_calls({"one.flac": speech})
        pipeline.run()
        (call,) = pipeline.calls()
        assert call.status is CallStatus.COMPLETED
        assert "INSIGHTS_INCOMPLETE" in call.warnings
        (score,) = results(pipeline, Stage.SCORES)
        assert {item["verdict"] for item in score["items"]} == {"not_answered"}
        assert pipeline.differences() == []


def test_calls_that_found_the_server_down_are_read_by_the_next_run_of_their_shard_alone(
    tmp_path: Path, speech: bytes
) -> None:
    behaviour = in_turn(refuses(401), no_honest)
    with an_openai_server(behaviour) as server, read_by(server, tmp_path) as pipeline:
        pipeline.drop_calls({"one.flac": speech})
        pipeline.run()
        assert results(pipeline, Stage.SUMMARIES)[0]["gaps"] == ["model_unavailable"]
        again = pipeline.execute("process", the_shard(pipeline))
        assert check(again).passed
        (document,) = documents(pipeline)
        assert "INSIGHTS_INCOMPLETE" not in document["warnings"]
        assert document["score"]["total"] == 100.0
        (event,) = again.asset_materializations_for_node("transcripts")
        assert event.metadata["calls/current"].value == 1
        pipeline.execute("process", the_shard(pipeline))
        assert len(server.asked) == 2
        assert len(pipeline.events("call")) == 1


def test_an_incomplete_summary_shows_in_the_check_with_its_reason(tmp_path: Path, speech: bytes) -> None:
    with an_openai_server(good) as server, read_by(server, tmp_path, llm_batch_budget="0.000001") as pipeline:
        pipeline.drop_calls({"one.flac": speech})
        pipeline.run()
        found = check(pipeline.execute("process", the_shard(pipeline)))
        assert not found.passed
        assert found.metadata["gap/budget_spent"].value == 1
        assert server.asked == []


def test_changed_questions_are_asked_and_the_rest_is_not_read_again(tmp_path: Path, speech: bytes) -> None:
    with an_openai_server(no_honest) as server, read_by(server, tmp_path) as pipeline:
        pipeline.drop_calls({"one.flac": speech})
        pipeline.run()
        path = tmp_path / "checklists" / "asks.yaml"
        path.write_text(ASKS.replace("title: Greets", "title: Says hello"), "utf-8")
        pipeline.execute("process", the_shard(pipeline))
        assert len(server.asked) == 1
        path.write_text(ASKS.replace("Is the operator rude?", "Does the operator shout?"), "utf-8")
        pipeline.execute("process", the_shard(pipeline))
        assert len(server.asked) == 2
        assert server.asked[1].data["questions"][1]["question"] == "Does the operator shout?"


def test_re_scoring_asks_new_questions_once_and_no_others(tmp_path: Path, speech: bytes) -> None:
    with an_openai_server(no_honest) as server, read_by(server, tmp_path) as pipeline:
        pipeline.drop_calls({"one.flac": speech})
        pipeline.run()
        day = pipeline.the_batch().received_at.date().isoformat()
        path = tmp_path / "checklists" / "asks.yaml"

        def rescored() -> int:
            (told,) = pipeline.execute("rescore", day).asset_materializations_for_node("rescored")
            return int(told.metadata["calls/rescored"].value)  # type: ignore[arg-type]

        assert rescored() == 0
        path.write_text(ASKS.replace("title: Greets", "title: Says hello"), "utf-8")
        assert rescored() == 1
        assert len(server.asked) == 1
        path.write_text(ASKS.replace("Is the operator rude?", "Does the operator shout?"), "utf-8")
        assert [rescored(), rescored()] == [1, 0]
        assert [asked.data["questions"][1]["question"] for asked in server.asked[1:]] == ["Does the operator shout?"]
        assert {item["verdict"] for item in results(pipeline, Stage.SCORES)[0]["items"]} == {"pass"}


def test_a_server_that_is_back_answers_when_the_day_is_scored_again(tmp_path: Path, speech: bytes) -> None:
    with an_openai_server(refuses(503)) as server, read_by(server, tmp_path) as pipeline:
        pipeline.drop_calls({"one.flac": speech})
        pipeline.run()
        day = pipeline.the_batch().received_at.date().isoformat()
        server.behaviour = no_honest
        pipeline.execute("rescore", day)
        (document,) = documents(pipeline)
        assert document["insights"]["conversation"]["gaps"] == []
        assert document["score"]["total"] == 100.0
        assert document["warnings"] == []


def test_at_most_so_many_calls_are_asked_about_at_one_time(tmp_path: Path, speech: bytes) -> None:
    with an_openai_server(good) as server, read_by(server, tmp_path, llm_concurrency=2) as pipeline:
        pipeline.drop_calls({f"{n}.flac": speech for n in range(6)})
        pipeline.run()
        assert len(server.asked) >= 6
        assert server.most_at_once <= 2


def test_a_case_that_nobody_thought_of_is_a_gap_and_the_log_quotes_nothing(
    tmp_path: Path, speech: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    # No header can hold this key: the HTTP library raises what nobody expects, and would quote it.
    with an_openai_server(good) as server, read_by(server, tmp_path, llm_api_key="canary-ключ") as pipeline:
        pipeline.drop_calls({"one.flac": speech})
        pipeline.run()
        assert pipeline.calls()[0].status is CallStatus.COMPLETED
        assert results(pipeline, Stage.SUMMARIES)[0]["gaps"] == ["unexpected"]
        runs = pipeline.instance.get_runs()
        told_to_dagster = [str(entry) for run in runs for entry in pipeline.instance.all_logs(run.run_id)]
    assert any("UnicodeEncodeError" in entry for entry in told_to_dagster)
    assert "canary" not in caplog.text
    assert not any("canary" in entry for entry in told_to_dagster)
