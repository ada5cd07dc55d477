"""Re-reading: completed calls of which a checklist asks now what no language model has answered yet.

Lives here: which calls of a page are asked about, and asking. Does not: scoring them again (rescoring.py), the asking
itself (summarising.py).

Re-scoring goes over many calls and must cost nothing that it need not: a call is asked about only where a model is
configured, the call's checklist has questions, and its summary was asked others, or none, or found the server down.
A newer model, prompt or transcript alone is no reason; whoever wants that materializes `summaries` with aila/force.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import StageResult, WorkCall
from aila_pipeline.adapters.ledger.results import add_warnings, result_row
from aila_pipeline.adapters.summarising import Summarised, Summariser, incomplete
from aila_pipeline.domain.models import Warn
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.summary import Question, Summary, prompt
from aila_pipeline.errors import AilaError, ObjectMissing

Row = tuple[WorkCall, dict[str, Any]]


class Rereading:
    """One run's reading of pages of completed calls."""

    def __init__(
        self, ledger: Ledger, analysis: Analysis, summariser: Summariser, *, concurrency: int, run_id: str
    ) -> None:
        self._ledger, self._analysis, self._summariser = ledger, analysis, summariser
        self._concurrency, self._run_id = concurrency, run_id

    def read(self, page: Sequence[WorkCall], tell: Callable[[str], None]) -> tuple[list[WorkCall], list[Row]]:
        """The page with summaries that answer today's questions, and those that are new as rows.

        A call that cannot be read stays as it is, and `tell` is told which.
        """
        wanted = {call.id: questions for call in page if (questions := self._questions(call))}
        if not wanted:
            return list(page), []
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="language model") as pool:
            asked = [call for call in page if call.id in wanted]
            answers = pool.map(lambda call: self._asked(call, wanted, tell), asked)
            made = dict(zip((call.id for call in asked), answers, strict=True))
        found, rows = [], []
        for call in page:
            result = made.get(call.id)
            if result is None:
                found.append(call)
                continue
            summarised, seconds = result
            read, row = self._kept(call, summarised, wanted[call.id], seconds)
            found.append(read)
            rows.append((call, row))
        return found, rows

    def _questions(self, call: WorkCall) -> tuple[Question, ...]:
        """What is to be asked about the call; nothing where that is known or cannot be."""
        if self._summariser.model is None or Stage.TRANSCRIPTS not in call.results:
            return ()
        checklist = self._analysis.checklist(call)
        if checklist is None or not checklist.questions:
            return ()
        known = call.results.get(Stage.SUMMARIES)
        summary = Summary.model_validate(known.document) if known else Summary()
        asked = summary.asked == prompt.digest(checklist.questions)
        return () if asked and not any(gap.passing for gap in summary.gaps) else checklist.questions

    def _asked(
        self, call: WorkCall, wanted: dict[str, tuple[Question, ...]], tell: Callable[[str], None]
    ) -> tuple[Summarised, float] | None:
        began = time.perf_counter()
        try:
            made = self._summariser.summarise(call, self._analysis.transcript(call), wanted[call.id])
        except ObjectMissing:
            return None  # the re-scoring counts it
        except AilaError:
            raise
        except Exception as error:  # noqa: BLE001 - one odd call must not keep a whole day from its scores
            tell(f"{call.id}: {type(error).__name__} while a language model was asked; its answers stay as they are")
            return None
        return made, time.perf_counter() - began

    def _kept(
        self, call: WorkCall, made: Summarised, questions: Sequence[Question], seconds: float
    ) -> tuple[WorkCall, dict[str, Any]]:
        """The call with its new summary, and the row to keep it; its warning is set right."""
        version = self._summariser.version(call, questions)
        version = incomplete(version) if any(gap.passing for gap in made.summary.gaps) else version
        told = (Warn.INSIGHTS_INCOMPLETE,)
        added, withdrawn = (told, ()) if made.summary.gaps else ((), told)
        if bool(added) != (Warn.INSIGHTS_INCOMPLETE in call.warnings):
            self._ledger.database.write(lambda connection: add_warnings(connection, call.id, added, withdrawn))
        document = made.summary.model_dump(mode="json")
        results = call.results | {Stage.SUMMARIES: StageResult(version.id, document, seconds)}
        row = result_row(call.id, version, document, seconds=seconds, run_id=self._run_id)
        return replace(call, results=results), row
