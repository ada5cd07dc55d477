"""Contract A, step 3: what becomes a batch, what is refused, and that asking again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.intake import Intake, unpinned
from aila_pipeline.adapters.ledger.records import Batch
from aila_pipeline.adapters.ledger.tables import uploads
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline_tests.adapters.zips import a_zip
from aila_pipeline_tests.api.conftest import Site
from aila_pipeline_tests.api.test_uploads import issued
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row

STEP_3 = "/api/v1/calls/process-upload"
GOOD = a_csv(a_row("one.wav"), a_row("two.wav"))
AUDIOS = a_zip({"one.wav": b"1", "two.wav": b"22"})


@dataclass(frozen=True)
class Uploaded:
    """Keys as step 1 gave them."""

    metadata_key: str
    audios_key: str

    @property
    def keys(self) -> dict[str, str]:
        """The body of step 3."""
        return {"metadata_key": self.metadata_key, "audios_key": self.audios_key}


def uploaded(site: Site, csv: bytes | None = GOOD, archive: bytes | None = AUDIOS) -> Uploaded:
    """Steps 1 and 2; None leaves a file out."""
    data = issued(site)
    for url, content, kind in (
        (data["metadata_upload_url"], csv, "text/csv"),
        (data["audio_upload_url"], archive, "application/zip"),
    ):
        if content is not None:
            assert site.stranger.put(url, content=content, headers={"Content-Type": kind}).status_code == 200
    return Uploaded(data["metadata_key"], data["audio_key"])


def processed(site: Site, upload: Uploaded, **headers: str) -> dict[str, Any]:
    """The data of step 3's good answer."""
    answer = site.acme.post(STEP_3, json=upload.keys, headers=headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def refused(site: Site, body: Mapping[str, Any], query: str = "") -> tuple[int, dict[str, Any]]:
    """Status and error of step 3."""
    answer = site.acme.post(STEP_3 + query, json=body)
    assert answer.status_code != 200, answer.text
    return answer.status_code, answer.json()["error"]


def batches(site: Site) -> list[str]:
    return [view.id for view in site.ledger.views.recent(100)]


def the_batch(site: Site) -> Batch:
    (batch_id,) = batches(site)
    batch = site.ledger.batches.get(batch_id)
    assert batch is not None
    return batch


def own_objects(site: Site) -> list[str]:
    return [info.key for info in site.store.list("_aila/")]


def test_step_3_answers_as_the_contract_prints_it_and_names_the_batch(site: Site) -> None:
    """Gap 4: `batch_id` beside the printed message."""
    data = processed(site, uploaded(site))
    batch = the_batch(site)
    assert data == {
        "message": "Files validated and queued for processing",
        "batch_id": batch.id,
        "calls": 2,
        "rejected_rows": 0,
        "warnings": [],
    }
    assert (batch.state, batch.kind, batch.door) == ("received", "pair", "api")


def test_what_was_checked_is_pinned_the_csv_as_a_copy(site: Site) -> None:
    upload = uploaded(site)
    processed(site, upload)
    csv, archive = (unpinned(source) for source in the_batch(site).sources)
    assert site.store.read(csv.key) == GOOD
    assert csv.key.startswith("_aila/uploads/")
    assert archive == site.store.stat(upload.audios_key)


@pytest.mark.parametrize("names", [["audio_key"], ["audios_key"], ["audio_key", "audios_key"]])
def test_the_zip_goes_by_either_name(site: Site, names: list[str]) -> None:
    """Gap 3."""
    upload = uploaded(site)
    body = {"metadata_key": upload.metadata_key} | dict.fromkeys(names, upload.audios_key)
    assert site.acme.post(STEP_3, json=body).status_code == 200


def test_two_different_zips_contradict_each_other(site: Site) -> None:
    """Gap 3."""
    upload = uploaded(site)
    status, error = refused(site, upload.keys | {"audio_key": upload.audios_key + "x"})
    assert (status, error["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "metadata_key"),
        ({"metadata_key": "kz/acme/1/a.csv"}, "audios_key"),
        ({"metadata_key": 1, "audios_key": "a"}, "metadata_key"),
        ({"metadata_key": "a", "audios_key": ["a"]}, "audios_key"),
        ({"metadata_key": "a", "audios_key": ""}, "audios_key"),
    ],
)
def test_a_missing_or_wrong_field_is_named(site: Site, body: dict[str, Any], field: str) -> None:
    status, error = refused(site, body)
    assert (status, list(error["details"]["fields"])) == (422, [field])


def test_keys_that_are_not_this_tenants_upload_get_one_and_the_same_answer(site: Site) -> None:
    """Never issued, another tenant's, swapped, mixed from two uploads, or no keys at all (gap 6)."""
    upload, second = uploaded(site), uploaded(site)
    bodies = [
        {"metadata_key": "kz/acme/0/metadata.csv", "audios_key": "kz/acme/0/audios.zip"},
        {"metadata_key": upload.audios_key, "audios_key": upload.metadata_key},
        {"metadata_key": upload.metadata_key, "audios_key": second.audios_key},
        {"metadata_key": second.metadata_key, "audios_key": upload.audios_key},
        {"metadata_key": upload.metadata_key + "\0", "audios_key": upload.audios_key},
        {"metadata_key": "/" + upload.metadata_key, "audios_key": upload.audios_key},
        {"metadata_key": "я" * 5000, "audios_key": "_aila/audio/1"},
    ]
    answers = [site.acme.post(STEP_3, json=body) for body in bodies]
    answers.append(site.other.post(STEP_3, json=upload.keys))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert batches(site) == []


def test_keys_with_nul_are_unknown_on_every_ledger(either_site: Site) -> None:
    body = {"metadata_key": "kz/acme/1\0/a.csv", "audios_key": "kz/acme/1\0/a.zip"}
    assert refused(either_site, body)[0] == 404


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"csv": None}, ["metadata_key"]),
        ({"archive": None}, ["audios_key"]),
        ({"csv": None, "archive": None}, ["metadata_key", "audios_key"]),
    ],
)
def test_step_3_before_step_2_names_what_is_missing(site: Site, files: dict[str, None], missing: list[str]) -> None:
    status, error = refused(site, uploaded(site, **files).keys)
    assert (status, error["code"], list(error["details"]["fields"])) == (422, "UPLOAD_MISSING", missing)
    assert batches(site) == []


