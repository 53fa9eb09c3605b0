"""Bring a frame to the size of the model's input."""

import cv2
import numpy as np

from andon.models.types.vision import Frame


def fit_to(frame: Frame, height: int, width: int) -> Frame:
    """Resize ``frame`` to ``height`` x ``width``: by area where it shrinks, bilinear where it grows.

    Averaging by area keeps fine structure from aliasing into patterns that look like defects. What follows (channel
    order, mean and scale) is part of the exported graph, so that no target can do it differently.

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
