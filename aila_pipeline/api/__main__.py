"""`python -m aila_pipeline.api`: one process of the API, on the settings of its environment.

Lives here: the server. Does not: the app (app.py), or who supervises it (supervision.py).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
import threading

import uvicorn

from aila_pipeline.adapters.parent_watch import die_with_parent, supervised
from aila_pipeline.api.app import create_app
from aila_pipeline.api.json_lines import log_json_lines
from aila_pipeline.settings import Settings

GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 75
"""Longer than the 5 to 10 s between two polls that contract B advises: a client that keeps its connection would else
meet, now and then, a server that closes it in that very moment."""

_SWITCH_SECONDS = 0.001
"""How long a thread that checks a pair may keep the others waiting; Python's own 5 ms are more than a poll takes."""

_LOAD_AFTER_SECONDS = 3.0
"""By then the process answers; before, it has better things to do."""


def serve(settings: Settings, *, host: str, port: int) -> None:
    """Answer requests until SIGTERM or Ctrl-C; requests in flight get a few seconds to end."""
    log_json_lines()
    sys.setswitchinterval(_SWITCH_SECONDS)
    loading = threading.Timer(_LOAD_AFTER_SECONDS, _load_checks)
    loading.daemon = True
    loading.start()
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        ws="none",  # there are none, and uvicorn would log the address of every attempt with its query
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def _load_checks() -> None:
    """Load what checks pairs (pandas, pandera), else the first client waits for it, some seconds."""
    importlib.import_module("pandera.pandas")
    # What was loaded stays: the collector need not look through half a million objects again and again.
    gc.collect()
    gc.freeze()


def main() -> None:
    """Parse `--host` and `--port`, and serve."""
    parser = argparse.ArgumentParser(prog="python -m aila_pipeline.api")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    if supervised():
        die_with_parent()
    serve(Settings(), host=given.host, port=given.port)


if __name__ == "__main__":
    main()
