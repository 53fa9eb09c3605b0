"""A simulated PLC's ways to a station by Modbus TCP: as client of a station that is the server, and as server."""

from types import TracebackType
from typing import Self

from andon.hardware.plc.map_client import MapClient
from andon.hardware.plc.modbus_tables import Tables, TablesServer
from andon.hardware.plc.registers import Bases, Image, Side, Table, decode_outputs, encode_inputs
from andon.models.types.line import LineInputs, LineLostError, LineOutputs


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
        bases = Bases(coil_base, register_base)
        self._client = MapClient(host=host, port=port, unit=unit, bases=bases, timeout_s=timeout_s)
        self._told = Image((), ())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the connection."""
        self._client.close()

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        """Write registers, then coils; read coils, then registers; see ``PlcWire``."""
        if not self._client.is_connected:
            self._told = Image((), ())
            self._client.connect()
        self._tell(encode_inputs(inputs), has_values=inputs.trigger)
        heard = Image(self._client.coils(Side.STATION), self._client.registers(Side.STATION))
        return _decoded(heard, self._client.address)

    def _tell(self, image: Image, *, has_values: bool) -> None:
        if has_values and image.registers != self._told.registers:
            self._client.write(Side.PLC, Table.REGISTERS, image.registers)
            self._told = Image(self._told.coils, image.registers)
        if image.coils != self._told.coils:
            self._client.write(Side.PLC, Table.COILS, image.coils)
            self._told = Image(image.coils, self._told.registers)


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
        self._has_station = False
        self._tables = Tables(Bases(coil_base, register_base), Side.STATION, lambda: None)
        self._server = TablesServer(self._tables, host=host, port=port, unit=unit, heard=self._heard, left=self._left)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def __enter__(self) -> Self:
        """Listen. Raises ``ResourceError`` where that address cannot be used."""
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all connections."""
        self._server.__exit__(kind, error, trace)

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        """Put out what the station is to read, whether it is there or not, and read what it wrote; see ``PlcWire``."""
        self._server.put(Side.PLC, encode_inputs(inputs))
        if not self._has_station:
            raise LineLostError("plc.nobody", self._server.address, seconds=0.0)
        return _decoded(self._tables.image(Side.STATION), self._server.address)

    def _heard(self) -> None:
        self._has_station = True

    def _left(self) -> None:
        self._has_station = False


def _decoded(image: Image, address: str) -> LineOutputs:
    """Read what the station says; a map that is not known is none."""
    try:
        return decode_outputs(image)
    except ValueError as error:
        raise LineLostError("plc.silent", address, reason=str(error)) from error
