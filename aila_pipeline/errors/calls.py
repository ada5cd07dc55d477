"""What ends one call, while the others of its shard go on.

Lives here: failures of a call, permanent and passing. Does not: deciding when to raise one.
"""

from __future__ import annotations

from aila_pipeline.errors.base import AilaError


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
    advice = "have the bucket and prefix added to the tenant's list, or the host to AILA_FETCH_ALLOW, then retry"


class SourceNotFound(PermanentCallError):
    code, what = "SOURCE_NOT_FOUND", "nothing lies at the audio URL"
    advice = "check the URL and send the call again"


class SourceForbidden(PermanentCallError):
    code, what = "SOURCE_FORBIDDEN", "the host refuses to give the audio"
    advice = "sign a fresh URL, or open the file to the public, and send the call again"


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


class UserNotFound(PermanentCallError):
    code, what = "USER_NOT_FOUND", "the tenant has no such user, and makes none from calls"
    advice = "make the user with `aila users create`, or set create_users=true for the tenant, then retry the call"


class KeptObjectLost(PermanentCallError):
    code, what = "KEPT_OBJECT_LOST", "the object store has lost what an earlier stage kept of this call"
    advice = "run its shard again with the tag aila/force=yes, which makes everything anew"


class ProcessingCrashed(PermanentCallError):
    code, what = "PROCESSING_CRASHED", "the worker died on this call again and again"
    advice = "look at the runs in its trace; after the cause is gone, retry the call"


class SourceUnavailable(TransientCallError):
    code, what = "SOURCE_UNAVAILABLE", "the audio's source did not answer"
    advice = "it is tried again by itself; if that goes on, check the source"


class DownloadTimeout(TransientCallError):
    code, what = "DOWNLOAD_TIMEOUT", "the audio's host was too slow"
    advice = "it is tried again by itself; if that goes on, host the file elsewhere"


class RecognitionFailed(TransientCallError):
    code, what = "RECOGNITION_FAILED", "the recogniser gave up on this call"
    advice = "it is tried again by itself; if that goes on, look at the run's log"


class Unexpected(TransientCallError):
    code, what = "UNEXPECTED", "the program met a case that it does not know"
    advice = "the run's log says where; please report it"
