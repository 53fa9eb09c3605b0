"""Draw mounted parts: each footprint's body, leads and marking, seen from above."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.datasets.synthetic.footprints import Extent, Footprint
from andon.datasets.synthetic.layers import SCALE, Layer
from andon.datasets.synthetic.layout import Part
from andon.datasets.synthetic.shading import Colour, Picture, relief

MARGIN_PX = 6
BLACK: Colour = (41, 41, 44)
MARKING: Colour = (150, 150, 148)
CERAMIC: Colour = (196, 193, 184)
DIELECTRIC: Colour = (164, 128, 90)
TIN: Colour = (190, 191, 192)
ALUMINIUM: Colour = (188, 190, 193)

_SHADOW_PX: Mapping[str, float] = {"can": 12.0, "chip": 6.0, "crystal": 7.0}


@dataclass(frozen=True, slots=True)
class Sprite:
    """A part's picture with its coverage ``alpha`` (``[height, width]``, float32, 0 to 1), centred and not turned.

    ``shadow_px`` is the length of its shadow, in pixels of the layers.
    """

    picture: Picture
    alpha: NDArray[np.float32]
    shadow_px: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a sprite lies: its centre ``(x, y)`` in pixels of the layers, clockwise angle, and brightness."""

    centre: Extent
    angle_deg: float
    gain: float


def draw_sprite(part: Part) -> Sprite:
    """Draw a part that has a body."""
    canvas = _Canvas.around(part.footprint)
    _DRAWERS[part.footprint.name](canvas, part)
    alpha = canvas.alpha.astype(np.float32) / np.float32(255)
    return Sprite(canvas.picture, alpha, _SHADOW_PX.get(part.footprint.name, 3.0))


def place_sprite(picture: NDArray[np.uint8], sprite: Sprite, placement: Placement) -> None:
    """Draw a sprite and its soft shadow into ``picture``, ``[height, width, 3]``, uint8."""
    window, matrix = _target(picture.shape, sprite, placement)
    patch = picture[window].astype(np.float32)
    alpha = _warp(sprite.alpha, matrix, patch)
    offset = np.array([[1, 0, sprite.shadow_px * 0.7], [0, 1, sprite.shadow_px * 0.8]], dtype=np.float32)
    shadow = cv2.GaussianBlur(_warp(alpha, offset, patch), (0, 0), 1.0 + sprite.shadow_px * 0.45)
    patch *= (1.0 - 0.55 * shadow)[..., None]
    top = _warp(sprite.picture, matrix, patch) * np.float32(placement.gain)
    patch += alpha[..., None] * (top - patch)
    picture[window] = np.clip(patch, 0, 255).astype(np.uint8)


def sprite_mask(shape: tuple[int, int], sprite: Sprite, placement: Placement) -> Layer:
    """Return what a sprite covers, as a layer of ``shape``."""
    layer = np.zeros(shape, dtype=np.uint8)
    window, matrix = _target(shape, sprite, placement)
    layer[window] = np.rint(255 * _warp(sprite.alpha, matrix, layer[window])).astype(np.uint8)
    return layer


