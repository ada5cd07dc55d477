"""What is pinned is what is read, copied and deleted, on every object store; and no reader sees half a write."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.errors import ObjectChanged, ObjectMissing
from aila_pipeline_tests.adapters.conftest import SMALLEST_PART, listed


def test_what_is_pinned_is_read_or_nothing(store: ObjectStore) -> None:
    """An object replaced by another of the same size is noticed by every pinned way of reading."""
    store.write("p", b"old content")
    pinned = store.stat("p")
    reader = store.reader("p")
    assert store.read_range("p", 0, 3, pinned=pinned) == b"old"
    store.write("p", b"new content")
    for attempt in (
        lambda: store.read_range("p", 0, 3, pinned=pinned),
        lambda: list(store.stream("p", pinned=pinned)),
        lambda: reader.read_at(0, 3),
        lambda: store.copy(pinned, "copy"),
    ):
        with pytest.raises(ObjectChanged):
            attempt()
    assert listed(store) == ["p"]


def test_a_pinned_copy_is_of_all_its_bytes(store: ObjectStore) -> None:
    """More of them than one part."""
    data = secrets.token_bytes(SMALLEST_PART + 12_345)
    store.write("inbox/big.zip", data)
    copied = store.copy(store.stat("inbox/big.zip"), "_aila/batches/1/source/big.zip")
    assert copied == store.stat("_aila/batches/1/source/big.zip")
    assert store.read(copied.key) == data


def test_copying_what_was_deleted_leaves_nothing(store: ObjectStore) -> None:
    store.write("p", b"data")
    pinned = store.stat("p")
    store.delete("p")
    with pytest.raises(ObjectMissing):
        store.copy(pinned, "copy")
    assert listed(store) == []


def test_a_pinned_delete_leaves_what_came_instead(store: ObjectStore) -> None:
    """A pair that is dropped again while the first is taken in must not vanish with it."""
    store.write("p", b"first")
    pinned = store.stat("p")
    store.write("p", b"second")
    assert not store.delete("p", pinned=pinned)
    assert store.read("p") == b"second"
    assert store.delete("p", pinned=store.stat("p"))
    assert not store.exists("p")


def test_readers_never_see_half_a_write(store: ObjectStore) -> None:
    """While one object is overwritten again and again, every reading is one of the two wholes."""
    wholes = {b"a" * 300_000, b"b" * 200_000}
    store.write("w", min(wholes))

    def write(_: int) -> None:
        for data in wholes:
            store.write("w", data)

    with ThreadPoolExecutor(2) as pool:
        writing = pool.map(write, range(10))
        for _ in range(20):
            assert store.read("w") in wholes
        list(writing)
