"""Nobody's name, number or words leave the ledger and the store: not in events, not in logs, not in error messages."""

from __future__ import annotations

import json
import logging

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger.tables import attempts, batches, events, shards
from aila_pipeline_tests.adapters.zips import a_record, by_hand
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline
from aila_pipeline_tests.end_to_end.test_manifest_flow import an_item

pytestmark = pytest.mark.slow

CANARIES = {
    "operator": "Zebulon Quartermain",
    "group": "Flamingo Brigade",
    "phone": "+77019998877",
    "bad phone": "seven-zero-one-quagga",
    "file": "quetzal-77015554433",
    "bad time": "teatime-with-ocelot",
    "bad role": "axolotl",
    "reason": "hung up on pangolin",
    "contact": "Wilhelmina Okapi",
    "email": "narwhal@numbat.example",
    "call id": "tapir-0042",
    "stray": "dugong-77013332211",
}
ENDS = {None, "AUDIO_INVALID", "ENTRY_CORRUPT", "FILE_NOT_FOUND", "ROW_INVALID", "SOURCE_NOT_FOUND"}
REFUSALS = {"ARCHIVE_CORRUPT", "CSV_HEADER_MISSING", "MANIFEST_INVALID", "PAIR_INCOMPLETE"}


@pytest.fixture
def told(pipeline: Pipeline, speech: bytes, caplog: pytest.LogCaptureFixture) -> list[str]:
    """All that is told of good, failing, rejected and refused calls that are full of canaries."""
    caplog.set_level(logging.DEBUG)
    person = {
        "operator_name": CANARIES["operator"],
        "operator_group_name": CANARIES["group"],
        "client_phone_number": CANARIES["phone"],
        "disconnect_reason": CANARIES["reason"],
    }
    name = CANARIES["file"]
    rows = [
        a_row(f"{name}-good.flac", **person, partner_call_id=CANARIES["call id"]),
        a_row(f"{name}-text.mp3", **person),
        a_row(f"{name}-corrupt.wav", **person),
        a_row(f"{name}-none.wav", **person),
        a_row(f"{name}-phone.wav", **person | {"client_phone_number": CANARIES["bad phone"]}),
        a_row(f"{name}-time.wav", **person, start_time=CANARIES["bad time"]),
        a_row(f"{name}-role.wav", **person, left_channel=CANARIES["bad role"]),
    ]
    corrupt = a_record(speech, f"{name}-corrupt.wav")
    corrupt.crc32 = 1
    text = a_record(b"some words " * 99, f"{name}-text.mp3")
    good = [a_record(speech, f"{name}-good.flac"), a_record(speech, f"{name}-phone.wav")]
    pipeline.drop_pair(a_csv(*rows), by_hand([*good, text, corrupt]))
    unclosed = a_csv(*rows).replace(b'"', b"").replace(CANARIES["operator"].encode(), b'"' + b"Zebulon", 1)
    pipeline.drop_pair(unclosed, b"no zip", place="inbox/kz/acme/two")
    pipeline.drop_pair(a_csv(*rows).split(b"\r\n", 1)[1], by_hand([corrupt]), place="inbox/kz/acme/three")
    item = an_item(
        CANARIES["call id"] + "b",
        contact_name=CANARIES["contact"],
        contact_phone=CANARIES["phone"],
        contact_email=CANARIES["email"],
        audio_url=f"s3://aila/recordings/kz/acme/{name}.wav",
    )
    pipeline.store.write("inbox/kz/acme/four.json", json.dumps({"calls": [item]}).encode())
    bad = item | {"contact_email": "narwhal@", "contact_phone": CANARIES["bad phone"]}
    pipeline.store.write("inbox/kz/acme/five.json", json.dumps({"calls": [bad]}).encode())
    pipeline.store.write(f"inbox/kz/acme/{CANARIES['stray']}.wav", speech)
    pipeline.run()
    assert {call.error_code for batch in pipeline.batches() for call in pipeline.calls(batch)} == ENDS
    assert {batch.problem["code"] for batch in pipeline.batches() if batch.problem} == REFUSALS
    runs = pipeline.instance.get_run_records()
    lines = [str(entry) for run in runs for entry in pipeline.instance.all_logs(run.dagster_run.run_id)]
    lines += [str(run.dagster_run) for run in runs]
    lines += [str(event) for kind in ("call", "batch", "submission") for event in pipeline.events(kind)]
    lines += caplog.messages
    lines += stored_messages(pipeline)
    return lines


def stored_messages(pipeline: Pipeline) -> list[str]:
    """Error messages, problems, warnings and event payloads of the ledger."""
    columns = (attempts.c.error_message, batches.c.problem, batches.c.warnings, events.c.payload, shards.c.last_error)

    def question(connection: sa.Connection) -> list[str]:
        return [str(value) for column in columns for value in connection.scalars(sa.select(column)).all()]

    return pipeline.ledger.database.read(question)


def test_no_canary_is_told(told: list[str]) -> None:
    """Their first words are looked for too, since messages may cut what they quote."""
    looked_for = {part for text in CANARIES.values() for part in (text, text.split("@")[0], text.split(" ")[-1])}
    looked_for |= {"Zebulon", "77019998877", "7015554433", "Wilhelmina", "narwhal"}
    assert len(told) > 100
    assert {canary: line for canary in looked_for for line in told if canary in line} == {}
