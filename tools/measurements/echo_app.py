"""`python -m tools.measurements.echo_app PORT`: the least that FastAPI can do, served as the API is.

Lives here: what the API is held against. Does not: measuring (api_speed.py).
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/echo")
def echo(text: str) -> dict[str, str]:
    """The parameter, back."""
    return {"text": text}


@app.post("/echo")
def echo_document(document: dict[str, Any]) -> dict[str, Any]:
    """The body, back: parsed and written by FastAPI's own means."""
    return document


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning")
