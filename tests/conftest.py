"""Fixtures that many tests share: a detector on a tiny graph that needs neither torch nor weights, and the command line."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.databases import PostgresServer, absent, postgres_server

from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.upgrade import ensure_current
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.storage import write_bundle
from andon.models.bundle.teaching import Lesson, teach
from andon.models.command.main import main
from andon.models.types.vision import DataCard, Frame, ImageSample
from andon.models.vision.fitting import FitOptions
from andon.models.vision.overlays import encode_png

SIDE, CELL, CHANNELS = 64, 8, 12

CARD = DataCard(
    name="striped plates",
    source="drawn by the tests",
    licence="Apache-2.0",
    non_commercial=False,
    checksum=sha256(b"striped plates").hexdigest(),
    grade="public",
    split="each plate is its own unit",
    counts={"train": 12},
)


def plate(seed: int, defective: bool = False, side: int = SIDE) -> Frame:
    """A striped plate with a little noise; a defect is a dark blot."""
    generator = np.random.default_rng(seed)
    stripes = 120 + 60 * np.sin(np.arange(side) * 2 * np.pi / 16 + generator.uniform(-0.2, 0.2))
    frame = np.repeat(np.repeat(stripes[None, :, None], side, 0), 3, 2) + generator.normal(0, 3, (side, side, 3))
    if defective:
        frame[side // 2 : side // 2 + side // 5, side // 3 : side // 3 + side // 5] = 10
    return np.clip(frame, 0, 255).astype(np.uint8)


def plate_sample(seed: int, side: int = SIDE) -> ImageSample:
    frame = plate(seed, side=side)
    return ImageSample(
        f"plate-{seed}", "good", f"plate-{seed}", lambda: sha256(frame.tobytes()).hexdigest(), lambda: frame
    )


def tiny_graph(side: int = SIDE) -> bytes:
    """A graph with the contract of the exported one: a strided convolution stands in for the backbone."""
    node = helper.make_node
    cells = side // CELL
    weights = np.random.default_rng(0).normal(size=(CHANNELS, 3, CELL, CELL)).astype(np.float32) / 100
    constants = {
        "weights": weights,
        "shape": np.array([CHANNELS, cells * cells]),
        "grid": np.array([cells, cells]),
        "last": np.array([1]),
        "two": np.array(-0.5, np.float32),
    }
    nodes = [
        node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        node("Conv", ["nchw", "weights"], ["maps"], strides=[CELL, CELL]),
        node("Reshape", ["maps", "shape"], ["flat"]),
        node("Transpose", ["flat"], ["features"], perm=[1, 0]),
        node("ReduceSumSquare", ["bank", "last"], ["norms"], keepdims=0),
        node("Mul", ["norms", "two"], ["bias"]),
        node("Gemm", ["features", "bank", "bias"], ["similarity"], transB=1),
        node("ArgMax", ["similarity"], ["winner"], axis=1, keepdims=0),
        node("Gather", ["bank", "winner"], ["nearest"], axis=0),
        node("Sub", ["features", "nearest"], ["difference"]),
        node("ReduceL2", ["difference", "last"], ["lengths"], keepdims=0),
        node("Reshape", ["lengths", "grid"], ["distances"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("image", TensorProto.UINT8, [1, side, side, 3]),
            helper.make_tensor_value_info("bank", TensorProto.FLOAT, ["m", CHANNELS]),
        ],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [cells * cells, CHANNELS]),
            helper.make_tensor_value_info("distances", TensorProto.FLOAT, [cells, cells]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    serialized: bytes = model.SerializeToString()
    return serialized


def taught(overkill: float = 0.2, seed: int = 0) -> VisionBundle:
    """A detector of striped plates on the tiny graph."""
    lesson = Lesson(tiny_graph(), [plate_sample(each) for each in range(12)], (), CARD, {"graph": "tiny"})
    return teach(lesson, FitOptions(overkill=overkill, seed=seed, bank_size=64))[0]


@pytest.fixture(scope="session")
def tiny_bundle() -> VisionBundle:
    """A detector of striped plates, in memory."""
    return taught()


@pytest.fixture
def bundle_dir(tiny_bundle: VisionBundle, tmp_path: Path) -> Path:
    """The same, written to a folder of the test's own."""
    path = tmp_path / "plates"
    write_bundle(tiny_bundle, path)
    return path


@pytest.fixture(scope="session")
def draw_plate() -> Callable[..., Frame]:
    """Draw a plate: ``draw_plate(seed, defective=False, side=64)``."""
    return plate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """Standard output, read as one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def complaint(self) -> str:
        """The one line on standard error of a command that failed before it did anything."""
        assert self.err.count("\n") == 1, self.err
        assert not self.out
        return self.err.removesuffix("\n")


Andon = Callable[..., Outcome]


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the user's: English, no settings, a home and a working folder of the test's own (which is returned)."""
    for name in list(os.environ):
        if name.startswith(("ANDON_", "MLFLOW_TRACKING")):
            monkeypatch.delenv(name)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("ANDON_LANG", "en")
    monkeypatch.setenv("ANDON_HOME", str(tmp_path / "home"))
    return here


@pytest.fixture
def andon(clean_environment: Path, capsys: pytest.CaptureFixture[str]) -> Andon:
    """Run a command in this process: ``andon("inspect", bundle, "--json")``."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as leaving:  # how argparse ends --help and --version
            code = int(leaving.code or 0)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run


def write_plates(folder: Path, count: int, defective: bool = False, side: int = SIDE, first: int = 0) -> Path:
    """Write ``count`` plates as PNG into ``folder``, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        (folder / f"{seed:02}.png").write_bytes(encode_png(plate(seed, defective, side)))
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this run's own."""
    if reason := absent():
        pytest.skip(reason)
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        return sqlite_address(tmp_path / "andon.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def database(database_address: str) -> Iterator[Database]:
    """The same with its tables."""
    opened = open_database(database_address)
    ensure_current(opened)
    yield opened
    opened.close()
