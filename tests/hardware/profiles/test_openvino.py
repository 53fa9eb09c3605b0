"""Bundles on OpenVINO, by its own build of onnxruntime: it has the same modules, so that it runs in a process of its own."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import CARD, plate_sample

from andon.models.bundle.storage import write_bundle
from andon.models.bundle.teaching import Lesson, teach
from andon.models.vision.fitting import FitOptions

ROOT = Path(__file__).parents[3]
PLACE = Path(os.environ.get("ANDON_OPENVINO_PATH") or ROOT / ".openvino")
LIMIT_S = 120
SCRIPT = """
import json, os, sys
from pathlib import Path
from andon.hardware.profiles.affinity import bound_to
from andon.hardware.profiles.placing import installed_runtime, place_bundle
from andon.hardware.profiles.profile import read_profile
from andon.models.bundle.storage import read_bundle

path, table = sys.argv[1:]
profile = read_profile(json.loads(table))
with bound_to(profile.cores):
    before = set(os.listdir("/proc/self/task"))
    placed = place_bundle(read_bundle(Path(path)), "bundle", profile, installed_runtime())
    cores = {
        next(line.split()[1] for line in open(f"/proc/self/task/{task}/status") if line.startswith("Cpus_allowed_list"))
        for task in set(os.listdir("/proc/self/task")) - before
    }
print(json.dumps({
    "provider": placed.provider,
    "nodes": dict(placed.nodes),
    "holds": placed.parity.holds,
    "worst": placed.parity.worst,
    "refusals": [[each.provider, each.error.code] for each in placed.refusals],
    "cores": sorted(cores),
}))
"""

pytestmark = pytest.mark.skipif(
    not (PLACE / "onnxruntime").is_dir(),
    reason=f"no {PLACE} with onnxruntime-openvino: make openvino, or name a folder with ANDON_OPENVINO_PATH",
)

OPENVINO, CPU = "OpenVINOExecutionProvider", "CPUExecutionProvider"


def placed_on(bundle: Path, **table: object) -> Any:
    """What became of a bundle under a profile, told by a process that has OpenVINO."""
    environment = {**os.environ, "PYTHONPATH": str(PLACE)}
    words = [sys.executable, "-c", SCRIPT, str(bundle), json.dumps({"device": "openvino", **table})]
    said = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, env=environment, check=False)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_it_runs_the_whole_graph_and_reproduces_the_goldens(bundle_dir: Path) -> None:
    said = placed_on(bundle_dir)
    assert (said["provider"], list(said["nodes"]), said["refusals"]) == (OPENVINO, [OPENVINO], [])
    assert said["holds"]


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_it_reproduces_the_goldens_of_the_real_graph(tmp_path: Path) -> None:
    from andon.training.export.patchcore import export_patchcore

    lesson = Lesson(export_patchcore(64, 64), [plate_sample(each) for each in range(12)], (), CARD, {})
    write_bundle(teach(lesson, FitOptions(bank_size=64))[0], tmp_path / "real")
    said = placed_on(tmp_path / "real")
    assert (said["provider"], list(said["nodes"])) == (OPENVINO, [OPENVINO])
    assert 0 < said["worst"] < 1e-4


def test_its_threads_keep_to_the_cores(bundle_dir: Path) -> None:
    core = max(os.sched_getaffinity(0))
    assert placed_on(bundle_dir, cores=[core])["cores"] == [str(core)]


def test_a_health_model_stays_on_the_cpu_since_openvino_takes_none_of_its_float64(motors_dir: Path) -> None:
    """Its onnxruntime is older than the one beside Andon as well, and loads the graph all the same."""
    said = placed_on(motors_dir)
    assert (said["provider"], said["refusals"]) == (CPU, [[OPENVINO, "profile.no_nodes"]])
    assert said["holds"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"device_type": "NPU"}, "profile.not_started"),
        ({"device_type": "TPU"}, "profile.no_nodes"),
        ({"precision": "FP16"}, "profile.not_started"),
        ({"speed": "most"}, "profile.refused"),
    ],
)
def test_what_it_cannot_do_here_is_told_and_the_cpu_does_it(bundle_dir: Path, options: Any, code: str) -> None:
    """onnxruntime itself goes on with the CPU and mentions it in its log."""
    said = placed_on(bundle_dir, options={"openvino": options})
    assert (said["provider"], said["refusals"]) == (CPU, [[OPENVINO, code]])
    assert said["holds"]
