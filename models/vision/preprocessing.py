"""Bring a frame to the size, and where lighting is not controlled to the intensity, that the model was fitted at."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from andon.models.types.vision import Frame

AS_IS = "as-is"
STANDARDISED = "standardised"
STANDARD_MEAN, STANDARD_DEVIATION = 127.0, 40.0
BRIGHT_PERCENTILE = 95
CONTROLLED_LIGHTING = 0.10
"""Largest coefficient of variation of good frames' bright level that a controlled light explains: docs/adr/0003."""


def fit_to(frame: Frame, height: int, width: int) -> Frame:
    """Resize ``frame`` to ``height`` x ``width``: by area where it shrinks, bilinear where it grows.

    Averaging by area keeps fine structure from aliasing into patterns that look like defects. Channel order, mean and
    scale are part of the exported graph, so that no target can do them differently.

    Returns
    -------
    Frame
        uint8 ``[height, width, 3]``; ``frame`` itself where it has that size already.
    """
    if frame.shape[:2] == (height, width):
        return np.ascontiguousarray(frame)
    shrinks = frame.shape[0] * frame.shape[1] > height * width
    resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def as_is(image: Frame) -> Frame:
    """Leave ``image`` as the camera took it."""
    return image


def standardise(image: Frame) -> Frame:
    """Bring ``image`` to a mean of 127 and a standard deviation of 40 over all its values, by one table of 256 levels."""
    mean, deviation = cv2.meanStdDev(image.reshape(-1, 1))
    gain = STANDARD_DEVIATION / max(float(deviation[0, 0]), 1.0)
    levels = (np.arange(256) - float(mean[0, 0])) * gain + STANDARD_MEAN
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


INTENSITIES: Mapping[str, Callable[[Frame], Frame]] = {AS_IS: as_is, STANDARDISED: standardise}
"""What may be done to an image's intensity before the graph, by the name that the manifest has for it."""


def bright_level(frame: Frame) -> float:
    """The level, 0 to 255, that 95 % of the values of ``frame`` do not exceed, from every fourth row and column.

    More light raises it as it raises every level. More copper or more holes move the mean, and hardly this.
    """
    return float(np.percentile(frame[::4, ::4], BRIGHT_PERCENTILE))


def choose_intensity(bright_levels: Sequence[float]) -> str:
    """Choose by the bright levels of good frames: standardised where they vary more than controlled light does.

    The bright parts of one product under one light are equally bright on every part. Where they are not, exposure or light
    changed between good parts, and level and contrast say nothing about the part.

    >>> choose_intensity([200.0, 204.0, 196.0]), choose_intensity([120.0, 200.0, 240.0])
    ('as-is', 'standardised')
    """
    levels = np.asarray(bright_levels)
    varies = levels.std() > CONTROLLED_LIGHTING * levels.mean()
    return STANDARDISED if varies else AS_IS
