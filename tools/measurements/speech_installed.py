"""openai-whisper and whisper.cpp, installed beside the project.

Lives here: a virtual environment in the user's cache, made once. Does not: running anything in it
(speech_foreign.py). The project's own lock knows nothing of them: they bring torch, and serve only to compare.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = ("openai-whisper==20250625", "pywhispercpp==1.5.1", "faster-whisper==1.2.1")
_MINUTES = 20


def python_of_others() -> Path | str:
    """The Python that has them, or why there is none, in a line.

    pip decides where they come from, as its own settings (PIP_INDEX_URL, PIP_CONSTRAINT …) say.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aila-pipeline" / "bench"
    python = home / "bin" / "python"
    ready = home / "-".join(("ready", *(package.replace("==", "-") for package in PACKAGES)))
    if ready.exists():
        return python
    try:
        venv.create(home, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MINUTES * 60)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__} while installing for Python {sys.version.split()[0]}"
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return (errors or [f"pip ended with {done.returncode}"])[-1]
    ready.touch()
    return python
