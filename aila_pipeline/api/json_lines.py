"""JSON lines: all that the API's process logs, on standard error, one object a line.

Lives here: the form of a line, whoever logs it: we, uvicorn or a library. Does not: what is told about a request
(request_log.py).

Libraries put what they choke on into messages. So of theirs only the first line is kept, an exception is told by its
type and frames, and below a warning only uvicorn and we are heard.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

_OURS = "aila_pipeline"

_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("aila_pipeline.api"),
    processors=[
        structlog.stdlib.add_log_level,
        _stamp,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)
"""The API's own log. Values must be ids, numbers and words of ours."""


def log_json_lines() -> None:
    """Let this process log as JSON lines; for a process that is the API alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_format())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in (_OURS, "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.INFO)
    logging.captureWarnings(True)


def line_format() -> logging.Formatter:
    """One record as a line of JSON."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _stamp, _harmless],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )


def frames_of(error: BaseException) -> dict[str, Any]:
    """An exception without its message: its type, what it came from, and where it was raised."""
    causes: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < 10:
        causes.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    told: dict[str, Any] = {"error": type(error).__name__, "frames": _frames(error.__traceback__)}
    return told | ({"causes": causes} if causes else {})


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]


def _harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What somebody logged without this module, free of an exception's text."""
    error = event.pop("exc_info", None)
    event.pop("stack_info", None)
    lines = str(event["event"]).splitlines() or [""]
    event["event"] = lines[0]
    if lines[0].startswith("Traceback "):
        # uvicorn passes an app that cannot start on as text; its last line is `Type: message`.
        raised = [line.partition(":")[0] for line in lines if line and not line.startswith((" ", "Traceback ", "\t"))]
        event["event"] = "the app cannot start"
        event["error"] = raised[-1] if raised else "unknown"
        event["frames"] = [line.strip() for line in lines if line.startswith('  File "')]
    if isinstance(error, tuple) and error[1] is not None:
        event.update(frames_of(error[1]))
    return event
