from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from andon.datasets.vision import elpv
from andon.models.types.errors import DataError, MissingExtraError
from andon.models.types.vision import Split

needs_cells = pytest.mark.skipif(find_spec(elpv.PACKAGE) is None, reason="the extra demo is not installed")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the same form: 410 good and 205 defective cells of each type, in turn, as one-byte files."""
    # Python keeps imported packages: each test needs a name of its own.
    root = tmp_path / f"cells_of_{tmp_path.name}"
    (root / "data/images").mkdir(parents=True)
    (root / "__init__.py").touch()
    rows = []
    for number in range(1230):
        path = f"images/cell{number:04d}.png"
        (root / "data" / path).write_bytes(bytes([number % 256]))
        rows.append(f"{path} {(0.0, 0.0, 1.0)[number // 2 % 3]} {('mono', 'poly')[number % 2]}")
    (root / "data/labels.csv").write_text("\n".join([*rows, "images/doubtful.png  0.3333333333333333  mono"]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(elpv, "PACKAGE", root.name)
    return root / "data"


def test_the_protocol_permutes_good_cells_and_takes_defective_ones_in_order(package: Path) -> None:
    data = elpv.open_elpv("poly", seed=3)
    good = [f"images/cell{n:04d}.png" for n in range(1, 1230, 2) if n // 2 % 3 != 2]
    bad = [f"images/cell{n:04d}.png" for n in range(1, 1230, 2) if n // 2 % 3 == 2]
    order = [good[index] for index in np.random.default_rng(3).permutation(len(good))]
    listed = {split: [sample.name for sample in data.samples(split)] for split in Split}
    assert listed[Split.TRAIN] == order[:200]
    assert listed[Split.TEST] == order[200:400] + bad[:200]
    assert listed[Split.CALIBRATION] == order[400:]
    assert [sample.label for sample in data.samples(Split.TEST)] == ["good"] * 200 + ["defective"] * 200


def test_other_contents_than_the_published_ones_are_refused(package: Path) -> None:
    (package / "images/doubtful.png").touch()
    with pytest.raises(DataError, match=r"data\.checksum"):
        elpv.fetch_elpv()


def test_another_cell_type_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        elpv.open_elpv("multi")
    assert caught.value.params["known"] == "elpv:mono, elpv:poly"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elpv, "PACKAGE", "a_package_that_is_not_there")
    assert not elpv.is_installed()
    with pytest.raises(MissingExtraError) as caught:
        elpv.open_elpv("mono")
    assert caught.value.params["extra"] == "demo"


@needs_cells
def test_the_published_cells_verify_and_read() -> None:
    assert (elpv.fetch_elpv() / "labels.csv").is_file()
    data = elpv.open_elpv("mono")
    assert [len(data.samples(split)) for split in Split] == [200, 188, 400]
    frame = data.samples(Split.TRAIN)[0].frame()
    assert frame.shape == (300, 300, 3)
    assert frame.dtype == np.uint8


@needs_cells
def test_the_card_tells_the_licence_and_the_split() -> None:
    card = elpv.open_elpv("mono").card
    assert (card.licence, card.non_commercial, card.grade) == ("CC BY-NC-SA 4.0", True, "public")
    assert card.counts == {"calibration/good": 188, "test/defective": 200, "test/good": 200, "train/good": 200}
    assert "names no modules" in card.split
