"""Contract A, step 3: pairs that are refused, wholly or row by row, and how that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.test_pairs import AUDIOS, GOOD, STEP_3, batches, own_objects, processed, refused, uploaded
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"csv": b""}, "CSV_EMPTY"),
        ({"csv": GOOD.replace(b"segment_type", b"kind")}, "CSV_COLUMN_MISSING"),
        ({"csv": GOOD.splitlines(keepends=True)[0]}, "CSV_EMPTY"),
        ({"csv": GOOD + b'"never closed'}, "CSV_QUOTE_UNCLOSED"),
        ({"csv": GOOD + "я".encode() * 50 + b"\xff"}, "CSV_UNREADABLE"),
        ({"archive": b""}, "ARCHIVE_CORRUPT"),
        ({"archive": AUDIOS[:-10]}, "ARCHIVE_CORRUPT"),
    ],
)
def test_files_that_cannot_be_processed_at_all_are_refused_with_the_reason(
    site: Site, files: dict[str, bytes], code: str
) -> None:
    """Gap 7; nothing is written, and the mended file may be uploaded to the same URL."""
    upload = uploaded(site, **files)
    status, error = refused(site, upload.keys)
    assert (status, error["code"]) == (422, code)
    assert (batches(site), own_objects(site)) == ([], [])
    site.store.write(upload.metadata_key, GOOD)
    site.store.write(upload.audios_key, AUDIOS)
    assert processed(site, upload)["calls"] == 2


def test_a_pair_without_a_good_row_is_refused_with_all_its_problems(site: Site) -> None:
    rows = [a_row("one.wav", segment_type="", left_channel="left"), a_row("none.wav")]
    status, error = refused(site, uploaded(site, a_csv(*rows)).keys)
    assert (status, error["code"], error["details"]["total"]) == (422, "VALIDATION_ERROR", 3)
    told = [(each["row"], each["field"], each["code"]) for each in error["details"]["rows"]]
    assert told == [
        (2, "segment_type", "ROW_INVALID"),
        (2, "left_channel", "ROW_INVALID"),
        (3, "audio_file_name", "FILE_NOT_FOUND"),
    ]
    assert (batches(site), own_objects(site)) == ([], [])


def test_of_very_many_problems_a_thousand_are_listed(site: Site) -> None:
    error = refused(site, uploaded(site, a_csv(*[a_row("none.wav")] * 1_200)).keys)[1]
    assert (error["details"]["total"], len(error["details"]["rows"])) == (1_200, 1_000)


def test_no_problem_quotes_a_cell(site: Site) -> None:
    rows = [a_row("one.wav", start_time="Jane Canary", operator_name="Canary\x07", client_phone_number="CANARY 5")]
    answer = site.acme.post(STEP_3, json=uploaded(site, a_csv(*rows)).keys)
    assert answer.status_code == 422
    assert "canary" not in answer.text.lower()


def test_more_rows_than_the_api_takes_are_refused(home: Path) -> None:
    """Gap 23: split it; the drop zone takes it whole."""
    with a_site(settings_for(home, api_max_rows=1)) as site:
        status, error = refused(site, uploaded(site).keys)
    assert (status, error["code"]) == (422, "CSV_TOO_LARGE")
    assert "more than 1 rows; split it" in error["message"]
