"""Coils and holding registers that are served by Modbus TCP (Modbus Application Protocol V1.1b3; Messaging on TCP/IP V1.0b).

The requests are pymodbus's, their transport is not: its server looks at the first request of a packet only, where a client may send several
without waiting. Each request is carried out as a whole before the next one.
"""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from andon.hardware.plc.loop_thread import LoopThread
from andon.hardware.plc.registers import COILS, REGISTERS, Bases, Image, Side
from andon.models.types.errors import ResourceError

_HEADER = struct.Struct(">HHHB")
_LENGTHS = range(2, 255)
"""What a header may announce: the unit and 1 to 253 bytes of request."""

_COIL_FUNCTIONS = frozenset((1, 5, 15))
_REGISTER_FUNCTIONS = frozenset((3, 6, 16, 22, 23))
_REQUESTS = DecodePDU(True)

MOST_CLIENTS = 16
IDLE_S = 60.0
"""A connection over which nothing came for so long is closed."""


@dataclass(slots=True)
class Tables:
    """The coils and holding registers of both sides; only ``client`` may be written by requests.

    Parameters
    ----------
    client
        Whose half those who connect may write.
    written
        Called after a request has written.
    """

    bases: Bases
    client: Side
    written: Callable[[], object]
    coils: list[bool] = field(default_factory=lambda: [False] * 2 * COILS)
    registers: list[int] = field(default_factory=lambda: [0] * 2 * REGISTERS)

    def image(self, side: Side) -> Image:
        """What a side says."""
        bases = Bases()
        coils, registers = bases.coils(side), bases.registers(side)
        return Image(
            tuple(self.coils[coils.start : coils.stop]), tuple(self.registers[registers.start : registers.stop])
        )

    def put(self, side: Side, image: Image) -> None:
        """Have a side say something."""
        bases = Bases()
        coils, registers = bases.coils(side).start, bases.registers(side).start
        self.coils[coils : coils + len(image.coils)] = image.coils
        self.registers[registers : registers + len(image.registers)] = image.registers

    async def async_getValues(  # noqa: N802  # pymodbus's requests ask by this name
        self, _unit: int, function: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Read for a request."""
        if function in _COIL_FUNCTIONS:
            return _part(self.coils, address - self.bases.coil, count)
        if function in _REGISTER_FUNCTIONS:
            return _part(self.registers, address - self.bases.register, count)
        return ExcCodes.ILLEGAL_FUNCTION

    async def async_setValues(  # noqa: N802  # pymodbus's requests ask by this name
        self, _unit: int, function: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Write for a request: what is not the client's to write is refused as an illegal address, and nothing is written."""
        table, own, base = self.registers, self.bases.registers(self.client), self.bases.register
        if function in _COIL_FUNCTIONS:
            table, own, base = self.coils, self.bases.coils(self.client), self.bases.coil  # type: ignore[assignment]
        if not (address in own and address + len(values) <= own.stop):
            return ExcCodes.ILLEGAL_ADDRESS
        table[address - base : address - base + len(values)] = values
        self.written()
        return None


def _part(table: list[int] | list[bool], first: int, count: int) -> list[int] | list[bool] | ExcCodes:
    if first < 0 or first + count > len(table):
        return ExcCodes.ILLEGAL_ADDRESS
    return table[first : first + count]


class TablesServer:
    """Serves ``Tables`` to several clients while it is used in a ``with`` statement, on a thread of its own.

    Parameters
    ----------
    host, port
        Where it listens; port 0 takes a free one, which ``port`` then tells.
    unit
        Unit identifier that is answered; 0 and 255, which mean the server itself, are as well.
    heard
        Called after each request.
    left
        Called when the last client has left.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        host: str,
        port: int,
        unit: int,
        heard: Callable[[], object],
        left: Callable[[], object],
    ) -> None:
        self.port = port
        self._host = host
        self._tables = tables
        self._units = frozenset((unit, 0, 255))
        self._heard = heard
        self._left = left
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._thread: LoopThread | None = None

    def __enter__(self) -> Self:
        """Listen. Raises ``ResourceError`` where that address cannot be used."""
        thread = LoopThread("modbus server")
        try:
            self.port = thread.run(self._start())
        except OSError as error:
            thread.stop()
            reason = error.strerror or str(error)
            raise ResourceError("plc.listen", f"{self._host}:{self.port}", reason=reason) from error
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and every connection."""
        if self._thread:
            self._thread.stop(self._stop())
            self._thread = None

    @property
    def address(self) -> str:
        """Its name in messages."""
        return f"modbus://{self._host}:{self.port}"

    def put(self, side: Side, image: Image) -> None:
        """Have a side say something, all of it between two requests; without effect while nothing is served."""
        if self._thread:
            self._thread.call(self._tables.put, side, image)

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        return int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
        for client in tuple(self._clients):
            client.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MOST_CLIENTS:
            writer.transport.abort()
            return
        self._clients.add(writer)
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    await self._serve_one(reader, writer)
        except (OSError, EOFError, TimeoutError):
            writer.transport.abort()
        finally:
            self._clients.discard(writer)
            if not self._clients:
                self._left()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transaction, protocol, length, unit = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        if protocol or length not in _LENGTHS:
            raise EOFError  # what follows cannot be understood either
        answer = await self._answer(unit, await reader.readexactly(length - 1))
        body = bytes((answer.function_code,)) + answer.encode()
        writer.write(_HEADER.pack(transaction, 0, len(body) + 1, unit) + body)
        self._heard()
        await writer.drain()

    async def _answer(self, unit: int, body: bytes) -> ModbusPDU:
        if unit not in self._units:
            return ExceptionResponse(body[0], ExcCodes.GATEWAY_NO_RESPONSE)
        if body[0] not in _COIL_FUNCTIONS | _REGISTER_FUNCTIONS:
            return ExceptionResponse(body[0], ExcCodes.ILLEGAL_FUNCTION)
        try:
            request = _REQUESTS.decode(body)
            return await request.datastore_update(self._tables, unit) if request else _illegal(body)  # type: ignore[arg-type]
        except (ModbusException, ValueError, IndexError, struct.error):
            return _illegal(body)


def _illegal(body: bytes) -> ModbusPDU:
    return ExceptionResponse(body[0], ExcCodes.ILLEGAL_VALUE)
