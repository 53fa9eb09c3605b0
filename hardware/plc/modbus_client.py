"""A station as Modbus TCP client of a PLC that is the server."""

from collections.abc import Callable
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from andon.hardware.plc.registers import Bases, Image, Side, Table, decode_inputs, encode_outputs, steps, used
from andon.models.types.line import LineInputs, LineLostError, LineOutputs

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_COILS, _REGISTERS = used(Side.PLC)


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
        self._address = f"modbus://{host}:{port}"
        self._bases = Bases(coil_base, register_base)
        self._unit = unit
        self._poll_s = poll_s
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
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
        self._client.close()  # type: ignore[no-untyped-call]

    def read(self, wait_s: float) -> LineInputs:
        """Return what the PLC says; see ``LineLink``."""
        ends_s = monotonic() + wait_s
        self._connect(ends_s)
        while (said := self._look()) == self._said and (left_s := ends_s - monotonic()) > 0:
            sleep(min(self._poll_s, left_s))
        self._said = said
        self._pause_s = _FIRST_PAUSE_S
        return said

    def write(self, outputs: LineOutputs) -> None:
        """Write what changed, in an order that holds at every step; see ``LineLink``."""
        self._connect(0.0)
        new = encode_outputs(outputs)
        coils, registers = self._bases.coils(Side.STATION).start, self._bases.registers(Side.STATION).start
        told, self._told = self._told, None
        for table, values in steps(told, new):
            if table is Table.REGISTERS:
                self._ask(self._client.write_registers, registers, list(values))
            else:
                self._ask(self._client.write_coils, coils, [bool(each) for each in values])
        self._told = new

    def _look(self) -> LineInputs:
        """Read coils, and registers only under a trigger; again, until the coils are still the same afterwards."""
        coils = self._coils()
        while coils[0]:
            first = self._bases.registers(Side.PLC).start
            answer = self._ask(self._client.read_holding_registers, first, count=_REGISTERS)
            before, coils = coils, self._coils()
            if before == coils:
                return decode_inputs(Image(coils, tuple(answer.registers)))
        return decode_inputs(Image(coils, (0,) * _REGISTERS))

    def _coils(self) -> tuple[bool, ...]:
        answer = self._ask(self._client.read_coils, self._bases.coils(Side.PLC).start, count=_COILS)
        return tuple(answer.bits[:_COILS])

    def _connect(self, wait_until_s: float) -> None:
        """Connect where there is no connection: after a pause that grows with every try that fails, until it ends."""
        if self._client.connected:
            return
        sleep(max(0.0, min(self._next_try_s, wait_until_s) - monotonic()))
        if monotonic() < self._next_try_s:
            raise LineLostError("plc.unreachable", self._address)
        if not self._client.connect():  # type: ignore[no-untyped-call]
            self._pause()
            raise LineLostError("plc.unreachable", self._address)

    def _ask(self, request: Callable[..., ModbusPDU], address: int, *values: object, **how: int) -> ModbusPDU:
        try:
            answer = request(address, *values, device_id=self._unit, **how)
        except (ModbusException, OSError) as error:
            raise self._lose("plc.silent", reason=str(error)) from error
        if answer.isError():
            raise self._lose("plc.refused", address=address, reason=str(answer))
        return answer

    def _lose(self, code: str, **params: str | int) -> LineLostError:
        """Give the connection up: a late answer must not be taken for that to a later question."""
        self._client.close()  # type: ignore[no-untyped-call]
        self._said = self._told = None
        self._pause()
        return LineLostError(code, self._address, **params)

    def _pause(self) -> None:
        self._next_try_s = monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
