"""Real Modbus and OPC UA servers on free ports of this machine."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, TypeVar

from asyncua import ua
from asyncua.server.server import Server
from asyncua.sync import ThreadLoop
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from tests.serving.notify.receivers import free_port

from andon.models.types.errors import AndonError

T = TypeVar("T")
REGISTERS = 20_000
READ_INPUT = 4


@dataclass
class Reported:
    """Whoever is told of what is wrong."""

    errors: list[AndonError] = field(default_factory=list)

    def __call__(self, error: AndonError) -> None:
        self.errors.append(error)

    @property
    def codes(self) -> list[str]:
        return [error.code for error in self.errors]


@dataclass
class ModbusSensor:
    """Device 1 with ``REGISTERS`` of each table; ``read`` is called with the address that a client reads.

    What a client asks at one of the addresses ``refused`` is not done.
    """

    port: int
    loop: ThreadLoop
    holding: list[int] = field(default_factory=lambda: [0] * REGISTERS)
    input: list[int] = field(default_factory=lambda: [0] * REGISTERS)
    read: Callable[[int], None] = lambda _: None
    refused: set[int] = field(default_factory=set)
    server: ModbusTcpServer | None = None

    def start(self) -> None:
        self.loop.post(self._start())

    def stop(self) -> None:
        if self.server:
            self.loop.post(self.server.shutdown())  # type: ignore[no-untyped-call]
            self.server = None

    def put(self, address: int, words: Sequence[int]) -> None:
        self.holding[address : address + len(words)] = words

    async def _start(self) -> None:
        async def act(
            function: int, start: int, address: int, count: int, registers: list[int], values: Any
        ) -> ExcCodes | None:
            if address in self.refused:
                return ExcCodes.DEVICE_BUSY
            words = self.input if function == READ_INPUT else self.holding
            if values:
                words[address : address + count] = values
            else:
                registers[address - start : address - start + count] = words[address : address + count]
                self.read(address)
            return None

        data = SimData(0, count=REGISTERS, values=0, datatype=DataType.REGISTERS)
        self.server = ModbusTcpServer(SimDevice(1, [data], action=act), address=("127.0.0.1", self.port))
        await self.server.serve_forever(background=True)


@contextmanager
def modbus_sensor() -> Iterator[ModbusSensor]:
    loop = ThreadLoop()
    loop.start()
    sensor = ModbusSensor(free_port(), loop)
    sensor.start()
    try:
        yield sensor
    finally:
        sensor.stop()
        loop.stop()


@dataclass
class OpcUaSensor:
    port: int
    loop: ThreadLoop
    server: Server | None = None
    nodes: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/andon"

    def ask(self, request: Coroutine[Any, Any, T]) -> T:
        return self.loop.post(request)

    def start(self) -> None:
        self.ask(self._start())

    def stop(self) -> None:
        if self.server:
            self.ask(self.server.stop())
            self.server = None

    def write(self, name: str, value: Any, **more: Any) -> None:
        data = ua.DataValue(ua.Variant(value, ua.VariantType.Double), **more)
        assert self.server
        self.ask(self.server.write_attribute_value(self.nodes[name].nodeid, data))

    async def _start(self) -> None:
        server = Server()
        await server.init()
        server.set_endpoint(self.url)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        self.server = server
        for name, initial in (("speed", 0.0), ("level", 0.0), ("waveform", [0.0])):
            await self.add(name, initial)
        await server.start()

    async def add(self, name: str, initial: float | list[float]) -> None:
        assert self.server
        node_id = ua.NodeId.from_string(f"ns=2;s={name}")
        objects = self.server.nodes.objects
        self.nodes[name] = await objects.add_variable(node_id, name, initial, ua.VariantType.Double)


@contextmanager
def opcua_sensor() -> Iterator[OpcUaSensor]:
    loop = ThreadLoop()
    loop.start()
    sensor = OpcUaSensor(free_port(), loop)
    sensor.start()
    try:
        yield sensor
    finally:
        sensor.stop()
        loop.stop()


@contextmanager
def drawn(items: Iterator[T], stop: Event) -> Iterator[list[T]]:
    """What a thread of its own draws; it must end soon after ``stop`` is set."""
    found: list[T] = []

    def draw() -> None:
        for item in items:
            found.append(item)  # noqa: PERF402 - as it comes, not when all have come

    thread = Thread(target=draw)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "it did not end when it was told to"
