"""Contract A, step 1: keys and URLs, and which names a file may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.api.uploads import FileNames
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for

NAMES = {"metadata_filename": "metadata.csv", "audios_filename": "audios.zip"}


def issued(site: Site, **changed: Any) -> dict[str, Any]:
    """The data of a good answer."""
    answer = site.acme.post("/api/v1/calls/upload", json=NAMES | changed)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def refused_fields(site: Site, body: Any) -> dict[str, str]:
    """What a 422 says about each field."""
    answer = site.acme.post("/api/v1/calls/upload", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    fields: dict[str, str] = answer.json()["error"]["details"]["fields"]
    return fields


def test_step_1_answers_as_the_contract_prints_it(site: Site) -> None:
    answer = site.acme.post("/api/v1/calls/upload", json=NAMES)
    assert answer.status_code == 200
    assert answer.json()["status"] == "success"
    data = answer.json()["data"]
    assert list(data) == ["metadata_upload_url", "metadata_key", "audio_upload_url", "audio_key", "expires_in"]
    assert data["expires_in"] == 3600
    country, firm, upload_id, name = data["metadata_key"].split("/")
    assert (country, firm, name, len(upload_id)) == ("kz", "acme", "metadata.csv", 36)
    assert data["audio_key"] == f"kz/acme/{upload_id}/audios.zip"


def test_under_the_other_prefix_it_answers_in_the_other_envelope(site: Site) -> None:
    answer = site.acme.post("/v1/calls/upload", json=NAMES)
    assert answer.json()["success"] is True
    assert answer.json()["metadata_key"].endswith("/metadata.csv")


def test_two_uploads_of_one_user_share_no_key(site: Site) -> None:
    """Gap 6: the third part is fresh for each upload."""
    assert issued(site)["metadata_key"] != issued(site)["metadata_key"]


def test_urls_begin_with_the_public_address_where_one_is_set(home: Path) -> None:
    with a_site(settings_for(home, api_url="https://api.example/aila/")) as site:
        url = issued(site)["audio_upload_url"]
    assert url.startswith("https://api.example/aila/api/v1/uploads/")


def test_urls_begin_with_the_address_that_was_asked_where_none_is_set(site: Site) -> None:
    assert issued(site)["metadata_upload_url"].startswith("http://testserver/api/v1/uploads/")


def test_without_a_key_nothing_is_issued(site: Site) -> None:
    assert site.stranger.post("/api/v1/calls/upload", json=NAMES).status_code == 401


def test_the_same_idempotency_key_gives_the_same_upload(site: Site) -> None:
    answers = [
        site.acme.post("/api/v1/calls/upload", json=NAMES, headers={"Idempotency-Key": "once"}).json() for _ in range(3)
    ]
    assert answers[0] == answers[1] == answers[2]


def test_each_missing_field_is_named(site: Site) -> None:
    assert refused_fields(site, {}) == {"metadata_filename": "Field required", "audios_filename": "Field required"}
    assert list(refused_fields(site, NAMES | {"audios_filename": None})) == ["audios_filename"]
    assert list(refused_fields(site, NAMES | {"metadata_filename": 7})) == ["metadata_filename"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"NaN", b'{"metadata_filename": "\\ud800.csv"}'])
def test_what_is_no_json_object_is_refused(site: Site, body: bytes) -> None:
    answer = site.acme.post("/api/v1/calls/upload", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_JSON")


def test_a_body_of_megabytes_is_refused(site: Site) -> None:
    assert site.acme.post("/api/v1/calls/upload", content=b" " * 100_000).status_code == 413


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("metadata.txt", "must end in .csv"),
        ("metadata.csv.exe", "must end in .csv"),
        ("", "must end in .csv"),
        (".csv", "must not begin with a full stop"),
        ("../metadata.csv", "must not begin with a full stop"),
        ("a/b.csv", "must be a plain name, without slashes and control characters"),
        ("a\\b.csv", "must be a plain name, without slashes and control characters"),
        ("a\nb.csv", "must be a plain name, without slashes and control characters"),
        ("a\0b.csv", "must be a plain name, without slashes and control characters"),
        ("a\x7fb.csv", "must be a plain name, without slashes and control characters"),
        ("a" * 197 + ".csv", "must have at most 200 characters and 255 bytes"),
        ("я" * 190 + ".csv", "must have at most 200 characters and 255 bytes"),
    ],
)
def test_a_name_that_no_store_would_keep_is_refused(site: Site, name: str, told: str) -> None:
    assert refused_fields(site, NAMES | {"metadata_filename": name}) == {"metadata_filename": told}


@pytest.mark.parametrize("name", ["Ж" * 120 + ".CSV", "a" * 196 + ".csv", "100% ours?#&+.csv", "a b'\".csv", "-.csv"])
def test_a_name_in_any_script_can_be_uploaded_to(site: Site, name: str) -> None:
    data = issued(site, metadata_filename=name)
    put = site.stranger.put(data["metadata_upload_url"], content=b"1", headers={"Content-Type": "text/csv"})
    assert put.status_code == 200
    assert site.store.read(data["metadata_key"]) == b"1"


@given(st.text(max_size=220))
def test_any_name_is_either_refused_or_one_part_of_a_key(name: str) -> None:
    try:
        names = FileNames.model_validate({"metadata_filename": name + ".csv", "audios_filename": "a.zip"})
    except ValueError:
        return
    kept = names.metadata_filename
    assert kept.count("/") == 0
    assert len(kept.encode()) <= 255
    assert not kept.startswith(".")
    assert all(ord(character) >= 32 for character in kept)
