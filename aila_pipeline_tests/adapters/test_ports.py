"""Ports are found before anything is started, and a refusal names the option to change."""

from __future__ import annotations

import socket

import pytest

from aila_pipeline.adapters.ports import free_ports
from aila_pipeline.errors import PortTaken

HOST = "127.0.0.1"


def test_ports_that_are_found_free_are_all_different() -> None:
    found = free_ports(HOST, {f"--port-{n}": 0 for n in range(50)})
    assert len(set(found.values())) == 50


def test_a_found_port_can_be_listened_on_at_once() -> None:
    port = free_ports(HOST, {"--port": 0})["--port"]
    assert free_ports(HOST, {"--port": port}) == {"--port": port}
    with socket.create_server((HOST, port)) as server:
        assert server.getsockname()[1] == port


def test_a_taken_port_is_named_with_its_option() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port} \(--port\)"):
            free_ports(HOST, {"--dagster-port": 0, "--port": port})


def test_two_options_cannot_have_one_port() -> None:
    port = free_ports(HOST, {"--port": 0})["--port"]
    with pytest.raises(PortTaken, match=r"--dagster-port"):
        free_ports(HOST, {"--port": port, "--dagster-port": port})


def test_an_address_that_is_not_ours_is_refused_in_the_same_words() -> None:
    with pytest.raises(PortTaken, match=r"203\.0\.113\.1:0 \(--port\)"):
        free_ports("203.0.113.1", {"--port": 0})
