"""A process that delivers until it is killed: `python -m aila_pipeline_tests.adapters.delivering LEDGER_URL PLACE`.

Lives here: the process, for tests that kill it. Does not: any test.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from aila_pipeline.adapters.delivery import Delivery
from aila_pipeline.adapters.delivery_content import Content
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.webhooks import Webhooks
from aila_pipeline.domain.deliveries import Backoff

BACKOFF = Backoff(tries=1000, first=timedelta(seconds=0.05), longest=timedelta(seconds=0.4))
"""As by default, in small; thirty in a hundred going wrong must not kill a message in this time."""

PATIENCE_SECONDS = 0.5
CLAIM = timedelta(seconds=2)


def a_delivery(ledger: Ledger, place: str) -> Delivery:
    """One worker whose receiver is at this `host:port`."""
    hooks = Webhooks([place], seconds=PATIENCE_SECONDS)
    return Delivery(ledger, hooks, Content(ledger), BACKOFF, webhook_claim=CLAIM)


if __name__ == "__main__":
    url, place = sys.argv[1:]
    a_delivery(Ledger(url), place).run(seconds=3600, linger_seconds=3600)
