"""Memory: what is told to the C library, what counts as running out, and that hours of sound do not add up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import decode_audio

from aila_pipeline.adapters.speech_memory import is_lost_device, is_out_of_memory, keep_large_blocks
from aila_pipeline.demo.samples import samples

RATE_HZ = 8_000

MEASURE = """
import json, sys
from contextlib import nullcontext
from pathlib import Path
from aila_pipeline.adapters.audio import inspect
from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.adapters.speech_calls import Question
from tools.measurements.speech_clock import peak_mb

sample, long = map(Path, sys.argv[1:])
recogniser = Recogniser("demo", beam_size=1)
def asked(path):
    facts = inspect(path, max_seconds=9 * 3600, max_bytes=2**31)
    return Question(path.name, facts, lambda: nullcontext(path))
def words(questions):
    return sum(len(u.words) for a in recogniser.recognise_all(questions) for u in a.recognition().utterances)
words([asked(sample)] * 4)
before = peak_mb()
heard = words([asked(long)])
print(json.dumps({"before": before, "after": peak_mb(), "words": heard}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_glibc_is_told_to_keep_large_blocks() -> None:
    assert keep_large_blocks() is ("CS_GNU_LIBC_VERSION" in os.confstr_names)


@pytest.mark.parametrize(
    ("error", "out", "lost"),
    [
        (MemoryError(), True, False),
        (RuntimeError("std::bad_alloc"), True, False),
        (RuntimeError("CUDA failed with error out of memory"), True, True),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"), True, True),
        (RuntimeError("CUDA failed with error unspecified launch failure"), False, True),
        (ValueError("a prompt is too long"), False, False),
    ],
)
def test_running_out_of_memory_is_told_from_losing_the_device_and_from_the_rest(
    error: Exception, out: bool, lost: bool
) -> None:
    assert (is_out_of_memory(error), is_lost_device(error)) == (out, lost)


@pytest.mark.slow
def test_two_hours_in_one_file_take_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    """Two hours of line noise with a call in it every ten minutes; as samples at 16 kHz they would be 920 MB."""
    left, right = decode_audio(str(samples()["sales_01"].path), sampling_rate=RATE_HZ, split_stereo=True)
    random = np.random.default_rng(3)
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        for _ in range(12):
            sound = random.normal(scale=0.002, size=(600 * RATE_HZ, 2)).astype(np.float32)
            sound[: len(left)] += np.stack((left, right), axis=1)
            file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(samples()["sales_01"].path), str(tmp_path / "long.wav")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    found = json.loads(done.stdout)
    assert found["words"] > 12 * 20
    assert found["after"] - found["before"] < 150
