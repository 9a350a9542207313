"""The photos that teach and judge the room heads: which source and scene each is from, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.heads.photos import labelled_photos, some_photos

_YES_NO = {"yes": True, "no": False, "1": True, "0": False}
_DISORDER = {"tidy": False, "untidy": True, "dirty": True}
_TOWELS = {"present": True, "rack_without_towel": False, "not_visible": False}
_OUTDOOR_PLACES = {"street", "street_night", "street_ir", "road", "car_park", "car_park_night", "yard", "yard_ir"}
_OUTDOOR_KINDS = {"other_outdoor", "sunset", "aurora", "fog_haze", "night_lights", "red_object", "fire_picture"}
# Pictures of other things, at most so many of each.
_OTHER_THINGS = {
    "lost_found": 42, "faces_press": 29, "receipts_vn": 40, "receipts_en": 15, "id_specimens": 42, "objects_coil": 60,
    "hazards_outdoor": 80, "hazards_flood": 14, "faces_lfw": 40, "spoof": 60,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelledRoom:
    """One photo. ``answers`` has, by the name of a head, what it should say; a head that is not in it neither learns
    from this photo nor is judged by it."""

    path: Path
    folder: str
    source: str
    scene: str
    kind: str
    answers: Mapping[str, bool] = field(default_factory=dict)


def read_room_photos(data: Path) -> list[LabelledRoom]:
    """Every photo, by data set. Raises ``BadData`` where one is missing."""
    photos = [photo for read in (_places, _homes, _corridors, _lookalikes) for photo in read(data)]
    return photos + [photo for folder, most in _OTHER_THINGS.items() for photo in _others(data, folder, most)]


def _places(data: Path) -> Iterator[LabelledRoom]:
    kinds = {"entrance_hall": "corridor", "living_room": "other", "kitchen": "other", "dining_room": "other"}
    for path, row in labelled_photos(data / "rooms_places"):
        kind = kinds.get(row["room_type"], row["room_type"])
        is_room = kind != "not_a_room"
        answers: dict[str, bool | None] = {
            "room_shown": is_room,
            "bed_unmade": {"yes": False, "no": True}.get(row["bed_made"]),
        }
        if is_room:
            answers |= _views(kind) | {
                "view_detail": row["whole_room"] == "no",
                "bed_visible": _YES_NO.get(row["bed_visible"]),
                "floor_visible": _YES_NO.get(row["floor_visible"]),
                "toilet_visible": _YES_NO.get(row["toilet_visible"]),
                "towels_present": _TOWELS.get(row["towels"]),
                **_disorder(kind, row["tidy"]),
            }
        yield _photo(path, "rooms_places", row["scene"], kind, answers)


def _homes(data: Path) -> Iterator[LabelledRoom]:
    tidy = {path: row["label"] for path, row in labelled_photos(data / "rooms")}
    for path, row in labelled_photos(data / "rooms", "labels_by_eye.csv"):
        kind = "bedroom" if row["room_type"] == "bedroom" else "other"
        clear = _YES_NO.get(row["floor_clear"])
        answers: dict[str, bool | None] = {
            "room_shown": True,
            **_views(kind),
            "view_detail": False,
            "bed_visible": _YES_NO.get(row["bed_visible"]),
            "bed_unmade": {"1": False, "0": True}.get(row["bed_made"]),
            "floor_visible": True if row["floor_clear"] else None,
            "floor_cluttered": None if clear is None else not clear,
            "towels_present": _YES_NO.get(row["towels_visible"]),
            "toilet_visible": False,
            **_disorder(kind, "tidy" if tidy[path] == "clean" else "untidy"),
        }
        yield _photo(path, "rooms", row["file"], kind, answers)


def _views(kind: str) -> dict[str, bool | None]:
    return {f"view_{name}": kind == name for name in ("bedroom", "bathroom", "corridor")}


def _disorder(kind: str, label: str) -> dict[str, bool | None]:
    """Disorder is learnt from all rooms, and judged in rooms and in bathrooms apart."""
    disorder = _DISORDER.get(label)
    return {"bathroom_dirty" if kind == "bathroom" else "room_messy": disorder, "disorder": disorder}


def _corridors(data: Path) -> Iterator[LabelledRoom]:
    """Of cameras' frames only corridors and what lies outdoors: other halls are rooms of no kind that is asked for."""
    for path, row in labelled_photos(data / "cctv_normal"):
        if row["place"] in ("corridor", "corridor_ir"):
            yield _photo(path, "cctv_normal", row["scene"], "corridor", {"room_shown": True, **_views("corridor")})
        elif row["place"] in _OUTDOOR_PLACES:
            yield _photo(path, "cctv_normal", row["scene"], "outdoors", {"room_shown": False})


def _lookalikes(data: Path) -> Iterator[LabelledRoom]:
    for path, row in labelled_photos(data / "lookalikes"):
        if row["kind"] in _OUTDOOR_KINDS:
            yield _photo(path, "lookalikes", row["scene"], row["kind"], {"room_shown": False})


def _others(data: Path, folder: str, most: int) -> Iterator[LabelledRoom]:
    for path in some_photos(data / folder, most):
        yield _photo(path, "other things", str(path), folder, {"room_shown": False})


def _photo(path: Path, folder: str, scene: str, kind: str, answers: Mapping[str, bool | None]) -> LabelledRoom:
    known = {name: answer for name, answer in answers.items() if answer is not None}
    return LabelledRoom(path, folder, folder, f"{folder}/{scene}", kind, known)
