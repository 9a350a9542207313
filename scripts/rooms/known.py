"""Known rooms: which photos are like those that the room heads learnt from, judged on sources that are not among them.

A photo that is like none of them is not taken for a room, whatever ``room_shown`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from app.core.known_views import NEAREST, KnownViews
from app.core.looks import QUICK
from app.types import FloatArray
from evaluation.figures import Share, as_table
from scripts.heads.validation import Flags
from scripts.rooms.photos import LabelledRoom
from scripts.rooms.rows import LookRows
from scripts.rooms.training import JudgedHead

_ROWS = 128
_LIKE = 0.97  # so many rooms of a source that is not among the known ones must be like them
_FEWEST = 20


class KnownRooms:
    """All photos, of which those of rooms can be known."""

    def __init__(self, photos: Sequence[LabelledRoom], rows: LookRows) -> None:
        self._rows = rows.views[QUICK][:, 0]
        self._sources = np.array([photo.source for photo in photos])
        self._rooms = np.array([photo.answers["room_shown"] for photo in photos])

    def among(self, chosen: Flags) -> KnownViews:
        """Known are rooms of the chosen photos; how far is too far is seen at each source of them beside the others."""
        chosen = chosen & self._rooms
        distances = []
        for source in np.unique(self._sources[chosen]):
            here, others = chosen & (self._sources == source), chosen & (self._sources != source)
            if others.sum() >= _FEWEST:
                distances.append(KnownViews(self._some(others), 0.0).distances(self._rows[here]))
        if not distances:
            raise ValueError("rooms of two sources are needed")
        return KnownViews(self._some(chosen), round(float(np.quantile(np.concatenate(distances), _LIKE)), 3))

    def known_unseen(self) -> Flags:
        """(n,) whether each photo is like rooms of other sources."""
        known = np.zeros(len(self._sources), bool)
        for source in np.unique(self._sources):
            here = self._sources == source
            others = self.among(~here)
            known[here] = others.distances(self._rows[here]) <= others.farthest
        return known

    def shares(self, shown: JudgedHead) -> list[Share]:
        """How often photos of each source are like rooms of the others, and how often they are then said to show one,
        by a head that did not see their source either."""
        known, found = self.known_unseen(), []
        for source in np.unique(self._sources):
            for is_room, word in ((True, "rooms"), (False, "others")):
                here = (self._sources == source) & (self._rooms == is_room)
                if here.any():
                    found.append(Share(f"{word} of {source}: like rooms of other sources", *_count(known, here)))
                    found += [
                        Share(f"{look}: {word} of {source}: said to be a room too", *_count(known & said, here))
                        for look, said in shown.unseen.items()
                    ]
        return found

    def _some(self, chosen: Flags) -> FloatArray:
        photos: NDArray[np.intp] = np.flatnonzero(chosen)
        if len(photos) > _ROWS:
            photos = np.random.default_rng(0).choice(photos, _ROWS, replace=False)
        return self._rows[photos]


def _count(said: Flags, here: Flags) -> tuple[int, int]:
    return int((said & here).sum()), int(here.sum())


def known_facts(shares: Sequence[Share]) -> dict[str, object]:
    """JSON values for the file."""
    return {
        "trained_at": datetime.now(UTC).date().isoformat(),
        "left_out": [{"name": share.name, "count": share.count, "n": share.n} for share in shares],
    }


def known_card(known: KnownViews, shares: Sequence[Share]) -> str:
    """Markdown."""
    return f"""# Known rooms (`known_rooms`)

Features of {len(known.rows)} photos of rooms. A photo is like them up to a distance of {known.farthest:g}:
one less the mean cosine to the nearest {NEAREST}. {_LIKE:.0%} of the rooms of a source that is not among them keep it.
Farther photos are taken for no room, and the status stays unknown.

Each row is of a source that was not among the known ones, nor in the distance's choice, nor in the head `room_shown`.

{as_table(shares)}

**Limits.**
- It tells documents, faces and things from rooms, and hardly landscapes and streets.
- The number of photos and the share were chosen among some twenty on these figures, which differed little.
"""
