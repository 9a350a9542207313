"""The model pack on the runtime that the settings ask for."""

from __future__ import annotations

from app.config import Settings
from app.ml_models.devices import RuntimeOptions
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.ml_models.start_cache import StartCache


def open_loader(settings: Settings, *, streams: int = 1) -> ModelLoader:
    """The settings' model pack on the settings' runtime, for ``streams`` concurrent passes."""
    limit_mb = settings.GPU_MEMORY_LIMIT_MB
    return ModelLoader(
        load_pack(settings.MODEL_PACK),
        settings.MODEL_WEIGHTS_DIR,
        RuntimeOptions(
            runtime=settings.INFERENCE_RUNTIME,
            precision=settings.INFERENCE_PRECISION,
            streams=streams,
            device=settings.INFERENCE_DEVICE,
            gpu_device_id=settings.GPU_DEVICE_ID,
            gpu_memory_limit_bytes=limit_mb * 2**20 or None,
            require_gpu=settings.REQUIRE_GPU,
        ),
        cache=StartCache(settings.CV_DATA_DIR / "start-cache"),
    )
