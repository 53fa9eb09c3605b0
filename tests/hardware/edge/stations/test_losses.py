"""A camera that is lost is told once, until it is there again."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from andon.hardware.edge.stations.losses import CameraLosses
from andon.hardware.edge.stations.station import Station
from andon.models.types.line import LineFault


def stations(*faults: LineFault) -> Sequence[Station]:
    made = [
        SimpleNamespace(parts=SimpleNamespace(name=f"S{place}"), state=SimpleNamespace(fault=fault))
        for place, fault in enumerate(faults)
    ]
    return cast(Sequence[Station], made)


def test_each_loss_is_told_once() -> None:
    told = list[str]()
    line = stations(LineFault.NONE, LineFault.CAMERA)
    losses = CameraLosses(line, told.append)
    losses.look()
    losses.look()
    assert told == ["S1"]
    line[1].state.fault = LineFault.NONE  # type: ignore[misc]
    losses.look()
    line[1].state.fault = LineFault.CAMERA  # type: ignore[misc]
    losses.look()
    assert told == ["S1", "S1"]
