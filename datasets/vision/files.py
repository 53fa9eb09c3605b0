"""Samples that are image files."""

from functools import partial
from pathlib import Path

import numpy as np

from andon.datasets.cards.digests import file_digest
from andon.models.types.errors import ImageError
from andon.models.types.vision import ImageSample, Mask
from andon.models.vision.decoding import read_image


def file_sample(path: Path, *, name: str, label: str, unit: str) -> ImageSample:
    """Describe an image file without a mask; it is not read before it is asked for."""
    return ImageSample(
        name=name,
        label=label,
        unit=unit,
        digest=partial(file_digest, path),
        frame=partial(read_image, path),
    )


def read_mask(path: Path, image: Path) -> Mask:
    """Read the mask of the defects in ``image``: True where a channel is above 127.

    Raises
    ------
    ImageError
        If one of the two cannot be decoded, or their sizes differ.
    """
    mask = np.asarray((read_image(path) > 127).any(axis=2))
    expected = read_image(image).shape[:2]
    if mask.shape != expected:
        raise ImageError(
            "data.mask_size", str(path), found=_size(mask.shape), expected=_size(expected), image=image.name
        )
    return mask


def empty_mask(image: Path) -> Mask:
    """Return the mask of a good image: False everywhere.

    Raises
    ------
    ImageError
        If the image cannot be decoded.
    """
    return np.zeros(read_image(image).shape[:2], dtype=np.bool_)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
