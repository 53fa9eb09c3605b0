"""The PLC's side: who passes, its watchdogs, and that nothing is inspected twice."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Event, Thread

import numpy as np
import pytest
from tests.hardware.plc.wires import pair

from andon.hardware.plc.handshake import Answer, Handshake, Trigger, answered, outputs, step
from andon.hardware.sim.simulated_plc import (
    MemoryLine,
    Part,
    PlcPhase,
    PlcState,
    SimulatedPlc,
    StopReason,
    Watchdogs,
    arrive,
    cycle,
    said,
)
from andon.models.types.line import COUNTS, LineFault, LineInputs, LineLink, LineLostError, LineOutputs, VerdictCode

ROUND_TRIPS = 3000 if os.environ.get("ANDON_SOAK") else 100
WATCHDOGS = Watchdogs(takt_s=1.0, heartbeat_s=0.5)


@dataclass
class Station:
    """A station that judges by ``verdict`` and lives as long as ``beats``."""

    link: LineLink
    verdict: Callable[[Trigger], VerdictCode] = lambda _: VerdictCode.OK
    judged: list[int] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    dead: Event = field(default_factory=Event)

    def run(self) -> None:
        state, beats = Handshake(fault=LineFault.NONE), 0
        while not self.stop.is_set():
            with suppress(LineLostError):
                if self.dead.is_set():
                    time.sleep(0.01)
                    continue
                state, event = step(state, self.link.read(0.02))
                if isinstance(event, Trigger):
                    self.judged.append(event.count)
                    state = answered(state, Answer(event, self.verdict(event)))
                beats += 1
                self.link.write(outputs(state, beats % COUNTS))


@contextmanager
def running(station: Station) -> Iterator[Station]:
    thread = Thread(target=station.run)
    thread.start()
    try:
        yield station
    finally:
        station.stop.set()
        thread.join()


@pytest.mark.parametrize("name", ["memory", "modbus_server", "modbus_client", "opcua", "mqtt"])
def test_every_part_is_judged_once_over_every_link(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    def verdict(trigger: Trigger) -> VerdictCode:
        return VerdictCode(1 + trigger.count % 4)

    with ExitStack() as stack:
        line = stack.enter_context(pair(name, tmp_path_factory.mktemp(name)))
        station = stack.enter_context(running(Station(line.link, verdict)))
        plc = SimulatedPlc(line.wire, takt_s=5.0, heartbeat_s=5.0, cycle_s=0.001)
        assert plc.wait_until_ready(20.0)
        seen = list(plc.run(Part(serial=f"S{number}") for number in range(20)))
    assert station.judged == [each.count for each in seen] == list(range(1, 21))
    assert [each.verdict for each in seen] == [VerdictCode(1 + each.count % 4) for each in seen]
    assert [each.is_good for each in seen] == [each.verdict is VerdictCode.OK for each in seen]
    assert not plc.stops


def test_an_answer_that_does_not_come_is_ng_and_stops_the_line() -> None:
    line = MemoryLine()
    slow = Station(line, lambda _: time.sleep(0.3) or VerdictCode.OK)  # type: ignore[func-returns-value]
    with running(slow):
        plc = SimulatedPlc(line, takt_s=0.1, heartbeat_s=5.0)
        assert plc.wait_until_ready(5.0)
        seen = list(plc.run([Part(), Part()]))
    assert [(each.is_good, each.stop) for each in seen] == [(False, StopReason.TAKT)]
    assert plc.stops == [StopReason.TAKT]


def test_a_heartbeat_that_stands_still_stops_the_line() -> None:
    line = MemoryLine()
    with running(Station(line)) as station:
        plc = SimulatedPlc(line, takt_s=60.0, heartbeat_s=0.2)
        assert plc.wait_until_ready(5.0)
        station.dead.set()
        time.sleep(0.1)  # it ends what it is at
        seen = list(plc.run([Part(), Part()]))
    assert [(each.is_good, each.stop) for each in seen] == [(False, StopReason.HEARTBEAT)]


def test_a_heartbeat_that_stands_still_between_parts_stops_the_line() -> None:
    stopped, seen = cycle(PlcState(beat_s=10.0), LineOutputs(), 10.1, WATCHDOGS)
    assert (stopped.phase, seen) == (PlcPhase.IDLE, None)
    stopped, seen = cycle(stopped, LineOutputs(), 10.7, WATCHDOGS)
    assert (stopped.phase, stopped.stop, seen) == (PlcPhase.STOPPED, StopReason.HEARTBEAT, None)


def test_after_a_stop_a_late_answer_is_thrown_away_and_the_line_goes_on() -> None:
    line = MemoryLine()
    late = Station(line, lambda each: (each.count == 1 and time.sleep(0.3)) or VerdictCode.OK)  # type: ignore[func-returns-value]
    with running(late) as station:
        plc = SimulatedPlc(line, takt_s=0.2, heartbeat_s=5.0, restart_s=0.3)
        assert plc.wait_until_ready(5.0)
        seen = list(plc.run([Part(serial="a"), Part(serial="b")]))
    assert [(each.count, each.is_good, each.stop) for each in seen] == [(1, False, StopReason.TAKT), (2, True, None)]
    assert station.judged == [1, 2]


def test_a_trigger_that_is_repeated_after_a_broken_connection_is_judged_once() -> None:
    line = MemoryLine()
    cuts: list[int] = []

    def cut_meanwhile(trigger: Trigger) -> VerdictCode:
        cuts.append(trigger.count)
        line.cut()
        time.sleep(0.02)
        line.mend()
        return VerdictCode.OK

    with running(Station(line, cut_meanwhile)) as station:
        plc = SimulatedPlc(line, takt_s=5.0, heartbeat_s=5.0)
        assert plc.wait_until_ready(5.0)
        seen = list(plc.run([Part(serial=str(number)) for number in range(10)]))
    assert cuts == station.judged == [each.count for each in seen] == list(range(1, 11))
    assert all(each.is_good for each in seen)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ok": False},
        {"ng": True},
        {"error": True},
        {"verdict": VerdictCode.NONE},
        {"verdict": VerdictCode.NG},
        {"verdict": VerdictCode.RETAKE},
        {"verdict": VerdictCode.ERROR},
    ],
)
def test_a_part_passes_only_if_everything_says_so(wrong: dict[str, object]) -> None:
    state = replace(triggered(), beat_s=10.0)
    good = LineOutputs(results_ready=True, ok=True, verdict=VerdictCode.OK, trigger_count=1)
    assert _seen(state, good)
    assert not _seen(state, replace(good, **wrong))  # type: ignore[arg-type]


def test_an_answer_for_another_part_is_not_taken() -> None:
    other = LineOutputs(results_ready=True, ok=True, verdict=VerdictCode.OK, trigger_count=2)
    assert cycle(triggered(), other, 10.1, WATCHDOGS)[1] is None


def test_counts_leave_out_zero() -> None:
    assert arrive(PlcState(count=COUNTS - 1), Part(), 0.0).count == 1


def test_a_plc_that_stopped_takes_its_trigger_back() -> None:
    stopped, _ = cycle(triggered(), None, 20.0, WATCHDOGS)
    assert (stopped.phase, said(stopped, None)) == (PlcPhase.STOPPED, LineInputs())


def triggered() -> PlcState:
    return PlcState(PlcPhase.TRIGGERED, 1, Part(), arrived_s=10.0, triggered_s=10.0, waits_since_s=10.0, beat_s=10.0)


def _seen(state: PlcState, heard: LineOutputs) -> bool:
    _, seen = cycle(state, heard, 10.1, WATCHDOGS)
    assert seen
    return seen.is_good


@pytest.mark.soak
@pytest.mark.parametrize("name", ["memory", "modbus_server", "modbus_client", "opcua", "mqtt"])
def test_round_trips(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From the PLC's trigger to the results it sees; run with ``-s`` to read the figures."""
    with ExitStack() as stack:
        line = stack.enter_context(pair(name, tmp_path_factory.mktemp(name)))
        stack.enter_context(running(Station(line.link)))
        plc = SimulatedPlc(line.wire, takt_s=5.0, heartbeat_s=5.0, cycle_s=0.0005)
        assert plc.wait_until_ready(20.0)
        latencies_ms = [1e3 * (each.latency_s or np.inf) for each in plc.run([Part()] * ROUND_TRIPS)]
    p50, p99 = np.percentile(latencies_ms, (50, 99))
    print(f"\n{name}: {ROUND_TRIPS} parts, p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    assert p50 < 100
