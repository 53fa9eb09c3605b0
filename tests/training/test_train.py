"""``andon train vision`` from a folder of images to a bundle and a run, and what is left where it is interrupted."""

import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Andon, plate, write_plates
from tests.training.conftest import SIDE, needs_training

from andon.datasets.registry.tags import DIGEST_TAG
from andon.models.bundle.manifest import BANK
from andon.models.bundle.runtime import load_inspector
from andon.models.bundle.storage import read_bundle
from andon.models.command.main import main
from andon.models.vision import fitting
from andon.models.vision.fitting import FitOptions
from andon.models.vision.overlays import encode_png

pytestmark = needs_training
N_GOOD = 230

# Runs the command up to the choice of the memory bank, says so, and waits there for a signal.
HELD_IN_THE_FIT = """
import signal, sys
from andon.models.command.main import main
from andon.models.vision import fitting

def hold(*_):
    print("fitting", flush=True)
    signal.pause()

fitting.k_centre = hold
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


@dataclass(frozen=True)
class Trained:
    """What a training wrote, and what it printed for machines."""

    out: Path
    document: dict[str, Any]


def command(data: Path, out: Path, *more: str) -> list[str]:
    return ["train", "vision", "--data", str(data), "--out", str(out), "--size", f"{SIDE}x{SIDE}", "--json", *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def home(graph_cache: Path) -> Path:
    """A home that holds the exported graph."""
    return graph_cache.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plates in the MVTec layout; half of those to train on have more places than the memory bank has room for."""
    root = tmp_path_factory.mktemp("data")
    write_plates(root / "train/good", N_GOOD)
    write_plates(root / "test/good", 2, first=N_GOOD)
    write_plates(root / "test/blot", 2, defective=True, first=N_GOOD)
    return root


@pytest.fixture(scope="module")
def trained(home: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained in this process."""
    out, spoken = tmp_path_factory.mktemp("trained") / "板 bundle", StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(spoken):
        patch.setenv("ANDON_HOME", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert main(command(data, out)) == 0
    return Trained(out, json.loads(spoken.getvalue()))


@pytest.fixture
def train(andon: Andon, home: Path, monkeypatch: pytest.MonkeyPatch) -> Andon:
    """Train in this process: ``train(data, out, *more)``."""
    monkeypatch.setenv("ANDON_HOME", str(home))
    return lambda data, out, *more: andon(*command(data, out, *more))


def test_what_is_trained_verifies_and_inspects(andon: Andon, trained: Trained, data: Path) -> None:
    assert andon("bundle", "verify", trained.out).code == 0
    assert [each.name for each in trained.out.parent.iterdir()] == [trained.out.name]
    inspected = andon("inspect", trained.out, data / "test/blot", "--json").documents
    assert [each["verdict"] for each in inspected] == ["NG", "NG"]


def test_it_says_what_was_fitted_and_how_good_it_is(trained: Trained) -> None:
    document, bundle = trained.document, load_inspector(trained.out).bundle
    assert (document["bundle"], document["digest"], document["left_out"]) == (str(trained.out), bundle.digest, 0)
    assert document["operating_point"]["threshold"] == bundle.manifest.operating_point.threshold
    assert document["operating_point"]["n_good"] == N_GOOD // 2
    assert bundle.manifest.data.counts == {"train/good": N_GOOD, "test/good": 2, "test/blot": 2}
    assert len(bundle.array(BANK, np.float32)) == FitOptions().bank_size < N_GOOD // 2 * (SIDE // 16) ** 2, (
        "the bank was chosen"
    )
    assert (document["evaluation"]["auroc"], document["evaluation"]["n_bad"]) == (1.0, 2)


def test_the_training_is_a_run_that_names_the_bundle(trained: Trained, home: Path) -> None:
    from andon.training.tracking.session import session
    from andon.training.tracking.store import default_store

    with session(default_store(home, {})) as client:
        run = client.get_run(trained.document["run_id"])
    assert (run.info.status, run.data.tags[DIGEST_TAG]) == ("FINISHED", trained.document["digest"])
    assert run.data.metrics["auroc"] == 1.0


def test_the_same_command_gives_the_same_bytes_in_another_process(
    trained: Trained, data: Path, home: Path, tmp_path: Path
) -> None:
    program = "import sys; from andon.models.command.main import main; sys.exit(main())"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANDON_", "MLFLOW_T"))}
    subprocess.run(
        [sys.executable, "-c", program, *command(data, tmp_path / "again")],
        check=True,
        capture_output=True,
        env={**environment, "ANDON_HOME": str(home), "PYTHONHASHSEED": "7"},
    )
    first, second = contents(trained.out), contents(tmp_path / "again")
    assert {"manifest.json", "model.onnx", "bank.npy", "goldens/expected.json"} <= first.keys()
    assert first.keys() == second.keys()
    assert [name for name, data in first.items() if data != second[name]] == []


def test_another_seed_gives_another_bank(train: Andon, trained: Trained, data: Path, tmp_path: Path) -> None:
    assert train(data, tmp_path / "other", "--seed", "1").code == 0
    first, second = contents(trained.out), contents(tmp_path / "other")
    changed = {name for name in first if first[name] != second[name]}
    assert {"manifest.json", "bank.npy", "goldens/expected.json"} <= changed
    assert "model.onnx" not in changed


def test_broken_images_are_left_out(train: Andon, data: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    write_plates(mixed / "train/good", 8)
    (mixed / "train/good/broken.png").write_bytes(encode_png(plate(0))[:50])
    said = train(mixed, tmp_path / "out")
    assert said.code == 2
    error, document = said.documents
    assert error["path"].endswith("broken.png")
    assert (document["left_out"], document["operating_point"]["n_good"]) == (1, 8)
    assert document["evaluation"] is None, "there is no test part"
    assert read_bundle(tmp_path / "out")


@pytest.mark.parametrize("replaced", [False, True])
def test_an_interrupted_fit_leaves_what_was_there(
    train: Andon, trained: Trained, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    out = trained.out if replaced else tmp_path / "place" / "out"
    before = contents(out.parent)
    monkeypatch.setattr(fitting, "k_centre", interrupt)
    said = train(data, out, "--seed", "2")
    assert (said.code, said.out) == (130, "")
    assert contents(out.parent) == before
    assert out.exists() is replaced


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_a_signal_leaves_nothing_half_written(data: Path, home: Path, tmp_path: Path) -> None:
    kept = contents(home / "cache").keys()
    with subprocess.Popen(
        [sys.executable, "-c", HELD_IN_THE_FIT, *command(data, tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "ANDON_HOME": str(home)},
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "fitting\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")
    assert list(tmp_path.iterdir()) == []
    assert contents(home / "cache").keys() == kept
