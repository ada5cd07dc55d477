"""Contract B: whether the audio is there is looked at before a list is taken (contracts, gaps 18 and 22)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger.tables import calls
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import (
    rows,
)
from aila_pipeline_tests.adapters.web_server import WebServer, a_web_server, dripping, file, in_turn, redirect, status
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.lists import LIST, an_item, errors_of, submitted, work_off


@pytest.fixture
def web() -> Iterator[WebServer]:
    with a_web_server() as server:
        yield server


@pytest.fixture
def asking_site(home: Path, web: WebServer) -> Iterator[Site]:
    """A site that asks, and may ask the web server of this machine."""
    with a_site(settings_for(home, probe_seconds=2.0, fetch_allow=(web.place,))) as made:
        yield made


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_gap_18_a_url_that_is_certain_to_fail_is_refused_in_the_contract_s_words(
    asking_site: Site, web: WebServer, code: int
) -> None:
    web.pages |= {"/good.mp3": file(b"x" * 100), "/bad.mp3": status(code)}
    items = [an_item("good", audio_url=web.url("/good.mp3")), an_item("bad", audio_url=web.url("/bad.mp3"), duration=1)]
    (told,) = errors_of(asking_site.acme, *items)
    assert told == {"index": 1, "external_id": "bad", "errors": ["audio_url is not accessible"]}
    assert rows(asking_site.ledger, calls) == []


@pytest.mark.parametrize("code", [405, 408, 416, 425, 429, 500, 503])
def test_gap_18_what_may_pass_is_left_to_the_download(asking_site: Site, web: WebServer, code: int) -> None:
    web.pages["/a.mp3"] = status(code)
    submitted(asking_site.acme, an_item(audio_url=web.url("/a.mp3")))


def test_gap_18_a_host_that_dawdles_does_not_keep_the_client_waiting(home: Path, web: WebServer) -> None:
    web.pages["/a.mp3"] = dripping(b"x" * 100, pause_seconds=5)
    with a_site(settings_for(home, probe_seconds=0.3, fetch_allow=(web.place,))) as site:
        submitted(site.acme, *(an_item(f"c-{n}", audio_url=web.url("/a.mp3")) for n in range(20)))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.mp3", "http://[::1]/a.mp3", "http://10.1.2.3/a.mp3"])
def test_gap_18_a_private_address_is_refused_without_a_connection(asking_site: Site, url: str) -> None:
    (told,) = errors_of(asking_site.acme, an_item(audio_url=url))
    assert told["errors"][0].startswith("audio_url is not allowed: ")


def test_gap_18_a_redirect_to_a_private_address_is_refused(asking_site: Site, web: WebServer) -> None:
    web.pages["/a.mp3"] = redirect("http://127.0.0.1:1/internal")
    (told,) = errors_of(asking_site.acme, an_item(audio_url=web.url("/a.mp3")))
    assert told["errors"][0].startswith("audio_url is not allowed: ")


def test_gap_22_a_bucket_that_is_not_on_the_tenant_s_list_is_refused(asking_site: Site) -> None:
    (told,) = errors_of(asking_site.acme, an_item(audio_url="s3://your-bucket/call2.mp3"))
    assert told["errors"][0].startswith("audio_url is not allowed: ")


def test_a_linked_call_s_url_is_not_asked_for_it_may_have_expired(asking_site: Site, web: WebServer) -> None:
    web.pages["/a.mp3"] = in_turn(file(b"x" * 100), status(403))
    item = an_item(audio_url=web.url("/a.mp3"))
    submitted(asking_site.acme, item)
    submitted(asking_site.acme, item)
    assert len(web.asked) == 1
    work_off(asking_site.ledger, call_12345=AudioInvalid())
    (told,) = errors_of(asking_site.acme, item)
    assert told["errors"] == ["audio_url is not accessible"], "a call that is tried again is fetched again"


def test_conflicts_and_urls_are_told_together(asking_site: Site, web: WebServer) -> None:
    web.pages["/a.mp3"] = file(b"x" * 100)
    submitted(asking_site.acme, an_item("a", audio_url=web.url("/a.mp3")))
    told = errors_of(
        asking_site.acme,
        an_item("b", audio_url=web.url("/gone.mp3")),
        an_item("a", audio_url=web.url("/other.mp3")),
    )
    assert [each["external_id"] for each in told] == ["b", "a"]
    assert len(web.asked) == 2, "the URL of a conflict is not asked"


def test_a_malformed_list_asks_no_host(asking_site: Site, web: WebServer) -> None:
    errors_of(asking_site.acme, an_item("a", audio_url=web.url("/a.mp3")), an_item("b", duration=-1))
    assert web.connections == 0


def test_a_dry_run_is_refused_as_the_list_would_be(asking_site: Site, web: WebServer) -> None:
    told = errors_of(asking_site.acme, an_item(audio_url=web.url("/gone.mp3")), address=f"{LIST}?dry_run=1")
    assert told[0]["errors"] == ["audio_url is not accessible"]
