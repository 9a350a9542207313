"""The shared memory between the service and a job of the sandbox: bytes in, arrays and JSON out.

It is anonymous memory behind a file descriptor, sealed so that neither side can change its size: a child that cut it
short would otherwise kill the reader.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from app.errors import InvalidImage

_FIXED_SIZE = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
_ALIGNMENT = 64
_PIXELS = np.dtype(np.uint8)


@contextlib.contextmanager
def new_memory(length: int) -> Iterator[int]:
    """A descriptor of ``length`` zero bytes, which take memory only where they are written."""
    memory = os.memfd_create("cv-sandbox", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory, length)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _FIXED_SIZE)
        yield memory
    finally:
        os.close(memory)


@contextlib.contextmanager
def sealed(data: bytes) -> Iterator[int]:
    """A descriptor of ``data`` that nobody can change."""
    memory = os.memfd_create("cv-sandbox-input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(memory, view) :]
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _FIXED_SIZE | fcntl.F_SEAL_WRITE)
        yield memory
    finally:
        os.close(memory)


class Output:
    """What a job answers: arrays one behind the other, then one JSON value.

    Args:
        memory: its descriptor, which may be closed afterwards; the memory itself lasts as long as an array in it.
        length: of the memory.
    """

    def __init__(self, memory: int, length: int) -> None:
        self._length = length
        self._used = 0
        self._map = mmap.mmap(memory, length)

    def _take(self, length: int) -> int:
        offset = -(-self._used // _ALIGNMENT) * _ALIGNMENT
        if offset + length > self._length:
            raise MemoryError("the answer is larger than its limit")
        self._used = offset + length
        return offset

    def new_pixels(self, shape: Sequence[int]) -> tuple[npt.NDArray[np.uint8], dict[str, object]]:
        """An array to write into, and the reference to put into the answer; for the job."""
        offset = self._take(int(np.prod(shape, dtype=np.int64)))
        array = np.ndarray(tuple(shape), _PIXELS, self._map, offset)
        return array, {"offset": offset, "shape": list(shape)}

    def write_content(self, content: bytes) -> dict[str, int]:
        """The reference of bytes that were written; for the job."""
        offset = self._take(len(content))
        self._map[offset : offset + len(content)] = content
        return {"offset": offset, "length": len(content)}

    def write_json(self, value: object) -> tuple[int, int]:
        """Where the value was written: offset and length; for the job."""
        text = json.dumps(value, ensure_ascii=False).encode()
        offset = self._take(len(text))
        self._map[offset : offset + len(text)] = text
        return offset, len(text)

    def read_json(self, offset: int, length: int) -> dict[str, object]:
        """What the job wrote there.

        Raises:
            InvalidImage: that is no JSON object; the decoder was led astray.
        """
        if not 0 <= offset <= offset + length <= self._length:
            raise _nonsense()
        try:
            value = json.loads(self._map[offset : offset + length])
        except (ValueError, RecursionError) as error:
            raise _nonsense() from error
        if not isinstance(value, dict):
            raise _nonsense()
        return value

    def content(self, reference: object) -> bytes:
        """The bytes of a reference.

        Raises:
            InvalidImage: there are none; the decoder was led astray.
        """
        match reference:
            case {"offset": int(offset), "length": int(length)} if 0 <= offset <= offset + length <= self._length:
                return self._map[offset : offset + length]
        raise _nonsense()

    def pixels(self, reference: object) -> npt.NDArray[np.uint8]:
        """The array of a reference: (height, width, 3) uint8, writeable, no copy.

        Raises:
            InvalidImage: there is no such array; the decoder was led astray.
        """
        match reference:
            case {"offset": int(offset), "shape": [int(height), int(width), 3]}:
                inside = offset >= 0 and min(height, width) > 0 and offset + 3 * height * width <= self._length
                if inside:
                    return np.ndarray((height, width, 3), _PIXELS, self._map, offset)
        raise _nonsense()


def _nonsense() -> InvalidImage:
    return InvalidImage("The file is damaged; send the whole file.", code="damaged_image")
