"""The data sets that Andon knows by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from andon.datasets.cards.provenance import Provenance
from andon.datasets.synthetic import boards
from andon.datasets.vision import elpv
from andon.models.types.errors import DataError


@dataclass(frozen=True, slots=True)
class KnownSet:
    """A named data set, described without reading it.

    Parameters
    ----------
    provenance
        Name, source, licence and grade.
    how_to_get
        What to do where it is not available.
    is_available
        Whether it can be opened on this machine now.
    fetch
        Verifies its contents and returns their folder, or None where they are computed and not kept. Raises
        ``DataError`` where they are not what was published, ``MissingExtraError`` where they are not installed.
    """

    provenance: Provenance
    how_to_get: str
    is_available: Callable[[], bool]
    fetch: Callable[[], Path | None]

    @property
    def name(self) -> str:
        """The text that opens it."""
        return self.provenance.name


def known_sets() -> Mapping[str, KnownSet]:
    """Return the known sets by name.

    >>> sorted(known_sets())
    ['elpv:mono', 'elpv:poly', 'synthetic:pcb']
    """
    cells = (_cells(elpv.provenance(cell_type)) for cell_type in elpv.CELL_TYPES)
    generated = KnownSet(boards.PROVENANCE, "generated; nothing to fetch", lambda: True, lambda: None)
    return {known.name: known for known in (*cells, generated)}


def known_set(name: str) -> KnownSet:
    """Return the known set of that name.

    Raises
    ------
    DataError
        If there is none.
    """
    sets = known_sets()
    if name not in sets:
        raise DataError("data.unknown_set", name, known=", ".join(sets))
    return sets[name]


def _cells(provenance: Provenance) -> KnownSet:
    return KnownSet(provenance, "pip install 'andon[demo]'", elpv.is_installed, elpv.fetch_elpv)
