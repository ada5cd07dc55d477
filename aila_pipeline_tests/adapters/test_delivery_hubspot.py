"""The outbox told to HubSpot over HTTP: its faults cost time and tries, no call's status, and make no second record.

Lives here: outbox, delivery and HubSpot's adapter together. Does not: each alone (test_delivery.py,
test_crm_hubspot.py).
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.delivery import Delivery
from aila_pipeline.adapters.delivery_content import Content
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.outbox_tables import outbox
from aila_pipeline.adapters.ledger.people_tables import contacts
from aila_pipeline.adapters.ledger.tables import calls
from aila_pipeline.adapters.webhooks import Webhooks
from aila_pipeline.domain.deliveries import Backoff, usual
from aila_pipeline_tests.adapters.hubspot_server import TOKEN, HubSpotServer, running_hubspot
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_tenant, rows
from aila_pipeline_tests.adapters.ledger.outbox_builders import ended_calls, later, messages

NAMES = tuple("abcdef")
OFTEN = Backoff(500, timedelta(seconds=10))
FAULTS: list[dict[str, Any]] = [{"status": 500}, {"status": 429, "headers": {"Retry-After": "7"}}, {}]


def six_calls_of_one_contact(ledger: Ledger, hubspot: HubSpotServer) -> None:
    tenant = a_tenant(ledger)
    ledger.destinations.add_crm(tenant, "hubspot", TOKEN, usual("hubspot"), url=hubspot.url, now=NOW)
    ended_calls(ledger, *NAMES, failing=("f",))
    met = {"id": "contact_1", "tenant_id": tenant.id, "phone": "+77011234567", "email": "c@example.org"}

    def link(connection: sa.Connection) -> None:
        connection.execute(sa.insert(contacts).values(**met, name="Emma Baker", created_at=NOW))
        connection.execute(sa.update(calls).values(contact_id="contact_1"))

    ledger.database.write(link)


def deliver(ledger: Ledger) -> None:
    """One run, at a time when everything is due and the destination has rested, as it does after faults in a row."""
    rested = [place.paused_until for place in ledger.destinations.all() if place.paused_until]
    moment = max([later(ledger), *rested]) + timedelta(seconds=1)
    content = Content(ledger, "https://aila.example/")
    Delivery(ledger, Webhooks(), content, OFTEN, clock=lambda: moment).run(seconds=60)


def statuses(ledger: Ledger) -> dict[str, tuple[str, str | None]]:
    return {row.external_id: (row.status, row.error_code) for row in rows(ledger, calls)}


def test_faults_of_hubspot_leave_every_status_as_it_was_and_make_no_second_record(ledger: Ledger) -> None:
    chance = random.Random(5)
    with running_hubspot() as hubspot:
        six_calls_of_one_contact(ledger, hubspot)
        before = statuses(ledger)
        assert before["f"] == ("failed", "AUDIO_INVALID")
        for _ in range(40):
            for _ in range(4):
                fault = chance.choice(FAULTS)
                hubspot.fail(**fault, after=chance.random() < 0.5)
            deliver(ledger)
            assert statuses(ledger) == before
            if not messages(ledger, outbox.c.state == "waiting"):
                break
        hubspot.faults.clear()
        deliver(ledger)
        assert {row.state for row in messages(ledger)} == {"delivered"}
        assert max(row.tries for row in messages(ledger)) > 1, "no fault was met"
        assert len(hubspot.account.objects["calls"]) == len(NAMES)
        (contact,) = hubspot.account.objects["contacts"]
        assert {pair[1] for pair in hubspot.account.associations} == {contact}
        assert len(hubspot.account.associations) == len(NAMES)


def test_an_account_that_refuses_everything_gets_dead_letters_and_no_call_suffers(ledger: Ledger) -> None:
    with running_hubspot() as hubspot:
        six_calls_of_one_contact(ledger, hubspot)
        before = statuses(ledger)
        hubspot.fail(status=400, times=10_000)
        deliver(ledger)
        assert {row.state for row in messages(ledger)} == {"dead"}
        assert all(row.last_error for row in messages(ledger))
        assert statuses(ledger) == before
        hubspot.faults.clear()
        assert ledger.outbox.replay(now=later(ledger)) == len(NAMES)
        deliver(ledger)
        assert {row.state for row in messages(ledger)} == {"delivered"}
        assert len(hubspot.account.objects["calls"]) == len(NAMES)
