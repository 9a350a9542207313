"""What is freed goes back to the system when that is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

_FREED = """
import psutil
from app.utils.allocator import give_back
process = psutil.Process()
pieces = [bytearray(64_000) for _ in range(1_500)]
del pieces[:-1]  # the last one lies above them
before = process.memory_full_info().uss
give_back()
print((before - process.memory_full_info().uss) // 1_000_000)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _FREED], check=True, capture_output=True, text=True)
    assert int(done.stdout) > 80
