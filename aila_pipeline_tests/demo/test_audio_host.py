"""The demo's web server gives out the sample recordings and nothing else."""

from __future__ import annotations

import socket

import httpx
import pytest

from aila_pipeline.demo.audio_host import audio_host
from aila_pipeline.demo.samples import samples


def get(host: str, path: str) -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.get(f"http://{host}{path}")


def test_every_sample_is_served_as_it_is() -> None:
    with audio_host() as host:
        for sample in samples().values():
            assert get(host, f"/{sample.file}").content == sample.path.read_bytes()


@pytest.mark.parametrize(
    "path", ["/", "/calls.json", "/../__init__.py", "/..%2fsamples.py", "//etc/passwd", "/sales_01"]
)
def test_nothing_else_is_served(path: str) -> None:
    with audio_host() as host:
        assert get(host, path).status_code == 404


def test_who_hangs_up_early_is_not_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    """A submission only looks at the first bytes of each URL."""
    with audio_host() as host:
        name, _, port = host.rpartition(":")
        for _ in range(5):
            with socket.create_connection((name, int(port))) as connection:
                connection.sendall(b"GET /sales_04.wav HTTP/1.1\r\nHost: x\r\n\r\n")
                connection.recv(16)
        assert get(host, "/sales_04.wav").status_code == 200
    assert capfd.readouterr() == ("", "")


def test_it_is_gone_afterwards() -> None:
    with audio_host() as host:
        pass
    with pytest.raises(httpx.ConnectError):
        get(host, "/sales_01.mp3")
