"""Twenty names, numbers and addresses are planted, and looked for in all that leaves the ledger and the store.

Lives here: one batch whose rows and whose conversation are full of them, read by a language model that repeats all it
is told, and told to a webhook and a CRM. Does not: what is told of calls that fail (test_personal_data.py), how well
redaction finds what nobody planted (domain/redaction/test_labelled.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.call_objects import save_recognition
from aila_pipeline.api.metrics import Metrics
from aila_pipeline.domain.deliveries import usual
from aila_pipeline.domain.models import Recognition, Utterance
from aila_pipeline_tests.adapters.hubspot_server import TOKEN, running_hubspot
from aila_pipeline_tests.adapters.openai_server import KEY, Asked, an_openai_server, truthful
from aila_pipeline_tests.adapters.receiver import a_receiver
from aila_pipeline_tests.domain.conversations import words
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline
from aila_pipeline_tests.end_to_end.test_personal_data import stored_messages

pytestmark = pytest.mark.slow

PERSON = {
    "operator_name": "Zebulon Quartermain",
    "operator_group_name": "Flamingo Brigade",
    "client_phone_number": "+77019998877",
    "disconnect_reason": "hung up on pangolin",
}
FILE = "quetzal-77015554433.flac"
SAID = (
    ("my card is 4539 1488 0343 6467", ["4539 1488", "0343 6467"]),
    ("and the security code is 739", ["code is 739"]),
    ("or take nine seven eight six two four five one one", ["nine seven eight", "two four five"]),
    ("call me at 8 (747) 318-29-46", ["(747)", "318-29-46"]),
    ("or at +44 20 7183 8750 in London", ["7183 8750"]),
    ("at home five five five seven three one eight", ["seven three one eight"]),
    ("my mail is numbat.osprey@walrus.example", ["numbat", "osprey", "walrus"]),
    ("the other is gibbon dot lemur at gmail dot com", ["gibbon", "lemur"]),
    ("the account is GB29 NWBK 6016 1331 9268 19", ["NWBK", "6016 1331", "9268 19"]),
    ("my id is 850614301927", ["850614301927"]),
)
ANSWERED = (
    ("номер карты четыре восемь один шесть семь три два ноль девять пять", ["один шесть семь", "девять пять"]),
    ("это восемь семьсот один двести сорок три шестнадцать девяносто два", ["двести сорок", "шестнадцать"]),
    ("почта пеликан точка сурок собака мейл точка ру", ["пеликан", "сурок"]),
    ("код подтверждения 6082", ["подтверждения 6082"]),
    ("договор 40718293", ["40718293"]),
)
CANARIES = [*PERSON.values(), FILE.removesuffix(".flac"), *(line for line, _parts in SAID + ANSWERED)]
TOLD_OF = ("submission", "call", "batch", "people", "summaries", "notices", "crm_sync")
CONTACTS = {"hs_call_to_number", "hs_call_from_number"}
"""Say in the CRM whom the call was with, as its contact does."""
PARTS = ["Zebulon", "Quartermain", "Flamingo", "77019998877", "pangolin", "quetzal", "7015554433"]
LOOKED_FOR = [*CANARIES, *PARTS, *(part for _line, parts in SAID + ANSWERED for part in parts)]


@dataclass
class Told:
    """What was told to whom."""

    dagster: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)
    webhook: list[str] = field(default_factory=list)
    crm: list[str] = field(default_factory=list)
    """Of the call; the contact is the tenant's own, and is told there."""
    contact: dict[str, str] = field(default_factory=dict)
    report: str = ""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, speech: bytes) -> Iterator[Told]:
    """All that is told of a call whose people and words are canaries."""
    seen, kept = Told(), _Kept()
    logging.getLogger().addHandler(kept)
    before, logging.getLogger().level = logging.getLogger().level, logging.DEBUG
    with ExitStack() as stack:
        stack.callback(logging.getLogger().removeHandler, kept)
        stack.callback(logging.getLogger().setLevel, before)
        model = stack.enter_context(an_openai_server(repeats))
        receiver = stack.enter_context(a_receiver())
        crm = stack.enter_context(running_hubspot())
        home: Path = tmp_path_factory.mktemp("canaries")
        settings: dict[str, Any] = {"llm_base_url": model.url, "llm_model": "parrot", "llm_api_key": KEY}
        settings |= {"fetch_allow": [receiver.place], "delivery_linger_seconds": 0}
        pipeline = stack.enter_context(a_pipeline(home, **settings))
        pipeline.drop_calls({"first.flac": speech})
        pipeline.run()
        say(pipeline)
        model.asked.clear()
        now, tenant = datetime.now(UTC), pipeline.ledger.tenants.ensure("kz", "acme")
        hook = pipeline.ledger.destinations.add_webhook(tenant, receiver.url(), usual("webhook"), now=now)
        receiver.secrets["/hook"] = hook.secret
        pipeline.ledger.destinations.add_crm(tenant, "hubspot", TOKEN, usual("hubspot"), url=crm.url, now=now)
        pipeline.drop_calls({FILE: speech}, place="inbox/kz/acme/two", **PERSON)
        pipeline.run()
        assert pipeline.execute("deliver").success
        runs = pipeline.instance.get_run_records()
        seen.dagster = [str(entry) for run in runs for entry in pipeline.instance.all_logs(run.dagster_run.run_id)]
        seen.dagster += [str(run.dagster_run) for run in runs]
        seen.dagster += [str(event) for kind in TOLD_OF for event in pipeline.events(kind)]
        seen.ledger, seen.logs = stored_messages(pipeline), kept.lines
        seen.metrics = [Metrics(lambda: pipeline.ledger.figures.count(now)).page().decode()]
        seen.model = [json.dumps(asked.body, ensure_ascii=False) for asked in model.asked]
        seen.webhook = [json.dumps(body, ensure_ascii=False) for _path, _id, body in receiver.effects]
        engagements = crm.account.objects["calls"].values()
        shown = [{name: told for name, told in each.items() if name not in CONTACTS} for each in engagements]
        seen.crm = [json.dumps(each, ensure_ascii=False) for each in shown]
        (seen.contact,) = crm.account.objects["contacts"].values()
        newest = pipeline.batches()[0].id
        seen.report = pipeline.store.read(f"_aila/batches/{newest}/report.html").decode()
        yield seen


