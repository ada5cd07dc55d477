"""What is true of the directory alone: odd things that lie in it, other programs that write to it, crashes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.errors import KeyInvalid, ObjectChanged, ObjectMissing, StoreUnavailable

A_DAY_AGO = time.time() - 25 * 3600


@pytest.fixture
def root(tmp_path: Path, directory_store: DirectoryStore) -> Path:
    """Where the store's files lie."""
    return tmp_path / "objects"


def listed(store: DirectoryStore) -> list[str]:
    return [found.key for found in store.list("")]


@pytest.mark.parametrize(
    "key", ["/etc/hostname", "../outside", "a/../../outside", "a//b", "./a", "a/.", "..", "x" * 256]
)
def test_a_key_that_is_no_path_below_the_root_is_refused(directory_store: DirectoryStore, key: str) -> None:
    (Path(directory_store.url.removeprefix("file://")).parent / "outside").write_bytes(b"not ours")
    for attempt in (
        lambda: directory_store.read(key),
        lambda: directory_store.stat(key),
        lambda: directory_store.delete(key),
        lambda: directory_store.write(key, b""),
    ):
        with pytest.raises(KeyInvalid):
            attempt()
    assert list(directory_store.list(key + "/")) == []
    assert directory_store.folders(key + "/") == []


def test_links_are_neither_listed_nor_followed(directory_store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    """Whoever may write to the drop zone must not read or change other files of the machine through it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(tmp_path / "nothing")
    assert listed(directory_store) == []
    assert directory_store.folders("") == []
    for key in ("folder/secret", "file", "dangling"):
        with pytest.raises(ObjectMissing):
            directory_store.read(key)
        with pytest.raises(ObjectMissing), directory_store.local_path(key):
            pass
        assert not directory_store.delete(key)
    with pytest.raises(KeyInvalid):
        directory_store.write("folder/new", b"x")
    directory_store.write("file", b"ours")
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_pipe_in_the_drop_zone_is_no_object_and_hangs_nobody(directory_store: DirectoryStore, root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert listed(directory_store) == []
    with pytest.raises(ObjectMissing):
        directory_store.read("pipe")


def test_a_file_and_a_folder_of_one_name_cannot_both_be(directory_store: DirectoryStore) -> None:
    directory_store.write("a", b"")
    directory_store.write("b/c", b"")
    with pytest.raises(KeyInvalid):
        directory_store.write("a/below", b"")
    with pytest.raises(KeyInvalid):
        directory_store.write("b", b"")
    assert listed(directory_store) == ["a", "b/c"]


def test_a_name_that_is_not_utf8_is_left_alone_and_told_of_once(
    directory_store: DirectoryStore, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file of a caller must not appear by name in a log."""
    (root / os.fsdecode(b"Ivanov-\xef\xe0.wav")).write_bytes(b"x")
    directory_store.write("good", b"")
    with caplog.at_level(logging.WARNING):
        assert listed(directory_store) == ["good"]
        assert listed(directory_store) == ["good"]
    assert len(caplog.records) == 1
    assert "Ivanov" not in caplog.text


def test_a_file_copied_in_with_its_old_time_counts_as_new(directory_store: DirectoryStore, root: Path) -> None:
    """`cp -p` of last year's recording is a change of now."""
    before = datetime.now(UTC).timestamp() - 1
    (root / "old.wav").write_bytes(b"x")
    os.utime(root / "old.wav", (1_600_000_000, 1_600_000_000))
    assert directory_store.stat("old.wav").modified.timestamp() >= before


def test_a_file_overwritten_in_place_by_another_program_is_another_object(
    directory_store: DirectoryStore, root: Path
) -> None:
    (root / "a.zip").write_bytes(b"one")
    pinned = directory_store.stat("a.zip")
    time.sleep(0.02)  # the clock of file systems ticks every 4-10 ms
    (root / "a.zip").write_bytes(b"two")
    with pytest.raises(ObjectChanged):
        directory_store.copy(pinned, "copy")


def test_changing_permissions_changes_no_object(directory_store: DirectoryStore, root: Path) -> None:
    directory_store.write("a", b"data")
    pinned = directory_store.stat("a")
    (root / "a").chmod(0o600)
    assert directory_store.read_range("a", 0, 4, pinned=pinned) == b"data"


def test_deleting_the_last_object_of_a_folder_takes_the_folders_up_to_the_first_level(
    directory_store: DirectoryStore, root: Path
) -> None:
    """So the drop zone stays clean, and `inbox` itself stays."""
    for key in ("inbox/kz/acme/jan-13/a.csv", "inbox/kz/acme/jan-13/a.zip", "inbox/kz/zeta/b.json"):
        directory_store.write(key, b"")
    directory_store.delete("inbox/kz/acme/jan-13/a.csv")
    assert (root / "inbox/kz/acme/jan-13").is_dir()
    directory_store.delete("inbox/kz/acme/jan-13/a.zip")
    assert sorted(path.name for path in (root / "inbox/kz").iterdir()) == ["zeta"]
    directory_store.delete("inbox/kz/zeta/b.json")
    assert [path.name for path in root.iterdir()] == ["inbox"]


def test_writing_and_emptying_the_same_folder_at_once_loses_nothing(directory_store: DirectoryStore) -> None:
    """The folder may vanish between being made and being used; the writer makes it again."""

    def write_and_delete(worker: int) -> None:
        for number in range(60):
            key = f"in/a/b/{worker}-{number}"
            directory_store.write(key, b"x")
            assert directory_store.read(key) == b"x"
            assert directory_store.delete(key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_and_delete, range(4)))
    assert listed(directory_store) == []


def test_a_writer_that_was_killed_leaves_nothing_to_see_and_a_day_later_nothing(
    directory_store: DirectoryStore, root: Path
) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from aila_pipeline.adapters.directory_store import DirectoryStore\n"
        "def blocks():\n"
        "    yield b'half'\n"
        "    print('half-way', flush=True)\n"
        "    time.sleep(60)\n"
        "DirectoryStore(Path(sys.argv[1])).write_stream('inbox/a.zip', blocks())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, root], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half-way\n"
        writer.send_signal(signal.SIGKILL)
    assert listed(directory_store) == []
    (left,) = (root / "inbox").iterdir()
    os.utime(left, (A_DAY_AGO, A_DAY_AGO))
    assert listed(directory_store) == []
    assert not left.exists()


def test_the_content_of_a_local_path_is_the_file_itself(directory_store: DirectoryStore, root: Path) -> None:
    directory_store.write("a/b.wav", b"x")
    with directory_store.local_path("a/b.wav") as path:
        assert path == root / "a/b.wav"


def test_a_root_that_is_gone_is_no_empty_store(directory_store: DirectoryStore, root: Path) -> None:
    """A disk that is not mounted must not look like a drop zone in which nothing waits, or results that are lost."""
    root.rmdir()
    for attempt in (
        lambda: list(directory_store.list("")),
        lambda: directory_store.folders(""),
        lambda: directory_store.exists("a"),
        lambda: directory_store.write("a", b""),
    ):
        with pytest.raises(StoreUnavailable):
            attempt()


def test_a_root_that_cannot_be_made_is_a_store_that_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        DirectoryStore(tmp_path / "file" / "objects")
