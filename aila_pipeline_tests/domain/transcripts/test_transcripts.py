"""Insights and scores are those that a person worked out from the definitions, call by call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aila_pipeline.domain.insights import Insights, analyse, metric, metric_names
from aila_pipeline.domain.models import Role
from aila_pipeline.domain.scoring import ItemScore, score
from aila_pipeline_tests.domain.transcripts.reading import Call, all_calls

CALLS = all_calls()
JUDGED = [call for call in CALLS if call.checklist is not None]


def shown(calls: list[Call]) -> list[Any]:
    """The calls as parameters, each under its name."""
    return [pytest.param(call, id=call.name) for call in calls]


def expected(call: Call) -> Iterator[tuple[str, Any]]:
    """The call's figures by dotted name."""
    for name, value in call.figures.items():
        if isinstance(value, list):
            yield from ((f"{name}.{role}", of) for role, of in zip(Role, value, strict=False))
        else:
            yield name, value


def found(insights: Insights, name: str) -> Any:
    """The figure as the calls write it."""
    if name == "keywords":
        return [(keyword.text, keyword.count) for keyword in insights.keywords]
    return metric(insights, name)


def as_written(item: ItemScore) -> str:
    """A verdict as the calls write it, such as `fail 20 i do not know, 24.5 calm down`."""
    places = ", ".join(f"{round(place.start, 3):g} {place.quote}" for place in item.evidence)
    return f"{item.verdict} {places}".strip()


@pytest.mark.parametrize("call", shown([call for call in CALLS if call.figures]))
def test_the_figures_are_those_worked_out_by_hand(call: Call) -> None:
    insights = analyse(call.transcript)
    wanted = {name: list(value.items()) if name == "keywords" else value for name, value in expected(call)}
    assert {name: found(insights, name) for name in wanted} == wanted


@pytest.mark.parametrize("call", shown(JUDGED))
def test_the_verdicts_are_those_worked_out_by_hand(call: Call) -> None:
    assert call.checklist is not None
    judged = score(call.transcript, analyse(call.transcript), call.checklist)
    assert {item.id: as_written(item) for item in judged.items} == call.verdicts
    assert judged.total == call.score


def test_the_calls_are_many_and_each_figure_was_worked_out_several_times() -> None:
    assert len(CALLS) >= 60
    assert len({call.name for call in CALLS}) == len(CALLS)
    assert {call.transcript.language for call in CALLS} >= {"en", "ru"}
    told = [name for call in CALLS for name, _ in expected(call)]
    for name in metric_names() - {f"{figure}.unknown" for figure in Insights.model_fields}:
        assert told.count(name) >= 3, name
