"""A Modbus TCP client that reads and writes the halves of the register map."""

from collections.abc import Callable, Sequence

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from andon.hardware.plc.registers import Bases, Side, Table, used
from andon.models.types.line import LineLostError


class MapClient:
    """A connection to the server of the map.

    A request that fails ends it: a late answer must not be taken for that to a later question.

    Parameters
    ----------
    unit
        Unit identifier, 0 to 255.
    timeout_s
        The server counts as away when it does not answer for so long.
    """

    def __init__(self, *, host: str, port: int, unit: int, bases: Bases, timeout_s: float) -> None:
        self.address = f"modbus://{host}:{port}"
        self._bases = bases
        self._unit = unit
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._client.connected

    def connect(self) -> None:
        """Connect. Raises ``LineLostError``."""
        if not self._client.connect():  # type: ignore[no-untyped-call]
            raise LineLostError("plc.unreachable", self.address)

    def close(self) -> None:
        """End the connection."""
        self._client.close()  # type: ignore[no-untyped-call]

    def coils(self, side: Side) -> tuple[bool, ...]:
        """Read the coils of a side that are used. Raises ``LineLostError``, as do the others."""
        count = used(side)[0]
        return tuple(self._ask(self._client.read_coils, self._bases.coils(side).start, count=count).bits[:count])

    def registers(self, side: Side) -> tuple[int, ...]:
        """Read the registers of a side that are used."""
        first, count = self._bases.registers(side).start, used(side)[1]
        return tuple(self._ask(self._client.read_holding_registers, first, count=count).registers)

    def write(self, side: Side, table: Table, values: Sequence[int]) -> None:
        """Write coils or registers of a side, from its first on."""
        if table is Table.COILS:
            self._ask(self._client.write_coils, self._bases.coils(side).start, [bool(each) for each in values])
        else:
            self._ask(self._client.write_registers, self._bases.registers(side).start, list(values))

    def _ask(self, request: Callable[..., ModbusPDU], address: int, *values: object, **how: int) -> ModbusPDU:
        try:
            answer = request(address, *values, device_id=self._unit, **how)
        except (ModbusException, OSError) as error:
            self.close()
            raise LineLostError("plc.silent", self.address, reason=str(error)) from error
        if answer.isError():
            self.close()
            raise LineLostError("plc.refused", self.address, address=address, reason=str(answer))
        return answer
