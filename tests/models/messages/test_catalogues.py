"""Every text that the product can say exists in both languages, and none is left over."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from string import Formatter

import pytest

from andon.datasets.figures import DETECTION, PLAIN, WITH_INTERVAL
from andon.hardware.edge.status_page import ASSETS, SENSORS, STATIONS
from andon.hardware.edge.updates.state import Phase
from andon.models.command.main import GROUP
from andon.models.messages import catalogue as messages
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.line import LineFault
from andon.models.types.vibration import Severity
from andon.models.vision.gates import teach_gates

LAYERS = ("training", "serving", "hardware", "datasets", "models")
FOLDERS = {language: Path(messages.__file__).parent / language for language in LANGUAGES}
FILES = sorted(path.stem for path in FOLDERS["en"].iterdir())
CODE = re.compile(rf"(?:{'|'.join(FILES)})\.[a-z_0-9]*[a-z0-9]")
SAID_BY = ("text", "say")
GIVES_SUBJECT = re.compile(r"\w+Error")


@cache
def trees() -> Mapping[str, ast.Module]:
    """The syntax tree of each module, by its name."""
    found: dict[str, ast.Module] = {}
    for layer in LAYERS:
        specification = find_spec(f"andon.{layer}")
        for root in (specification and specification.submodule_search_locations) or ():
            for path in Path(root).rglob("*.py"):
                name = ".".join(("andon", layer, *path.relative_to(root).with_suffix("").parts))
                found.setdefault(name, ast.parse(path.read_text(encoding="utf-8")))
    return found


def nodes() -> Iterator[ast.AST]:
    for tree in trees().values():
        yield from ast.walk(tree)


def constants(node: ast.AST) -> set[str]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def template(node: ast.JoinedStr) -> str:
    """An f-string with ``{}`` for each value that it is filled with."""
    return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)


def built_codes() -> dict[str, set[str]]:
    """The codes that the product puts together while it runs, by the f-string that does it.

    - ``help.{}`` is the name of a command, or a command and one of its actions. The actions of a command are words in
      the module that defines it.
    - ``demo.{}`` is a column of the demo's table of parts or of records, or one of its two shares.
    - ``evaluate.{}`` is a figure, or a column of the tables of figures.
    - ``tracking.{}`` is an axis, the line or a group of parts in the histogram of scores.
    - ``report.{}`` and ``alert.{}_{}`` are asked for by the template of the service report.
    - ``edge.{}`` is a column of a table on the page that tells how a box is.
    - ``fault.{}``, ``state.{}`` and ``phase.{}`` are what that page says of a station and of its update, ``alert.severity_{}`` of an asset.
    - ``inspect.{}`` is the measure of the gate that asks for another picture.
    """
    entries = entry_points(group=GROUP)
    with_action = {f"{each.name}_{word}" for each in entries for word in constants(trees()[each.module])}
    commands = {each.name for each in entries}
    texts = catalogue("en").texts.keys()
    return {
        "help.{}": {f"help.{name}" for name in commands},
        "help.{}_{}": {f"help.{name}" for name in with_action},
        "help.{}_example": {f"help.{name}_example" for name in commands | with_action} & texts,
        "help.{}_{}_example": {f"help.{name}_example" for name in with_action} & texts,
        "demo.{}": {f"demo.{name}" for name in ("part", "truth", "verdict", "score", "inside", "round_trip")}
        | {f"demo.{name}" for name in ("record", "diagnosis", "p_value", "severity")}
        | {"demo.overkill", "demo.escape"},
        "evaluate.{}": {f"evaluate.{name}" for name in (*WITH_INTERVAL, *PLAIN, *DETECTION)}
        | {f"evaluate.{name}" for name in ("figure", "value", "interval", "type", "n")},
        "tracking.{}": {f"tracking.{name}" for name in ("score", "parts", "threshold")}
        | {f"tracking.{name}" for name in ("calibration_good", "test_good", "test_bad")},
        "report.{}": {code for code in texts if code.startswith("report.")},
        "alert.{}_{}": {code for code in texts if code.startswith(("alert.fault_", "alert.severity_", "alert.kind_"))},
        "alert.severity_{}": {f"alert.severity_{each.value}" for each in Severity},
        "fault.{}": {f"fault.{each.name.lower()}" for each in LineFault},
        "state.{}": {"state.running", "state.stopped"},
        "phase.{}": {f"phase.{each.value}" for each in Phase},
        "edge.{}": {f"edge.{name}" for name in (*STATIONS, *SENSORS, *ASSETS)},
        "inspect.{}": {f"inspect.{gate.measure}" for gate in teach_gates([{"exposure": 0.0, "focus": 0.0}])},
    }


def parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_the_same() -> None:
    assert [sorted(path.stem for path in folder.iterdir()) for folder in FOLDERS.values()] == [FILES] * len(FOLDERS)
    first, second = (catalogue(language).texts for language in LANGUAGES)
    assert first.keys() == second.keys()
    assert {code: parameters(text) for code, text in first.items()} == {
        code: parameters(text) for code, text in second.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_is_one_line(language: str) -> None:
    several = {code for code, text in catalogue(language).texts.items() if len(text.splitlines()) != 1}
    assert several == {"help.example"}


def test_only_the_codes_listed_here_are_built_while_running() -> None:
    built = {template(node) for node in nodes() if isinstance(node, ast.JoinedStr)}
    starts = tuple(f"{name}." for name in FILES)
    assert {code for code in built if code.startswith(starts)} == built_codes().keys()


def test_every_code_has_a_text_and_every_text_is_used() -> None:
    texts = catalogue("en").texts.keys()
    written = {value for tree in trees().values() for value in constants(tree) if CODE.fullmatch(value)}
    built = built_codes()
    possible = built.pop("help.{}_{}")
    assert written - texts == set(), "no text"
    assert set().union(*built.values()) - texts == set(), "no text"
    assert texts - written - possible - set().union(*built.values()) == set(), "never said"


def test_every_text_is_given_its_parameters() -> None:
    texts = catalogue("en").texts
    checked = 0
    for node in nodes():
        if not isinstance(node, ast.Call) or not node.args or any(each.arg is None for each in node.keywords):
            continue
        code = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if code not in texts or not (called in SAID_BY or GIVES_SUBJECT.fullmatch(called)):
            continue
        given = {str(each.arg) for each in node.keywords} | ({"subject"} if called not in SAID_BY else set())
        assert parameters(texts[str(code)]) <= given, code
        checked += 1
    assert checked > 100
