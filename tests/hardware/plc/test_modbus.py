"""What only Modbus has: requests that are refused, several clients, silence, and the order in which a client writes."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient
from tests.hardware.plc.wires import NG, OK, TRIGGER, read_at_last
from tests.serving.notify.receivers import eventually, free_port

from andon.hardware.plc.modbus_client import ModbusClientLink
from andon.hardware.plc.modbus_server import ModbusServerLink
from andon.hardware.plc.registers import Bases, Side, encode_inputs
from andon.hardware.sim.modbus_plc import ModbusPlcServer
from andon.models.types.errors import OptionError, ResourceError
from andon.models.types.line import LineInputs, LineLostError, LineOutputs


@pytest.fixture
def link() -> Iterator[ModbusServerLink]:
    with ModbusServerLink(port=0, unit=9, coil_base=100, register_base=500) as opened:
        yield opened


@pytest.fixture
def plc(link: ModbusServerLink) -> Iterator[ModbusTcpClient]:
    with ModbusTcpClient("127.0.0.1", port=link.port, timeout=5, retries=0) as client:
        yield client


def test_the_map_begins_at_its_bases(link: ModbusServerLink, plc: ModbusTcpClient) -> None:
    assert not plc.write_registers(500, list(encode_inputs(TRIGGER).registers), device_id=9).isError()
    assert not plc.write_coil(100, True, device_id=9).isError()
    assert link.read(5.0) == TRIGGER
    link.write(OK)
    eventually(lambda: plc.read_coils(118, count=2, device_id=9).bits[:2] == [True, True])
    assert plc.read_holding_registers(565, count=2, device_id=9).registers == [1, 7]


@pytest.mark.parametrize(("address", "values"), [(564, [1]), (563, [1, 1]), (499, [1]), (628, [1]), (65535, [1])])
def test_a_plc_writes_no_register_but_its_own(plc: ModbusTcpClient, address: int, values: list[int]) -> None:
    answer = plc.write_registers(address, values, device_id=9)
    assert (answer.isError(), answer.exception_code) == (True, 2)
    assert plc.read_holding_registers(500, count=125, device_id=9).registers == [0] * 125


@pytest.mark.parametrize(("address", "count"), [(116, 1), (115, 2), (99, 1), (132, 1)])
def test_a_plc_writes_no_coil_but_its_own(plc: ModbusTcpClient, address: int, count: int) -> None:
    assert plc.write_coils(address, [True] * count, device_id=9).exception_code == 2
    assert not any(plc.read_coils(100, count=32, device_id=9).bits)


def test_another_unit_is_not_here(plc: ModbusTcpClient) -> None:
    assert plc.read_coils(100, count=1, device_id=8).exception_code == 11
    assert not plc.read_coils(100, count=1, device_id=0).isError()


def test_other_functions_are_refused(plc: ModbusTcpClient) -> None:
    assert plc.read_input_registers(500, count=1, device_id=9).exception_code == 1
    assert plc.report_device_id(device_id=9).exception_code == 1


def test_requests_that_come_without_waiting_are_all_carried_out(link: ModbusServerLink) -> None:
    registers = encode_inputs(TRIGGER).registers
    write = struct.pack(">BHHB", 16, 500, len(registers), 2 * len(registers)) + struct.pack(">34H", *registers)
    trigger = struct.pack(">BHH", 5, 100, 0xFF00)
    with socket.create_connection(("127.0.0.1", link.port)) as plc:
        plc.sendall(b"".join(_framed(number, each) for number, each in enumerate((write, trigger))))
        read_at_last(link, TRIGGER)
        answers = plc.recv(12, socket.MSG_WAITALL) + plc.recv(12, socket.MSG_WAITALL)
    assert (answers[:2], answers[12:14]) == (b"\0\0", b"\0\1")


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=252))
def test_whatever_is_asked_is_answered_and_others_are_served(link: ModbusServerLink, body: bytes) -> None:
    with socket.create_connection(("127.0.0.1", link.port), timeout=5) as stranger:
        stranger.sendall(_framed(1, body))
        assert stranger.recv(9, socket.MSG_WAITALL)[:4] == b"\0\1\0\0"
    with ModbusTcpClient("127.0.0.1", port=link.port) as plc:
        assert not plc.read_coils(100, count=1, device_id=9).isError()


@pytest.mark.parametrize("header", [b"\0\1\0\1\0\6\1", b"\0\1\0\0\0\1\1", b"\0\1\0\0\xff\xff\1"])
def test_what_is_no_modbus_ends_its_connection_only(link: ModbusServerLink, header: bytes) -> None:
    with socket.create_connection(("127.0.0.1", link.port), timeout=5) as stranger:
        stranger.sendall(header)
        with suppress(ConnectionResetError):
            assert stranger.recv(1) == b""


def test_several_clients_say_the_same_thing_together(link: ModbusServerLink, plc: ModbusTcpClient) -> None:
    with ModbusTcpClient("127.0.0.1", port=link.port) as panel:
        assert not panel.read_coils(100, count=1, device_id=9).isError()
        plc.write_coil(101, True, device_id=9)
        read_at_last(link, LineInputs(results_ack=True))
        panel.close()
        assert link.read(0.2) == LineInputs(results_ack=True)


def test_a_plc_that_asks_nothing_is_lost_and_comes_back() -> None:
    with ModbusServerLink(port=0, silence_s=0.2) as link, ModbusTcpClient("127.0.0.1", port=link.port) as plc:
        plc.write_coil(1, True, device_id=1)
        read_at_last(link, LineInputs(results_ack=True))
        with pytest.raises(LineLostError):
            link.read(5.0)
        plc.read_coils(16, count=1, device_id=1)
        assert link.read(5.0) == LineInputs(results_ack=True)


def test_a_server_is_named_by_the_port_that_it_took() -> None:
    link = ModbusServerLink(port=0)
    with link, pytest.raises(LineLostError) as lost:
        link.read(0.0)
    assert link.port
    assert lost.value.subject == f"modbus://127.0.0.1:{link.port}"


def test_a_port_that_is_taken_is_refused(link: ModbusServerLink) -> None:
    with pytest.raises(ResourceError, match=r"plc\.listen"), ModbusServerLink(port=link.port):
        pass


def test_a_base_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match=r"plc\.base"):
        ModbusClientLink(host="127.0.0.1", register_base=65500)


def test_a_plc_that_does_not_answer_costs_the_timeout_and_no_more() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        ModbusClientLink(host="127.0.0.1", port=silent.getsockname()[1], timeout_s=0.3) as link,
    ):
        begin_s = monotonic()
        with pytest.raises(LineLostError, match=r"plc\.silent"):
            link.read(30.0)
        assert monotonic() - begin_s < 3.0


def test_a_plc_that_is_not_there_is_not_asked_again_at_once() -> None:
    with ModbusClientLink(host="127.0.0.1", port=free_port()) as link:
        for _ in range(3):
            with pytest.raises(LineLostError, match=r"plc\.unreachable"):
                link.write(OK)


def test_a_plc_without_the_map_is_named() -> None:
    with (
        ModbusPlcServer(coil_base=1000) as plc,
        ModbusClientLink(host="127.0.0.1", port=plc.port) as link,
        pytest.raises(LineLostError, match=r"plc\.refused"),
    ):
        link.read(0.0)


def test_a_client_never_leaves_flags_beside_values_of_another_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the requests of a station that goes from an answer right to another one."""
    with ModbusPlcServer() as plc, ModbusClientLink(host="127.0.0.1", port=plc.port) as link:
        link.write(OK)
        between: list[LineOutputs] = []
        ask = link._client._ask

        def spied(*arguments: object, **how: int) -> object:
            answer = ask(*arguments, **how)  # type: ignore[arg-type]
            between.append(plc.exchange(LineInputs()))
            return answer

        monkeypatch.setattr(link._client, "_ask", spied)
        link.write(NG)
        assert between[-1] == NG
        assert all(not each.results_ready for each in between[:-1])
        assert len(between) == 3
        link.write(NG)
        assert len(between) == 3


def test_each_side_has_its_own_addresses() -> None:
    bases = Bases()
    assert set(bases.coils(Side.PLC)).isdisjoint(bases.coils(Side.STATION))


def _framed(number: int, body: bytes) -> bytes:
    return struct.pack(">HHHB", number, 0, len(body) + 1, 9) + body
