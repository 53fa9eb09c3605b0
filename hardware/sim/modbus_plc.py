"""A simulated PLC's ways to a station by Modbus TCP: as client of a station that is the server, and as server."""

from types import TracebackType
from typing import Any, Self

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from andon.hardware.plc.loop_thread import LoopThread
from andon.hardware.plc.modbus_tables import Tables, TablesServer
from andon.hardware.plc.registers import Bases, Image, Side, decode_outputs, encode_inputs, used
from andon.models.types.errors import ResourceError
from andon.models.types.line import LineInputs, LineLostError, LineOutputs

_COILS, _REGISTERS = used(Side.STATION)


class ModbusPlcClient:
    """A ``PlcWire`` to ``ModbusServerLink``."""

    def __init__(
        self,
        *,
        port: int,
        host: str = "127.0.0.1",
        unit: int = 1,
        coil_base: int = 0,
        register_base: int = 0,
        timeout_s: float = 0.2,
    ) -> None:
        self._address = f"modbus://{host}:{port}"
        self._unit = unit
        self._bases = Bases(coil_base, register_base)
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
        self._told = Image((), ())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the connection."""
        self._client.close()  # type: ignore[no-untyped-call]

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        """Write registers, then coils; read coils, then registers; see ``PlcWire``."""
        try:
            if not self._client.connected:
                self._told = Image((), ())
                self._client.connect()  # type: ignore[no-untyped-call]
            self._tell(encode_inputs(inputs), has_values=inputs.trigger)
            return self._hear()
        except (ModbusException, OSError, ValueError) as error:
            self._client.close()  # type: ignore[no-untyped-call]
            raise LineLostError("plc.silent", self._address, reason=str(error)) from error

    def _tell(self, image: Image, *, has_values: bool) -> None:
        if has_values and image.registers != self._told.registers:
            first = self._bases.registers(Side.PLC).start
            _checked(self._client.write_registers(first, list(image.registers), device_id=self._unit))
            self._told = Image(self._told.coils, image.registers)
        if image.coils != self._told.coils:
            _checked(
                self._client.write_coils(self._bases.coils(Side.PLC).start, list(image.coils), device_id=self._unit)
            )
            self._told = Image(image.coils, self._told.registers)

    def _hear(self) -> LineOutputs:
        coils, registers = self._bases.coils(Side.STATION).start, self._bases.registers(Side.STATION).start
        flags = _checked(self._client.read_coils(coils, count=_COILS, device_id=self._unit)).bits
        values = _checked(self._client.read_holding_registers(registers, count=_REGISTERS, device_id=self._unit))
        return decode_outputs(Image(tuple(flags[:_COILS]), tuple(values.registers)))


class ModbusPlcServer:
    """A ``PlcWire`` to ``ModbusClientLink``; port 0 takes a free one, which ``port`` then tells."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        unit: int = 1,
        coil_base: int = 0,
        register_base: int = 0,
    ) -> None:
        self.port = port
        self._host = host
        self._has_station = False
        self._tables = Tables(Bases(coil_base, register_base), Side.STATION, lambda: None)
        self._server = TablesServer(self._tables, unit=unit, heard=self._heard, left=self._left)
        self._thread: LoopThread | None = None

    def __enter__(self) -> Self:
        """Listen. Raises ``ResourceError`` where that address cannot be used."""
        self._thread = LoopThread("simulated plc")
        try:
            self.port = self._thread.run(self._server.start(self._host, self.port))
        except OSError as error:
            self._thread.stop()
            reason = error.strerror or str(error)
            raise ResourceError("plc.listen", f"{self._host}:{self.port}", reason=reason) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all connections."""
        if self._thread:
            self._thread.stop(self._server.stop())
            self._thread = None

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        """Put out what the station is to read, and read what it wrote; see ``PlcWire``."""
        if not (self._thread and self._has_station):
            raise LineLostError("plc.nobody", f"modbus://{self._host}:{self.port}", seconds=0.0)
        try:
            return decode_outputs(self._thread.run(self._cycle(encode_inputs(inputs))))
        except ValueError as error:
            raise LineLostError("plc.silent", f"modbus://{self._host}:{self.port}", reason=str(error)) from error

    async def _cycle(self, image: Image) -> Image:
        self._tables.put(Side.PLC, image)
        return self._tables.image(Side.STATION)

    def _heard(self) -> None:
        self._has_station = True

    def _left(self) -> None:
        self._has_station = False


def _checked(answer: Any) -> Any:
    if answer.isError():
        raise ModbusException(str(answer))
    return answer
