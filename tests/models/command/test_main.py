"""``andon``: what it answers when it is used wrongly, where its settings come from, and what it says of itself."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Andon

from andon.models.command import main as frame
from andon.models.command.console import Console
from andon.models.command.options import Parser, actions, define, natural, share
from andon.models.messages.catalogue import LANGUAGES, Catalogue, catalogue
from andon.models.types.errors import ImageError, ResourceError

COMMANDS = {entry.name: entry for entry in entry_points(group=frame.GROUP)}
HEAVY = ("numpy", "cv2", "onnxruntime", "onnx", "scipy", "rich", "torch", "mlflow")


@dataclass(frozen=True)
class Entry:
    """Stands in for the entry point of a command that the tests define."""

    name: str
    module: str
    load: Callable[[], Callable[[argparse.ArgumentParser, Catalogue], None]]


Install = Callable[..., list[argparse.Namespace]]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make ``andon teach`` a command with an option of each kind, which does what it is given; returns what it was called with."""

    def put(does: Callable[[], object] = lambda: None) -> list[argparse.Namespace]:
        calls: list[argparse.Namespace] = []

        def run(arguments: argparse.Namespace, _: Console) -> int:
            calls.append(arguments)
            does()
            return frame.DONE

        def teach(parser: argparse.ArgumentParser, text: Catalogue) -> None:
            define(parser, text, "teach", run)
            parser.add_argument("--out", type=Path, required=True)
            parser.add_argument("--overkill", type=share, default=0.01)
            parser.add_argument("--seed", type=natural, default=0)
            parser.add_argument("--method", choices=("auto", "patchcore"), default="auto")
            parser.add_argument("--fail-on-ng", action="store_true")

        use(monkeypatch, Entry("teach", "andon.datasets.commands", lambda: teach))
        return calls

    return put


def use(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> None:
    monkeypatch.setattr(frame, "entry_points", lambda group: entries if group == frame.GROUP else ())


def missing(package: str) -> Callable[[], Any]:
    def fail() -> Any:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    return fail


def test_without_words_it_lists_its_commands(andon: Andon) -> None:
    said = andon()
    assert (said.code, said.err) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in said.out


def test_the_version_is_told(andon: Andon) -> None:
    said = andon("--version")
    assert said.code == 0
    assert said.out.startswith("andon 0.")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["paint"], ["paint", "bundle, data", "inspect"]),
        (["--paint"], ["andon", "--paint", "andon --help"]),
        (["bundle"], ["andon bundle", "ACTION"]),
        (["bundle", "paint"], ["andon bundle", "paint", "verify"]),
        (["bundle", "show"], ["andon bundle show", "BUNDLE"]),
        (["inspect", "b"], ["andon inspect", "PATH"]),
        (["inspect", "b", "x.png", "--paint", "red"], ["andon inspect", "--paint red", "andon inspect --help"]),
        (["inspect", "b", "x.png", "--heatmaps"], ["--heatmaps", "expected one argument"]),
        (["inspect", "nowhere", "x.png"], ["nowhere", "manifest.json", "expected a bundle"]),
        (["evaluate", "b"], ["andon evaluate", "--data"]),
        (["evaluate", "b", "--data", "x", "--seed", "-1"], ["--seed", "'-1'", "whole number"]),
        (["teach", "b", "--out", "c"], ["andon teach", "--good"]),
        (["teach", "b", "--good", "g"], ["andon teach", "--out"]),
        (["teach", "b", "--good", "g", "--out", "c", "--overkill", "2"], ["--overkill", "'2'", "below 1"]),
        (["teach", "b", "--good", "g", "--out", "c", "--overkill", "nan"], ["--overkill", "'nan'", "below 1"]),
        (["teach", "b", "--good", "g", "--out", "c", "--overkill", "few"], ["--overkill", "'few'", "below 1"]),
        (["teach", "b", "--good", "g", "--out", "c", "--seed", "1.5"], ["--seed", "'1.5'", "whole number"]),
        (["teach", "b", "--good", "g", "--out", "c", "--regions", "none.json"], ["none.json", "polygons"]),
        (["data", "show", "mvtec:bottle"], ["mvtec:bottle", "elpv:, synthetic:"]),
        (["data", "fetch", "bottle"], ["bottle", "elpv:mono"]),
        (["bundle", "show", "two\nlines"], ["two lines"]),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_it(andon: Andon, words: list[str], named: list[str]) -> None:
    said = andon(*words)
    assert said.code == 2
    for part in ("andon: ", *named):
        assert part in said.complaint


