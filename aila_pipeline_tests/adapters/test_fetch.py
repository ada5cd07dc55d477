"""Downloads over http: what arrives, what is tried again, and what is given up with which code."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpcore
import pytest

from aila_pipeline.adapters.fetch import Fetcher
from aila_pipeline.adapters.fetch_addresses import Addresses
from aila_pipeline.errors import (
    AudioTooLarge,
    CallError,
    DownloadTimeout,
    PermanentCallError,
    SourceForbidden,
    SourceNotAllowed,
    SourceNotFound,
    SourceUnavailable,
)
from aila_pipeline.settings import Settings
from aila_pipeline_tests.adapters.web_server import (
    Handler,
    Page,
    WebServer,
    a_web_server,
    breaking,
    dripping,
    file,
    in_turn,
    redirect,
    status,
)

DATA = bytes(range(256)) * 2000
ETAG = '"v1"'
LARGE = 10**9


@pytest.fixture
def site() -> Iterator[WebServer]:
    with a_web_server() as server:
        yield server


def a_fetcher(site: WebServer, **options: Any) -> Fetcher:
    defaults: dict[str, Any] = {"connect_seconds": 2.0, "block_seconds": 2.0, "pause_seconds": 0.01}
    return Fetcher(Addresses([site.place]), **defaults | options)


def fetched(site: WebServer, page: Page, *, max_bytes: int = LARGE, path: str = "/a.mp3", **options: Any) -> bytes:
    site.pages[path] = page
    return b"".join(a_fetcher(site, **options).blocks(site.url(path), max_bytes=max_bytes))


def refusal(site: WebServer, page: Page, **options: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        fetched(site, page, **options)
    assert "127.0.0.1" not in caught.value.message
    assert "a.mp3" not in caught.value.message
    return caught.value


def test_a_file_arrives_whole_and_the_request_says_who_asks_and_nothing_else(
    site: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cookie, no credentials, no compression, and no proxy, whatever the environment says."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetched(site, file(DATA), path="/a%20b.mp3") == DATA
    ((path, headers),) = site.asked
    assert path == "/a%20b.mp3"
    assert headers.pop("user-agent").startswith("aila-pipeline/")
    assert headers == {"host": site.place, "accept": "*/*", "accept-encoding": "identity", "connection": "close"}


def test_a_body_without_a_length_arrives(site: WebServer) -> None:
    def chunked(handler: Handler) -> None:
        handler.begin(200, transfer_encoding="chunked")
        handler.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    def until_closed(handler: Handler) -> None:
        handler.close_connection = True
        handler.begin(200)
        handler.wfile.write(b"abcde")

    assert fetched(site, chunked) == b"abcde"
    assert fetched(site, until_closed) == b"abcde"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, SourceForbidden),
        (403, SourceForbidden),
        (404, SourceNotFound),
        (410, SourceNotFound),
        (400, SourceForbidden),
        (405, SourceForbidden),
        (451, SourceForbidden),
        (409, SourceUnavailable),
        (416, SourceUnavailable),
        (423, SourceUnavailable),
        (204, SourceUnavailable),
        (304, SourceUnavailable),
        (206, SourceUnavailable),
    ],
)
def test_a_final_answer_is_told_at_once(site: WebServer, code: int, error: type[CallError]) -> None:
    told = refusal(site, status(code))
    assert type(told) is error
    assert len(site.asked) == 1
    assert isinstance(told, PermanentCallError) is (error is not SourceUnavailable)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_answer_is_tried_again(site: WebServer, code: int) -> None:
    assert fetched(site, in_turn(status(code), status(code), file(DATA))) == DATA
    assert len(site.asked) == 3


def test_tries_are_counted_and_then_it_is_unavailable(site: WebServer) -> None:
    assert type(refusal(site, status(503), tries=3)) is SourceUnavailable
    assert len(site.asked) == 3


def test_retry_after_is_honoured_in_seconds_and_as_a_date(site: WebServer) -> None:
    began = time.monotonic()
    assert fetched(site, in_turn(status(429, retry_after=1), file(DATA))) == DATA
    assert time.monotonic() - began >= 1
    began, soon = time.monotonic(), format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    assert fetched(site, in_turn(status(503, retry_after=soon), file(DATA))) == DATA
    assert time.monotonic() - began >= 0.9  # such a date has whole seconds
    assert fetched(site, in_turn(status(503, retry_after="soon"), file(DATA))) == DATA


def test_a_server_that_asks_for_more_than_a_minute_is_left_to_a_later_attempt(site: WebServer) -> None:
    assert refusal(site, status(503, retry_after=61)).retryable
    assert len(site.asked) == 1


@pytest.mark.parametrize("headers", [{"etag": ETAG}, {"last_modified": "Thu, 15 Jan 2026 12:00:00 GMT"}])
def test_a_broken_download_goes_on_where_it_broke(site: WebServer, headers: dict[str, str]) -> None:
    assert fetched(site, breaking(DATA, 1000, 300_000, **headers)) == DATA
    assert site.asked_for("/a.mp3", "Range") == [None, "bytes=1000-", "bytes=301000-"]
    assert site.asked_for("/a.mp3", "If-Range") == [None, *headers.values(), *headers.values()]


def test_a_break_before_the_first_byte_begins_anew(site: WebServer) -> None:
    assert fetched(site, in_turn(Handler.hang_up, breaking(DATA, 0), file(DATA))) == DATA
    assert site.asked_for("/a.mp3", "Range") == [None, None, None]


def whole(data: bytes, **headers: str | int) -> Page:
    """A server that knows no ranges."""

    def page(handler: Handler) -> None:
        handler.begin(200, content_length=len(data), **headers)
        handler.wfile.write(data)

    return page


def test_a_server_without_ranges_sends_all_again_and_each_byte_is_handed_out_once(site: WebServer) -> None:
    assert fetched(site, in_turn(breaking(DATA, 100_000, etag=ETAG), whole(DATA, etag=ETAG))) == DATA


def part(data: bytes, told: str, **headers: str | int) -> Page:
    """A 206 with this `Content-Range`."""

    def page(handler: Handler) -> None:
        handler.begin(206, content_length=len(data), content_range=told, **headers)
        handler.wfile.write(data)

    return page


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(whole(DATA, etag='"v2"'), id="another tag"),
        pytest.param(whole(DATA), id="no tag any more"),
        pytest.param(whole(DATA[:-1], etag=ETAG), id="another length"),
        pytest.param(whole(b"abc", etag=ETAG), id="shorter than what was read"),
        pytest.param(part(DATA[1000:], f"bytes 1000-{len(DATA) - 1}/{len(DATA)}", etag='"v2"'), id="a part of another"),
        pytest.param(part(DATA[999:], f"bytes 999-{len(DATA) - 1}/{len(DATA)}", etag=ETAG), id="another part"),
        pytest.param(part(DATA[1000:], f"bytes 1000-{len(DATA) - 1}/9{len(DATA)}", etag=ETAG), id="another total"),
        pytest.param(part(DATA[1000:], "lines 1-2/3", etag=ETAG), id="no range"),
        pytest.param(status(416, etag=ETAG), id="416"),
    ],
)
def test_two_states_of_a_file_are_never_mixed(site: WebServer, second: Page) -> None:
    assert type(refusal(site, in_turn(breaking(DATA, 1000, etag=ETAG), second))) is SourceUnavailable
    assert len(site.asked) == 2


@pytest.mark.parametrize("headers", [{}, {"etag": 'W/"v1"'}, {"etag": "v1"}, {"etag": '""'}])
def test_without_a_strong_validator_a_broken_download_is_not_resumed(site: WebServer, headers: dict[str, str]) -> None:
    assert type(refusal(site, breaking(DATA, 1000, **headers))) is SourceUnavailable
    assert len(site.asked) == 1


def test_a_shorter_part_than_asked_for_is_followed_by_the_next(site: WebServer) -> None:
    half = part(DATA[1000:2000], f"bytes 1000-1999/{len(DATA)}", etag=ETAG)
    assert fetched(site, in_turn(breaking(DATA, 1000, etag=ETAG), half, file(DATA, etag=ETAG))) == DATA


def test_a_file_over_the_limit_is_refused_by_its_length_or_while_it_comes(site: WebServer) -> None:
    def endless(handler: Handler) -> None:
        handler.begin(200, transfer_encoding="chunked")
        while True:
            handler.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")

    assert type(refusal(site, file(DATA), max_bytes=len(DATA) - 1)) is AudioTooLarge
    assert type(refusal(site, endless, max_bytes=len(DATA))) is AudioTooLarge
    assert fetched(site, file(DATA), max_bytes=len(DATA)) == DATA


def test_a_compressed_answer_is_not_taken_for_audio(site: WebServer) -> None:
    assert type(refusal(site, file(DATA, content_encoding="gzip"))) is SourceUnavailable
    assert fetched(site, file(DATA, content_encoding="identity")) == DATA


def silent(handler: Handler) -> None:
    time.sleep(3)


def slow_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(40):
        handler.wfile.write(b"X: y\r\n")
        time.sleep(0.1)


def slow_chunk_sizes(handler: Handler) -> None:
    handler.begin(200, transfer_encoding="chunked")
    for _ in range(40):
        handler.wfile.write(b"0")
        time.sleep(0.1)


def informing(handler: Handler) -> None:
    for _ in range(40):
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.1)


@pytest.mark.parametrize("page", [silent, slow_headers, slow_chunk_sizes, informing])
def test_a_host_that_makes_wait_is_given_up_in_time(site: WebServer, page: Page) -> None:
    """Single bytes renew nobody's patience, neither in headers nor in what frames a body."""
    began = time.monotonic()
    assert type(refusal(site, page, connect_seconds=0.3, block_seconds=0.5)) is DownloadTimeout
    assert time.monotonic() - began < 2
    assert len(site.asked) == 1


