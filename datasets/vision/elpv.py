"""Solar cells in electroluminescence: the ELPV data set, in the package ``elpv-dataset`` (extra ``demo``).

The set names no modules, so its cells are split one by one. The split is fixed by its protocol: of the cells of one type
with defect probability 0, permuted by ``numpy.random.default_rng(seed)``, the first 200 train, the next 200 test, and the
rest calibrate; the first 200 with probability 1, in the order of the file, test as defective.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from andon.datasets.cards.digests import digest_of_rows, file_digest
from andon.datasets.cards.provenance import Provenance
from andon.datasets.vision.files import file_sample
from andon.datasets.vision.listed import ListedDataset
from andon.models.types.errors import DataError, MissingExtraError
from andon.models.types.vision import GOOD, ImageSample, Split

PACKAGE = "elpv_dataset"
DEFECTIVE = "defective"
PER_SPLIT = 200
CELL_TYPES = ("mono", "poly")
CHECKSUM = "93a864517baa807c52b61f7ea86dc5a3ac03c1f3e8587da595a50636daa00326"
"""SHA-256 over the sorted ``[path, SHA-256]`` of the labels and the 2,624 images of elpv-dataset 1.0.0.post1."""

SOURCE = (
    "https://github.com/zae-bayern/elpv-dataset; cite Buerhop-Lutz et al., A Benchmark for Visual Identification of "
    "Defective Solar Cells in Electroluminescence Imagery, EU PVSEC 2018, doi:10.4229/35thEUPVSEC20182018-5CV.3.15; "
    "Deitsch et al., Automatic classification of defective photovoltaic module cells in electroluminescence images, "
    "Solar Energy 185, 2019, doi:10.1016/j.solener.2019.02.067; Deitsch et al., Segmentation of photovoltaic module cells "
    "in uncalibrated electroluminescence images, Machine Vision and Applications 32, 2021, doi:10.1007/s00138-021-01191-9"
)
SPLIT = "The set names no modules, so cells were split one by one with seed {seed}; cells of one module may stand on both sides."


@dataclass(frozen=True, slots=True)
class _Cell:
    path: str
    probability: float
    cell_type: str


def provenance(cell_type: str) -> Provenance:
    """Return source, licence and grade of the cells of one type, ``"mono"`` or ``"poly"``."""
    return Provenance(f"elpv:{cell_type}", SOURCE, "CC BY-NC-SA 4.0", non_commercial=True, grade="public")


def is_installed() -> bool:
    """Whether the package that holds the set is installed."""
    return find_spec(PACKAGE) is not None


def open_elpv(cell_type: str, seed: int = 0) -> ListedDataset:
    """Open the cells of one type, ``"mono"`` or ``"poly"``, split as the module says; frames are 300x300.

    Raises
    ------
    DataError
        If the type is another.
    MissingExtraError
        If the package is not installed.
    """
    if cell_type not in CELL_TYPES:
        raise DataError("data.unknown_set", f"elpv:{cell_type}", known=", ".join(f"elpv:{name}" for name in CELL_TYPES))
    root = _root(f"elpv:{cell_type}")
    cells = [cell for cell in _cells(root) if cell.cell_type == cell_type]
    good = [_sample(root, cell, GOOD) for cell in cells if cell.probability == 0]
    bad = [_sample(root, cell, DEFECTIVE) for cell in cells if cell.probability == 1]
    return ListedDataset(provenance(cell_type), SPLIT.format(seed=seed), _split(good, bad, seed))


def fetch_elpv() -> Path:
    """Verify the labels and images against the pinned checksum, and return their folder.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    DataError
        If the contents are not those of the published package.
    """
    root = _root("elpv")
    names = ["labels.csv", *(cell.path for cell in _cells(root))]
    found = digest_of_rows([name, file_digest(root / name)] for name in names)
    if found != CHECKSUM:
        raise DataError("data.checksum", str(root), found=found, expected=CHECKSUM)
    return root


def _root(subject: str) -> Path:
    if not is_installed():
        raise MissingExtraError("data.missing_extra", subject, package="elpv-dataset", extra="demo")
    return Path(str(files(PACKAGE))) / "data"


def _cells(root: Path) -> list[_Cell]:
    rows = (line.split() for line in (root / "labels.csv").read_text(encoding="utf-8").splitlines())
    return [_Cell(path, float(probability), cell_type) for path, probability, cell_type in rows]


def _sample(root: Path, cell: _Cell, label: str) -> ImageSample:
    return file_sample(root / cell.path, name=cell.path, label=label, unit=Path(cell.path).stem)


def _split(good: Sequence[ImageSample], bad: Sequence[ImageSample], seed: int) -> dict[Split, list[ImageSample]]:
    shuffled = [good[index] for index in np.random.default_rng(seed).permutation(len(good))]
    return {
        Split.TRAIN: shuffled[:PER_SPLIT],
        Split.CALIBRATION: shuffled[2 * PER_SPLIT :],
        Split.TEST: shuffled[PER_SPLIT : 2 * PER_SPLIT] + list(bad[:PER_SPLIT]),
    }
