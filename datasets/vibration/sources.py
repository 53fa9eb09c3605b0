"""Open a set of records by the text a user gives for it."""

from pathlib import Path

from andon.datasets.synthetic.bearings.machines import open_synthetic_records
from andon.datasets.vibration import mfpt
from andon.datasets.vibration.folders import open_record_folder
from andon.models.types.vibration import RecordSet


def open_records(source: str, seed: int = 0, *, home: Path) -> RecordSet:
    """Open ``mfpt``, ``synthetic:bearing`` or a folder; ``./mfpt`` is a folder of that name.

    Parameters
    ----------
    source
        What the user gave.
    seed
        Seed of the split, and of what is generated.
    home
        Where fetched data sets are kept.

    Raises
    ------
    DataError
        If there is no such set, it has not been fetched, or the folder is missing or has no record.
    RecordError
        If a sidecar cannot be used.
    ResourceError
        If the folder cannot be read.
    """
    if source == mfpt.PROVENANCE.name:
        return mfpt.open_mfpt(home)
    if source.startswith(_SYNTHETIC):
        return open_synthetic_records(source.removeprefix(_SYNTHETIC), seed)
    return open_record_folder(Path(source), seed)


_SYNTHETIC = "synthetic:"
