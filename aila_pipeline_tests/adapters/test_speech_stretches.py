"""Cutting a channel into stretches loses nothing and cuts at pauses."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.adapters.speech_stretches import stretches

RATE_HZ = 100


@given(
    sizes=st.lists(st.integers(0, 700), max_size=12),
    seconds=st.floats(0.5, 12),
    seed=st.integers(0, 9),
)
def test_every_sample_is_in_one_stretch_in_order_and_none_is_too_long(
    sizes: list[int], seconds: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    blocks = [random.normal(0, 1, size).astype(np.float32) for size in sizes]
    whole = np.concatenate([np.zeros(0, np.float32), *blocks])
    cut = list(stretches(blocks, sample_rate_hz=RATE_HZ, seconds=seconds))
    assert np.array_equal(np.concatenate([np.zeros(0, np.float32), *(piece.samples for piece in cut)]), whole)
    assert all(0 < len(piece.samples) <= seconds * RATE_HZ + 1 for piece in cut)
    begun = 0
    for piece in cut:
        assert piece.start_seconds == begun / RATE_HZ
        begun += len(piece.samples)


def test_the_cut_lies_in_the_pause_and_not_in_a_word() -> None:
    """Speech all along but for half a second at 250 s: that is where the first 5 minutes end."""
    voice = np.sin(np.arange(400 * RATE_HZ, dtype=np.float32))
    voice[250 * RATE_HZ : 250 * RATE_HZ + 50] = 0
    first, second = stretches([voice], sample_rate_hz=RATE_HZ, seconds=300)
    assert 250 < second.start_seconds < 250.5
    assert len(first.samples) + len(second.samples) == len(voice)


def test_of_equal_pauses_the_last_one_is_taken_so_that_stretches_are_long() -> None:
    first, _ = stretches([np.zeros(400 * RATE_HZ, np.float32)], sample_rate_hz=RATE_HZ, seconds=300)
    assert len(first.samples) > 299 * RATE_HZ
