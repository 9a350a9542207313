"""From a model pack to what looks at rooms."""

from __future__ import annotations

import tomllib
from pathlib import Path

from app.core.heads import LinearHead
from app.core.room_analyzer import TOWEL, ChecklistItem, RoomAnalyzer, RoomClasses, RoomHeads, RoomModel
from app.core.room_zero_shot import RoomStatements, Statement, ZeroShot, ZeroShotRoomAnalyzer
from app.core.yolo import YoloDetector
from app.ml_models.concept_data import read_classes
from app.ml_models.factories.clip import TEXT_ROLE, build_clip_embedder
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import load_heads
from app.ml_models.manifest import PACKS_DIR
from app.ml_models.model_loader import ModelLoader
from app.ml_models.tables import Table

STATEMENTS_PATH = PACKS_DIR / "room_statements.toml"
OBJECTS_ROLE = "person_detection"  # in packs with CLIP this network knows the eighty things of COCO

# Heads that are not shipped: a hotel may teach them with scripts/train_heads.py.
OWN_HEADS = {
    ChecklistItem.BATHROOM_CLEAN: "bathroom_dirty",
    ChecklistItem.TOWELS_PRESENT: "towels_present",
    ChecklistItem.AMENITIES_COMPLETE: "amenities_complete",
}
_BATHROOM = ("bathtub", "shower curtain", "toilet seat", "toilet tissue", "tub")
# Where no labelled photos exist, the backbone's own classes speak; a close-up is what they recognise.
_THINGS = {
    TOWEL: ("bath towel",),
    "soap_dispenser": ("soap dispenser", "lotion"),
    "toilet_tissue": ("toilet tissue",),
    "quilt": ("quilt",),
    "bottle": ("water bottle", "wine bottle", "beer bottle", "pop bottle"),
    "refrigerator": ("refrigerator",),
    "coffee_maker": ("espresso maker", "coffeepot"),
    "hair_dryer": ("hand blower",),
    "telephone": ("dial telephone",),
}


def build_room_model(loader: ModelLoader, *, own_heads_dir: Path | None = None) -> RoomModel:
    """What looks at rooms: the heads, and in packs with CLIP the statements and objects of ``room_statements.toml``.

    Raises:
        ConfigurationError: a head is missing, unreadable, or was trained on another backbone.
    """
    heads = build_room_analyzer(loader, own_heads_dir=own_heads_dir)
    if not loader.has(TEXT_ROLE):
        return heads
    table = _read_table(STATEMENTS_PATH)
    embedder = build_clip_embedder(loader, loader.spec("image_embedding"), calibrations={})
    return ZeroShotRoomAnalyzer(
        heads,
        zero_shot=ZeroShot(embedder, templates=table.texts("templates"), scale=table.number("scale")),
        statements=read_room_statements(),
        objects=_object_detector(loader, table.table("objects")),
    )


def read_room_statements(path: Path = STATEMENTS_PATH) -> RoomStatements:
    """What packs with CLIP are asked about rooms."""
    table = _read_table(path).table("statement")

    def read(name: str) -> Statement:
        return Statement(positive=table.table(name).texts("positive"), negative=table.table(name).texts("negative"))

    return RoomStatements(**{name: read(name) for name in RoomStatements.__dataclass_fields__})


def _read_table(path: Path) -> Table:
    return Table(tomllib.loads(path.read_text(encoding="utf-8")), place=path.name)


def _object_detector(loader: ModelLoader, names: Table) -> YoloDetector:
    spec = loader.spec(OBJECTS_ROLE)
    wanted = {name: names.text(name) for name in names}
    return YoloDetector(
        loader.session(OBJECTS_ROLE),
        labels=[wanted.get(label, "") for label in spec.params.texts("labels")],
        min_score=spec.params.number("min_score"),
        max_iou=spec.params.number("max_iou"),
        input_name=spec.input.name,
        side_px=spec.input.width,
    )


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
    return RoomAnalyzer(extractor, heads=heads, classes=room_classes())


def room_classes() -> RoomClasses:
    """The backbone's classes that matter in rooms."""
    names = [entry.name for entry in read_classes()]
    return RoomClasses(
        bathroom=tuple(names.index(name) for name in _BATHROOM),
        things={thing: tuple(names.index(name) for name in members) for thing, members in _THINGS.items()},
    )


def _own_heads(own_dir: Path | None, *, model_id: str) -> dict[ChecklistItem, LinearHead]:
    if own_dir is None:
        return {}
    present = {item: name for item, name in OWN_HEADS.items() if (own_dir / f"{name}.json").is_file()}
    loaded = load_heads(*present.values(), model_id=model_id, own_dir=own_dir)
    return {item: loaded[name] for item, name in present.items()}
