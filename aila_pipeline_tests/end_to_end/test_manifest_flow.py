"""The way of a manifest from the drop zone to its calls' ends, and two batches that speak of one call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.ledger.views import BatchView, CallView
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline_tests.adapters.web_server import WebServer, a_web_server, breaking, file, redirect, status
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline

pytestmark = pytest.mark.slow

HERE = "s3://aila/recordings/kz/acme"
"""The place in our own store from which this tenant may read; a directory's "bucket" is called aila."""


def an_item(external_id: str, **values: Any) -> dict[str, Any]:
    """A call of contract B whose recording lies in the tenant's own place."""
    item = {
        "external_id": external_id,
        "audio_url": f"{HERE}/speech.flac",
        "user_email": "agent@company.com",
        "call_date": "2025-01-15T14:30:00Z",
        "duration": 12,
        "metadata": {"segment_type": "sales"},
    }
    return item | values


def drop(pipeline: Pipeline, *items: object, name: str = "batch") -> BatchView:
    """Drop a manifest, run until all is over, and return its batch."""
    pipeline.store.write(f"inbox/kz/acme/{name}.json", json.dumps({"calls": items}).encode())
    pipeline.run()
    return next(batch for batch in pipeline.batches() if batch.name.startswith(name))


def ends(calls: list[CallView]) -> list[tuple[str | None, str | None]]:
    return [(call.external_id, call.error_code) for call in calls]


@pytest.fixture
def filled(pipeline: Pipeline, speech: bytes) -> Pipeline:
    """With two recordings where the tenant may read them, and one where it may not."""
    pipeline.store.write("recordings/kz/acme/speech.flac", speech)
    pipeline.store.write("recordings/kz/acme/text.flac", b"no recording " * 40)
    pipeline.store.write("recordings/kz/other/speech.flac", speech)
    return pipeline


def test_each_item_ends_by_itself_and_the_good_ones_complete(filled: Pipeline) -> None:
    """What a place does not give, or gives in another form, is a failure of that call alone."""
    batch = drop(
        filled,
        an_item("good"),
        an_item("other-tenant", audio_url="s3://aila/recordings/kz/other/speech.flac"),
        an_item("other-bucket", audio_url="s3://elsewhere/speech.flac"),
        an_item("our-own-objects", audio_url="s3://aila/_aila/batches/x"),
        an_item("nothing-there", audio_url=f"{HERE}/none.flac"),
        an_item("no-audio", audio_url=f"{HERE}/text.flac"),
        an_item("longer-than-told", duration=600, call_date="2025-01-15T14:30:00"),
    )
    assert batch.status is BatchStatus.PARTIAL
    calls = filled.calls(batch)
    assert ends(calls) == [
        ("good", None),
        ("other-tenant", "SOURCE_NOT_ALLOWED"),
        ("other-bucket", "SOURCE_NOT_ALLOWED"),
        ("our-own-objects", "SOURCE_NOT_ALLOWED"),
        ("nothing-there", "SOURCE_NOT_FOUND"),
        ("no-audio", "AUDIO_INVALID"),
        ("longer-than-told", None),
    ]
    assert calls[-1].warnings == ("TIME_WITHOUT_ZONE", "DURATION_MISMATCH")
    assert not [call for call in calls if call.error_message and "s3://" in call.error_message]
    assert sorted(str(event.partition) for event in filled.events("call")) == sorted(call.id for call in calls)
    assert list(filled.store.list("inbox/")) == []
    assert filled.differences() == []


BROKEN: dict[str, dict[str, Any]] = {
    "external_id": {"external_id": ""},
    "audio_url": {"audio_url": "ftp://host/file"},
    "user_email": {"user_email": "nobody"},
    "call_date": {"call_date": "yesterday"},
    "contact_name": {"contact_name": "\u0007"},
    "contact_phone": {"contact_phone": 7},
    "contact_email": {"contact_email": "none"},
    "direction": {"direction": "sideways"},
    "duration": {"duration": -1},
    "metadata": {"metadata": {"left_channel": "robot"}},
}


def test_malformed_items_refuse_the_whole_and_are_all_listed(filled: Pipeline) -> None:
    """One item for each field, one that is no object, two with one id; a good manifest beside it is not held up."""
    items = [an_item(f"bad-{field}") | values for field, values in BROKEN.items()]
    items += [an_item("twice"), an_item("twice"), an_item("no-url")]
    del items[-1]["audio_url"]
    good = drop(filled, an_item("good"), name="good")
    batch = drop(filled, *items, "no object", an_item("well"), name="bad")
    assert good.status is BatchStatus.COMPLETED
    assert (batch.state, batch.status) == ("refused", BatchStatus.FAILED)
    assert batch.problem is not None
    reasons = json.loads(filled.store.read(batch.problem["folder"] + "reasons.json"))
    assert reasons["code"] == "MANIFEST_INVALID"
    told = [(told["call"], told["field"]) for told in reasons["calls"]]
    fields = [*enumerate(BROKEN), (10, "external_id"), (11, "external_id"), (12, "audio_url"), (13, None)]
    assert told == fields
    assert all(told["message"] for told in reasons["calls"])
    assert filled.calls(batch) == []
    assert filled.differences() == []


