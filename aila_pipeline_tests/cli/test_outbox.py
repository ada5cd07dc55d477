"""`aila outbox`: what waits and what was given up, with the reason, and another chance for the dead."""

from __future__ import annotations

from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.destinations import Destination
from aila_pipeline_tests.adapters.ledger.builders import NOW
from aila_pipeline_tests.adapters.ledger.outbox_builders import a_webhook, claim, dead, ended_calls, messages
from aila_pipeline_tests.cli.conftest import Aila


@pytest.fixture
def place(ledger: Ledger) -> Destination:
    """A destination with three messages: the oldest is dead."""
    made = a_webhook(ledger)
    ended_calls(ledger, "a", "b")
    dead(ledger, *claim(ledger, made, most=1))
    return made


def states(ledger: Ledger) -> list[str]:
    return sorted(row.state for row in messages(ledger))


def test_messages_are_listed_with_state_and_reason(aila: Aila, home: Path, place: Destination) -> None:
    said = aila("outbox", "list", "--home", home)
    assert said.code == 0
    assert "HTTP 410" in said.out
    assert "2 messages waiting, the oldest for " in said.out
    assert "1 dead; `aila outbox replay --all-dead`" in said.out
    listed = aila("outbox", "list", "--home", home, "--json").json
    assert sorted(each["state"] for each in listed) == ["dead", "waiting", "waiting"]
    assert {each["destination_id"] for each in listed} == {place.id}


def test_one_state_alone_is_listed(aila: Aila, home: Path, place: Destination) -> None:
    (only,) = aila("outbox", "list", "--dead", "--home", home, "--json").json
    assert (only["state"], only["reason"], only["tries"]) == ("dead", "HTTP 410", 1)
    waiting = aila("outbox", "list", "--waiting", "--home", home, "--json").json
    assert {each["state"] for each in waiting} == {"waiting"}
    assert len(aila("outbox", "list", "--limit", 1, "--home", home, "--json").json) == 1
    assert aila("outbox", "list", "--dead", "--waiting", "--home", home).code == 2


def test_a_list_tells_ids_and_no_content(aila: Aila, home: Path, place: Destination) -> None:
    for options in ((), ("--json",)):
        said = aila("outbox", "list", *options, "--home", home).out
        assert "hooks.example" not in said
        assert place.secret not in said


def test_a_dead_message_is_replayed(aila: Aila, home: Path, place: Destination, ledger: Ledger) -> None:
    (only,) = aila("outbox", "list", "--dead", "--home", home, "--json").json
    said = aila("outbox", "replay", only["id"], "--home", home)
    assert said.code == 0
    assert "1 message will be tried again" in said.out
    assert states(ledger) == ["waiting"] * 3
    again = aila("outbox", "replay", only["id"], "--home", home)
    assert again.code == 1
    assert "the message is waiting; only a dead one can be replayed" in again.error


def test_all_dead_of_a_destination_or_of_all_are_replayed(
    aila: Aila, home: Path, place: Destination, ledger: Ledger
) -> None:
    assert aila("outbox", "replay", "--destination", place.id, "--home", home).code == 0
    dead(ledger, *claim(ledger, place))
    assert "3 messages" in aila("outbox", "replay", "--all-dead", "--home", home).out
    assert "0 messages" in aila("outbox", "replay", "--all-dead", "--home", home).out
    assert states(ledger) == ["waiting"] * 3


@pytest.mark.parametrize(
    "arguments",
    [[], ["msg_1", "--all-dead"], ["--destination", "dest_1", "--all-dead"], ["msg_1", "--destination", "d"]],
)
def test_what_to_replay_must_be_said_once(aila: Aila, home: Path, arguments: list[str]) -> None:
    assert aila("outbox", "replay", *arguments, "--home", home).code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["msg_1"], "`aila outbox list --dead`"), (["--destination", "d"], "`aila destinations list`")],
)
def test_an_unknown_id_is_told(aila: Aila, home: Path, arguments: list[str], told: str) -> None:
    said = aila("outbox", "replay", *arguments, "--home", home)
    assert said.code == 1
    assert told in said.error


def test_nobody_is_left_to_be_told_by_a_destination_that_was_removed(
    aila: Aila, home: Path, place: Destination, ledger: Ledger
) -> None:
    ledger.destinations.remove(place.id, now=NOW)
    said = aila("outbox", "replay", messages(ledger)[0].id, "--home", home)
    assert said.code == 1
    assert "was removed" in said.error


def test_an_empty_outbox_says_so(aila: Aila, home: Path) -> None:
    assert aila("outbox", "list", "--home", home).out == "0 messages waiting; 0 dead\n"
