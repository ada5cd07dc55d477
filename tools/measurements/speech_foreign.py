"""Other recognisers to compare with: openai-whisper and whisper.cpp, each run in a process of its own.

    PYTHON -m tools.measurements.speech_foreign ENGINE MODEL WIDTH HEADS LAYERS BEAM TOKENS FILE...

Lives here: the ways, run by the Python of the directory into which they were installed (speech_installed.py). Does not:
faster-whisper (speech_engines.py). Imports nothing of this project but the clock.

Each channel goes through as it is, in windows of 30 s, and each window is given as many tokens as in the script with
faster-whisper; two threads. openai-whisper computes in float32 (it has no int8 on a CPU) with word times by
alignment; whisper.cpp in Q8_0, with its own estimate of the tokens' times, which costs it next to nothing.
"""

# mypy: disable-error-code="import-not-found,import-untyped,no-any-return"

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.measurements.speech_clock import Clock

THREADS = 2
_WINDOW = 30 * 16_000
_END_OF_TEXT = 50_257


def channels(files: list[str]) -> Iterator[NDArray[np.float32]]:
    """Each channel of each file."""
    from faster_whisper import decode_audio  # noqa: PLC0415 - installed beside the others

    for file in files:
        yield from decode_audio(file, split_stereo=True)


def windows_of(files: list[str]) -> int:
    """Windows of 30 s that the channels fill."""
    return sum(-(-len(sound) // _WINDOW) for sound in channels(files))


def openai(sizes: tuple[int, int, int], beam: int, tokens: float, files: list[str]) -> dict[str, Any]:
    """`whisper.transcribe` with random weights."""
    import torch  # noqa: PLC0415 - only this engine has it
    import whisper  # noqa: PLC0415 - as above
    from whisper import timing  # noqa: PLC0415 - as above
    from whisper.model import ModelDimensions, Whisper  # noqa: PLC0415 - as above

    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    width, heads, layers = sizes
    model = Whisper(ModelDimensions(80, 1500, width, heads, layers, 51_865, 448, width, heads, layers))
    torch.nn.init.normal_(model.decoder.positional_embedding, std=0.02)
    with torch.no_grad():
        model.decoder.token_embedding.weight[_END_OF_TEXT] = 0  # so that none is written before the limit
    model.eval()
    aligned = timing.find_alignment

    def evenly(*given: Any, **more: Any) -> Any:
        """Its cost, and times that do not send it back into the window."""
        words, frames = aligned(*given, **more), given[4]
        for place, word in enumerate(words):
            word.start, word.end = frames / 100 * place / len(words), frames / 100 * (place + 1) / len(words)
        return words

    timing.find_alignment = evenly
    windows = windows_of(files)
    options = {
        "language": "en",
        "beam_size": beam,
        "temperature": 0.0,
        "fp16": False,
        "sample_len": max(1, round(tokens / windows)),
        "word_timestamps": True,
        "without_timestamps": True,
        "condition_on_previous_text": False,
        "compression_ratio_threshold": None,
        "logprob_threshold": None,
        "no_speech_threshold": None,
    }
    whisper.transcribe(model, np.zeros(16_000, np.float32), **options)  # numba compiles the alignment once
    clock = Clock()
    written = 0
    for sound in channels(files):
        found = whisper.transcribe(model, sound, **options)
        written += sum(len(segment["tokens"]) for segment in found["segments"])
    return clock.figures(windows=windows, tokens=written)


def cpp(model_path: str, beam: int, tokens: float, files: list[str]) -> dict[str, Any]:
    """whisper.cpp through pywhispercpp."""
    from pywhispercpp.model import Model  # noqa: PLC0415 - only this engine has it

    windows = windows_of(files)
    model = Model(
        model_path,
        params_sampling_strategy=1,
        redirect_whispercpp_logs_to=None,
        n_threads=THREADS,
        language="en",
        beam_search={"beam_size": beam, "patience": -1.0},
        temperature=0.0,
        temperature_inc=0.0,
        no_context=True,
        no_timestamps=True,
        token_timestamps=True,
        max_tokens=max(1, round(tokens / windows)),
        print_progress=False,
        print_realtime=False,
    )
    clock = Clock()
    written = 0
    for sound in channels(files):
        written += sum(len(segment.text.split()) for segment in model.transcribe(sound))
    return clock.figures(windows=windows, tokens=written)


def main() -> None:
    """Run one engine over the files, and print its figures as the last line."""
    engine, model_path, width, heads, layers, beam, tokens, *files = sys.argv[1:]
    if engine == "openai":
        found = openai((int(width), int(heads), int(layers)), int(beam), float(tokens), files)
    else:
        found = cpp(model_path, int(beam), float(tokens), files)
    sys.stdout.flush()
    os.write(1, ("\n" + json.dumps(found) + "\n").encode())


if __name__ == "__main__":
    main()
