"""A folder into which recorders and gateways put records: each is taken once, when it is complete."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Self

from andon.datasets.vibration.containers import reckoned
from andon.datasets.vibration.folders import natural_key, record_paths
from andon.datasets.vibration.hints import NOTHING, RecordHints
from andon.datasets.vibration.records import read_blocks
from andon.datasets.vibration.sidecars import sidecar_path
from andon.hardware.acquisition.journal import Journal, Sign
from andon.hardware.acquisition.record_folder import BLOCK_S
from andon.hardware.acquisition.standing import Report, StandingFaults
from andon.models.types.errors import DataError, MissingExtraError, OptionError, RecordError, ResourceError
from andon.models.types.vibration import Signal

_HEAD_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFolderSettings:
    """A folder and how it is watched.

    Parameters
    ----------
    journal
        A file outside the folder that remembers what was taken.
    every_s
        From one look at the folder to the next.
    still_s
        A file is complete once its size and time, and those of its sidecar, have stood still for so long; 0 where files are renamed
        into place, and then they are taken at the first look.
    asset
        Of records that name none.
    """

    folder: Path
    journal: Path
    every_s: float = 0.5
    still_s: float = 2.0
    asset: str = ""

    def __post_init__(self) -> None:
        if not self.every_s > 0:
            raise OptionError("acquisition.not_positive", "every_s", found=self.every_s)
        if not self.still_s >= 0:
            raise OptionError("acquisition.negative", "still_s", found=self.still_s)
        if self.journal.resolve().is_relative_to(self.folder.resolve()):
            raise OptionError("acquisition.journal_inside", "journal", found=str(self.journal))


@dataclass(frozen=True, slots=True)
class _Seen:
    """How a file looked, and since when by the box's monotonic clock."""

    signs: tuple[Sign, Sign | None]
    since_s: float


@dataclass(frozen=True, slots=True)
class _Complete:
    """A file that is complete, and when its record began."""

    path: Path
    sign: Sign
    sidecar: Sign | None
    time: datetime


class WatchedFolder:
    """A ``SignalSource`` of the records that come into a folder.

    Those that are complete at one look come in the order of their own time; one without a time ended when its file was last written. A
    record counts as taken once all its blocks were taken and the next is asked for: after a kill in its middle it comes again from its
    beginning. A file that is overwritten is another record. One that cannot be read is reported, left where it is, and tried again when it
    or its sidecar changes; one whose format wants an extra that is not installed, until that is.

    Parameters
    ----------
    report
        Told of records that cannot be read, and of a folder or journal that fails.
    stop
        Ends ``blocks`` once it is set, after the block at hand.
    hints
        What is said of all its records.
    """

    def __init__(
        self, settings: WatchedFolderSettings, report: Report, stop: Event, hints: RecordHints = NOTHING
    ) -> None:
        self._settings = settings
        self._report = report
        self._stop = stop
        self._hints = hints
        self._faults = StandingFaults(report)
        self._seen: dict[Path, _Seen] = {}
        self._journal = Journal(settings.journal)

    def __enter__(self) -> Self:
        self._journal.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()

    def blocks(self) -> Iterator[Signal]:
        """Deliver the records block by block until ``stop`` is set."""
        while not self._stop.is_set():
            for complete in sorted(self._complete(), key=lambda each: (each.time, natural_key(each.path.name))):
                yield from self._taken(complete)
                if self._stop.is_set():
                    return
            self._stop.wait(self._settings.every_s)

    def _taken(self, complete: _Complete) -> Iterator[Signal]:
        try:
            for block in self._blocks(complete):
                yield block
                if self._stop.is_set():
                    return  # what is left comes again
        except RecordError as error:
            self._refuse(complete.path, complete.sign, complete.sidecar, error)
            return
        self._note(complete.path, complete.sign, None, is_taken=True)

    def _blocks(self, complete: _Complete) -> Iterator[Signal]:
        elapsed_s = 0.0
        for block in read_blocks(complete.path, self._hints, BLOCK_S):
            time = complete.time + timedelta(seconds=elapsed_s)
            yield replace(block, asset=block.asset or self._settings.asset, time=time)
            elapsed_s += block.duration_s

    def _complete(self) -> list[_Complete]:
        found: list[_Complete] = []
        for path, (sign, sidecar) in self._still().items():
            if self._stop.is_set():
                break
            if self._journal.knows(self._name(path), sign, sidecar):
                continue
            try:
                found.append(_Complete(path, sign, sidecar, self._time(path, sign)))
            except RecordError as error:
                self._refuse(path, sign, sidecar, error)
            except MissingExtraError as error:
                # Nothing is wrong with the record: it is taken once its reader is installed.
                self._faults.note(error)
        return found

    def _still(self) -> Mapping[Path, tuple[Sign, Sign | None]]:
        """Look at the folder; return the files that have stood still for long enough."""
        now_s = monotonic()
        try:
            signs = {path: sign for path in record_paths(self._settings.folder) if (sign := _signs(path))}
        except (DataError, ResourceError) as error:
            self._faults.note(error)
            return {}
        self._faults.clear(str(self._settings.folder))
        seen = {path: self._seen.get(path) for path in signs}
        self._seen = {
            path: before if before and before.signs == signs[path] else _Seen(signs[path], now_s)
            for path, before in seen.items()
        }
        if signs:  # a share that is not mounted is an empty folder, and what was taken there comes back with it
            self._journal.keep_only({self._name(path) for path in signs})
        return {path: each.signs for path, each in self._seen.items() if now_s - each.since_s >= self._settings.still_s}

    def _time(self, path: Path, sign: Sign) -> datetime:
        """When a record began: as it says, or its length before its file was last written."""
        first = next(read_blocks(path, self._hints, _HEAD_S))
        if first.time is not None:
            return first.time
        duration_s = sum(block.duration_s for block in read_blocks(path, self._hints, BLOCK_S))
        with reckoned(path):
            return datetime.fromtimestamp(sign.modified_ns / 1e9, UTC) - timedelta(seconds=duration_s)

    def _refuse(self, path: Path, sign: Sign, sidecar: Sign | None, error: RecordError) -> None:
        self._report(error)
        self._note(path, sign, sidecar, is_taken=False)

    def _note(self, path: Path, sign: Sign, sidecar: Sign | None, *, is_taken: bool) -> None:
        """Remember it; where that fails it is remembered until the next start, and comes again then."""
        try:
            self._journal.note(self._name(path), sign, sidecar, is_taken=is_taken)
        except ResourceError as error:
            self._faults.note(error)
        else:
            self._faults.clear(str(self._settings.journal))

    def _name(self, path: Path) -> str:
        """Its name in the journal: also where its bytes are no UTF-8, as those of names in GBK."""
        return path.relative_to(self._settings.folder).as_posix().encode(errors="backslashreplace").decode()


def _signs(path: Path) -> tuple[Sign, Sign | None] | None:
    """How a file and its sidecar look; None where it has gone."""
    try:
        sidecar = sidecar_path(path)
        return Sign.of(path), Sign.of(sidecar) if sidecar else None
    except OSError:
        return None
