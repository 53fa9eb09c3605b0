"""The base with ``edge``, as the built wheel declares it: small enough for a box beside the line, and there for its processors."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.conftest import CARD, plate_sample, write_plates
from tests.e2e.test_wheel import REPOSITORY, wheel
from tests.hardware.edge.lines import line_config, running
from tests.serving.notify.receivers import free_port

from andon.hardware.sim.modbus_plc import ModbusPlcClient
from andon.hardware.sim.simulated_plc import Part, SimulatedPlc
from andon.models.bundle.storage import write_bundle
from andon.models.bundle.teaching import Lesson, teach
from andon.models.vision.fitting import FitOptions

__all__ = ["wheel"]

EXTRA = "edge"
DISK_LIMIT_MB, RESIDENT_LIMIT_MB = 750, 400
NOT_EDGE = {
    "torch",
    "torchvision",
    "timm",
    "mlflow",
    "scikit-learn",
    "fastapi",
    "uvicorn",
    "openvino",
    "pyarrow",
    "matplotlib",
}
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
LIMIT_S = 300
PARTS, SIDE, TAKT_S, START_S = 300, 256, 5.0, 60.0
FURTHER_CAMERAS = """
[[cameras]]
name = "cable"
kind = "genicam"
producer = "producer.cti"
serial = "1"

[[cameras]]
name = "net"
kind = "stream"
url = "rtsp://127.0.0.1/1"
"""

pytest.importorskip("pymodbus", reason="the extra edge is not installed")

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

    lesson = Lesson(export_patchcore(SIDE, SIDE), [plate_sample(each, SIDE) for each in range(12)], (), CARD, {})
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


def files_of(package: Distribution) -> list[Path]:
    """Everything that was installed with it, compiled modules among it."""
    return [Path(str(package.locate_file(each))) for each in package.files or ()]


def size_mb(files: Iterable[Path]) -> float:
    """The blocks of the disk that files take."""
    return sum(each.stat().st_blocks * 512 for each in files if each.is_file()) / 1e6


def test_nothing_of_training_or_of_the_service_comes_along(packages: list[Distribution], box: Path) -> None:
    assert {canonicalize_name(each.metadata["Name"]) for each in packages} & NOT_EDGE == set()
    names = ("torch", "mlflow", "pyarrow", "matplotlib")
    program = f"from importlib.util import find_spec; print([each for each in {names} if find_spec(each)])"
    said = subprocess.run([str(box), "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_it_fits_on_a_small_disk(
    packages: list[Distribution], box: Path, record_property: Callable[[str, object], None]
) -> None:
    (andon,) = box.parents[1].glob("lib/*/site-packages/andon")
    sizes = {each.metadata["Name"]: round(size_mb(files_of(each))) for each in packages}
    sizes["andon"] = round(size_mb(andon.rglob("*")))
    largest = dict(sorted(sizes.items(), key=lambda item: -item[1])[:12])
    record_property("installed_mb", sum(sizes.values()))
    assert sizes["andon"] > 1
    assert sum(sizes.values()) <= DISK_LIMIT_MB, f"{sum(sizes.values())} MB, the largest of it {largest}"


@pytest.fixture
def line(real_bundle: Path, tmp_path: Path) -> tuple[Path, int]:
    """A configuration of a line that shows plates of 256x256, and the port of its PLC."""
    port, path = free_port(), tmp_path / "line.toml"
    images = write_plates(tmp_path / "images", 12, side=SIDE)
    path.write_text(line_config(str(real_bundle), images, port, TAKT_S), encoding="utf-8")
    return path, port


def command(box: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the box, with nothing of this process's own environment."""
    return subprocess.run(
        [str(box.with_name("andon")), *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={"ANDON_LANG": "en"},
        check=False,
    )


def test_a_line_is_checked(box: Path, line: tuple[Path, int]) -> None:
    checked = command(box, "edge", "check", str(line[0]), "--json")
    assert (checked.returncode, checked.stderr) == (0, "")
    (said,) = map(json.loads, checked.stdout.splitlines())
    assert (said["station"], said["ok"]) == ("S1", True)


def test_every_link_to_a_plc_is_there(box: Path) -> None:
    program = (
        "from importlib.metadata import entry_points; print(*[e.load() for e in entry_points(group='andon.plcs')])"
    )
    said = subprocess.run([str(box), "-c", program], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout.count("class")) == (0, 4), said.stderr


def test_a_camera_that_wants_more_names_its_extra(box: Path, line: tuple[Path, int]) -> None:
    config, _ = line
    config.write_text(config.read_text(encoding="utf-8") + FURTHER_CAMERAS, encoding="utf-8")
    refused = command(box, "edge", "check", str(config), "--json")
    assert refused.returncode == 2
    errors = [json.loads(each)["error"] for each in refused.stdout.splitlines()]
    assert [each.rpartition(" ")[2] for each in errors] == ["andon[genicam]", "andon[stream]"], errors


def test_a_station_fits_in_a_small_memory(
    box: Path, line: tuple[Path, int], record_property: Callable[[str, object], None]
) -> None:
    """The most that the agent held, from its start over some hundred parts to the last answer."""
    config, port = line
    with running(config, str(box)) as (process, _), ModbusPlcClient(port=port) as wire:
        plc = SimulatedPlc(wire, takt_s=TAKT_S)
        assert plc.wait_until_ready(START_S)
        seen = list(plc.run(Part(serial=f"A{number}") for number in range(PARTS)))
        peak_mb = most_resident_mb(process.pid)
        process.terminate()
        assert process.wait(START_S) == 0
    assert plc.stops == []
    assert Counter(each.verdict.name for each in seen)["OK"] > 0.9 * PARTS
    record_property("peak_mb", peak_mb)
    assert 50 < peak_mb <= RESIDENT_LIMIT_MB


def most_resident_mb(process: int) -> float:
    """The largest resident set of a process until now, as Linux tells it."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (found,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found) * 1024 / 1e6


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
