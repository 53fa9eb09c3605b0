"""A configuration is checked as a whole before anything starts: every mistake is named with its line."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import certifi
import pytest

from andon.datasets.store.replication import FileChoice, ImageChoice, WaveformChoice
from andon.hardware.edge.config.reading import CAMERAS as CAMERA_KINDS
from andon.hardware.edge.config.reading import PLCS as PLC_KINDS
from andon.hardware.edge.config.reading import SENSORS, ConfigError, Kinds, installed, read_config
from andon.hardware.plc.hermes import Connecting
from andon.models.signing.keys import generate_key
from andon.models.types.camera import TriggerSource
from andon.models.types.errors import OptionError

GOOD = """\
box = "line-1"

[[cameras]]
name = "top"
kind = "drawn"
serial = "7"

[[plcs]]
name = "press"
kind = "wired"
port = 1502

[[recipes]]
name = "housing"
camera = "top"
bundle = "housing.andon"
exposure_us = 2000
trigger = "hardware"

[[stations]]
name = "S1"
camera = "top"
plc = "press"
recipes = ["housing"]
takt_s = 1.5
retakes = 0
"""


class Drawn:
    """A camera of the tests."""

    def __init__(self, *, serial: str, rate_hz: float = 30.0) -> None:
        self.serial = serial


class Wired:
    """A PLC of the tests."""

    def __init__(self, *, port: int, base: int = 0) -> None:
        if not 0 <= base <= 65_000:
            raise OptionError("edge.value", "base", key="base", found=base, expected="0 to 65000")


CAMERAS: Kinds = {"drawn": lambda: Drawn}


def lacking(module: str) -> Callable[[], type[Wired]]:
    def load() -> type[Wired]:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    return load


PLCS: Kinds = {"wired": lambda: Wired, "bus": lacking("pymodbus.client"), "unsoldered": lacking("solder")}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    (tmp_path / "housing.andon").write_bytes(b"")

    def write(text: str) -> Path:
        path = tmp_path / "line.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def faults(path: Path) -> list[tuple[int, str, Mapping[str, Any]]]:
    with pytest.raises(ConfigError) as raised:
        read_config(path, CAMERAS, PLCS)
    return [(each.line, each.problem.code, each.problem.params) for each in raised.value.faults]


def test_what_fits_is_put_together(written: Callable[[str], Path], tmp_path: Path) -> None:
    config = read_config(written(GOOD), CAMERAS, PLCS)
    camera: Any = config.cameras["top"]()
    assert camera.serial == "7"
    assert config.recipes["housing"].settings.exposure_us == 2000
    assert config.recipes["housing"].settings.trigger is TriggerSource.HARDWARE
    assert [(each.name, each.takt_s, each.retakes) for each in config.stations] == [("S1", 1.5, 0)]
    assert config.bundles() == {"housing.andon": tmp_path / "housing.andon"}
    assert config.upload is None


def test_files_go_to_the_service_as_chosen(written: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("andon_key")
    table = '[upload]\nurl = "https://a"\nkey_file = "key"\n'
    for more, expected in (
        ("", FileChoice(ImageChoice.FAILED, WaveformChoice.ABNORMAL)),
        ('images = "none"\nwaveforms = "all"\n', FileChoice(ImageChoice.NONE, WaveformChoice.ALL)),
    ):
        config = read_config(written(GOOD.replace("[[cameras]]", table + more + "[[cameras]]", 1)), CAMERAS, PLCS)
        assert config.upload is not None
        assert config.upload.files == expected


@pytest.mark.parametrize(
    ("former", "latter", "line", "code", "said"),
    [
        ('serial = "7"', 'serial = "7"\nserail = "8"', 7, "edge.unknown", "serial"),
        ("takt_s = 1.5", "takt_ms = 1500", 25, "edge.unit", "takt_s"),
        ("exposure_us = 2000", "exposure_ms = 2", 17, "edge.unit", "exposure_us"),
        ("exposure_us = 2000", "exposure_us = -1", 17, "edge.value", "-1"),
        ("exposure_us = 2000", 'exposure_us = "2 ms"', 17, "edge.value", "2 ms"),
        ("takt_s = 1.5", "takt_s = inf", 25, "edge.value", "<= 3600"),
        ("port = 1502", 'port = "x"', 11, "edge.value", "port"),
        ("port = 1502", "port = 1502\nbase = 70000", 8, "edge.value", "70000"),
        ('kind = "drawn"', 'kind = "painted"', 5, "edge.kind", "drawn"),
        ('camera = "top"\nplc', 'camera = "side"\nplc', 22, "edge.no_such", "side"),
        ('recipes = ["housing"]', 'recipes = ["lid"]', 24, "edge.no_such", "lid"),
        ('bundle = "housing.andon"', 'bundle = "lid.andon"', 16, "edge.no_bundle", "lid.andon"),
        ('box = "line-1"', 'bocks = "line-1"', 1, "edge.unknown", "box"),
        ("takt_s = 1.5\n", "", 20, "edge.missing", "takt_s"),
        ("[[plcs]]", "[plcs]", 8, "edge.value", "plcs"),
        ('box = "line-1"', 'box = "line-1"\n[status]\nhost = "0.0.0.0"', 3, "edge.open_status", "0.0.0.0"),
        ('box = "line-1"', 'box = "line-1"\n[status]\nkey_file = "none"', 2, "edge.key_file", "none"),
        ('box = "line-1"', 'box = "line-1"\n[status]\ncert_file = "a"', 2, "security.tls_half", "tls_key_file"),
        (
            'box = "line-1"',
            'box = "line-1"\n[status]\ncert_file = "a"\ntls_key_file = "b"',
            2,
            "security.tls_file",
            "a",
        ),
        ('box = "line-1"', 'box = "line-1"\n[upload]\nurl = "https://a"\nkey_file = "no"', 2, "upload.no_key", "no"),
        (
            'box = "line-1"',
            'box = "line-1"\n[upload]\nurl = "https://a"\nwaveforms = "failed"',
            4,
            "edge.value",
            "failed",
        ),
        ('box = "line-1"', 'box = "line-1"\n[broker]\nhost = "a"\npassword_file = "no"', 2, "edge.key_file", "no"),
        ('box = "line-1"', 'box = "line-1"\n[mqtt]', 1, "edge.missing", "broker"),
        ('box = "line-1"', 'box = ".."', 1, "edge.value", ".."),
        ('box = "line-1"', 'box = "line-1"\n[device]\ndevice = "abacus"', 2, "profile.value", "abacus"),
        ('bundle = "housing.andon"\n', "", 13, "edge.bundle_or_release", "neither"),
        ('bundle = "housing.andon"', 'bundle = "housing.andon"\nrelease = "a"', 13, "edge.bundle_or_release", "both"),
        ('bundle = "housing.andon"', 'release = "housing"', 16, "edge.missing", "updates"),
        ("takt_s = 1.5", 'takt_s = 1.5\nserial = "hermes"', 26, "edge.hermes", "hermes"),
        ("takt_s = 1.5", 'takt_s = 1.5\nserial = "hermes"\nhermes = "loader"', 27, "edge.no_such", "loader"),
        ('box = "line-1"', 'box = "line-1"\n[updates]\nsource = "r"\ntrusted = []', 4, "edge.value", "trusted"),
        (
            'box = "line-1"',
            'box = "line-1"\n[updates]\nsource = "ftp://r"\ntrusted = ["k"]',
            2,
            "update.address",
            "ftp",
        ),
        ('kind = "wired"', 'kind = "bus"', 8, "edge.not_installed", "pymodbus.client andon[edge]"),
        ('kind = "wired"', 'kind = "unsoldered"', 8, "edge.not_installed", "solder solder"),
    ],
)
def test_each_mistake_is_named_with_its_line(
    written: Callable[[str], Path], former: str, latter: str, line: int, code: str, said: str
) -> None:
    assert former in GOOD
    found = [each for each in faults(written(GOOD.replace(former, latter))) if each[1] == code]
    assert found
    assert found[0][0] == line
    assert said in " ".join(map(str, found[0][2].values()))


SECOND = """
[[plcs]]
name = "lathe"
kind = "wired"
port = 1503

