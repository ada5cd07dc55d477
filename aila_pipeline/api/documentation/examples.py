"""Examples of answers: the contracts' own, with what we add to them.

Lives here: one example for each kind of data. Does not: their models (answers.py).
"""

from __future__ import annotations

from typing import Any

from aila_pipeline.api.documentation.insights import INSIGHTS

Json = dict[str, Any]

_CALL, _BATCH = "aila_01kf0rdqg0vb0q3fvakzxk8kc0", "batch_01kf0rdqg091k3x00g25akgec3"
_CONTACT, _USER = "contact_01kf0rf8zr6m8wq1v4k3t9y2xe", "user_01kf0rf8zr3j7hd5c0b2n6p4sa"
_RUN = "6f0c1f0e-7a0c-4f0f-9a33-2f4c5d1f8b11"
_FOLDER = "kz/acme/0198c7a2-7a41-7c3e-9d52-3f1f0f6f7d11"

ALIVE: Json = {"status": "ok"}
READY: Json = {"status": "ok", "ledger": "ok", "store": "ok", "dagster": "ok", "reasons": {}}
NOT_READY: Json = {
    "status": "failed",
    "ledger": "failed",
    "store": "ok",
    "dagster": "ok",
    "reasons": {"ledger": "the ledger's database does not answer"},
}
METRICS = """# HELP aila_calls Calls by status.
# TYPE aila_calls gauge
aila_calls{status="pending"} 120.0
"""