def test_an_id_of_a_finished_call_is_linked_with_the_same_data_and_refused_with_other(filled: Pipeline) -> None:
    first = drop(filled, an_item("a"), name="first")
    second = drop(filled, an_item("a"), an_item("b"), name="second")
    third = drop(filled, an_item("a", call_date="2025-02-01T00:00:00Z"), an_item("c"), name="third")
    assert filled.calls(second)[0].id == filled.calls(first)[0].id
    assert ends(filled.calls(second)) == [("a", None), ("b", None)]
    assert ends(filled.calls(third)) == [("a", "EXTERNAL_ID_CONFLICT"), ("c", None)]
    assert [call.attempt for call in filled.calls(first)] == [1]
    assert [event.partition for event in filled.events("call")].count(filled.calls(first)[0].id) == 1
    assert filled.differences() == []


def test_a_failed_id_with_new_data_is_tried_again_and_both_batches_show_it(filled: Pipeline) -> None:
    first = drop(filled, an_item("a"), an_item("b", audio_url=f"{HERE}/none.flac"), name="first")
    assert first.status is BatchStatus.PARTIAL
    second = drop(filled, an_item("b"), name="second")
    (first,) = [batch for batch in filled.batches() if batch.id == first.id]
    assert first.status is second.status is BatchStatus.COMPLETED
    ((again,), (_, before)) = filled.calls(second), filled.calls(first)
    assert again.id == before.id
    assert (before.status, before.attempt) == (CallStatus.COMPLETED, 2)
    assert [event.partition for event in filled.events("call")].count(before.id) == 2
    assert sorted(str(event.partition) for event in filled.events("batch")) == sorted([first.id, first.id, second.id])
    assert filled.differences() == []


def test_the_same_manifest_again_tries_its_failed_calls_again(filled: Pipeline, speech: bytes) -> None:
    items = an_item("a"), an_item("b", audio_url=f"{HERE}/late.flac")
    first = drop(filled, *items, name="first")
    assert ends(filled.calls(first)) == [("a", None), ("b", "SOURCE_NOT_FOUND")]
    filled.store.write("recordings/kz/acme/late.flac", speech)
    drop(filled, *items, name="first")
    assert [(call.error_code, call.attempt) for call in filled.calls()] == [(None, 1), (None, 2)]
    assert filled.differences() == []


@pytest.fixture
def site() -> Iterator[WebServer]:
    """A client's web server."""
    with a_web_server() as server:
        yield server


@pytest.fixture
def reaching(tmp_path: Path, site: WebServer) -> Iterator[Pipeline]:
    """A pipeline that may fetch from the client's server, though that is on this machine; one file at a time."""
    with a_pipeline(tmp_path / "home", fetch_allow=(site.place,), fetch_ahead=1, fetch_tries=3) as made:
        yield made


def test_recordings_of_a_web_server_end_each_by_itself(reaching: Pipeline, site: WebServer, speech: bytes) -> None:
    """One comes, one comes after its host broke twice, the others fail with what their host or the policy said."""
    with a_web_server() as inside:
        site.pages |= {
            "/good.flac": file(speech),
            "/flaky.flac": breaking(speech, 1000, 2000, etag='"1"'),
            "/inward.flac": redirect(f"http://127.0.0.1:{inside.port}/"),
            "/closed.flac": status(403),
            "/busy.flac": status(503, retry_after=90),
        }
        batch = drop(
            reaching,
            *(an_item(name, audio_url=site.url(f"/{name}.flac")) for name in ("good", "flaky", "none", "inward")),
            *(an_item(name, audio_url=site.url(f"/{name}.flac?X-Amz-Signature=s3cr3t")) for name in ("closed", "busy")),
            an_item("metadata-service", audio_url="http://169.254.169.254/latest/meta-data/"),
        )
        assert inside.connections == 0
    assert ends(reaching.calls(batch)) == [
        ("good", None),
        ("flaky", None),
        ("none", "SOURCE_NOT_FOUND"),
        ("inward", "SOURCE_NOT_ALLOWED"),
        ("closed", "SOURCE_FORBIDDEN"),
        ("busy", "SOURCE_UNAVAILABLE"),
        ("metadata-service", "SOURCE_NOT_ALLOWED"),
    ]
    assert site.asked_for("/flaky.flac", "Range") == [None, "bytes=1000-", "bytes=3000-"]
    told = " ".join(str(call.error_message) for call in reaching.calls(batch))
    assert "127.0.0.1" not in told
    assert "s3cr3t" not in told
    assert reaching.differences() == []


def test_the_url_that_ends_first_is_fetched_first_and_what_is_kept_is_not_fetched_again(
    reaching: Pipeline, site: WebServer, speech: bytes
) -> None:
    site.pages |= {f"/{name}.flac": file(speech) for name in "abc"}
    ends_at = {"a": "", "b": "&X-Amz-Expires=600", "c": "&X-Amz-Expires=60"}
    items = [
        an_item(name, audio_url=site.url(f"/{name}.flac?X-Amz-Date=20260115T120000Z{end}&X-Amz-Signature=1"))
        for name, end in ends_at.items()
    ]
    assert drop(reaching, *items).status is BatchStatus.COMPLETED
    assert [path.partition("?")[0] for path, _ in site.asked] == ["/c.flac", "/b.flac", "/a.flac"]
    (shard,) = reaching.instance.get_dynamic_partitions("shards")
    assert reaching.execute("process", shard).success
    signed_anew = [item | {"audio_url": item["audio_url"].replace("Signature=1", "Signature=2")} for item in items]
    assert drop(reaching, *signed_anew, name="again").status is BatchStatus.COMPLETED
    assert len(site.asked) == 3
    assert reaching.differences() == []
