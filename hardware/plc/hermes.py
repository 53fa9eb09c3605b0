"""Board data from the machine before this station, by IPC-HERMES-9852 (The Hermes Standard).

Machines of an SMT line tell each other of the boards that they hand on: documents of XML on one TCP connection a lane. The machine upstream
listens, the one downstream connects, both describe themselves, and from then on the upstream machine says which board waits (its barcodes,
whether it has failed already) and the downstream machine when it takes it. This module is the downstream side, or listens where the line is
set up so that the other side connects; it reads of any version, and speaks what versions 1.0 to 1.5 have in common.

References are to the sections of version 1.5: 2.3 connections, 2.6 states, 3.3 CheckAlive, 3.4 ServiceDescription, 3.5 Notification, 3.6 to
3.12 the transport of a board.
"""

import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum, auto
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from andon.hardware.plc.hermes_messages import (
    MOST_BYTES,
    Board,
    BoardQuality,
    HermesError,
    HermesMessage,
    HermesReader,
    board_of,
    number_of,
    write,
)
from andon.models.types.errors import ResourceError

logger = logging.getLogger(__name__)

BASE_PORT = 50_100
"""The first lane is on the next port (section 2.3)."""

VERSION = "1.5"
_LOOK_S = 0.2
"""How often to look whether the end has come, and how long the other machine may take none of what is said."""


class HermesLostError(ResourceError):
    """The other machine cannot be reached, or left."""


class Transfer(IntEnum):
    """How far a board came (``TransferState``)."""

    NOT_STARTED = 1
    INCOMPLETE = 2
    COMPLETE = 3


class BoardEvent(StrEnum):
    """What became of a board."""

    AVAILABLE = "available"
    """It waits in the machine upstream."""

    REVOKED = "revoked"
    """It will not come: it was taken out."""

    TRANSPORTING = "transporting"
    """It was asked for, and is on its way."""

    ARRIVED = "arrived"
    """All of it is in this machine."""

    NOT_ARRIVED = "not_arrived"
    """It stayed upstream, or stands between the machines."""


Told = tuple[tuple[BoardEvent, Board], ...]
"""What became of which boards."""


class HermesState(Enum):
    """Where two machines stand with each other (section 2.6)."""

    CONNECTED = auto()
    NOT_AVAILABLE_NOT_READY = auto()
    BOARD_AVAILABLE = auto()
    MACHINE_READY = auto()
    AVAILABLE_AND_READY = auto()
    TRANSPORTING = auto()
    TRANSPORT_STOPPED = auto()
    TRANSPORT_FINISHED = auto()


_Moves = Mapping[tuple[HermesState, str], HermesState]
_S = HermesState
_HEARD: _Moves = {
    (_S.CONNECTED, "ServiceDescription"): _S.NOT_AVAILABLE_NOT_READY,
    (_S.NOT_AVAILABLE_NOT_READY, "BoardAvailable"): _S.BOARD_AVAILABLE,
    (_S.MACHINE_READY, "BoardAvailable"): _S.AVAILABLE_AND_READY,
    (_S.BOARD_AVAILABLE, "RevokeBoardAvailable"): _S.NOT_AVAILABLE_NOT_READY,
    (_S.AVAILABLE_AND_READY, "RevokeBoardAvailable"): _S.MACHINE_READY,
    (_S.TRANSPORTING, "TransportFinished"): _S.TRANSPORT_FINISHED,
    (_S.TRANSPORT_STOPPED, "TransportFinished"): _S.NOT_AVAILABLE_NOT_READY,
    # What was on its way when the transport began is passed over.
    (_S.TRANSPORTING, "BoardAvailable"): _S.TRANSPORTING,
    (_S.TRANSPORTING, "RevokeBoardAvailable"): _S.TRANSPORTING,
    (_S.TRANSPORT_STOPPED, "BoardAvailable"): _S.TRANSPORT_STOPPED,
    (_S.TRANSPORT_STOPPED, "RevokeBoardAvailable"): _S.TRANSPORT_STOPPED,
}
_SAID: _Moves = {
    (_S.NOT_AVAILABLE_NOT_READY, "MachineReady"): _S.MACHINE_READY,
    (_S.BOARD_AVAILABLE, "MachineReady"): _S.AVAILABLE_AND_READY,
    (_S.MACHINE_READY, "RevokeMachineReady"): _S.NOT_AVAILABLE_NOT_READY,
    (_S.AVAILABLE_AND_READY, "RevokeMachineReady"): _S.BOARD_AVAILABLE,
    (_S.AVAILABLE_AND_READY, "StartTransport"): _S.TRANSPORTING,
    (_S.TRANSPORTING, "StopTransport"): _S.TRANSPORT_STOPPED,
    (_S.TRANSPORT_FINISHED, "StopTransport"): _S.NOT_AVAILABLE_NOT_READY,
}
_MOVED_BY = {name for _, name in _HEARD}
"""Messages that change the state. Others (Notification, BoardForecast, what newer versions bring) are heard in any."""

