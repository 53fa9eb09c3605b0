"""The units name commands, options and settings that exist."""

import argparse
import json
import re
import shlex
import shutil
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from andon.models.command.main import GROUP
from andon.models.command.options import PREFIX, Parser, _options
from andon.models.messages.catalogue import catalogue

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = DEPLOY / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))


def parser_of(name: str) -> argparse.ArgumentParser:
    (entry,) = entry_points(group=GROUP, name=name)
    parser = Parser(prog=f"andon {name}")
    entry.load()(parser, catalogue("en"))
    return parser


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.stem)
def test_what_is_started_exists(unit: Path) -> None:
    (found,) = re.findall(r"^ExecStart=.*/bin/andon ([^;'\n]+)", unit.read_text(encoding="utf-8"), re.MULTILINE)
    name, *words = shlex.split(found)
    assert parser_of(name).parse_args(words).run


def test_each_setting_of_the_service_is_in_the_example_and_no_other() -> None:
    known = {PREFIX + action.dest.upper() for _, action in _options(parser_of("serve"))}
    text = (UNITS / "andon.env").read_text(encoding="utf-8")
    written = set(re.findall(rf"^# ({PREFIX}\w+)=", text, re.MULTILINE)) - {"ANDON_LANG"}
    # A list cannot be said by a variable; the last two are for people at a terminal.
    assert known - written == {"ANDON_TRUSTED_PROXY", "ANDON_JSON", "ANDON_DEBUG"}
    assert written - known == set()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (systemd)")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        text = unit.read_text(encoding="utf-8").replace("/opt/andon/current/bin/andon", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = sorted(map(str, tmp_path.iterdir()))
    said = subprocess.run(["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True)
    assert (said.returncode, [line for line in said.stderr.splitlines() if "andon" in line]) == (0, [])


def test_the_compose_file_starts_commands_and_settings_that_exist() -> None:
    """Docker itself is not asked: its engine is rarely there where tests run."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (command,) = [line.removeprefix("CMD ") for line in dockerfile.splitlines() if line.startswith("CMD ")]
    program, name, *words = json.loads(command)
    assert program == "andon"
    assert parser_of(name).parse_args(words).run
    settings = {f"ANDON_{action.dest.upper()}" for action in parser_of(name)._actions}
    assert set(services["andon"]["environment"]) <= settings
