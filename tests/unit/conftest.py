"""Engines over the installed weights, built once for the session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader

WEIGHTS_DIR = Path(os.environ.get("MODEL_WEIGHTS_DIR", "app/ml_models/weights"))


@pytest.fixture(scope="session")
def model_loader() -> ModelLoader:
    """The compact pack, as ``make weights`` installs it."""
    return ModelLoader(load_pack("compact"), WEIGHTS_DIR)


@pytest.fixture(scope="session")
def face_engines(model_loader: ModelLoader) -> FaceEngines:
    """The face engines at the shipped thresholds."""
    return build_face_engines(model_loader)
