"""Buffers of cameras as RGB."""

import numpy as np
import pytest

from andon.hardware.camera.pixels import to_rgb
from andon.models.types.camera import CameraSettingError

COLOUR = np.array([200, 100, 50], np.uint8)


def mosaic(pattern: str) -> np.ndarray:
    """An even colour behind a Bayer filter."""
    cell = COLOUR[["RGB".index(letter) for letter in pattern]].reshape(2, 2)
    return np.tile(cell, (8, 8))


@pytest.mark.parametrize("pattern", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_bayer_patterns(pattern: str) -> None:
    frame = to_rgb(mosaic(pattern), f"Bayer{pattern[:2]}8", 16, 16, "T")
    np.testing.assert_array_equal(frame[4:12, 4:12], np.broadcast_to(COLOUR, (8, 8, 3)))


@pytest.mark.parametrize(
    ("name", "pixel"),
    [("RGB8", [200, 100, 50]), ("BGR8", [50, 100, 200]), ("RGBa8", [200, 100, 50, 9])],
)
def test_colours(name: str, pixel: list[int]) -> None:
    data = np.tile(np.array(pixel, np.uint8), 6)
    np.testing.assert_array_equal(to_rgb(data, name, 3, 2, "T"), np.broadcast_to(COLOUR, (2, 3, 3)))


def test_grey_is_repeated_and_does_not_share_the_buffer() -> None:
    data = np.arange(6, dtype=np.uint8)
    frame = to_rgb(data, "Mono8", 3, 2, "T")
    data[:] = 99
    assert frame[..., 0].tolist() == frame[..., 2].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_what_did_not_arrive_is_black() -> None:
    assert to_rgb(np.full(3, 7, np.uint8), "Mono8", 3, 2, "T")[..., 1].tolist() == [[7, 7, 7], [0, 0, 0]]


def test_another_format_is_named() -> None:
    with pytest.raises(CameraSettingError) as caught:
        to_rgb(np.zeros(8, np.uint8), "Mono12Packed", 2, 2, "T")
    assert caught.value.params["found"] == "Mono12Packed"