class _Kept(logging.Handler):
    """Keeps every line that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def repeats(asked: Asked) -> None:
    """A model that tells all that it was told."""
    heard = " ".join(line["words"] for line in asked.data["transcript"])
    asked.complete(json.dumps(truthful(asked.data) | {"summary": heard[:900]}, ensure_ascii=False))


def say(pipeline: Pipeline) -> None:
    """Put the canaries into the mouths of the two who speak in the recording."""
    (key,) = [found.key for found in pipeline.store.list("_aila/transcripts/")]
    recognition = Recognition.model_validate_json(pipeline.store.read(key))
    utterances = [
        Utterance(channel=channel, start=start, end=start + 8.0, text=line, words=words(start, start + 8.0, line))
        for channel, first, lines in ((0, 0.0, SAID), (1, 10.0, ANSWERED))
        for start, line in zip((first + 20.0 * n for n in range(len(lines))), (line for line, _ in lines), strict=True)
    ]
    planted = recognition.model_copy(update={"utterances": tuple(utterances), "seconds": 300.0})
    save_recognition(pipeline.store, key, planted)


def found_in(lines: list[str]) -> dict[str, str]:
    """Each canary with the line that tells it."""
    return {canary: line for canary in LOOKED_FOR for line in lines if canary in line}


def test_there_are_twenty_canaries() -> None:
    assert len(set(CANARIES)) >= 20


@pytest.mark.parametrize("place", ["dagster", "logs", "ledger", "metrics", "model", "webhook", "crm"])
def test_no_canary_is_told(told: Told, place: str) -> None:
    lines = getattr(told, place)
    assert lines
    assert found_in(lines) == {}


def test_no_spoken_canary_is_in_the_report(told: Told) -> None:
    """Names are in it: it is the tenant's own, and about its operators."""
    spoken = [part for line, parts in SAID + ANSWERED for part in (line, *parts)]
    assert [part for part in spoken if part in told.report] == []


def test_what_was_said_did_leave_but_redacted(told: Told) -> None:
    """The test would prove nothing if the model had not been asked about these words."""
    assert "my card is [card]" in "".join(told.model)
    assert "my card is [card]" in "".join(told.webhook)
    assert "my card is [card]" in "".join(told.crm)
    assert told.contact["phone"] == PERSON["client_phone_number"]
