"""Pairs as a whole: the submission, its digest, and the rejected rows that go back to the client."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aila_pipeline.domain.intake.csv_text import read_csv
from aila_pipeline.domain.intake.header import COLUMNS
from aila_pipeline.domain.intake.pair import changed_pair, rejects_csv
from aila_pipeline.errors import CsvTooLarge, SubmissionRefused
from aila_pipeline_tests.domain.intake.builders import NOW, TENANT, a_csv, a_pair, a_row, an_entry


def test_positions_are_the_row_numbers_of_a_spreadsheet() -> None:
    body = a_csv(a_row(operator_name="two\nlines"), a_row("b.wav"), a_row("c.wav"))
    assert [call.position for call in a_pair(body).calls] == [2, 3, 4]


def test_the_rejected_rows_come_back_as_they_were_with_their_reasons() -> None:
    rows = [
        a_row("gone.wav") | {"Note": "=1+1"},
        a_row() | {"Note": "good"},
        a_row("b.wav", direction="up", operator_name='Jane "J"\nDoe') | {"Note": "x;y"},
    ]
    body = a_csv(*rows, delimiter=";", encoding="cp1252")

    back = rejects_csv(body, a_pair(body, [an_entry(), an_entry("b.wav")]), TENANT)

    assert back.startswith(b"\xef\xbb\xbfaudio_file_name;")
    read = read_csv(back, fallback_encoding="cp1252", known_columns=COLUMNS, max_rows=9)
    assert read.header == (*rows[0], "reason")
    assert [record.cells[:-1] for record in read.records] == [tuple(rows[0].values()), tuple(rows[2].values())]
    assert read.records[0].cells[-1].startswith("the archive has no entry of this name")
    assert read.records[1].cells[-1] == "direction must be inbound or outbound"


def test_a_mended_file_with_its_reason_column_is_accepted_without_a_word() -> None:
    body = a_csv(a_row(direction="up"))
    mended = rejects_csv(body, a_pair(body), TENANT).replace(b",up,", b",inbound,")
    submission = a_pair(mended)
    assert [call.accepted for call in submission.calls] == [True]
    assert submission.warnings == ()


def test_a_second_round_of_rejection_has_one_reason_column() -> None:
    body = a_csv(a_row(direction="up"))
    once = rejects_csv(body, a_pair(body), TENANT)
    assert rejects_csv(once, a_pair(once), TENANT) == once


def test_fields_beyond_the_header_are_not_lost_and_not_accepted_the_second_time() -> None:
    header, row = a_csv(a_row()).decode().splitlines()
    body = f"{header}\n{row},surplus\n".encode()
    back = rejects_csv(body, a_pair(body), TENANT)
    assert back.rstrip().endswith(b",surplus")
    assert not a_pair(back).calls[0].accepted


def test_a_file_that_is_all_good_gives_back_its_header_alone() -> None:
    body = a_csv(a_row())
    assert rejects_csv(body, a_pair(body), TENANT).decode("utf-8-sig").splitlines() == [",".join([*a_row(), "reason"])]


def test_more_rows_than_allowed_are_refused() -> None:
    with pytest.raises(CsvTooLarge):
        a_pair(a_csv(a_row(), a_row("b.wav")), max_rows=1)


def test_the_same_content_is_the_same_pair_however_it_was_packed() -> None:
    body = a_csv(a_row())
    first = a_pair(body, [an_entry(), an_entry("b.wav")]).digest
    assert a_pair(body, [an_entry("b.wav"), an_entry(), an_entry(".DS_Store", 3)]).digest == first
    assert a_pair(body, [an_entry(), an_entry("b.wav", 999)]).digest != first
    assert a_pair(body + b"\r\n", [an_entry(), an_entry("b.wav")]).digest != first


CELLS = st.text(st.sampled_from([*'",;\t\r\n \x00aé=+7', "\u200b", "Ә", "\ufeff"]), max_size=12)
ROWS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(a_row(), CELLS)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_any_cells_are_calls_or_a_coded_refusal_and_every_row_is_accounted_for(
    changes: list[dict[str, str]], delimiter: str, encoding: str
) -> None:
    body = a_csv(*(a_row() | change for change in changes), delimiter=delimiter, encoding=encoding)
    with contextlib.suppress(SubmissionRefused):
        submission = a_pair(body)
        assert all(call.accepted != bool(call.problems) for call in submission.calls)
        rejected = [call for call in submission.calls if not call.accepted]
        if rejected:
            back = rejects_csv(body, submission, TENANT)
            assert len(a_pair(back).calls) == len(rejected)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_below_a_good_header_are_calls_or_a_coded_refusal(noise: bytes) -> None:
    with contextlib.suppress(SubmissionRefused):
        a_pair(a_csv(a_row()) + noise)


@pytest.mark.slow
def test_100000_rows_are_checked_within_a_minute() -> None:
    body = a_csv(*(a_row(f"{i}.wav", client_phone_number=f"+7701{i:07}") for i in range(100_000)))
    entries = [an_entry(f"{i}.wav") for i in range(100_000)]
    started = time.process_time()
    submission = a_pair(body, entries, max_rows=100_000)
    assert all(call.accepted for call in submission.calls)
    assert time.process_time() - started < 60


def test_every_row_of_a_pair_that_was_overwritten_fails_and_keeps_its_other_problems() -> None:
    csv = a_csv(a_row(partner_call_id="C-1"), a_row("two.wav", segment_type=""))
    made = changed_pair(csv, TENANT, NOW, max_rows=10, batch_id="batch_1")
    assert [[problem.code for problem in call.problems] for call in made.calls] == [
        ["SOURCE_CHANGED"],
        ["SOURCE_CHANGED", "ROW_INVALID"],
    ]
    assert [call.external_id for call in made.calls] == ["C-1", None]


def test_a_pair_that_was_overwritten_is_the_same_as_no_other() -> None:
    """Not even as the pair that was meant, which may be sent again; but its own run may be repeated."""
    csv = a_csv(a_row())
    digests = [changed_pair(csv, TENANT, NOW, max_rows=10, batch_id=batch_id).digest for batch_id in ("a", "a", "b")]
    assert digests[0] == digests[1]
    assert len({*digests, a_pair(csv).digest}) == 3
