"""https: the name decides the certificate, the policy the address."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from aila_pipeline.adapters.fetch import Fetcher
from aila_pipeline.adapters.fetch_addresses import Addresses
from aila_pipeline.errors import SourceNotAllowed, SourceUnavailable
from aila_pipeline_tests.adapters.test_fetch_addresses import PUBLIC, Recording
from aila_pipeline_tests.adapters.web_server import TLS, Handler, WebServer, a_web_server, file, redirect


@pytest.fixture
def site() -> Iterator[WebServer]:
    with a_web_server(tls=True) as server:
        server.pages["/a"] = file(b"audio")
        yield server


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=TLS / "certificate.pem")


def fetched(site: WebServer, url: str, tls: ssl.SSLContext | None, **options: Any) -> bytes:
    """Every public address leads to the server of the test."""
    fetcher = Fetcher(Addresses(resolve=lambda *_: [PUBLIC]), tls=tls, network=Recording(site.port), tries=1, **options)
    return b"".join(fetcher.blocks(url, max_bytes=100))


def test_the_certificate_is_verified_against_the_name_though_an_address_is_connected_to(site: WebServer) -> None:
    assert fetched(site, "https://audio.example/a", trusting()) == b"audio"
    assert site.asked_for("/a", "Host") == ["audio.example"]


@pytest.mark.parametrize("host", ["other.example", PUBLIC])
def test_a_certificate_for_another_name_is_not_believed(site: WebServer, host: str) -> None:
    with pytest.raises(SourceUnavailable, match="certificate is not trusted") as caught:
        fetched(site, f"https://{host}/a", trusting())
    assert site.asked == []
    assert host not in caught.value.message


def test_a_certificate_that_nobody_vouches_for_is_not_believed(site: WebServer) -> None:
    with pytest.raises(SourceUnavailable, match="certificate is not trusted"):
        fetched(site, "https://audio.example/a", None)
    assert site.asked == []


def test_a_server_without_tls_is_told() -> None:
    with a_web_server() as plain, pytest.raises(SourceUnavailable, match="TLS with its host failed"):
        fetched(plain, "https://audio.example/a", trusting())


def test_no_redirect_leads_from_https_to_http(site: WebServer) -> None:
    site.pages["/out"] = redirect("http://audio.example/a")
    with pytest.raises(SourceNotAllowed, match="from https to http"):
        fetched(site, "https://audio.example/out", trusting())
    assert [path for path, _ in site.asked] == ["/out"]


def test_a_redirect_from_http_to_https_is_followed(site: WebServer) -> None:
    with a_web_server() as plain:
        plain.pages["/a"] = redirect(f"https://audio.example:{site.port}/a")
        policy = Addresses(
            [f"audio.example:{site.port}", f"audio.example:{plain.port}"], resolve=lambda *_: ["127.0.0.1"]
        )
        fetcher = Fetcher(policy, tls=trusting())
        assert b"".join(fetcher.blocks(f"http://audio.example:{plain.port}/a", max_bytes=100)) == b"audio"


def test_a_connection_that_breaks_under_tls_is_resumed(site: WebServer) -> None:
    data = bytes(200_000)

    def page(handler: Handler) -> None:
        if "Range" in handler.headers:
            return file(data, etag='"1"')(handler)
        handler.begin(200, content_length=len(data), etag='"1"')
        handler.wfile.write(data[:50_000])
        return handler.hang_up()

    site.pages["/a"] = page
    fetcher = Fetcher(
        Addresses(resolve=lambda *_: [PUBLIC]), tls=trusting(), network=Recording(site.port), pause_seconds=0.01
    )
    assert b"".join(fetcher.blocks("https://audio.example/a", max_bytes=10**6)) == data
    assert site.asked_for("/a", "Range")[1:] != []
