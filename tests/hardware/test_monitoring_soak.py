"""Monitoring that is killed while it writes, and monitoring of thousands of sensors through a bad network."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.conftest import Andon
from tests.motors import HOUR, START, motor

from andon.hardware.monitoring.remembered import recall
from andon.hardware.sim.disturbances import Disturbances
from andon.hardware.sim.simulated_sensors import SimulatedSensors, simulated_machines
from andon.models.alerts.case import AlertPolicy
from andon.models.health.watching import HealthModel
from andon.models.monitoring.watch import ConditionWatch, HealthMemory
from andon.models.stream.engine import Event, StreamEngine
from andon.models.stream.windows import StreamEvent, StreamOptions

SOAK = bool(os.environ.get("ANDON_SOAK"))
KILLS = 100 if SOAK else 3
SENSORS = 2000 if SOAK else 50
TURNS = 8

# Monitors once, and then keeps what is remembered, as much as of hundreds of sensors, over and over.
WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from andon.hardware.monitoring.remembered import recall
from andon.models.bundle.runtime import load_health
from andon.models.command.main import main
from andon.models.monitoring.remembering import write_memory

bundle, records, state = sys.argv[1:]
assert main(["monitor", bundle, records, "--state", state, "--json"]) == 0
features = load_health(Path(bundle)).model.contract
remembered = recall(Path(state), features)
remembered = replace(remembered, watched=remembered.watched * 300)
print("writing", flush=True)
while True:
    write_memory(remembered, Path(state))
"""


@pytest.mark.soak
@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_killed_while_it_writes_a_whole_state_is_there(
    andon: Andon, motors_dir: Path, motors: HealthModel, calm: Path, tmp_path: Path
) -> None:
    state = tmp_path / "kept" / "state"
    assert andon("monitor", motors_dir, calm, "--state", state).code == 0
    before = recall(state, motors.contract)
    words = [sys.executable, "-c", WRITER, str(motors_dir), str(calm), str(state)]
    for kill in range(KILLS):
        with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            while writer.stdout.readline() not in (b"writing\n", b""):
                pass
            time.sleep(0.0013 * (kill % 17))
            writer.send_signal(signal.SIGKILL)
        after = recall(state, motors.contract)
        assert after.taken_until.keys() == before.taken_until.keys()
        assert {each.asset for each in after.health()} == {each.asset for each in before.health()}
        assert all(after.taken_until[key] > until for key, until in before.taken_until.items()), "it went on"
        before = after
    assert andon("monitor", motors_dir, calm, "--state", state).code == 0


def named(events: list[Event]) -> list[str]:
    return [event.kind.value if isinstance(event, StreamEvent) else type(event).__name__ for event in events]


@pytest.mark.soak
def test_many_sensors_through_a_bad_network_are_counted_and_kept_in_bounds(motors: HealthModel) -> None:
    machines = simulated_machines(SENSORS, 0, block_s=0.08)
    window = round(0.08 * 25_600)
    network = Disturbances(0.05, 0.05, 0.05, 0.02, delay_blocks=round(1.5 * SENSORS), seed=1)
    source = SimulatedSensors(machines, START, HOUR, TURNS, disturbances=network)
    memory = HealthMemory(motors)
    options = StreamOptions(window=window, hop=window, max_samples=4 * window)
    engine = StreamEngine(ConditionWatch(motors, motor, memory), AlertPolicy(silence_s=1e9), replace(options, batch=16))
    found: Counter[str] = Counter()
    delivered = set()
    sizes = []
    for number, block in enumerate(source.blocks()):
        delivered.add((block.asset, block.time))
        events = engine.push(block)
        if number % SENSORS == SENSORS - 1:
            events += engine.tick(block.time + timedelta(seconds=1) if block.time else START)
            state, last = engine.save()
            events += last
            sizes.append(len(msgspec.json.encode(state)))
        found.update(named(events))
        assert engine.samples_kept <= 4 * window * SENSORS
    found.update(named(engine.finish()))
    counted = engine.counters
    assert counted.blocks == counted.snapshots + counted.duplicates + counted.late + counted.refused
    assert counted.refused == counted.evicted == counted.clocks == 0
    assert counted.duplicates > 0
    assert found["late"] == counted.late > 0
    assert counted.snapshots <= len(delivered)
    assert found["WindowResult"] == counted.snapshots
    assert len(memory.states) <= SENSORS
    assert max(sizes[TURNS // 2 :]) < 1.5 * sizes[TURNS // 2 - 1], "what is kept stops growing"
