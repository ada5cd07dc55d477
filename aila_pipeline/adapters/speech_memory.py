"""Speech memory: how the C library keeps CTranslate2's buffers, and what running out of memory looks like.

Lives here: telling glibc to keep large blocks, and sorting what the model's libraries raise. Does not: how much memory
a batch takes (speech_size.py).
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import sys

_log = logging.getLogger(__name__)

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -8, -3, -1, -2
_NEVER = 2**31 - 1
_SETTINGS = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _NEVER), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, 256 * 1024**2))


@functools.cache
def keep_large_blocks() -> bool:
    """Have glibc reuse large blocks instead of mapping them anew; returns whether it does. Others are left alone.

    Each layer of Whisper's encoder takes and frees buffers of 54 MB and more. glibc maps and unmaps them each time, and
    the kernel fills every page with zeros: nearly half of the encoder's time (docs/benchmarks.md, "malloc"). The price
    is that memory which was used once stays with the process. Call it before CTranslate2 is loaded.
    """
    if sys.platform != "linux" or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no mallopt
        return False
    refused = [option for option, value in _SETTINGS if not mallopt(option, value)]
    if refused:
        _log.info("glibc refused the options %s of mallopt; the encoder will be slower", refused)
    return not refused


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less at a time might help."""
    told = str(error).lower()
    signs = ("out of memory", "failed to allocate", "bad_alloc", "cublas_status_alloc_failed")
    return isinstance(error, MemoryError) or any(sign in told for sign in signs)


def is_lost_device(error: BaseException) -> bool:
    """Whether the device failed, and not the recording."""
    return any(sign in str(error).lower() for sign in ("cuda", "cublas", "cudnn"))
