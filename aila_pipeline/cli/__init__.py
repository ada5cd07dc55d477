"""The command line: `aila`.

Lives here: running a command, and how every failure ends: one line on standard error and an exit code. Does not: the
commands' options (app.py), what they do (one module each), how they show it (output.py).

    0 all well, or the batch completed    2 wrong use       4 the batch failed
    1 anything else                       3 partial
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from aila_pipeline.cli.app import app
from aila_pipeline.cli.output import Code, error_line, tell
from aila_pipeline.errors import AilaError, ApiRefused

__all__ = ["main"]

_MISUSE: type[Exception] = typer.BadParameter.__bases__[0]
"""UsageError; where it lives differs between versions of typer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. A person never sees a stack trace, unless AILA_DEBUG asks for one."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or os.environ.get("AILA_DEBUG", "") not in {"", "0"}
    try:
        code = app(given, prog_name="aila", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        # `aila status | head`: whoever read has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Code.OTHER)
    except KeyboardInterrupt:
        return 130
    except _MISUSE as misuse:
        if type(misuse).__name__ == "NoArgsIsHelpError":
            # `aila` or `aila keys` alone: typer makes the help the message of an error.
            sys.stderr.write(str(misuse) + "\n")
            return int(Code.MISUSE)
        error_line(_misuse_told(misuse))
        return int(Code.MISUSE)
    except Exception as error:
        if debug:
            raise
        error_line(_told(error))
        for problem in error.problems if isinstance(error, ApiRefused) else ():
            tell(f"  {problem}")
        return int(Code.of_error(error)) if isinstance(error, AilaError) else int(Code.OTHER)


def _told(error: Exception) -> str:
    """One line that says what happened and what to do."""
    if isinstance(error, AilaError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or type(error).__name__}: {error.strerror}; check the path and its permissions"
    # Not the error's own text: it may quote a call.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    return f"the program met a case that it does not know ({where}); please report it with what AILA_DEBUG=1 shows"


def _misuse_told(misuse: Any) -> str:
    """What typer has to say, and where the right use is explained."""
    command = misuse.ctx.command_path if misuse.ctx else "aila"
    return f"{misuse.format_message().rstrip('.')}; `{command} --help` explains"
