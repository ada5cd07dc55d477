"""Which scores are stale, and that exactly those are made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.results import put_results, result_row
from aila_pipeline.adapters.ledger.tables import calls, stage_results
from aila_pipeline.adapters.rescoring import rescore, stale_makers
from aila_pipeline.defs.checks import stale_results
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.summary import Answer, Quote, Summary
from aila_pipeline.domain.versions import Version
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_tenant, rows
from aila_pipeline_tests.adapters.ledger.completed import (
    active,
    an_analysis,
    completed,
    imported,
    made_unreadable,
    yaml_of,
)

FILES = (yaml_of("general", segments=["*"]),)
DAY = NOW.date()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "objects")


class Scorer:
    """Re-scores all days with what is in force at that moment."""

    def __init__(self, ledger: Ledger, store: DirectoryStore) -> None:
        self.ledger, self.store = ledger, store
        self.files: tuple[str, ...] = FILES

    @property
    def analysis(self) -> Analysis:
        return an_analysis(self.ledger, self.store, *self.files)

    def run(self, *, run_id: str = "run", force: bool = False, days: int = 3) -> Counter[str]:
        last = DAY + timedelta(days=days)
        return rescore(
            self.ledger, self.analysis, first=DAY, last=last, run_id=run_id, force=force, tell=lambda _line: None
        )

    def stale(self) -> int:
        """How many scores are."""
        return self.ledger.results.stale(stale_makers(self.ledger, self.analysis))[Stage.SCORES]

    def days(self) -> list[date]:
        return self.ledger.results.stale_days(stale_makers(self.ledger, self.analysis), most=31)

    def made_in(self, run_id: str, stage: Stage = Stage.SCORES) -> set[str]:
        """The calls whose result of this stage was made by this run."""
        mine = (stage_results.c.run_id == run_id, stage_results.c.stage == stage)
        return {row.call_id for row in rows(self.ledger, stage_results, *mine)}

    def total(self, call_id: str) -> float | None:
        where = (stage_results.c.call_id == call_id, stage_results.c.stage == Stage.SCORES)
        (row,) = rows(self.ledger, stage_results, *where)
        total: float | None = row.document["total"]
        return total

    def warnings(self, call_id: str) -> list[str]:
        """What is warned of in this call."""
        (row,) = rows(self.ledger, calls, calls.c.id == call_id)
        return list(row.warnings)


@pytest.fixture
def scorer(ledger: Ledger, store: DirectoryStore) -> Scorer:
    return Scorer(ledger, store)


def test_a_changed_checklist_makes_exactly_the_scores_stale_that_used_it(ledger: Ledger, scorer: Scorer) -> None:
    """Two tenants with two checklists each, of the same ids; one of one tenant is changed."""
    acme, bolt = a_tenant(ledger, "acme"), a_tenant(ledger, "bolt")
    ids: dict[tuple[str, str], list[str]] = {}
    for tenant in (acme, bolt):
        for name in ("sales", "support"):
            active(ledger, tenant, name)
            ids[tenant.firm, name] = completed(ledger, scorer.store, tenant, [name, f" {name.upper()}"])
    assert scorer.run()["calls/rescored"] == 8
    assert (scorer.stale(), scorer.days()) == (0, [])
    active(ledger, acme, "sales", 2, phrase="good evening")
    assert (scorer.stale(), scorer.days()) == (2, [DAY])
    assert scorer.run(run_id="again") == Counter({"calls/seen": 8, "calls/rescored": 2})
    assert scorer.made_in("again") == set(ids["acme", "sales"])
    assert scorer.made_in("again", Stage.INSIGHTS) == set()
    assert [scorer.total(ids[firm, "sales"][0]) for firm in ("acme", "bolt")] == [0, 100]
    assert (scorer.stale(), scorer.days()) == (0, [])
    assert scorer.run(run_id="third")["calls/rescored"] == 0


def test_a_segment_that_gets_a_checklist_of_its_own_is_stale_and_its_neighbours_are_not(
    ledger: Ledger, scorer: Scorer
) -> None:
    """Both were scored by the same checklist, which is still in force for one of them."""
    tenant = a_tenant(ledger)
    sales, other = completed(ledger, scorer.store, tenant, ["sales", "other"])
    scorer.run()
    active(ledger, tenant, "sales")
    assert scorer.stale() == 1
    scorer.run(run_id="again")
    assert scorer.made_in("again") == {sales}
    ledger.checklists.deactivate(tenant, "sales")
    assert scorer.stale() == 1
    assert other not in scorer.made_in("again")


def test_a_checklist_of_another_release_keeps_no_other_call_from_its_score(ledger: Ledger, scorer: Scorer) -> None:
    """Neither another tenant's nor another segment's; its own calls keep the scores that they have."""
    acme, bolt = a_tenant(ledger, "acme"), a_tenant(ledger, "bolt")
    for tenant in (acme, bolt):
        for name in ("sales", "support"):
            active(ledger, tenant, name)
            completed(ledger, scorer.store, tenant, [name])
    scorer.run()
    made_unreadable(ledger, acme, "sales")
    assert scorer.stale() == 0
    active(ledger, acme, "support", 2, phrase="good evening")
    active(ledger, bolt, "sales", 2, phrase="good evening")
    assert (scorer.stale(), scorer.days()) == (2, [DAY])
    assert scorer.run() == Counter({"calls/seen": 4, "calls/rescored": 2, "calls/unusable_checklist": 1})
    told = stale_results(ledger, scorer.analysis)
    assert not told.passed
    assert told.metadata["unusable checklists"].value == ["acme/sales 1"]
    active(ledger, acme, "sales", 2, phrase="good evening")
    assert scorer.run()["calls/rescored"] == 1
    assert stale_results(ledger, scorer.analysis).passed


def test_a_call_without_checklist_is_stale_once_there_is_one(ledger: Ledger, scorer: Scorer) -> None:
    scorer.files = ()
    tenant = a_tenant(ledger)
    (call,) = completed(ledger, scorer.store, tenant, [None])
    scorer.run()
    assert (scorer.total(call), scorer.stale(), scorer.warnings(call)) == (None, 0, ["NO_CHECKLIST"])
    imported(ledger, tenant, "general")
    ledger.checklists.activate(tenant, "general", "1", ["*"], now=NOW)
    assert scorer.stale() == 1
    scorer.run()
    assert (scorer.total(call), scorer.warnings(call)) == (100, [])


def test_the_same_checklist_from_the_ledger_instead_of_a_file_makes_nothing_stale(
    ledger: Ledger, scorer: Scorer
) -> None:
    scorer.files = (yaml_of("sales"),)
    tenant = a_tenant(ledger)
    completed(ledger, scorer.store, tenant, ["sales"])
    scorer.run()
    active(ledger, tenant, "sales")
    assert scorer.stale() == 0


def test_a_changed_file_makes_stale_what_no_tenant_serves_by_itself(ledger: Ledger, scorer: Scorer) -> None:
    acme, bolt = a_tenant(ledger, "acme"), a_tenant(ledger, "bolt")
    active(ledger, acme, "sales")
    for tenant in (acme, bolt):
        completed(ledger, scorer.store, tenant, ["sales"])
    scorer.run()
    scorer.files = (yaml_of("general", 2, segments=["*"], phrase="hello"),)
    assert scorer.stale() == 1
    assert scorer.run()["calls/rescored"] == 1


def test_days_are_told_newest_first_and_only_completed_calls_count(ledger: Ledger, scorer: Scorer) -> None:
    tenant = a_tenant(ledger)
    for day in (0, 2):
        completed(ledger, scorer.store, tenant, ["sales"], now=NOW + timedelta(days=day))
    scorer.run()
    active(ledger, tenant, "sales")
    assert scorer.days() == [DAY + timedelta(days=2), DAY]
    failed = calls.update().where(calls.c.created_at > NOW).values(status="failed")
    ledger.database.write(lambda connection: connection.execute(failed))
    assert (scorer.stale(), scorer.days()) == (1, [DAY])


def test_only_the_chosen_days_are_scored_again(ledger: Ledger, scorer: Scorer) -> None:
    tenant = a_tenant(ledger)
    (early,) = completed(ledger, scorer.store, tenant, ["sales"])
    completed(ledger, scorer.store, tenant, ["sales"], now=NOW + timedelta(days=2))
    assert scorer.run(run_id="one day", days=1)["calls/seen"] == 1
    assert scorer.made_in("one day") == {early}


def test_force_makes_again_what_is_current(ledger: Ledger, scorer: Scorer) -> None:
    ids = completed(ledger, scorer.store, a_tenant(ledger), ["sales", "other"])
    scorer.run()
    assert scorer.run(run_id="forced", force=True)["calls/rescored"] == 2
    assert scorer.made_in("forced") == scorer.made_in("forced", Stage.INSIGHTS) == set(ids)


@pytest.mark.slow
def test_several_processes_find_what_one_finds(ledger: Ledger, scorer: Scorer) -> None:
    """Three pages: the first is done here, the others elsewhere; one recognition of each kind of page is gone."""
    tenant = a_tenant(ledger)
    ids = completed(ledger, scorer.store, tenant, ["sales", "support", None] * 30)
    active(ledger, tenant, "sales")
    for info in list(scorer.store.list("_aila/transcripts/"))[::40]:
        scorer.store.delete(info.key)
    found: list[list[tuple[str, str, object]]] = []
    for processes in (1, 2):
        counts = rescore(
            ledger,
            scorer.analysis,
            first=DAY,
            last=DAY,
            run_id=f"in {processes}",
            force=True,
            processes=processes,
            page_size=30,
            tell=lambda _line: None,
        )
        assert (counts["calls/seen"], counts["calls/rescored"], counts["calls/without_transcript"]) == (90, 87, 3)
        mine = rows(ledger, stage_results, stage_results.c.run_id == f"in {processes}")
        found.append([(row.call_id, row.stage, row.document) for row in mine])
    assert found[0] == found[1]
    assert len(found[0]) == 2 * (len(ids) - 3)


def test_a_call_whose_recognition_is_gone_keeps_its_score(ledger: Ledger, scorer: Scorer) -> None:
    tenant = a_tenant(ledger)
    gone, kept = completed(ledger, scorer.store, tenant, ["sales", "sales"])
    scorer.run()
    for info in list(scorer.store.list("_aila/transcripts/")):
        (row,) = rows(ledger, stage_results, stage_results.c.call_id == gone, stage_results.c.stage == "transcripts")
        if info.key == row.document["key"]:
            scorer.store.delete(info.key)
    active(ledger, tenant, "sales", phrase="good evening")
    counts = scorer.run(run_id="again")
    assert (counts["calls/rescored"], counts["calls/without_transcript"]) == (1, 1)
    assert (scorer.total(gone), scorer.total(kept)) == (100, 0)


def test_a_result_for_a_call_that_was_opened_again_meanwhile_is_left_out(ledger: Ledger, scorer: Scorer) -> None:
    tenant = a_tenant(ledger)
    completed(ledger, scorer.store, tenant, ["sales", "sales"])
    ((first, second),) = ledger.results.completed_on(DAY, DAY, Stage.TRANSCRIPTS)
    again = calls.update().where(calls.c.id == first.id).values(attempt=2)
    ledger.database.write(lambda connection: connection.execute(again))
    version = Version(Stage.SCORES, "test", ())
    put = [(call, result_row(call.id, version, {}, seconds=0, run_id="late")) for call in (first, second)]
    assert ledger.results.replace(put) == 1
    assert scorer.made_in("late") == {second.id}


def an_answered(ledger: Ledger, call_id: str, *answers: Answer) -> None:
    """Keep a language model's summary of the call."""
    summary = Summary(language_model="test", summary="They spoke.", answers=answers)
    version = Version(Stage.SUMMARIES, "model", tuple(answer.verdict for answer in answers))
    row = result_row(call_id, version, summary.model_dump(mode="json"), seconds=1, run_id="model")
    ledger.database.write(lambda connection: put_results(connection, [row]))