_ALIVE = "CheckAlive"
_PING, _PONG = "1", "2"
_ANSWERS_PINGS = "FeatureCheckAliveResponse"


@dataclass(frozen=True, slots=True)
class HermesSession:
    """What the downstream machine knows of the upstream one, as a pure step: state goes in, state and events come out."""

    state: HermesState = HermesState.CONNECTED
    board: Board | None = None

    def heard(self, message: HermesMessage) -> tuple[Self, Told]:
        """Take what the other machine said.

        Raises
        ------
        HermesError
            It does not belong here, or is of another board than the one on its way.
        """
        return self._moved(_HEARD, message) if message.name in _MOVED_BY else (self, ())

    def said(self, message: HermesMessage) -> tuple[Self, Told]:
        """Take what this machine says.

        Raises
        ------
        HermesError
            It may not be said now.
        """
        return self._moved(_SAID, message)

    def _moved(self, moves: _Moves, message: HermesMessage) -> tuple[Self, Told]:
        state = moves.get((self.state, message.name))
        if state is None:
            raise HermesError("hermes.unexpected", message.name, state=self.state.name)
        moved = replace(self, state=state)
        match message.name, self.board:
            case "BoardAvailable", _ if self.state is not state:
                board = board_of(message)
                return replace(moved, board=board), ((BoardEvent.AVAILABLE, board),)
            case "RevokeBoardAvailable", Board() as board if self.state is not state:
                return replace(moved, board=None), ((BoardEvent.REVOKED, board),)
            case "StartTransport", Board() as board:
                return moved, ((BoardEvent.TRANSPORTING, board),)
            case "TransportFinished", Board() as board:
                return moved._finished(message, board)
            case "StopTransport", Board() if self.state is HermesState.TRANSPORT_FINISHED:
                return replace(moved, board=None), ()
        return moved, ()

    def _finished(self, message: HermesMessage, board: Board) -> tuple[Self, Told]:
        named = message.attributes.get("BoardId", "")
        if named != board.id:
            raise HermesError("hermes.board", message.name, found=named[:80], expected=board.id[:80])
        is_whole = number_of(message, "TransferState", 3) == Transfer.COMPLETE
        event = BoardEvent.ARRIVED if is_whole else BoardEvent.NOT_ARRIVED
        gone = self.state is HermesState.NOT_AVAILABLE_NOT_READY
        return replace(self, board=None if gone else board), ((event, board),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HermesSettings:
    """How this station takes part.

    Parameters
    ----------
    machine_id
        What this station is called in the line.
    alive_s
        How often CheckAlive is said; a machine that answers it and has said nothing for three times as long counts as lost.
    pause_s
        Before a machine that is away is tried again.
    """

    machine_id: str
    lane: int = 1
    alive_s: float = 10.0
    pause_s: float = 1.0


class Opening(Protocol):
    """How a connection comes about."""

    def __call__(self, ending: Event) -> socket.socket | None:
        """Wait for a connection; None where the end came first. Raises ``OSError``."""


@dataclass(frozen=True, slots=True)
class Connecting:
    """Connects to the machine upstream, which listens on ``BASE_PORT`` and its lane (section 2.3)."""

    host: str
    port: int = BASE_PORT + 1
    timeout_s: float = 5.0

    def __call__(self, ending: Event) -> socket.socket:
        """Connect."""
        return socket.create_connection((self.host, self.port), self.timeout_s)


@dataclass(frozen=True, slots=True)
class Listening:
    """Lets the other machine connect, one at a time."""

    host: str
    port: int
    poll_s: float = 0.2

    def __call__(self, ending: Event) -> socket.socket | None:
        """Wait for the other machine."""
        with socket.create_server((self.host, self.port)) as listener:
            listener.settimeout(self.poll_s)
            while not ending.is_set():
                try:
                    return listener.accept()[0]
                except TimeoutError:
                    continue
        return None


class HermesLink:
    """A connection to the machine upstream, in a thread of its own while it is used in a ``with`` statement; it reconnects by itself.

    A station that only watches a conveyor tells nothing and reads which board waits; one that moves boards itself calls ``ready`` to
    ``stop_transport`` in that order.

    Parameters
    ----------
    boards
        Told what becomes of each board, in the link's thread or that of ``start_transport``; must return soon.
    """

    def __init__(self, opening: Opening, settings: HermesSettings, boards: Callable[[BoardEvent, Board], None]) -> None:
        self._opening = opening
        self._settings = settings
        self._boards = boards
        self._ending = Event()
        self._lock = Lock()
        self._session = HermesSession()
        self._socket: socket.socket | None = None
        self._failure: str | None = "not connected yet"
        self._answers_pings = False
        self._thread = Thread(target=self._work, name="hermes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say that this machine shuts down, and leave."""
        self._ending.set()
        self._thread.join()

    @property
    def failure(self) -> str | None:
        """Why the machine upstream says nothing; None while it is connected and has described itself."""
        return self._failure if self._thread.is_alive() else "not running"

    @property
    def state(self) -> HermesState:
        """Where the two machines stand with each other."""
        return self._session.state

    @property
    def board(self) -> Board | None:
        """The board that waits upstream, is on its way, or arrived last and has not been stopped; None where there is none."""
        return self._session.board

    def ready(self) -> None:
        """Say that this machine can take any board (section 3.8). Raises ``HermesError`` or ``HermesLostError``, as all that follow."""
        self._tell(HermesMessage("MachineReady", {"FailedBoard": str(int(BoardQuality.UNKNOWN))}))

    def not_ready(self) -> None:
        """Take that back (section 3.9)."""
        self._tell(HermesMessage("RevokeMachineReady"))

    def start_transport(self) -> None:
        """Say that this machine's conveyor runs, for the board that waits (section 3.10)."""
        self._tell(self._about_board("StartTransport"))

    def stop_transport(self, transfer: Transfer) -> None:
        """Say that it has stopped, and how far the board came (section 3.12)."""
        stop = self._about_board("StopTransport")
        self._tell(replace(stop, attributes={"TransferState": str(int(transfer)), **stop.attributes}))

    def _about_board(self, name: str) -> HermesMessage:
        board = self._session.board
        return HermesMessage(name, {"BoardId": board.id} if board else {})

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                with self._opened() as connection:
                    self._converse(connection)
            except (HermesError, HermesLostError) as error:
                self._failed(str(error.params.get("reason", error)))
            except OSError as error:
                self._failed(error.strerror or str(error))
            self._ending.wait(self._settings.pause_s)

    @contextmanager
    def _opened(self) -> Iterator[socket.socket]:
        opened = self._opening(self._ending)
        if opened is None:
            raise HermesLostError("hermes.lost", self._settings.machine_id, reason="ended")
        with closing(opened) as connection:
            connection.settimeout(min(self._settings.alive_s, _LOOK_S))
            with self._lock:
                self._session, self._socket, self._answers_pings = HermesSession(), connection, False
            try:
                yield connection
            finally:
                self._forget()

    def _forget(self) -> None:
        """A board that was on its way when the connection broke is unknown from then on: the machine upstream says it anew."""
        with self._lock:
            self._session, self._socket = HermesSession(), None

    def _converse(self, connection: socket.socket) -> None:
        reader, heard_at, said_at = HermesReader(), monotonic(), monotonic()
        self._send(connection, self._description())
        while not self._ending.is_set():
            data = self._received(connection)
            if data:
                heard_at = monotonic()
                self._heed_all(connection, reader, data)
            if monotonic() - said_at >= self._settings.alive_s:
                said_at = monotonic()
                self._check_alive(connection, said_at - heard_at)
        self._send(connection, _notification("5", "4", "shutdown"))

    def _received(self, connection: socket.socket) -> bytes:
        """Wait for bytes; none where none came for a while."""
        try:
            data = connection.recv(MOST_BYTES)
        except TimeoutError:
            return b""
        if not data:
            raise HermesLostError(
                "hermes.lost", self._settings.machine_id, reason="the other machine closed the connection"
            )
        return data

    def _heed_all(self, connection: socket.socket, reader: HermesReader, data: bytes) -> None:
        try:
            for message in reader.feed(data):
                self._heed(connection, message)
        except HermesError as error:
            self._send(connection, _notification("1", "1", str(error)))
            raise

    def _heed(self, connection: socket.socket, message: HermesMessage) -> None:
        with self._lock:
            self._session, events = self._session.heard(message)
        for event, board in events:
            self._boards(event, board)
        match message.name:
            case "ServiceDescription":
                self._answers_pings = any(path.endswith(_ANSWERS_PINGS) for path in message.elements)
                self._failure = None
                logger.info("hermes connected", extra={"fields": {"machine": message.attributes.get("MachineId", "")}})
            case "CheckAlive" if message.attributes.get("Type") == _PING:
                self._send(connection, HermesMessage(_ALIVE, {**message.attributes, "Type": _PONG}))
            case "Notification":
                logger.warning("hermes notification", extra={"fields": dict(message.attributes)})

    def _check_alive(self, connection: socket.socket, silent_s: float) -> None:
        if self._answers_pings and silent_s > 3 * self._settings.alive_s:
            raise HermesLostError("hermes.lost", self._settings.machine_id, reason=f"silent for {silent_s:.0f} s")
        self._send(connection, HermesMessage(_ALIVE, {"Type": _PING, "Id": "andon"} if self._answers_pings else {}))

    def _description(self) -> HermesMessage:
        attributes = {"LaneId": str(self._settings.lane), "MachineId": self._settings.machine_id, "Version": VERSION}
        return HermesMessage("ServiceDescription", attributes, (f"SupportedFeatures/{_ANSWERS_PINGS}",))

    def _tell(self, message: HermesMessage) -> None:
        with self._lock:
            if self._socket is None:
                raise HermesLostError("hermes.lost", self._settings.machine_id, reason=self._failure or "closed")
            session, events = self._session.said(message)
            self._write(self._socket, message)
            self._session = session
        for event, board in events:
            self._boards(event, board)

    def _send(self, connection: socket.socket, message: HermesMessage) -> None:
        with self._lock:
            self._write(connection, message)

    def _write(self, connection: socket.socket, message: HermesMessage) -> None:
        try:
            connection.sendall(write(message, datetime.now(UTC).astimezone()))
        except OSError as error:
            with suppress(OSError):  # half a document may be out, and nothing may follow it
                connection.shutdown(socket.SHUT_RDWR)
            reason = error.strerror or str(error)
            raise HermesLostError("hermes.lost", self._settings.machine_id, reason=reason) from error

    def _failed(self, reason: str) -> None:
        if self._failure != reason:
            logger.warning("hermes not connected", extra={"fields": {"reason": reason}})
        self._failure = reason


def _notification(code: str, severity: str, text: str) -> HermesMessage:
    """Section 3.5: code 1 is a protocol error, 5 a shutdown; severity 1 is fatal, 4 information."""
    return HermesMessage("Notification", {"NotificationCode": code, "Severity": severity, "Description": text[:200]})
