"""glibc's allocator, which keeps what was freed for later. Other C libraries are left alone."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Give what was freed back to the system, also where something that lives lies above it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
