"""A station as Modbus TCP server: the PLC reads and writes at its own pace.

When the station's process dies its connections end and its heartbeat stands still; the PLC sees either.
"""

import asyncio
from types import TracebackType
from typing import Self

from andon.hardware.plc.inbox import Inbox
from andon.hardware.plc.modbus_tables import Tables, TablesServer
from andon.hardware.plc.registers import Bases, Side, decode_inputs, encode_outputs
from andon.models.types.line import LineInputs, LineLostError, LineOutputs


class ModbusServerLink:
    """A ``LineLink`` that PLCs connect to.

    Several may; what one of them writes holds for all. What a PLC may not write is refused as an illegal address.

    Parameters
    ----------
    host, port
        Where it listens; port 0 takes a free one, which ``port`` then tells.
    unit
        Unit identifier, 0 to 255.
    coil_base, register_base
        What is added to the addresses of the map.
    silence_s
        The PLC counts as away when none has asked for so long: one whose cable was pulled does not say goodbye.

    Raises
    ------
    OptionError
        The map does not fit from a base on.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 502,
        unit: int = 1,
        coil_base: int = 0,
        register_base: int = 0,
        silence_s: float = 2.0,
    ) -> None:
        self._silence_s = silence_s
        self._tables = Tables(Bases(coil_base, register_base), Side.PLC, self._note)
        self._server = TablesServer(self._tables, host=host, port=port, unit=unit, heard=self._heard, left=self._left)
        self._inbox = Inbox(self._lost())
        self._silence: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def __enter__(self) -> Self:
        """Listen. Raises ``ResourceError`` where that address cannot be used."""
        self._server.__enter__()
        self._left()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all connections."""
        self._server.__exit__(kind, error, trace)

    def read(self, wait_s: float) -> LineInputs:
        """Return what the PLC says; see ``LineLink``."""
        return self._inbox.take(wait_s)

    def write(self, outputs: LineOutputs) -> None:
        """Put out what the PLC is to read, all of it between two requests; see ``LineLink``."""
        self._server.put(Side.STATION, encode_outputs(outputs))
        self._inbox.check()

    def _note(self) -> None:
        self._inbox.put(decode_inputs(self._tables.image(Side.PLC)))

    def _heard(self) -> None:
        """Wait for the next request; the first one after a silence brings back what the PLC says."""
        if self._silence:
            self._silence.cancel()
        self._silence = asyncio.get_running_loop().call_later(self._silence_s, self._left)
        if self._inbox.is_lost:
            self._note()

    def _left(self) -> None:
        self._inbox.put(self._lost())

    def _lost(self) -> LineLostError:
        return LineLostError("plc.nobody", self._server.address, seconds=self._silence_s)