def test_a_question_counts_once_a_language_model_has_answered_it(ledger: Ledger, scorer: Scorer) -> None:
    question = '  - {id: polite, title: Is polite, kind: question, ask: "Is the operator polite?"}\n'
    scorer.files = (yaml_of("sales", phrase="good evening") + question,)
    (call,) = completed(ledger, scorer.store, a_tenant(ledger), ["sales"])
    scorer.run()
    assert scorer.total(call) == 0
    evidence = Quote(start=4, quote="good morning")
    an_answered(ledger, call, Answer(item_id="polite", verdict="yes", evidence=evidence))
    assert scorer.run(run_id="again")["calls/rescored"] == 1
    assert scorer.total(call) == 50
    assert scorer.run()["calls/rescored"] == 0


def test_an_answer_makes_nothing_stale_where_nothing_was_asked(ledger: Ledger, scorer: Scorer) -> None:
    (call,) = completed(ledger, scorer.store, a_tenant(ledger), ["sales"])
    scorer.run()
    an_answered(ledger, call)
    assert scorer.run()["calls/rescored"] == 0


def test_makers_are_told_once_each(ledger: Ledger, scorer: Scorer) -> None:
    segments: Sequence[str] = [f"segment {number}" for number in range(12)] * 2
    completed(ledger, scorer.store, a_tenant(ledger), segments)
    assert ledger.results.makers(Stage.SCORES) == []
    scorer.run()
    assert len(ledger.results.makers(Stage.SCORES)) == 12
    assert len(ledger.results.makers(Stage.INSIGHTS)) == 1
