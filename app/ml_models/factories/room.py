"""From a model pack to what looks at rooms."""

from __future__ import annotations

from pathlib import Path

from pydantic import PositiveFloat

from app.core.heads import LinearHead
from app.core.room_analyzer import TOWEL, ChecklistItem, RoomAnalyzer, RoomClasses, RoomHeads, RoomModel
from app.core.room_zero_shot import RoomStatements, Statement, ZeroShot, ZeroShotRoomAnalyzer
from app.ml_models.concept_data import read_classes
from app.ml_models.data_files import PACKS_DIR, FileTable, Texts, read_toml
from app.ml_models.factories.clip import find_clip
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.factories.yolo import YoloModel
from app.ml_models.heads import load_heads
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole

STATEMENTS_PATH = PACKS_DIR / "room_statements.toml"
OBJECTS_ROLE = ModelRole.PERSON_DETECTION  # in packs with CLIP this network knows the eighty things of COCO

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


class _StatementTable(FileTable):
    positive: Texts
    negative: Texts

    def as_statement(self) -> Statement:
        return Statement(positive=self.positive, negative=self.negative)


class _StatementTables(FileTable):
    """As ``core.room_zero_shot.RoomStatements`` describes them."""

    bathroom: _StatementTable
    bathroom_dirty: _StatementTable
    towels_present: _StatementTable
    amenities_complete: _StatementTable
    bed_unmade: _StatementTable
    damaged: _StatementTable


class StatementsFile(FileTable):
    """``objects``: what we call things, by the names that the detector has for them."""

    scale: PositiveFloat
    templates: Texts
    objects: dict[str, str]
    statement: _StatementTables

    def as_statements(self) -> RoomStatements:
        return RoomStatements(**{name: table.as_statement() for name, table in self.statement})


def build_room_model(loader: ModelLoader, *, own_heads_dir: Path | None = None) -> RoomModel:
    """What looks at rooms: the heads, and in packs with CLIP the statements and objects of ``room_statements.toml``.

    Raises:
        ConfigurationError: a head is missing, unreadable, or was trained on another backbone.
    """
    heads = build_room_analyzer(loader, own_heads_dir=own_heads_dir)
    clip = find_clip(loader)
    if clip is None:
        return heads
    asked = read_statements()
    return ZeroShotRoomAnalyzer(
        heads,
        zero_shot=ZeroShot(clip.build(loader), templates=asked.templates, scale=asked.scale),
        statements=asked.as_statements(),
        objects=loader.model(OBJECTS_ROLE, YoloModel).build(loader, rename=lambda label: asked.objects.get(label, "")),
    )


def read_statements() -> StatementsFile:
    """What packs with CLIP are asked about rooms. Raises ``ConfigurationError`` where the file does not fit."""
    return read_toml(STATEMENTS_PATH, StatementsFile)


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
