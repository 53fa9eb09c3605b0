"""Give the layers of a bare board their colours, relief and shine."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.datasets.synthetic.layers import Layer, Layers

Picture = NDArray[np.float32]
"""``[height, width, 3]``, float32, RGB, 0 to 255."""

Colour = tuple[float, float, float]

REACH_PX = 12
"""How far a change of a layer shows, in pixels of the layers."""

SOLDER: Colour = (176, 179, 182)
BARE: Colour = (118, 108, 62)
HOLE: Colour = (22, 20, 18)


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one board: solder mask on bare laminate, on copper, and the metal of open pads."""

    ground: Colour
    on_copper: Colour
    finish: Colour


PALETTES = (
    Palette((10, 66, 40), (34, 116, 68), (206, 172, 104)),
    Palette((20, 78, 36), (50, 130, 62), (190, 191, 188)),
    Palette((16, 40, 90), (38, 80, 152), (206, 172, 104)),
    Palette((108, 20, 24), (164, 46, 44), (190, 191, 188)),
    Palette((25, 27, 29), (54, 55, 55), (206, 172, 104)),
)


@dataclass(frozen=True, slots=True)
class Surface:
    """What a board looks like beside its layers; ``grain`` is the laminate's texture, ``[height, width]``, float32."""

    palette: Palette
    grain: NDArray[np.float32]


def surface(shape: tuple[int, int], palette: Palette, rng: np.random.Generator) -> Surface:
    """Return a surface with a grain of its own: glass weave and clouds under the solder mask."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    weave = np.sin(x * (2 * np.pi / 7.5)) * np.sin(y * (2 * np.pi / 7.5))
    clouds = cv2.resize(rng.standard_normal((24, 24)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    speckle = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 1.5)
    return Surface(palette, (1.0 + 0.015 * weave + 0.02 * clouds + 0.08 * speckle).astype(np.float32))


def shade(layers: Layers, look: Surface, window: tuple[slice, slice]) -> Picture:
    """Return the picture of one window of a bare board, without its print; its rim of ``REACH_PX`` is not exact."""
    copper, opening, solder, hole = (
        _unit(layer[window]) for layer in (layers.copper, layers.opening, layers.solder, layers.hole)
    )
    picture = _masked(copper, look, look.grain[window])
    picture = _blend(picture, opening, BARE)
    picture = _over(picture, opening * copper * (1 - solder), _metal(copper * opening, look.palette.finish, 0.16))
    picture = _over(picture, opening * solder, _metal(solder, SOLDER, 0.5))
    return _blend(picture, hole, HOLE)


def relief(height: NDArray[np.float32], blur_px: float) -> NDArray[np.float32]:
    """Return how much a surface faces the light at the upper left: about -1 to 1, 0 where it is flat."""
    smooth = cv2.GaussianBlur(height, (0, 0), blur_px)
    slope = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3) + cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)
    return (slope * (blur_px / 8)).astype(np.float32)


def _masked(copper: NDArray[np.float32], look: Surface, grain: NDArray[np.float32]) -> Picture:
    soft = cv2.GaussianBlur(copper, (0, 0), 1.2).astype(np.float32, copy=False)
    picture = _blend(_plain(copper.shape, look.palette.ground), soft, look.palette.on_copper)
    light = (1.0 + 0.9 * relief(copper, 2.5)) * grain
    return (picture * light[..., None]).astype(np.float32)


def _metal(shape: NDArray[np.float32], colour: Colour, gloss: float) -> Picture:
    dome = cv2.GaussianBlur(shape, (0, 0), 4.0)
    light = 0.72 + gloss * 1.6 * relief(shape, 4.0) + 0.3 * dome + gloss * 0.9 * np.clip(dome - 0.8, 0, 1)
    return np.asarray(_plain(shape.shape, colour) * light[..., None], dtype=np.float32)


def _plain(shape: tuple[int, ...], colour: Colour) -> Picture:
    return np.broadcast_to(np.array(colour, dtype=np.float32), (*shape, 3))


def _blend(picture: Picture, alpha: NDArray[np.float32], colour: Colour) -> Picture:
    return _over(picture, alpha, np.array(colour, dtype=np.float32))


def _over(picture: Picture, alpha: NDArray[np.float32], top: Picture) -> Picture:
    return picture + alpha[..., None] * (top - picture)


def _unit(layer: Layer) -> NDArray[np.float32]:
    return layer.astype(np.float32) / np.float32(255)
