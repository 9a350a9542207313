"""What one start computes, the next one reads, and never anything else."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
import uvicorn

from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.ml_models.runtimes import OpenVinoSession, UnreadableModel
from app.ml_models.start_cache import StartCache
from app.server import FrugalServer
from app.types import FloatArray
from tests.tiny_models import FEATURES, model_table, sha256, tiny_network, write_pack

NETWORK = tiny_network()
X = {"x": np.arange(3 * FEATURES, dtype=np.float32).reshape(3, FEATURES)}


def opened(folder: Path, cache: StartCache, **options: Any) -> OpenVinoSession:  # those of OpenVinoSession
    return OpenVinoSession(folder / "network.onnx", cache=cache, sha256=sha256(NETWORK), **options)


def written(folder: Path) -> Path:
    path = folder / "network.onnx"
    path.write_bytes(NETWORK)
    return path


def test_a_result_is_found_again_under_its_key_alone(tmp_path: Path) -> None:
    cache = StartCache(tmp_path / "new" / "cache")
    assert cache.find("name", key="a") is None
    cache.keep("name", b"first", key="a")
    cache.keep("name", b"second", key="a")
    assert StartCache(tmp_path / "new" / "cache").find("name", key="a") == b"second"
    assert cache.find("name", key="b") is None
    assert cache.find("other", key="a") is None
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "new" / "cache").iterdir()] == [0o600]


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, None])
def test_a_damaged_file_is_none(tmp_path: Path, damage: bytes | None) -> None:
    cache = StartCache(tmp_path)
    cache.keep("name", b"first", key="a")
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert cache.find("name", key="a") is None
    cache.keep("name", b"again", key="a")
    assert cache.find("name", key="a") == b"again"


def test_the_oldest_go(tmp_path: Path) -> None:
    cache = StartCache(tmp_path)
    cache.keep("other", b"x", key="0")
    for number in range(6):
        cache.keep("name", b"x", key=str(number))
        for path in tmp_path.glob("name-*"):
            os.utime(path, (path.stat().st_atime - 10, path.stat().st_mtime - 10))
    assert [number for number in range(6) if cache.find("name", key=str(number))] == [2, 3, 4, 5]
    assert cache.find("other", key="0")


def test_a_folder_that_cannot_be_written_keeps_nothing_and_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = StartCache(tmp_path / "file" / "cache")
    cache.keep("name", b"x", key="a")
    assert cache.find("name", key="a") is None


@pytest.mark.parametrize("options", [{}, {"streams": 2}, {"row_by_row": True}])
def test_a_compiled_network_computes_the_same_and_needs_no_compiling(tmp_path: Path, options: dict[str, Any]) -> None:
    path, cache = written(tmp_path), StartCache(tmp_path / "cache")
    wanted = OpenVinoSession(path, **options).run(X)
    first = opened(tmp_path, cache, **options)
    path.unlink()  # what was kept is enough
    second = opened(tmp_path, cache, **options)
    for session in (first, second):
        assert all(np.array_equal(one, other) for one, other in zip(session.run(X), wanted, strict=True))
        assert session.provider == first.provider
    with pytest.raises(UnreadableModel):
        opened(tmp_path, cache, streams=3)  # other settings were never compiled


def test_a_damaged_compiled_network_is_compiled_again(tmp_path: Path) -> None:
    written(tmp_path)
    cache = StartCache(tmp_path / "cache")
    opened(tmp_path, cache)
    [kept] = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-8] + bytes(byte ^ 0x55 for byte in whole[-8:]))
    np.testing.assert_allclose(opened(tmp_path, cache).run(X)[0], 2 * X["x"])
    assert kept.read_bytes() == whole


def test_what_openvino_refuses_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    cache = StartCache(tmp_path / "cache")
    opened(tmp_path, cache)
    [kept] = (tmp_path / "cache").iterdir()
    monkeypatch.setattr(cache, "find", lambda *_, **__: b"no compiled network")
    np.testing.assert_allclose(opened(tmp_path, cache).run(X)[0], 2 * X["x"])
    assert kept.is_file()


def test_another_network_of_the_same_name_is_another(tmp_path: Path) -> None:
    written(tmp_path)
    cache = StartCache(tmp_path / "cache")
    opened(tmp_path, cache)
    (tmp_path / "network.onnx").write_bytes(b"damaged")
    with pytest.raises(UnreadableModel):
        OpenVinoSession(tmp_path / "network.onnx", cache=cache, sha256=sha256(b"damaged"))


def test_what_is_derived_of_a_file_is_computed_once(tmp_path: Path) -> None:
    write_pack(tmp_path / "packs", model_table("text_embedding", files=(("network.onnx", sha256(NETWORK)),)))
    (tmp_path / "weights" / "tiny").mkdir(parents=True)
    (tmp_path / "weights" / "tiny" / "network.onnx").write_bytes(NETWORK)
    computed: list[Path] = []

    def compute(path: Path) -> FloatArray:
        computed.append(path)
        return np.array([[1.5, -2.0]], np.float32)

    for cache in (None, StartCache(tmp_path / "cache"), StartCache(tmp_path / "cache")):
        loader = ModelLoader(load_pack("tiny", tmp_path / "packs"), tmp_path / "weights", cache=cache)
        derived = loader.derived("text_embedding", "directions", compute)
        assert (derived.dtype, derived.tolist()) == (np.float32, [[1.5, -2.0]])
    assert len(computed) == 2


def test_the_server_collects_garbage_only_once_it_has_started() -> None:
    seen: list[bool] = []

    async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        assert scope["type"] == "lifespan"  # nobody asks anything
        await receive()
        seen.append(gc.isenabled())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    server = FrugalServer(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    gc.disable()
    thread.start()
    try:
        while not gc.isenabled() and thread.is_alive():
            time.sleep(0.01)
        assert seen == [False]
        assert server.started
        assert gc.get_freeze_count() > 0
    finally:
        server.should_exit = True
        thread.join(10)
        gc.enable()
        gc.unfreeze()


def test_a_network_compiled_for_another_processor_or_version_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    cache = StartCache(tmp_path / "cache")
    opened(tmp_path, cache)
    monkeypatch.setattr(ov, "__version__", "0")
    opened(tmp_path, cache)
    assert len(list((tmp_path / "cache").iterdir())) == 2
