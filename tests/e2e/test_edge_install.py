"""The base with ``edge``, as the built wheel declares it: small enough for a box beside the line, and there for its processors."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.conftest import CARD, plate_sample
from tests.e2e.test_wheel import REPOSITORY, wheel

from andon.models.bundle.storage import write_bundle
from andon.models.bundle.teaching import Lesson, teach
from andon.models.vision.fitting import FitOptions

__all__ = ["wheel"]

EXTRA = "edge"
DISK_LIMIT_MB, RESIDENT_LIMIT_MB = 750, 400
NOT_EDGE = {"torch", "torchvision", "timm", "mlflow", "scikit-learn", "fastapi", "uvicorn", "openvino"}
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
LIMIT_S = 300
STATION = """
import sys
from pathlib import Path

import asyncua, httpx, paho.mqtt.client, prometheus_client, pymodbus.client, pymodbus.server
import numpy as np

from andon.datasets.store.database import open_database, sqlite_address
from andon.datasets.store.upgrade import ensure_current
from andon.models.bundle.runtime import load_inspector

bundle, home = map(Path, sys.argv[1:])
ensure_current(open_database(sqlite_address(home / "andon.db")))
inspector = load_inspector(bundle).inspector
for number in range(60):
    inspector.inspect(np.random.default_rng(number).integers(0, 256, (256, 256, 3), dtype=np.uint8))
fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(int(fields["VmRSS"].split()[0]) * 1024 / 1e6)
"""
"""What a station holds in memory: its protocols, its store, and a detector that inspects frames of 256x256."""

pytestmark = [
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("build", "hatchling", "pip")),
        reason="build, hatchling or pip is not installed",
    ),
    pytest.mark.skipif(not (REPOSITORY / "pyproject.toml").is_file(), reason="the tests run without the sources"),
]


@pytest.fixture(scope="module")
def requirements(wheel: Path) -> list[Requirement]:
    """What the wheel declares for the base and for the edge."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().partition("\n\n")[0].splitlines()
    declared = [Requirement(line.partition(": ")[2]) for line in lines if line.startswith("Requires-Dist: ")]
    return [each for each in declared if wanted(each, EXTRA)]


@pytest.fixture(scope="module")
def packages(requirements: list[Requirement]) -> list[Distribution]:
    """These and all that they need, as they are installed here: at the versions that ``constraints.txt`` pins."""
    return list(closure(requirements))


@pytest.fixture(scope="module")
def box(wheel: Path, packages: list[Distribution], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment that has the wheel and links to these packages, and nothing else."""
    root = tmp_path_factory.mktemp("box")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    paths = {"base": str(root), "platbase": str(root)}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    for each in packages:
        for top in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                source = Path(str(each.locate_file(top)))
                (site / top).symlink_to(source, target_is_directory=source.is_dir())
    python = Path(sysconfig.get_path("scripts", "venv", paths)) / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)], check=True)
    return python


@pytest.fixture(scope="module")
def real_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector on the real graph at 256x256. Its bank is small: a full one takes 2 MB more, and a minute to choose."""
    pytest.importorskip("torch", reason="the graph is exported by torch")
    from andon.training.export.patchcore import export_patchcore

    lesson = Lesson(export_patchcore(256, 256), [plate_sample(each) for each in range(12)], (), CARD, {})
    path = tmp_path_factory.mktemp("bundles") / "real"
    write_bundle(teach(lesson, FitOptions(bank_size=256))[0], path)
    return path


def wanted(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def closure(requirements: list[Requirement]) -> Iterator[Distribution]:
    waiting, seen = list(requirements), set()
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name not in seen:
            seen.add(name)
            yield (installed := distribution(name))
            needed = [Requirement(each) for each in installed.requires or ()]
            waiting += [each for each in needed if wanted(each, "")]


def size_mb(package: Distribution) -> float:
    """Everything that was installed with it, compiled modules among it."""
    files = [Path(str(package.locate_file(each))) for each in package.files or ()]
    return sum(each.stat().st_size for each in files if each.is_file()) / 1e6


def test_nothing_of_training_or_of_the_service_comes_along(packages: list[Distribution], box: Path) -> None:
    assert {canonicalize_name(each.metadata["Name"]) for each in packages} & NOT_EDGE == set()
    program = "from importlib.util import find_spec; print([each for each in ('torch', 'mlflow') if find_spec(each)])"
    said = subprocess.run([str(box), "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.xfail(
    raises=AssertionError, reason="930 MB: pyarrow (162) and matplotlib with its fonts (65) are to become extras"
)
def test_it_fits_on_a_small_disk(packages: list[Distribution], wheel: Path) -> None:
    sizes = {each.metadata["Name"]: round(size_mb(each)) for each in packages}
    with zipfile.ZipFile(wheel) as archive:
        sizes["andon"] = round(sum(each.file_size for each in archive.infolist()) / 1e6)
    largest = dict(sorted(sizes.items(), key=lambda item: -item[1])[:12])
    assert sum(sizes.values()) <= DISK_LIMIT_MB, f"{sum(sizes.values())} MB, the largest of it {largest}"


def test_a_station_fits_in_a_small_memory(box: Path, real_bundle: Path, tmp_path: Path) -> None:
    said = subprocess.run(
        [str(box), "-c", STATION, str(real_bundle), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={"ANDON_HOME": str(tmp_path)},
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert 50 < float(said.stdout) <= RESIDENT_LIMIT_MB


def test_every_package_has_a_wheel_for_aarch64(requirements: list[Requirement], tmp_path: Path) -> None:
    """pip resolves it all for such a box, and installs nothing."""
    named = tmp_path / "requirements.txt"
    named.write_text("".join(f"{each.name}{each.specifier}\n" for each in requirements), encoding="utf-8")
    said = resolved(named, tmp_path / "report.json")
    if said.returncode and any(each in said.stderr for each in ("NewConnectionError", "ConnectTimeout", "ProxyError")):
        pytest.skip(f"the package index cannot be reached: {said.stderr.splitlines()[0]}")
    assert said.returncode == 0, said.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    names = [each["download_info"]["url"].rpartition("/")[2] for each in report["install"]]
    assert [name for name in names if not name.endswith(("any.whl", "aarch64.whl"))] == []
    assert len([name for name in names if name.endswith("aarch64.whl")]) >= 10
    found = {canonicalize_name(each["metadata"]["name"]) for each in report["install"]}
    assert {canonicalize_name(each.name) for each in requirements} <= found


def resolved(named: Path, report: Path) -> subprocess.CompletedProcess[str]:
    version = ".".join(map(str, sys.version_info[:2]))
    platforms = [word for each in PLATFORMS for word in ("--platform", each)]
    options = ["--dry-run", "--ignore-installed", "--only-binary", ":all:", "--implementation", "cp"]
    target = ["--target", str(report.parent / "none"), "--python-version", version, "--report", str(report)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run(
        [*pip, *options, *platforms, *target, "--requirement", str(named)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
