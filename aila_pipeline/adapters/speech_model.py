"""Speech model: the directory with a Whisper model that `AILA_WHISPER_MODEL` means, and what is known about it.

Lives here: finding or downloading the model, its card (`aila.json`: options that belong to the model), its
fingerprint. Does not: loading it into memory or using it (speech.py).
"""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from aila_pipeline.domain.models import Frozen
from aila_pipeline.errors import ModelUnavailable, SettingInvalid

DEMO = "demo"
CARD = "aila.json"

_DEMO_DIRECTORY = Path(__file__).parents[1] / "demo" / "model"
_TOLD_EVERY_SECONDS = 5.0


class VoiceActivity(Frozen):
    """Options of faster-whisper's `VadOptions`, with the meaning and default they have there."""

    threshold: float | None = None
    neg_threshold: float | None = None
    min_speech_duration_ms: int | None = None
    max_speech_duration_s: float | None = None
    min_silence_duration_ms: int | None = None
    speech_pad_ms: int | None = None


class Decoding(Frozen):
    """Options of `WhisperModel.transcribe` that a model may bring with it, each with its meaning and default there.

    What the engine decides itself (language, word times, voice activity, clips) is not among them.
    """

    beam_size: int | None = Field(None, ge=1)
    best_of: int | None = Field(None, ge=1)
    patience: float | None = None
    length_penalty: float | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    temperature: float | tuple[float, ...] | None = None
    compression_ratio_threshold: float | None = None
    log_prob_threshold: float | None = None
    no_speech_threshold: float | None = None
    condition_on_previous_text: bool | None = None
    prompt_reset_on_temperature: float | None = None
    initial_prompt: str | None = None
    hotwords: str | None = None
    suppress_blank: bool | None = None
    suppress_tokens: tuple[int, ...] | None = None
    max_initial_timestamp: float | None = None
    max_new_tokens: int | None = None
    chunk_length: int | None = None
    hallucination_silence_threshold: float | None = None
    language_detection_threshold: float | None = None
    language_detection_segments: int | None = Field(None, ge=1)
    vad_parameters: VoiceActivity | None = None


class ModelCard(Frozen):
    """What a model says about itself in `aila.json`: its name, its only language, the options it hears best with."""

    name: str | None = None
    language: str | None = None
    transcribe: Decoding = Decoding()

    @property
    def options(self) -> dict[str, Any]:
        """The options that the card sets, as `transcribe` takes them."""
        return {name: _listed(value) for name, value in self.transcribe.model_dump(exclude_unset=True).items()}


def find_model(name: str, *, on_download: Callable[[str], None]) -> Path:
    """The directory of the model that this setting means, complete.

    `name` is `demo`, a directory, or a size that faster-whisper knows; a size is downloaded into the Hugging Face
    cache when it is not there yet, and `on_download` is told so, line by line.

    Raises:
        ModelUnavailable: no such directory, files missing in it, or the download fails.
        SettingInvalid: neither a directory nor a known size.
    """
    if name == DEMO:
        return _complete(_DEMO_DIRECTORY)
    if Path(name).is_dir():
        return _complete(Path(name))
    if "/" in name or "\\" in name:
        raise ModelUnavailable(f"AILA_WHISPER_MODEL={name}: there is no such directory")
    return _downloaded(name, on_download)


def name_of(name: str) -> str:
    """What to call the model: its card's name, else the directory's or the size. Downloads nothing."""
    directory = _DEMO_DIRECTORY if name == DEMO else Path(name)
    return read_card(directory).name or directory.absolute().name if directory.is_dir() else name


def read_card(directory: Path) -> ModelCard:
    """The model's card; an empty one when it has none.

    Raises:
        SettingInvalid: the card is no JSON, or sets something that does not exist.
    """
    path = directory / CARD
    if not path.is_file():
        return ModelCard()
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise SettingInvalid(f"{path}: {place}: {problem['msg']}".replace(": : ", ": ")) from None


def fingerprint(directory: Path) -> str:
    """SHA-256 over the files that decide what the model hears (its card apart); hashed again only if they changed."""
    files = sorted(path for pattern in _PARTS for path in directory.glob(pattern))
    return _fingerprint(tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files))


_PARTS = ("model.bin", "config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.*")
_NEEDED = ("model.bin", "config.json", "tokenizer.json", "vocabulary.*")
"""Without its tokenizer in the directory, faster-whisper would ask the model hub for one."""


@functools.lru_cache(maxsize=8)
def _fingerprint(files: tuple[tuple[Path, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as file:
            whole.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _complete(directory: Path) -> Path:
    missing = _missing(directory)
    if missing:
        raise ModelUnavailable(f"AILA_WHISPER_MODEL: {directory} has no {' and no '.join(missing)}")
    return directory


def _missing(directory: Path) -> list[str]:
    return [pattern for pattern in _NEEDED if not any(directory.glob(pattern))]


def _downloaded(size: str, on_download: Callable[[str], None]) -> Path:
    """The size's directory in the cache, fetched on first use."""
    import faster_whisper  # noqa: PLC0415 - slow to import, and not needed for a model in a directory
    from huggingface_hub.constants import HF_HUB_CACHE  # noqa: PLC0415 - as above
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415 - as above

    if size not in faster_whisper.available_models():
        known = ", ".join(faster_whisper.available_models())
        raise SettingInvalid(f"AILA_WHISPER_MODEL={size} is neither a directory nor one of: demo, {known}")
    try:
        cached = Path(faster_whisper.download_model(size, local_files_only=True))
    except LocalEntryNotFoundError:
        cached = None
    if cached is not None and not _missing(cached):
        return cached
    try:
        with _progress(size, Path(HF_HUB_CACHE), on_download):
            return _complete(Path(faster_whisper.download_model(size)))
    except ModelUnavailable:
        raise
    except Exception as error:  # the hub's client passes on whatever its HTTP library raises
        raise ModelUnavailable(
            f"AILA_WHISPER_MODEL={size} is not on this machine and could not be downloaded "
            f'({type(error).__name__}); where there is a network, run `python -c "import faster_whisper; '
            f"faster_whisper.download_model('{size}', output_dir='{size}')\"`, bring that directory here and set "
            "AILA_WHISPER_MODEL to its path"
        ) from error


@contextmanager
def _progress(size: str, cache: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Tells about the download while it lasts, by what has grown in the cache (faster-whisper shows nothing itself)."""
    begun, before, done = time.monotonic(), _cached_bytes(cache), threading.Event()

    def watch() -> None:
        while not done.wait(_TOLD_EVERY_SECONDS):
            tell(f"speech model {size}: {(_cached_bytes(cache) - before) / 1e6:.0f} MB so far")

    tell(f"speech model {size}: downloading into {cache}, once")
    watcher = threading.Thread(target=watch, name="model-download", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    grown, seconds = _cached_bytes(cache) - before, time.monotonic() - begun
    tell(f"speech model {size}: downloaded, {grown / 1e6:.0f} MB in {seconds:.0f} s")


def _cached_bytes(cache: Path) -> int:
    total = 0
    for blob in cache.glob("models--*whisper*/blobs/*"):
        try:
            total += blob.stat().st_size
        except FileNotFoundError:  # renamed between listing and looking, because it is complete now
            continue
    return total


def _listed(value: object) -> object:
    """faster-whisper wants lists where the card, being immutable, has tuples."""
    return list(value) if isinstance(value, tuple) else value