def test_a_drip_is_given_up_and_a_slow_reader_is_not_blamed(site: WebServer) -> None:
    pace = {"pace_seconds": 0.4, "slowest_bytes_per_second": 1000.0}
    assert type(refusal(site, dripping(DATA, pause_seconds=0.05), **pace)) is DownloadTimeout
    site.pages["/b"] = dripping(DATA[:2000], pause_seconds=0.01, size=100)
    got = b""
    for block in a_fetcher(site, **pace).blocks(site.url("/b"), max_bytes=LARGE):
        got += block
        time.sleep(0.05)
    assert got == DATA[:2000]


def test_no_download_goes_on_for_ever_however_steadily(site: WebServer) -> None:
    assert type(refusal(site, dripping(DATA, pause_seconds=0.05), longest_seconds=0.5)) is DownloadTimeout


def test_a_host_that_cannot_be_reached_is_unavailable() -> None:
    with a_web_server() as gone:
        pass
    assert type(refusal(gone, file(DATA), tries=2)) is SourceUnavailable


class Deaf(httpcore.NetworkBackend):
    """No connection is ever taken."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_args: Any) -> httpcore.NetworkStream:
        assert timeout is not None
        self.asked.append(host)
        time.sleep(timeout)
        raise httpcore.ConnectTimeout


def test_all_addresses_of_a_host_share_the_time_of_one_connection() -> None:
    deaf, found = Deaf(), ["192.0.2.1", "192.0.2.2"]
    addresses = Addresses(["host.example:80"], resolve=lambda *_: found)
    fetcher = Fetcher(addresses, tries=2, connect_seconds=0.4, pause_seconds=0.01, network=deaf)
    began = time.monotonic()
    with pytest.raises(DownloadTimeout):
        next(fetcher.blocks("http://host.example/", max_bytes=LARGE))
    assert deaf.asked == found * 2
    assert time.monotonic() - began < 1.2


def test_what_is_no_http_is_unavailable(site: WebServer) -> None:
    def nonsense(handler: Handler) -> None:
        handler.wfile.write(b"220 smtp ready\r\n")
        handler.hang_up()

    assert type(refusal(site, nonsense)) is SourceUnavailable


def test_redirects_are_followed_each_hop_with_its_own_place(site: WebServer) -> None:
    site.pages["/1"] = redirect("/2?x=%20", 301)
    site.pages["/2"] = redirect(f"//{site.place}/3", 307)
    site.pages["/3"] = redirect(site.url("/4"), 308)
    site.pages["/4"] = redirect("5", 303)
    site.pages["/5"] = file(DATA)
    assert fetched(site, redirect("1")) == DATA
    assert [path for path, _ in site.asked] == ["/a.mp3", "/1", "/2?x=%20", "/3", "/4", "/5"]


def test_a_sixth_redirect_and_a_redirect_without_a_place_are_unavailable(site: WebServer) -> None:
    assert type(refusal(site, redirect("/a.mp3"))) is SourceUnavailable
    assert len(site.asked) == 6
    assert type(refusal(site, status(302))) is SourceUnavailable


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_SET",
        "ftp://127.0.0.1/a",
        "data:audio/wav;base64,AAAA",
        "s3://bucket/key",
        "http://user:password@127.0.0.1/",
        "http://0x7f.1/",
        "http://[::1",
        "http://exa\tmple.org/",
        "http:\\\\example.org",
        "/a b",
        "http://\xff\xfe/",
    ],
)
def test_a_redirect_to_what_is_not_fetched_is_refused(site: WebServer, location: str) -> None:
    assert type(refusal(site, redirect(location))) is SourceNotAllowed
    assert len(site.asked) == 1


def test_at_most_so_many_downloads_of_a_host_run_at_one_time(site: WebServer) -> None:
    site.pages |= {"/long": dripping(DATA, pause_seconds=0.05), "/short": file(DATA)}
    fetcher = a_fetcher(site, per_host=2)
    held = [fetcher.blocks(site.url("/long"), max_bytes=LARGE) for _ in range(2)]
    for blocks in held:
        next(blocks)
    got: list[bytes] = []
    third = threading.Thread(target=lambda: got.extend(fetcher.blocks(site.url("/short"), max_bytes=LARGE)))
    third.start()
    third.join(timeout=0.3)
    assert [path for path, _ in site.asked] == ["/long", "/long"]
    held.pop().close()
    third.join(timeout=5)
    assert b"".join(got) == DATA


def test_another_thread_stops_a_download_within_a_second(site: WebServer) -> None:
    site.pages["/a"] = dripping(DATA, pause_seconds=5)
    stopped = threading.Event()
    blocks = a_fetcher(site, block_seconds=20).blocks(site.url("/a"), max_bytes=LARGE, stopped=stopped)
    next(blocks)
    stopped.set()
    began = time.monotonic()
    with pytest.raises(SourceUnavailable):
        list(blocks)
    assert time.monotonic() - began < 1.5


def test_who_reads_no_further_closes_the_connection(site: WebServer) -> None:
    done = threading.Event()

    def page(handler: Handler) -> None:
        handler.begin(200, content_length=LARGE)
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            done.set()

    site.pages["/a"] = page
    blocks = a_fetcher(site).blocks(site.url("/a"), max_bytes=LARGE)
    next(blocks)
    blocks.close()
    assert done.wait(3)


@pytest.mark.parametrize(
    ("code", "error"),
    [(401, SourceForbidden), (403, SourceForbidden), (404, SourceNotFound), (410, SourceNotFound)]
    + [(code, None) for code in (200, 204, 206, 304, 400, 405, 408, 409, 416, 425, 429, 500, 503)],
)
def test_a_probe_tells_only_what_is_definite(site: WebServer, code: int, error: type[CallError] | None) -> None:
    site.pages["/a"] = in_turn(redirect("/b"))
    site.pages["/b"] = status(code)
    found = a_fetcher(site).probe(site.url("/a"), seconds=2)
    assert found is None if error is None else type(found) is error
    assert site.asked_for("/b", "Range") == ["bytes=0-15"]


def test_a_probe_of_a_host_that_says_nothing_ends_in_time(site: WebServer) -> None:
    site.pages["/a"] = silent
    began = time.monotonic()
    assert a_fetcher(site, block_seconds=30).probe(site.url("/a"), seconds=0.3) is None
    assert time.monotonic() - began < 1
    assert type(a_fetcher(site).probe("http://127.0.0.1/", seconds=1)) is SourceNotAllowed


def test_the_settings_reach_the_fetcher(site: WebServer) -> None:
    settings = Settings(fetch_allow=(site.place,), fetch_tries=1)
    site.pages["/a"] = in_turn(status(503), file(DATA))
    with pytest.raises(SourceUnavailable):
        list(Fetcher.from_settings(settings).blocks(site.url("/a"), max_bytes=LARGE))
    assert len(site.asked) == 1
