"""Operations: one entry per address and method, with what it does, takes, answers and refuses.

Lives here: the table of contents for clients. Does not: schemas (requests.py, answers.py), errors (refusals.py).
Addresses are without the prefix: both serve all of them, each in its own envelope.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from aila_pipeline.api.documentation import answers, examples, people, requests
from aila_pipeline.api.documentation import refusals as no
from aila_pipeline.api.documentation.requests import Json
from aila_pipeline.errors import AilaError


@dataclass(frozen=True)
class Operation:
    """One of them. `answers` are the models of its 200, each with an example."""

    id: str
    summary: str
    description: str
    answers: tuple[tuple[type[BaseModel], Json], ...] = ()
    refusals: tuple[AilaError, ...] = ()
    body: Json | None = None
    headers: tuple[str, ...] = ()
    once: bool = False
    """Takes an `Idempotency-Key`."""


_HOUSE = (no.FAILED, no.LEDGER_DOWN, no.STORE_DOWN)
_READ = (no.UNAUTHENTICATED, *_HOUSE)
_POST = (no.UNREADABLE, no.UNAUTHENTICATED, no.IN_FLIGHT, no.TOO_LARGE, no.KEY_REUSED, no.KEY_INVALID, *_HOUSE)
_PAIR = (no.CONTRADICTORY, no.NOT_FOUND, no.ROWS_INVALID, no.FILE_MISSING, no.FILES_REFUSED)
_LIMITS = ("RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("post", "/calls/upload"): Operation(
        id="upload",
        summary="Step 1: get two signed URLs",
        description="Two keys that belong together, and a URL for each to PUT the file to (step 2). The URLs can be "
        "used for an hour; step 3 works later too.",
        answers=((answers.UploadUrls, examples.UPLOAD_URLS),),
        refusals=(*_POST, no.NAME_INVALID),
        body=requests.UPLOAD,
        once=True,
    ),
    ("put", "/uploads/{token}"): Operation(
        id="put_file",
        summary="Step 2: upload a file to its signed URL",
        description="Where the store is a directory, step 1's URLs lead here; else to S3. Send no `Authorization`. "
        "Another PUT to the same URL replaces the file.",
        refusals=(no.BROKEN, no.FORBIDDEN, no.TOO_LARGE, *_HOUSE),
        headers=("ETag",),
    ),
    ("post", "/calls/process-upload"): Operation(
        id="process_upload",
        summary="Step 3: process the uploaded pair",
        description="Checks both files first: encoding, header and every row of the CSV, the directory of the ZIP, and "
        "the join of the two. Files that cannot be processed at all are refused; a bad row among good ones becomes a "
        "call that has failed. The same keys again give the same batch. With `dry_run` nothing is written.",
        answers=(
            (answers.Processed, examples.PROCESSED),
            (answers.ProcessDryRun, examples.PROCESS_DRY_RUN),
        ),
        refusals=(
            *_POST,
            no.CONTRADICTORY,
            no.NOT_FOUND,
            no.ROWS_INVALID,
            no.FILE_MISSING,
            no.FILES_REFUSED,
            no.LIMITED,
        ),
        body=requests.PROCESS_UPLOAD,
        headers=_LIMITS,
        once=True,
    ),
    ("post", "/calls/batch-upload"): Operation(
        id="submit_calls",
        summary="Submit a list of 1 to 100 calls",
        description="One wrong call refuses the whole list, with every problem of every call by index. An "
        "`external_id` that is known links the call that has it, or tries it again if it has failed; with other data "
        "it is refused as `EXTERNAL_ID_CONFLICT`. With `dry_run` all is checked and nothing written or counted.",
        answers=(
            (answers.SubmittedCalls, examples.SUBMITTED),
            (answers.SubmitDryRun, examples.SUBMIT_DRY_RUN),
        ),
        refusals=(*_POST, no.CALLS_INVALID, no.LIMITED),
        body=requests.BATCH_UPLOAD,
        headers=_LIMITS,
        once=True,
    ),
    ("get", "/calls/batch-upload"): Operation(
        id="list_batches",
        summary="List batches, newest first",
        description="All of the tenant's, whichever door they came through: lists, uploaded pairs, the drop zone.",
        answers=((answers.BatchPage, examples.BATCHES),),
        refusals=(*_READ, no.INVALID),
    ),
    ("get", "/calls/batch-upload/{batch_id}"): Operation(
        id="show_batch",
        summary="Show a batch and its calls",
        description="To be polled every 5 to 10 seconds until `terminal` is true. Up to 1,000 calls, then "
        "`next_cursor`.",
        answers=((answers.WholeBatch, examples.BATCH),),
        refusals=(*_READ, no.NOT_FOUND, no.INVALID),
    ),
    ("post", "/calls/batch-upload/{batch_id}/retry"): Operation(
        id="retry_batch",
        summary="Try the failed calls of a batch again",
        description="A new attempt for each failed call; the others are left. Nothing failed: nothing happens.",
        answers=((answers.RetriedBatch, examples.RETRIED),),
        refusals=(*_POST[1:], no.NOT_FOUND),
        once=True,
    ),
    ("get", "/calls"): Operation(
        id="list_calls",
        summary="List calls, newest first",
        description="Page by page; with `batch_id` the batch's calls in its own order. `from` (inclusive) and `to` "
        "(exclusive) are times of acceptance, to the millisecond; a `+` in a query is written `%2B`. A cursor "
        "belongs to the filters that gave it.",
        answers=((answers.CallPage, examples.CALLS),),
        refusals=(*_READ, no.NOT_FOUND, no.INVALID),
    ),
    ("get", "/calls/{call_id}"): Operation(
        id="show_call",
        summary="Show a call in full",
        description="With transcript, insights and score, as far as they are there. A transcript belongs to the "
        "newest data of its call.",
        answers=((answers.WholeCall, examples.CALL),),
        refusals=(*_READ, no.NOT_FOUND),
    ),
    ("get", "/contacts"): Operation(
        id="list_contacts",
        summary="List contacts, newest first",
        description="Whom the tenant's calls were with, as far as they are analysed. `phone` and `email` are matched "
        "exactly, in whatever way they are written; a number without country code is in the tenant's own region.",
        answers=((people.ContactPage, examples.CONTACTS),),
        refusals=(*_READ, no.INVALID),
    ),
    ("get", "/contacts/{contact_id}"): Operation(
        id="show_contact",
        summary="Show a contact",
        description="With every value that a call gave and that is not the one that is kept: nothing that is known "
        "is overwritten by a call.",
        answers=((people.WholeContact, examples.CONTACT),),
        refusals=(*_READ, no.NOT_FOUND),
    ),
    ("get", "/contacts/{contact_id}/calls"): Operation(
        id="list_calls_of_contact",
        summary="List the calls with a contact, newest first",
        description="Page by page, as the list of all calls.",
        answers=((answers.CallPage, examples.CALLS),),
        refusals=(*_READ, no.NOT_FOUND, no.INVALID),
    ),
    ("get", "/users"): Operation(
        id="list_users",
        summary="List users, newest first",
        description="Who speaks in the tenant's calls, and who submits for it. `email` is matched exactly.",
        answers=((people.UserPage, examples.USERS),),
        refusals=(*_READ, no.INVALID),
    ),
    ("get", "/users/{user_id}"): Operation(
        id="show_user",
        summary="Show a user",
        description="With every name and group that a call gave and that is not the one that is kept.",
        answers=((people.WholeUser, examples.USER),),
        refusals=(*_READ, no.NOT_FOUND),
    ),
    ("get", "/users/{user_id}/calls"): Operation(
        id="list_calls_of_user",
        summary="List the calls of a user, newest first",
        description="Page by page, as the list of all calls.",
        answers=((answers.CallPage, examples.CALLS),),
        refusals=(*_READ, no.NOT_FOUND, no.INVALID),
    ),
}
"""By method and address."""
