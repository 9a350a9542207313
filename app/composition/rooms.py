"""Rooms: analyzer and use cases."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.composition.backends import Backends
from app.composition.decoders import Decoders
from app.config import Settings
from app.core.inference import InferencePool
from app.core.room_analyzer import ChecklistItem, RoomModel
from app.core.room_proofs import RequiredView
from app.core.room_rules import RoomRules
from app.ml_models.factories.room import build_room_model
from app.ml_models.model_loader import ModelLoader
from app.utils import metrics
from app.workflows.housekeeping import Housekeeping
from app.workflows.room import RoomWorkflow
from app.workflows.room_photos import RoomPhotos
from app.workflows.room_references import RoomReferences


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
) -> tuple[RoomWorkflow, RoomReferences, Housekeeping]:
    """Analysing rooms, keeping and correcting their state; and the work in them."""
    photos = RoomPhotos(
        pool=pool,
        pictures=decoders.pictures,
        model=model,
        database=backends.database,
        storage=backends.storage,
        zone=zone,
        link_lifetime_s=settings.IMAGE_URL_LIFETIME_S,
    )
    references = RoomReferences(
        pool=pool, pictures=decoders.pictures, database=backends.database, storage=backends.storage
    )
    workflow = RoomWorkflow(
        photos=photos,
        references=references,
        rules=RoomRules(
            required=frozenset(ChecklistItem(item) for item in settings.ROOM_REQUIRED_ITEMS),
            items_by_type={
                room_type: frozenset(ChecklistItem(item) for item in items)
                for room_type, items in settings.ROOM_TYPE_ITEMS.items()
            },
            minutes=settings.ROOM_CLEANING_MINUTES,
            views_by_type={
                room_type: tuple(RequiredView(view) for view in views)
                for room_type, views in settings.ROOM_REQUIRED_VIEWS.items()
            },
        ),
        views_window_min=settings.ROOM_VIEWS_WINDOW_MIN,
        database=backends.database,
    )
    return workflow, references, Housekeeping(backends.database, photos)
