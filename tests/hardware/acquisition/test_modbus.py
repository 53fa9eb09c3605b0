"""Values and buffers of a real Modbus server."""

from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from tests.hardware.acquisition.devices import REGISTERS, ModbusSensor, Reported, drawn
from tests.serving.notify.receivers import eventually

from andon.hardware.acquisition.modbus import ModbusDevice, ModbusReadout, ModbusWaveform, WaveformBuffer
from andon.hardware.acquisition.polled_rows import PolledRows
from andon.hardware.acquisition.registers import Kind, Register, Table, WordOrder, decoded, pieces, spans
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Unit

RANGES = {
    Kind.INT16: (-(2**15), 2**15 - 1),
    Kind.UINT16: (0, 2**16 - 1),
    Kind.INT32: (-(2**31), 2**31 - 1),
    Kind.UINT32: (0, 2**32 - 1),
}


@given(st.sampled_from(list(RANGES)), st.sampled_from(WordOrder), st.data())
def test_whole_numbers_are_read_as_pymodbus_writes_them(kind: Kind, order: WordOrder, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(*RANGES[kind]), min_size=1, max_size=5))
    written = getattr(ModbusClientMixin.DATATYPE, kind.name)
    words = [word for value in values for word in ModbusClientMixin.convert_to_registers(value, written, order.value)]
    assert decoded(np.array(words, np.uint16), kind, order).tolist() == values


@given(st.floats(width=32, allow_nan=False), st.sampled_from(WordOrder))
def test_floating_point_numbers_likewise(value: float, order: WordOrder) -> None:
    words = ModbusClientMixin.convert_to_registers(value, ModbusClientMixin.DATATYPE.FLOAT32, order.value)
    assert decoded(np.array(words, np.uint16), Kind.FLOAT32, order).tolist() == [value]


def test_values_are_scaled_and_absent_ones_none() -> None:
    register = Register(name="t_c", address=0, scale=0.1, offset=-40.0, absent=-32768)
    assert register.value(np.array([500], np.uint16)) == pytest.approx(10)
    assert register.value(np.array([0x8000], np.uint16)) is None
    real = Register(name="v", address=0, kind=Kind.FLOAT32)
    assert real.value(np.array([0x7FC0, 0], np.uint16)) is None, "not a number"
    assert real.value(np.array([0x7F80, 0], np.uint16)) is None, "infinite"


def test_what_lies_together_is_read_together() -> None:
    asked = [
        Register(name=f"{table}{address}", address=address, kind=Kind.UINT32, table=table)
        for table in Table
        for address in (0, 2, 4, 10)
    ]
    assert [(each.table, each.address, each.count) for each in spans(asked)] == [
        (table, *place) for table in Table for place in ((0, 6), (10, 2))
    ]
    many = [Register(name=f"{address}", address=address) for address in range(300)]
    assert [(each.address, each.count) for each in spans(many)] == [(0, 125), (125, 125), (250, 50)]
    assert list(pieces(10, 260)) == [(10, 125), (135, 125), (260, 10)]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OptionError, match="address"):
        Register(name="a", address=65_535, kind=Kind.FLOAT32)
    with pytest.raises(OptionError, match="address"):
        WaveformBuffer(ready_address=0, address=60_000, samples=6_000, rate_hz=1.0, unit=Unit.G)
    with pytest.raises(OptionError, match="device"):
        ModbusDevice(host="h", device_id=248)
    for registers in ((), (Register(name="a", address=0), Register(name="a", address=1))):
        with pytest.raises(OptionError, match="names"):
            ModbusReadout(ModbusDevice(host="h"), registers)


REGISTERS_READ = (
    Register(name="velocity_rms_mm_s", address=10, kind=Kind.FLOAT32),
    Register(name="temperature_c", address=12, scale=0.1),
    Register(name="speed_rpm", address=3, kind=Kind.UINT32, table=Table.INPUT, words=WordOrder.LITTLE),
)


def rows_of(modbus: ModbusSensor, reported: Reported, stop: Event, *more: Register) -> PolledRows:
    device = ModbusDevice(host="127.0.0.1", port=modbus.port, timeout_s=0.5)
    readout = ModbusReadout(device, (*REGISTERS_READ, *more))
    return PolledRows(readout, asset="pump", every_s=0.02, report=reported, stop=stop)


def fill(modbus: ModbusSensor) -> None:
    modbus.put(10, [0x4020, 0, 415])
    modbus.input[3:5] = [1480, 0]


def test_rows_hold_what_the_sensor_computed(modbus: ModbusSensor, reported: Reported, stop: Event) -> None:
    fill(modbus)
    with rows_of(modbus, reported, stop) as source, drawn(source.rows(), stop) as rows:
        eventually(lambda: rows)
    assert rows[0].measures == pytest.approx({"velocity_rms_mm_s": 2.5, "temperature_c": 41.5, "speed_rpm": 1480.0})


