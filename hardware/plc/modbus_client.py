"""A station as Modbus TCP client of a PLC that is the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from andon.hardware.plc.map_client import MapClient
from andon.hardware.plc.registers import Bases, Image, Side, decode_inputs, encode_outputs, steps, used
from andon.models.types.line import LineInputs, LineLostError, LineOutputs

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class ModbusClientLink:
    """A ``LineLink`` that asks the PLC.

    Parameters
    ----------
    host, port
        The PLC's.
    unit
        Unit identifier, 0 to 255.
    coil_base, register_base
        What is added to the addresses of the map.
    poll_s
        Time between two looks at the PLC.
    timeout_s
        The PLC counts as away when it does not answer for so long.

    Raises
    ------
    OptionError
        The map does not fit from a base on.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int = 502,
        unit: int = 1,
        coil_base: int = 0,
        register_base: int = 0,
        poll_s: float = 0.005,
        timeout_s: float = 0.5,
    ) -> None:
        bases = Bases(coil_base, register_base)
        self._client = MapClient(host=host, port=port, unit=unit, bases=bases, timeout_s=timeout_s)
        self._poll_s = poll_s
        self._said: LineInputs | None = None
        self._told: Image | None = None
        self._next_try_s = 0.0
        self._pause_s = _FIRST_PAUSE_S

    def __enter__(self) -> Self:
        """Connect with the first use, as with every later one after a loss."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the connection."""
        self._client.close()

    def read(self, wait_s: float) -> LineInputs:
        """Return what the PLC says; see ``LineLink``."""
        ends_s = monotonic() + wait_s
        with self._connected(ends_s):
            while (said := self._look()) == self._said and (left_s := ends_s - monotonic()) > 0:
                sleep(min(self._poll_s, left_s))
        self._said = said
        self._pause_s = _FIRST_PAUSE_S
        return said

    def write(self, outputs: LineOutputs) -> None:
        """Write what changed, in an order that holds at every step; see ``LineLink``."""
        new = encode_outputs(outputs)
        with self._connected(0.0):
            told, self._told = self._told, None
            for table, values in steps(told, new):
                self._client.write(Side.STATION, table, values)
        self._told = new

    def _look(self) -> LineInputs:
        """Read coils, and registers only under a trigger; again, until the coils are still the same afterwards."""
        coils = self._client.coils(Side.PLC)
        while coils[0]:
            registers = self._client.registers(Side.PLC)
            before, coils = coils, self._client.coils(Side.PLC)
            if before == coils:
                return decode_inputs(Image(coils, registers))
        return decode_inputs(Image(coils, (0,) * used(Side.PLC)[1]))

    @contextmanager
    def _connected(self, wait_until_s: float) -> Iterator[None]:
        """Connect where there is no connection: after a pause that grows with every loss, until it ends. What was known ends with it."""
        if not self._client.is_connected:
            sleep(max(0.0, min(self._next_try_s, wait_until_s) - monotonic()))
            if monotonic() < self._next_try_s:
                raise LineLostError("plc.unreachable", self._client.address)
        try:
            if not self._client.is_connected:
                self._said = self._told = None
                self._client.connect()
            yield
        except LineLostError:
            self._next_try_s = monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            raise
