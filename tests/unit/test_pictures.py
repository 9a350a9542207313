"""Pictures on their way in: which formats a process of the sandbox decodes, and what that takes at most."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from app.errors import DeadlineExceeded, InvalidImage, Overloaded, TooLarge
from app.types import Image
from app.utils.fair_queue import FairPlaces
from app.utils.picture_limits import PictureLimits
from app.utils.pictures import DECODE_PICTURE, PictureOpener, needs_sandbox
from app.utils.sandbox import Sandbox, SandboxLimits
from tests import picture_zoo

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "pictures"
RED_LEFT = np.zeros((40, 60, 3), np.uint8)
RED_LEFT[:, :30] = (255, 0, 0)  # RGB
MAX_PIXELS = 1_000_000


def encoded(kind: str, pixels: np.ndarray = RED_LEFT, **options: object) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def animated_webp() -> bytes:
    buffer = io.BytesIO()
    first = PillowImage.fromarray(RED_LEFT)
    first.save(buffer, "WEBP", save_all=True, append_images=[PillowImage.new("RGB", (60, 40), "blue")], quality=95)
    return buffer.getvalue()


def is_red_left(image: Image) -> bool:
    left, right = image[:, :25].reshape(-1, 3).mean(0), image[:, 35:].reshape(-1, 3).mean(0)
    return bool(image.shape == (40, 60, 3) and left[2] > 200 and left[0] < 60 and right.max() < 60)


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox([DECODE_PICTURE])
    await sandbox.open()
    yield sandbox
    await sandbox.close()


def opener(sandbox: Sandbox, *, max_pixels: int = MAX_PIXELS, wall_s: float = 30.0, places: int = 1) -> PictureOpener:
    return PictureOpener(
        sandbox,
        FairPlaces(places, max_waiting=0, deadline_s=1.0, refusal="Too many."),
        picture_limits=PictureLimits(max_pixels),
        sandbox_limits=SandboxLimits(10, wall_s, 2**30),
    )


async def decoded(sandbox: Sandbox, data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    async with opener(sandbox, max_pixels=max_pixels).opened(data) as picture:
        return picture.decode()


@pytest.mark.parametrize(
    ("data", "sandboxed"),
    [
        (encoded("JPEG"), False),
        (encoded("PNG"), False),
        (encoded("WEBP"), False),
        (encoded("GIF"), False),
        (encoded("BMP"), False),
        (encoded("TIFF"), True),
        (encoded("AVIF"), True),
        (animated_webp(), True),
        ((FIXTURES / "red_left.heic").read_bytes(), True),
        ((FIXTURES / "red_left_turned.heic").read_bytes(), True),
    ],
    ids=["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "animated webp", "heic", "turned heic"],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_every_format_comes_out_upright_and_in_bgr(sandbox: Sandbox, data: bytes, sandboxed: bool) -> None:
    assert needs_sandbox(data) is sandboxed
    image = await decoded(sandbox, data)
    assert is_red_left(image)
    assert image.flags.c_contiguous


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF\0\0\0\0WEBPVP8X", b"II*\0", b"\0\0\0\x1cftypheic" + bytes(100), b"\0\0\0\x1cftypmp42" + bytes(99)],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_only_begins_like_a_picture_is_refused(sandbox: Sandbox, data: bytes) -> None:
    with pytest.raises(InvalidImage):
        await decoded(sandbox, data)


@pytest.mark.parametrize("kept", [0.3, 0.7])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_cut_file_is_refused(sandbox: Sandbox, kept: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (80, 80, 3), np.uint8)
    for data in (encoded("AVIF", noise), encoded("TIFF", noise), (FIXTURES / "red_left.heic").read_bytes()):
        with pytest.raises(InvalidImage):
            await decoded(sandbox, data[: int(len(data) * kept)])


@pytest.mark.asyncio(loop_scope="module")
async def test_limits_hold_for_sandboxed_formats_too(sandbox: Sandbox) -> None:
    with pytest.raises(TooLarge) as refused:
        await decoded(sandbox, (FIXTURES / "red_left.heic").read_bytes(), max_pixels=2399)
    assert refused.value.code == "too_many_pixels"
    with pytest.raises(InvalidImage) as narrow:
        await decoded(sandbox, encoded("TIFF", np.zeros((2, 200, 3), np.uint8)))
    assert narrow.value.code == "image_too_narrow"


@pytest.mark.asyncio(loop_scope="module")
async def test_pictures_of_the_sandbox_share_few_places(sandbox: Sandbox) -> None:
    """While one is in memory the next waits, or is refused; those that need no process are let through."""
    pictures = opener(sandbox)
    async with pictures.opened(encoded("TIFF")):
        with pytest.raises(Overloaded):
            async with pictures.opened(encoded("TIFF")):
                pytest.fail("there is one place")
        async with pictures.opened(encoded("PNG")) as other:
            assert is_red_left(other.decode())
    async with pictures.opened(encoded("TIFF")) as picture:
        assert is_red_left(picture.decode())


@pytest.mark.asyncio(loop_scope="module")
async def test_a_picture_that_takes_too_long_gives_its_place_back(sandbox: Sandbox) -> None:
    hurried = opener(sandbox, wall_s=0.0)
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            async with hurried.opened(encoded("TIFF")):
                pytest.fail("there was no time")


@pytest.mark.slow
@pytest.mark.parametrize("name", picture_zoo.NAMES)
def test_no_admitted_picture_takes_more_memory_than_stated(name: str) -> None:
    """Each in a process that has what docs/security.md states and no more: 12 bytes a pixel and 64 MB."""
    child = subprocess.run(
        [sys.executable, "-m", picture_zoo.__name__, name],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (child.returncode, child.stdout.strip()) == (0, picture_zoo.EXPECTED[name]), child.stderr[-2000:]
