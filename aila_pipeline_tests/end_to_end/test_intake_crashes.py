"""Intake that dies: whatever call to store or ledger is its last, taking in again gives one batch and every file once.

The store and the ledger's batches are real; a proxy in front of them raises at the n-th call, before or after it has
done its work, for every n that there is. What follows is what the sensors do: another tick, another run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.drop_zone import DropZone
from aila_pipeline.adapters.intake import Intake
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.views import BatchView
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.settings import Settings
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import zipped

WATCHED = ("stat", "read", "reader", "read_range", "write", "copy", "delete", "owner", "accept", "refuse", "withdraw")


class Killed(BaseException):
    """Like the process's end: no handler of the program may catch it."""


class Fuse:
    """Lets `left` more watched calls through and then ends the process; `after`: once the last one has had effect."""

    def __init__(self, left: int, *, after: bool) -> None:
        self.left, self.after = left, after

    def through(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The call, or death."""
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        result = call(*arguments, **named)
        if self.left < 0:
            raise Killed
        return result


class Fragile:
    """Stands for a store or a room of the ledger; its watched methods go through the fuse."""

    def __init__(self, real: object, fuse: Fuse) -> None:
        self._real, self._fuse = real, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in WATCHED:
            return found
        return lambda *arguments, **named: self._fuse.through(found, *arguments, **named)


class FragileLedger:
    """A ledger whose `batches` go through the fuse."""

    def __init__(self, real: Ledger, fuse: Fuse) -> None:
        self.batches = Fragile(real.batches, fuse)


class Home:
    """A store and a ledger, with the ticks of a drop zone and the runs they ask for."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder, settle_seconds=0.0)
        self.ledger = Ledger(self.settings.ledger_url)
        self.ledger.migrate()
        self.store: ObjectStore = open_store(self.settings.store_url)

    def tick(self) -> list[str]:
        """What the sensor does; returns the batches to take in."""
        now = datetime.now(UTC)
        zone, intake = DropZone(self.store, self.settings), Intake(self.ledger, self.store, self.settings)
        for arrival in zone.arrivals(self.ledger, now):
            if arrival.batch is not None:
                intake.finish(arrival.batch, arrival.objects)
            elif arrival.drop.kind != "waiting":
                assert zone.receive(self.ledger, arrival.drop, arrival.objects, now) is not None
        return [launch.key for launch in self.ledger.batches.received(now=now, most=100)]

    def take(self, batch_id: str) -> None:
        """What the run does."""
        batch = self.ledger.batches.get(batch_id)
        assert batch is not None
        Intake(self.ledger, self.store, self.settings).take(batch)

    def dies_taking(self, batch_id: str, fuse: Fuse) -> bool:
        """The same in a process that ends when the fuse blows; tells whether it did."""
        batch = self.ledger.batches.get(batch_id)
        assert batch is not None
        ledger: Any = FragileLedger(self.ledger, fuse)
        store: Any = Fragile(self.store, fuse)
        try:
            Intake(ledger, store, self.settings).take(batch)
        except Killed:
            return True
        return False

    def settle(self) -> None:
        """Tick and run until nothing is left to do."""
        while batches := self.tick():
            for batch_id in batches:
                self.take(batch_id)
        self.tick()

    def drop(self, files: Mapping[str, bytes], folder: str) -> None:
        for name, data in files.items():
            self.store.write(f"{folder}/{name}", data)

    def kept(self, place: str) -> Counter[str]:
        """Digests of all that lies under a place, but for what the program writes itself."""
        own = ("reasons.json", "rejects.csv")
        return Counter(
            hashlib.sha256(self.store.read(info.key)).hexdigest()
            for info in self.store.list(place)
            if not info.key.endswith(own)
        )

    def named(self, name: str) -> BatchView:
        """The one batch of this name that is neither a duplicate nor withdrawn."""
        (batch,) = [batch for batch in self.ledger.views.recent(1000) if batch.name == name]
        return batch


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    yield made
    made.ledger.close()


def a_pair_of_files(mark: str) -> dict[str, bytes]:
    """One good row and one without a file; unlike any other mark's in content."""
    rows = (a_row("one.wav", operator_name=mark), a_row("none.wav"))
    return {"a.csv": a_csv(*rows), "a.zip": zipped({"one.wav": mark.encode()})}


def a_folder_with_two_csvs(mark: str) -> dict[str, bytes]:
    """Without its first file it would be a pair."""
    return {"a.csv": b"not meant", **{f"b{name[1:]}": data for name, data in a_pair_of_files(mark).items()}}


def a_spoiled_pair(mark: str) -> dict[str, bytes]:
    return a_pair_of_files(mark) | {"a.zip": mark.encode()}


def digests(files: Mapping[str, bytes]) -> Counter[str]:
    return Counter(hashlib.sha256(data).hexdigest() for data in files.values())


def each_death(after: bool, story: Callable[[str, Fuse], bool]) -> int:
    """Tell the story with a fuse of 0, 1, 2 … calls until it does not blow any more; returns how often it blew."""
    deaths = 0
    while story(f"n-{deaths}", Fuse(deaths, after=after)):
        deaths += 1
    return deaths


both_moments = pytest.mark.parametrize("after", [False, True], ids=["before the effect", "after the effect"])


@both_moments
def test_a_pair_is_taken_in_once_wherever_its_run_died(home: Home, after: bool) -> None:
    def story(name: str, fuse: Fuse) -> bool:
        files = a_pair_of_files(name)
        home.drop(files, f"inbox/kz/acme/{name}")
        (batch_id,) = home.tick()
        died = home.dies_taking(batch_id, fuse)
        home.settle()
        batch = home.named(name)
        assert (batch.id, batch.state, sum(batch.counts.values())) == (batch_id, "accepted", 2)
        assert home.kept(f"_aila/batches/{batch_id}/") == digests(files)
        assert home.kept("inbox/") == Counter()
        assert home.kept("_aila/rejected/") == Counter()
        return died

    assert each_death(after, story) >= 8


@both_moments
def test_a_duplicate_adds_nothing_wherever_its_run_died(home: Home, after: bool) -> None:
    def story(name: str, fuse: Fuse) -> bool:
        files = a_pair_of_files(name)
        home.drop(files, f"inbox/kz/acme/{name}")
        home.settle()
        home.drop(files, f"inbox/kz/acme/{name}-again")
        (batch_id,) = home.tick()
        died = home.dies_taking(batch_id, fuse)
        home.settle()
        batch = home.named(name)
        again = home.ledger.batches.get(batch_id)
        assert again is not None
        assert (again.state, again.duplicate_of) == ("duplicate", batch.id)
        assert home.kept(f"_aila/batches/{batch.id}/") == digests(files)
        assert home.kept(f"_aila/batches/{batch_id}/") == Counter()
        assert home.kept("inbox/") == Counter()
        return died

    assert each_death(after, story) >= 5


@both_moments
@pytest.mark.parametrize("files_of", [a_folder_with_two_csvs, a_spoiled_pair])
def test_a_refusal_keeps_every_file_wherever_its_run_died(
    home: Home, after: bool, files_of: Callable[[str], dict[str, bytes]]
) -> None:
    """Also where what is left of the refused files would be a submission by itself."""

    def story(name: str, fuse: Fuse) -> bool:
        files = files_of(name)
        home.drop(files, f"inbox/kz/acme/{name}")
        (batch_id,) = home.tick()
        died = home.dies_taking(batch_id, fuse)
        home.settle()
        batch = home.named(name)
        assert (batch.id, batch.state) == (batch_id, "refused")
        assert batch.problem is not None
        assert home.kept(batch.problem["folder"]) == digests(files)
        assert home.store.exists(batch.problem["folder"] + "reasons.json")
        assert home.kept("inbox/") == Counter()
        assert home.kept("_aila/batches/") == Counter()
        return died

    assert each_death(after, story) >= 6


@both_moments
def test_files_replaced_before_they_were_read_are_taken_in_as_they_are_now(home: Home, after: bool) -> None:
    """The tick saw one archive, the run finds another: the first arrival is withdrawn, the second one counts."""

    def story(name: str, fuse: Fuse) -> bool:
        folder = f"inbox/kz/acme/{name}"
        home.drop(a_pair_of_files(f"{name} as it was"), folder)
        (batch_id,) = home.tick()
        files = a_pair_of_files(name)
        home.drop(files, folder)
        died = home.dies_taking(batch_id, fuse)
        home.settle()
        batch = home.named(name)
        assert batch.id != batch_id
        assert home.kept(f"_aila/batches/{batch.id}/") == digests(files)
        assert home.kept(f"_aila/batches/{batch_id}/") == Counter()
        assert home.kept("inbox/") == Counter()
        return died

    assert each_death(after, story) >= 2


def test_half_a_pair_that_comes_anew_is_no_leftover(home: Home) -> None:
    """The same CSV again, by itself, in the folder of a pair that was taken in: it waits for an archive of its own."""
    files = a_pair_of_files("once")
    home.drop(files, "inbox/kz/acme/daily")
    home.settle()
    home.drop({"a.csv": files["a.csv"]}, "inbox/kz/acme/daily")
    home.settle()
    assert home.kept("inbox/") == digests({"a.csv": files["a.csv"]})


class Stumbling:
    """Stands for a store under rules that meet a case that nobody thought of."""

    def __init__(self, real: ObjectStore) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def reader(self, *_arguments: object, **_named: object) -> Any:
        raise ZeroDivisionError("in the row of Jane Canary")


def test_what_the_rules_stumble_over_is_refused_and_kept(home: Home) -> None:
    """Tried again it would stumble for ever and unseen. The exception's words may quote a row and are not told."""
    files = a_pair_of_files("odd")
    home.drop(files, "inbox/kz/acme/odd")
    (batch_id,) = home.tick()
    batch = home.ledger.batches.get(batch_id)
    assert batch is not None
    store: Any = Stumbling(home.store)
    Intake(home.ledger, store, home.settings).take(batch)
    problem = home.named("odd").problem
    assert problem is not None
    assert problem["code"] == "SUBMISSION_UNEXPECTED"
    assert "ZeroDivisionError at reader:" in problem["message"]
    assert "Canary" not in problem["message"]
    assert home.kept(problem["folder"]) == digests(files)
    assert home.kept("inbox/") == Counter()