def test_the_missing_file_can_be_put_and_step_3_sent_again(site: Site) -> None:
    upload = uploaded(site, archive=None)
    assert refused(site, upload.keys)[0] == 422
    site.store.write(upload.audios_key, AUDIOS)
    assert processed(site, upload)["calls"] == 2


def test_after_the_hour_step_3_still_works(site: Site) -> None:
    """Gap 8: the hour binds the PUTs."""
    upload = uploaded(site)
    long_ago = sa.update(uploads).values(expires_at=datetime.now(UTC) - timedelta(hours=5))
    site.ledger.database.write(lambda connection: connection.execute(long_ago))
    assert processed(site, upload)["calls"] == 2


def test_step_3_again_gives_the_same_answer_and_does_nothing(site: Site) -> None:
    """Gap 24: also when the files lie elsewhere by then, and when the batch has been taken in."""
    upload = uploaded(site, a_csv(a_row("one.wav"), a_row("none.wav")))
    first = processed(site, upload)
    assert processed(site, upload) == first
    site.store.write(upload.metadata_key, b"overwritten")
    assert processed(site, upload) == first
    Intake(site.ledger, site.store, site.settings).take(the_batch(site))
    site.store.delete(upload.metadata_key)
    assert processed(site, upload) == first
    assert batches(site) == [first["batch_id"]]


def test_of_many_at_once_one_makes_the_batch(either_site: Site) -> None:
    """Each with the other envelope too; all get the same answer."""
    site, upload = either_site, uploaded(either_site)

    def ask(number: int) -> dict[str, Any]:
        answer = site.acme.post(STEP_3 if number % 2 else STEP_3.removeprefix("/api"), json=upload.keys).json()
        data: dict[str, Any] = answer["data"] if number % 2 else {k: v for k, v in answer.items() if k != "success"}
        return data

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(16)))
    assert [answer["batch_id"] for answer in answers] == [the_batch(site).id] * 16
    assert all(answer == answers[0] for answer in answers)


