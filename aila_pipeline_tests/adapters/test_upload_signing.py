"""Upload tokens: what was handed out opens exactly that, for its time; anything else opens nothing."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from aila_pipeline.adapters.upload_signing import SECRET_FILE, UploadGrant, UploadSigning
from aila_pipeline.errors import SettingInvalid, UploadForbidden
from aila_pipeline.settings import Settings

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
SIGNING = UploadSigning(Settings(upload_secret=SecretStr("a secret for these tests, long enough")))
URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


def a_grant(key: str = "kz/acme/1/metadata.csv", *, content_type: str = "text/csv", seconds: int = 3600) -> UploadGrant:
    return UploadGrant(key, content_type, NOW + timedelta(seconds=seconds))


@given(keys, st.sampled_from(["text/csv", "application/zip"]), st.integers(1, 10**6))
def test_a_token_opens_what_it_was_made_for(key: str, content_type: str, seconds: int) -> None:
    grant = a_grant(key, content_type=content_type, seconds=seconds)
    token = SIGNING.token(grant)
    assert set(token) <= set(URL_SAFE)
    assert SIGNING.grant(token, NOW) == grant


def test_a_token_opens_nothing_once_its_time_is_over() -> None:
    token = SIGNING.token(a_grant(seconds=60))
    assert SIGNING.grant(token, NOW + timedelta(seconds=59))
    for late in (60, 61, 10**7):
        with pytest.raises(UploadForbidden):
            SIGNING.grant(token, NOW + timedelta(seconds=late))


@given(st.data())
def test_a_token_with_any_character_changed_added_or_left_out_opens_nothing(data: st.DataObject) -> None:
    token = SIGNING.token(a_grant("kz/acme/1/записи.csv"))
    place = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(st.text(st.sampled_from(URL_SAFE + "=+/! é\0"), max_size=2))
    length = data.draw(st.integers(0, 1))
    changed = token[:place] + new + token[place + length :]
    assume(changed != token)
    with pytest.raises(UploadForbidden):
        SIGNING.grant(changed, NOW)


@given(keys, keys, st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_signature_of_one_grant_does_not_open_another(one: str, other: str, soon: int, later: int) -> None:
    """Its key, its type and its time are each signed."""
    first, second = a_grant(one, seconds=soon), a_grant(other, content_type="application/zip", seconds=later)
    told, _, _ = SIGNING.token(first).rpartition(".")
    _, _, signature = SIGNING.token(second).rpartition(".")
    with pytest.raises(UploadForbidden):
        SIGNING.grant(f"{told}.{signature}", NOW)


@given(st.text(max_size=200))
def test_any_text_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(UploadForbidden):
        SIGNING.grant(text, NOW)


def test_another_secrets_token_opens_nothing(tmp_path: Path) -> None:
    token = UploadSigning(Settings(home=tmp_path)).token(a_grant())
    with pytest.raises(UploadForbidden):
        SIGNING.grant(token, NOW)


def test_the_secret_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    """Also in a home that is not there yet; nothing else is left beside it."""
    home = tmp_path / "home"
    token = UploadSigning(Settings(home=home)).token(a_grant())
    assert UploadSigning(Settings(home=home)).grant(token, NOW) == a_grant()
    assert stat.S_IMODE((home / SECRET_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [SECRET_FILE]


def test_many_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    def token(_: int) -> str:
        return UploadSigning(Settings(home=tmp_path)).token(a_grant())

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(token, range(64)))) == 1


_PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from aila_pipeline.adapters.upload_signing import UploadGrant, UploadSigning
from aila_pipeline.settings import Settings
sys.stdin.readline()
until = datetime(2027, 1, 1, tzinfo=UTC)
print(UploadSigning(Settings(home=Path(sys.argv[1]))).token(UploadGrant("a.csv", "text/csv", until)))
"""


@pytest.mark.slow
def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    programs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    tokens = {program.communicate(timeout=60)[0] for program in programs}
    assert [program.returncode for program in programs] == [0] * 4
    assert len(tokens) == 1


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64])
def test_a_damaged_secret_is_told_and_never_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SECRET_FILE).write_bytes(content)
    with pytest.raises(SettingInvalid, match=SECRET_FILE):
        UploadSigning(Settings(home=tmp_path)).token(a_grant())


def test_a_secret_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="AILA_UPLOAD_SECRET"):
        UploadSigning(Settings(home=tmp_path, upload_secret=SecretStr("secret"))).token(a_grant())
