"""An incident's clip in a real browser: it plays, and shows the moment where it belongs."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from playwright.sync_api import Page

from app.types import Image
from app.workflows.cameras.clips import ClipPlan, encode_mp4
from tests.browser import browser_page

pytestmark = pytest.mark.slow

BEFORE_S, AFTER_S, FPS = 5.0, 10.0, 2
COLOUR_AT = """
async ([source, seconds]) => {
  const video = document.createElement('video');
  video.muted = true;
  video.src = source;
  await new Promise((done, failed) => {
    video.onloadeddata = done;
    video.onerror = () => failed(video.error.message);
  });
  await new Promise(done => { video.onseeked = done; video.currentTime = seconds; });
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  const pixel = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
  return [video.duration, canvas.width, canvas.height, pixel[0], pixel[2]];
}
"""
PLAYED = """
async source => {
  const video = document.createElement('video');
  video.muted = true;
  video.src = source;
  video.playbackRate = 4;
  document.body.append(video);
  await new Promise((done, failed) => {
    video.onended = done;
    video.onerror = () => failed(video.error.message);
    video.play();
  });
  return video.currentTime;
}
"""


def picture(colour: tuple[int, int, int]) -> Image:
    shown = np.empty((360, 640, 3), np.uint8)
    shown[:] = colour
    return shown


def clip() -> str:
    """Blue until the moment, red from then on, as a data URL."""
    ring, moment_s = ClipPlan(before_s=BEFORE_S, after_s=AFTER_S).new_ring(), 100.0
    for number in range(round((BEFORE_S + AFTER_S) * FPS) + 1):
        at_s = moment_s - BEFORE_S + number / FPS
        ring.add(picture((220, 30, 30) if at_s < moment_s else (30, 30, 220)), at_s)
    mp4 = encode_mp4(ring.between(moment_s - BEFORE_S, moment_s + AFTER_S))
    return f"data:video/mp4;base64,{base64.b64encode(mp4).decode()}"


def is_red(page: Page, source: str, seconds: float) -> bool:
    duration, width, height, red, blue = page.evaluate(COLOUR_AT, [source, seconds])
    assert duration == pytest.approx(BEFORE_S + AFTER_S, abs=1.0)
    assert (width, height) == (640, 360)
    return bool(red > blue)


def test_a_clip_plays_and_the_moment_is_where_it_belongs() -> None:
    source = clip()
    with browser_page() as page:
        shown = [is_red(page, source, seconds) for seconds in (0.2, BEFORE_S - 0.3, BEFORE_S + 0.3, 14.0)]
        assert shown == [False, False, True, True]
        assert page.evaluate(PLAYED, source) == pytest.approx(BEFORE_S + AFTER_S, abs=1.0)
