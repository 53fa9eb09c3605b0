"""The offline installer, in a network namespace in which nothing can be reached."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SERVES = """
import subprocess, sys, time, urllib.request
andon, home = sys.argv[1:]
served = subprocess.Popen([andon, "serve", "--port", "8765"], env={"ANDON_HOME": home, "ANDON_LANG": "en"})
try:
    for _ in range(600):
        try:
            print(urllib.request.urlopen("http://127.0.0.1:8765/v2/health/live").status)
            break
        except OSError:
            time.sleep(0.1)
finally:
    served.terminate()
sys.exit(served.wait())
"""


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wheelhouse", ROOT / "deploy/wheelhouse.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def offline(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command where there is no network but loopback."""
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && test -z "$(ip route)" && exec "$@"', "sh", *words]
    return subprocess.run(inside, check=False, capture_output=True, text=True)


def no_namespace() -> str | None:
    if not all(map(shutil.which, ("unshare", "ip"))):
        return "unshare or ip is not installed (apt-get install util-linux iproute2)"
    return None if offline("true").returncode == 0 else "network namespaces are not permitted here"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := no_namespace():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("wheels") / "wheelhouse"
    try:
        load().collect(folder, "serve")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the wheels cannot be collected: {error}")
    return folder


@pytest.fixture
def installed(house: Path, tmp_path: Path) -> Path:
    said = offline("sh", str(house / "install.sh"), "--prefix", str(tmp_path / "andon"))
    assert said.returncode == 0, said.stderr
    return tmp_path / "andon"


def test_it_installs_serves_and_goes_back_without_a_network(house: Path, installed: Path, tmp_path: Path) -> None:
    andon, home = str(installed / "current/bin/andon"), str(tmp_path / "home")
    assert offline(andon, "--version").stdout.startswith("andon ")
    upgraded = offline("env", f"ANDON_HOME={home}", "mkdir", home)
    assert upgraded.returncode == 0
    assert offline("env", f"ANDON_HOME={home}", andon, "db", "upgrade").returncode == 0
    served = offline(str(installed / "current/bin/python"), "-c", SERVES, andon, home)
    assert (served.returncode, "200" in served.stdout) == (0, True), served.stderr
    first = (installed / "current").readlink()
    without = offline("sh", str(house / "install.sh"), "--prefix", str(installed), "--rollback")
    assert (without.returncode, "no earlier installation" in without.stderr) == (2, True)
    (installed / "versions/older").mkdir()
    (installed / "previous").symlink_to("versions/older")
    assert offline("sh", str(house / "install.sh"), "--prefix", str(installed), "--rollback").returncode == 0
    assert ((installed / "current").readlink(), (installed / "previous").readlink()) == (Path("versions/older"), first)


def test_a_changed_byte_is_refused_before_anything_is_installed(house: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(house, copy)
    wheel = min(copy.glob("*.whl"), key=lambda path: path.stat().st_size)
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    said = offline("sh", str(copy / "install.sh"), "--prefix", str(tmp_path / "andon"))
    assert (said.returncode, wheel.name in said.stderr, "nothing was installed" in said.stderr) == (2, True, True)
    assert not (tmp_path / "andon").exists()


@pytest.mark.parametrize("extras", ["serve", "edge,genicam"])
def test_each_wheel_is_pinned_by_its_hash(tmp_path: Path, extras: str) -> None:
    (tmp_path / "six-1.17.0-py2.py3-none-any.whl").write_bytes(b"abc")
    (tmp_path / "andon-0.1.0-py3-none-any.whl").write_bytes(b"")
    load().seal(tmp_path, extras)
    andon, six = (tmp_path / "requirements.txt").read_text().splitlines()
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert andon.startswith(f"andon[{extras}]==0.1.0 --hash=sha256:")
    assert six == f"six==1.17.0 --hash=sha256:{digest}"
    assert f"{digest}  six-1.17.0-py2.py3-none-any.whl" in (tmp_path / "SHA256SUMS").read_text().splitlines()
