"""CSV as spreadsheets write it, and as they should not."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aila_pipeline.domain.intake.csv_text import MAX_CSV_BYTES, CsvText, read_csv
from aila_pipeline.errors import (
    CsvEmpty,
    CsvHeaderMissing,
    CsvQuoteUnclosed,
    CsvTooLarge,
    CsvUnreadable,
    SubmissionRefused,
)

KNOWN = {"audio_file_name", "operator_name", "left_channel"}


def table(body: bytes | str, *, fallback: str = "cp1252", max_rows: int = 100) -> CsvText:
    data = body.encode() if isinstance(body, str) else body
    return read_csv(data, fallback_encoding=fallback, known_columns=KNOWN, max_rows=max_rows)


def cells(body: bytes | str, **options: str) -> list[tuple[str, ...]]:
    return [record.cells for record in table(body, **options).records]  # type: ignore[arg-type]


NAMES = "audio_file_name,operator_name\r\nзвонок.wav,Айгүл Ә\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_what_spreadsheets_save_is_read_alike(encoding: str, delimiter: str, newline: str) -> None:
    text = NAMES.replace(",", delimiter).replace("\r\n", newline)
    assert cells(text.encode(encoding)) == [("звонок.wav", "Айгүл Ә")]


def test_big_endian_utf16_is_read_by_its_mark() -> None:
    assert cells(b"\xfe\xff" + NAMES.encode("utf-16-be")) == [("звонок.wav", "Айгүл Ә")]


def test_the_tenants_code_page_is_the_fallback() -> None:
    text = "audio_file_name;operator_name\r\na.wav;Щербакова\r\n"
    assert cells(text.encode("cp1251"), fallback="cp1251") == [("a.wav", "Щербакова")]


def test_excels_own_separator_line_is_obeyed_and_is_no_row() -> None:
    read = table('sep=;\r\naudio_file_name;operator_name\r\n"a;b.wav";x,y\r\n')
    assert read.records[0].cells == ("a;b.wav", "x,y")
    assert read.records[0].position == 2


def test_a_comma_in_the_cells_does_not_make_it_the_delimiter() -> None:
    assert cells("audio_file_name;a,b,c,d,e\na.wav;1,2\n") == [("a.wav", "1,2")]


def test_quoted_newlines_and_quotes_belong_to_the_cell() -> None:
    assert cells('audio_file_name,operator_name\r\n"a ""b"".wav","Jane\r\nDoe"\r\n') == [('a "b".wav', "Jane\r\nDoe")]


def test_na_and_long_numbers_stay_text() -> None:
    assert cells("audio_file_name,operator_name\nNA,+77012345678\nnull,007\n") == [
        ("NA", "+77012345678"),
        ("null", "007"),
    ]


def test_rows_without_content_are_skipped_but_counted_as_a_spreadsheet_counts_them() -> None:
    read = table('audio_file_name,operator_name\n\na.wav,x\n,,\n  ,\t\n"b\n.wav",y\nc.wav,z\n')
    assert [record.position for record in read.records] == [3, 6, 7]


@pytest.mark.parametrize("body", ["", "\n\n", "\ufeff", " ,, \n,\n", "audio_file_name,operator_name\n\n"])
def test_a_file_without_rows_is_empty(body: str) -> None:
    with pytest.raises(CsvEmpty):
        table(body)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('audio_file_name,operator_name\na.wav,x\nb.wav,"y\nc.wav,z\nd.wav,z\n', 3),
        ('audio_file_name,operator_name\r\na.wav,"x', 2),
        ('audio_file_name,operator_name\n"a\n.wav",x\n"b.wav","x\ny",\n"c\n\n.wav","z\nd,e\n', 8),
        ('"audio_file_name,operator_name\na.wav,x\n', 1),
        ('audio_file_name,operator_name\na.wav,"x\n"b.wav",y\n', 2),
        ('audio_file_name,operator_name\ra.wav,x\rb.wav,"x\rc,d\r', 3),
    ],
)
def test_an_unclosed_quote_is_told_by_the_line_that_opens_it(body: str, line: int) -> None:
    with pytest.raises(CsvQuoteUnclosed, match=rf"line {line};"):
        table(body)


def test_quotes_that_spoil_one_line_spoil_that_row_alone() -> None:
    first, second = table('audio_file_name,operator_name\n"a.wav"x,John\nb.wav,Jane\n').records
    assert first.fault is not None
    assert first.cells == ('"a.wav"x', "John")
    assert (second.fault, second.cells) == (None, ("b.wav", "Jane"))


def test_a_cell_of_a_megabyte_spoils_its_row_alone() -> None:
    first, second = table(f"audio_file_name,operator_name\na.wav,{'x' * 1_000_000}\nb.wav,Jane\n").records
    assert first.fault is not None
    assert second.fault is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("audio_file_name,operator_name\na.wav,\x81\x8d".encode("latin-1"), id="no encoding fits"),
        pytest.param(b"\xef\xbb\xbfaudio_file_name\n\xe9t\xe9", id="mark of UTF-8, text of another"),
        pytest.param(b"\xff\xfea\x00b", id="half a character of UTF-16"),
        pytest.param("audio_file_name\na.wav".encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param(b"PK\3\4\0\0\0\0", id="a workbook"),
        pytest.param(NAMES.encode().replace("ү".encode(), b"\xd2"), id="damaged UTF-8"),
    ],
)
def test_what_is_not_text_is_refused(body: bytes) -> None:
    with pytest.raises(CsvUnreadable):
        table(body)


def test_damaged_utf8_is_told_by_its_line() -> None:
    with pytest.raises(CsvUnreadable, match="line 2 is damaged"):
        table(NAMES.encode().replace("ү".encode(), b"\xd2"), fallback="cp1251")


@pytest.mark.parametrize("encoding", ["no-such-code-page", "rot13", "utf-7"])
def test_a_useless_fallback_encoding_is_a_refusal_and_no_crash(encoding: str) -> None:
    with pytest.raises(CsvUnreadable):
        table(b"audio_file_name\n\xe9+2AA-\n", fallback=encoding)


def test_more_rows_or_bytes_than_allowed_are_refused() -> None:
    body = "audio_file_name\n" + "a.wav\n" * 5
    assert len(table(body, max_rows=5).records) == 5
    with pytest.raises(CsvTooLarge):
        table(body, max_rows=4)
    with pytest.raises(CsvTooLarge):
        table(b"a" * (MAX_CSV_BYTES + 1))


def test_a_first_line_with_broken_quotes_is_no_header() -> None:
    with pytest.raises(CsvHeaderMissing):
        table('"audio_file_name"x,operator_name\na.wav,Jane\n')


CSV_LIKE = st.lists(
    st.sampled_from([*'",;\t\r\n \0xé', "audio_file_name", "operator_name", "Ә", '""', "\ufeff"]), max_size=60
).map("".join)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        CSV_LIKE.map(lambda text: b"audio_file_name,operator_name\n" + text.encode()),
        CSV_LIKE.map(lambda text: text.encode("utf-16")),
    ),
    st.sampled_from(["cp1251", "latin-1", "utf-7"]),
)
def test_any_bytes_are_rows_or_a_coded_refusal(body: bytes, fallback: str) -> None:
    with contextlib.suppress(SubmissionRefused):
        read = table(body, fallback=fallback)
        positions = [record.position for record in read.records]
        assert positions == sorted(set(positions))
        assert positions[0] >= 2
