"""Process output: what a program printed or answers, in the one line that an operator needs.

Lives here: finding the cause in what Python printed, asking the API how it is. Does not: keeping the output
(processes.py).
"""

from __future__ import annotations

import http.client
import re


def why_not_loaded(module: str, output: str) -> str:
    """The first error of the chain that Python printed, and the place in the code that raised it."""
    cause = re.split(r"\n\n(?:The above exception was|During handling of)", output)[0]
    places = re.findall(r'^  File "(?!<frozen)(.+)", line (\d+)', cause, flags=re.MULTILINE)
    place = f" ({places[-1][0]}:{places[-1][1]})" if places else ""
    return f"{module}: {last_line(cause)}{place}"


def last_line(output: str) -> str:
    """The last line that says anything."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it wrote nothing"


def healthy(api_url: str) -> bool:
    """Whether the API at `http://host:port` says that it is well; False while nothing answers."""
    connection = http.client.HTTPConnection(api_url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