def test_a_copy_that_a_crash_left_behind_is_used_and_not_overwritten(site: Site) -> None:
    """The first request died before the ledger's commit: here, by a limit."""
    tenant = site.acme.access.tenant
    upload = uploaded(site)
    site.ledger.tenants.change_settings(tenant, TenantSettings(concurrent_batches=0))
    assert refused(site, upload.keys)[0] == 429
    (left,) = list(site.store.list("_aila/uploads/"))
    site.ledger.tenants.change_settings(tenant, TenantSettings())
    processed(site, upload)
    assert list(site.store.list("_aila/uploads/")) == [left]


def test_a_bad_row_among_good_ones_is_counted_and_the_batch_accepted(site: Site) -> None:
    """Gap 7."""
    rows = [a_row("one.wav"), a_row("none.wav"), a_row("two.wav", start_time="yesterday")]
    data = processed(site, uploaded(site, a_csv(*rows)))
    assert (data["calls"], data["rejected_rows"]) == (3, 2)


def test_audio_without_a_row_is_a_warning(site: Site) -> None:
    """Gap 9."""
    data = processed(site, uploaded(site, a_csv(a_row("one.wav"))))
    assert data["warnings"] == ["AUDIO_WITHOUT_ROW: 1 file of the archive named by no row"]


def test_a_dry_run_tells_what_would_be_and_writes_nothing(site: Site) -> None:
    rows = [a_row("one.wav"), a_row("none.wav"), a_row("two.wav", start_time="yesterday", segment_type="")]
    upload = uploaded(site, a_csv(*rows))
    answer = site.acme.post(f"{STEP_3}?dry_run=true", json=upload.keys)
    data = answer.json()["data"]
    problems = data.pop("problems")
    assert data == {"dry_run": True, "rows": 3, "would_be_processed": 1, "rejected_rows": 2, "warnings": []}
    assert [(each["row"], each["field"]) for each in problems] == [
        (3, "audio_file_name"),
        (4, "start_time"),
        (4, "segment_type"),
    ]
    assert (batches(site), own_objects(site)) == ([], [])
    assert processed(site, upload)["rejected_rows"] == 2


@pytest.mark.parametrize("csv", [b"", a_csv(a_row("none.wav"))])
def test_a_dry_run_is_refused_as_the_real_one(site: Site, csv: bytes) -> None:
    upload = uploaded(site, csv)
    assert refused(site, upload.keys, "?dry_run=1") == refused(site, upload.keys)


def test_a_dry_run_that_is_neither_true_nor_false_is_refused(site: Site) -> None:
    status, error = refused(site, uploaded(site).keys, "?dry_run=perhaps")
    assert (status, list(error["details"]["fields"])) == (422, ["dry_run"])
    assert "perhaps" not in str(error)


def test_a_pair_counts_against_the_limits_and_the_answer_tells_where_they_stand(site: Site) -> None:
    """Gap 23."""
    site.ledger.tenants.change_settings(site.acme.access.tenant, TenantSettings(calls_per_hour=3))
    first = site.acme.post(STEP_3, json=uploaded(site).keys)
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("3", "1")
    second = site.acme.post(STEP_3, json=uploaded(site).keys)
    assert (second.status_code, second.json()["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(second.headers["Retry-After"]) > 3500
    assert len(batches(site)) == 1


def test_an_idempotency_key_gives_the_first_answer_again(site: Site) -> None:
    """Gap 24."""
    upload, other = uploaded(site), uploaded(site)
    headers = {"Idempotency-Key": "one"}
    answers = [site.acme.post(STEP_3, json=upload.keys, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert site.acme.post(STEP_3, json=other.keys, headers=headers).status_code == 422
    assert len(batches(site)) == 1


def test_a_refusal_frees_the_idempotency_key(site: Site) -> None:
    upload, headers = uploaded(site, archive=None), {"Idempotency-Key": "one"}
    assert site.acme.post(STEP_3, json=upload.keys, headers=headers).status_code == 422
    site.store.write(upload.audios_key, AUDIOS)
    assert site.acme.post(STEP_3, json=upload.keys, headers=headers).status_code == 200
