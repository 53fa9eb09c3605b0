"""Who may connect by OPC UA and MQTT, what they may write, and what is said of a side that is gone."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from typing import Any

import msgspec
import pytest
from asyncua.client.client import Client
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua import MessageSecurityMode, Variant, VariantType
from asyncua.ua.uaerrors import UaError
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from tests.hardware.plc.wires import (
    BUSY,
    NG,
    OK,
    READY,
    TRIGGER,
    MqttPlc,
    OpcUaPlc,
    Pair,
    pair,
    read_at_last,
)
from tests.serving.notify.receivers import broker, certify, eventually, free_port

from andon.hardware.plc.loop_thread import LoopThread
from andon.hardware.plc.mqtt import MqttLink
from andon.hardware.plc.opcua import APPLICATION_URI, OpcUaLink, writes
from andon.models.types.errors import OptionError
from andon.models.types.line import LineFault, LineInputs, LineLostError, LineOutputs

UINT16 = VariantType.UInt16


def test_the_states_and_the_method_are_what_opc_40100_says(tmp_path: Path) -> None:
    with pair("opcua", tmp_path) as line:
        line.said(LineInputs())
        read_at_last(line.link, LineInputs())
        assert isinstance(line.wire, OpcUaPlc)
        wire = line.wire
        assert call(wire, 7, 3, "A").startswith("BadInvalidState")
        for said, machine, mode in (
            (LineOutputs(fault=LineFault.CAMERA), "Error", None),
            (READY, "Operational", "Ready"),
            (LineOutputs(busy=True, fault=LineFault.NONE), "Operational", "SingleExecution"),
            (LineOutputs(fault=LineFault.STOPPED), "Halted", None),
            (READY, "Operational", "Ready"),
        ):
            line.link.write(said)
            assert text(wire, "VisionStateMachine.CurrentState") == machine
            assert text(wire, "AutomaticMode.CurrentState") == mode
        assert text(wire, "VisionStateMachine.LastTransition") == "InitializedToReadyAuto"
        assert call(wire, 70000, 3, "A", VariantType.UInt32).startswith("BadInvalidArgument")
        assert call(wire, 7, 3, "A-1") == ""
        assert line.link.read(1.0) == LineInputs(True, 7, False, 3, "A-1")


def test_a_client_writes_neither_what_is_the_stations_nor_other_types(tmp_path: Path) -> None:
    with pair("opcua", tmp_path) as line:
        line.said(LineInputs())
        wire: Any = line.wire
        for name, value in (("Out.Ok", Variant(True)), ("In.Recipe", Variant("7"))):
            with pytest.raises(UaError, match="Bad"):
                wire.thread.run(wire.node(name).write_value(value))
        read_at_last(line.link, LineInputs())
        wire.thread.run(wire.node("In.Trigger").write_value(Variant([True])))
        with pytest.raises(LineLostError, match=r"plc\.value"):
            line.link.read(1.0)
        wire.thread.run(wire.node("In.Trigger").write_value(Variant(False)))
        read_at_last(line.link, LineInputs())


said = st.sampled_from([LineOutputs(), READY, BUSY, OK, NG, replace(OK, heartbeat=5), replace(NG, trigger_count=7)])


@given(st.none() | said, said)
def test_results_ready_never_stands_beside_what_does_not_belong_to_it(
    told: LineOutputs | None, new: LineOutputs
) -> None:
    """A client may read or be told between any two writes."""
    held = told or NG
    for name, value in writes(told, new):
        held = replace(held, **{name: value})
        if held.results_ready:
            assert replace(held, heartbeat=0) in [replace(each, heartbeat=0) for each in (told or NG, new)]
    assert held == new


def test_a_station_that_opens_its_server_again_tells_everything_again() -> None:
    port = free_port()
    link = OpcUaLink(port=port)
    for _ in range(2):
        with link, OpcUaPlc(port) as plc:
            with suppress(LineLostError):
                link.write(OK)
            assert plc.exchange(LineInputs()) == OK


def call(wire: OpcUaPlc, count: int, recipe: int, serial: str, kind: VariantType = UINT16) -> str:
    system = wire.node("VisionSystem")
    arguments = Variant(count, kind), Variant(recipe, UINT16), serial
    try:
        wire.thread.run(system.call_method(f"{wire.node('x').nodeid.NamespaceIndex}:StartSingleJob", *arguments))
    except UaError as error:
        return type(error).__name__
    return ""


def text(wire: OpcUaPlc, name: str) -> str | None:
    return wire.thread.run(wire.node(name).read_value()).Text or None


def self_signed(folder: Path, name: str, uri: str, use: Any) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    certificate, key = folder / f"{name}.der", folder.parent / f"{name}.pem"
    thread = LoopThread("certificate")
    try:
        thread.run(setup_self_signed_certificate(key, certificate, uri, gethostname(), [use], {"commonName": name}))
    finally:
        thread.stop()
    return certificate, key


def encrypting(certificate: Path, key: Path, server: Path) -> Callable[[Client], Any]:
    async def prepare(client: Client) -> None:
        client.application_uri = "urn:plc"
        mode = MessageSecurityMode.SignAndEncrypt
        await client.set_security(SecurityPolicyBasic256Sha256, certificate, key, None, str(server), mode=mode)

    return prepare


def test_an_encrypted_client_that_is_trusted_comes_in_and_another_does_not(tmp_path: Path) -> None:
    own = self_signed(tmp_path / "own", "station", APPLICATION_URI, ExtendedKeyUsageOID.SERVER_AUTH)
    trusted = self_signed(tmp_path / "trusted", "plc", "urn:plc", ExtendedKeyUsageOID.CLIENT_AUTH)
    stranger = self_signed(tmp_path / "strangers", "stranger", "urn:plc", ExtendedKeyUsageOID.CLIENT_AUTH)
    port = free_port()
    link = OpcUaLink(
        host="0.0.0.0",
        port=port,
        certificate=str(own[0]),
        private_key=str(own[1]),
        trusted_folder=str(tmp_path / "trusted"),
    )
    with link:
        with OpcUaPlc(port, encrypting(*trusted, own[0])) as plc:
            Pair(link, plc, plc.leave, plc.leave).said(TRIGGER)
            read_at_last(link, TRIGGER)
            link.write(OK)
            assert plc.exchange(TRIGGER) == OK
        for prepare in (encrypting(*stranger, own[0]), None):
            with OpcUaPlc(port, prepare) as plc, pytest.raises((LineLostError, TimeoutError)):
                plc.exchange(TRIGGER)


def test_a_login_that_is_set_is_asked_for() -> None:
    port = free_port()

    def login(password: str) -> Callable[[Client], Any]:
        async def prepare(client: Client) -> None:
            client.set_user("plc")
            client.set_password(password)

        return prepare

    with OpcUaLink(port=port, user="plc", password="right") as link:
        for prepare in (login("wrong"), None):
            with OpcUaPlc(port, prepare) as plc, pytest.raises(LineLostError):
                plc.exchange(TRIGGER)
        with OpcUaPlc(port, login("right")) as plc:
            plc.exchange(TRIGGER)
            read_at_last(link, TRIGGER)


def test_nobody_listens_in_the_open_by_oversight(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"plc\.unencrypted"):
        OpcUaLink(host="0.0.0.0")
    with pytest.raises(OptionError, match=r"plc\.key_file"):
        OpcUaLink(certificate=str(tmp_path / "none.der"))


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"schema_version": 1, "serial": "\xff"}',
        b'{"schema_version": 2}',
        b'{"schema_version": 1, "triger": true}',
    ]
    + [msgspec.json.encode({"schema_version": 1, "trigger_count": count}) for count in (-1, 65536, "7", 1.5)],
)
def test_a_document_that_cannot_be_is_named_and_the_next_one_is_read(tmp_path: Path, document: bytes) -> None:
    with pair("mqtt", tmp_path) as line:
        wire: Any = line.wire
        wire.client.publish("andon/line/in", document, 1, True)
        eventually(lambda: _lost(line).startswith("plc.document"))
        wire.say(schema_version=1, trigger=True, trigger_count=7, recipe=3, serial="A-1 (b)")
        read_at_last(line.link, TRIGGER)


def test_a_plc_that_dies_is_lost_by_its_will_and_a_station_by_its_own(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(broker(tmp_path / "broker"))
        plc = stack.enter_context(MqttPlc(server.port, "l"))
        with MqttLink(host="127.0.0.1", port=server.port, prefix="l") as link:
            line = Pair(link, plc, lambda: None, lambda: None)
            plc.say(schema_version=1, results_ack=True)
            read_at_last(link, LineInputs(results_ack=True))
            link.write(OK)
            line.until(LineInputs(results_ack=True), lambda heard: heard == OK)
            plc.client.socket().close()  # type: ignore[union-attr]  # as when the process is killed
            eventually(lambda: _lost(line) == "plc.offline", patience_s=10.0)
            eventually(lambda: plc.client.is_connected() and plc._heard["online"], patience_s=10.0)
            link._client.socket().close()  # type: ignore[union-attr]
            eventually(lambda: not plc._heard["online"], patience_s=10.0)
            assert plc.client.is_connected(), "it heard the will, and did not lose the broker itself"


def test_a_station_that_ends_says_so(tmp_path: Path) -> None:
    with pair("mqtt", tmp_path) as line:
        wire: Any = line.wire
        wire.say(schema_version=1)
        read_at_last(line.link, LineInputs())
        line.link.write(replace(READY, score=0.5))
        line.until(LineInputs(), lambda heard: heard.score == 0.5)
        line.link.__exit__(None, None, None)
        eventually(lambda: not wire._heard["online"])


# paho lets go of a connection that failed its TLS handshake without closing it.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_with_tls_is_believed_only_with_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    ca, certificate, key = certify(tmp_path)
    settings = (f"certfile {certificate}", f"keyfile {key}", "allow_anonymous true")
    with broker(tmp_path / "broker", *settings) as server:
        with MqttLink(host="127.0.0.1", port=server.port, prefix="l", tls=True, ca_file=str(ca)) as link:
            eventually(lambda: _code(link) == "plc.no_document")
        with MqttLink(host="127.0.0.1", port=server.port, prefix="l", tls=True) as link:
            eventually(lambda: _code(link) == "plc.no_broker")


def test_what_cannot_be_a_connection_is_refused(tmp_path: Path) -> None:
    for wrong, code in (
        ({"prefix": "a/#"}, "plc.topic"),
        ({"prefix": ""}, "plc.topic"),
        ({"ca_file": "x"}, "plc.tls_off"),
        ({"tls": True, "ca_file": str(tmp_path / "none")}, "plc.certificate"),
    ):
        with pytest.raises(OptionError, match=code):
            MqttLink(**{"host": "127.0.0.1", "prefix": "l"} | wrong)


def _lost(line: Pair) -> str:
    return _code(line.link)  # type: ignore[arg-type]


def _code(link: MqttLink) -> str:
    try:
        link.read(0.01)
    except LineLostError as error:
        return error.code
    return ""
