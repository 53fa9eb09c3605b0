"""Regions of interest are polygons in fractions of the image, or the file is refused."""

import json
from pathlib import Path

import pytest

from andon.datasets.vision.regions import read_regions
from andon.models.types.errors import OptionError

TRIANGLE = [[0, 0], [1, 0], [0.5, 1]]


def written(folder: Path, document: object) -> Path:
    path = folder / "区域.json"
    path.write_text(json.dumps(document))
    return path


def test_polygons_are_read(tmp_path: Path) -> None:
    assert read_regions(written(tmp_path, [TRIANGLE, TRIANGLE])) == (((0, 0), (1, 0), (0.5, 1)),) * 2
    assert read_regions(written(tmp_path, [])) == ()


@pytest.mark.parametrize(
    "document",
    [{}, "all", [TRIANGLE[:2]], [[[0, 0], [1, 0], [0, 1.01]]], [[[0, 0], [1, 0], [-0.1, 1]]], [[[0], [1], [2]]]],
)
def test_what_is_no_polygon_in_the_image_is_refused(tmp_path: Path, document: object) -> None:
    with pytest.raises(OptionError, match="regions") as caught:
        read_regions(written(tmp_path, document))
    assert "区域.json" in caught.value.subject
