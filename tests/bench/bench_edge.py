"""How long a part waits at a simulated line: from the PLC's trigger coil to its results coil, by Modbus TCP, with everything kept.

Run ``python -m tests.bench.bench_edge [BUNDLE] [PARTS]``; without a bundle, one is trained on the solar cells first. The agent runs as users run it, in a
process of its own: once with the station alone, once watching eight machines beside it, of each of which two seconds are diagnosed every two seconds. The simulated camera shows generated boards of 256 x 256 pixels, which it keeps ready: drawing them is not the line's work.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from sqlalchemy import func, select
from tests.bench.bench_serving import ensure_bundle
from tests.bench.figures import print_figure
from tests.hardware.edge.lines import line_config, running
from tests.serving.notify.receivers import free_port

from andon.datasets.store.database import open_database, sqlite_address
from andon.datasets.store.schema import inspections
from andon.datasets.synthetic.boards import open_synthetic
from andon.hardware.sim.modbus_plc import ModbusPlcClient
from andon.hardware.sim.simulated_plc import Part, PartSeen, SimulatedPlc
from andon.models.types.vision import Split

PARTS, TAKT_S, BOUND_MS = 3000, 2.0, 100.0
START_S = 60.0
IMAGES, SIDE = 48, 256


SENSORS = """
[[sensors]]
name = "gateway"
kind = "simulated"
assets = ["P-1", "P-2", "P-3", "P-4", "P-5", "P-6", "P-7", "P-8"]
every_s = 2.0
"""


def main(words: Sequence[str] = ()) -> None:
    """Print a JSON object for each run."""
    given, parts = (Path(words[0]) if words else None), int(words[1]) if words[1:] else PARTS
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ensure_bundle(folder / "cells", given)
        images = drawn(folder / "images")
        for name, more in (("alone", ""), ("beside 8 machines", SENSORS)):
            _measure(name, folder, images, more, parts)


def _measure(name: str, folder: Path, images: Path, more: str, parts: int) -> None:
    port, box = free_port(), folder / name
    box.mkdir()
    config = box / "line.toml"
    config.write_text(line_config("../cells", images, port, TAKT_S) + more, encoding="utf-8")
    with running(config) as (process, _), ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S)
        if not plc.wait_until_ready(START_S):
            raise RuntimeError("the station is not ready")
        seen = list(plc.run(Part(serial=f"P{number}") for number in range(parts)))
        process.terminate()
        process.wait()
    _report(name, parts, seen, _kept(box))


def _report(name: str, parts: int, seen: Sequence[PartSeen], kept: Counter[str]) -> None:
    latencies_ms = [each.latency_s * 1e3 for each in seen if each.latency_s is not None]
    p50, p99, worst = np.percentile(latencies_ms, (50, 99, 100)).round(2).tolist()
    print_figure(
        f"edge, {name}: trigger coil to results coil, p99 ms",
        value=p99,
        bound=BOUND_MS,
        p50_ms=p50,
        max_ms=worst,
        parts=parts,
        answered=len(latencies_ms),
        kept=sum(kept.values()),
        kept_twice=sum(count > 1 for count in kept.values()),
        told=dict(Counter(each.verdict.name for each in seen)),
    )


def _kept(folder: Path) -> Counter[str]:
    with (
        open_database(sqlite_address(folder / "home" / "edge" / "andon.db")) as database,
        database.reading() as reading,
    ):
        counted = select(inspections.c.part, func.count()).group_by(inspections.c.part)
        return Counter({str(part): int(count) for part, count in reading.execute(counted)})


def drawn(folder: Path) -> Path:
    """Draw boards into a folder, which is returned."""
    folder.mkdir()
    samples = open_synthetic("pcb", 0).samples(Split.TEST)
    for number, sample in enumerate(samples[:IMAGES]):
        frame = cv2.resize(sample.frame(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number:03d}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return folder


if __name__ == "__main__":
    main(sys.argv[1:])
