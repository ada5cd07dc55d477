"""The rules of contract A's columns, row by row."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from aila_pipeline.domain.models import ArchiveSource, Direction, Role, TenantSettings, Warn
from aila_pipeline.errors import CsvColumnMissing, CsvHeaderDuplicate, CsvHeaderMissing, SettingInvalid
from aila_pipeline_tests.domain.intake.builders import NOW, TENANT, a_csv, a_pair, a_row, an_entry, the_call, told


def test_a_good_row_becomes_a_call() -> None:
    row = a_row(
        direction=" Inbound ",
        partner_call_id="CALL-001",
        operator_group_name="Group  A\nnorth",
        disconnect_reason="NA",
        right_channel="OPERATOR",
        client_phone_number="+7 (701) 234-56-78",
    )

    call = the_call(a_pair(a_csv(row)))

    assert call.accepted
    assert call.external_id == "CALL-001"
    assert call.details is not None
    assert call.details.model_dump(exclude_defaults=True) == {
        "source": {"name": "call_001.wav"},
        "external_id": "CALL-001",
        "partner_call_id": "CALL-001",
        "started_at": datetime(2026, 1, 13, 10, 30, tzinfo=UTC),
        "segment_type": "sales",
        "left_channel": Role.CLIENT,
        "right_channel": Role.OPERATOR,
        "direction": Direction.INBOUND,
        "contact_phone": "+77012345678",
        "user_name": "John Smith",
        "user_group": "Group A north",
        "disconnect_reason": "NA",
    }


def test_optional_columns_may_be_absent_or_empty() -> None:
    row = {name: cell for name, cell in a_row().items() if name not in {"direction", "partner_call_id"}}
    call = the_call(a_pair(a_csv(row)))
    assert call.accepted
    assert (call.external_id, call.details and call.details.direction) == (None, None)


def test_a_row_may_end_before_its_optional_columns_but_not_before_a_required_one() -> None:
    text = a_csv(a_row()).decode()
    assert the_call(a_pair(text.replace(",inbound,", "").encode())).accepted
    short = the_call(a_pair(text.replace(",client,inbound,", "").encode()))
    assert told(short) == [("left_channel", "left_channel is required")]


def test_header_names_are_trimmed_and_in_any_case() -> None:
    text = a_csv(a_row()).decode().replace("audio_file_name", " Audio_File_Name ").replace("start_time", "START_TIME")
    assert the_call(a_pair(text.encode("utf-8-sig"))).accepted


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("audio_file_name", "", "is required"),
        ("audio_file_name", "a\nb.wav", "must not hold control characters"),
        ("audio_file_name", "x" * 256, "must have at most 255 characters"),
        ("client_phone_number", "", "is required"),
        ("client_phone_number", "+7701\x07", "must not hold control characters"),
        ("client_phone_number", "7" * 256, "must have at most 255 characters"),
        ("operator_name", " \t ", "is required"),
        ("operator_name", "J\x1b[31mohn", "must not hold control characters"),
        ("start_time", "13.01.2026 10:30", "must be an ISO 8601 date and time, like 2026-01-13T10:30:00"),
        ("start_time", "2026-01-13", "must be an ISO 8601 date and time, like 2026-01-13T10:30:00"),
        ("start_time", "2026-02-30T10:30:00", "must be an ISO 8601 date and time, like 2026-01-13T10:30:00"),
        ("start_time", "9999-12-31T23:59:59-05:00", "must be an ISO 8601 date and time, like 2026-01-13T10:30:00"),
        ("start_time", "1969-12-31T10:30:00", "must not lie more than 24 hours in the future or before 1970"),
        ("start_time", "2026-01-21T12:00:01", "must not lie more than 24 hours in the future or before 1970"),
        ("segment_type", "", "is required"),
        ("segment_type", "s" * 101, "must have at most 100 characters"),
        ("right_channel", "agent", "must be operator or client"),
        ("left_channel", "unknown", "must be operator or client"),
        ("direction", "in", "must be inbound or outbound"),
        ("partner_call_id", "x" * 256, "must have at most 255 characters"),
    ],
)
def test_each_rule_of_a_column_is_told_in_words_that_do_not_quote_the_cell(
    column: str, cell: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        call = the_call(a_pair(a_csv(a_row() | {column: cell})))
    assert not call.accepted
    assert (column, f"{column} {message}") in told(call)
    assert {problem.position for problem in call.problems} == {2}
    assert {problem.code for problem in call.problems} <= {"ROW_INVALID", "FILE_NOT_FOUND"}
    assert not caplog.records


def test_a_rejected_row_carries_all_its_problems_and_leaves_its_neighbours_alone() -> None:
    bad = a_row("gone.wav", client_phone_number="", start_time="y", right_channel="client")
    good, rejected = a_pair(a_csv(a_row(), bad)).calls
    assert good.accepted
    assert [problem.field for problem in rejected.problems] == [
        "client_phone_number",
        "start_time",
        None,
        "audio_file_name",
    ]
    assert [problem.code for problem in rejected.problems] == ["ROW_INVALID"] * 3 + ["FILE_NOT_FOUND"]


def test_equal_roles_are_a_problem_of_the_row() -> None:
    call = the_call(a_pair(a_csv(a_row(right_channel="Client"))))
    assert told(call) == [(None, "right_channel and left_channel must not be the same")]


def test_an_id_used_twice_rejects_both_rows_and_names_neither_call() -> None:
    rows = [a_row(f"{i}.wav", partner_call_id=key) for i, key in enumerate(["A", "B", " A", "", ""])]
    calls = a_pair(a_csv(*rows), [an_entry(f"{i}.wav") for i in range(5)]).calls
    assert [call.accepted for call in calls] == [False, True, False, True, True]
    assert [call.external_id for call in calls] == [None, "B", None, None, None]
    assert told(calls[0]) == [("partner_call_id", "partner_call_id is used by more than one row")]


def test_a_rejected_row_keeps_its_id_so_that_a_person_finds_it() -> None:
    assert the_call(a_pair(a_csv(a_row(partner_call_id="CALL-9", direction="up")))).external_id == "CALL-9"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-13T10:30:00", datetime(2026, 1, 13, 5, 30, tzinfo=UTC)),
        ("2026-01-13 10:30", datetime(2026, 1, 13, 5, 30, tzinfo=UTC)),
        ("2026-01-13T10:30:00Z", datetime(2026, 1, 13, 10, 30, tzinfo=UTC)),
        ("2026-01-13t10:30:00.250+03:00", datetime(2026, 1, 13, 7, 30, 0, 250_000, tzinfo=UTC)),
        ("20260113T103000+0000", None),
        ("2026-01-13T10:30:00+0000", datetime(2026, 1, 13, 10, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_the_tenants_and_all_are_stored_in_utc(text: str, at: datetime | None) -> None:
    call = the_call(a_pair(a_csv(a_row(start_time=text)), tenant=TenantSettings(timezone="Asia/Almaty")))
    expected = at or datetime(2026, 1, 13, 10, 30, tzinfo=UTC)
    assert call.details is not None
    assert call.details.started_at == expected
    assert call.details.started_at.utcoffset() == timedelta(0)


def test_a_day_in_the_future_is_still_taken_for_a_wrong_clock() -> None:
    ahead = (NOW + timedelta(hours=24)).isoformat()
    assert the_call(a_pair(a_csv(a_row(start_time=ahead)))).accepted


def test_the_tenants_region_completes_national_numbers() -> None:
    row = a_csv(a_row(client_phone_number="8 701 234 56 78"))
    call = the_call(a_pair(row, tenant=TenantSettings(phone_region="KZ")))
    assert call.details is not None
    assert call.details.contact_phone == "+77012345678"


@pytest.mark.parametrize("given", ["87012345678", "+7.7012E+10", "+7", "unknown", "0000", "ext. 12"])
def test_a_number_that_cannot_be_one_is_kept_as_given_with_a_warning(given: str) -> None:
    call = the_call(a_pair(a_csv(a_row(client_phone_number=given))))
    assert call.details is not None
    assert (call.accepted, call.details.contact_phone, call.warnings) == (True, given, (Warn.PHONE_UNUSUAL,))


def test_the_contracts_own_impossible_looking_number_is_possible() -> None:
    call = the_call(a_pair(a_csv(a_row(client_phone_number="+15551234567"))))
    assert (call.accepted, call.warnings) == (True, ())


def test_formulas_and_na_are_plain_data() -> None:
    call = the_call(a_pair(a_csv(a_row("=cmd|' /C calc'!A0", operator_name="NA", segment_type="-1+1")), [an_entry()]))
    assert [problem.code for problem in call.problems] == ["FILE_NOT_FOUND"]


def test_surplus_fields_reject_the_row_unless_they_are_empty() -> None:
    lines = a_csv(a_row(), a_row("b.wav")).decode().splitlines()
    first, second = a_pair(
        "\n".join([lines[0], lines[1] + ",,", lines[2] + ",, x"]).encode(),
        [
            an_entry(),
            an_entry("b.wav"),
        ],
    ).calls
    assert first.accepted
    assert [field for field, _ in told(second)] == [None]
    assert "more fields than the header" in told(second)[0][1]


def test_a_header_repeated_among_the_rows_says_so() -> None:
    lines = a_csv(a_row()).decode().splitlines()
    call = a_pair("\n".join([*lines, lines[0]]).encode()).calls[1]
    assert told(call) == [(None, "the row repeats the header")]


def test_columns_that_nobody_reads_are_a_warning() -> None:
    submission = a_pair(a_csv(a_row() | {"Comment": "hi", "crm\x07 id": "1", "reason": "old", "": ""}))
    assert the_call(submission).accepted
    assert submission.warnings == ("COLUMN_IGNORED: not read: comment, crm? id",)


def test_missing_columns_are_all_told_with_what_was_found() -> None:
    row = a_row() | {"segment": "sales"}
    with pytest.raises(CsvColumnMissing) as refused:
        a_pair(a_csv({name: cell for name, cell in row.items() if name not in {"segment_type", "start_time"}}))
    assert refused.value.detail.startswith("start_time, segment_type (found: audio_file_name, client_phone_number")
    assert "segment)" in refused.value.detail


def test_a_column_named_twice_is_refused() -> None:
    text = a_csv(a_row()).decode().replace("direction", "Start_Time")
    with pytest.raises(CsvHeaderDuplicate, match="start_time"):
        a_pair(text.encode())


def test_a_file_without_a_header_is_refused_without_telling_its_first_row() -> None:
    with pytest.raises(CsvHeaderMissing) as refused:
        a_pair(b"call_001.wav,+77012345678,John Smith,2026-01-13T10:30:00\r\nx,y,z,a\r\n")
    assert "John" not in refused.value.message


def test_a_time_zone_that_does_not_exist_is_the_settings_fault() -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(SettingInvalid):
            a_pair(a_csv(a_row()), tenant=TENANT.model_copy(update={"timezone": zone}))


def test_the_source_is_the_archive_entry_that_the_row_names() -> None:
    call = the_call(a_pair(a_csv(a_row(" call_001.wav "))))
    assert call.details is not None
    assert call.details.source == ArchiveSource(name="call_001.wav")
