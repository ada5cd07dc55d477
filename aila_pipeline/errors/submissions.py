"""Why a whole submission is refused.

Lives here: the refusals of intake, the same for every door. Does not: refusals of a single row (calls.py), or of an API
request for other reasons (requests.py).
"""

from __future__ import annotations

from aila_pipeline.errors.base import AilaError


class SubmissionRefused(AilaError):
    """Nothing of the submission can be processed; its files are kept beside a `reasons.json`."""

    code, what, advice = "SUBMISSION_REFUSED", "the submission was refused", "mend the files and send them again"

    def __init__(self, detail: str = "", problems: tuple[object, ...] = ()) -> None:
        """`problems`: each thing that is wrong with one row or item, as `domain.models.Problem`, where known."""
        self.problems = problems
        super().__init__(detail)


class PairIncomplete(SubmissionRefused):
    code, what = "PAIR_INCOMPLETE", "a folder of the drop zone holds exactly one .csv and one .zip"
    advice = "put one of each into a folder of their own and drop them again"


class PairVanished(SubmissionRefused):
    code, what = "PAIR_VANISHED", "the files of this upload were removed before they were taken in"
    advice = "upload both files again"


class CsvUnreadable(SubmissionRefused):
    code, what = "CSV_UNREADABLE", "the CSV is not text in any encoding that was tried"
    advice = "save it as UTF-8, or set the tenant's fallback encoding"


class CsvQuoteUnclosed(SubmissionRefused):
    code, what = "CSV_QUOTE_UNCLOSED", "a quotation mark in the CSV is never closed"
    advice = "close it, or double it if it belongs to the text"


class CsvHeaderMissing(SubmissionRefused):
    code, what = "CSV_HEADER_MISSING", "the first line of the CSV is no header"
    advice = "start the file with the column names"


class CsvHeaderDuplicate(SubmissionRefused):
    code, what = "CSV_HEADER_DUPLICATE", "the CSV names a column twice"
    advice = "keep one of the two columns"


class CsvColumnMissing(SubmissionRefused):
    code, what = "CSV_COLUMN_MISSING", "the CSV lacks a required column"
    advice = "mend the header and send both files again"


class CsvEmpty(SubmissionRefused):
    code, what = "CSV_EMPTY", "the CSV has no rows"
    advice = "send a CSV with at least one call"


class CsvTooLarge(SubmissionRefused):
    code, what = "CSV_TOO_LARGE", "the CSV is larger than one submission may be"
    advice = "split it into several submissions"


class ArchiveCorrupt(SubmissionRefused):
    code, what = "ARCHIVE_CORRUPT", "the archive is not readable as a ZIP"
    advice = "make the archive again and send both files again"


class ArchiveBomb(SubmissionRefused):
    code, what = "ARCHIVE_BOMB", "the archive claims more than a set of recordings would"
    advice = "make the archive with an ordinary ZIP program; split it if it is very large"


class ManifestInvalid(SubmissionRefused):
    code, what = "MANIFEST_INVALID", "the JSON does not follow the contract"
    advice = "mend the calls that are listed and send the file again"


class SubmissionUnexpected(SubmissionRefused):
    code, what = "SUBMISSION_UNEXPECTED", "the program met a case in these files that it does not know"
    advice = "please report it; the files are kept"
