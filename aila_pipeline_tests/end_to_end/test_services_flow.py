"""The same way on the services of production: PostgreSQL as ledger, an S3 server as object store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline_tests import services
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline
from aila_pipeline_tests.end_to_end.test_manifest_flow import an_item

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """A fresh database and a fresh bucket."""
    with (
        services.fresh_database() as database,
        services.fresh_bucket() as bucket,
        a_pipeline(tmp_path / "home", database_url=database, object_store=f"s3://{bucket}") as made,
    ):
        yield made


def test_a_pair_with_a_bad_call_ends_as_on_the_embedded_stores(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech, "bad.mp3": b"no audio " * 50, "two.flac": speech})
    pipeline.run()
    assert pipeline.the_batch().status is BatchStatus.PARTIAL
    assert [call.error_code for call in pipeline.calls()] == [None, "AUDIO_INVALID", None]
    assert sorted(str(event.partition) for event in pipeline.events("call")) == sorted(c.id for c in pipeline.calls())
    assert list(pipeline.store.list("inbox/")) == []
    assert pipeline.differences() == []


def test_a_pair_dropped_twice_is_one_batch_and_one_recognition(pipeline: Pipeline, speech: bytes) -> None:
    for place in ("inbox/kz/acme/one", "inbox/kz/acme/again"):
        pipeline.drop_calls({"one.flac": speech}, place=place)
        pipeline.run()
    assert [call.attempt for call in pipeline.calls()] == [1]
    assert len(list(pipeline.store.list("_aila/transcripts/"))) == 1
    assert len(pipeline.events("call")) == 1
    assert list(pipeline.store.list("inbox/")) == []
    assert pipeline.differences() == []


def test_a_pair_in_the_buckets_root_is_taken_in_and_strangers_are_left_alone(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.store.write("backups/2026/database/dump.sql", b"not ours")
    pipeline.drop_calls({"one.flac": speech}, place="kz/acme/january")
    pipeline.run()
    batch = pipeline.the_batch()
    assert (batch.country, batch.firm, batch.name, batch.status) == ("kz", "acme", "january", BatchStatus.COMPLETED)
    left = [info.key for info in pipeline.store.list("") if not info.key.startswith("_aila/")]
    assert left == ["backups/2026/database/dump.sql"]
    assert pipeline.differences() == []


def test_a_manifest_reads_from_another_bucket_on_the_tenants_list(pipeline: Pipeline, speech: bytes) -> None:
    """And from no other place of that bucket."""
    with services.fresh_bucket() as other:
        client = services.s3_client()
        for key in ("calls/one.flac", "private/one.flac"):
            client.put_object(Bucket=other, Key=key, Body=speech)
        client.close()
        tenant = pipeline.ledger.tenants.ensure("kz", "acme")
        pipeline.ledger.tenants.change_settings(tenant, TenantSettings(allowed_sources=(f"s3://{other}/calls",)))
        items = [
            an_item("listed", audio_url=f"s3://{other}/calls/one.flac"),
            an_item("private", audio_url=f"s3://{other}/private/one.flac"),
            an_item("missing", audio_url=f"s3://{other}/calls/none.flac"),
        ]
        pipeline.store.write("inbox/kz/acme/batch.json", json.dumps({"calls": items}).encode())
        pipeline.run()
    assert [call.error_code for call in pipeline.calls()] == [None, "SOURCE_NOT_ALLOWED", "SOURCE_NOT_FOUND"]
    assert pipeline.differences() == []


def test_a_bucket_that_is_gone_is_a_passing_failure_of_its_calls_alone(pipeline: Pipeline, speech: bytes) -> None:
    """Nobody's call in our own store waits for it."""
    tenant = pipeline.ledger.tenants.ensure("kz", "acme")
    pipeline.ledger.tenants.change_settings(tenant, TenantSettings(allowed_sources=("s3://no-such-bucket-here",)))
    own = pipeline.store.url.removesuffix("/") + "/recordings/kz/acme/one.flac"
    pipeline.store.write("recordings/kz/acme/one.flac", speech)
    items = [an_item("gone", audio_url="s3://no-such-bucket-here/one.flac"), an_item("own", audio_url=own)]
    pipeline.store.write("inbox/kz/acme/batch.json", json.dumps({"calls": items}).encode())
    pipeline.run()
    gone, mine = pipeline.calls()
    assert mine.status is CallStatus.COMPLETED
    assert gone.error_code in {"SOURCE_NOT_FOUND", "SOURCE_UNAVAILABLE"}
    assert pipeline.differences() == []


def test_refused_files_are_kept_in_the_bucket(pipeline: Pipeline) -> None:
    pipeline.drop_pair(b"not a header\r\nnor a row\r\n", b"PK no zip")
    pipeline.run()
    batch = pipeline.the_batch()
    assert batch.problem is not None
    kept = [info.key.rpartition("/")[2] for info in pipeline.store.list(batch.problem["folder"])]
    assert (batch.state, kept) == ("refused", ["audios.zip", "metadata.csv", "reasons.json"])
    assert list(pipeline.store.list("inbox/")) == []
    assert pipeline.differences() == []
