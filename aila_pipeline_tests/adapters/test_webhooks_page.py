"""docs/webhooks.md: its receiver runs as it is printed, and its examples have the fields that are sent."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.delivery import Delivery
from aila_pipeline.adapters.delivery_content import Content
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.webhooks import Webhooks
from aila_pipeline.domain.deliveries import Backoff, Notice
from aila_pipeline.errors import DeliveryFailed
from aila_pipeline.settings import Settings
from aila_pipeline_tests.adapters.ledger.outbox_builders import a_webhook, claim, ended_calls, later, messages

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text("utf-8")


def printed(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@contextmanager
def printed_receiver(database: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The page's own receiver, running; its `host:port` and its names."""
    (program,) = printed("python")
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(program, "docs/webhooks.md", "exec"), names)
    names["DATABASE"] = str(database)
    names["Receiver"].log_message = lambda *_: None
    with HTTPServer(("127.0.0.1", 0), names["Receiver"]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{server.server_port}", names
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_the_printed_receiver_verifies_and_acts_once_per_id(ledger: Ledger, tmp_path: Path) -> None:
    with printed_receiver(tmp_path / "receiver.db") as (place, names):
        names["SECRET"] = a_webhook(ledger, url=f"http://{place}/aila").secret
        batch = ended_calls(ledger, "a", "b", failing=("b",))
        hooks = Webhooks([place])
        backoff, now = Backoff(25, timedelta(seconds=10)), later(ledger)
        for _ in range(2):
            Delivery(ledger, hooks, Content(ledger), backoff, clock=lambda: now).run(seconds=30)
            # As if the worker had died before it noted anything.
            ledger.database.write(lambda c: c.exec_driver_sql("UPDATE outbox SET state = 'waiting', ended_at = NULL"))
        with pytest.raises(DeliveryFailed, match="HTTP 400"):
            hooks.send(f"http://{place}/aila", "whsec_" + "A" * 43 + "=", "msg_1", "{}", now=datetime.now(UTC))
        with closing(sqlite3.connect(tmp_path / "receiver.db")) as database:
            seen = database.execute("select id, type, of from seen").fetchall()
    assert sorted(seen) == sorted((row.id, row.event, row.subject_id) for row in messages(ledger))
    assert ("batch.partial", batch) in {(kind, of) for _id, kind, of in seen}


def test_the_printed_examples_have_exactly_the_fields_that_are_sent(ledger: Ledger) -> None:
    place = a_webhook(ledger)
    ended_calls(ledger, "a", "b", failing=("b",))
    content = Content(ledger, "https://aila.example.com")
    bodies = [json.loads(content.body(message)) for message in claim(ledger, place)]
    sent = {body["type"].split(".")[0]: body for body in bodies}
    for example in map(json.loads, printed("json")):
        kind = example["type"].split(".")[0]
        assert set(example) == set(sent[kind])
        assert set(example["data"]) == set(sent[kind]["data"])
        assert set(example["data"]["links"]) == set(sent[kind]["data"]["links"])


def test_the_page_names_every_event_and_the_settings_as_they_are() -> None:
    for notice in Notice:
        assert f"`{notice}`" in PAGE
    for name in ("tries", "pause_seconds", "seconds", "minutes", "alarm_minutes"):
        default = Settings.model_fields[f"delivery_{name}"].default
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `AILA_DELIVERY_{name.upper()}`"))
        assert f"`{default:g}`" in row
