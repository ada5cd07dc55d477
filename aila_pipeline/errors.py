"""What can go wrong, as one tree. A failure's code, advice, stage and retryability come from its class.

AilaError
├── CallError                       one call ends as failed; its shard goes on
│   ├── PermanentCallError          the same input will fail again
│   │   ├── RowInvalid              ROW_INVALID            the row breaks a rule of the contract
│   │   ├── ExternalIdConflict      EXTERNAL_ID_CONFLICT   the id names another call that is done or under way
│   │   ├── FileNotFound            FILE_NOT_FOUND         the archive has no entry of this name
│   │   ├── FileAmbiguous           FILE_AMBIGUOUS         several entries have this name
│   │   ├── EntryNested             ENTRY_NESTED           the entry lies in a folder
│   │   ├── EntryEncrypted          ENTRY_ENCRYPTED        the entry needs a password
│   │   ├── EntryUnsupported        ENTRY_UNSUPPORTED      a compression method or entry type we do not read
│   │   ├── EntryCorrupt            ENTRY_CORRUPT          its bytes do not match its checksum or size
│   │   ├── EntryBomb               ENTRY_BOMB             it unpacks to far more than any recording would
│   │   ├── SourceChanged           SOURCE_CHANGED         the files changed after they were accepted
│   │   ├── SourceNotAllowed        SOURCE_NOT_ALLOWED     the tenant may not read from there
│   │   ├── SourceNotFound          SOURCE_NOT_FOUND       nothing lies at the audio URL
│   │   ├── AudioEmpty              AUDIO_EMPTY            no bytes, or no samples
│   │   ├── AudioInvalid            AUDIO_INVALID          not readable as audio
│   │   ├── AudioTruncated          AUDIO_TRUNCATED        shorter than its own header says
│   │   ├── AudioTooLong            AUDIO_TOO_LONG         longer than the limit
│   │   ├── AudioTooLarge           AUDIO_TOO_LARGE        more bytes than the limit
│   │   ├── KeptObjectLost          KEPT_OBJECT_LOST       the store lost what an earlier stage had kept
│   │   └── ProcessingCrashed       PROCESSING_CRASHED     the worker died on this call again and again
│   └── TransientCallError          a later attempt may succeed
│       ├── SourceUnavailable       SOURCE_UNAVAILABLE     the source did not answer
│       ├── RecognitionFailed       RECOGNITION_FAILED     the recogniser gave up on this call
│       └── Unexpected              UNEXPECTED             a case that the program does not know
├── SubmissionRefused               a whole submission is refused; its files are kept beside the reasons
│   ├── PairIncomplete              PAIR_INCOMPLETE        the other half never came, or there are too many files
│   ├── CsvUnreadable               CSV_UNREADABLE         no encoding fits
│   ├── CsvQuoteUnclosed            CSV_QUOTE_UNCLOSED     a quotation mark is never closed
│   ├── CsvHeaderMissing            CSV_HEADER_MISSING     the first line is no header
│   ├── CsvHeaderDuplicate          CSV_HEADER_DUPLICATE   a column is named twice
│   ├── CsvColumnMissing            CSV_COLUMN_MISSING     a required column is missing
│   ├── CsvEmpty                    CSV_EMPTY              there is no row
│   ├── CsvTooLarge                 CSV_TOO_LARGE          more rows or bytes than one submission may have
│   ├── ArchiveCorrupt              ARCHIVE_CORRUPT        not readable as a ZIP
│   ├── ArchiveBomb                 ARCHIVE_BOMB           overlapping, too many or too large entries
│   ├── ManifestInvalid             MANIFEST_INVALID       the JSON breaks contract B
│   └── SubmissionUnexpected        SUBMISSION_UNEXPECTED  a case that the program does not know
├── InfrastructureError             nobody's call is at fault; the shard stops and is launched again
│   ├── LedgerUnavailable           LEDGER_UNAVAILABLE
│   ├── StoreUnavailable            STORE_UNAVAILABLE
│   ├── ObjectMissing               OBJECT_MISSING         the store has no such object
│   ├── ObjectChanged               OBJECT_CHANGED         the object is not the one that was pinned
│   ├── ModelUnavailable            MODEL_UNAVAILABLE
│   └── DagsterUnavailable          DAGSTER_UNAVAILABLE
├── StackError                      `aila up` cannot start or go on
│   ├── HomeInUse                   HOME_IN_USE            another `aila up` works on this home
│   ├── PortTaken                   PORT_TAKEN             something else listens there
│   ├── DefinitionsBroken           DEFINITIONS_BROKEN     the Dagster definitions cannot be loaded
│   └── ProcessFailed               PROCESS_FAILED         a process does not start, or ends again and again
├── CommandRefused                  a command was asked for something that cannot be
│   ├── LedgerMissing               LEDGER_MISSING         no ledger lies there
│   ├── NotKnown                    NOT_KNOWN              the ledger has no such batch or call
│   ├── NameTaken                   NAME_TAKEN             something of this name lies in the drop zone
│   └── TenantUnknown               TENANT_UNKNOWN         no such tenant, and drops may not create one
├── WaitedTooLong                   WAITED_TOO_LONG        a command's patience ended before the work did
├── KeyInvalid                      KEY_INVALID            no object of the store can have this name
├── LeaseLost                       LEASE_LOST             another worker holds the shard; this one stops quietly
└── SettingInvalid                  SETTING_INVALID        a setting that cannot work

Lives here: the classes and what each says. Does not: deciding when to raise one.
A `detail` must be safe to store and show: no name, number or text of a call.
"""

