"""Where a part's serial number comes from: its PLC, the machine upstream, or not from outside the picture."""

from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from andon.hardware.plc.handshake import Trigger
from andon.hardware.plc.hermes import (
    BoardEvent,
    HermesLink,
    HermesLostError,
    HermesSettings,
    HermesState,
    Opening,
    Transfer,
)
from andon.hardware.plc.hermes_messages import Board, HermesError
from andon.models.types.errors import InputError


class NoBoardError(InputError):
    """A part is to be judged, and the machine upstream has handed over none."""


class Serials(Protocol):
    """Says serial numbers."""

    @property
    def failure(self) -> str | None:
        """Why it can say none now; None while it can."""

    def attend(self, is_free: bool) -> None:
        """Do what is due; called several times a second by the station, which says whether it can take a part."""

    def take(self, trigger: Trigger) -> str:
        """Say the serial number of the part that is there, empty where it has none. Raises ``NoBoardError``."""


class PlcSerials:
    """The PLC says them."""

    failure: str | None = None

    def attend(self, is_free: bool) -> None:
        """Nothing is due."""

    def take(self, trigger: Trigger) -> str:
        """Say what the PLC said."""
        return trigger.serial


class NoSerials:
    """Nobody says them: they are in the picture, or parts have none."""

    failure: str | None = None

    def attend(self, is_free: bool) -> None:
        """Nothing is due."""

    def take(self, trigger: Trigger) -> str:
        """Say none, whatever the PLC says."""
        return ""


class BoardSerials:
    """The machine upstream says them by IPC-HERMES-9852, board by board; open while it is used in a ``with`` statement.

    The station speaks for its conveyor, which the PLC moves: it is ready while it is free, lets the transport begin as soon as a board waits,
    and ends it when the board has arrived. The trigger that comes then is that board's. A board is given once: where none was handed
    over since the last one, there is none.
    """

    def __init__(self, opening: Opening, settings: HermesSettings) -> None:
        self._link = HermesLink(opening, settings, self._note)
        self._board: Board | None = None
        self._transfer = Transfer.COMPLETE

    def __enter__(self) -> Self:
        self._link.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.__exit__(kind, error, trace)

    @property
    def failure(self) -> str | None:
        """Why the machine upstream says nothing."""
        return self._link.failure

    def attend(self, is_free: bool) -> None:
        """Say to the machine upstream what is due."""
        # What it says at this moment may make it not due any more: the next look tells.
        with suppress(HermesError, HermesLostError):
            self._attend(is_free and self._board is None)

    def _attend(self, is_free: bool) -> None:
        match self._link.state:
            case HermesState.NOT_AVAILABLE_NOT_READY | HermesState.BOARD_AVAILABLE if is_free:
                self._link.ready()
            case HermesState.MACHINE_READY if not is_free:
                self._link.not_ready()
            case HermesState.AVAILABLE_AND_READY:
                self._link.start_transport() if is_free else self._link.not_ready()
            case HermesState.TRANSPORT_FINISHED:
                self._link.stop_transport(self._transfer)

    def take(self, trigger: Trigger) -> str:
        """Say the serial number of the board that was handed over last, or its id where it has no barcode."""
        board, self._board = self._board, None
        if board is None:
            raise NoBoardError("hermes.no_board", str(trigger.count), reason=self.failure or "-")
        return board.serial or board.id

    def _note(self, event: BoardEvent, board: Board) -> None:
        """Remember the board from when it sets out: its trigger may come before the machine upstream says that it has arrived."""
        match event:
            case BoardEvent.TRANSPORTING:
                self._board = board
            case BoardEvent.ARRIVED:
                self._transfer = Transfer.COMPLETE
            case BoardEvent.NOT_ARRIVED:
                self._board, self._transfer = None, Transfer.INCOMPLETE