@pytest.mark.parametrize("size", ["63x64", "96", "32x32", "4096x4096", "axb", "-96x96", "96x96x3"])
def test_a_size_that_cannot_be_trained_is_refused(andon: Andon, size: str) -> None:
    pytest.importorskip("mlflow", reason="the extra train is not installed")
    said = andon("train", "vision", "--data", "synthetic:pcb", "--out", "b", f"--size={size}")
    assert said.code == 2
    for part in ("--size", f"'{size}'", "64 to 2048"):
        assert part in said.complaint


@pytest.mark.parametrize("option", [["--method", "magic"], ["--data", "nowhere"], ["--out", "."]])
def test_other_bad_values_of_a_training_are_refused(andon: Andon, clean_environment: Path, option: list[str]) -> None:
    pytest.importorskip("mlflow", reason="the extra train is not installed")
    (clean_environment / "notes.txt").touch()
    given = {"--data": "synthetic:pcb", "--out": "b", option[0]: option[1]}
    said = andon("train", "vision", *(word for pair in given.items() for word in pair))
    assert said.code == 2
    assert option[1] in said.complaint


def test_debug_raises_what_is_wrong(andon: Andon, install: Install) -> None:
    def fail() -> None:
        raise ImageError("image.empty", "a.png")

    install(fail)
    assert andon("teach", "--out", "b").complaint == "andon: a.png: the file is empty; expected an image"
    with pytest.raises(ImageError):
        andon("teach", "--out", "b", "--debug")


def test_a_failure_of_the_machine_is_another_code(andon: Andon, install: Install) -> None:
    def fail() -> None:
        raise ResourceError("bundle.not_written", "b", reason="No space left on device")

    install(fail)
    said = andon("teach", "--out", "b")
    assert said.code == 3
    assert "No space left" in said.complaint


def test_an_interrupted_command_says_nothing(andon: Andon, install: Install) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    install(interrupt)
    said = andon("teach", "--out", "b")
    assert (said.code, said.out, said.err) == (130, "", "")


@pytest.mark.parametrize(
    ("name", "module", "package", "extra"),
    [
        ("train", "andon.training.commands", "torch", "train"),
        ("train", "andon.training.commands", "pyarrow", "train"),
        ("serve", "andon.serving.commands", "pyarrow", "serve"),
        ("edge", "andon.hardware.edge.commands", "pymodbus", "edge"),
        ("monitor", "andon.hardware.commands", "matplotlib.axes", "plots"),
        ("diagnose", "andon.datasets.vibration.commands", "pyarrow", "records"),
        ("demo", "andon.training.demo.commands", "pyarrow", "train,serve,demo"),
    ],
)
def test_a_missing_package_is_answered_with_its_extra(
    andon: Andon, monkeypatch: pytest.MonkeyPatch, name: str, module: str, package: str, extra: str
) -> None:
    use(monkeypatch, Entry(name, module, missing(package)))
    said = andon(name)
    assert said.code == 2
    for part in (f"andon {name}: the package {package.partition('.')[0]} ", f"pip install 'andon[{extra}]'"):
        assert part in said.complaint


