"""The steps before and after PaddleOCR's networks, out of PaddleX, without the rest of PaddleX.

``import paddleocr`` runs all of PaddleX: pandas, matplotlib, clients of model hosts, 2 s of processor time and 100 MB
that nothing here uses. Its two files of steps for text need none of it, so they are loaded by themselves.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)
_PACKAGE = "paddlex"
_MODELS = f"{_PACKAGE}.inference.models"
_STEPS = (f"{_MODELS}.text_detection.processors", f"{_MODELS}.text_recognition.processors")
_BARE_PACKAGES = (
    _PACKAGE,
    f"{_PACKAGE}.utils",
    f"{_PACKAGE}.inference",
    f"{_PACKAGE}.inference.utils",
    _MODELS,
    f"{_MODELS}.text_detection",
    f"{_MODELS}.text_recognition",
)
_lock = threading.Lock()


@cache
def detection_steps() -> ModuleType:
    """PaddleX's steps for text detection. Raises ``ImportError`` where PaddleX is not installed."""
    return _load(_STEPS[0])


@cache
def recognition_steps() -> ModuleType:
    """PaddleX's steps for text recognition. Raises ``ImportError`` where PaddleX is not installed."""
    return _load(_STEPS[1])


def _load(name: str) -> ModuleType:
    with _lock, _bare_packages():
        return importlib.import_module(name)


@contextmanager
def _bare_packages() -> Iterator[None]:
    """PaddleX's packages without what their ``__init__`` does; afterwards it is as if nobody had imported PaddleX."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{_PACKAGE} is not installed")
    before = {name: sys.modules[name] for name in _paddlex_modules()}
    for name in before:
        del sys.modules[name]
    for name in _BARE_PACKAGES:
        package = ModuleType(name)
        inside = name.split(".")[1:]
        package.__path__ = ["/".join([folder, *inside]) for folder in spec.submodule_search_locations]
        sys.modules[name] = package
    sys.modules[f"{_PACKAGE}.utils.deps"] = _satisfied_dependencies()
    try:
        yield
    finally:
        for name in _paddlex_modules():
            del sys.modules[name]
        sys.modules.update(before)


def _paddlex_modules() -> list[str]:
    names = list(sys.modules)  # at once: other engines are loaded beside this one, and import meanwhile
    return [name for name in names if name == _PACKAGE or name.startswith(f"{_PACKAGE}.")]


def _satisfied_dependencies() -> ModuleType:
    """In the place of the module that looks for one build of OpenCV by name, where another brings the same ``cv2``."""

    def is_dep_available(*_: object) -> bool:
        return True

    def class_requires_deps(*_: object) -> Callable[[_Class], _Class]:
        return lambda kept: kept

    module = ModuleType(f"{_PACKAGE}.utils.deps")
    module.__dict__.update(is_dep_available=is_dep_available, class_requires_deps=class_requires_deps)
    return module
