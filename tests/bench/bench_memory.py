"""Peak memory of fitting 200 and 2,000 images, and the time from nothing to a loaded bundle on the base install.

Each in a process of its own, since a process's peak never falls.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.bench.figures import bench_cache, print_figure, seconds
from tests.conftest import CARD, plate_sample

from andon.models.bundle.storage import write_bundle

FIT = """
import sys
from hashlib import sha256
from pathlib import Path
import numpy as np
from andon.models.types.vision import ImageSample
from andon.models.vision.fitting import FitOptions, fit
from andon.models.vision.graph import PatchGraph

def sample(number):
    frame = lambda: np.random.default_rng(number).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    return ImageSample(str(number), "good", str(number), lambda: sha256(str(number).encode()).hexdigest(), frame)

count = int(sys.argv[2])
held_out = [sample(number) for number in range(10_000, 10_020)]
fit(PatchGraph(Path(sys.argv[1]).read_bytes()), [sample(number) for number in range(2 * count)][:count], held_out, FitOptions())
# Not ru_maxrss: a child inherits its parent's.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
LOAD = "import sys; from pathlib import Path; from andon.models.bundle.runtime import load_bundle; load_bundle(Path(sys.argv[1]))"
COUNTS = (200, 2000)
STARTS = 7


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    from andon.models.bundle.teaching import Lesson, teach
    from andon.models.vision.fitting import FitOptions
    from andon.training.export.patchcore import patchcore_graph

    with tempfile.TemporaryDirectory() as scratch:
        model = patchcore_graph(256, 256, bench_cache())
        graph, bundle = Path(scratch) / "graph.onnx", Path(scratch) / "bundle"
        graph.write_bytes(model)
        peaks = [int(_python(FIT, str(graph), str(count))) / 1024 for count in COUNTS]
        print_figure(
            "peak memory of fitting, MiB",
            value=round(peaks[0]),
            bound="<= 2048 for 200 images, less than linear to 2,000",
            images=list(COUNTS),
            peak_mib=[round(peak) for peak in peaks],
        )
        lesson = Lesson(model, [plate_sample(number) for number in range(12)], (), CARD, {})
        write_bundle(teach(lesson, FitOptions())[0], bundle)
        times = [seconds(lambda: _python(LOAD, str(bundle))) for _ in range(STARTS)]
        print_figure(
            "python start, import andon, load and prove a bundle, s", value=round(median(times), 2), bound="<= 1.5"
        )


def _python(script: str, *words: str) -> str:
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
