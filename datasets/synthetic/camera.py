"""What a camera over the line makes of a board: pose, lighting, blur and noise."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.datasets.synthetic.layers import SUPERSAMPLE
from andon.datasets.synthetic.shading import Picture
from andon.models.types.vision import Frame


@dataclass(frozen=True, slots=True)
class Shot:
    """The conditions of one photograph.

    ``shift_px`` and ``angle_deg`` say how the board lies; ``gain`` and ``colour`` (3 factors) how bright and white the
    light is; ``slope`` how much of it is lost from the centre to the right and lower edges, as a share; ``blur_px`` is the
    deviation of the lens's blur; ``noise`` the sensor's, in grey levels at full white.
    """

    shift_px: tuple[float, float]
    angle_deg: float
    gain: float
    colour: NDArray[np.float32]
    slope: tuple[float, float]
    blur_px: float
    noise: float


def draw_shot(rng: np.random.Generator) -> Shot:
    """Draw the conditions of one photograph."""
    shift, slope = rng.normal(0, 0.8, 2).clip(-2, 2), rng.normal(0, 0.03, 2).clip(-0.08, 0.08)
    return Shot(
        shift_px=(float(shift[0]), float(shift[1])),
        angle_deg=float(np.clip(rng.normal(0, 0.25), -0.7, 0.7)),
        gain=float(rng.uniform(0.92, 1.08)),
        colour=rng.normal(1, 0.012, 3).astype(np.float32),
        slope=(float(slope[0]), float(slope[1])),
        blur_px=float(rng.uniform(0.45, 0.75)),
        noise=float(rng.uniform(2.5, 4.5)),
    )


def project(layer: NDArray[np.uint8], shot: Shot, size: int) -> NDArray[np.uint8]:
    """Photograph the middle of a layer, ``[H, W]`` or ``[H, W, 3]``: to ``size`` pixels a side, shifted and turned."""
    centre = ((layer.shape[1] - 1) / 2, (layer.shape[0] - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, shot.angle_deg, 1.0)
    wide = size * SUPERSAMPLE
    for axis in range(2):
        matrix[axis, 2] += (wide - 1) / 2 - centre[axis] + shot.shift_px[axis] * SUPERSAMPLE
    turned = cv2.warpAffine(layer, matrix, (wide, wide), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(turned, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def expose(picture: Picture, shot: Shot, rng: np.random.Generator) -> Frame:
    """Light a picture, blur it, and read it through a sensor with shot and read noise."""
    light = shot.gain * _field(picture.shape[0], shot)
    seen = cv2.GaussianBlur(picture * light[..., None] * shot.colour, (0, 0), shot.blur_px)
    deviation = shot.noise * np.sqrt(0.08 + np.clip(seen, 0, 255) / 255)
    return np.rint(seen + deviation * rng.standard_normal(seen.shape, dtype=np.float32)).clip(0, 255).astype(np.uint8)


def _field(size: int, shot: Shot) -> NDArray[np.float32]:
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    vignette = 1.0 - 0.05 * (x**2 + y**2)
    return (vignette * (1.0 - shot.slope[0] * x - shot.slope[1] * y)).astype(np.float32)
