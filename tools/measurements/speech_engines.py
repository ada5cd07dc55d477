"""Engines to compare: each a way to put calls through one faster-whisper model, run in a process of its own.

    python -m tools.measurements.speech_engines ENGINE MODEL BEAM TOKENS FILE...

Lives here: the ways, and the figures that each prints as JSON. Does not: making calls or comparing (speech.py).

The models' weights are random, so they would write to their limit, and nothing in their text tells where they are. So
each engine gets as many tokens in all (so many for each second of voice), spread evenly over its windows, without
timestamps; word times are computed and then replaced by evenly spread ones, so that plain faster-whisper goes
from window to window as it does with a real model. Temperature 0, no thresholds, int8.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.measurements.speech_clock import Clock, peak_mb

Sound = NDArray[np.float32]
_OPTIONS: dict[str, Any] = {
    "temperature": 0.0,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
    "without_timestamps": True,
}


@dataclass(frozen=True)
class Asked:
    """What an engine is asked: how wide to search, and how many tokens to write in all."""

    beam: int
    tokens: float

    def options(self, windows: int, *, doubled: bool = False) -> dict[str, Any]:
        """Those of `transcribe`, for so many windows. `doubled` where CTranslate2 halves what it is given."""
        each = max(2, round(self.tokens / max(1, windows)))
        return _OPTIONS | {"beam_size": self.beam, "max_new_tokens": 2 * each if doubled else each}


def plain_model(directory: str) -> Any:
    """faster-whisper's model; of word times only the cost is real."""
    from faster_whisper import WhisperModel  # noqa: PLC0415 - after whatever the engine does before

    class Steady(WhisperModel):  # type: ignore[misc]
        def find_alignment(
            self, tokenizer: Any, text_tokens: Any, encoder_output: Any, num_frames: Any, **more: Any
        ) -> Any:
            found = super().find_alignment(tokenizer, text_tokens, encoder_output, num_frames, **more)
            for words in found:
                frames = num_frames if isinstance(num_frames, int) else 3000
                for place, word in enumerate(words):
                    word["start"] = frames / 100 * place / len(words)
                    word["end"] = frames / 100 * (place + 1) / len(words)
            return found

    return Steady(directory, device="cpu", compute_type="int8", cpu_threads=2)


def channels(files: list[str], *, downmix: bool = False) -> Iterator[Sound]:
    """Each channel of each file, or their mix, as faster-whisper decodes it."""
    from faster_whisper import decode_audio  # noqa: PLC0415 - as above

    for file in files:
        if downmix:
            yield decode_audio(file)
        else:
            yield from decode_audio(file, split_stereo=True)


def script(directory: str, files: list[str], asked: Asked, *, vad: bool, downmix: bool) -> dict[str, Any]:
    """`WhisperModel.transcribe`, one sound after the other."""
    model = plain_model(directory)
    sounds = list(channels(files, downmix=downmix))
    windows = sum(_sequential_windows(sound, vad=vad) for sound in sounds)
    del sounds
    options = asked.options(windows, doubled=True)
    clock = Clock()
    for sound in channels(files, downmix=downmix):
        segments, _ = model.transcribe(
            sound, language="en", vad_filter=vad, word_timestamps=True, condition_on_previous_text=False, **options
        )
        for _ in segments:
            pass
    return clock.figures(windows=windows)


def batched(directory: str, files: list[str], asked: Asked) -> dict[str, Any]:
    """`BatchedInferencePipeline` with its own defaults (batch 8), one channel after the other."""
    from faster_whisper import BatchedInferencePipeline  # noqa: PLC0415 - as above
    from faster_whisper.vad import VadOptions, collect_chunks, get_speech_timestamps  # noqa: PLC0415 - as above

    pipeline = BatchedInferencePipeline(plain_model(directory))
    rule = VadOptions(max_speech_duration_s=30, min_silence_duration_ms=160)
    windows = 0
    for sound in channels(files):
        windows += len(collect_chunks(sound, get_speech_timestamps(sound, rule), max_duration=30)[0])
    options = asked.options(windows, doubled=True)
    clock = Clock()
    for sound in channels(files):
        segments, _ = pipeline.transcribe(sound, language="en", word_timestamps=True, batch_size=8, **options)
        for _ in segments:
            pass
    return clock.figures(windows=windows)


