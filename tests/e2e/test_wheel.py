"""The built wheel on a machine that has only what the base install declares: no torch, no mlflow, no service."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
import soundfile
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.conftest import write_plates
from tests.motors import motor_signal

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.storage import write_bundle
from andon.models.messages.catalogue import LANGUAGES

REPOSITORY = Path(__file__).parents[2]
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
TABLES = ("models/vibration/bearings.toml", "models/vibration/comb_null.npz", "datasets/assets/machines.csv")
NOT_BASE = (
    *("torch", "torchvision", "timm", "mlflow", "sklearn", "fastapi", "uvicorn", "elpv_dataset", "pypi_simple"),
    *("pyarrow", "matplotlib", "pymodbus"),
)

pytestmark = [
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("build", "hatchling", "pip")),
        reason="build, hatchling or pip is not installed",
    ),
    pytest.mark.skipif(not (REPOSITORY / "pyproject.toml").is_file(), reason="the tests run without the sources"),
]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executables of a clean environment with the wheel and links to what it declares, as they are installed here."""
    root = tmp_path_factory.mktemp("machine")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    paths = {"base": str(root), "platbase": str(root)}
    scripts = Path(sysconfig.get_path("scripts", "venv", paths))
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    for name, source in declared_files(wheel).items():
        (site / name).symlink_to(source, target_is_directory=source.is_dir())
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)], check=True)
    return scripts


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: VisionBundle) -> Path:
    """A folder with a bundle and labelled plates."""
    root = tmp_path_factory.mktemp("ground")
    write_bundle(tiny_bundle, root / "plates")
    write_plates(root / "data/good", 12)
    write_plates(root / "data/bad", 2, defective=True, first=40)
    return root


@pytest.fixture
def run(machine: Path, ground: Path) -> Run:
    """Run an executable of that environment in that folder, with nothing of this process's own environment."""

    def start(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(machine / name), *words],
            check=False,
            capture_output=True,
            cwd=ground,
            env={"ANDON_HOME": str(ground / "home"), "ANDON_LANG": "en"},
            text=True,
        )

    return start


def declared_files(wheel: Path) -> dict[str, Path]:
    """What the wheel's requirements, and theirs, have in the folder of installed packages: by name, where it is."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().partition("\n\n")[0].splitlines()
    found: dict[str, Path] = {}
    for each in closure([line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]):
        tops = {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}
        found |= {top: Path(str(each.locate_file(top))) for top in tops}
    return found


def closure(requirements: list[str]) -> Iterator[Distribution]:
    waiting, seen = [Requirement(each) for each in requirements], set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and name not in seen:
            seen.add(name)
            yield (installed := distribution(name))
            waiting += [Requirement(each) for each in installed.requires or ()]


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in names} == {"andon"}
    assert {name.split("/")[1] for name in names} == {"training", "serving", "models", "datasets", "hardware"}
    strange = [name for name in names if name.endswith((*IMAGES, ".ipynb", ".onnx", ".npy", ".pyc"))]
    assert strange == []
    assert [name for name in names if any(part.startswith(("test", "bench")) for part in name.split("/"))] == []
    texts = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "models/messages").rglob("*.toml")}
    assert len(texts) >= 2 * len(LANGUAGES)
    assert {f"andon/{source}" for source in (*texts, *TABLES)} <= set(names)


def test_the_base_install_has_nothing_of_the_extras(run: Run) -> None:
    program = f"from importlib.util import find_spec; print([name for name in {NOT_BASE} if find_spec(name)])"
    said = run("python", "-c", program)
    assert (said.stdout, said.stderr) == ("[]\n", "")


def test_it_runs_from_the_wheel(run: Run, machine: Path) -> None:
    said = run("python", "-c", "import andon.models.command.main as it; print(it.__file__)")
    assert said.stdout.startswith(str(machine.parent))


def test_it_teaches_verifies_and_inspects(run: Run) -> None:
    taught = run("andon", "teach", "plates", "--good", "data/good", "--out", "taught", "--overkill", "0.3", "--json")
    assert (taught.returncode, taught.stderr) == (0, "")
    assert json.loads(taught.stdout)["operating_point"]["n_good"] == 12
    verified = run("andon", "bundle", "verify", "taught", "--json")
    assert (verified.returncode, json.loads(verified.stdout)["verified"]) == (0, True)
    inspected = run("andon", "inspect", "taught", "data/bad", "data/good/00.png", "--json", "--fail-on-ng")
    assert (inspected.returncode, inspected.stderr) == (1, "")
    assert [json.loads(line)["verdict"] for line in inspected.stdout.splitlines()] == ["NG", "NG", "OK"]


def test_it_knows_machines_and_diagnoses_them(run: Run, machine: Path, ground: Path) -> None:
    signal = motor_signal(0, snr_db=0.0)
    soundfile.write(ground / "sick.wav", signal.samples, round(signal.rate_hz), subtype="FLOAT")
    imported = run("andon", "assets", "import", str(next(machine.parent.rglob("machines.csv"))), "--json")
    assert (imported.returncode, imported.stderr) == (0, "")
    assert len(imported.stdout.splitlines()) == 3
    words = ["--unit", "g", "--rpm", f"{signal.rpm:g}"]
    said = run("andon", "diagnose", "sick.wav", *words, "--bearing", "6205", "--json")
    assert (said.returncode, said.stderr) == (0, "")
    document = json.loads(said.stdout)
    assert (document["fault"], document["zone"]) == ("outer_race", None)
    assert document["p_value"] < 0.01
    known = run("andon", "diagnose", "sick.wav", *words, "--asset", "P-101", "--json")
    assert (known.returncode, json.loads(known.stdout)["zone"] is None) == (0, False)


def test_it_evaluates(run: Run) -> None:
    said = run("andon", "evaluate", "plates", "--data", "data", "--json", "--predictions", "predictions.csv")
    assert (said.returncode, said.stderr) == (0, "")
    document = json.loads(said.stdout)
    assert (document["auroc"], document["n_good"], document["n_bad"]) == (1.0, 3, 2)


@pytest.mark.parametrize(
    ("words", "subject", "extra"),
    [
        (["train", "vision", "--data", "data", "--out", "trained"], "andon train", "train"),
        (["registry", "list"], "andon registry", "train"),
        (["serve"], "andon serve", "serve"),
        (["demo", "--exit"], "andon demo", "train,serve,demo"),
        (["edge", "check", "line.toml"], "andon edge", "edge"),
        (["diagnose", "some.csv", "--unit", "g"], "some.csv", "records"),
        (["diagnose", "some.parquet", "--unit", "g"], "some.parquet", "records"),
        (["diagnose", "some.csv", "--unit", "g", "--plot", "plots"], "andon diagnose", "plots"),
        (["monitor", "bundle", "records", "--plots", "plots"], "andon monitor", "plots"),
    ],
)
def test_what_needs_an_extra_names_it(run: Run, ground: Path, words: list[str], subject: str, extra: str) -> None:
    for suffix in ("csv", "parquet"):
        (ground / f"some.{suffix}").write_text("acceleration\n0.5\n", encoding="ascii")
    said = run("andon", *words)
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
    assert said.stderr.startswith(f"andon: {subject}: ")
    assert f"pip install 'andon[{extra}]'" in said.stderr
