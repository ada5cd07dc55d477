"""`aila api`: the API alone, in the foreground, where Dagster runs elsewhere.

Lives here: what has to be right before it starts, and an orderly end. Does not: serving (api/__main__.py), the API
beside Dagster (`aila up`).
"""

from __future__ import annotations

import signal
from pathlib import Path

from aila_pipeline.adapters.ports import free_ports
from aila_pipeline.api.__main__ import serve
from aila_pipeline.cli.opening import note_api_url, opened
from aila_pipeline.cli.output import Code, tell

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here, but told apart
"""Addresses that one listens on but cannot connect to, and what this machine reaches them by."""


def run_api(home: Path | None, host: str, port: int) -> int:
    """Answer requests until SIGTERM or Ctrl-C; those in flight get a few seconds.

    Raises LedgerMissing, SettingInvalid when the ledger needs `aila db`, StoreUnavailable, or PortTaken.
    """
    with opened(home) as here:
        # Looked at before it starts, so that what is wrong is told in one line and not by the server's own trace.
        settings, _, _ = here.settings, here.ledger, here.store
    port = free_ports(host, {"--port": port})["--port"]
    name = _EVERYWHERE.get(host, host)
    url = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
    settings.home.mkdir(parents=True, exist_ok=True)
    note_api_url(settings, url)
    tell(f"the API will answer at {url}")
    # The server ends by the signal it was sent and then hands it on; by then the command has done what it was told.
    signal.signal(signal.SIGTERM, lambda _signum, _frame: None)
    serve(settings, host=host, port=port)
    return Code.WELL
