"""Ports: taken as asked, or found free.

Lives here: asking the system before anything is started. Does not: listening (each server does that itself).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack

from aila_pipeline.errors import PortTaken


def free_ports(host: str, asked: Mapping[str, int]) -> dict[str, int]:
    """For each option the port it asks for, or for 0 one that nobody uses now; no two are the same.

    Raises:
        PortTaken: something listens on one already, or two options ask for the same; names the option.
    """
    with ExitStack() as held:
        # All are held until the last is found: the system may give a port out again as soon as it is let go.
        return {option: _held(held, host, option, port) for option, port in asked.items()}


def _held(held: ExitStack, host: str, option: str, port: int) -> int:
    try:
        [family, kind, _, _, address] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        probe = held.enter_context(socket.socket(family, kind))
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        # Two sockets may be bound to one address; only one of them can listen.
        probe.listen()
    except OSError as error:
        raise PortTaken(f"{host}:{port} ({option}), {error.strerror}") from error
    return int(probe.getsockname()[1])