def test_registers_that_are_refused_are_none_and_said_once(
    modbus: ModbusSensor, reported: Reported, stop: Event
) -> None:
    fill(modbus)
    beyond = Register(name="beyond", address=REGISTERS)
    with rows_of(modbus, reported, stop, beyond) as source, drawn(source.rows(), stop) as rows:
        eventually(lambda: len(rows) >= 4)
    assert all(row.measures["beyond"] is None and row.measures["speed_rpm"] == 1480 for row in rows)
    assert reported.codes == ["acquisition.register"]


def test_a_device_that_was_away_is_read_again(modbus: ModbusSensor, reported: Reported, stop: Event) -> None:
    fill(modbus)
    with rows_of(modbus, reported, stop) as source, drawn(source.rows(), stop) as rows:
        eventually(lambda: rows)
        modbus.stop()
        eventually(lambda: reported.codes == ["acquisition.away"])
        before = len(rows)
        modbus.start()
        eventually(lambda: len(rows) > before)
        modbus.stop()
        eventually(lambda: reported.codes == ["acquisition.away"] * 2)
    assert all(row.measures["velocity_rms_mm_s"] == 2.5 for row in rows)


def waveform(modbus: ModbusSensor, reported: Reported, stop: Event, **said: Any) -> ModbusWaveform:
    buffer = {"ready_address": 0, "address": 100, "samples": 500, "rate_hz": 1000.0, "unit": Unit.MM_S, **said}
    return ModbusWaveform(
        device=ModbusDevice(host="127.0.0.1", port=modbus.port),
        asset="pump",
        sensor="DE",
        every_s=0.02,
        buffer=WaveformBuffer(**buffer),
        report=reported,
        stop=stop,
    )


def test_a_buffer_is_read_when_ready_and_released(modbus: ModbusSensor, reported: Reported, stop: Event) -> None:
    modbus.put(100, [value & 0xFFFF for value in range(-250, 250)])
    with (
        waveform(modbus, reported, stop, release=0, scale=0.01) as source,
        drawn(source.blocks(), stop) as blocks,
    ):
        Event().wait(0.1)
        assert blocks == []
        for count in (1, 2):
            modbus.put(0, [1])
            eventually(lambda count=count: len(blocks) == count and modbus.holding[0] == 0)  # type: ignore[misc]
    np.testing.assert_allclose(blocks[0].samples, np.arange(-250, 250) / 100)


def test_a_buffer_that_counts_is_read_once_each(modbus: ModbusSensor, reported: Reported, stop: Event) -> None:
    with waveform(modbus, reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        for number in (7, 8):
            modbus.put(100, [number] * 500)
            modbus.put(0, [number])
            eventually(lambda number=number: blocks and blocks[-1].samples[0] == number)  # type: ignore[misc]
        Event().wait(0.1)
    assert [block.samples[0] for block in blocks] == [7, 8]


def test_a_buffer_that_is_filled_while_it_is_read_is_left_out(
    modbus: ModbusSensor, reported: Reported, stop: Event
) -> None:
    def overtake(address: int) -> None:
        if address == 225 and modbus.holding[0] == 1:
            modbus.put(100, [2] * 500)
            modbus.put(0, [2])

    modbus.read = overtake
    modbus.put(100, [1] * 500)
    modbus.put(0, [1])
    with waveform(modbus, reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: blocks)
    assert [set(block.samples) for block in blocks] == [{2}]
    assert reported.codes == ["acquisition.overwritten"]


def test_a_buffer_whose_block_was_not_taken_is_not_released(
    modbus: ModbusSensor, reported: Reported, stop: Event
) -> None:
    modbus.put(0, [1])
    with waveform(modbus, reported, stop, release=0) as source:
        next(source.blocks())
    assert modbus.holding[0] == 1


def test_a_buffer_that_could_not_be_released_is_not_taken_twice(
    modbus: ModbusSensor, reported: Reported, stop: Event
) -> None:
    with waveform(modbus, reported, stop, release=0) as source:
        blocks = source.blocks()
        modbus.put(0, [1])
        next(blocks)
        modbus.refused.add(0)
        with drawn(blocks, stop) as more:
            eventually(lambda: reported.codes)
            modbus.refused.clear()
            eventually(lambda: modbus.holding[0] == 0)
            Event().wait(0.1)
            assert more == []
            modbus.put(0, [1])
            eventually(lambda: len(more) == 1 and modbus.holding[0] == 0)
    assert reported.codes == ["acquisition.register"]


def test_what_was_well_in_between_is_said_again(modbus: ModbusSensor, reported: Reported, stop: Event) -> None:
    with waveform(modbus, reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        for number in (1, 2):
            modbus.refused.add(100)
            modbus.put(0, [number])
            eventually(lambda number=number: len(reported.codes) == number)  # type: ignore[misc]
            modbus.refused.clear()
            eventually(lambda number=number: len(blocks) == number)  # type: ignore[misc]
    assert reported.codes == ["acquisition.register"] * 2
