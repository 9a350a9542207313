"""The photos that teach and judge the hazard heads: which source and scene each is from, and what it shows."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.heads.photos import labelled_photos, some_photos

# Pictures of other things, at most so many of each: a hazard head must not be sure of a receipt or a face.
_OTHER_THINGS = {
    "lost_found": 42, "receipts_vn": 40, "faces_press": 30, "spoof": 60, "spoof2": 120, "faces_asian": 30,
    "faces_covered": 30, "receipts_world": 40, "objects_coil": 20, "id_specimens": 20,
}  # fmt: skip
_OUTDOOR_LOOKALIKES = {"other_outdoor", "sunset", "aurora", "fog_haze", "night_lights"}
_INDOOR_LOOKALIKES = {"other_indoor", "warm_light", "red_room"}
_OUTDOOR_PLACES = {
    "street",
    "street_night",
    "street_ir",
    "road",
    "car_park",
    "car_park_night",
    "yard",
    "yard_ir",
    "plaza",
}
_SCENE_FOLDS = 5


@dataclass(frozen=True, slots=True)
class HazardPhoto:
    """One photo. ``folder`` is its data set; ``kind`` that set's own word for what it shows.

    ``burning``, ``flames``, ``flooded`` and ``outdoors`` are None where the photo neither teaches nor judges it.
    """

    path: Path
    folder: str
    source: str
    scene: str
    kind: str
    view: str = ""
    burning: bool | None = False
    flames: bool | None = None
    flooded: bool | None = False
    outdoors: bool | None = None

    def answer(self, question: str) -> bool | None:
        """What a head of that name should say."""
        answers = {
            "hazard_fire_or_smoke": self.burning,
            "hazard_flames": self.flames,
            "hazard_flood": self.flooded,
            "view_outdoors": self.outdoors,
        }
        return answers[question]

    def fold(self, by_scene: frozenset[str]) -> str:
        """The photos that are judged together by a head that saw none of them: a source, or scenes of a data set that
        is the only one of its kind."""
        if self.folder in by_scene:
            return f"{self.folder} {zlib.crc32(self.scene.encode()) % _SCENE_FOLDS}"
        return self.source


def read_photos(data: Path) -> list[HazardPhoto]:
    """Every photo, by data set. Raises ``BadData`` where one is missing."""
    photos = [
        photo
        for read in (_cctv, _outdoor, _floods, _water, _fires, _lookalikes, _normal, _rooms)
        for photo in read(data)
    ]
    return photos + [photo for folder, most in _OTHER_THINGS.items() for photo in _others(data, folder, most)]


def _source(row: Mapping[str, str]) -> str:
    return row["source"].split("@")[0]


def _cctv(data: Path) -> Iterator[HazardPhoto]:
    for path, row in labelled_photos(data / "hazards_cctv"):
        burns = row["label"] != "normal"
        flames = row["label"] == "fire" if burns else None
        yield HazardPhoto(path, "hazards_cctv", "hazards_cctv", row["scene"], row["label"], "", burns, flames)


def _outdoor(data: Path) -> Iterator[HazardPhoto]:
    for path, row in labelled_photos(data / "hazards_outdoor"):
        burns = row["label"] == "fire"
        yield HazardPhoto(
            path,
            "hazards_outdoor",
            "hazards_outdoor",
            row["file"],
            row["label"],
            "",
            burns,
            burns or None,
            outdoors=True,
        )


def _floods(data: Path) -> Iterator[HazardPhoto]:
    for path, row in labelled_photos(data / "hazards_flood"):
        flooded = row["label"] == "flood"
        yield HazardPhoto(
            path, "hazards_flood", "hazards_flood", row["file"], row["label"], flooded=flooded, outdoors=True
        )


def _water(data: Path) -> Iterator[HazardPhoto]:
    for path, row in labelled_photos(data / "indoor_water"):
        outdoors = {"outdoor": True, "room": False}.get(row["view"])
        flooded = row["label"] == "standing_water"
        yield HazardPhoto(
            path,
            "indoor_water",
            _source(row),
            row["scene"],
            row["label"],
            row["view"],
            flooded=flooded,
            outdoors=outdoors,
        )


def _fires(data: Path) -> Iterator[HazardPhoto]:
    """What is meant to burn teaches nothing: whether a candle is reason for an alarm is the hotel's to say."""
    for path, row in labelled_photos(data / "fire_indoor"):
        burns = True if row["label"] == "fire" else None
        kind = row["kind"] if burns else f"controlled {row['kind']}"
        yield HazardPhoto(path, "fire_indoor", _source(row), row["scene"], kind, "", burns, burns)


def _lookalikes(data: Path) -> Iterator[HazardPhoto]:
    for path, row in labelled_photos(data / "lookalikes"):
        kind = row["kind"]
        burns = None if kind in {"fireplace_lit", "tyre_smoke"} else False
        outdoors = True if kind in _OUTDOOR_LOOKALIKES else False if kind in _INDOOR_LOOKALIKES else None
        yield HazardPhoto(path, "lookalikes", _source(row), row["scene"], kind, "", burns, outdoors=outdoors)


def _normal(data: Path) -> Iterator[HazardPhoto]:
    for path, row in labelled_photos(data / "cctv_normal"):
        # Small sources are judged together; the largest one alone.
        source = _source(row) if _source(row).startswith("seymanurakti") else "cctv_normal, small sources"
        yield HazardPhoto(
            path, "cctv_normal", source, row["scene"], row["place"], outdoors=row["place"] in _OUTDOOR_PLACES
        )


def _rooms(data: Path) -> Iterator[HazardPhoto]:
    for path, row in labelled_photos(data / "rooms_places"):
        yield HazardPhoto(path, "rooms_places", _source(row), row["scene"], row["room_type"], outdoors=False)
    for path, row in labelled_photos(data / "rooms"):
        yield HazardPhoto(path, "rooms", "rooms", row["file"], row["label"], outdoors=False)


def _others(data: Path, folder: str, most: int) -> Sequence[HazardPhoto]:
    return [HazardPhoto(path, folder, "other things", str(path), folder) for path in some_photos(data / folder, most)]
