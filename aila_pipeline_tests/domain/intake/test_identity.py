"""When two submissions, or two calls' data, are the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aila_pipeline.domain.intake.identity import manifest_digest, pair_digest, source_fingerprint
from aila_pipeline.domain.models import ArchiveSource, CallDetails, Role, UrlSource
from aila_pipeline_tests.domain.intake.builders import an_entry


def details(source: ArchiveSource | UrlSource | None = None, **facts: object) -> CallDetails:
    values: dict[str, object] = {
        "source": source or ArchiveSource(name="call_001.wav"),
        "started_at": datetime(2026, 1, 13, 10, 30, tzinfo=UTC),
        "left_channel": Role.CLIENT,
        "right_channel": Role.OPERATOR,
    }
    return CallDetails.model_validate(values | facts)


def test_a_call_is_the_same_by_its_audio_and_its_time_alone() -> None:
    first = source_fingerprint(details(), an_entry())
    renamed = details(ArchiveSource(name="renamed.wav"), user_name="Other Name")
    assert source_fingerprint(renamed, an_entry("renamed.wav")) == first
    elsewhere = datetime(2026, 1, 13, 15, 30, tzinfo=timezone(timedelta(hours=5)))
    assert source_fingerprint(details(started_at=elsewhere), an_entry()) == first

    assert source_fingerprint(details(), an_entry(size_bytes=1001)) != first
    assert source_fingerprint(details(started_at=datetime(2026, 1, 13, 10, 31, tzinfo=UTC)), an_entry()) != first


def test_audio_at_a_url_is_known_by_the_url() -> None:
    one, other = (details(UrlSource(url=f"s3://calls/{name}.wav")) for name in "ab")
    assert source_fingerprint(one, None) == source_fingerprint(one, an_entry())
    assert source_fingerprint(one, None) != source_fingerprint(other, None)


def test_a_url_signed_anew_is_the_same_audio() -> None:
    urls = [f"https://host/a.mp3?X-Amz-Date=2026011{i}T000000Z&X-Amz-Expires=60&X-Amz-Signature={i}" for i in (1, 2)]
    one, other = (source_fingerprint(details(UrlSource(url=url)), None) for url in urls)
    assert one == other != source_fingerprint(details(UrlSource(url="https://host/b.mp3")), None)


def test_audio_from_an_archive_needs_its_entry() -> None:
    with pytest.raises(ValueError, match="entry"):
        source_fingerprint(details(), None)


def test_digests_keep_their_parts_and_kinds_apart() -> None:
    digests = {
        pair_digest(b"a", []),
        pair_digest(b"", [an_entry("a")]),
        pair_digest(b"a", [an_entry("a")]),
        pair_digest(b"a", [an_entry("a"), an_entry("a")]),
        manifest_digest(b'"a"'),
        manifest_digest(b'["a"]'),
    }
    assert len(digests) == 6
    assert all(len(digest) == 64 for digest in digests)
