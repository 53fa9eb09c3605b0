"""Labelled images in folders: the MVTec layout, and plain ``good/`` and ``bad/``.

MVTec: ``train/good``, ``test/good``, ``test/<defect>``, ``ground_truth/<defect>/X_mask.png``. Only the good images to train
on are needed; everything else is optional. Hidden entries and symbolic links inside the folder are ignored.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from andon.datasets.cards.provenance import Provenance
from andon.datasets.splits.units import split_by_unit
from andon.datasets.vision.files import empty_mask, file_sample, read_mask
from andon.datasets.vision.listed import ListedDataset
from andon.datasets.vision.units_table import read_units, unit_of
from andon.models.types.errors import DataError, ResourceError
from andon.models.types.vision import GOOD, ImageSample, Split
from andon.models.vision.decoding import SUFFIXES

BAD = "bad"
TRAIN_FRACTION = 0.75


def image_paths(folder: Path) -> list[Path]:
    """List the images below ``folder``, known by their suffix and sorted by path; hidden entries and links are left out.

    Raises
    ------
    DataError
        If there is no such folder.
    ResourceError
        If a folder cannot be read.
    """
    if not folder.is_dir():
        raise DataError("data.folder_missing", str(folder))
    return sorted(
        path for path in _files(folder) if path.suffix.lower() in SUFFIXES and _is_plain(path) and path.is_file()
    )


def open_folder(root: Path, seed: int = 0) -> ListedDataset:
    """Open a folder in one of the two layouts; the file names alone are read now.

    Plain layout: three quarters of the good units train, chosen by ``seed``; the rest, every bad image, and the good
    images of a unit that also has bad ones are for the test. MVTec layout: its own split is kept, and ``seed`` does
    nothing. The unit of an image comes from ``units.csv`` (see ``units_table``), else each file is its own.

    Raises
    ------
    DataError
        If the folder is missing, has another layout or no good image to train on, or its ``units.csv`` does not fit.
    ResourceError
        If a folder cannot be read.
    """
    subfolders = _subfolders(root)
    folder = _Folder(root, seed)
    for marker, read in _LAYOUTS.items():
        if _is_folder(root / marker):
            return read(folder)
    code = "data.layout" if subfolders else "data.layout_empty"
    raise DataError(code, str(root), found=", ".join(path.name for path in subfolders))


def open_good_folder(root: Path) -> ListedDataset:
    """Open a folder in which every image is good, to train on; in one of the two layouts, its good images to train on.

    Raises
    ------
    DataError
        If the folder is missing, has no image, or its ``units.csv`` does not fit.
    ResourceError
        If a folder cannot be read.
    """
    if any(_is_folder(root / marker) for marker in _LAYOUTS):
        return open_folder(root)
    if not root.is_dir():
        raise DataError("data.folder_missing", str(root))
    folder = _Folder(root, seed=0)
    samples = [folder.sample(path, GOOD) for path in image_paths(root)]
    return folder.dataset("Every image is good and trains.", samples, [])


@dataclass(frozen=True)
class _Folder:
    root: Path
    seed: int

    @cached_property
    def units(self) -> Mapping[str, str] | None:
        return read_units(self.root)

    def samples(self, folder: Path, label: str) -> list[ImageSample]:
        return [self.sample(path, label) for path in image_paths(folder)] if _is_folder(folder) else []

    def with_masks(self, samples: Iterable[ImageSample], folder: Path) -> list[ImageSample]:
        """Give each sample of ``folder`` the mask that the set has for it."""
        truth = self.root / "ground_truth"
        if not _is_folder(truth):
            return list(samples)
        return [self._with_mask(sample, truth / folder.name, folder) for sample in samples]

    def dataset(self, split: str, train: Sequence[ImageSample], test: Sequence[ImageSample]) -> ListedDataset:
        if not train:
            raise DataError("data.no_good", str(self.root), suffixes=" ".join(sorted(SUFFIXES)))
        self._check_units(train, test)
        return ListedDataset(
            _provenance(self.root), f"{split} {self._units_sentence()}", {Split.TRAIN: train, Split.TEST: test}
        )

    def sample(self, path: Path, label: str) -> ImageSample:
        name = path.relative_to(self.root).as_posix()
        return file_sample(path, name=name, label=label, unit=unit_of(name, self.units, self.root))

    def _with_mask(self, sample: ImageSample, masks: Path, images: Path) -> ImageSample:
        path = self.root / sample.name
        if sample.is_good:
            return replace(sample, mask=partial(empty_mask, path))
        mask = masks / path.relative_to(images).with_name(f"{path.stem}_mask.png")
        return replace(sample, mask=partial(read_mask, mask, path)) if mask.is_file() and _is_plain(mask) else sample

    def _check_units(self, train: Iterable[ImageSample], test: Iterable[ImageSample]) -> None:
        if shared := {sample.unit for sample in train} & {sample.unit for sample in test}:
            raise DataError("data.units_both_sides", str(self.root), found=", ".join(sorted(shared)[:5]))

    def _units_sentence(self) -> str:
        if self.units is None:
            return "No units were given (units.csv), so each file counted as its own unit."
        return "The units are those that units.csv names."


def _mvtec(folder: _Folder) -> ListedDataset:
    train = folder.samples(folder.root / "train" / GOOD, GOOD)
    tests = _subfolders(folder.root / "test") if _is_folder(folder.root / "test") else []
    test = [sample for path in tests for sample in folder.with_masks(folder.samples(path, path.name), path)]
    return folder.dataset("The folder's own split into train and test is kept.", train, test)


def _plain(folder: _Folder) -> ListedDataset:
    good = folder.samples(folder.root / GOOD, GOOD)
    bad = folder.samples(folder.root / BAD, BAD)
    bad_units = {sample.unit for sample in bad}
    clean = [sample for sample in good if sample.unit not in bad_units]
    chosen = split_by_unit([sample.unit for sample in clean], TRAIN_FRACTION, folder.seed)
    train = [sample for sample, is_chosen in zip(clean, chosen, strict=True) if is_chosen]
    names = {sample.name for sample in train}
    test = [sample for sample in good if sample.name not in names] + bad
    return folder.dataset(f"Good units were split 75/25 into train and test by seed {folder.seed}.", train, test)


_LAYOUTS: Mapping[str, Callable[[_Folder], ListedDataset]] = {f"train/{GOOD}": _mvtec, GOOD: _plain}


def _provenance(root: Path) -> Provenance:
    name = root.resolve().name
    return Provenance(
        name=name,
        source=f"folder {name}",
        licence="not stated; the user's own images",
        non_commercial=False,
        grade="internal",
    )


def _is_plain(path: Path) -> bool:
    return not path.name.startswith(".") and not path.is_symlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and _is_plain(path)


def _files(folder: Path) -> Iterable[Path]:
    for parent, names, files in os.walk(folder, onerror=_raise_unreadable):
        names[:] = [name for name in names if not name.startswith(".")]
        yield from (Path(parent, name) for name in files)


def _subfolders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise DataError("data.folder_missing", str(root))
    try:
        return sorted(path for path in root.iterdir() if _is_folder(path))
    except OSError as error:
        _raise_unreadable(error)
        raise


def _raise_unreadable(error: OSError) -> None:
    raise ResourceError("data.unreadable", str(error.filename), found=error.strerror or "") from error
