"""Nothing inside the network is ever reached, however a URL, a redirect or a resolver puts it.

Each test that refuses also counts the connections that a listener on this machine got: there are none.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.adapters.fetch import Fetcher
from aila_pipeline.adapters.fetch_addresses import Addresses, is_public
from aila_pipeline.domain.intake.sources import WebUrl
from aila_pipeline.errors import SourceNotAllowed, SourceUnavailable
from aila_pipeline_tests.adapters.web_server import WebServer, a_web_server, file, redirect

PUBLIC = "93.184.215.14"

INSIDE = [
    # IPv4: this network, private, shared, loopback, link-local, documentation, benchmarks, multicast, reserved
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.0.1"),
    *("169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "192.168.255.255"),
    *("192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.7"),
    *("203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    # metadata of clouds
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"),
    # IPv6: unspecified, loopback, mapped, compatible, translated
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14", "::127.0.0.1", "::93.184.215.14"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1:ffff::10.0.0.1", "::ffff:0:127.0.0.1"),
    # tunnels: 6to4, Teredo; ORCHID, benchmarks, documentation, discard, unique local, link-local, site-local
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:5db8:d70e::1", "2001::1", "2001:0:4136:e378::1", "2001:10::1"),
    *("2001:20::1", "2001:2::1", "2001:db8::1", "3fff::1", "3ffe::1", "100::1", "fc00::1", "fdff::1", "fe80::1"),
    *("fec0::1", "feff::1", "ff02::1", "ff0e::1", "5f00::1", "4000::1", "2620:4f:8000::1"),
]

ODD_SPELLINGS = [
    *("2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "0"),
    *(
        "127.0.0.01",
        "0000127.0.0.1",
        "127.0.0.1.",
        "localhost.",
        "１２７.0.0.1.",
        "127。1",
        "[::1%25lo]",
        "[fe80::1%lo]",
    ),
    *("user@127.0.0.1", "user:pass@127.0.0.1", "93.184.215.14@127.0.0.1", "127.0.0.1\\@93.184.215.14", "[127.0.0.1]"),
    *("127.0.0.1%00.example.org", "127.0.0.1 .example.org", "%31%32%37.0.0.1", "[::ffff:127.0.0.1", "::1"),
]


@pytest.fixture
def site() -> Iterator[WebServer]:
    with a_web_server() as server:
        server.pages["/"] = file(b"secret")
        yield server


class Recording(httpcore.SyncBackend):
    """The system's sockets, and a note of where they were to lead; public addresses lead to this machine."""

    def __init__(self, port: int | None = None) -> None:
        self.port, self.addresses = port, list[str]()

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        self.addresses.append(host)
        return super().connect_tcp("127.0.0.1" if self.port else host, self.port or port, *args, **kwargs)


def refused(site: WebServer, url: str, **options: Any) -> None:
    """The URL is refused, and neither a connection was tried nor one arrived."""
    network = Recording()
    policy = Addresses(ports={site.port}, **options)
    fetcher = Fetcher(policy, network=network, tries=1)
    with pytest.raises(SourceNotAllowed) as caught:
        list(fetcher.blocks(url, max_bytes=100))
    assert type(fetcher.probe(url, seconds=5)) is SourceNotAllowed
    assert (network.addresses, site.connections) == ([], 0)
    assert "127" not in caught.value.detail


def shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def test_there_are_enough_of_them() -> None:
    assert len({*INSIDE, *ODD_SPELLINGS}) >= 60


def test_the_listener_hears_what_is_allowed(site: WebServer) -> None:
    """Without this, the other tests of this file would prove nothing."""
    for url in (site.url("/"), f"http://localhost:{site.port}/"):
        fetcher = Fetcher(Addresses([site.place, f"localhost:{site.port}"]), tries=1)
        assert b"".join(fetcher.blocks(url, max_bytes=100)) == b"secret"
    assert site.connections == 2


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused_as_it_is_and_as_a_names_address(site: WebServer, address: str) -> None:
    refused(site, f"http://{shown(address)}:{site.port}/")
    refused(site, f"http://host.example:{site.port}/", resolve=lambda *_: [address])
    refused(site, f"https://host.example:{site.port}/", resolve=lambda *_: [PUBLIC, address])
    refused(site, f"http://host.example:{site.port}/", resolve=lambda *_: [address, PUBLIC])


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_an_odd_spelling_is_refused_by_its_form(site: WebServer, host: str) -> None:
    refused(site, f"http://{host}:{site.port}/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.1", "0", "localhost"])
def test_what_the_systems_resolver_makes_of_a_host_is_judged_too(site: WebServer, host: str) -> None:
    """Were the form less strict, the address would still be refused."""
    with pytest.raises(SourceNotAllowed):
        Addresses(ports={site.port}).of(WebUrl("http", host, site.port, "/"))


def test_a_name_of_this_machine_is_refused(site: WebServer) -> None:
    refused(site, f"http://localhost:{site.port}/")
    refused(site, f"http://LOCALHOST:{site.port}/")