from __future__ import annotations

from typing import ClassVar


class AilaError(Exception):
    """Base of all failures of this project.

    `what` says what happened, `advice` what to do about it, `code` is stable, `retryable` tells whether
    trying the same thing again can help.
    """

    code: ClassVar[str] = "INTERNAL"
    what: ClassVar[str] = "something went wrong"
    advice: ClassVar[str] = "look at the run's log"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line for a person: what happened, the detail, what to do."""
        told = f"{self.what}: {self.detail}" if self.detail else self.what
        return f"{told}; {self.advice}"


class CallError(AilaError):
    """One call cannot go on; the others of its shard do."""


class PermanentCallError(CallError):
    """The same input would fail again."""


class TransientCallError(CallError):
    """A later attempt may succeed; the retry schedule makes one."""

    retryable = True


class RowInvalid(PermanentCallError):
    code, what = "ROW_INVALID", "the row breaks a rule"
    advice = "mend the row and send it again; `aila check` writes the rejected rows with their reasons"


class ExternalIdConflict(PermanentCallError):
    code, what = "EXTERNAL_ID_CONFLICT", "this id already names another call that is completed or under way"
    advice = "give the call an id of its own"


class FileNotFound(PermanentCallError):
    code, what = "FILE_NOT_FOUND", "the archive has no entry of this name"
    advice = "add the file at the root of the archive, named exactly as in audio_file_name, and send both again"


class FileAmbiguous(PermanentCallError):
    code, what = "FILE_AMBIGUOUS", "more than one entry of the archive, or row of the CSV, has this name"
    advice = "give each file and each row its own name and send both again"


class EntryNested(PermanentCallError):
    code, what = "ENTRY_NESTED", "the file lies in a folder of the archive"
    advice = "put all files at the root of the archive"


class EntryEncrypted(PermanentCallError):
    code, what = "ENTRY_ENCRYPTED", "the file is protected by a password"
    advice = "make the archive without a password"


class EntryUnsupported(PermanentCallError):
    code, what = "ENTRY_UNSUPPORTED", "the file is stored in a way that is not read"
    advice = "make the archive with the methods 'store' or 'deflate' and without links"


class EntryCorrupt(PermanentCallError):
    code, what = "ENTRY_CORRUPT", "the file's bytes do not match the archive's checksum or size"
    advice = "make the archive again from the original recording"


class EntryBomb(PermanentCallError):
    code, what = "ENTRY_BOMB", "the file unpacks to far more than a recording would"
    advice = "send the recording as it was made"


class SourceChanged(PermanentCallError):
    code, what = "SOURCE_CHANGED", "the files were overwritten after they were accepted"
    advice = "send both files again under a new name"


class SourceNotAllowed(PermanentCallError):
    code, what = "SOURCE_NOT_ALLOWED", "the audio lies outside the places this tenant may read from"
    advice = "have the bucket and prefix added to the tenant's list, then retry"


class SourceNotFound(PermanentCallError):
    code, what = "SOURCE_NOT_FOUND", "nothing lies at the audio URL"
    advice = "check the URL and send the call again"


class AudioEmpty(PermanentCallError):
    code, what = "AUDIO_EMPTY", "the file holds no audio"
    advice = "send the recording again"


class AudioInvalid(PermanentCallError):
    code, what = "AUDIO_INVALID", "not readable as audio"
    advice = "send a wav, mp3, flac, ogg, aiff, au, m4a or aac file"


class AudioTruncated(PermanentCallError):
    code, what = "AUDIO_TRUNCATED", "the recording is shorter than its own header says"
    advice = "the upload was probably cut off; send the recording again"


class AudioTooLong(PermanentCallError):
    code, what = "AUDIO_TOO_LONG", "the recording is longer than the limit"
    advice = "split it, or raise AILA_MAX_AUDIO_HOURS"


class AudioTooLarge(PermanentCallError):
    code, what = "AUDIO_TOO_LARGE", "the file has more bytes than the limit"
    advice = "compress the recording; 2 GB is the most a file may have"


class KeptObjectLost(PermanentCallError):
    code, what = "KEPT_OBJECT_LOST", "the object store has lost what an earlier stage kept of this call"
    advice = "run its shard again with the tag aila/force=yes, which makes everything anew"


class ProcessingCrashed(PermanentCallError):
    code, what = "PROCESSING_CRASHED", "the worker died on this call again and again"
    advice = "look at the runs in its trace; after the cause is gone, retry the call"


class SourceUnavailable(TransientCallError):
    code, what = "SOURCE_UNAVAILABLE", "the audio's source did not answer"
    advice = "it is tried again by itself; if that goes on, check the source"


class RecognitionFailed(TransientCallError):
    code, what = "RECOGNITION_FAILED", "the recogniser gave up on this call"
    advice = "it is tried again by itself; if that goes on, look at the run's log"


class Unexpected(TransientCallError):
    code, what = "UNEXPECTED", "the program met a case that it does not know"
    advice = "the run's log says where; please report it"


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


class InfrastructureError(AilaError):
    """A part we depend on failed. The shard stops, is launched again and goes on where it stopped."""

    retryable = True


class LedgerUnavailable(InfrastructureError):
    code, what = "LEDGER_UNAVAILABLE", "the ledger's database does not answer"
    advice = "check AILA_DATABASE_URL and the database"


class StoreUnavailable(InfrastructureError):
    code, what = "STORE_UNAVAILABLE", "the object store does not answer"
    advice = "check AILA_OBJECT_STORE, the endpoint and the credentials"


class ObjectMissing(InfrastructureError):
    code, what = "OBJECT_MISSING", "the object store has no such object"
    advice = "`aila verify` lists what is missing"


class ObjectChanged(InfrastructureError):
    code, what = "OBJECT_CHANGED", "the object is not the one that was pinned"
    advice = "send the files again"


class ModelUnavailable(InfrastructureError):
    code, what = "MODEL_UNAVAILABLE", "the speech model cannot be loaded"
    advice = "check AILA_WHISPER_MODEL: a size that can be downloaded, or a directory with a CTranslate2 model"


class DagsterUnavailable(InfrastructureError):
    code, what = "DAGSTER_UNAVAILABLE", "Dagster does not answer"
    advice = "check AILA_DAGSTER_URL, or start it with `aila up`"


class StackError(AilaError):
    """What `aila up` runs cannot start, or cannot go on."""


class HomeInUse(StackError):
    code, what = "HOME_IN_USE", "another `aila up` works on this home"
    advice = "stop it first, or choose another home with --home"


class PortTaken(StackError):
    code, what = "PORT_TAKEN", "something else listens on the port"
    advice = "stop it, or choose another port"


class DefinitionsBroken(StackError):
    code, what = "DEFINITIONS_BROKEN", "Dagster cannot load the definitions"
    advice = "mend them; `dagster definitions validate` shows the same error"


class ProcessFailed(StackError):
    code, what = "PROCESS_FAILED", "a process of Dagster does not run"
    advice = "look at its log"


class CommandRefused(AilaError):
    """What a command was asked for cannot be; nothing was done."""


class LedgerMissing(CommandRefused):
    code, what = "LEDGER_MISSING", "there is no ledger here"
    advice = "start `aila up` first, or name the right home with --home or AILA_HOME"


class NotKnown(CommandRefused):
    code, what = "NOT_KNOWN", "the ledger knows nothing of this id"
    advice = "`aila status` lists the batches, `aila status BATCH_ID` the calls of one"


class NameTaken(CommandRefused):
    code, what = "NAME_TAKEN", "something of this name lies in the drop zone already"
    advice = "choose another with --name"


class TenantUnknown(CommandRefused):
    code, what = "TENANT_UNKNOWN", "there is no such tenant, and drops may not create one"
    advice = "check --country and --firm, or set AILA_CREATE_TENANTS=true"


class WaitedTooLong(AilaError):
    code, what = "WAITED_TOO_LONG", "the time given with --timeout is over"
    advice = "the work goes on; `aila status` shows it"


class KeyInvalid(AilaError):
    """Not retryable, and no failure of the store: the name itself cannot be held."""

    code, what = "KEY_INVALID", "no object of the store can have this name"
    advice = "use a shorter or simpler name"


class LeaseLost(AilaError):
    """Another worker holds the shard now; this one writes nothing more and stops quietly."""

    code, what, advice = "LEASE_LOST", "another run took the shard over", "nothing to do"


class SettingInvalid(AilaError):
    code, what, advice = "SETTING_INVALID", "a setting cannot work", "mend the setting and start again"


def advice_of(code: str) -> str:
    """What to do about a stored code; the general advice for one that no class has any more."""
    families = [AilaError]
    while families:
        family = families.pop()
        if family.code == code:
            return family.advice
        families.extend(family.__subclasses__())
    return AilaError.advice
