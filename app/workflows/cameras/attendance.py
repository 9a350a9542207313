"""Attendance from a stream: liveness, identity and direction are decided over several frames of one face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.core.anomaly_detector import upper_body
from app.core.face_recognition import unit_vector
from app.types import AttendanceAction, FloatArray
from app.workflows.cameras.tracks import Tracker, max_gap_s
from app.workflows.safety.faces import SeenFace
from app.workflows.safety.lines import CrossingLine, Direction, LineWatch
from app.workflows.safety.zones import centre_point

_NEEDED_FRAMES = 3
# Nobody in the gallery after so many fused frames is a stranger, until the track ends.
_MAX_FRAMES = 12
# Frames of one person agree far better; less means that the track jumped to somebody else.
_MIN_AGREEMENT = 0.1
_ACTIONS = {Direction.IN: AttendanceAction.CHECK_IN, Direction.OUT: AttendanceAction.CHECK_OUT}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A track that is ready to be looked up.

    Attributes:
        vector: (d,) float32 of unit norm, all frames together.
        liveness: mean score of the frames that could be judged.
        action: by the line that was crossed; where there is none, everybody comes in.
    """

    track_id: int
    vector: FloatArray
    liveness: float
    action: AttendanceAction


@dataclass(slots=True)
class _Gathered:
    """What one track has shown so far; ``total`` is the sum of its frames' embeddings. ``action``: None before the
    line is crossed."""

    total: FloatArray
    action: AttendanceAction | None
    scores: list[float] = field(default_factory=list)
    is_decided: bool = False


class AttendanceWatch:
    """Gathers the faces of one camera's frames by track.

    Args:
        min_liveness: the mean score that makes a track live.
        interval_s: between two frames of the camera.
        line: whose crossing is coming or going, by the middle of the face; None: whoever is seen comes.
    """

    def __init__(self, *, min_liveness: float, interval_s: float, line: CrossingLine | None = None) -> None:
        self._min_liveness = min_liveness
        self._line = None if line is None else LineWatch([line])
        self._tracker = Tracker(min_affinity=0.15, max_gap_s=max_gap_s(interval_s))
        self._gathered: dict[int, _Gathered] = {}

    @property
    def is_gathering(self) -> bool:
        """Whether the next frame matters even if nothing moves."""
        return any(not one.is_decided and 0 < len(one.scores) < _MAX_FRAMES for one in self._gathered.values())

    def see(self, faces: Sequence[SeenFace], now_s: float, *, size: tuple[int, int]) -> list[Candidate]:
        """Take in one frame.

        Args:
            faces: of the frame.
            now_s: the monotonic clock.
            size: width and height of the frame.

        Returns:
            Tracks to look up now: live over enough frames, and not decided yet.
        """
        # A step is more than a face's width, but less than that of the shoulders below it.
        tracks = self._tracker.update([upper_body(seen.face.box) for seen in faces], now_s)
        alive = self._tracker.alive_ids()
        self._gathered = {track_id: one for track_id, one in self._gathered.items() if track_id in alive}
        crossed = self._crossings({track.id: seen for seen, track in zip(faces, tracks, strict=True)}, size)
        ready = []
        for seen, track in zip(faces, tracks, strict=True):
            gathered = self._gather(track.id, seen)
            if track.id in crossed:
                gathered.action, gathered.is_decided = crossed[track.id], False
            if gathered.action and not gathered.is_decided and len(gathered.scores) >= _NEEDED_FRAMES:
                liveness = float(np.mean(gathered.scores))
                if liveness >= self._min_liveness:
                    ready.append(Candidate(track.id, unit_vector(gathered.total), liveness, gathered.action))
                gathered.is_decided = len(gathered.scores) >= _MAX_FRAMES
        return ready

    def _crossings(self, seen: Mapping[int, SeenFace], size: tuple[int, int]) -> dict[int, AttendanceAction]:
        """What those do who have just crossed the line, by track."""
        if self._line is None:
            return {}
        width, height = size
        points = {track_id: centre_point(one.face.box, width=width, height=height) for track_id, one in seen.items()}
        crossings = self._line.see(points, self._tracker.alive_ids())
        return {one.track_id: _ACTIONS[one.direction] for one in crossings}

    def decide(self, track_id: int) -> None:
        """Ask no more about a track: its person is known and written down."""
        if track_id in self._gathered:
            self._gathered[track_id].is_decided = True

    def _gather(self, track_id: int, seen: SeenFace) -> _Gathered:
        """Add a frame to its track; one whose liveness nobody can judge adds no more than where the face is."""
        gathered = self._gathered.get(track_id)
        score = None if seen.liveness.uncertain is not None else seen.liveness.score
        is_other = gathered is not None and len(gathered.scores) > 0 and score is not None
        if gathered is None or (is_other and float(unit_vector(gathered.total) @ seen.vector) < _MIN_AGREEMENT):
            action = AttendanceAction.CHECK_IN if self._line is None else None
            gathered = self._gathered[track_id] = _Gathered(np.zeros_like(seen.vector), action)
        if score is None:
            return gathered
        gathered.total = gathered.total + seen.vector
        gathered.scores.append(score)
        return gathered
