"""What each room head learns, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.rooms.training import RoomQuestion


@dataclass(frozen=True, slots=True)
class RoomRecipe:
    """A question, and what its card and file say."""

    question: RoomQuestion
    title: str
    positive: str
    negative: str
    limits: tuple[str, ...] = ()


def _view(name: str, title: str, positive: str, negative: str, *limits: str) -> RoomRecipe:
    return RoomRecipe(RoomQuestion(name, l2=1e-4, each_view=False), title, positive, negative, limits)


def _state(name: str, title: str, positive: str, negative: str, *limits: str) -> RoomRecipe:
    question = RoomQuestion(name, l2=1e-4, each_view=True)
    return RoomRecipe(question, title, positive, negative, limits)


_ONE_SOURCE = "Nearly all photos of it are of one source: how it does elsewhere is known by scene alone."

ROOM_RECIPES = (
    _view(
        "room_shown", "A room at all", "the inside of a room, a corridor or a part of one",
        "anything else: a face, an object, a document, a landscape, a street",
        "An aircraft cabin or a shop is often taken for a room.",
    ),
    _view(
        "view_bedroom", "A bedroom", "a bedroom or a part of one", "another room",
        "A living room with a couch and a studio with a bed are the usual mistakes.",
    ),
    _view("view_bathroom", "A bathroom", "a bathroom or a part of one", "another room", _ONE_SOURCE),
    _view(
        "view_corridor", "A corridor", "a corridor or an entrance hall", "another room",
        "Cameras' corridors and entrance halls of homes hardly teach each other.",
    ),
    _view(
        "view_detail", "A part of a room", "a close-up, a shelf, a product shot", "a whole room", _ONE_SOURCE,
        "Where a room ends and a detail begins is the labeller's judgement.",
    ),
    _view(
        "bed_visible", "Bed in the photo", "a bed is in the photo", "no bed is in the photo",
        "Beds under heaps of things are often missed; a sofa with cushions may pass for a bed.",
    ),
    _view("floor_visible", "Floor in the photo", "the floor can be seen", "it cannot", _ONE_SOURCE),
    _view("toilet_visible", "Toilet in the photo", "a toilet is in the photo", "none is", _ONE_SOURCE),
    _view(
        "towels_present", "Towels", "towels are in the photo", "none are in sight", _ONE_SOURCE,
        "No towel in sight is not a towel missing: it answers yes, and never no.",
    ),
    _state(
        "room_messy", "Untidy room", "things lie about, surfaces or floor are cluttered, or the bed is unmade", "tidy",
        "Homes and catalogues, no photos of a hotel's staff; no bathrooms: these have a head of their own.",
        "Tidy is not clean: stains, dust and smells do not show.",
        "A single thing on an otherwise tidy bed or floor is the usual mistake.",
    ),
    RoomRecipe(
        RoomQuestion("bathroom_dirty", l2=3e-4, each_view=True, even=True, learns_from="disorder"),
        "Untidy or dirty bathroom", "filth, mould, a ruin, or things strewn about", "tidy",
        (
            _ONE_SOURCE,
            "Most of the dirty ones are ruins, mould and building sites, few a merely unclean hotel bathroom.",
            "Towels on the floor, a wet floor and an open lid were not labelled, and are not told.",
        ),
    ),
    _state(
        "bed_unmade", "Unmade bed", "the bed in the photo is unmade", "the bed in the photo is made",
        "An unmade bed nearly always stands in an untidy room: the head cannot tell the two apart well.",
        "It means nothing where no bed is in the photo.",
    ),
    _state(
        "floor_cluttered", "Things on the floor", "things lie on the floor", "the floor in the photo is clear",
        "Learnt from 87 photos of homes of one source, where a cluttered floor goes with an untidy room.",
        "Clutter, not dirt: stains and crumbs do not show.",
    ),
)  # fmt: skip
