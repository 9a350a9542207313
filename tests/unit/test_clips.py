"""Clips: what a ring keeps, and files that play in real time."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from app.types import Image
from app.workflows.cameras.clips import ClipPlan, ClipRing, encode_mp4


def picture(level: int, *, height: int = 360, width: int = 640) -> Image:
    return np.full((height, width, 3), level, dtype=np.uint8)


def noise(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (640, 640, 3), dtype=np.uint8)


def test_a_ring_keeps_its_seconds() -> None:
    ring = ClipRing(keep_s=3.0)
    for second in range(10):
        ring.add(picture(0), float(second))
    assert [frame.at_s for frame in ring.between(0.0, 100.0)] == [6.0, 7.0, 8.0, 9.0]
    assert [frame.at_s for frame in ring.between(7.0, 8.0)] == [7.0, 8.0]


def test_a_ring_is_bounded_in_bytes_whatever_the_pictures() -> None:
    ring = ClipRing(keep_s=1000.0)
    for number in range(60):
        ring.add(noise(number), float(number))
    kept = ring.between(0.0, 1000.0)
    assert sum(len(frame.jpeg) for frame in kept) <= 8 * 2**20
    assert 1 < len(kept) < 60
    assert kept[-1].at_s == 59.0


def test_without_clips_nothing_is_kept() -> None:
    ring = ClipPlan(before_s=5.0, after_s=0.0).new_ring()
    ring.add(picture(0), 1.0)
    assert ring.between(0.0, 2.0) == []


@pytest.mark.parametrize(("height", "width"), [(360, 640), (361, 479), (2000, 3000)])
def test_a_clip_plays_in_real_time(height: int, width: int) -> None:
    ring = ClipRing(keep_s=100.0)
    moments = [0.0, 0.5, 0.5001, 1.25, 4.0]
    for number, at_s in enumerate(moments):
        ring.add(picture(40 * number, height=height, width=width), 10.0 + at_s)
    data = encode_mp4(ring.between(0.0, 100.0))
    assert data.index(b"moov") < data.index(b"mdat")  # browsers show it before they have all of it
    with av.open(io.BytesIO(data), "r") as clip:
        frames = list(clip.decode(video=0))
    assert [pytest.approx(moment, abs=0.002) for moment in moments] == [frame.time for frame in frames]
    levels = [float(frame.to_ndarray(format="gray").mean()) for frame in frames]
    assert levels == sorted(levels)
    assert max(frames[0].width, frames[0].height) <= 640
    assert frames[0].format.name == "yuv420p"


def test_a_camera_that_changes_its_size_keeps_its_clip() -> None:
    ring = ClipRing(keep_s=100.0)
    ring.add(picture(10), 0.0)
    ring.add(picture(200, height=480), 1.0)
    with av.open(io.BytesIO(encode_mp4(ring.between(0.0, 2.0))), "r") as clip:
        assert {(frame.width, frame.height) for frame in clip.decode(video=0)} == {(640, 360)}


def test_the_longest_clip_has_its_index_in_front() -> None:
    ring = ClipRing(keep_s=200.0)
    small = picture(90, height=16, width=16)
    for number in range(900):
        ring.add(small, number / 10)
    data = encode_mp4(ring.between(0.0, 100.0))
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data), "r") as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 900
