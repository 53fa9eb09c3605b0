"""Read the regions of interest that a user gives in a file."""

from pathlib import Path

import msgspec

from andon.models.types.errors import OptionError
from andon.models.vision.scoring import Polygon

MIN_CORNERS = 3


def read_regions(path: Path) -> tuple[Polygon, ...]:
    """Read a JSON list of polygons, each a list of corners ``[x, y]`` as fractions of width and height.

    Raises
    ------
    OptionError
        The file cannot be read, is not such a list, or a corner lies outside the image.
    """
    try:
        polygons = msgspec.json.decode(path.read_bytes(), type=tuple[Polygon, ...])
    except (OSError, msgspec.DecodeError) as error:
        raise OptionError("data.regions", str(path), found=str(error)) from error
    for polygon in polygons:
        if len(polygon) < MIN_CORNERS or not all(0 <= value <= 1 for corner in polygon for value in corner):
            raise OptionError("data.regions", str(path), found=str(polygon))
    return polygons
