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
│   │   ├── SourceForbidden         SOURCE_FORBIDDEN       the host refuses to give it
│   │   ├── AudioEmpty              AUDIO_EMPTY            no bytes, or no samples
│   │   ├── AudioInvalid            AUDIO_INVALID          not readable as audio
│   │   ├── AudioTruncated          AUDIO_TRUNCATED        shorter than its own header says
│   │   ├── AudioTooLong            AUDIO_TOO_LONG         longer than the limit
│   │   ├── AudioTooLarge           AUDIO_TOO_LARGE        more bytes than the limit
│   │   ├── UserNotFound            USER_NOT_FOUND         no such user, and the tenant makes none from calls
│   │   ├── KeptObjectLost          KEPT_OBJECT_LOST       the store lost what an earlier stage had kept
│   │   └── ProcessingCrashed       PROCESSING_CRASHED     the worker died on this call again and again
│   └── TransientCallError          a later attempt may succeed
│       ├── SourceUnavailable       SOURCE_UNAVAILABLE     the source did not answer
│       ├── DownloadTimeout         DOWNLOAD_TIMEOUT       the source was too slow
│       ├── RecognitionFailed       RECOGNITION_FAILED     the recogniser gave up on this call
│       └── Unexpected              UNEXPECTED             a case that the program does not know
├── SubmissionRefused               a whole submission is refused; its files are kept beside the reasons
│   ├── PairIncomplete              PAIR_INCOMPLETE        the other half never came, or there are too many files
│   ├── PairVanished                PAIR_VANISHED          an upload's files are gone before they were taken in
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
├── RequestRefused                  a request to the API is refused; nothing was changed
│   ├── RequestUnreadable           INVALID_JSON           400  the body is no JSON object
│   ├── RequestContradictory        BAD_REQUEST            400  it says two different things
│   ├── Unauthenticated             UNAUTHORIZED           401  no valid key
│   ├── UploadForbidden             UPLOAD_FORBIDDEN       403  the signed URL is expired, changed or for another type
│   ├── NotFound                    NOT_FOUND              404  no such thing, or somebody else's
│   ├── MethodNotAllowed            METHOD_NOT_ALLOWED     405
│   ├── RequestInFlight             IDEMPOTENCY_KEY_IN_USE 409  the first request of this key is not answered yet
│   ├── RequestTooLarge             PAYLOAD_TOO_LARGE      413
│   ├── RequestInvalid              VALIDATION_ERROR       422  each error is listed by row or index
│   ├── UploadMissing               UPLOAD_MISSING         422  step 3 before step 2
│   ├── IdempotencyKeyReused        IDEMPOTENCY_KEY_REUSED 422  the key was used for another body
│   ├── LimitReached                RATE_LIMIT_EXCEEDED    429  with the seconds to wait
│   └── RequestFailed               INTERNAL_ERROR         500  a case that the program does not know
├── InfrastructureError             nobody's call is at fault; the shard stops and is launched again
│   ├── LedgerUnavailable           LEDGER_UNAVAILABLE
│   ├── StoreUnavailable            STORE_UNAVAILABLE
│   ├── ObjectMissing               OBJECT_MISSING         the store has no such object
│   ├── ObjectChanged               OBJECT_CHANGED         the object is not the one that was pinned
│   ├── ModelUnavailable            MODEL_UNAVAILABLE
│   └── DagsterUnavailable          DAGSTER_UNAVAILABLE
├── DeliveryError                   a message to somebody else did not arrive; the call it tells of is not touched
│   ├── DeliveryRefused             DELIVERY_REFUSED       the receiver will never take it as it is
│   └── DeliveryFailed              DELIVERY_FAILED        the receiver could not take it now; sent again
├── ChecklistError                  a checklist cannot be used as asked; what is active stays
│   ├── ChecklistInvalid            CHECKLIST_INVALID      a line of it breaks a rule
│   ├── ChecklistConflict           CHECKLIST_CONFLICT     the same version asked something else before
│   └── ChecklistUnknown            CHECKLIST_UNKNOWN      the tenant has no such checklist or version
├── StackError                      `aila up` cannot start or go on
│   ├── HomeInUse                   HOME_IN_USE            another `aila up` works on this home
│   ├── PortTaken                   PORT_TAKEN             something else listens there
│   ├── DefinitionsBroken           DEFINITIONS_BROKEN     the Dagster definitions cannot be loaded
│   └── ProcessFailed               PROCESS_FAILED         a process does not start, or ends again and again
├── CommandRefused                  a command was asked for something that cannot be
│   ├── LedgerMissing               LEDGER_MISSING         no ledger lies there
│   ├── NotKnown                    NOT_KNOWN              the ledger has no such batch or call
│   ├── NameTaken                   NAME_TAKEN             something of this name lies in the drop zone
│   ├── TenantUnknown               TENANT_UNKNOWN         no such tenant, and drops may not create one
│   ├── ApiKeyMissing               API_KEY_MISSING        no key was given for the API
│   └── ApiRefused                  API_REFUSED            the API refused what was asked
├── ApiUnavailable                  API_UNAVAILABLE        the API does not answer
├── WaitedTooLong                   WAITED_TOO_LONG        a command's patience ended before the work did
├── KeyInvalid                      KEY_INVALID            no object of the store can have this name
├── LeaseLost                       LEASE_LOST             another worker holds the shard; this one stops quietly
└── SettingInvalid                  SETTING_INVALID        a setting that cannot work

