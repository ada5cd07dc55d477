"""Which directory a setting means, what its card may say, and what is said when there is no model."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aila_pipeline.adapters.speech_model import Decoding, VoiceActivity, find_model, fingerprint, name_of, read_card
from aila_pipeline.errors import ModelUnavailable, SettingInvalid

DEMO = find_model("demo", on_download=print)


def a_model(folder: Path, card: str | None = None) -> Path:
    """A copy of the demo model, with this card instead of its own."""
    shutil.copytree(DEMO, folder)
    (folder / "aila.json").unlink()
    if card is not None:
        (folder / "aila.json").write_text(card)
    return folder


def test_demo_is_the_model_that_ships_with_its_options() -> None:
    assert name_of("demo") == "demo"
    assert read_card(DEMO).language == "en"
    assert read_card(DEMO).options["condition_on_previous_text"] is False


def test_a_directory_is_taken_as_it_is_and_named_after_itself(tmp_path: Path) -> None:
    model = a_model(tmp_path / "our-small")
    assert find_model(str(model), on_download=print) == model
    assert name_of(str(model)) == "our-small"
    assert read_card(model).options == {}


@pytest.mark.parametrize("part", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_a_directory_that_lacks_a_part_is_told_with_the_setting_and_the_part(part: str, tmp_path: Path) -> None:
    model = a_model(tmp_path / "model")
    (model / part).unlink()
    with pytest.raises(ModelUnavailable) as caught:
        find_model(str(model), on_download=print)
    message = str(caught.value)
    assert "AILA_WHISPER_MODEL" in message
    assert str(model) in message
    assert Path(part).stem in message
    assert "\n" not in message


def test_a_directory_that_is_not_there_and_an_unknown_size_are_told_apart() -> None:
    with pytest.raises(ModelUnavailable, match="/no/such/model: there is no such directory"):
        find_model("/no/such/model", on_download=print)
    with pytest.raises(SettingInvalid, match=r"AILA_WHISPER_MODEL=smal .*demo, .*small"):
        find_model("smal", on_download=print)


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        ('{"transcribe": {"beam_sise": 3}}', "beam_sise"),
        ('{"transcribe": {"beam_size": "wide"}}', "beam_size"),
        ('{"transcribe": {"vad_parameters": {"treshold": 0.3}}}', "treshold"),
        ('{"transcribe": {"language": "en"}}', "language"),
        ('{"nmae": "x"}', "nmae"),
        ("{", "JSON"),
    ],
)
def test_a_card_with_a_mistake_names_file_and_field(card: str, complaint: str, tmp_path: Path) -> None:
    model = a_model(tmp_path / "model", card)
    with pytest.raises(SettingInvalid) as caught:
        read_card(model)
    assert str(model / "aila.json") in str(caught.value)
    assert complaint in str(caught.value)


def test_options_reach_faster_whisper_as_it_takes_them(tmp_path: Path) -> None:
    card = {
        "transcribe": {"temperature": [0.0, 0.4], "vad_parameters": {"threshold": 0.3}, "no_speech_threshold": None}
    }
    assert read_card(a_model(tmp_path / "model", json.dumps(card))).options == card["transcribe"]


def test_every_option_of_a_card_exists_in_faster_whisper() -> None:
    """Holds the card's list against the library's signature, which may change with a new version."""
    from faster_whisper import WhisperModel  # noqa: PLC0415 - slow, for this test alone
    from faster_whisper.vad import VadOptions  # noqa: PLC0415 - as above

    assert Decoding.model_fields.keys() <= inspect.signature(WhisperModel.transcribe).parameters.keys()
    assert set(VoiceActivity.model_fields) == {field.name for field in fields(VadOptions)}


def test_the_fingerprint_follows_the_model_and_not_its_place_or_card(tmp_path: Path) -> None:
    model = a_model(tmp_path / "model", '{"name": "another"}')
    assert fingerprint(model) == fingerprint(DEMO)
    with (model / "model.bin").open("ab") as file:
        file.write(b"\0")
    changed = fingerprint(model)
    assert changed != fingerprint(DEMO)
    (model / "tokenizer.json").write_text("{}")
    assert fingerprint(model) not in {changed, fingerprint(DEMO)}


FIND = """
import sys
from aila_pipeline.adapters.speech_model import find_model
from aila_pipeline.errors import ModelUnavailable
try:
    print("found", find_model("tiny", on_download=lambda line: print("told", line)))
except ModelUnavailable as error:
    print("refused", error)
"""


def find_tiny(cache: Path, endpoint: str, **more: str) -> list[str]:
    """What finding the size `tiny` prints in a fresh process whose model hub is at `endpoint`."""
    environment = {**os.environ, "HF_HOME": str(cache), "HF_ENDPOINT": endpoint, "NO_PROXY": "*", **more}
    ended = subprocess.run(
        [sys.executable, "-c", FIND], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return ended.stdout.splitlines()


@pytest.mark.parametrize("more", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_offline_one_line_names_the_setting_and_the_way_out(more: dict[str, str], tmp_path: Path) -> None:
    """Port 9 (discard) refuses the connection, as a machine without a network does."""
    *_, refused = find_tiny(tmp_path, "http://127.0.0.1:9", **more)
    assert refused.startswith("refused the speech model cannot be loaded: AILA_WHISPER_MODEL=tiny")
    assert "faster_whisper.download_model('tiny'" in refused


class _Hub(BaseHTTPRequestHandler):
    """As much of the Hugging Face hub's HTTP interface as a download takes, with the demo model as tiny."""

    commit = "0123456789abcdef0123456789abcdef01234567"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        names = sorted(part.name for part in DEMO.iterdir())
        if "/resolve/" in path:
            name = path.rpartition("/")[2]
            body, etag = (DEMO / name).read_bytes(), f'"{name}"'
        elif "/tree/" in path:
            tree = [{"type": "file", "path": n, "size": (DEMO / n).stat().st_size, "oid": n} for n in names]
            body, etag = json.dumps(tree).encode(), ""
        else:
            info = {
                "id": "Systran/faster-whisper-tiny",
                "sha": self.commit,
                "siblings": [{"rfilename": n} for n in names],
            }
            body, etag = json.dumps(info).encode(), ""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("ETag", etag)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@contextmanager
def a_hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
def test_a_size_is_downloaded_once_with_progress_told(tmp_path: Path) -> None:
    """The second time it is found without a network."""
    with a_hub() as endpoint:
        first, *_, last, found = find_tiny(tmp_path, endpoint, HF_HUB_DISABLE_XET="1")
    assert first.startswith("told speech model tiny: downloading into")
    assert last.startswith("told speech model tiny: downloaded, 5 MB in")
    assert fingerprint(Path(found.removeprefix("found "))) == fingerprint(DEMO)
    assert find_tiny(tmp_path, "http://127.0.0.1:9") == [found]