@pytest.mark.parametrize("answer", ["fe80::1%lo", "93.184.215.14%lo", "nonsense", "", "127.1"])
def test_what_a_resolver_should_not_say_is_refused(site: WebServer, answer: str) -> None:
    refused(site, f"http://host.example:{site.port}/", resolve=lambda *_: [answer])


@pytest.mark.parametrize("port", [1, 22, 25, 6379, 8080, 8443, 9000, 65535])
def test_other_ports_than_those_of_the_web_are_refused_unless_listed(site: WebServer, port: int) -> None:
    refused(site, f"http://{PUBLIC}:{port}/")
    assert Addresses([f"{PUBLIC}:{port}"]).of(WebUrl("http", PUBLIC, port, "/")) == [PUBLIC]
    for usual in (80, 443):
        Addresses().check(WebUrl("http", PUBLIC, usual, "/"))


def test_what_is_listed_is_that_host_and_port_alone(site: WebServer) -> None:
    """Neither another port of the host, nor another name of its address."""
    listed = [" 127.0.0.1:1 ", "Storage.Internal:9000", "[::1]:9000"]
    policy = Addresses(listed, resolve=lambda *_: ["10.0.0.9"])
    assert policy.of(WebUrl("http", "storage.internal", 9000, "/")) == ["10.0.0.9"]
    assert policy.of(WebUrl("http", "::1", 9000, "/")) == ["10.0.0.9"]
    refused(site, site.url("/"), allow=listed)
    for host, port in (("storage.internal", 80), ("internal", 9000), ("a.storage.internal", 9000)):
        with pytest.raises(SourceNotAllowed):
            policy.of(WebUrl("http", host, port, "/"))


class Rebinding:
    """A name that is public when it is looked at, and inside when it is connected to."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    def __call__(self, _host: str, _port: int) -> Sequence[str]:
        return self.answers.pop(0)


def test_a_name_is_resolved_once_and_the_judged_address_is_connected_to(site: WebServer) -> None:
    rebinding, network = Rebinding([PUBLIC], ["127.0.0.1"]), Recording(site.port)
    fetcher = Fetcher(Addresses(resolve=rebinding), network=network, tries=1)
    assert b"".join(fetcher.blocks("http://host.example/", max_bytes=100)) == b"secret"
    assert (network.addresses, rebinding.answers) == ([PUBLIC], [["127.0.0.1"]])
    with pytest.raises(SourceNotAllowed):
        list(fetcher.blocks("http://host.example/", max_bytes=100))
    assert (network.addresses, site.connections) == ([PUBLIC], 1)


def test_each_try_and_each_hop_is_judged_anew(site: WebServer) -> None:
    rebinding, network = Rebinding([PUBLIC], ["10.0.0.1"]), Recording(site.port)
    site.pages["/hop"] = redirect("http://host.example/")
    fetcher = Fetcher(Addresses(resolve=rebinding), network=network)
    with pytest.raises(SourceNotAllowed):
        list(fetcher.blocks("http://host.example/hop", max_bytes=100))
    assert (network.addresses, rebinding.answers) == ([PUBLIC], [])


@pytest.mark.parametrize("hops", [1, 3, 5])
@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "x@127.1",
    ],
)
def test_a_chain_of_redirects_does_not_lead_inside(site: WebServer, hops: int, target: str) -> None:
    with a_web_server() as inside:
        for hop in range(1, hops):
            site.pages[f"/{hop}"] = redirect(f"/{hop + 1}")
        site.pages[f"/{hops}"] = redirect(f"http://{target}:{inside.port}/")
        fetcher = Fetcher(Addresses([site.place], ports={inside.port}), tries=1)
        with pytest.raises(SourceNotAllowed):
            list(fetcher.blocks(site.url("/1"), max_bytes=100))
        assert (len(site.asked), inside.connections) == (hops, 0)


def test_a_name_without_an_address_is_unavailable() -> None:
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    def nothing(*_: object) -> list[str]:
        return []

    for resolve in (unknown, nothing):
        fetcher = Fetcher(Addresses(resolve=resolve), tries=1)
        with pytest.raises(SourceUnavailable):
            next(fetcher.blocks("http://host.example/", max_bytes=1))
        assert fetcher.probe("http://host.example/", seconds=1) is None


OUTSIDE = [
    *("8.8.8.8", PUBLIC, "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "198.20.0.1"),
    *("2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "2400:cb00::1", "2001:200::1", "2620:4f:8001::1"),
]


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_public_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_the_policy_is_never_laxer_than_pythons_own(address: Any) -> None:
    if is_public(address):
        assert address.is_global
        kinds = ("private", "multicast", "reserved", "loopback", "link_local", "unspecified", "site_local")
        assert [kind for kind in kinds if getattr(address, f"is_{kind}", False)] == []
        assert [kind for kind in ("ipv4_mapped", "sixtofour", "teredo") if getattr(address, kind, None)] == []
