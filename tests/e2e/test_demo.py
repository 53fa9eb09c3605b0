"""``andon demo``: the whole path on generated boards, as a person would start it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from tests.training.conftest import missing_for_training

MISSING = [*missing_for_training(), *(name for name in ("fastapi", "uvicorn", "httpx") if find_spec(name) is None)]

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (the extras train, serve and demo)"
)


def test_the_demo_runs_through_and_leaves_no_service(tmp_path: Path) -> None:
    import httpx

    program = "import sys; from andon.models.command.main import main; sys.exit(main())"
    words = ["demo", "vision", "--exit", "--data", "synthetic:pcb", "--json", "--out", str(tmp_path / "overlays")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANDON_", "MLFLOW_T"))}
    said = subprocess.run(
        [sys.executable, "-c", program, *words],
        check=False,
        capture_output=True,
        cwd=tmp_path,
        env={**environment, "ANDON_HOME": str(tmp_path / "home"), "ANDON_LANG": "en"},
        text=True,
    )
    assert (said.returncode, said.stderr) == (0, "")
    (document,) = (json.loads(line) for line in said.stdout.splitlines())
    assert (document["n_good"], document["n_bad"]) == (40, 40)
    assert document["auroc"] > document["baseline_brightness_auroc"]
    assert len(document["overlays"]) == 16
    for path in document["overlays"]:
        assert Path(path).parent == tmp_path / "overlays"
        with Image.open(path) as picture:
            picture.verify()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{document['service']}/v2/health/live", trust_env=False)
    assert {each.name for each in tmp_path.iterdir()} == {"home", "overlays"}
