"""Which audio URLs are well formed, and which a tenant may have read."""

from __future__ import annotations

import pytest

from aila_pipeline.domain.intake.sources import allowed, s3_url


@pytest.mark.parametrize(
    "url",
    ["s3://calls/a.wav", "s3://my.bucket-1/2026/01/Звонок №1.wav", "s3://abc/a//b.wav", "s3://abc/.hidden/..a"],
)
def test_an_s3_url_names_its_bucket_and_key_literally(url: str) -> None:
    assert str(s3_url(url)) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://",
        "s3://calls",
        "s3://calls/",
        "s3://calls/folder/",
        "s3:///a.wav",
        "s3://calls/../other/a.wav",
        "s3://calls/./a.wav",
        "s3://user@calls/a.wav",
        "s3://calls/a\n.wav",
        "s3://calls/" + "я" * 513,
        "https://calls/a.wav",
        "calls/a.wav",
    ],
)
def test_what_names_no_object_is_no_s3_url(url: str) -> None:
    assert s3_url(url) is None
    assert not allowed(url, ["s3://calls", "s3://"])


@pytest.mark.parametrize(
    ("places", "answer"),
    [
        ([], False),
        (["s3://calls"], True),
        (["s3://calls/"], True),
        (["s3://calls/2026"], True),
        (["s3://calls/2026/"], True),
        (["s3://calls/2026/a.wav"], True),
        (["s3://calls/20"], False),
        (["s3://calls/2026/a"], False),
        (["s3://call"], False),
        (["s3://Calls"], False),
        (["s3://other", "s3://calls/2026"], True),
        (["calls", "", "s3://", "*"], False),
    ],
)
def test_a_place_allows_what_lies_at_or_below_it(places: list[str], answer: bool) -> None:
    assert allowed("s3://calls/2026/a.wav", places) is answer
