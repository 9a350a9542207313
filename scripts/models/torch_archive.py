"""Read the tensors of a PyTorch checkpoint without PyTorch, and without running what a pickle may ask to run.

A pickle can name any callable. This reader knows three things only: an ordered mapping, a tensor and a storage;
anything else stops it. It covers the stream format that ``torch.save`` wrote before version 1.6: a magic number,
a protocol number, facts about the machine, the pickled mapping, the keys of its storages, then each storage as
an int64 count and raw little-endian values.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

STREAM_MAGIC = 0x1950A86A20F9469CFC6C
STORAGE_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}

Tensors = dict[str, NDArray[np.generic]]


class UnsafeCheckpoint(ValueError):
    """The file is not such a checkpoint, or its pickle names something that tensors do not need."""


@dataclass(frozen=True, slots=True)
class _StorageType:
    dtype: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view on a storage that has not been read yet; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_training_state: object
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_ALLOWED: Mapping[tuple[str, str], Callable[..., object] | _StorageType] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    **{("torch", name): _StorageType(dtype) for name, dtype in STORAGE_DTYPES.items()},
}


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles nothing but the names in ``_ALLOWED``."""

    def find_class(self, module: str, name: str) -> object:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise UnsafeCheckpoint(f"the checkpoint asks for {module}.{name}, which tensors do not need") from None

    def persistent_load(self, reference: object) -> _Storage:
        match reference:
            case ("storage", _StorageType(dtype=dtype), str(key), str(), int(count), *_):
                return _Storage(key, dtype, count)
        raise UnsafeCheckpoint("the checkpoint refers to something that is no tensor storage")


def read_tensors(path: Path) -> Tensors:
    """Every tensor of the state dict in the checkpoint, by name.

    Raises:
        UnsafeCheckpoint: another format, a truncated file, or a pickle that asks for more than tensors.
    """
    try:
        with path.open("rb") as stream:
            return _read_stream(stream)
    except (pickle.UnpicklingError, EOFError, struct.error, KeyError, TypeError, ValueError) as error:
        raise UnsafeCheckpoint(f"{path.name} is not a readable tensor checkpoint: {error}") from error


def _read_stream(stream: BinaryIO) -> Tensors:
    def unpickle() -> object:
        return _TensorUnpickler(stream).load()

    if unpickle() != STREAM_MAGIC:
        raise UnsafeCheckpoint("the magic number is missing")
    _protocol, _machine = unpickle(), unpickle()
    state, storage_keys = unpickle(), unpickle()
    if not isinstance(state, dict) or not isinstance(storage_keys, list):
        raise UnsafeCheckpoint("it holds no state dict")
    views = {str(name): view for name, view in state.items() if isinstance(view, _Tensor)}
    dtypes = {view.storage.key: view.storage.dtype for view in views.values()}
    storages = {key: _read_storage(stream, dtypes[key]) for key in storage_keys}
    return {name: _materialise(view, storages[view.storage.key]) for name, view in views.items()}


def _read_storage(stream: BinaryIO, dtype: str) -> NDArray[np.generic]:
    (count,) = struct.unpack("<q", stream.read(8))
    raw = stream.read(count * np.dtype(dtype).itemsize)
    return np.frombuffer(raw, dtype=dtype, count=count)


def _materialise(view: _Tensor, storage: NDArray[np.generic]) -> NDArray[np.generic]:
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    if min((view.offset, *view.strides, *view.shape), default=0) < 0 or last >= storage.size:
        raise UnsafeCheckpoint("a tensor reaches outside its storage")
    byte_strides = tuple(stride * storage.itemsize for stride in view.strides)
    window = np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, byte_strides, writeable=False)
    return np.ascontiguousarray(window)