UPLOAD_URLS: Json = {
    "metadata_upload_url": f"https://s3.amazonaws.com/your-bucket/{_FOLDER}/metadata.csv?X-Amz-Signature=…",
    "metadata_key": f"{_FOLDER}/metadata.csv",
    "audio_upload_url": f"https://s3.amazonaws.com/your-bucket/{_FOLDER}/audios.zip?X-Amz-Signature=…",
    "audio_key": f"{_FOLDER}/audios.zip",
    "expires_in": 3600,
}
PROCESSED: Json = {
    "message": "Files validated and queued for processing",
    "batch_id": _BATCH,
    "calls": 2,
    "rejected_rows": 0,
    "warnings": ["AUDIO_WITHOUT_ROW: 1 file has no row"],
}
PROCESS_DRY_RUN: Json = {
    "dry_run": True,
    "rows": 2,
    "would_be_processed": 1,
    "rejected_rows": 1,
    "problems": [{"row": 3, "field": "start_time", "code": "ROW_INVALID", "message": "start_time is no ISO 8601 time"}],
    "warnings": [],
}
SUBMITTED: Json = {"batch_id": _BATCH, "calls_submitted": 2, "status": "submitted", "warnings": []}
SUBMIT_DRY_RUN: Json = {
    "dry_run": True,
    "calls_submitted": 0,
    "calls_valid": 2,
    "would_be": {"new": 1, "linked": 1, "tried_again": 0},
    "warnings": [],
}
_SHOWN: Json = {
    "batch_id": _BATCH,
    "status": "processing",
    "submitted_at": "2025-01-15T16:00:00Z",
    "total_calls": 2,
    "processed": 1,
    "failed": 0,
    "pending": 1,
    "terminal": False,
    "eta_seconds": 40.0,
    "waits_for": "is being worked on",
    "ended_at": None,
    "name": "batch-upload",
    "kind": "manifest",
    "warnings": [],
    "error": None,
}
BATCHES: Json = {"batches": [_SHOWN], "next_cursor": None}
BATCH: Json = _SHOWN | {
    "calls": [
        {
            "external_id": "call_12345",
            "status": "completed",
            "aila_call_id": _CALL,
            "processed_at": "2025-01-15T16:03:00Z",
            "warnings": [],
        },
        {
            "external_id": "call_12346",
            "status": "transcribing",
            "aila_call_id": "aila_01kf0rdqg0x0avtaxbvtcqjbyd",
            "progress": "transcribing",
            "warnings": [],
        },
    ],
    "next_cursor": None,
}
RETRIED: Json = {"batch_id": _BATCH, "calls_retried": 1, "calls_not_retriable": 0, "status": "processing"}
_ERROR: Json = {
    "code": "SOURCE_UNAVAILABLE",
    "message": "the audio's host does not answer; it is tried again by itself",
    "retryable": True,
}
CALLS: Json = {
    "calls": [
        {
            "id": _CALL,
            "external_id": "call_12345",
            "batch_id": _BATCH,
            "audio_file_name": None,
            "audio_url": "https://yourdomain.com/recordings/call1.mp3",
            "status": "failed",
            "progress": None,
            "error": _ERROR,
            "warnings": [],
            "attempt": 1,
            "created_at": "2025-01-15T16:00:00Z",
            "ended_at": "2025-01-15T16:03:00Z",
        }
    ],
    "next_cursor": "g77kG95kK-iuYWlsYV8wMWtmMHJkcWcwdmIwcTNmdmFrenhrOGtjMA",
}
_CONTACT_SHOWN: Json = {
    "id": _CONTACT,
    "phone": "+15551234567",
    "email": "john@example.com",
    "name": "John Doe",
    "created_at": "2025-01-15T16:03:00Z",
}
CONTACTS: Json = {"contacts": [_CONTACT_SHOWN], "next_cursor": None}
CONTACT: Json = _CONTACT_SHOWN | {
    "observations": [
        {"field": "name", "value": "J. Doe", "call_id": _CALL, "created_at": "2025-01-15T16:03:00Z"},
    ]
}
_USER_SHOWN: Json = {
    "id": _USER,
    "login": "agent@company.com",
    "email": "agent@company.com",
    "name": None,
    "group": None,
    "created_at": "2025-01-15T16:03:00Z",
}
USERS: Json = {"users": [_USER_SHOWN], "next_cursor": None}
USER: Json = _USER_SHOWN | {"observations": []}
CALL: Json = {
    "id": _CALL,
    "external_id": "call_12345",
    "partner_call_id": None,
    "batch_id": _BATCH,
    "batch_ids": [_BATCH],
    "audio_file_name": None,
    "audio_url": "https://yourdomain.com/recordings/call1.mp3",
    "status": "completed",
    "progress": None,
    "error": None,
    "warnings": ["MONO_AUDIO"],
    "user": {"id": _USER, "name": None, "email": "agent@company.com", "group": None},
    "contact": {"id": _CONTACT, "name": "John Doe", "phone": "+15551234567", "email": "john@example.com"},
    "call_date": "2025-01-15T14:30:00Z",
    "direction": "outbound",
    "segment_type": "sales",
    "disconnect_reason": None,
    "metadata": {"campaign": "Q1 2025", "segment_type": "sales"},
    "audio": {
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "seconds": 12.5,
        "channels": 1,
        "format": "mp3",
    },
    "transcript": {
        "language": "en",
        "model": "small",
        "turns": [
            {
                "role": "unknown",
                "channel": 0,
                "start": 0.4,
                "end": 1.1,
                "text": "Good morning",
                "words": [
                    {"start": 0.4, "end": 0.6, "text": "Good", "probability": 0.97},
                    {"start": 0.7, "end": 1.1, "text": "morning", "probability": 0.99},
                ],
            }
        ],
    },
    "insights": INSIGHTS,
    "score": {
        "checklist": "sales",
        "version": "1",
        "total": 100.0,
        "items": [
            {
                "id": "greeting",
                "title": "Greets the client",
                "verdict": "pass",
                "weight": 10,
                "reason": "heard at 0:00",
                "evidence": [{"start": 0.4, "quote": "Good morning", "role": "unknown"}],
            }
        ],
    },
    "created_at": "2025-01-15T16:00:00Z",
    "started_at": "2025-01-15T16:01:00Z",
    "processed_at": "2025-01-15T16:03:00Z",
    "attempt": 1,
    "attempts": [
        {
            "n": 1,
            "batch_id": _BATCH,
            "outcome": "completed",
            "stage": "outcomes",
            "error": None,
            "created_at": "2025-01-15T16:00:00Z",
            "started_at": "2025-01-15T16:01:00Z",
            "ended_at": "2025-01-15T16:03:00Z",
            "dagster_run_id": _RUN,
        }
    ],
    "dagster_run_id": _RUN,
    "dagster_run_url": f"http://127.0.0.1:3000/runs/{_RUN}",
}
