"""KServe's own client against a server on a port. It needs other versions of pandas and protobuf: an interpreter of its own."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import make_inspector
from andon.models.types.vision import Frame

INTERPRETER = Path(os.environ.get("ANDON_KSERVE_PYTHON") or Path(__file__).parents[2] / ".kserve" / "bin" / "python")
SCRIPT = Path(__file__).with_name("kserve_client.py")
LIMIT_S = 120

pytestmark = pytest.mark.skipif(
    not INTERPRETER.is_file(), reason=f"no {INTERPRETER} with kserve: make kserve, or name one with ANDON_KSERVE_PYTHON"
)


@pytest.fixture
def frames(draw_plate: Callable[..., Frame]) -> Frame:
    return np.stack([draw_plate(3), draw_plate(4, True)])


@pytest.fixture
def said(server: str, frames: Frame, tmp_path: Path) -> Any:
    """What the client was told."""
    np.save(tmp_path / "frames.npy", frames)
    words = [str(INTERPRETER), str(SCRIPT), f"http://{server}", "plates", str(tmp_path / "frames.npy")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    asked = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, env=environment, check=False)
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout.splitlines()[-1])


def test_the_client_is_answered_in_every_form(said: Any, frames: Frame, tiny_bundle: VisionBundle) -> None:
    assert (said["live"], said["ready"], said["model_ready"], said["other_ready"]) == (True, True, True, False)
    assert said["metadata"]["name"] == "plates"
    assert said["metadata"]["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]

    inspector = make_inspector(tiny_bundle)
    expected = [inspector.inspect(frame) for frame in frames]
    assert len(said["inferred"]) == 4
    for form, inferred in said["inferred"].items():
        assert (inferred["id"], inferred["model_name"]) == ("part 7", "plates")
        assert inferred["score"] == [each.score for each in expected]
        assert inferred["verdict"] == [each.verdict.value for each in expected] == ["OK", "NG"]
        assert inferred["map_shape"] == [2, 64, 64]
        assert inferred["map_sum"] == np.stack([each.score_map for each in expected]).astype(np.float64).sum()
        binary = form.endswith("to binary")
        assert inferred["content_type"] == ("application/octet-stream" if binary else "application/json")

    status, text = said["other_refused"]
    assert status == 404 and "other" in text
    status, text = said["shape_refused"]
    assert status == 400 and "[64, 64, 3]" in text
