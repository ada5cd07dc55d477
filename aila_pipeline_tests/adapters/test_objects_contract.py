"""What every object store does: one suite, run on the directory and on a real S3 server (pinning has its own file)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aila_pipeline.adapters.objects import MIB, ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.errors import KeyInvalid, ObjectMissing
from aila_pipeline_tests.adapters.conftest import SMALLEST_PART, listed

MORE_THAN_ONE_PART = SMALLEST_PART + 12_345

# Names as people give them. Left out: control characters and U+FFFE/U+FFFF, which XML cannot carry (radosgw answers
# 500 to a listing whose prefix has one), and what no file can be called.
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\ufffe\uffff"), min_size=1, max_size=40
).filter(lambda name: name not in (".", ".."))
keys = st.lists(names, min_size=1, max_size=4).map("/".join)
awkward_keys = st.sampled_from(
    [
        "a b.csv",
        "a+b",
        "100%.wav",
        "%2F",
        "a%20b",
        "запись №1.mp3",
        "📞",
        "é",
        "e\u0301",
        "?x=1&y=2",
        "#1",
        "~",
        "*",
        '"q"',
    ]
)
# The store is shared between the examples of one test: each takes a corner of its own.
few_examples = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def corner() -> str:
    return secrets.token_hex(6) + "/"


def breaking_off(blocks: int) -> Iterator[bytes]:
    """A source that fails after so many MiB."""
    for _ in range(blocks):
        yield b"x" * MIB
    raise RuntimeError("the source broke off")


def test_what_was_written_is_read_back_in_every_way(store: ObjectStore) -> None:
    data = secrets.token_bytes(3 * MIB + 17)
    store.write("in/a call.wav", data, content_type="audio/wav")
    assert store.read("in/a call.wav") == data
    assert b"".join(store.stream("in/a call.wav")) == data
    assert store.reader("in/a call.wav").read_at(MIB - 5, 10) == data[MIB - 5 : MIB + 5]
    with store.local_path("in/a call.wav") as path:
        assert path.read_bytes() == data


def test_an_object_is_told_with_size_time_and_etag_alike_by_stat_and_list(store: ObjectStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)  # S3 tells whole seconds
    store.write("a", b"four")
    info = store.stat("a")
    assert (info.key, info.size_bytes) == ("a", 4)
    assert before <= info.modified <= datetime.now(UTC) + timedelta(seconds=2)
    assert info.modified.utcoffset() == timedelta(0)
    assert list(store.list("")) == [info]


def test_a_store_opened_by_its_url_holds_the_same_objects(store: ObjectStore) -> None:
    store.write("a/b", b"1")
    assert open_store(store.url).read("a/b") == b"1"


@few_examples
@given(key=keys | awkward_keys, data=st.binary(max_size=100))
def test_any_name_can_be_written_found_copied_and_deleted(store: ObjectStore, key: str, data: bytes) -> None:
    at = corner()
    store.write(at + key, data)
    info = store.stat(at + key)
    assert store.read(at + key) == data
    assert list(store.list(at)) == [info]
    assert listed(store, at + key) == [at + key]
    assert listed(store, at, after=at + key) == []
    copied = store.copy(info, at + "copies/" + key)
    assert store.read(copied.key) == data
    assert store.delete(at + key, pinned=info)
    assert listed(store, at) == [copied.key]


@few_examples
@given(wanted=st.sets(st.text("ab-./0é\U0001f4de", min_size=1, max_size=6), min_size=1, max_size=8), data=st.data())
def test_keys_are_listed_in_the_order_of_their_bytes_from_any_point(
    store: ObjectStore, wanted: set[str], data: st.DataObject
) -> None:
    """Also where folders come between files: `a-b` < `a/b` < `ab`."""
    at = corner()
    # A file cannot lie where a folder of the same name does.
    suffixed = {at + "/".join(f"{part}x" for part in key.split("/")) + ".wav" for key in wanted}
    for key in suffixed:
        store.write(key, b"")
    in_order = sorted(suffixed, key=str.encode)
    assert listed(store, at) == in_order
    after = data.draw(st.sampled_from(in_order) | st.text("ab-./0é", max_size=4).map(lambda tail: at + tail))
    expected = [key for key in in_order if key.encode() > after.encode()]
    assert listed(store, at, after=after) == expected
    assert listed(store, at, after=after, limit=2) == expected[:2]
    prefix = data.draw(st.sampled_from(in_order))[: len(at) + 2]
    assert listed(store, prefix) == [key for key in in_order if key.startswith(prefix)]


def test_a_listing_goes_on_beyond_a_thousand_keys(store: ObjectStore) -> None:
    """A thousand is what S3 tells in one answer."""
    expected = [f"many/{number:05}" for number in range(1_030)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.write(key, b""), expected))
    assert listed(store, "many/") == expected
    assert listed(store, "many/", after=expected[15], limit=1_005) == expected[16:1_021]
    assert listed(store, "many/", limit=0) == []


def test_folders_are_told_without_what_is_in_them(store: ObjectStore) -> None:
    for key in ("inbox/kz/acme/1/a.csv", "inbox/kz/zeta/b.json", "inbox/ru-x/c", "inbox/top.csv", "inboxes/d"):
        store.write(key, b"")
    assert store.folders("inbox/") == ["inbox/kz/", "inbox/ru-x/"]
    assert store.folders("inbox/kz/") == ["inbox/kz/acme/", "inbox/kz/zeta/"]
    assert store.folders("inbox/r") == ["inbox/ru-x/"]
    assert store.folders("inb") == ["inbox/", "inboxes/"]
    assert store.folders("") == ["inbox/", "inboxes/"]
    assert store.folders("none/") == []


@pytest.mark.parametrize("key", ["nothing", "a/b/nothing", "file/below", "a"])
def test_what_is_not_there_is_missing(store: ObjectStore, key: str) -> None:
    """Also below a file, and where there is only a folder."""
    store.write("file", b"")
    store.write("a/b/c", b"")
    assert not store.exists(key)
    assert not store.delete(key)
    for attempt in (store.stat, store.read, store.reader, lambda key: list(store.stream(key))):
        with pytest.raises(ObjectMissing):
            attempt(key)
    with pytest.raises(ObjectMissing):
        store.read_range(key, 0, 1)
    with pytest.raises(ObjectMissing), store.local_path(key):
        pass


@pytest.mark.parametrize("key", ["", "folder/", "nul\0", "\ud800", "x" * 1025, "é" * 513])
def test_a_key_that_no_store_can_hold_is_refused(store: ObjectStore, key: str) -> None:
    for attempt in (
        lambda: store.write(key, b""),
        lambda: store.write_stream(key, []),
        lambda: store.write_if_absent(key, b""),
    ):
        with pytest.raises(KeyInvalid):
            attempt()


@few_examples
@given(start=st.integers(0, 40), length=st.integers(0, 40))
def test_a_range_is_what_a_slice_would_be(store: ObjectStore, start: int, length: int) -> None:
    data = bytes(range(30))
    store.write("r", data)
    assert store.read_range("r", start, length) == data[start : start + length]
    assert store.read_range("r", start, length, pinned=store.stat("r")) == data[start : start + length]


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.write("empty", b"")
    info = store.stat("empty")
    assert (store.read("empty"), list(store.stream("empty")), info.size_bytes) == (b"", [], 0)
    assert store.reader("empty").read_at(0, 10) == b""
    assert store.read_range("empty", 0, 10) == b""
    assert store.copy(info, "copy").size_bytes == 0
    assert store.write_stream("streamed", []).size_bytes == 0


def test_a_stream_comes_in_blocks_of_the_size_asked_for(store: ObjectStore) -> None:
    store.write("s", b"x" * (2 * MIB + 100))
    sizes = [len(block) for block in store.stream("s", block_bytes=300_000)]
    assert max(sizes) == 300_000
    assert sum(sizes) == 2 * MIB + 100


def test_a_streamed_write_tells_what_it_wrote(store: ObjectStore) -> None:
    """Blocks of any size, more than one part of them."""
    blocks = [secrets.token_bytes(size) for size in (1, 0, MIB - 1, 2 * MIB, MORE_THAN_ONE_PART)]
    info = store.write_stream("s", iter(blocks))
    assert info == store.stat("s")
    assert store.read("s") == b"".join(blocks)


@pytest.mark.parametrize("mebibytes", [0, 1, 12])
def test_a_write_whose_source_breaks_off_leaves_all_as_it_was(store: ObjectStore, mebibytes: int) -> None:
    store.write("kept", b"old")
    for key in ("kept", "inbox/folder/new"):
        with pytest.raises(RuntimeError, match="broke off"):
            store.write_stream(key, breaking_off(mebibytes))
    assert store.read("kept") == b"old"
    assert listed(store) == ["kept"]
    assert store.folders("inbox/") == []


def test_of_eight_writers_of_an_absent_key_exactly_one_is_told_it_wrote(store: ObjectStore) -> None:
    for round_number in range(5):
        key = f"once/{round_number}"
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda writer, key=key: store.write_if_absent(key, b"%d" % writer), range(8)))
        assert told.count(True) == 1
        assert store.read(key) == b"%d" % told.index(True)
    assert not store.write_if_absent("once/0", b"late")


def test_a_listing_that_is_not_read_to_its_end_leaves_nothing_open(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "b/1"):
        store.write(key, b"")
    assert next(store.list("")).key == "a/1"
    assert store.delete("a/2")