def ours(directory: str, files: list[str], asked: Asked, *, tuned: bool = True) -> dict[str, Any]:
    """The pooled engine over all calls together."""
    from aila_pipeline.adapters import speech_loading, speech_windows  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.audio import inspect  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.speech import Recogniser, channels_to_recognise  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.speech_calls import Question  # noqa: PLC0415 - as above

    if not tuned:
        for way in ("keep_large_blocks", "use_wide_vectors"):
            speech_loading.__dict__[way] = lambda: False
    wanted = asked.options(1)

    class Measured(Recogniser):
        @property
        def _options(self) -> dict[str, Any]:
            return wanted

    recogniser = Measured(directory, device="cpu", compute_type="int8", cpu_threads=2)
    facts = [inspect(Path(file), max_seconds=5 * 3600, max_bytes=2**31) for file in files]
    recogniser._loaded()
    loaded_mb = peak_mb()
    cutting = recogniser._cutting()
    windows = sum(
        1
        for file, fact in zip(files, facts, strict=True)
        for _ in speech_windows.windows_of(Path(file), channels_to_recognise(fact), cutting, lambda: None)
    )
    wanted |= asked.options(windows) | {"hear_rest": False}
    questions = [
        Question(file, fact, lambda file=file: nullcontext(Path(file)), "en")  # type: ignore[misc]
        for file, fact in zip(files, facts, strict=True)
    ]
    clock = Clock()
    sums: dict[str, float] = {}
    first: float | None = None
    for answer in recogniser.recognise_all(questions):
        answer.recognition()
        first = first or clock.figures()["wall"]
        for name, value in answer.sums.items():
            sums[name] = sums.get(name, 0) + value
    return clock.figures(windows=windows, sums=sums, first_answer=first, loaded_mb=loaded_mb)


def phases(directory: str, files: list[str], asked: Asked) -> dict[str, Any]:
    """The pooled engine's steps one after the other: the shares of its time, and the encoder's floor.

    Each step runs as the engine runs it, in two workers of one thread: what one costs beside the other counts.
    """
    from aila_pipeline.adapters.audio import channels_blocks  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.speech_decoding import Decoder, ReadyWindow  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.speech_loading import Place, load  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.speech_method import Method, voice_rule  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.speech_size import size_of  # noqa: PLC0415 - as above
    from aila_pipeline.adapters.speech_windows import Cutting, windows_of  # noqa: PLC0415 - as above
    from aila_pipeline.domain.models import Hints  # noqa: PLC0415 - as above
    from aila_pipeline.settings import SPEECH_MEMORY_MB  # noqa: PLC0415 - as above

    whisper = load(Path(directory), Place("cpu", "int8", 1, 2))
    largest = size_of(Path(directory)).batch_for(SPEECH_MEMORY_MB * 10**6 // 2, beam_size=asked.beam)
    cutting = Cutting(voice_rule({}, 29.5), round(29.5 * 16_000), 0)
    clock = Clock()
    with clock.part("decoding and resampling"):
        for file in files:
            for _ in channels_blocks(Path(file), [0, 1]):
                pass
    with clock.part("voice activity and packing"):
        windows = [window for file in files for window in windows_of(Path(file), [0, 1], cutting, lambda: None)]
    clock.parts["voice activity and packing"] -= clock.parts["decoding and resampling"]
    method = Method.of(asked.options(len(windows)) | {"hear_rest": False})
    decoder = Decoder(whisper, method, largest=largest)
    prompt = decoder.prompt("en", Hints())

    def answered(batch: list[ReadyWindow]) -> list[Any]:
        return decoder._ask(np.concatenate([window.encoded for window in batch]), batch, 0.0)

    with ThreadPoolExecutor(2) as both:
        with clock.part("features"):
            features = list(both.map(decoder._features, windows))
        with clock.part("encoder"):
            encoded = list(both.map(lambda feature: decoder._encoded(feature[np.newaxis]), features))
        ready = [ReadyWindow(window, "en", prompt, output) for window, output in zip(windows, encoded, strict=True)]
        with clock.part("decoder"):
            batches = [ready[start : start + largest] for start in range(0, len(ready), largest)]
            answers = [answer for batch in both.map(answered, batches) for answer in batch]
        with clock.part("word times"):
            list(both.map(lambda window, answer: decoder._settle(window, window.encoded, [answer], []), ready, answers))
    return clock.figures(windows=len(windows))


def _sequential_windows(sound: Sound, *, vad: bool) -> int:
    """Windows of 30 s that `transcribe` goes through."""
    from faster_whisper.vad import get_speech_timestamps  # noqa: PLC0415 - as above

    samples = sum(span["end"] - span["start"] for span in get_speech_timestamps(sound)) if vad else len(sound)
    return -(-samples // (30 * 16_000))


def main() -> None:
    """Run one engine over the files, and print its figures."""
    engine, directory, beam, tokens, *files = sys.argv[1:]
    asked = Asked(int(beam), float(tokens))
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "downmix": lambda: script(directory, files, asked, vad=False, downmix=True),
        "channels": lambda: script(directory, files, asked, vad=False, downmix=False),
        "channels+vad": lambda: script(directory, files, asked, vad=True, downmix=False),
        "batched": lambda: batched(directory, files, asked),
        "ours": lambda: ours(directory, files, asked),
        "ours-untuned": lambda: ours(directory, files, asked, tuned=False),
        "phases": lambda: phases(directory, files, asked),
    }
    print(json.dumps(ways[engine]()))


if __name__ == "__main__":
    main()
