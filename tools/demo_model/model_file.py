"""Model file: the weights in CTranslate2's model.bin, as floats.

Lives here: reading the format (version 6: names, shapes, types, raw values). Does not: writing it (as
export.py has CTranslate2 do), or what the weights mean (first_model.py).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NUMPY_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""By CTranslate2's number of the type."""

Arrays = dict[str, NDArray[Any]]


def read_arrays(path: Path) -> Arrays:
    """The variables of a model.bin by name; int8 ones as the floats that they stand for."""
    raw, place = path.read_bytes(), 0

    def take(form: str) -> Any:
        nonlocal place
        (value,) = struct.unpack_from(f"<{form}", raw, place)
        place += struct.calcsize(f"<{form}")
        return value

    def text() -> str:
        nonlocal place
        length = take("H")
        place += length
        return raw[place - length : place - 1].decode()

    take("I"), text(), take("I")
    arrays: Arrays = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = _NUMPY_TYPES[take("B")], take("I")
        arrays[name] = np.frombuffer(raw, kind, size // np.dtype(kind).itemsize, place).reshape(shape)
        place += size
    for name in [name for name in arrays if f"{name}_scale" in arrays]:
        scale = arrays[f"{name}_scale"].reshape(-1, *[1] * (arrays[name].ndim - 1))
        arrays[name] = arrays[name].astype(np.float32) / scale
    return arrays
