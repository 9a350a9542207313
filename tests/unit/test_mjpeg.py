"""Motion JPEG in every dialect that cameras speak."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.streams.mjpeg import JpegSplitter
from tests.photos import coffee, jpeg

pytestmark = pytest.mark.slow

_LIMIT = 2**20


def _with_thumbnail(picture: bytes) -> bytes:
    """The picture with a whole JPEG in its EXIF segment, as cameras put their preview there."""
    inner = b"Exif\x00\x00" + SMALL
    return picture[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner + picture[2:]


SMALL = jpeg(np.full((8, 8, 3), 200, np.uint8))
PHOTO = jpeg(coffee())
PROGRESSIVE = cv2.imencode(".jpg", coffee(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
RESTARTS = cv2.imencode(".jpg", coffee(), [cv2.IMWRITE_JPEG_RST_INTERVAL, 4])[1].tobytes()
PICTURES = {
    "small": SMALL,
    "photo": PHOTO,
    "progressive": PROGRESSIVE,
    "restarts": RESTARTS,
    "thumbnail": _with_thumbnail(SMALL),
}


def split(data: bytes, *, sizes: list[int], limit: int = _LIMIT) -> list[bytes]:
    """What the reader makes of ``data`` that arrives in pieces of these sizes, over and over."""
    splitter = JpegSplitter(max_picture_bytes=limit)
    found, at, turn = [], 0, 0
    while at < len(data):
        splitter.feed(data[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
        while (picture := splitter.next_picture()) is not None:
            found.append(picture)
    return found


@settings(deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(PICTURES)), min_size=1, max_size=4),
    line=st.sampled_from([b"\r\n", b"\n"]),
    boundary=st.sampled_from([b"--frame", b"--my boundary", b"----", b"frame", b""]),
    before=st.sampled_from([b"", b"\r\n", b"\n", b"\r\n\r\n"]),
    length=st.sampled_from([None, 0, 17, "right", "too long"]),
    extra=st.sampled_from([b"", b"X-Timestamp: 17.5", b"Content-Disposition: inline; filename=a.jpg"]),
    padding=st.binary(max_size=8).filter(lambda data: b"\xff" not in data),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=5),
)
def test_every_dialect_gives_its_pictures(
    names: list[str],
    line: bytes,
    boundary: bytes,
    before: bytes,
    length: int | str | None,
    extra: bytes,
    padding: bytes,
    sizes: list[int],
) -> None:
    pictures = [PICTURES[name] for name in names]
    data = b""
    for picture in pictures:
        count = {"right": len(picture), "too long": len(picture) + 900}.get(str(length), length)
        head = [boundary, b"Content-Type: image/jpeg", extra]
        head += [] if count is None else [f"Content-Length: {count}".encode()]
        data += before + line.join([*head, b"", b""]) + picture + padding
    assert split(data, sizes=sizes) == pictures


def test_a_picture_that_breaks_off_costs_no_other() -> None:
    assert split(PHOTO[:9000] + b"\r\n--frame\r\n\r\n" + SMALL, sizes=[700]) == [SMALL]
    assert split(PHOTO[:9000] + b"\r\n--frame\r\n\r\n" + PHOTO, sizes=[9001]) == [PHOTO]


def test_what_never_ends_is_passed_over() -> None:
    endless = PHOTO[:-2] + b"\x00" * 70_000
    assert split(endless + SMALL, sizes=[4096], limit=50_000) == [SMALL]


@settings(deadline=None)
@given(noise=st.binary(max_size=3000), sizes=st.lists(st.integers(1, 500), min_size=1, max_size=3))
def test_noise_is_survived(noise: bytes, sizes: list[int]) -> None:
    limit = 10_000
    assert split(noise + b"\x00" * 2 * limit + SMALL, sizes=sizes, limit=limit)[-1:] == [SMALL]
