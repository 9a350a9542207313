"""Bytes from outside become upright pixels, or a clear refusal."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from app.errors import InvalidImage, TooLarge, VisionError
from app.types import Box
from app.utils.image_processing import crop, decode_image, encode_jpeg
from app.utils.picture_limits import PictureLimits

MAX_PIXELS = 10_000_000
RED_LEFT = np.zeros((40, 60, 3), np.uint8)
RED_LEFT[:, :30] = (255, 0, 0)  # RGB


def encoded(image: PillowImage.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(data: bytes) -> np.ndarray:
    return decode_image(data, PictureLimits(MAX_PIXELS))


def is_red_left(image: np.ndarray) -> bool:
    """BGR: red on the left half, black on the right."""
    left, right = image[:, :25].reshape(-1, 3).mean(0), image[:, 35:].reshape(-1, 3).mean(0)
    return bool(left[2] > 200 and left[0] < 60 and right.max() < 60)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_common_formats_decode_to_bgr(kind: str) -> None:
    image = decode(encoded(PillowImage.fromarray(RED_LEFT), kind))
    assert image.dtype == np.uint8
    assert image.shape == (40, 60, 3)
    assert is_red_left(image)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    upright = PillowImage.fromarray(RED_LEFT)
    # The stored pixels are the upright ones under the inverse of what the tag asks for.
    inverse = {
        2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
        3: PillowImage.Transpose.ROTATE_180,
        4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
        5: PillowImage.Transpose.TRANSPOSE,
        6: PillowImage.Transpose.ROTATE_90,
        7: PillowImage.Transpose.TRANSVERSE,
        8: PillowImage.Transpose.ROTATE_270,
    }.get(orientation)
    stored = upright.transpose(inverse) if inverse is not None else upright
    exif = PillowImage.Exif()
    exif[0x0112] = orientation

    image = decode(encoded(stored, kind, exif=exif))

    assert image.shape == (40, 60, 3)
    assert is_red_left(image)


def test_cmyk_jpeg_has_the_right_colours() -> None:
    assert is_red_left(decode(encoded(PillowImage.fromarray(RED_LEFT).convert("CMYK"), "JPEG", quality=95)))


def test_grey_jpeg_becomes_three_channels() -> None:
    image = decode(encoded(PillowImage.fromarray(RED_LEFT).convert("L"), "JPEG"))
    assert image.shape == (40, 60, 3)


def test_16_bit_png_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 100, dtype=np.uint16)[None].repeat(10, 0)
    image = decode(encoded(PillowImage.fromarray(ramp), "PNG"))
    assert image[0, 0, 0] == 0
    assert 120 <= image[0, 50, 0] <= 135
    assert image[0, 99, 0] == 255


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_samples_of_a_sensor_fill_the_range_that_they_use(bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 100, dtype=np.uint16)[None].repeat(10, 0)
    image = decode(encoded(PillowImage.fromarray(ramp), "PNG"))
    assert (image[0, 0, 0], image[0, 99, 0]) == (0, 255)
    assert 120 <= image[0, 50, 0] <= 135


@pytest.mark.parametrize(("darkest", "brightest"), [(20_000, 22_000), (300, 500), (0, 900), (64_000, 65_535)])
def test_a_narrow_band_of_an_infrared_sensor_is_spread(darkest: int, brightest: int) -> None:
    ramp = np.linspace(darkest, brightest, 300).astype(np.uint16)[None].repeat(60, 0)
    ramp[3, 3] = 65_535  # a hot pixel
    image = decode(encoded(PillowImage.fromarray(ramp), "PNG"))
    assert image[9, 2, 0] < 6
    assert 120 <= image[9, 150, 0] <= 135
    assert image[9, 297, 0] > 250
    assert len(np.unique(image)) > 150


@pytest.mark.parametrize(("darkest", "brightest"), [(0.0, 1.0), (-20.0, 40.0), (290.0, 310.0), (0.0, 1e6)])
def test_numbers_that_are_no_tones_are_spread(darkest: float, brightest: float) -> None:
    heat = np.linspace(darkest, brightest, 300).astype(np.float32)[None].repeat(60, 0)
    heat[3, 3] = np.nan
    image = decode(encoded(PillowImage.fromarray(heat), "TIFF"))
    assert image[9, 2, 0] < 6
    assert 120 <= image[9, 150, 0] <= 135
    assert image[9, 297, 0] > 250


def test_one_tone_of_a_deep_picture_keeps_its_place() -> None:
    even = np.full((20, 20), 32_768, np.uint16)
    assert {127, 128} & set(np.unique(decode(encoded(PillowImage.fromarray(even), "PNG"))).tolist())


def test_transparency_is_laid_on_white() -> None:
    clear = PillowImage.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert decode(encoded(clear, "PNG")).min() == 255


def test_palette_png_decodes() -> None:
    image = PillowImage.fromarray(RED_LEFT).convert("P", palette=PillowImage.Palette.ADAPTIVE)
    assert is_red_left(decode(encoded(image, "PNG")))


def test_animation_gives_its_first_frame() -> None:
    frames = [PillowImage.fromarray(RED_LEFT), PillowImage.new("RGB", (60, 40), "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert is_red_left(decode(data))


def test_one_pixel_decodes() -> None:
    assert decode(encoded(PillowImage.new("RGB", (1, 1), "red"), "PNG")).shape == (1, 1, 3)


def test_empty_input_is_refused() -> None:
    with pytest.raises(InvalidImage) as refused:
        decode(b"")
    assert refused.value.code == "empty_image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_cut_file_is_refused(kind: str, kept: float) -> None:
    rng = np.random.default_rng(1)
    data = encoded(PillowImage.fromarray(rng.integers(0, 255, (80, 80, 3), np.uint8)), kind)
    with pytest.raises(InvalidImage) as refused:
        decode(data[: int(len(data) * kept)])
    assert refused.value.code in ("damaged_image", "unsupported_image")


def test_a_cut_jpeg_with_an_exif_thumbnail_is_refused() -> None:
    rng = np.random.default_rng(1)
    thumbnail = encoded(PillowImage.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)), "JPEG")
    data = encoded(PillowImage.fromarray(rng.integers(0, 255, (200, 200, 3), np.uint8)), "JPEG")
    # An APP1 segment that holds a whole small JPEG, end marker included.
    with_thumbnail = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    assert decode(with_thumbnail).shape == (200, 200, 3)
    with pytest.raises(InvalidImage):
        decode(with_thumbnail[: len(with_thumbnail) // 2])


@pytest.mark.parametrize(
    "data",
    [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"hello", bytes(99), b"GIF89a", b"\xff\xd8\xff"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode(data)


def test_too_many_pixels_are_refused_before_decoding() -> None:
    # A header that promises 20 000 x 20 000 pixels, and no pixel data: only the header may be read.
    ihdr = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + ihdr + struct.pack(">I", zlib.crc32(b"IHDR" + ihdr))
    with pytest.raises(TooLarge) as refused:
        decode(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    assert refused.value.code == "too_many_pixels"


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_jpeg_of_endless_passes_is_refused(mode: str) -> None:
    data = encoded(PillowImage.fromarray(RED_LEFT).convert(mode), "JPEG", progressive=True)
    assert decode(data).shape == (40, 60, 3)
    last_pass = data[data.rfind(b"\xff\xda") : -2]
    with pytest.raises(InvalidImage) as refused:
        decode(data[:-2] + last_pass * 200 + data[-2:])
    assert refused.value.code == "too_many_passes"


def test_a_large_jpeg_may_have_fewer_passes() -> None:
    """Each walks over all pixels: ninety over 25 million hold a thread as long as some thousand over a small one."""
    data = encoded(PillowImage.new("L", (5000, 5000), 255), "JPEG", progressive=True)
    assert decode_image(data, PictureLimits(25_000_000)).shape == (5000, 5000, 3)
    last_pass = data[data.rfind(b"\xff\xda") : -2]
    with pytest.raises(InvalidImage) as refused:
        decode_image(data[:-2] + last_pass * 85 + data[-2:], PictureLimits(25_000_000))
    assert refused.value.code == "too_many_passes"


def test_a_picture_that_is_half_clear_lies_half_on_white() -> None:
    picture = PillowImage.new("RGBA", (4, 2), (200, 0, 0, 128))
    image = decode(encoded(picture, "PNG"))
    assert np.abs(image[0, 0].astype(int) - [127, 127, 227]).max() <= 1


BASE_JPEG = encoded(PillowImage.fromarray(np.random.default_rng(3).integers(0, 255, (80, 120, 3), np.uint8)), "JPEG")


@pytest.mark.parametrize("seed", range(20))
def test_what_stands_behind_a_jpeg_is_passed_over(seed: int) -> None:
    """A motion photo's film holds every marker somewhere."""
    film = b"\0\0\0\x18ftypmp42" + np.random.default_rng(seed).bytes(2**20)
    assert b"\xff\xda" in film
    assert np.array_equal(decode(BASE_JPEG + b"MotionPhoto_Data" + film), decode(BASE_JPEG))


