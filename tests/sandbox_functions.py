"""What tests let the sandbox run: functions that do what hostile input makes a decoder do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import TooLarge
from app.utils.sandbox_memory import Output


def gradient(data: memoryview, arguments: Mapping[str, Any], output: Output) -> dict[str, object]:
    """A picture that shows whether bytes, arguments and pixels arrive."""
    pixels, reference = output.new_pixels((arguments["height"], len(data), 3))
    pixels[:] = np.frombuffer(data, np.uint8)[None, :, None]
    return {"image": reference, "length": len(data)}


def refuse(_: memoryview, __: Mapping[str, Any], ___: Output) -> None:
    raise TooLarge("Send less.", code="too_much")


def burn(_: memoryview, __: Mapping[str, Any], ___: Output) -> None:
    while True:
        pass


def sleep(_: memoryview, arguments: Mapping[str, Any], __: Output) -> dict[str, object]:
    time.sleep(arguments["seconds"])
    return {}


def wait_for_file(_: memoryview, arguments: Mapping[str, Any], __: Output) -> dict[str, object]:
    while not Path(arguments["path"]).exists():
        time.sleep(0.02)
    return {}


def eat_memory(_: memoryview, __: Mapping[str, Any], ___: Output) -> dict[str, object]:
    return {"length": len(bytearray(2**30))}


def crash(_: memoryview, __: Mapping[str, Any], ___: Output) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def raise_anything(_: memoryview, __: Mapping[str, Any], ___: Output) -> None:
    raise RuntimeError("a decoder's own idea")


def answer_too_much(_: memoryview, __: Mapping[str, Any], output: Output) -> dict[str, object]:
    return {"image": output.new_pixels((10_000, 10_000, 3))[1]}


def lie(_: memoryview, __: Mapping[str, Any], ___: Output) -> dict[str, object]:
    """What a decoder says that was taken over: an array beyond the memory."""
    return {"image": {"offset": 2**20, "shape": [1000, 1000, 3]}}


def look_around(_: memoryview, __: Mapping[str, Any], ___: Output) -> dict[str, object]:
    """What a decoder that was taken over would find."""
    return {
        "environment": dict(os.environ),
        "descriptors": sorted(int(p.name) for p in Path("/proc/self/fd").iterdir()),
    }
