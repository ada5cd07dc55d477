"""What lies together in the drop zone, and when it is ready."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aila_pipeline.domain.intake.drop_zone import Drop, Listed, drops_in, fingerprint
from aila_pipeline_tests.domain.intake.builders import NOW


def a_file(key: str, *, age_seconds: float = 60, size_bytes: int = 10, etag: str = "e") -> Listed:
    return Listed(key, size_bytes, etag, NOW - timedelta(seconds=age_seconds))


def drops(*files: Listed | str, prefix: str = "inbox/", excluding: tuple[str, ...] = ()) -> list[Drop]:
    listing = [a_file(file) if isinstance(file, str) else file for file in files]
    return drops_in(listing, prefix, NOW, 2.0, excluding=excluding)


def the_drop(*files: Listed | str, prefix: str = "inbox/") -> Drop:
    (drop,) = drops(*files, prefix=prefix)
    return drop


def test_one_csv_and_one_zip_in_a_folder_are_a_pair() -> None:
    drop = the_drop("inbox/kz/acme/Jan 13/metadata.csv", a_file("inbox/kz/acme/Jan 13/AUDIOS.ZIP", age_seconds=90))
    assert (drop.kind, drop.country, drop.firm, drop.name) == ("pair", "kz", "acme", "Jan 13")
    assert drop.ending_in(".csv").key == "inbox/kz/acme/Jan 13/metadata.csv"
    assert drop.ending_in(".zip").key == "inbox/kz/acme/Jan 13/AUDIOS.ZIP"
    assert drop.since == NOW - timedelta(seconds=90)
    assert drop.problem is None


def test_a_json_beside_the_folders_is_a_manifest() -> None:
    drop = the_drop("inbox/kz/acme/morning.json")
    assert (drop.kind, drop.name) == ("manifest", "morning.json")
    assert drop.ending_in(".json").key == "inbox/kz/acme/morning.json"


@pytest.mark.parametrize("half", ["metadata.csv", "audios.zip"])
def test_one_half_waits_since_it_came(half: str) -> None:
    drop = the_drop(a_file(f"inbox/kz/acme/jan/{half}", age_seconds=7200))
    assert (drop.kind, drop.since, drop.problem) == ("waiting", NOW - timedelta(hours=2), None)


@pytest.mark.parametrize(
    "newcomer",
    [
        pytest.param(a_file("inbox/kz/acme/jan/audios.zip", age_seconds=1.9), id="too new"),
        pytest.param(a_file("inbox/kz/acme/jan/audios.zip", age_seconds=-30), id="clocks differ a little"),
        pytest.param(a_file("inbox/kz/acme/jan/audios.zip.part"), id=".part"),
        pytest.param(a_file("inbox/kz/acme/jan/second.csv.crdownload"), id=".crdownload"),
        pytest.param(a_file("inbox/kz/acme/jan/upload.TMP"), id=".tmp"),
    ],
)
def test_a_drop_waits_while_a_file_of_it_may_still_be_written(newcomer: Listed) -> None:
    halves = ["metadata.csv"] if newcomer.key.endswith(".zip") else ["metadata.csv", "audios.zip"]
    drop = the_drop(newcomer, *(f"inbox/kz/acme/jan/{half}" for half in halves))
    assert drop.kind == "waiting"
    assert newcomer in drop.objects


def test_a_manifest_waits_for_its_own_part_file_alone() -> None:
    first, second = drops("inbox/kz/acme/a.json", "inbox/kz/acme/a.json.part", "inbox/kz/acme/b.json")
    assert [(first.name, first.kind), (second.name, second.kind)] == [("a.json", "waiting"), ("b.json", "manifest")]


def test_a_time_copied_from_the_future_does_not_hold_a_drop_back() -> None:
    assert the_drop(a_file("inbox/kz/acme/a.json", age_seconds=-86400)).kind == "manifest"


@pytest.mark.parametrize(
    "files",
    [
        ["jan/a.csv", "jan/b.csv", "jan/a.zip"],
        ["jan/a.csv", "jan/a.zip", "jan/b.zip"],
        ["jan/a.csv", "jan/a.zip", "jan/readme.txt"],
        ["jan/a.csv", "jan/deeper/a.zip"],
        ["jan/manifest.json"],
        ["metadata.csv"],
        ["audio.wav"],
    ],
)
def test_anything_else_in_a_firms_folder_is_refused_with_what_was_found(files: list[str]) -> None:
    drop = the_drop(*(f"inbox/kz/acme/{file}" for file in files))
    assert drop.kind == "refused"
    assert drop.problem is not None
    assert drop.problem.code == "PAIR_INCOMPLETE"
    assert drop.problem.detail
    assert drop.problem.detail in drop.problem.message
    assert len(drop.objects) == len(files)


@pytest.mark.parametrize("folder", ["KZ/acme", "kz/Acme & Co", "-kz/acme", "kz/" + "a" * 64, "kz/ақме"])
def test_names_that_cannot_be_a_country_or_a_firm_are_refused(folder: str) -> None:
    assert the_drop(f"inbox/{folder}/jan/a.csv", f"inbox/{folder}/jan/a.zip").kind == "refused"


@pytest.mark.parametrize("key", ["metadata.csv", "kz/batch.json"])
def test_files_too_high_up_are_refused_one_by_one_under_their_own_path(key: str) -> None:
    drop = the_drop(f"inbox/{key}")
    assert (drop.kind, drop.country, drop.firm, drop.name) == ("refused", "", "", key)


def test_what_systems_leave_behind_is_not_seen() -> None:
    drop = the_drop(
        "inbox/",
        "inbox/kz/acme/jan/",
        "inbox/kz/acme/jan/a.csv",
        "inbox/kz/acme/jan/a.zip",
        "inbox/kz/acme/jan/.DS_Store",
        "inbox/kz/acme/jan/Thumbs.db",
        "inbox/kz/acme/jan/.a.csv.Xy12",
        "inbox/kz/.keep",
        "inbox/kz/acme/__MACOSX/x/a.csv",
    )
    assert drop.kind == "pair"
    assert len(drop.objects) == 2


def test_our_own_objects_are_never_a_drop_and_neither_is_what_lies_elsewhere() -> None:
    files = ["_aila/batches/b/a.csv", "inbox/_aila/kz/acme/a.json", "other/kz/acme/a.json"]
    assert drops(*files) == []
    assert drops(*files[:2], prefix="") == []


def test_at_the_root_only_what_looks_like_a_drop_is_looked_at() -> None:
    """A bucket may hold other people's objects; other watched prefixes are theirs to list."""
    found = drops(
        "kz/acme/5f2c/metadata.csv",
        "kz/acme/5f2c/audios.zip",
        "kz/acme/two/a.csv",
        "kz/acme/two/b.csv",
        "kz/acme/batch.json",
        "README.md",
        "logs/2026/01/13.parquet",
        "kz/acme/deep/er/a.csv",
        "Backups/db/full/a.zip",
        "kz/acme/notes.txt",
        "inbox/kz/acme/a.json",
        "inbox/kz/acme/b.csv",
        prefix="",
        excluding=("inbox/", ""),
    )
    assert [(drop.name, drop.kind) for drop in found] == [
        ("5f2c", "pair"),
        ("batch.json", "manifest"),
        ("two", "refused"),
    ]


