"""Send what a box kept to the service, for as long as it takes.

The box's own chain of the ledger is the outbox and the service says how far it has it, so that whatever is killed at whatever moment, what
follows is sent and nothing is kept twice.
"""

import logging
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from threading import Event, Thread
from typing import Self

from andon.datasets.store.blobs import BlobStore
from andon.datasets.store.opening import Store
from andon.datasets.store.replication import BatchLimits, FileChoice, Outgoing, Parcel
from andon.hardware.edge.remote import Service, ServiceAwayError, UploadRefusedError
from andon.models.ledger.chain import Head
from andon.models.types.errors import AndonError, DataError, OptionError, ResourceError

logger = logging.getLogger(__name__)

_LARGEST_EXPONENT = 32
_ALL, _LIMITS = FileChoice(), BatchLimits()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait for what.

    Parameters
    ----------
    first_s, longest_s
        After a failure, and after many: waits double, each shortened at random by up to a half, so that many boxes do not come at once.
    gather_s
        After a new record, for those that follow it closely.
    idle_s
        How often to look without being told.
    close_s
        For the request that runs when it ends; what that one sends is known again if it is sent again.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    gather_s: float = 0.2
    idle_s: float = 30.0
    close_s: float = 5.0

    def delay_s(self, failures: int, random: Random) -> float:
        """Return how long to wait after so many failures in a row, from 1.

        >>> 2.0 <= Pace().delay_s(3, Random(1)) <= 4.0, 30.0 <= Pace().delay_s(99, Random(1)) <= 60.0
        (True, True)
        """
        longest = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, _LARGEST_EXPONENT))
        return longest * (1 - random.random() / 2)


_USUAL_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the upload is.

    Parameters
    ----------
    waiting
        Entries that the service is not known to have.
    confirmed
        The number of the last entry that it is known to have; None where it has not been heard since the start.
    last_success
        When it answered last, in UTC.
    error
        Why it does not go on; None while it does. ``UploadEndedError`` where it will not by itself.
    """

    waiting: int
    confirmed: int | None = None
    last_success: datetime | None = None
    error: AndonError | None = None


class UploadEndedError(ResourceError):
    """The thread that uploads has ended by itself: what is kept stays, and is sent once it is started anew."""


class Uploader:
    """Sends what is kept, on a thread of its own, while it is used in a ``with`` statement.

    Whatever of the service, the network, the database and the disk fails is tried again; a fault of this program ends the thread, and
    ``check`` and ``progress`` say so.

    Parameters
    ----------
    store
        Of the box.
    choice
        Which pictures and waveforms go.

    Raises
    ------
    OptionError
        The store's origin cannot stand in an address.
    """

    def __init__(
        self,
        store: Store,
        service: Service,
        choice: FileChoice = _ALL,
        limits: BatchLimits = _LIMITS,
        pace: Pace = _USUAL_PACE,
    ) -> None:
        self._origin = _checked_origin(store.origin)
        self._blobs = store.blobs
        self._outgoing = Outgoing(store, choice, limits)
        self._service = service
        self._pace = pace
        self._random = Random()
        self._progress = Progress(0)
        self._there: Head | None = None
        self._woken, self._closing = Event(), Event()
        self._thread = Thread(target=self._work, name="upload", daemon=True)

    def __enter__(self) -> Self:
        """Start to send."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def wake(self) -> None:
        """Say that something new is kept; a service that is away is not asked the sooner for it."""
        self._woken.set()

    def close(self) -> None:
        """End, once the request that runs is answered or after some seconds. What is not sent stays in the store."""
        self._closing.set()
        self._woken.set()
        self._thread.join(self._pace.close_s)

    def progress(self) -> Progress:
        """Say how far it is.

        Raises
        ------
        ResourceError
            The box's own database cannot be read.
        """
        progress = self._progress
        waiting = max(self._outgoing.head.seq - (progress.confirmed or 0), 0)
        return replace(progress, waiting=waiting, error=self._ended() or progress.error)

    def _ended(self) -> UploadEndedError | None:
        if self._thread.is_alive() or self._closing.is_set():
            return None
        return UploadEndedError("upload.ended", self._origin)

    def _work(self) -> None:
        failures = 0
        with closing(self._service):
            while not self._closing.is_set():
                try:
                    is_more = self._send_next()
                except AndonError as error:
                    failures += 1
                    self._fail(error)
                    self._closing.wait(max(self._pace.delay_s(failures, self._random), _asked_s(error, self._pace)))
                else:
                    failures = 0
                    if not is_more:
                        self._await_more()

    def _await_more(self) -> None:
        if self._woken.wait(self._pace.idle_s):
            self._closing.wait(self._pace.gather_s)
        self._woken.clear()

    def _send_next(self) -> bool:
        """Send what is next; return whether there was anything."""
        there = self._there or self._ask_head()
        parcel = self._outgoing.after(there.seq)
        if parcel is None:
            return False
        whole = self._with_files_sent(parcel)
        if self._closing.is_set():
            return False
        taken = self._service.take(self._origin, whole.batch)
        last = whole.batch.entries[-1]
        if (taken.seq, taken.hash) != (last.seq, last.hash):
            # Another process sends the same chain, or has set it back: look anew.
            raise UploadRefusedError("upload.answer", self._origin, reason=f"{taken.seq} {taken.hash}")
        self._confirm(taken)
        return True

    def _ask_head(self) -> Head:
        there = self._service.head(self._origin)
        self._outgoing.check(there)
        self._confirm(there)
        return there

    def _with_files_sent(self, parcel: Parcel) -> Parcel:
        """Send the files that the service has not; return what goes without those that are not kept here any more."""
        wanted = sorted(set(parcel.files.values()))
        lost = set[str]()
        for digest in self._service.missing(wanted) if wanted else ():
            if self._closing.is_set():
                break
            contents = _file(self._blobs, digest)
            if contents is None:
                lost.add(digest)
            else:
                self._service.put_file(digest, contents)
        return parcel.without(lost) if lost else parcel

    def _confirm(self, there: Head) -> None:
        self._there = there
        self._progress = Progress(0, there.seq, datetime.now(UTC))

    def _fail(self, error: AndonError) -> None:
        """Say why, and ask the service anew how far it is."""
        logger.warning("not uploaded", extra={"fields": {"code": error.code, "reason": str(error)}})
        self._there = None
        self._progress = replace(self._progress, error=error)


def _file(blobs: BlobStore, digest: str) -> bytes | None:
    """Read a picture or a waveform; None where it is gone or damaged: the record goes without it."""
    try:
        return blobs.get(digest)
    except DataError as error:
        logger.warning("file not uploaded", extra={"fields": {"code": error.code, "digest": digest}})
        return None


def _asked_s(error: AndonError, pace: Pace) -> float:
    return min(error.wait_s, pace.longest_s) if isinstance(error, ServiceAwayError) else 0.0


def _checked_origin(origin: str) -> str:
    if "/" in origin or not origin.strip("."):
        raise OptionError("upload.name", origin)
    return origin
