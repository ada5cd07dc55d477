"""`aila destinations`: a secret is shown once, an address inside is refused, and a receiver can be tried."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline_tests.adapters.ledger.outbox_builders import claim, dead, ended_calls, messages
from aila_pipeline_tests.adapters.receiver import Receiver, a_receiver, status
from aila_pipeline_tests.cli.conftest import Aila

WHO = ("--country", "kz", "--firm", "acme")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, aila: Aila) -> Iterator[Receiver]:
    """It lies inside, and is listed."""
    with a_receiver() as made:
        monkeypatch.setenv("AILA_FETCH_ALLOW", made.place)
        yield made


def added(aila: Aila, home: Path, receiver: Receiver, *options: str) -> str:
    """A webhook whose secret the receiver knows; returns its id."""
    told = aila("destinations", "add", "webhook", receiver.url(), *WHO, *options, "--home", home, "--json").json
    receiver.secrets["/hook"] = told["secret"]
    return str(told["id"])


def test_the_secret_is_alone_on_standard_output_and_never_again(aila: Aila, home: Path, receiver: Receiver) -> None:
    said = aila("destinations", "add", "webhook", receiver.url("/hook?key=sesame"), *WHO, "--home", home)
    assert said.code == 0
    (secret,) = said.out.splitlines()
    assert secret.startswith("whsec_")
    assert "dest_" in said.err
    for listed in (
        aila("destinations", "list", "--home", home),
        aila("destinations", "list", "--home", home, "--json"),
    ):
        assert secret not in listed.out
        assert f"…{secret[-4:]}" in listed.out
        assert "sesame" not in listed.out, "a URL's query may open something"
        assert "kz/acme" in listed.out


def test_only_the_chosen_events_are_told(aila: Aila, home: Path, receiver: Receiver, ledger: Ledger) -> None:
    added(aila, home, receiver, "--event", "call.failed", "--event", "batch.failed")
    ended_calls(ledger, "a", "b", failing=("b",))
    assert [row.event for row in messages(ledger)] == ["call.failed"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://hooks.example/", "http://"),
        ("https://127.0.0.1/", "not on the public internet"),
        ("https://10.0.0.7/hook", "not on the public internet"),
        ("https://localhost/hook", "not on the public internet"),
        ("https://hooks.example:2375/", "port"),
        ("https://user:pass@hooks.example/", "no https URL"),
        ("file:///etc/passwd", "no https URL"),
    ],
)
def test_an_address_that_may_not_be_told_is_refused_before_anything_is_made(
    aila: Aila, tmp_path: Path, url: str, told: str
) -> None:
    said = aila("destinations", "add", "webhook", url, *WHO, "--home", tmp_path / "fresh")
    assert said.code == 2
    assert told in said.error
    assert "AILA_FETCH_ALLOW" in said.error
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("event", ["call.done", "batch", "*"])
def test_an_event_that_does_not_exist_is_refused_with_those_that_do(aila: Aila, home: Path, event: str) -> None:
    said = aila("destinations", "add", "webhook", "https://hooks.example/", *WHO, "--event", event, "--home", home)
    assert said.code == 2
    assert "call.completed, call.failed, batch.completed, batch.partial, batch.failed" in said.error


def test_a_ping_is_signed_and_arrives(aila: Aila, home: Path, receiver: Receiver) -> None:
    destination = added(aila, home, receiver)
    said = aila("destinations", "test", destination, "--home", home)
    assert (said.code, said.out) == (0, f"{destination} has taken the ping\n")
    ((_path, _id, body),) = receiver.effects
    assert (body["type"], body["data"]) == ("ping", {})


def test_a_ping_that_does_not_arrive_says_why(aila: Aila, home: Path, receiver: Receiver) -> None:
    destination = added(aila, home, receiver)
    receiver.answering["/hook"] = status(503)
    said = aila("destinations", "test", destination, "--home", home)
    assert said.code == 1
    assert "the ping did not arrive: HTTP 503" in said.error


def test_a_removed_destination_is_listed_and_tried_no_more(
    aila: Aila, home: Path, receiver: Receiver, ledger: Ledger
) -> None:
    destination = added(aila, home, receiver)
    ended_calls(ledger, "a")
    said = aila("destinations", "remove", destination, "--home", home)
    assert said.code == 0
    assert "2 messages that still waited" in said.out
    assert "was removed before" in aila("destinations", "remove", destination, "--home", home).out
    assert aila("destinations", "list", "--json", "--home", home).json == []
    assert aila("destinations", "test", destination, "--home", home).code == 1


@pytest.mark.parametrize("command", ["remove", "test"])
def test_an_unknown_destination_is_told(aila: Aila, home: Path, command: str) -> None:
    said = aila("destinations", command, "dest_unknown", "--home", home)
    assert said.code == 1
    assert "`aila destinations list`" in said.error


def test_a_crms_token_comes_from_standard_input_and_is_shown_to_nobody(
    aila: Aila, home: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("pat-na1-secret-token\n"))
    said = aila("destinations", "add", "hubspot", *WHO, "--home", home)
    assert said.code == 0
    (place,) = ledger.destinations.all()
    assert (said.out, place.secret, place.kind) == (f"{place.id}\n", "pat-na1-secret-token", "hubspot")
    assert place.events == ("call.completed", "call.failed")
    listed = aila("destinations", "list", "--home", home).out
    assert "…oken" in listed
    assert "secret-token" not in said.err + listed + repr(place)


def test_a_crms_token_comes_from_the_environment(
    aila: Aila, home: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AILA_HUBSPOT_TOKEN", "pat-1")
    assert aila("destinations", "add", "hubspot", *WHO, "--event", "call.completed", "--home", home).code == 0
    (place,) = ledger.destinations.all()
    assert (place.secret, place.events) == ("pat-1", ("call.completed",))


def test_a_crm_without_a_token_or_at_an_open_address_is_refused(
    aila: Aila, home: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "needs a token" in aila("destinations", "add", "hubspot", *WHO, "--home", home).error
    monkeypatch.setenv("AILA_HUBSPOT_TOKEN", "pat-1")
    said = aila("destinations", "add", "hubspot", *WHO, "--url", "http://crm.example", "--home", home)
    assert "https://" in said.error
    said = aila("destinations", "add", "hubspot", *WHO, "--event", "batch.failed", "--home", home)
    assert "known are call.completed, call.failed" in said.error
    assert ledger.destinations.all() == []


def test_a_crm_cannot_be_pinged(aila: Aila, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AILA_HUBSPOT_TOKEN", "pat-1")
    destination = aila("destinations", "add", "hubspot", *WHO, "--home", home).out.strip()
    assert aila("destinations", "test", destination, "--home", home).code == 2


def test_without_destinations_the_list_says_how_to_make_one(aila: Aila, home: Path) -> None:
    assert "`aila destinations add webhook URL`" in aila("destinations", "list", "--home", home).out


def test_why_a_destination_fails_is_listed(aila: Aila, home: Path, receiver: Receiver, ledger: Ledger) -> None:
    added(aila, home, receiver, "--event", "call.completed")
    ended_calls(ledger, "a")
    (place,) = ledger.destinations.all()
    dead(ledger, *claim(ledger, place), reason="HTTP 410", rest=lambda _failures: None)
    assert "HTTP 410 (1 in a row)" in aila("destinations", "list", "--home", home).out
