"""``andon demo``: the whole path on generated boards and bearings, as a person would start it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from tests.conftest import Andon
from tests.datasets.vibration.conftest import PackageIndex
from tests.training.conftest import missing_for_training

from andon.models.command.console import Console

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


def test_the_demo_of_equipment_names_both_faults(
    andon: Andon, small_release: PackageIndex, clean_environment: Path
) -> None:
    import httpx

    said = andon("demo", "equipment", "--exit", "--json", "--out", "pictures")
    assert (said.code, said.err) == (0, "")
    *told, last = said.documents
    raised = [each for each in told if each["type"] == "alert" and each["event"] == "raised"]
    assert [(each["asset"], each["fault"]) for each in raised] == [("rig A", "inner_race"), ("rig B", "outer_race")]
    for alert in raised:
        with Image.open(alert["plot"]) as picture:
            picture.verify()
    windows = [each for each in told if each["type"] == "window"]
    # A healthy record is twice as fast as the others, and so gives two windows of their number of samples.
    assert len(windows) == 2 * (2 * 3 + 4)
    assert not any(each["anomalous"] for each in windows if each["judged"] and each["fault"] is None)
    assert (last["records"], last["right"]) == (11, 11)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{last['service']}/v2/health/live", trust_env=False)
    assert {each.name for each in clean_environment.iterdir()} == {"pictures"}


def test_the_demo_of_equipment_needs_no_index_once_it_ran(andon: Andon, small_release: PackageIndex) -> None:
    fetched = andon("data", "fetch", "mfpt")
    assert fetched.code == 0
    small_release.close()
    said = andon("demo", "equipment", "--exit")
    assert (said.code, said.err) == (0, "")
    assert "11 of 11 records" in said.out
    assert "rig A" in said.out


@pytest.fixture
def empty_index(package_index: PackageIndex, monkeypatch: pytest.MonkeyPatch) -> PackageIndex:
    """An index without the records, as the one that pip is configured with."""
    monkeypatch.setenv("PIP_INDEX_URL", package_index.url)
    return package_index


def test_without_records_the_demo_of_equipment_says_so(andon: Andon, empty_index: PackageIndex) -> None:
    said = andon("demo", "equipment", "--exit")
    assert said.code == 3
    assert said.complaint.startswith("andon: demo equipment: could not be shown: ")
    assert empty_index.url in said.complaint


def test_without_records_the_demo_shows_images_and_says_what_it_could_not(
    andon: Andon, empty_index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    from andon.training.demo import commands

    def prepare(_arguments: object, home: Path, console: Console) -> commands.Show:
        (home / "bundles").mkdir(parents=True)
        return lambda service: console.emit({"alive": httpx.get(f"{service.url}/v2/health/live").is_success})

    empty_index.close()
    monkeypatch.setitem(commands._PREPARE, "vision", prepare)
    said = andon("demo", "--exit", "--json")
    assert (said.code, said.documents) == (3, [{"alive": True}])
    assert said.err.startswith("andon: demo equipment: could not be shown: ")
    assert said.err.count("\n") == 1
