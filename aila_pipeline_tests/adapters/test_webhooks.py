"""One webhook: signed so that the library knows it, sent to nobody inside, and every answer told for what it is."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aila_pipeline.adapters.fetch_addresses import Addresses
from aila_pipeline.adapters.webhooks import Webhooks
from aila_pipeline.errors import DeliveryError, DeliveryFailed, DeliveryRefused
from aila_pipeline_tests.adapters.receiver import Handler, Receiver, a_receiver, after, status
from aila_pipeline_tests.adapters.test_fetch_addresses import INSIDE, ODD_SPELLINGS, PUBLIC, Recording, shown
from aila_pipeline_tests.adapters.web_server import TLS, a_web_server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps({"type": "ping", "timestamp": "2026-01-15T12:00:00Z", "data": {}})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as made:
        made.secrets["/hook"] = SECRET
        yield made


def send(
    receiver: Receiver, *, path: str = "/hook", secret: str = SECRET, seconds: float = 5, now: datetime | None = None
) -> None:
    hooks = Webhooks([receiver.place], seconds=seconds)
    hooks.send(receiver.url(path), secret, "msg_1", BODY, now=now or datetime.now(UTC))


def failure(receiver: Receiver, *, seconds: float = 5) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(receiver, seconds=seconds)
    for secret in ("127.0.0.1", "hook", SECRET[6:], str(receiver.port)):
        assert secret not in str(caught.value)
    return caught.value


def test_the_library_finds_the_signature_right_and_the_body_as_it_was_sent(receiver: Receiver) -> None:
    send(receiver)
    assert receiver.effects == [("/hook", "msg_1", json.loads(BODY))]


def test_the_time_is_signed_in_utc_whatever_zone_it_comes_in(receiver: Receiver) -> None:
    send(receiver, now=datetime.now(timezone(timedelta(hours=5))))
    assert len(receiver.effects) == 1


def test_another_secret_is_a_signature_that_the_receiver_refuses(receiver: Receiver) -> None:
    with pytest.raises(DeliveryFailed, match="HTTP 400"):
        send(receiver, secret="whsec_" + "A" * 43 + "=")
    assert (receiver.forged, receiver.effects) == (1, [])


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_every_2xx_is_an_arrival(receiver: Receiver, code: int) -> None:
    receiver.answering["/hook"] = status(code)
    send(receiver)


@pytest.mark.parametrize("code", [300, 400, 401, 403, 404, 405, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_be_mended_at_the_receiver_is_worth_another_try(receiver: Receiver, code: int) -> None:
    receiver.answering["/hook"] = status(code)
    error = failure(receiver)
    assert isinstance(error, DeliveryFailed)
    assert (error.status, error.retry_after_seconds, error.detail) == (code, None, f"HTTP {code}")


def test_gone_is_gone(receiver: Receiver) -> None:
    receiver.answering["/hook"] = status(410)
    error = failure(receiver)
    assert isinstance(error, DeliveryRefused)
    assert error.status == 410


@pytest.mark.parametrize("code", [429, 503])
def test_what_the_receiver_asks_for_is_told(receiver: Receiver, code: int) -> None:
    receiver.answering["/hook"] = status(code, Retry_After="120")
    error = failure(receiver)
    assert isinstance(error, DeliveryFailed)
    assert error.retry_after_seconds == 120


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, code: int) -> None:
    receiver.secrets["/elsewhere"] = SECRET
    receiver.answering["/hook"] = status(code, Location=receiver.url("/elsewhere"))
    assert "redirects are not followed" in failure(receiver).detail
    assert [path for path, _ in receiver.requests] == ["/hook"]


def test_a_receiver_that_is_too_slow_is_left_after_its_time(receiver: Receiver) -> None:
    receiver.answering["/hook"] = after(1.5)
    began = time.monotonic()
    assert failure(receiver, seconds=0.3).detail == "the receiver was too slow"
    assert time.monotonic() - began < 1.2


def test_a_receiver_that_drips_its_answer_gains_no_time(receiver: Receiver) -> None:
    def drip(handler: Handler) -> None:
        for letter in b"HTTP/1.1 204 No Content\r\n\r\n":
            handler.connection.sendall(bytes([letter]))
            time.sleep(0.1)

    receiver.answering["/hook"] = drip
    began = time.monotonic()
    assert failure(receiver, seconds=0.5).detail == "the receiver was too slow"
    assert time.monotonic() - began < 1.5


def test_an_endless_body_is_not_read(receiver: Receiver) -> None:
    def flood(handler: Handler) -> None:
        handler.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            handler.connection.sendall(b"x" * 65536)

    receiver.answering["/hook"] = flood
    began = time.monotonic()
    send(receiver)
    assert time.monotonic() - began < 3


def test_an_answer_that_is_no_http_is_a_broken_connection(receiver: Receiver) -> None:
    receiver.answering["/hook"] = lambda handler: handler.connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    assert isinstance(failure(receiver), DeliveryFailed)


def test_nobody_there_is_worth_another_try() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(DeliveryFailed, match="no connection"):
        Webhooks([place]).send(f"http://{place}/", SECRET, "msg_1", BODY, now=datetime.now(UTC))


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_never_connected_to(address: str) -> None:
    """As it is, and as what a name leads to; alone and beside a public one."""
    with a_web_server() as site:
        for found in ([address], [PUBLIC, address], [address, PUBLIC]):
            network = Recording()
            addresses = Addresses(resolve=lambda *_, found=found: found)
            hooks = Webhooks(addresses=addresses, network=network)
            for url in (f"https://{shown(address)}/", "https://hooks.example/"):
                with pytest.raises(DeliveryRefused):
                    hooks.send(url, SECRET, "msg_1", BODY, now=datetime.now(UTC))
                with pytest.raises(DeliveryRefused):
                    hooks.resolve(url)
            assert network.addresses == []
        assert site.connections == 0


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_an_odd_spelling_is_refused_by_its_form(host: str) -> None:
    with pytest.raises(DeliveryRefused):
        Webhooks().check(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",  # readable on the way
        "https://hooks.example:8443/",
        "https://user:secret@hooks.example/",
        "ftp://hooks.example/",
        "s3://bucket/key",
        "hooks.example",
        "https://",
        "https://hooks.example/a b",
        "",
    ],
)
def test_a_url_that_may_not_be_told_is_refused_before_anybody_is_asked(url: str) -> None:
    hooks = Webhooks(addresses=Addresses(resolve=lambda *_: pytest.fail("a resolver was asked")))
    with pytest.raises(DeliveryRefused):
        hooks.check(url)


def test_what_is_listed_may_lie_inside_and_go_without_tls(receiver: Receiver) -> None:
    with pytest.raises(DeliveryRefused):
        Webhooks().send(receiver.url(), SECRET, "msg_1", BODY, now=datetime.now(UTC))
    assert receiver.requests == []
    send(receiver)
    assert len(receiver.effects) == 1


def test_a_certificate_that_nobody_trusts_is_told_and_nothing_is_sent() -> None:
    with a_web_server(tls=True) as site:
        with pytest.raises(DeliveryFailed, match="not trusted"):
            Webhooks([site.place]).send(site.url("/"), SECRET, "msg_1", BODY, now=datetime.now(UTC))
        assert site.asked == []


def test_the_name_decides_the_certificate_and_the_policy_the_address() -> None:
    """The certificate is for audio.example, which leads to this machine here."""
    context = ssl.create_default_context(cafile=str(TLS / "certificate.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        got: list[bytes] = []

        def serve() -> None:
            secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            secured.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
            with secured.wrap_socket(listener.accept()[0], server_side=True) as connection:
                received = b""
                while not received.endswith(BODY.encode()):
                    received += connection.recv(65536)
                got.append(received)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        place = f"audio.example:{port}"
        addresses = Addresses([place], resolve=lambda *_: ["127.0.0.1"])
        hooks = Webhooks([place], addresses=addresses, tls=context)
        hooks.send(f"https://{place}/hook?key=1", SECRET, "msg_1", BODY, now=datetime.now(UTC))
        thread.join(5)
    head = got[0].split(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"post /hook?key=1 http/1.1")
    assert f"host: {place}".encode() in head