def _target(
    shape: tuple[int, ...], sprite: Sprite, placement: Placement
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """Return the window a placed sprite can reach, and the map from the sprite to it."""
    reach = int(np.hypot(*sprite.alpha.shape) / 2 + 2.5 * sprite.shadow_px) + 2
    x, y = placement.centre
    left, top = max(0, int(x) - reach), max(0, int(y) - reach)
    window = (slice(top, min(shape[0], int(y) + reach)), slice(left, min(shape[1], int(x) + reach)))
    turn = np.deg2rad(placement.angle_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([(sprite.alpha.shape[1] - 1) / 2, (sprite.alpha.shape[0] - 1) / 2])
    shift = np.array([x - left, y - top]) - rotation @ middle
    return window, np.column_stack([rotation, shift]).astype(np.float32)


def _warp(image: NDArray[np.float32], matrix: NDArray[np.float32], patch: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(cv2.warpAffine(image, matrix, (patch.shape[1], patch.shape[0])), dtype=np.float32)


@dataclass
class _Canvas:
    """Draws shapes given in cells from the centre; each shape is lit as if its rim were rounded."""

    picture: Picture
    alpha: Layer

    @classmethod
    def around(cls, footprint: Footprint) -> "_Canvas":
        xs, ys = zip(*footprint.pads, strict=True)
        body = footprint.body or footprint.pad
        width = max(body[0], max(xs) - min(xs) + footprint.pad[0])
        height = max(body[1], max(ys) - min(ys) + footprint.pad[1])
        shape = (round(height * SCALE) + 2 * MARGIN_PX, round(width * SCALE) + 2 * MARGIN_PX)
        return cls(np.zeros((*shape, 3), dtype=np.float32), np.zeros(shape, dtype=np.uint8))

    def box(self, centre: Extent, extent: Extent, colour: Colour, gloss: float = 0.25, radius: int = 2) -> None:
        shape = np.zeros_like(self.alpha)
        (x, y), half = self._px(centre), (extent[0] * SCALE / 2 - radius, extent[1] * SCALE / 2 - radius)
        corners = (round(x - half[0]), round(y - half[1])), (round(x + half[0]), round(y + half[1]))
        cv2.rectangle(shape, *corners, 255, -1)
        cv2.rectangle(shape, *corners, 255, 2 * radius + 1, cv2.LINE_AA)
        self._add(shape, colour, gloss)

    def disc(self, centre: Extent, diameter: float, colour: Colour, gloss: float = 0.25) -> None:
        shape = np.zeros_like(self.alpha)
        cv2.circle(shape, self._px(centre), round(diameter * SCALE / 2), 255, -1, cv2.LINE_AA)
        self._add(shape, colour, gloss)

    def segment(self, diameter: float, beyond: float, colour: Colour) -> None:
        """Draw the part of a centred disc to the left of ``-beyond``."""
        shape = np.zeros_like(self.alpha)
        cv2.circle(shape, self._px((0, 0)), round(diameter * SCALE / 2), 255, -1, cv2.LINE_AA)
        shape[:, self._px((-beyond, 0))[0] :] = 0
        self._add(shape, colour, 0.0)

    def text(self, text: str, height: float, colour: Colour, centre: Extent = (0, 0)) -> None:
        shape = np.zeros_like(self.alpha)
        scale = height * SCALE / 21
        (width, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        x, y = self._px(centre)
        cv2.putText(shape, text, (x - width // 2, y + tall // 2), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
        self._add(shape, colour, 0.0)

    def _add(self, shape: Layer, colour: Colour, gloss: float) -> None:
        cover = shape.astype(np.float32) / np.float32(255)
        light = 1.0 + gloss * relief(cover, 2.0)
        lit = np.array(colour, dtype=np.float32) * light[..., None]
        self.picture += cover[..., None] * (lit - self.picture)
        self.alpha = np.maximum(self.alpha, shape)

    def _px(self, place: Extent) -> tuple[int, int]:
        height, width = self.alpha.shape
        return round(place[0] * SCALE + (width - 1) / 2), round(place[1] * SCALE + (height - 1) / 2)


def _resistor(canvas: _Canvas, part: Part) -> None:
    width, height = part.footprint.body or (1, 1)
    canvas.box((0, 0), (width, height), CERAMIC)
    canvas.box((0, 0), (width - 0.7, height - 0.12), (34, 34, 38), 0.5)
    _terminals(canvas, width, height)
    canvas.text(part.mark, 0.5, (206, 206, 200))


def _capacitor(canvas: _Canvas, part: Part) -> None:
    width, height = part.footprint.body or (1, 1)
    canvas.box((0, 0), (width, height), DIELECTRIC, 0.5, radius=3)
    _terminals(canvas, width, height)


def _terminals(canvas: _Canvas, width: float, height: float) -> None:
    for side in (-1, 1):
        canvas.box((side * (width / 2 - 0.21), 0), (0.42, height), TIN, 0.5)


def _chip(canvas: _Canvas, part: Part) -> None:
    width, height = part.footprint.body or (1, 1)
    _leads(canvas, part.footprint, 0.4, 0.55)
    canvas.box((0, 0), (width, height), BLACK, 0.9, radius=3)
    canvas.box((0, 0), (width - 0.35, height - 0.35), (47, 47, 50), 0.3)
    canvas.disc((-width / 2 + 0.62, height / 2 - 0.72), 0.5, (36, 36, 38), -0.8)
    canvas.text(part.mark, 0.62, MARKING, (0.1, -0.45))
    canvas.text("2437", 0.5, MARKING, (0.1, 0.5))


def _transistor(canvas: _Canvas, part: Part) -> None:
    _leads(canvas, part.footprint, 0.42, 0.3)
    canvas.box((0, 0), part.footprint.body or (1, 1), BLACK, 0.9)
    canvas.text(part.mark, 0.5, MARKING)


def _leads(canvas: _Canvas, footprint: Footprint, width: float, foot: float) -> None:
    (cx, cy), (_, body_height) = footprint.centre, footprint.body or (1, 1)
    for x, y in footprint.pads:
        side = 1 if y > cy else -1
        inner, outer = body_height / 2 - 0.1, abs(y - cy) + foot / 2
        canvas.box((x - cx, side * (inner + outer) / 2), (width, outer - inner), (150, 151, 153), 0.5)
        canvas.box((x - cx, side * (outer - foot / 2)), (width, foot), (206, 207, 208), 0.4)


def _can(canvas: _Canvas, part: Part) -> None:
    width, height = part.footprint.body or (1, 1)
    canvas.box((0, 0), (width, height), (30, 30, 32), 0.8, radius=8)
    canvas.disc((0, 0), width - 0.25, (142, 144, 148), 0.7)
    canvas.disc((0, 0), width - 0.75, ALUMINIUM, -0.35)
    canvas.segment(width - 0.75, 0.85, (44, 44, 50))
    canvas.text(part.mark, 0.8, (60, 60, 64), (0.35, -0.4))
    canvas.text("16V", 0.6, (60, 60, 64), (0.4, 0.6))


def _crystal(canvas: _Canvas, part: Part) -> None:
    width, height = part.footprint.body or (1, 1)
    canvas.box((0, 0), (width, height), (134, 135, 138), 0.7, radius=18)
    canvas.box((0, 0), (width - 0.4, height - 0.4), (184, 185, 187), 0.5, radius=14)
    canvas.text(part.mark, 0.62, (96, 96, 98))


_DRAWERS: Mapping[str, Callable[[_Canvas, Part], None]] = {
    "resistor": _resistor,
    "capacitor": _capacitor,
    "transistor": _transistor,
    "chip": _chip,
    "can": _can,
    "crystal": _crystal,
}