[[stations]]
name = "S2"
camera = "top"
plc = "lathe"
recipes = ["housing"]
takt_s = 1
"""


@pytest.mark.parametrize("array", ["cameras", "plcs", "recipes", "stations"])
def test_a_name_stands_once(written: Callable[[str], Path], array: str) -> None:
    twice = f"{GOOD}\n[[{array}]]\n" + GOOD.split(f"[[{array}]]\n")[1].split("[[")[0]
    assert "edge.twice" in {code for _, code, _ in faults(written(twice))}


def test_two_stations_on_one_camera_are_named(written: Callable[[str], Path]) -> None:
    assert [(code, params["station"], params["other"]) for _, code, params in faults(written(GOOD + SECOND))] == [
        ("edge.shared", "S2", "S1")
    ]


def test_one_device_under_two_names_is_one_device(written: Callable[[str], Path]) -> None:
    twice = GOOD + '\n[[cameras]]\nname = "side"\nkind = "drawn"\nserial = "7"\n'
    assert [(line, code) for line, code, _ in faults(written(twice))] == [(28, "edge.same_device")]


def test_a_recipe_for_another_camera_is_refused(written: Callable[[str], Path]) -> None:
    other = GOOD.replace('name = "housing"\ncamera = "top"', 'name = "housing"\ncamera = "side"')
    other += '\n[[cameras]]\nname = "side"\nkind = "drawn"\nserial = "8"\n'
    assert [(line, code) for line, code, _ in faults(written(other))] == [(24, "edge.recipe_camera")]


@pytest.mark.parametrize(
    ("former", "latter", "code"),
    [
        ("exposure_us = 2000", "exposure_us = -1", "edge.value"),
        ('kind = "drawn"', 'kind = "painted"', "edge.kind"),
        ('serial = "7"', "serial = 7", "edge.value"),
        ("port = 1502", "prot = 1502", "edge.unknown"),
    ],
)
def test_what_cannot_be_read_is_told_of_once_where_it_stands(
    written: Callable[[str], Path], former: str, latter: str, code: str
) -> None:
    assert {found for _, found, _ in faults(written(GOOD.replace(former, latter, 1)))} == {code}


def test_recipes_that_a_plc_cannot_tell_apart_are_refused(written: Callable[[str], Path]) -> None:
    both = GOOD.replace('recipes = ["housing"]', 'recipes = ["housing", "lid"]')
    lid = '\n[[recipes]]\nname = "lid"\ncamera = "top"\nbundle = "housing.andon"\nnumber = 2\n'
    assert [code for _, code, _ in faults(written(both + lid))] == ["edge.recipe_number"]
    assert read_config(written((both + lid).replace("exposure_us = 2000", "number = 1")), CAMERAS, PLCS)


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(written: Callable[[str], Path]) -> None:
    wrong = GOOD.replace("takt_s", "takt_ms").replace("port = 1502", "prot = 1502").replace('"7"', "7")
    lines = [line for line, *_ in faults(written(wrong))]
    assert lines == sorted(lines)
    assert {6, 11, 25} <= set(lines)


@pytest.mark.parametrize("text", ["box = ", "\x00", "[[stations]\n"])
def test_what_is_no_toml_is_one_mistake(written: Callable[[str], Path], text: str) -> None:
    assert [code for _, code, _ in faults(written(text))] == ["edge.unreadable"]


@pytest.mark.parametrize("page", ["edge.md", "edge.zh-CN.md"])
def test_the_documented_configuration_is_one(page: str, tmp_path: Path) -> None:
    text = (Path(__file__).parents[4] / "docs" / page).read_text(encoding="utf-8")
    tables = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    for bundle in ("housing.andon", "pumps.andon"):
        (tmp_path / bundle).write_bytes(b"")
    for name in ("line-1.key", "updates.key"):
        (tmp_path / name).write_text("secret", encoding="ascii")
    (tmp_path / "site.pem.pub").write_bytes(generate_key().public.pem())
    # Any certificate does: the one that signs others on this machine.
    (tmp_path / "plant.pem").write_bytes(Path(certifi.where()).read_bytes())
    (tmp_path / "line.toml").write_text("".join(tables), encoding="utf-8")
    kinds = (installed(group) for group in (CAMERA_KINDS, PLC_KINDS, SENSORS))
    config = read_config(tmp_path / "line.toml", *kinds)
    assert config.broker
    assert config.broker.host == "broker.plant"
    assert config.device.name == "openvino"
    assert config.hermes["loader"].opening == Connecting("10.0.0.7", 50_101)
    assert config.updates
    assert config.updates.alias == "champion"
    assert list(config.sensors) == ["gateway", "plant", "drive"]
    assert config.assets["P-101"].rpm == 1480