def test_the_oldest_drop_comes_first() -> None:
    files = [a_file(f"inbox/kz/acme/{i}.json", age_seconds=age) for i, age in enumerate([10, 30, 20])]
    assert [drop.name for drop in drops(*files)] == ["1.json", "2.json", "0.json"]


def test_the_fingerprint_changes_with_every_fact_and_not_with_the_order() -> None:
    files = [a_file("inbox/kz/acme/jan/a.csv"), a_file("inbox/kz/acme/jan/a.zip")]
    first = fingerprint(files)
    assert fingerprint(reversed(files)) == first
    changed = [
        a_file("inbox/kz/acme/jan/b.csv"),
        a_file("inbox/kz/acme/jan/a.csv", size_bytes=11),
        a_file("inbox/kz/acme/jan/a.csv", etag="f"),
        a_file("inbox/kz/acme/jan/a.csv", age_seconds=61),
    ]
    assert len({first, *(fingerprint([each, files[1]]) for each in changed)}) == 5


PARTS = st.sampled_from(["kz", "acme", "jan", "a.csv", "a.zip", "b.json", ".x", "", "Ж", "a.csv.part", "_aila", "x"])
KEYS = st.lists(PARTS, min_size=1, max_size=6).map("/".join)


@settings(deadline=None)
@given(st.lists(KEYS.map(lambda key: a_file("inbox/" + key)), max_size=12, unique_by=lambda file: file.key))
def test_no_file_is_in_two_drops_and_every_visible_one_is_in_one(files: list[Listed]) -> None:
    seen = [listed.key for drop in drops(*files) for listed in drop.objects]
    visible = [
        file.key
        for file in files
        if not file.key.startswith("inbox/_aila/") and not file.key.endswith("/") and "/." not in file.key
    ]
    assert sorted(seen) == sorted(visible)
