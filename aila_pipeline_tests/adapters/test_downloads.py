"""Files fetched ahead of need: in order, few at a time, and none left over."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from aila_pipeline.adapters.downloads import Downloads, Wanted
from aila_pipeline.errors import SourceNotFound


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


class Hosts:
    """Hosts that give a file of its own name when they are told to; `open` gives everything at once."""

    def __init__(self, *, open: bool = True) -> None:
        self.begun: list[str] = []
        self.at_work: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.gates: dict[str, threading.Event] = {}
        self.open = open
        self.lock = threading.Lock()

    def file(self, key: str) -> Wanted:
        """`a1` lies on host `a`."""
        self.gates[key] = threading.Event()
        return Wanted(key, key[0], lambda stopped: self._blocks(key, stopped))

    def _blocks(self, key: str, stopped: threading.Event) -> Generator[bytes, None, None]:
        with self.lock:
            self.begun.append(key)
            for name in (key[0], "all"):
                self.at_work[name] += 1
                self.most[name] = max(self.most[name], self.at_work[name])
        try:
            yield key[:1].encode()
            while not self.open and not stopped.is_set() and not self.gates[key].wait(0.02):
                pass
            yield key[1:].encode()
        finally:
            with self.lock:
                self.at_work[key[0]] -= 1
                self.at_work["all"] -= 1


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 5
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.005)


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_each_file_is_whole_when_it_is_taken_and_gone_afterwards(directory: Path) -> None:
    hosts, keys = Hosts(), [f"{host}{i}" for i in range(5) for host in "ab"]
    with Downloads(ahead=3, per_host=2) as downloads:
        downloads.begin([hosts.file(key) for key in keys])
        for key in keys:
            with downloads.taken(key) as path:
                assert path.read_bytes() == key.encode()
                assert len(files(directory)) <= 3
            assert not path.exists()
    assert hosts.most["all"] <= 3
    assert list(directory.iterdir()) == []


def test_the_first_ones_begin_first_and_a_busy_host_holds_up_no_other() -> None:
    hosts = Hosts(open=False)
    with Downloads(ahead=4, per_host=2) as downloads:
        downloads.begin([hosts.file(key) for key in ("a1", "a2", "a3", "a4", "b1", "c1", "c2")])
        until(lambda: len(hosts.begun) == 4)
        assert set(hosts.begun) == {"a1", "a2", "b1", "c1"}
        hosts.gates["a1"].set()
        time.sleep(0.1)
        assert len(hosts.begun) == 4  # a finished file holds its place until it was used
        with downloads.taken("a1"):
            pass
        until(lambda: len(hosts.begun) == 5)
        assert hosts.begun[-1] == "a3"


def test_a_failure_belongs_to_its_file_alone(directory: Path) -> None:
    def failing(_stopped: threading.Event) -> Generator[bytes, None, None]:
        yield b"a"
        raise SourceNotFound

    hosts = Hosts()
    with Downloads(ahead=2, per_host=2) as downloads:
        downloads.begin([hosts.file("a1"), Wanted("bad", "a", failing), hosts.file("a2")])
        with downloads.taken("a1"):
            pass
        with pytest.raises(SourceNotFound), downloads.taken("bad"):
            raise AssertionError("there is no file")
        with downloads.taken("a2") as path:
            assert path.read_bytes() == b"a2"


def test_what_was_passed_over_is_stopped_and_gives_its_place_away(directory: Path) -> None:
    hosts = Hosts(open=False)
    with Downloads(ahead=2, per_host=1) as downloads:
        downloads.begin([hosts.file(key) for key in ("a1", "b1", "a2", "c1")])
        until(lambda: len(hosts.begun) == 2)
        hosts.gates["c1"].set()
        with downloads.taken("c1"):
            until(lambda: hosts.at_work["all"] == 0)
            assert [path.read_bytes() for path in files(directory)] == [b"c1"]
    assert "a2" not in hosts.begun


def test_at_the_end_everything_is_stopped_and_removed_whatever_happened(directory: Path) -> None:
    hosts = Hosts(open=False)

    def interrupted() -> None:
        with Downloads(ahead=3, per_host=3) as downloads:
            downloads.begin([hosts.file(f"a{i}") for i in range(9)])
            until(lambda: len(files(directory)) == 3)
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - began < 2
    assert list(directory.iterdir()) == []
    assert hosts.at_work["all"] == 0
    assert len(hosts.begun) == 3


def test_a_thread_that_does_not_listen_is_not_waited_for(directory: Path) -> None:
    deaf = threading.Event()

    def blocks(_stopped: threading.Event) -> Generator[bytes, None, None]:
        yield b"a"
        deaf.wait(20)
        yield b"b"

    began = time.monotonic()
    with Downloads(ahead=1, per_host=1) as downloads:
        downloads.begin([Wanted("a", "a", blocks)])
        until(lambda: bool(files(directory)))
    assert time.monotonic() - began < 4
    assert list(directory.iterdir()) == []
    deaf.set()


def test_progress_is_told_while_bytes_come_and_not_while_none_come() -> None:
    told: list[float] = []
    more = threading.Event()

    def blocks(_stopped: threading.Event) -> Generator[bytes, None, None]:
        for _ in range(25):
            yield b"a"
            time.sleep(0.1)
        more.wait(2.5)

    with Downloads(ahead=1, per_host=1, on_progress=lambda: told.append(time.monotonic())) as downloads:
        downloads.begin([Wanted("a", "a", blocks)])
        began = time.monotonic()
        with downloads.taken("a"):
            pass
    assert 2 <= len(told) <= 4
    assert told[-1] - began < 3.6


def test_a_taker_in_order_never_waits_for_what_does_not_come() -> None:
    """Many shapes of hosts, with calls left out by chance: each taken file comes, limits hold."""
    chance = random.Random(7)
    for _ in range(40):
        hosts, ahead, per_host = Hosts(), chance.randint(1, 4), chance.randint(1, 3)
        keys = [f"{chance.choice('abc')}{i}" for i in range(chance.randint(1, 14))]
        with Downloads(ahead=ahead, per_host=per_host) as downloads:
            downloads.begin([hosts.file(key) for key in keys])
            for key in keys:
                if chance.random() < 0.7:
                    with downloads.taken(key) as path:
                        assert path.read_bytes() == key.encode()
        assert len(hosts.begun) == len(set(hosts.begun))


def test_two_begins_are_one_order() -> None:
    hosts = Hosts()

    def keys() -> Iterator[str]:
        yield from ("a1", "a2", "b1")

    with Downloads(ahead=2, per_host=1) as downloads:
        for key in keys():
            downloads.begin([hosts.file(key)])
        for key in keys():
            with downloads.taken(key) as path:
                assert path.read_bytes() == key.encode()
