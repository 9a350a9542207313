"""Rooms: analyzer and use cases."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.composition.backends import Backends
from app.composition.decoders import Decoders
from app.config import Settings
from app.core.inference import InferencePool
from app.core.room_analyzer import ChecklistItem, RoomModel
from app.core.room_rules import RoomRules
from app.ml_models.factories.room import build_room_model
from app.ml_models.model_loader import ModelLoader
from app.utils import metrics
from app.workflows.room import RoomWorkflow


def load_room_model(settings: Settings, loader: ModelLoader) -> RoomModel:
    """What looks at rooms, warm."""
    model = build_room_model(loader, own_heads_dir=settings.own_heads_dir)
    model.warm_up()
    metrics.model_loaded.labels("room_analysis").set(1)
    return model


def compose_rooms(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    model: RoomModel,
    *,
    zone: ZoneInfo,
) -> RoomWorkflow:
    """Analysing rooms, and keeping and correcting their state."""
    return RoomWorkflow(
        pool=pool,
        pictures=decoders.pictures,
        model=model,
        rules=RoomRules(
            required=frozenset(ChecklistItem(item) for item in settings.ROOM_REQUIRED_ITEMS),
            items_by_type={
                room_type: frozenset(ChecklistItem(item) for item in items)
                for room_type, items in settings.ROOM_TYPE_ITEMS.items()
            },
            minutes=settings.ROOM_CLEANING_MINUTES,
        ),
        database=backends.database,
        storage=backends.storage,
        zone=zone,
    )
