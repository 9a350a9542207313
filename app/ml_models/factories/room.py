"""From a model pack to what looks at rooms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import PositiveFloat

from app.core.heads import LinearHead
from app.core.room_analyzer import TOWEL, ChecklistItem, RoomAnalyzer, RoomClasses, RoomHeads, RoomModel
from app.core.room_views import Subject, View, ViewHeads
from app.core.room_zero_shot import RoomStatements, Statement, ZeroShot, ZeroShotRoomAnalyzer
from app.ml_models.concept_data import read_classes
from app.ml_models.data_files import PACKS_DIR, FileTable, Texts, read_toml
from app.ml_models.factories.clip import find_clip
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.factories.object_detection import ObjectDetectionModel
from app.ml_models.heads import load_heads
from app.ml_models.known_views import KNOWN_ROOMS, read_known_views
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole

STATEMENTS_PATH = PACKS_DIR / "room_statements.toml"
OBJECTS_ROLE = ModelRole.PERSON_DETECTION  # in packs with CLIP this network knows the eighty things of COCO

# Heads that a hotel may teach with cv heads train beside the shipped ones; of towels these tell presence alone.
OWN_HEADS = {
    ChecklistItem.TOWELS_PRESENT: "towels_present",
    ChecklistItem.AMENITIES_COMPLETE: "amenities_complete",
}
_BASIN = ("washbasin",)
_KINDS = {View.BEDROOM: "view_bedroom", View.BATHROOM: "view_bathroom", View.CORRIDOR: "view_corridor"}
_SUBJECTS = {
    Subject.BED: "bed_visible",
    Subject.FLOOR: "floor_visible",
    Subject.TOILET: "toilet_visible",
    Subject.TOWELS: "towels_present",
}
_STATES = ("room_messy", "bathroom_dirty", "bed_unmade", "floor_cluttered")
_SHOWN = "room_shown"
ROOM_HEADS = (_SHOWN, "view_detail", *_KINDS.values(), *_SUBJECTS.values(), *_STATES)
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
    objects = loader.model(OBJECTS_ROLE, ObjectDetectionModel)
    return ZeroShotRoomAnalyzer(
        heads,
        zero_shot=ZeroShot(clip.build(loader), templates=asked.templates, scale=asked.scale),
        statements=asked.as_statements(),
        objects=objects.build(loader, rename=lambda label: asked.objects.get(label, "")),
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
    shipped = load_heads(*ROOM_HEADS, model_id=extractor.model_id, own_dir=own_heads_dir)
    # A hotel that taught what a room is has rooms that are not among the known ones.
    taught = own_heads_dir is not None and (own_heads_dir / f"{_SHOWN}.json").is_file()
    return RoomAnalyzer(
        extractor,
        heads=room_heads(shipped, own=_own_heads(own_heads_dir, model_id=extractor.model_id)),
        classes=room_classes(),
        known=None if taught else read_known_views(KNOWN_ROOMS, model_id=extractor.model_id),
    )


def room_heads(heads: Mapping[str, LinearHead], *, own: Mapping[ChecklistItem, LinearHead]) -> RoomHeads:
    """The heads by what they are asked; ``heads`` has one of each name in ``ROOM_HEADS``."""
    return RoomHeads(
        views=ViewHeads(
            shown=heads[_SHOWN],
            detail=heads["view_detail"],
            kinds={view: heads[name] for view, name in _KINDS.items()},
            subjects={subject: heads[name] for subject, name in _SUBJECTS.items()},
        ),
        messy=heads["room_messy"],
        bathroom_dirty=heads["bathroom_dirty"],
        bed_unmade=heads["bed_unmade"],
        floor_cluttered=heads["floor_cluttered"],
        own=own,
    )


def room_classes() -> RoomClasses:
    """The backbone's classes that matter in rooms."""
    names = [entry.name for entry in read_classes()]
    return RoomClasses(
        basin=tuple(names.index(name) for name in _BASIN),
        things={thing: tuple(names.index(name) for name in members) for thing, members in _THINGS.items()},
    )


def _own_heads(own_dir: Path | None, *, model_id: str) -> dict[ChecklistItem, LinearHead]:
    if own_dir is None:
        return {}
    present = {item: name for item, name in OWN_HEADS.items() if (own_dir / f"{name}.json").is_file()}
    loaded = load_heads(*present.values(), model_id=model_id, own_dir=own_dir)
    return {item: loaded[name] for item, name in present.items()}
