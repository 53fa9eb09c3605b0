"""Values and arrays of a real OPC UA server."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from tests.hardware.acquisition.devices import OpcUaSensor, Reported, drawn
from tests.serving.notify.receivers import eventually

from andon.hardware.acquisition.opcua import (
    OpcUaArray,
    OpcUaReadout,
    OpcUaServer,
    OpcUaValue,
    OpcUaWaveforms,
    Stamped,
)
from andon.hardware.acquisition.polled_rows import PolledRows
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Unit

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
VALUES = (
    OpcUaValue(name="speed_rpm", node="ns=2;s=speed", scale=60.0),
    OpcUaValue(name="level_mm_s", node="ns=2;s=level"),
)


def rows_of(opcua: OpcUaSensor, reported: Reported, stop: Event, **said: Any) -> PolledRows:
    readout = OpcUaReadout(OpcUaServer(url=opcua.url, timeout_s=1.0), VALUES, **said)
    return PolledRows(readout, asset="pump", every_s=0.03, report=reported, stop=stop)


def waveforms(opcua: OpcUaSensor, reported: Reported, stop: Event, stamped: Stamped = Stamped.END) -> OpcUaWaveforms:
    array = OpcUaArray(node="ns=2;s=waveform", sensor="DE", rate_hz=100.0, unit=Unit.MM_S, scale=2.0, stamped=stamped)
    server = OpcUaServer(url=opcua.url, timeout_s=1.0)
    return OpcUaWaveforms(server=server, asset="pump", every_s=0.02, arrays=(array,), report=reported, stop=stop)


def bad(code: int) -> dict[str, Any]:
    return {"StatusCode": ua.StatusCode(ua.UInt32(code)), "SourceTimestamp": datetime.now(UTC)}


def test_only_what_is_good_is_believed(opcua: OpcUaSensor, reported: Reported, stop: Event) -> None:
    with rows_of(opcua, reported, stop) as source, drawn(source.rows(), stop) as rows:
        opcua.write("speed", 25.0)
        opcua.write("level", 1.5)
        eventually(lambda: rows and rows[-1].measures == {"speed_rpm": 1500.0, "level_mm_s": 1.5})
        for code in (StatusCodes.BadSensorFailure, StatusCodes.UncertainLastUsableValue):
            opcua.write("level", 1.5, **bad(code))
            eventually(lambda: rows[-1].measures == {"speed_rpm": 1500.0, "level_mm_s": None})
            Event().wait(0.1)
            opcua.write("level", 1.5)
            eventually(lambda: rows[-1].measures["level_mm_s"] == 1.5)
        opcua.write("level", float("nan"))
        eventually(lambda: rows[-1].measures["level_mm_s"] is None)
    assert [error.params["found"] for error in reported.errors] == [
        "BadSensorFailure",
        "UncertainLastUsableValue",
        "nan",
    ]


def test_a_value_that_is_too_old_is_none(opcua: OpcUaSensor, reported: Reported, stop: Event) -> None:
    opcua.write("speed", 25.0, SourceTimestamp=datetime.now(UTC) - timedelta(seconds=60))
    opcua.write("level", 1.5, SourceTimestamp=datetime.now(UTC))
    with rows_of(opcua, reported, stop, max_age_s=30.0) as source, drawn(source.rows(), stop) as rows:
        eventually(lambda: rows)
    assert rows[0].measures == {"speed_rpm": None, "level_mm_s": 1.5}
    assert reported.codes == ["acquisition.stale"]


def test_a_server_that_was_away_is_read_again(opcua: OpcUaSensor, reported: Reported, stop: Event) -> None:
    with (
        rows_of(opcua, reported, stop) as source,
        drawn(source.rows(), stop) as rows,
        waveforms(opcua, wave_reported := Reported(), stop) as wave,
        drawn(wave.blocks(), stop) as blocks,
    ):
        eventually(lambda: rows and blocks)
        opcua.stop()
        eventually(lambda: reported.codes and wave_reported.codes)
        before = len(rows)
        opcua.start()
        eventually(lambda: len(rows) > before)

        def sent() -> bool:
            opcua.write("waveform", [7.0] * 10, SourceTimestamp=datetime.now(UTC))
            return bool(blocks[-1].samples[0] == 14)

        eventually(sent)
    assert reported.codes == ["acquisition.away"]
    assert wave_reported.codes == ["acquisition.away"]


@pytest.mark.parametrize(("stamped", "begun"), [(Stamped.START, NOON), (Stamped.END, NOON - timedelta(seconds=0.1))])
def test_blocks_carry_the_source_timestamp(
    opcua: OpcUaSensor, reported: Reported, stop: Event, stamped: Stamped, begun: datetime
) -> None:
    with waveforms(opcua, reported, stop, stamped) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: blocks)
        blocks.clear()
        for second in range(5):
            # The same samples again are a block of their own: so does a sensor that is dead.
            opcua.write("waveform", [1.0] * 10, SourceTimestamp=NOON + timedelta(seconds=second))
        eventually(lambda: len(blocks) == 5)
        opcua.write("waveform", [1.0] * 10, **bad(StatusCodes.BadOutOfService))
        eventually(lambda: reported.codes == ["acquisition.status"])
    assert [block.time for block in blocks] == [begun + timedelta(seconds=second) for second in range(5)]
    np.testing.assert_array_equal(blocks[0].samples, np.full(10, 2.0))


def test_a_node_that_comes_later_is_looked_at_then(opcua: OpcUaSensor, reported: Reported, stop: Event) -> None:
    arrays = tuple(
        OpcUaArray(node=f"ns=2;s={name}", sensor=name, rate_hz=100.0, unit=Unit.G) for name in ("later", "waveform")
    )
    source = OpcUaWaveforms(
        server=OpcUaServer(url=opcua.url), asset="pump", every_s=0.02, arrays=arrays, report=reported, stop=stop
    )
    with source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: [block.sensor for block in blocks] == ["waveform"])
        assert [error.params["found"] for error in reported.errors] == ["BadNodeIdUnknown"]
        opcua.ask(opcua.add("later", [1.0, 2.0]))
        eventually(lambda: [block.sensor for block in blocks] == ["waveform", "later"])
    assert reported.codes == ["acquisition.status"]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OptionError, match="url"):
        OpcUaServer(url="http://h")
    with pytest.raises(OptionError, match="node"):
        OpcUaValue(name="a", node="speed")
