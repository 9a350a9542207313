"""What each hazard head learns, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.heads import Pooling
from scripts.hazards.training import HazardQuestion


@dataclass(frozen=True, slots=True)
class HazardRecipe:
    """A question, and what its card and file say. ``reliability``: where its figures come from, by type of anomaly:
    ``indoor`` or ``outdoor``; a type elsewhere is ``untested``."""

    question: HazardQuestion
    title: str
    positive: str
    negative: str
    limits: tuple[str, ...]
    reliability: dict[str, list[str]]


_SMOKE_HAS_ONE_SOURCE = frozenset({"hazards_cctv"})
_WATER_HAS_FEW = frozenset({"hazards_flood", "indoor_water", "rooms_places"})

HAZARD_RECIPES = (
    HazardRecipe(
        HazardQuestion(
            "hazard_fire_or_smoke",
            Pooling.SPOT,
            _SMOKE_HAS_ONE_SOURCE,
            l2=3e-4,
            max_false=0.03,
            max_false_alerts=0.007,
            tiles_apart=True,  # frames that were made cost half of the fires of a source that it never saw
        ),
        title="Fire or smoke",
        positive="fire or smoke in the frame that nobody lit on purpose",
        negative="neither",
        limits=(
            "Smoke has one source (hazards_cctv, security fog among it): judged without it, most of its smoke is "
            "missed.",
            "Fire on a screen or in a painting is told as fire in half of the pictures, and alerts in one of eight.",
            "A fireplace, a candle or a gas hob may be told as a fire: they were neither taught nor counted.",
        ),
        reliability={"fire": ["indoor", "outdoor"], "smoke": ["indoor"]},
    ),
    HazardRecipe(
        HazardQuestion(
            "hazard_flames",
            Pooling.SPOT,
            _SMOKE_HAS_ONE_SOURCE,
            l2=5e-4,
            max_false=0.06,
            of_what_burns=True,
            made_share=0.3,
        ),
        title="Flames, not smoke alone",
        positive="flames are in the frame",
        negative="smoke without flames",
        limits=(
            "It means something only where hazard_fire_or_smoke says yes.",
            "In views of cameras (hazards_cctv) it names half of the fires smoke.",
        ),
        reliability={},
    ),
    HazardRecipe(
        HazardQuestion(
            "hazard_flood",
            Pooling.SPOT,
            _WATER_HAS_FEW,
            l2=5e-4,
            max_false=0.015,
            max_false_alerts=0.008,
            max_hard_alerts={"wet_shine": 0.1, "bathroom": 0.01},
        ),
        title="Water on the floor or the ground",
        positive="standing water on a floor, or flood water outdoors",
        negative="none; wet tiles and drops are not standing water",
        limits=(
            "Indoors it is untested: 36 photos of few sources. Judged without their source hardly any is found.",
            "Outdoors it learnt from 13 floods of one source: judged without that source, none of them is found.",
            "A freshly mopped or wet-looking floor is taken for water about as often as water is found.",
        ),
        reliability={"flood": ["outdoor"]},
    ),
    HazardRecipe(
        HazardQuestion("view_outdoors", Pooling.MEAN, frozenset(), l2=5e-4),
        title="A view outdoors",
        positive="the frame shows a place outdoors",
        negative="the inside of a building",
        limits=("A glass front, a covered yard and a dark car park are the usual mistakes.",),
        reliability={},
    ),
)
