"""Which entry is the audio of which row."""

from __future__ import annotations

import unicodedata

import pytest

from aila_pipeline.domain.intake.join import HIGH_RATIO_FLOOR_BYTES, ArchiveEntry, Files, Method, join
from aila_pipeline.errors import FileNotFound
from aila_pipeline_tests.domain.intake.builders import a_csv, a_pair, a_row, an_entry, the_call

MIB = 1024**2


def codes(names: list[str], entries: list[ArchiveEntry], *, max_audio_bytes: int = 2048 * MIB) -> list[str | None]:
    """The code of each row, None where its entry was found."""
    joined = join(dict(enumerate(names)), entries, max_audio_bytes=max_audio_bytes, fallback_encoding="cp1251")
    return [joined.failures[i].code if i in joined.failures else None for i in range(len(names))]


def test_names_match_across_unicode_forms_and_keep_their_case() -> None:
    decomposed = unicodedata.normalize("NFD", "Ёлка й.wav")
    assert codes(["Ёлка й.wav", "CALL.wav"], [an_entry(decomposed), an_entry("call.wav")]) == [None, "FILE_NOT_FOUND"]


def test_a_name_that_differs_in_case_only_is_told_so() -> None:
    with pytest.raises(FileNotFound, match="upper and lower case"):
        Files([an_entry("call.wav")], fallback_encoding="cp1252").find("Call.wav", max_audio_bytes=1)


def test_a_file_in_a_folder_is_nested_whether_the_row_names_the_folder_or_not() -> None:
    entries = [an_entry("calls/a.wav"), an_entry("b.wav"), an_entry("old/b.wav")]
    assert codes(["a.wav", "b.wav", "c.wav"], entries) == ["ENTRY_NESTED", None, "FILE_NOT_FOUND"]
    assert codes(["calls/a.wav", "calls\\a.wav"], entries) == ["ENTRY_NESTED", "ENTRY_NESTED"]


def test_two_entries_of_one_name_and_two_rows_of_one_file_are_ambiguous() -> None:
    assert codes(["a.wav"], [an_entry("a.wav"), an_entry("a.wav")]) == ["FILE_AMBIGUOUS"]
    assert codes(["a.wav", "a.wav", "b.wav"], [an_entry("a.wav"), an_entry("b.wav")]) == [
        "FILE_AMBIGUOUS",
        "FILE_AMBIGUOUS",
        None,
    ]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (an_entry(encrypted=True), "ENTRY_ENCRYPTED"),
        (an_entry(method=Method.AES), "ENTRY_ENCRYPTED"),
        (an_entry(method=Method.DEFLATE64), "ENTRY_UNSUPPORTED"),
        (an_entry(method=77), "ENTRY_UNSUPPORTED"),
        (an_entry(link=True), "ENTRY_UNSUPPORTED"),
        (an_entry(size_bytes=0), "AUDIO_EMPTY"),
        (an_entry(compressed_bytes=9), "ENTRY_CORRUPT"),
        (an_entry(size_bytes=100 * MIB + 1), "AUDIO_TOO_LARGE"),
        (an_entry(size_bytes=99 * MIB, compressed_bytes=MIB // 16, method=Method.DEFLATE), "ENTRY_BOMB"),
    ],
)
def test_what_cannot_be_a_recording_is_that_calls_problem(entry: ArchiveEntry, code: str) -> None:
    submission = a_pair(a_csv(a_row(), a_row("b.wav")), [entry, an_entry("b.wav")], max_audio_bytes=100 * MIB)
    bad, good = submission.calls
    assert [(problem.field, problem.code, problem.position) for problem in bad.problems] == [
        ("audio_file_name", code, 2)
    ]
    assert good.accepted


def test_silence_deflates_a_thousandfold_and_is_no_bomb_below_hours_of_it() -> None:
    silence = an_entry(size_bytes=100 * MIB, compressed_bytes=100 * MIB // 1000, method=Method.DEFLATE)
    assert codes([silence.name], [silence]) == [None]
    hours = an_entry(size_bytes=HIGH_RATIO_FLOOR_BYTES, compressed_bytes=MIB, method=Method.DEFLATE)
    assert codes([hours.name], [hours]) == ["ENTRY_BOMB"]


def test_what_systems_leave_in_archives_is_neither_audio_nor_left_over() -> None:
    junk = ["__MACOSX/._call_001.wav", ".DS_Store", "Thumbs.db", "sub/.DS_Store"]
    entries = [an_entry(), an_entry("sub/", directory=True), *map(an_entry, junk)]
    submission = a_pair(a_csv(a_row()), entries)
    assert the_call(submission).accepted
    assert submission.warnings == ()
    assert codes(["__MACOSX/._call_001.wav"], entries) == ["FILE_NOT_FOUND"]


def test_files_without_a_row_are_counted_and_not_named() -> None:
    entries = [an_entry(), an_entry("jane.flac"), an_entry("x/joe.wav"), an_entry("x/sue.wav")]
    submission = a_pair(a_csv(a_row(), a_row("sue.wav", direction="bad")), entries)
    assert submission.warnings == ("AUDIO_WITHOUT_ROW: 2 files of the archive named by no row",)


def test_names_in_an_untold_code_page_are_found_by_guessing_last() -> None:
    raw = "Иванов.wav".encode("cp866")
    windows = an_entry(raw.decode("cp437"), raw_name=raw, name_certain=False)
    assert codes(["Иванов.wav"], [windows]) == [None]
    assert codes(["Иванов.wav"], [windows, an_entry("Иванов.wav")]) == [None]
    found = Files([windows, an_entry("Иванов.wav", 5)], fallback_encoding="cp1251").find(
        "Иванов.wav", max_audio_bytes=9
    )
    assert found.size_bytes == 5
