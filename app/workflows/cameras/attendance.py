"""Attendance from a stream: liveness and identity are decided over several frames of one face, not over one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.types import FloatArray
from app.workflows.cameras.tracks import Tracker, max_gap_s
from app.workflows.safety.faces import SeenFace

_NEEDED_FRAMES = 3
# Nobody in the gallery after so many fused frames is a stranger, until the track ends.
_MAX_FRAMES = 12
# Frames of one person agree far better; less means that the track jumped to somebody else.
_MIN_AGREEMENT = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A track that is ready to be looked up.

    Attributes:
        vector: (d,) float32 of unit norm, all frames together.
        liveness: mean score of the frames that could be judged.
    """

    track_id: int
    vector: FloatArray
    liveness: float


@dataclass(slots=True)
class _Gathered:
    """What one track has shown so far; ``total`` is the sum of its frames' embeddings."""

    total: FloatArray
    scores: list[float] = field(default_factory=list)
    is_decided: bool = False


class AttendanceWatch:
    """Gathers the faces of one camera's frames by track.

    Args:
        min_liveness: the mean score that makes a track live.
        interval_s: between two frames of the camera.
    """

    def __init__(self, *, min_liveness: float, interval_s: float) -> None:
        self._min_liveness = min_liveness
        self._tracker = Tracker(min_affinity=0.15, max_gap_s=max_gap_s(interval_s))
        self._gathered: dict[int, _Gathered] = {}

    @property
    def is_gathering(self) -> bool:
        """Whether the next frame matters even if nothing moves."""
        return any(not gathered.is_decided for gathered in self._gathered.values())

    def see(self, faces: Sequence[SeenFace], now_s: float) -> list[Candidate]:
        """Take in one frame.

        Args:
            faces: of the frame.
            now_s: the monotonic clock.

        Returns:
            Tracks to look up now: live over enough frames, and not decided yet.
        """
        tracks = self._tracker.update([seen.face.box for seen in faces], now_s)
        alive = self._tracker.alive_ids()
        self._gathered = {track_id: one for track_id, one in self._gathered.items() if track_id in alive}
        ready = []
        for seen, track in zip(faces, tracks, strict=True):
            gathered = self._gather(track.id, seen)
            if gathered is not None and not gathered.is_decided and len(gathered.scores) >= _NEEDED_FRAMES:
                liveness = float(np.mean(gathered.scores))
                if liveness >= self._min_liveness:
                    ready.append(Candidate(track.id, _unit(gathered.total), liveness))
                gathered.is_decided = len(gathered.scores) >= _MAX_FRAMES
        return ready

    def decide(self, track_id: int) -> None:
        """Ask no more about a track: its person is known and written down."""
        if track_id in self._gathered:
            self._gathered[track_id].is_decided = True

    def _gather(self, track_id: int, seen: SeenFace) -> _Gathered | None:
        """Add a frame to its track; one whose liveness nobody can judge adds nothing."""
        gathered = self._gathered.get(track_id)
        if seen.liveness.uncertain is not None:
            return gathered
        if gathered is None or float(_unit(gathered.total) @ seen.vector) < _MIN_AGREEMENT:
            gathered = self._gathered[track_id] = _Gathered(np.zeros_like(seen.vector))
        gathered.total = gathered.total + seen.vector
        gathered.scores.append(seen.liveness.score)
        return gathered


def _unit(vector: FloatArray) -> FloatArray:
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)
