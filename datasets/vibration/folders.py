"""Labelled records in a folder.

The label of a record is that of its sidecar, else the name of the folder it lies in where that is a fault
(``outer_race/run 1.csv``) or says that the machine was healthy. Its unit, the physical bearing or machine, is what the
sidecar calls ``unit_id``, ``bearing`` or ``asset``.
"""

import os
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from andon.datasets.cards.digests import file_digest
from andon.datasets.cards.listed import Listed
from andon.datasets.cards.provenance import Provenance
from andon.datasets.splits.units import split_by_unit
from andon.datasets.vibration.records import SUFFIXES, is_record, read_record
from andon.datasets.vibration.sidecars import read_sidecar
from andon.models.types.errors import DataError, RecordError, ResourceError
from andon.models.types.vibration import HEALTHY, Fault, RecordSample
from andon.models.types.vision import Split

TRAIN_FRACTION = 0.75
HEALTHY_NAMES = frozenset({HEALTHY, "healthy", "normal", "good"})
FAULTS = frozenset(Fault)


def record_paths(folder: Path) -> list[Path]:
    """List the records below ``folder``, known by their suffix, in natural order: ``run 2`` comes before ``run 10``.

    Hidden entries and links are left out.

    Raises
    ------
    DataError
        If there is no such folder.
    ResourceError
        If a folder cannot be read.
    """
    if not folder.is_dir():
        raise DataError("record.folder_missing", str(folder))
    found = (path for path in _files(folder) if is_record(path) and not path.is_symlink())
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts ``text`` by the value of the numbers in it.

    >>> sorted(["run 10", "run 9"], key=natural_key)
    ['run 9', 'run 10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts)


def open_record_folder(root: Path, seed: int = 0) -> Listed[RecordSample]:
    """Open a folder of records; the sidecars are read now, the records when they are asked for.

    Three quarters of the physical units train, chosen by ``seed``; the others are for the test.

    Raises
    ------
    DataError
        If there is no such folder, or no record in it.
    RecordError
        If a sidecar cannot be used.
    ResourceError
        If a folder cannot be read.
    """
    samples = [record_sample(path, root) for path in record_paths(root)]
    if not samples:
        raise DataError("record.no_record", str(root), suffixes=" ".join(sorted(SUFFIXES)))
    chosen = split_by_unit([sample.unit for sample in samples], TRAIN_FRACTION, seed)
    by_split = {
        split: [sample for sample, trains in zip(samples, chosen, strict=True) if trains == (split is Split.TRAIN)]
        for split in (Split.TRAIN, Split.TEST)
    }
    return Listed(_provenance(root), _split_sentence(samples, seed), by_split)


def record_sample(path: Path, root: Path) -> RecordSample:
    """Describe the record at ``path``, below the folder ``root``; it is not read before it is asked for.

    Raises
    ------
    RecordError
        If its sidecar cannot be used, or names a label that is no fault.
    """
    sidecar = read_sidecar(path)
    name = path.relative_to(root).as_posix()
    return RecordSample(
        name=name,
        label=_folder_label(path.parent.name) if sidecar.label is None else _label(sidecar.label, path),
        unit=sidecar.physical_unit or name,
        digest=partial(file_digest, path),
        signal=partial(read_record, path),
    )


def _label(text: str, path: Path) -> str:
    label = HEALTHY if text.lower() in HEALTHY_NAMES else text
    if label and label not in FAULTS:
        raise RecordError("record.bad_label", str(path), found=text, known=", ".join(Fault))
    return label


def _folder_label(name: str) -> str:
    plain = name.lower().replace(" ", "_").replace("-", "_")
    if plain in HEALTHY_NAMES:
        return HEALTHY
    return plain if plain in FAULTS else ""


def _split_sentence(samples: Sequence[RecordSample], seed: int) -> str:
    alone = sum(sample.unit == sample.name for sample in samples)
    units = (
        "The units are those that the sidecars name."
        if not alone
        else f"{alone} of {len(samples)} records name no unit (unit_id in the sidecar), so each of them counted as its own."
    )
    return f"Units were split 75/25 into train and test by seed {seed}. {units}"


def folder_name(root: Path) -> str:
    """What a folder of records is called, and the machine of those records in it that name none.

    >>> folder_name(Path("plant/pump 7/."))
    'pump 7'
    """
    return root.resolve().name


def _provenance(root: Path) -> Provenance:
    name = folder_name(root)
    return Provenance(
        name, f"folder {name}", "not stated; the user's own records", non_commercial=False, grade="internal"
    )


def _files(folder: Path) -> Iterable[Path]:
    for parent, names, files in os.walk(folder, onerror=_raise_unreadable):
        names[:] = [name for name in names if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _raise_unreadable(error: OSError) -> NoReturn:
    raise ResourceError("data.unreadable", str(error.filename), found=error.strerror or "") from error
