"""The data sets that Andon knows by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from andon.datasets.cards.provenance import Provenance
from andon.datasets.synthetic import boards
from andon.datasets.synthetic.bearings import machines
from andon.datasets.vibration import mfpt, skab
from andon.datasets.vibration.folders import open_record_folder, record_paths
from andon.datasets.vibration.skab import skab_card
from andon.datasets.vision import elpv
from andon.datasets.vision.folders import image_paths
from andon.datasets.vision.sources import open_dataset
from andon.models.types.errors import DataError
from andon.models.types.vibration import RecordSet
from andon.models.types.vision import DataCard, Dataset


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
        Whether it can be opened on this machine now. Takes the folder where fetched sets are kept, as do the others.
    fetch
        Fetches its contents where that is needed, verifies them, and returns their folder, or None where they are computed
        and not kept. Raises ``DataError`` where they are not what was published, ``MissingExtraError`` where they are not
        installed, ``ResourceError`` where they cannot be fetched.
    card
        Reads its contents and says what is in them.
    """

    provenance: Provenance
    how_to_get: str
    is_available: Callable[[Path], bool]
    fetch: Callable[[Path], Path | None]
    card: Callable[[Path], DataCard]

    @property
    def name(self) -> str:
        """The text that opens it."""
        return self.provenance.name


def known_sets() -> Mapping[str, KnownSet]:
    """Return the known sets by name.

    >>> sorted(known_sets())
    ['elpv:mono', 'elpv:poly', 'mfpt', 'synthetic:bearing', 'synthetic:pcb']
    """
    cells = (_cells(cell_type) for cell_type in elpv.CELL_TYPES)
    rig = KnownSet(
        mfpt.PROVENANCE,
        "andon data fetch mfpt",
        mfpt.is_fetched,
        mfpt.fetch_mfpt,
        lambda home: mfpt.open_mfpt(home).card,
    )
    board, bearing = (
        _generated(boards.PROVENANCE, boards.open_synthetic),
        _generated(machines.PROVENANCE, machines.open_synthetic_records),
    )
    sets = (*cells, rig, bearing, board)
    return {known.name: known for known in sets}


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


def card_of(source: str, home: Path) -> DataCard:
    """Return the card of a known set, of ``skab:DIR``, or of a folder of images or records; reads all of it.

    Parameters
    ----------
    home
        Where fetched sets are kept.

    Raises
    ------
    InputError
        If it names no set, or its contents cannot be used.
    ResourceError
        If it cannot be read.
    """
    sets = known_sets()
    if source in sets:
        return sets[source].card(home)
    if source.startswith(_SKAB):
        return skab_card(Path(source.removeprefix(_SKAB)))
    return open_record_folder(Path(source)).card if _holds_records(Path(source)) else open_dataset(source).card


_SKAB = f"{skab.PROVENANCE.name}:"


def _holds_records(folder: Path) -> bool:
    """Whether a folder is one of records: a table beside images lists their units."""
    return folder.is_dir() and not image_paths(folder) and bool(record_paths(folder))


def _cells(cell_type: str) -> KnownSet:
    return KnownSet(
        elpv.provenance(cell_type),
        "pip install 'andon[demo]'",
        lambda _: elpv.is_installed(),
        lambda _: elpv.fetch_elpv(),
        lambda _: elpv.open_elpv(cell_type).card,
    )


def _generated(provenance: Provenance, open_set: Callable[[str], Dataset | RecordSet]) -> KnownSet:
    name = provenance.name.split(":")[1]
    return KnownSet(
        provenance, "generated; nothing to fetch", lambda _: True, lambda _: None, lambda _: open_set(name).card
    )
