"""`aila check`: the dry run says what the pipeline would say, and changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline_tests.cli.conftest import Aila
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import zipped


def a_pair(folder: Path, csv: bytes, files: dict[str, bytes]) -> tuple[Path, Path]:
    """A CSV and a ZIP on disk."""
    folder.mkdir(exist_ok=True)
    (folder / "calls.csv").write_bytes(csv)
    (folder / "calls.zip").write_bytes(zipped(files))
    return folder / "calls.csv", folder / "calls.zip"


def test_a_good_pair_has_nothing_to_tell(aila: Aila, tmp_path: Path, speech: bytes) -> None:
    """No ledger is needed, and no file is left behind, nor a home."""
    said = aila("check", *a_pair(tmp_path / "in", a_csv(a_row("a.flac")), {"a.flac": speech}))
    assert said.code == 0
    assert "1 call: 1 good, 0 would fail" in said.out
    assert list(Path.cwd().iterdir()) == []


def test_the_order_of_the_two_files_does_not_matter(aila: Aila, tmp_path: Path, speech: bytes) -> None:
    csv, archive = a_pair(tmp_path / "in", a_csv(a_row("a.flac")), {"a.flac": speech})
    assert aila("check", archive, csv).code == 0


def test_what_would_fail_is_told_with_its_rows_and_written_to_be_mended(
    aila: Aila, tmp_path: Path, speech: bytes
) -> None:
    rows = [a_row("a.flac"), a_row("b.mp3"), a_row("c.wav"), a_row("d.flac", start_time="soon")]
    files = {"a.flac": speech, "b.mp3": b"no audio " * 50, "d.flac": speech}
    said = aila("check", *a_pair(tmp_path / "in", a_csv(*rows), files), "--json")
    assert said.code == 3
    found = {(problem["position"], problem["code"]) for problem in said.json["problems"]}
    assert found == {(3, "AUDIO_INVALID"), (4, "FILE_NOT_FOUND"), (5, "ROW_INVALID")}
    rejects = Path("rejects.csv").read_text(encoding="utf-8-sig")
    assert [line.split(",")[0] for line in rejects.splitlines()[1:]] == ["b.mp3", "c.wav", "d.flac"]
    assert rejects.splitlines()[0].endswith(",reason")


def test_quick_looks_at_no_audio(aila: Aila, tmp_path: Path) -> None:
    files = a_pair(tmp_path / "in", a_csv(a_row("b.mp3")), {"b.mp3": b"no audio " * 50})
    assert aila("check", "--quick", *files).code == 0
    assert aila("check", *files).code == 4, "all would fail"


def test_mended_rows_are_not_overwritten_by_what_is_still_wrong(aila: Aila, tmp_path: Path, speech: bytes) -> None:
    """`aila check rejects.csv …` in the directory that an earlier check wrote its rejects.csv to."""
    csv, archive = a_pair(tmp_path / "in", a_csv(a_row("a.flac"), a_row("gone.flac")), {"a.flac": speech})
    mended = Path("rejects.csv")
    mended.write_bytes(csv.read_bytes())
    said = aila("check", mended, archive)
    assert "rejects.again.csv" in said.out
    assert mended.read_bytes() == csv.read_bytes()
    assert "gone.flac" in Path("rejects.again.csv").read_text()


def test_a_pair_that_would_be_refused_is_exit_code_4_and_one_line(aila: Aila, tmp_path: Path, speech: bytes) -> None:
    said = aila("check", *a_pair(tmp_path / "in", b"one,two\r\n1,2\r\n", {"a.flac": speech}))
    assert said.code == 4
    assert said.error.startswith("error: would be refused: the first line of the CSV is no header")


def test_a_manifest_is_checked_by_the_same_rules(aila: Aila, tmp_path: Path) -> None:
    good = {"external_id": "1", "audio_url": "s3://calls/a.wav", "user_email": "a@b.example", "duration": 90}
    good["call_date"] = "2026-01-13T10:30:00Z"
    path = tmp_path / "batch.json"
    path.write_text(json.dumps({"calls": [good]}))
    said = aila("check", path)
    assert said.code == 0
    assert "audio: 1 min 30 s, as declared" in said.out
    path.write_text(json.dumps({"calls": [good, good | {"external_id": "2", "user_email": "nobody"}]}))
    refused = aila("check", path, "--json")
    assert refused.code == 4
    assert refused.json["refused"]["code"] == "MANIFEST_INVALID"
    assert [problem["position"] for problem in refused.json["problems"]] == [1]


def test_the_tenants_own_settings_count_where_a_ledger_has_them(
    aila: Aila, home: Path, ledger: Ledger, tmp_path: Path, speech: bytes
) -> None:
    """30 hours ahead of UTC is too far, but only 16 hours ahead of where the date changes first."""
    tenant = ledger.tenants.ensure("kz", "acme")
    ledger.tenants.change_settings(tenant, TenantSettings(timezone="Pacific/Kiritimati"))
    ahead = (datetime.now(UTC) + timedelta(hours=30)).replace(tzinfo=None).isoformat(timespec="seconds")
    csv = a_csv(a_row("a.flac", start_time=ahead))
    files = a_pair(tmp_path / "in", csv, {"a.flac": speech})
    assert aila("check", "--quick", *files, "--home", home).code == 4
    assert aila("check", "--quick", *files, "--home", home, "--country", "kz", "--firm", "acme").code == 0


@pytest.mark.slow
def test_the_estimate_is_measured_where_the_model_is_at_hand(
    aila: Aila, tmp_path: Path, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = a_pair(tmp_path / "in", a_csv(a_row("a.flac")), {"a.flac": speech})
    monkeypatch.setenv("AILA_WHISPER_MODEL", "demo")
    measured = aila("check", *files)
    assert "on this machine alone (model demo:" in measured.out
    assert aila("check", *files, "--json").json["estimated_seconds"] > 0
    monkeypatch.setenv("AILA_WHISPER_MODEL", str(tmp_path / "nowhere"))
    assert "time:  not estimated: the speech model cannot be loaded" in aila("check", *files).out
