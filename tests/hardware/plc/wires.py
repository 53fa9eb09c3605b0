"""A PLC's ways to a station by OPC UA and MQTT, and pairs of a link and the PLC at its other end, for tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from types import TracebackType
from typing import Any, Self

import msgspec
from asyncua.client.client import Client
from asyncua.ua import Variant
from asyncua.ua.uaerrors import UaError
from paho.mqtt.client import Client as MqttClient
from paho.mqtt.enums import CallbackAPIVersion
from tests.serving.notify.receivers import broker, eventually, free_port

from andon.hardware.plc.loop_thread import LoopThread
from andon.hardware.plc.modbus_client import ModbusClientLink
from andon.hardware.plc.modbus_server import ModbusServerLink
from andon.hardware.plc.mqtt import MqttLink
from andon.hardware.plc.opcua import NAMESPACE, OpcUaLink, spelled
from andon.hardware.sim.modbus_plc import ModbusPlcClient, ModbusPlcServer
from andon.hardware.sim.simulated_plc import MemoryLine, PlcWire
from andon.models.types.line import LineFault, LineInputs, LineLink, LineLostError, LineOutputs, VerdictCode

BUSY, OK, NG = (
    LineOutputs(busy=True, fault=LineFault.NONE, heartbeat=1),
    LineOutputs(results_ready=True, ok=True, verdict=VerdictCode.OK, trigger_count=7, recipe=3, fault=LineFault.NONE),
    LineOutputs(results_ready=True, ng=True, verdict=VerdictCode.NG, trigger_count=8, score=1.5, threshold=0.5),
)
READY = LineOutputs(trigger_ready=True, fault=LineFault.NONE)
TRIGGER = LineInputs(trigger=True, trigger_count=7, recipe=3, serial="A-1 (b)")
NAMES = ("memory", "modbus_server", "modbus_client", "opcua", "mqtt")


class OpcUaPlc:
    """A ``PlcWire`` to ``OpcUaLink``, whose ``client`` may be made by whoever needs it encrypted."""

    def __init__(self, port: int, prepare: Callable[[Client], Any] | None = None) -> None:
        self._url = f"opc.tcp://127.0.0.1:{port}/andon"
        self._prepare = prepare
        self._client: Client | None = None
        self._said: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.thread = LoopThread("opc ua plc")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        self.thread.stop()

    def leave(self) -> None:
        if self._client:
            self.thread.run(self._client.disconnect())
            self._client = None

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        try:
            return self.thread.run(self._exchange(inputs))
        except (OSError, UaError) as error:
            self._client = None
            raise LineLostError("plc.cut", self._url) from error

    async def connected(self) -> Client:
        if self._client is None:
            client = Client(self._url, timeout=4)
            if self._prepare:
                await self._prepare(client)
            await client.connect()
            self._space = await client.get_namespace_index(NAMESPACE)
            self._client, self._said = client, {}
        return self._client

    async def _exchange(self, inputs: LineInputs) -> LineOutputs:
        client = await self.connected()
        changed = {name: value for name, value in asdict(inputs).items() if self._said.get(name) != value}
        if changed:
            nodes = [self.node(f"In.{spelled(name)}") for name in changed]
            await client.write_values(
                nodes, [await _typed(node, changed[name]) for node, name in zip(nodes, changed, strict=True)]
            )
            self._said |= changed
        names = [each.name for each in fields(LineOutputs)]
        values = await client.read_values([self.node(f"Out.{spelled(name)}") for name in names])
        said = dict(zip(names, values, strict=True))
        return LineOutputs(**said | {"verdict": VerdictCode(said["verdict"]), "fault": LineFault(said["fault"])})

    def node(self, name: str) -> Any:
        assert self._client
        return self._client.get_node(f"ns={self._space};s={name}")


def _send_at_once(_client: object, _data: object, connection: Any) -> None:
    connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)


async def _typed(node: Any, value: Any) -> Variant:
    return Variant(value, await node.read_data_type_as_variant_type())


class MqttPlc:
    """A ``PlcWire`` to ``MqttLink``."""

    def __init__(self, port: int, prefix: str) -> None:
        self._port, self._prefix = port, prefix

    def __enter__(self) -> Self:
        self._said: LineInputs | None = None
        self._heard: dict[str, Any] = {"online": False}
        self.client = MqttClient(CallbackAPIVersion.VERSION2)
        self.client.reconnect_delay_set(1, 1)
        self.client.will_set(f"{self._prefix}/in", msgspec.json.encode({"schema_version": 1, "online": False}), 1, True)
        self.client.on_socket_open = _send_at_once
        self.client.on_connect = lambda client, *_: client.subscribe(f"{self._prefix}/out", 1)
        self.client.on_message = self._hear
        self.client.on_disconnect = self._forget
        self.client.connect("127.0.0.1", self._port)
        self.client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        if inputs != self._said and self.client.is_connected():
            self.say(schema_version=1, **asdict(inputs))
            self._said = inputs
        said = dict(self._heard)
        if not said.pop("online"):
            raise LineLostError("plc.cut", self._prefix)
        said.pop("schema_version")
        return LineOutputs(**said | {"verdict": VerdictCode(said["verdict"]), "fault": LineFault(said["fault"])})

    def say(self, **document: Any) -> None:
        self.client.publish(f"{self._prefix}/in", msgspec.json.encode(document), 1, True)

    def _hear(self, _client: object, _data: object, message: Any) -> None:
        self._heard = msgspec.json.decode(message.payload)

    def _forget(self, *_: object) -> None:
        self._said, self._heard = None, {"online": False}


@dataclass
class Pair:
    """A station's link, the PLC at its other end, and how to part them for a while."""

    link: LineLink
    wire: PlcWire
    part: Callable[[], object]
    join: Callable[[], object]
    is_away: bool = False

    def leave(self) -> None:
        self.is_away = True
        self.part()

    def come_back(self) -> None:
        if self.is_away:
            self.join()
        self.is_away = False

    def said(self, inputs: LineInputs) -> LineOutputs:
        """Have the PLC say something, as soon as it can be reached."""
        heard: list[LineOutputs] = []
        eventually(lambda: self._try(inputs, heard), patience_s=15.0)
        return heard[0]

    def until(self, inputs: LineInputs, met: Callable[[LineOutputs], bool]) -> LineOutputs:
        """Have the PLC cycle until it hears what it waits for."""
        heard: list[LineOutputs] = []
        eventually(lambda: self._try(inputs, heard) and met(heard[-1]), patience_s=15.0)
        return heard[-1]

    def _try(self, inputs: LineInputs, heard: list[LineOutputs]) -> bool:
        try:
            heard.append(self.wire.exchange(inputs))
        except LineLostError:
            return False
        return True


