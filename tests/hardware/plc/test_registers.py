"""The register map: its layout, values there and back, and the order in which they are written."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.hardware.plc.registers import (
    COILS,
    ENTRIES,
    MAP_VERSION,
    REGISTERS,
    Bases,
    EntryType,
    Image,
    Side,
    Table,
    decode_inputs,
    decode_outputs,
    encode_inputs,
    encode_outputs,
    readable_serial,
    steps,
)
from andon.models.codes.identity import UNREADABLE
from andon.models.types.errors import OptionError
from andon.models.types.line import SERIAL_CHARACTERS, LineFault, LineInputs, LineOutputs, VerdictCode

counts = st.integers(0, 65535)
serials = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=SERIAL_CHARACTERS)
all_inputs = st.builds(LineInputs, st.booleans(), counts, st.booleans(), counts, serials)
flags = st.booleans()
numbers = st.floats(width=32, allow_nan=False)
all_outputs = st.builds(
    LineOutputs,
    *(flags,) * 6,
    st.sampled_from(VerdictCode),
    counts,
    counts,
    st.sampled_from(LineFault),
    numbers,
    numbers,
    counts,
)


@given(all_inputs)
def test_inputs_come_back(inputs: LineInputs) -> None:
    without = LineInputs(results_ack=inputs.results_ack)
    assert decode_inputs(encode_inputs(inputs)) == (inputs if inputs.trigger else without)


@given(all_outputs)
def test_outputs_come_back(outputs: LineOutputs) -> None:
    assert decode_outputs(encode_outputs(outputs)) == outputs


def test_the_map_is_what_plcs_were_programmed_for() -> None:
    said = LineInputs(True, 0x1234, True, 7, "AB-1")
    registers = encode_inputs(said).registers
    assert registers[:5] == (0x1234, 7, 0x4142, 0x2D31, 0)
    assert encode_inputs(said).coils == (True, True)
    outputs = LineOutputs(False, True, False, True, False, True, VerdictCode.NG, 5, 6, LineFault.MODEL, 1.5, -2.0, 9)
    high, low = struct.unpack(">HH", struct.pack(">f", 1.5))
    assert encode_outputs(outputs).registers == (MAP_VERSION, 2, 5, 6, 4, 9, high, low, 0xC000, 0)
    assert encode_outputs(outputs).coils == (False, True, False, True, False, True)


def test_no_two_entries_share_an_address_and_each_is_within_its_side() -> None:
    taken = [
        (entry.type is EntryType.COIL, address)
        for entry in ENTRIES
        for address in range(entry.address, entry.address + entry.size)
    ]
    assert len(taken) == len(set(taken))
    for entry in ENTRIES:
        bases = Bases()
        own = bases.coils(entry.side) if entry.type is EntryType.COIL else bases.registers(entry.side)
        assert entry.address in own
        assert entry.address + entry.size <= own.stop


@pytest.mark.parametrize("bases", [(-1, 0), (65536 - 2 * COILS + 1, 0), (0, 65536 - 2 * REGISTERS + 1)])
def test_a_base_that_leaves_the_table_is_refused(bases: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match=r"plc\.base"):
        Bases(*bases)


def test_the_highest_bases_fit() -> None:
    bases = Bases(65536 - 2 * COILS, 65536 - 2 * REGISTERS)
    assert bases.coils(Side.STATION).stop == bases.registers(Side.STATION).stop == 65536


@given(st.text(max_size=100))
def test_a_serial_that_cannot_be_is_seen_and_does_not_grow(text: str) -> None:
    serial = readable_serial(text)
    assert len(serial) <= SERIAL_CHARACTERS
    assert (UNREADABLE in serial) == (not (text.isascii() and (text.isprintable())) or len(text) > SERIAL_CHARACTERS)


@given(st.lists(counts, min_size=34, max_size=34))
def test_whatever_a_plc_writes_is_answered(registers: list[int]) -> None:
    inputs = decode_inputs(Image((True, False), tuple(registers)))
    assert inputs.trigger_count == registers[0]


def test_a_score_that_no_float32_holds_is_infinite() -> None:
    assert decode_outputs(encode_outputs(LineOutputs(score=1e300))).score == float("inf")


def test_another_version_of_the_map_is_not_read() -> None:
    image = encode_outputs(LineOutputs())
    with pytest.raises(ValueError, match="map version"):
        decode_outputs(Image(image.coils, (MAP_VERSION + 1, *image.registers[1:])))


@given(st.none() | all_outputs, all_outputs)
def test_at_no_step_do_flags_stand_beside_values_of_another_part(told: LineOutputs | None, new: LineOutputs) -> None:
    """Before the first step a PLC may hold anything where nobody knows; then nothing may hold until the values are there."""
    held = encode_outputs(told) if told else None
    coils, registers = (held.coils, held.registers) if held else (None, None)
    for table, values in steps(held, encode_outputs(new)):
        if table is Table.COILS:
            coils = tuple(bool(each) for each in values)
        else:
            registers = values
        if coils and coils[2]:
            heard = decode_outputs(Image(coils, registers or ()))
            assert replace(heard, heartbeat=0) in [replace(each, heartbeat=0) for each in (told, new) if each] or (
                told and _values(heard) == _values(told) == _values(new)
            )
    assert (coils, registers) == (encode_outputs(new).coils, encode_outputs(new).registers)


@given(all_outputs)
def test_what_was_told_is_not_written_again(outputs: LineOutputs) -> None:
    assert list(steps(encode_outputs(outputs), encode_outputs(outputs))) == []


@given(all_outputs, counts)
def test_a_heartbeat_takes_no_results_back(outputs: LineOutputs, heartbeat: int) -> None:
    after = encode_outputs(replace(outputs, heartbeat=heartbeat))
    assert [table for table, _ in steps(encode_outputs(outputs), after)] in ([], [Table.REGISTERS])


def _values(said: LineOutputs) -> tuple[object, ...]:
    return said.verdict, said.trigger_count, said.recipe, said.fault, said.score, said.threshold