@pytest.mark.parametrize("more", [b"\0" * 10, b"text", BASE_JPEG, BASE_JPEG[: len(BASE_JPEG) // 2]])
def test_a_second_picture_or_some_bytes_behind_a_jpeg_change_nothing(more: bytes) -> None:
    assert np.array_equal(decode(BASE_JPEG + more), decode(BASE_JPEG))


def test_half_a_jpeg_is_refused() -> None:
    with pytest.raises(InvalidImage) as refused:
        decode(BASE_JPEG[: len(BASE_JPEG) // 2])
    assert refused.value.code == "damaged_image"


def test_a_multi_picture_file_gives_its_first() -> None:
    pictures = [PillowImage.fromarray(RED_LEFT), PillowImage.new("RGB", (60, 40), "blue")]
    assert is_red_left(decode(encoded(pictures[0], "MPO", save_all=True, append_images=pictures[1:], quality=95)))


@pytest.mark.parametrize("fill", [b"\xff", b"\xff" * 7])
def test_fill_bytes_before_a_marker_are_walked_over(fill: bytes) -> None:
    end = BASE_JPEG.rfind(b"\xff\xd9")
    assert np.array_equal(decode(BASE_JPEG[:2] + fill + BASE_JPEG[2:end] + fill + BASE_JPEG[end:]), decode(BASE_JPEG))


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [
        (20_000, 400, None),
        (20_001, 401, "image_side_too_long"),
        (400, 20_001, "image_side_too_long"),
        (5_000, 100, None),
        (5_001, 100, "image_too_narrow"),
        (1, 51, "image_too_narrow"),
        (4_000, 2_501, "too_many_pixels"),
        (4_000, 2_500, None),
    ],
)
def test_one_rule_bounds_pixels_sides_and_proportions(width: int, height: int, code: str | None) -> None:
    limits = PictureLimits(MAX_PIXELS, max_side=20_000)
    assert limits.allow(width, height) is (code is None)
    if code is not None:
        with pytest.raises((TooLarge, InvalidImage)) as refused:
            limits.check(width, height)
        assert refused.value.code == code


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail_otherwise(data: bytes) -> None:
    for prefix in (b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"GIF89a", b"II*\x00"):
        try:
            image = decode(prefix + data)
        except VisionError:
            continue
        assert image.dtype == np.uint8


def test_encoding_keeps_the_picture_and_drops_metadata() -> None:
    image = cv2.cvtColor(RED_LEFT, cv2.COLOR_RGB2BGR).astype(np.uint8)
    data = encode_jpeg(image)
    assert is_red_left(decode(data))
    assert not PillowImage.open(io.BytesIO(data)).getexif()


def test_crop_is_clipped_to_the_image() -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    assert crop(image, Box(-5, -5, 8, 4)).shape == (4, 8, 3)
    assert crop(image, Box(30, 30, 40, 40)).size == 0
