"""From a model pack to what looks at rooms."""

from __future__ import annotations

from pathlib import Path

from app.core.heads import LinearHead
from app.core.room_analyzer import Item, RoomAnalyzer, RoomClasses, RoomHeads
from app.ml_models.concept_data import read_classes
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import load_heads
from app.ml_models.model_loader import ModelLoader

# Heads that are not shipped: a hotel may teach them with scripts/train_heads.py.
OWN_HEADS = {
    Item.BATHROOM_CLEAN: "bathroom_dirty",
    Item.TOWELS_PRESENT: "towels_present",
    Item.AMENITIES_COMPLETE: "amenities_complete",
}
_BATHROOM = ("bathtub", "shower curtain", "toilet seat", "toilet tissue", "tub")
_TOWELS = ("bath towel",)


def build_room_analyzer(loader: ModelLoader, *, own_heads_dir: Path | None = None) -> RoomAnalyzer:
    """The analyzer with the shipped heads, or a hotel's own ones of the same names.

    Raises:
        ConfigurationError: a head is missing, unreadable, or was trained on another backbone.
    """
    extractor = build_feature_extractor(loader)
    shipped = load_heads(
        "room_shown", "room_messy", "bed_visible", "bed_unmade", "floor_cluttered",
        model_id=extractor.model_id, own_dir=own_heads_dir,
    )  # fmt: skip
    heads = RoomHeads(
        shown=shipped["room_shown"],
        messy=shipped["room_messy"],
        bed_visible=shipped["bed_visible"],
        bed_unmade=shipped["bed_unmade"],
        floor_cluttered=shipped["floor_cluttered"],
        own=_own_heads(own_heads_dir, model_id=extractor.model_id),
    )
    names = [entry.name for entry in read_classes()]
    classes = RoomClasses(
        bathroom=tuple(names.index(name) for name in _BATHROOM),
        towels=tuple(names.index(name) for name in _TOWELS),
    )
    return RoomAnalyzer(extractor, heads=heads, classes=classes)


def _own_heads(own_dir: Path | None, *, model_id: str) -> dict[Item, LinearHead]:
    if own_dir is None:
        return {}
    present = {item: name for item, name in OWN_HEADS.items() if (own_dir / f"{name}.json").is_file()}
    loaded = load_heads(*present.values(), model_id=model_id, own_dir=own_dir)
    return {item: loaded[name] for item, name in present.items()}
