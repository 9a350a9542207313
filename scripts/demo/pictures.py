"""The pictures of the demonstration: photos that packages of the environment ship, and drawn rooms and papers."""

from __future__ import annotations

import base64
import importlib.util
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from app.api import examples
from app.types import Image

_DRAWN = Path(examples.__file__).with_name("example_pictures")
# Where faces are in insightface's photo of a group: centre x, centre y, width of the head, in pixels.
_HEADS = ((107, 330, 126), (319, 209, 124), (518, 341, 143), (797, 410, 132))
_HEAD_PX = 480
_VIDEO_FPS, _VIDEO_S = 4, 60


def drawn(name: str) -> bytes:
    """A file of those that /docs tries operations out with."""
    return (_DRAWN / name).read_bytes()


def text_of(picture: bytes) -> str:
    """As requests in JSON carry it."""
    return base64.b64encode(picture).decode()


def astronaut() -> bytes:
    """One person."""
    return _shipped("skimage", "data/astronaut.png")


def cup() -> bytes:
    return _shipped("skimage", "data/coffee.png")


def cat() -> bytes:
    return _shipped("skimage", "data/chelsea.png")


def group() -> bytes:
    """Six people."""
    return _shipped("insightface", "data/images/t1.jpg")


@cache
def heads() -> list[bytes]:
    """Some people of the group, each alone, as JPEG."""
    photo = _decoded(group())
    found = []
    for x, y, width in _HEADS:
        half = round(width * 0.95)
        whole = cv2.copyMakeBorder(photo, half, half, half, half, cv2.BORDER_REPLICATE)
        cut = whole[y : y + 2 * half, x : x + 2 * half]
        found.append(_jpeg(cv2.resize(cut, (_HEAD_PX, _HEAD_PX), interpolation=cv2.INTER_CUBIC)))
    return found


def tinted(picture: bytes, *, hue: int) -> bytes:
    """The same thing in another colour."""
    hsv = cv2.cvtColor(_decoded(picture), cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + hue) % 180
    return _jpeg(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))


def write_video(path: Path) -> None:
    """A minute of the drawn room, seen by a camera that sways."""
    room = _decoded(drawn("room.jpg"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=_VIDEO_FPS)
        stream.height, stream.width = room.shape[:2]
        stream.pix_fmt = "yuv420p"
        for number in range(_VIDEO_FPS * _VIDEO_S):
            frame = av.VideoFrame.from_ndarray(np.roll(room, number % 5, axis=1), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _shipped(package: str, name: str) -> bytes:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{package} is not installed; make demo makes the environment")
    return (Path(spec.origin).parent / name).read_bytes()


def _decoded(picture: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("a shipped picture can't be decoded")
    return image.astype(np.uint8)


def _jpeg(image: cv2.typing.MatLike) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