def test_a_package_that_is_missed_only_when_the_command_runs_is_answered_too(
    andon: Andon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def registry(parser: argparse.ArgumentParser, text: Catalogue) -> None:
        actions(parser, text, "registry")("list", lambda *_: missing("mlflow")())

    use(monkeypatch, Entry("registry", "andon.training.tracking.commands", lambda: registry))
    assert "andon[train]" in andon("registry", "list").complaint


@pytest.mark.parametrize(
    ("module", "package"), [("andon.training.commands", "andon.paint"), ("andon.datasets.commands", "cv2")]
)
def test_a_fault_of_ones_own_is_not_called_a_missing_extra(
    andon: Andon, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    use(monkeypatch, Entry("train", module, missing(package)))
    with pytest.raises(ModuleNotFoundError):
        andon("train")


def test_options_come_before_variables_and_variables_before_the_file(
    andon: Andon, install: Install, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = install()
    (clean_environment / "andon.toml").write_text('out = "filed"\noverkill = 0.3\nseed = 3\nfail_on_ng = true\n')
    monkeypatch.setenv("ANDON_OVERKILL", "0.2")
    monkeypatch.setenv("ANDON_SEED", "2")
    assert andon("teach", "--seed", "1").code == 0
    (used,) = calls
    assert (used.seed, used.overkill, used.out) == (1, 0.2, Path("filed"))
    assert (used.fail_on_ng, used.json, used.method) == (True, False, "auto")


def test_settings_reach_the_options_of_an_action(
    andon: Andon, monkeypatch: pytest.MonkeyPatch, clean_environment: Path
) -> None:
    names: list[str] = []

    def run(arguments: argparse.Namespace, _: Console) -> int:
        names.append(arguments.name)
        return frame.DONE

    def registry(parser: argparse.ArgumentParser, text: Catalogue) -> None:
        actions(parser, text, "registry")("push", run).add_argument("--name", required=True)

    use(monkeypatch, Entry("registry", "andon.training.tracking.commands", lambda: registry))
    monkeypatch.setenv("ANDON_NAME", "板")
    assert andon("registry", "push").code == 0
    assert names == ["板"]


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("ANDON_FAIL_ON_NG", "perhaps", ["ANDON_FAIL_ON_NG", "'perhaps'", "true or false"]),
        ("ANDON_METHOD", "magic", ["ANDON_METHOD", "'magic'", "auto, patchcore"]),
        ("ANDON_OVERKILL", "2", ["--overkill", "'2'", "below 1"]),
        ("ANDON_SEED", "", ["--seed", "''", "whole number"]),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused(
    andon: Andon, install: Install, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: list[str]
) -> None:
    calls = install()
    monkeypatch.setenv(variable, value)
    said = andon("teach", "--out", "b")
    assert (said.code, calls) == (2, [])
    for part in named:
        assert part in said.complaint


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (b"out = \n", ["andon.toml", "not TOML", "line 1"]),
        (b"\xff", ["andon.toml", "not TOML"]),
        (b'out = "b"\nfail_on_ng = "perhaps"', ["andon.toml: fail_on_ng", "'perhaps'", "true or false"]),
        (b'out = "b"\nmethod = "magic"', ["andon.toml: method", "'magic'", "auto, patchcore"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    andon: Andon, install: Install, clean_environment: Path, settings: bytes, named: list[str]
) -> None:
    calls = install()
    (clean_environment / "andon.toml").write_bytes(settings)
    said = andon("teach")
    assert (said.code, calls) == (2, [])
    for part in named:
        assert part in said.complaint


def command_lines(name: str) -> Iterator[list[str]]:
    """``name`` and each of its actions, as the words that call them."""
    parser = Parser(prog=name)
    COMMANDS[name].load()(parser, catalogue("en"))
    yield [name]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from ([name, word] for word in action.choices)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_action_shows_an_example_in_both_languages(
    andon: Andon, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    layer = COMMANDS[name].module.split(".")[1]
    if layer in ("training", "serving"):
        pytest.importorskip({"training": "mlflow", "serving": "fastapi"}[layer], reason=f"{layer} is not installed")
        pytest.importorskip("httpx", reason="the extra demo is not installed")
    for language in LANGUAGES:
        heading = catalogue(language).text("help.example", example="")
        monkeypatch.setenv("ANDON_LANG", language)
        for words in command_lines(name):
            said = andon(*words, "--help")
            _, _, example = said.out.partition(heading)
            assert (said.code, said.err) == (0, "")
            assert example.split()[: len(words) + 1] == ["andon", *words]


def test_starting_imports_nothing_heavy() -> None:
    program = f"import sys, andon.models.command.main; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert said.stdout == "[]\n"