Lives here: the picture. The classes are in the files beside it. Does not: deciding when to raise one.
A `detail` must be safe to store and show: no name, number or text of a call.
"""

from __future__ import annotations

from aila_pipeline.errors.base import AilaError, advice_of
from aila_pipeline.errors.calls import (
    AudioEmpty,
    AudioInvalid,
    AudioTooLarge,
    AudioTooLong,
    AudioTruncated,
    CallError,
    DownloadTimeout,
    EntryBomb,
    EntryCorrupt,
    EntryEncrypted,
    EntryNested,
    EntryUnsupported,
    ExternalIdConflict,
    FileAmbiguous,
    FileNotFound,
    KeptObjectLost,
    PermanentCallError,
    ProcessingCrashed,
    RecognitionFailed,
    RowInvalid,
    SourceChanged,
    SourceForbidden,
    SourceNotAllowed,
    SourceNotFound,
    SourceUnavailable,
    TransientCallError,
    Unexpected,
    UserNotFound,
)
from aila_pipeline.errors.checklists import (
    ChecklistConflict,
    ChecklistError,
    ChecklistInvalid,
    ChecklistUnknown,
)
from aila_pipeline.errors.deliveries import (
    DeliveryError,
    DeliveryFailed,
    DeliveryRefused,
)
from aila_pipeline.errors.infrastructure import (
    DagsterUnavailable,
    InfrastructureError,
    KeyInvalid,
    LeaseLost,
    LedgerUnavailable,
    ModelUnavailable,
    ObjectChanged,
    ObjectMissing,
    StoreUnavailable,
)
from aila_pipeline.errors.operations import (
    ApiKeyMissing,
    ApiRefused,
    ApiUnavailable,
    CommandRefused,
    DefinitionsBroken,
    HomeInUse,
    LedgerMissing,
    NameTaken,
    NotKnown,
    PortTaken,
    ProcessFailed,
    SettingInvalid,
    StackError,
    TenantUnknown,
    WaitedTooLong,
)
from aila_pipeline.errors.requests import (
    IdempotencyKeyReused,
    LimitReached,
    MethodNotAllowed,
    NotFound,
    RequestContradictory,
    RequestFailed,
    RequestInFlight,
    RequestInvalid,
    RequestRefused,
    RequestTooLarge,
    RequestUnreadable,
    Unauthenticated,
    UploadForbidden,
    UploadMissing,
)
from aila_pipeline.errors.submissions import (
    ArchiveBomb,
    ArchiveCorrupt,
    CsvColumnMissing,
    CsvEmpty,
    CsvHeaderDuplicate,
    CsvHeaderMissing,
    CsvQuoteUnclosed,
    CsvTooLarge,
    CsvUnreadable,
    ManifestInvalid,
    PairIncomplete,
    PairVanished,
    SubmissionRefused,
    SubmissionUnexpected,
)

__all__ = [
    "AilaError",
    "ApiKeyMissing",
    "ApiRefused",
    "ApiUnavailable",
    "ArchiveBomb",
    "ArchiveCorrupt",
    "AudioEmpty",
    "AudioInvalid",
    "AudioTooLarge",
    "AudioTooLong",
    "AudioTruncated",
    "CallError",
    "ChecklistConflict",
    "ChecklistError",
    "ChecklistInvalid",
    "ChecklistUnknown",
    "CommandRefused",
    "CsvColumnMissing",
    "CsvEmpty",
    "CsvHeaderDuplicate",
    "CsvHeaderMissing",
    "CsvQuoteUnclosed",
    "CsvTooLarge",
    "CsvUnreadable",
    "DagsterUnavailable",
    "DefinitionsBroken",
    "DeliveryError",
    "DeliveryFailed",
    "DeliveryRefused",
    "DownloadTimeout",
    "EntryBomb",
    "EntryCorrupt",
    "EntryEncrypted",
    "EntryNested",
    "EntryUnsupported",
    "ExternalIdConflict",
    "FileAmbiguous",
    "FileNotFound",
    "HomeInUse",
    "IdempotencyKeyReused",
    "InfrastructureError",
    "KeptObjectLost",
    "KeyInvalid",
    "LeaseLost",
    "LedgerMissing",
    "LedgerUnavailable",
    "LimitReached",
    "ManifestInvalid",
    "MethodNotAllowed",
    "ModelUnavailable",
    "NameTaken",
    "NotFound",
    "NotKnown",
    "ObjectChanged",
    "ObjectMissing",
    "PairIncomplete",
    "PairVanished",
    "PermanentCallError",
    "PortTaken",
    "ProcessFailed",
    "ProcessingCrashed",
    "RecognitionFailed",
    "RequestContradictory",
    "RequestFailed",
    "RequestInFlight",
    "RequestInvalid",
    "RequestRefused",
    "RequestTooLarge",
    "RequestUnreadable",
    "RowInvalid",
    "SettingInvalid",
    "SourceChanged",
    "SourceForbidden",
    "SourceNotAllowed",
    "SourceNotFound",
    "SourceUnavailable",
    "StackError",
    "StoreUnavailable",
    "SubmissionRefused",
    "SubmissionUnexpected",
    "TenantUnknown",
    "TransientCallError",
    "Unauthenticated",
    "Unexpected",
    "UploadForbidden",
    "UploadMissing",
    "UserNotFound",
    "WaitedTooLong",
    "advice_of",
]
