"""Open a data set by the text a user gives for it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from andon.datasets.synthetic.boards import open_synthetic
from andon.datasets.vision.elpv import open_elpv
from andon.datasets.vision.folders import open_folder
from andon.models.types.errors import DataError
from andon.models.types.vision import Dataset

# Two characters at least, so that a drive letter begins a path.
_PREFIXED = re.compile(r"([a-z][a-z0-9_-]+):(.*)", re.DOTALL)

_OPENERS: Mapping[str, Callable[[str, int], Dataset]] = {"elpv": open_elpv, "synthetic": open_synthetic}


def open_dataset(source: str, seed: int = 0) -> Dataset:
    """Open ``elpv:mono``, ``elpv:poly``, ``synthetic:pcb`` or a folder; ``./a:b`` is a folder whose name has a colon.

    Parameters
    ----------
    source
        What the user gave.
    seed
        Seed of the split, and of what is generated.

    Raises
    ------
    DataError
        If it names no known set, or the folder cannot be used.
    MissingExtraError
        If the set is in a package that is not installed.
    ResourceError
        If the folder cannot be read.
    """
    prefixed = _PREFIXED.fullmatch(source)
    if prefixed is None:
        return open_folder(Path(source), seed)
    prefix, name = prefixed.groups()
    if prefix not in _OPENERS:
        raise DataError("data.unknown_source", source, known=", ".join(f"{known}:" for known in _OPENERS))
    return _OPENERS[prefix](name, seed)