def read_at_last(link: LineLink, wanted: LineInputs, patience_s: float = 15.0) -> None:
    """Read, as a station does, until it says what is wanted."""
    eventually(lambda: _read(link) == wanted, patience_s)


def _read(link: LineLink) -> LineInputs | None:
    try:
        return link.read(0.01)
    except LineLostError:
        return None


@contextmanager
def pair(name: str, folder: Path) -> Iterator[Pair]:
    """Open a link by name, and the PLC at its other end."""
    with ExitStack() as stack:
        yield _OPENERS[name](stack, folder)


def _memory(stack: ExitStack, _folder: Path) -> Pair:
    line = stack.enter_context(MemoryLine())
    return Pair(line, line, line.cut, line.mend)


def _modbus_server(stack: ExitStack, _folder: Path) -> Pair:
    link = stack.enter_context(ModbusServerLink(port=0))
    wire = stack.enter_context(ModbusPlcClient(port=link.port))
    return Pair(link, wire, lambda: wire.__exit__(None, None, None), lambda: None)


def _modbus_client(stack: ExitStack, _folder: Path) -> Pair:
    wire = ModbusPlcServer()
    wire.__enter__()
    stack.callback(lambda: wire.__exit__(None, None, None))
    link = stack.enter_context(ModbusClientLink(host="127.0.0.1", port=wire.port))
    return Pair(link, wire, lambda: wire.__exit__(None, None, None), lambda: wire.__enter__())


def _opcua(stack: ExitStack, _folder: Path) -> Pair:
    port = free_port()
    link = stack.enter_context(OpcUaLink(port=port))
    wire = stack.enter_context(OpcUaPlc(port))
    return Pair(link, wire, wire.leave, lambda: None)


def _mqtt(stack: ExitStack, folder: Path) -> Pair:
    server = stack.enter_context(broker(folder / "broker", "allow_anonymous true", "set_tcp_nodelay true"))
    link = stack.enter_context(MqttLink(host="127.0.0.1", port=server.port, prefix="andon/line"))
    wire = stack.enter_context(MqttPlc(server.port, "andon/line"))
    return Pair(link, wire, server.stop, server.start)


_OPENERS = {
    "memory": _memory,
    "modbus_server": _modbus_server,
    "modbus_client": _modbus_client,
    "opcua": _opcua,
    "mqtt": _mqtt,
}
