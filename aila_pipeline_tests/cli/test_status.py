"""`aila status`, `retry`, `report`: what is told about batches, and the exit codes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.domain.models import Priority
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, an_accepted_batch, received, run
from aila_pipeline_tests.cli.conftest import Aila


def test_an_empty_ledger_tells_how_to_begin(aila: Aila, home: Path) -> None:
    said = aila("status", "--home", home)
    assert said.code == 0
    assert "aila submit METADATA.csv AUDIOS.zip" in said.out
    assert aila("status", "--home", home, "--json").json == []


def test_batches_are_listed_newest_first_with_their_counts(aila: Aila, home: Path, ledger: Ledger) -> None:
    done = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    run(ledger, done.shards[0], failing={"b": AudioInvalid()})
    waiting = an_accepted_batch(ledger, a_call(0, "c"), priority=Priority.BACKFILL, now=NOW + timedelta(seconds=1))
    found = aila("status", "--home", home, "--json").json
    assert [each["batch_id"] for each in found] == [waiting.batch_id, done.batch_id]
    assert [each["status"] for each in found] == ["submitted", "partial"]
    assert (found[1]["processed"], found[1]["failed"], found[1]["pending"], found[1]["total_calls"]) == (1, 1, 0, 2)
    shown = aila("status", "--home", home)
    assert shown.code == 0
    assert f"{waiting.batch_id} waits to be admitted" in shown.out
    assert aila("status", "--home", home, "--json", "--limit", "1").json == found[:1]


@pytest.mark.parametrize("columns", ["80", "100", "160"])
def test_no_line_is_wider_than_the_screen_and_no_id_is_cut(
    aila: Aila, home: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    batch = received(ledger, name="a-very-long-name-of-a-drop-" * 5)
    monkeypatch.setenv("COLUMNS", columns)
    table = [line for line in aila("status", "--home", home).out.splitlines() if " waits " not in line]
    assert all(len(line) <= int(columns) for line in table)
    assert any(batch.id in line and "submitted" in line for line in table)


@pytest.mark.parametrize(("failing", "code"), [((), 0), (("b",), 3), (("a", "b"), 4)])
def test_the_exit_code_of_one_batch_is_its_status(
    aila: Aila, home: Path, ledger: Ledger, failing: tuple[str, ...], code: int
) -> None:
    batch = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    assert aila("status", batch.batch_id, "--home", home).code == 0, "not over yet"
    run(ledger, batch.shards[0], failing=dict.fromkeys(failing, AudioInvalid()))
    assert aila("status", batch.batch_id, "--home", home).code == code
    assert aila("status", batch.batch_id, "--home", home, "--json").code == code


def test_one_batch_tells_each_failure_once_with_what_to_do(aila: Aila, home: Path, ledger: Ledger) -> None:
    batch = an_accepted_batch(ledger, *(a_call(n, f"c{n}") for n in range(6)))
    run(ledger, batch.shards[0], failing={f"c{n}": AudioInvalid("not a sound in it") for n in (1, 2, 3, 5)})
    said = aila("status", batch.batch_id, "--home", home)
    (reason,) = [line for line in said.out.splitlines() if "not a sound in it" in line]
    assert reason.split()[:4] == ["4", "AUDIO_INVALID", "1-3,", "5"]
    assert said.out.count("send a wav") == 1
    calls = aila("status", batch.batch_id, "--home", home, "--json").json["calls"]
    assert [call["status"] for call in calls] == ["completed", *["failed"] * 3, "completed", "failed"]
    assert calls[1]["error"] == {"code": "AUDIO_INVALID", "message": AudioInvalid("not a sound in it").message} | {
        "retryable": False
    }


def test_many_calls_are_cut_unless_all_are_asked_for(aila: Aila, home: Path, ledger: Ledger) -> None:
    batch = an_accepted_batch(ledger, *(a_call(n, f"c{n}") for n in range(30)))
    short = aila("status", batch.batch_id, "--home", home, "--limit", "10").out
    assert "20 more; --limit 0 shows all" in short
    assert short.count("aila_") == 10
    assert aila("status", batch.batch_id, "--home", home, "--limit", "0").out.count("aila_") == 30
    assert len(aila("status", batch.batch_id, "--home", home, "--limit", "10", "--json").json["calls"]) == 30


def test_a_name_cannot_move_the_cursor(aila: Aila, home: Path, ledger: Ledger) -> None:
    """Names come from clients; what a terminal would obey is not passed on."""
    received(ledger, name="\x1b[2J\x1b]0;owned\x07[red]jan[/red]")
    shown = aila("status", "--home", home).out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]jan[/red]" in shown


def test_what_waits_in_the_drop_zone_is_shown(aila: Aila, home: Path) -> None:
    half, odd = home / "objects/inbox/kz/acme/half", home / "objects/inbox/kz/acme/odd"
    for folder, names in ((half, ["metadata.csv"]), (odd, ["a.csv", "b.csv"])):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text("x")
    said = aila("status", "--home", home).out
    assert "kz/acme/half" in said
    assert "waits for its other half" in said
    assert "kz/acme/odd" in said


def test_retry_opens_failed_calls_again(aila: Aila, home: Path, ledger: Ledger) -> None:
    batch = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    run(ledger, batch.shards[0], failing={"b": AudioInvalid()})
    said = aila("retry", batch.batch_id, "--home", home)
    assert said.code == 0
    assert f"1 call of {batch.batch_id} tried again, in 1 shard:" in said.out
    assert [call.attempt for call in ledger.views.calls_of(batch.batch_id)] == [1, 2]


def test_retry_says_which_rows_must_be_mended(aila: Aila, home: Path, ledger: Ledger) -> None:
    """A rejected row has nothing to be tried with; a retry alone would change nothing."""
    batch = an_accepted_batch(
        ledger, a_call(2, "a"), a_call(3, problem="ROW_INVALID"), a_call(4, problem="ROW_INVALID")
    )
    run(ledger, batch.shards[0])
    said = aila("retry", batch.batch_id, "--home", home)
    assert said.code == 1
    assert said.error == "2 rows cannot be tried again, the data must be mended: 3-4"


def test_retry_of_a_batch_without_failures_does_nothing(aila: Aila, home: Path, ledger: Ledger) -> None:
    batch = an_accepted_batch(ledger, a_call(0, "a"))
    said = aila("retry", batch.batch_id, "--home", home)
    assert (said.code, said.err) == (0, "")
    assert "nothing to retry; 1 call still open" in said.out


def test_a_report_is_written_where_it_is_asked_for(aila: Aila, home: Path, ledger: Ledger, tmp_path: Path) -> None:
    batch = an_accepted_batch(ledger, a_call(0, "a"))
    kept = aila("report", batch.batch_id, "--home", home)
    path = Path(kept.out.strip().removeprefix("file://"))
    assert batch.batch_id in path.read_text()
    assert (
        aila("report", batch.batch_id, "--home", home, "-o", tmp_path / "page.html").out.strip().endswith("page.html")
    )
    assert batch.batch_id in (tmp_path / "page.html").read_text()
