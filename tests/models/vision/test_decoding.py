"""Every kind of image file that a line may offer, good and bad."""

import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from andon.models.types.errors import ImageError
from andon.models.vision.decoding import ImageLimits, decode_image, read_image

RAMP = np.arange(40 * 48, dtype=np.uint32).reshape(40, 48)


def encoded(array: np.ndarray, form: str = "PNG", mode: str | None = None, **options: object) -> bytes:
    picture = Image.fromarray(array)
    buffer = BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, form, **options)
    return buffer.getvalue()


def colours() -> np.ndarray:
    return np.stack([RAMP % 251, RAMP % 241, RAMP % 239], axis=2).astype(np.uint8)


def code_of(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode_image(data, "part 7.png")
    assert caught.value.subject == "part 7.png"
    return caught.value.code


def png_of(width: int, height: int) -> bytes:
    """A PNG of zeros, compressed row by row so that the test itself needs no memory for it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj()
    row = bytes(width + 1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_rgb_is_kept_as_it_is() -> None:
    np.testing.assert_array_equal(decode_image(encoded(colours()), "x"), colours())


def test_grey_is_repeated() -> None:
    grey = (RAMP % 256).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(encoded(grey), "x"), np.repeat(grey[..., None], 3, 2))


def test_sixteen_bits_keep_their_high_byte_whatever_the_maximum() -> None:
    dark = (RAMP * 2).astype(np.uint16)
    frame = decode_image(encoded(dark), "x")
    np.testing.assert_array_equal(frame[..., 0], (dark >> 8).astype(np.uint8))
    assert frame.max() < 16, "stretching to the image's own maximum would give 255"


def test_transparency_is_dropped() -> None:
    rgba = np.dstack([colours(), np.zeros((40, 48), np.uint8)])
    np.testing.assert_array_equal(decode_image(encoded(rgba), "x"), colours())


def test_cmyk_jpeg_is_converted() -> None:
    white = np.full((40, 48, 3), 255, np.uint8)
    frame = decode_image(encoded(white, "JPEG", "CMYK"), "x")
    assert frame.shape == (40, 48, 3)
    assert frame.min() > 245


def test_orientation_tag_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_image(encoded(colours(), "JPEG", exif=exif), "x").shape == (48, 40, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
def test_every_format_is_read_and_its_truncation_refused(form: str) -> None:
    whole = encoded(colours(), form)
    assert decode_image(whole, "x").shape == (40, 48, 3)
    assert code_of(whole[: len(whole) * 2 // 3]) in ("image.truncated", "image.unknown_format")


def test_what_is_no_image_is_named() -> None:
    assert code_of(b"") == "image.empty"
    assert code_of(b"board 7 passed\n") == "image.unknown_format"
    assert code_of(encoded(np.zeros((1, 1), np.uint8))) == "image.too_small"
    assert code_of(encoded(RAMP.astype(np.float32), "TIFF")) == "image.pixel_format"


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux shows it")
def test_a_picture_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_of(30_000, 30_000))
    script = f"""
from pathlib import Path
from andon.models.types.errors import ImageError
from andon.models.vision.decoding import read_image
def peak_kib():
    # Not ru_maxrss: a child inherits its parent's, and growth below that would not show.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak_kib()
try:
    read_image(Path({str(bomb)!r}))
except ImageError as error:
    print(error.code, (peak_kib() - before) // 1024)
"""
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    code, growth_mb = answer.stdout.split()
    assert code == "image.too_many_pixels"
    assert int(growth_mb) < 50


def test_the_limit_counts_pixels_below_the_bomb_check_too() -> None:
    with pytest.raises(ImageError, match="too_many_pixels"):
        decode_image(png_of(1500, 1500), "x", ImageLimits(max_megapixels=2))


def test_files_are_refused_by_size_and_named_where_absent(tmp_path: Path) -> None:
    large = tmp_path / "大 图.png"
    large.write_bytes(bytes(2 * 2**20))
    with pytest.raises(ImageError, match="too_many_bytes"):
        read_image(large, ImageLimits(max_megabytes=1))
    with pytest.raises(ImageError, match="unreadable") as caught:
        read_image(tmp_path / "absent.png")
    assert "absent.png" in caught.value.subject


@settings(max_examples=300, deadline=None)
@given(form=st.sampled_from(["JPEG", "PNG", "BMP", "TIFF", "WEBP"]), data=st.data())
def test_damaged_files_give_a_frame_or_an_image_error(form: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(colours(), form))
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[position] = data.draw(st.integers(0, 255))
    try:
        assert decode_image(bytes(whole), "x").dtype == np.uint8
    except ImageError as error:
        assert error.subject == "x"
