"""Which http and https URLs are well formed, and what a signature in one means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.intake.sources import MAX_URL_CHARACTERS, WebUrl, expires_at, unsigned, web_url


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://example.org/a.mp3", "https://example.org/a.mp3"),
        ("HTTPS://Example.ORG:443/A%2f.mp3?x=%zz&y#part", "https://example.org/A%2f.mp3?x=%zz&y"),
        ("http://example.org:80", "http://example.org/"),
        ("http://example.org?x=1", "http://example.org/?x=1"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("http://my_bucket.s3.example.org/a/../b", "http://my_bucket.s3.example.org/a/../b"),
        ("https://bücher.example/Звонок.mp3", "https://xn--bcher-kva.example/%D0%97%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA.mp3"),
        ("http://minio:9000/calls/a.wav", "http://minio:9000/calls/a.wav"),
        ("http://192.0.2.7:8080/a", "http://192.0.2.7:8080/a"),
        ("http://[2001:DB8:0::1]:8080/a", "http://[2001:db8::1]:8080/a"),
        ("https://１２７。0。0。1/", "https://127.0.0.1/"),
    ],
)
def test_a_web_url_is_what_is_connected_to_and_asked_for(url: str, meant: str) -> None:
    assert str(web_url(url)) == meant


def test_its_parts_are_what_the_connection_needs() -> None:
    assert web_url("http://[2001:db8::1]:8080/a?b") == WebUrl("http", "2001:db8::1", 8080, "/a?b")
    assert WebUrl("http", "2001:db8::1", 8080, "/").place == "[2001:db8::1]:8080"
    assert WebUrl("https", "example.org", 443, "/").host_header == "example.org"
    assert WebUrl("https", "example.org", 443, "/").place == "example.org:443"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///a.mp3",
        "https:example.org/a.mp3",
        "//example.org/a.mp3",
        "ftp://example.org/a.mp3",
        "file:///etc/passwd",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://example.org@other.example/",
        "https://exa mple.org/",
        "https://example.org/a b.mp3",
        "https://example.org/a\u00a0b.mp3",
        "https://example.org/a\tb.mp3",
        "https://example.org/a\r\nHost: other",
        "https://example.org\\@other.example/",
        "https://example.org/\\a",
        'https://example.org/"a"',
        "https://example.org/\ud800",
        "https://example.org:/",
        "https://example.org:0/",
        "https://example.org:080/",
        "https://example.org:65536/",
        "https://example.org:+80/",
        "https://example.org:８０/",
        "https://example.org:80:80/",
        "https://example..org/",
        "https://.example.org/",
        "https://example.org./",
        "https://-example.org/",
        "https://ex%61mple.org/",
        "https://exam*ple.org/",
        "https://straße.example/",
        "https://℀.example/",
        "https://" + "a" * 64 + ".org/",
        "https://" + "a." * 127 + "org/",
        "https://" + "ü" * 300 + "/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://1.2.3.4.5/",
        "http://example.0x/",
        "http://256.1.1.1/",
        "http://::1/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[127.0.0.1]/",
        "http://[v1.a]/",
        "https://example.org/" + "a" * MAX_URL_CHARACTERS,
        "https://example.org/" + "я" * (MAX_URL_CHARACTERS // 2),
    ],
)
def test_what_could_be_read_in_two_ways_is_no_web_url(url: str) -> None:
    assert web_url(url) is None
    assert expires_at(url) is None
    assert unsigned(url) == url


PIECES = st.sampled_from(
    [
        "http://",
        "https://",
        "//",
        "@",
        ":",
        "80",
        "[",
        "]",
        "::1",
        "\\",
        "#",
        "?",
        "%",
        "a",
        "ü",
        ".",
        " ",
        "127.1",
        "/",
    ]
)


@given(st.text(max_size=40) | st.lists(PIECES, max_size=8).map("".join))
def test_any_text_is_a_url_in_one_form_or_none(text: str) -> None:
    for url in (text, f"https://{text}", f"https://host/{text}"):
        found = web_url(url)
        if found is None:
            continue
        told = str(found)
        assert web_url(told) == found
        assert told.isascii()
        assert told.isprintable()
        assert not set(told) & set(' \\#"<>')
        others = urlsplit(told)
        assert (others.hostname, others.port or found.port, others.username) == (found.host, found.port, None)


WHEN = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
AMAZON_4 = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260115%2Feu%2Fs3%2Faws4_request"
    "&X-Amz-Date=20260115T110000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=abc"
)
GOOGLE_4 = AMAZON_4.replace("X-Amz", "X-Goog")
EPOCH = int(WHEN.timestamp())


@pytest.mark.parametrize(
    "query",
    [
        AMAZON_4,
        AMAZON_4 + "&X-Amz-Security-Token=t",
        AMAZON_4.lower().replace("20260115t110000z", "20260115T110000Z"),
        GOOGLE_4,
        f"AWSAccessKeyId=AKIA&Signature=a%2Bb%3D&Expires={EPOCH}",
        f"GoogleAccessId=me%40x&Expires={EPOCH}&Signature=abc",
        f"Expires={EPOCH}&Signature=abc&Key-Pair-Id=K1",
        "sv=2024-05-04&st=2026-01-15T11%3A00%3A00Z&se=2026-01-15T12%3A00%3A00Z&sr=b&sp=r&sig=abc%3D",
        "sv=2024-05-04&se=2026-01-15T12%3A00%3A00&sr=b&sp=r&sig=abc%3D",
    ],
)
def test_a_signature_tells_its_end_and_is_no_part_of_the_files_name(query: str) -> None:
    assert expires_at(f"https://host/a.mp3?{query}") == WHEN
    assert unsigned(f"https://host/a.mp3?{query}") == "https://host/a.mp3"
    assert unsigned(f"https://host/a.mp3?versionId=7&{query}&x") == "https://host/a.mp3?versionId=7&x"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "se=2026-01-15&sp=3",
        f"Expires={EPOCH}",
        "signature=mine&id=3",
        "X-Amz-Date=20260115T110000Z",
        "sig=3",
        "policy=x&x-amz-date=1",
    ],
)
def test_words_of_signatures_without_a_signature_name_the_file(query: str) -> None:
    url = f"https://host/a.mp3?{query}"
    assert unsigned(url) == url
    assert expires_at(url) is None


@pytest.mark.parametrize(
    "query",
    [
        AMAZON_4.replace("20260115T", "20261315T"),
        AMAZON_4.replace("=3600", "=" + "9" * 30),
        AMAZON_4.replace("=3600", "=soon"),
        f"Signature=a&Expires={'9' * 40}",
        "Signature=a&Expires=",
        "sv=1&sig=a&se=tomorrow",
    ],
)
def test_a_signature_whose_end_makes_no_sense_tells_none(query: str) -> None:
    assert expires_at(f"https://host/a.mp3?{query}") is None


def test_of_two_ends_the_first_counts() -> None:
    assert expires_at(f"https://host/?{GOOGLE_4}&Signature=a&Expires={EPOCH - 60}") == WHEN - timedelta(minutes=1)


NAMES = st.sampled_from(["X-Amz-Signature", "X-Amz-Date", "x-amz-expires", "Signature", "Expires", "Key-Pair-Id", "id"])


@given(st.lists(st.tuples(NAMES | st.text(max_size=5), st.text(max_size=20)), max_size=8))
def test_taking_the_signature_away_twice_is_taking_it_away_once(pairs: list[tuple[str, str]]) -> None:
    url = "https://host/a?" + "&".join(
        f"{quote(n.encode('utf-8', 'replace'))}={quote(v.encode('utf-8', 'replace'))}" for n, v in pairs
    )
    once = unsigned(url)
    assert unsigned(once) == once
    assert expires_at(once) is None or "signature" not in once.lower()


@given(st.text(alphabet="abc0123456789", min_size=1, max_size=9), st.text(alphabet="abcdef", min_size=1))
def test_two_signatures_of_one_file_name_one_file_and_two_files_stay_two(file: str, signature: str) -> None:
    one = unsigned(f"https://host/{file}?{AMAZON_4}{signature}")
    assert one == unsigned(f"https://host/{file}?{AMAZON_4}")
    assert one != unsigned(f"https://host/{file}x?{AMAZON_4}")
