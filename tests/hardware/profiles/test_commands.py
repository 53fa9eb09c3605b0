"""``andon edge bench`` on the machine that runs the tests."""

import io
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from tests.conftest import Outcome

from andon.hardware.profiles import commands
from andon.hardware.profiles.commands import bench, bench_options
from andon.hardware.profiles.profile import PROVIDERS
from andon.models.command.console import Console
from andon.models.command.options import Parser
from andon.models.messages.catalogue import LANGUAGES, Catalogue, catalogue
from andon.models.types.errors import BundleError, OptionError

HELP = ("takt", "size", "device", "threads", "cores")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "INSPECTIONS", 20)


def run(*words: object, language: str = "en") -> Outcome:
    texts = catalogue(language).texts
    text = Catalogue(language, {**{f"help.edge_bench_{name}": "" for name in HELP}, **texts})
    parser = Parser(prog="andon edge bench")
    parser.add_argument("--json", action="store_true")
    bench_options(parser, text)
    out, err = io.StringIO(), io.StringIO()
    arguments = parser.parse_args([str(word) for word in words])
    return Outcome(bench(arguments, Console(text, arguments.json, out, err)), out.getvalue(), err.getvalue())


def document(*words: object) -> Any:
    (said,) = run(*words, "--json").documents
    return said


def test_it_says_what_the_device_can_do(bundle_dir: Path) -> None:
    said = document(bundle_dir)
    assert (said["device"], said["provider"], said["device_tested"]) == ("cpu", "CPUExecutionProvider", True)
    assert (said["size"], said["threads"], said["cores"]) == ([64, 64], 1, [])
    assert said["onnxruntime"] == onnxruntime.__version__
    assert said["parity"] == {"worst": 0.0, "tolerance": 1e-4, "n_goldens": 6}
    assert said["latency"]["inspections"] == 20
    assert 0 < said["latency"]["p50_ms"] <= said["latency"]["p99_ms"] <= said["latency"]["max_ms"]
    assert said["rates"][0]["judges"] == 1
    assert said["fastest_takt_s"] == pytest.approx(1.25e-3 * said["latency"]["p99_ms"] + 0.02, abs=1e-4)
    assert said["resident_mib"] > 50
    assert (said["takt_s"], said["holds"]) == (None, True)


def test_frames_have_the_size_that_was_asked_for(bundle_dir: Path) -> None:
    assert document(bundle_dir, "--size", "90x120")["size"] == [90, 120]


def test_a_takt_that_it_cannot_hold_is_refused(bundle_dir: Path) -> None:
    held = run(bundle_dir, "--takt", "60")
    assert (held.code, "A takt of 60 s can be held" in held.out) == (0, True)
    refused = run(bundle_dir, "--takt", "0.02")
    assert (refused.code, "A takt of 0.02 s cannot be held here" in refused.out) == (1, True)
    assert run(bundle_dir, "--takt", "0.02", "--json").documents[0]["holds"] is False


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_device_that_is_not_there_is_told_and_the_cpu_measured(bundle_dir: Path, language: str) -> None:
    if PROVIDERS["tensorrt"] in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime is built with it")
    lines = run(bundle_dir, "--device", "tensorrt", language=language).out.splitlines()
    assert [PROVIDERS[name] in line for name, line in zip(("tensorrt", "cuda"), lines, strict=False)] == [True, True]
    assert "tensorrt" in lines[2]
    assert "CPUExecutionProvider" in lines[3]


def test_refusals_and_what_is_untested_are_told_to_machines(bundle_dir: Path) -> None:
    said = document(bundle_dir, "--device", "cann")
    assert said["device_tested"] is False
    assert [(each["provider"], "expected" in each["reason"]) for each in said["refusals"]] == [
        (PROVIDERS["cann"], True)
    ]


def test_it_judges_on_the_cores_that_are_named(bundle_dir: Path) -> None:
    said = document(bundle_dir, "--cores", "0")
    assert (said["cores"], [each["judges"] for each in said["rates"]]) == ([0], [1])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", "64"], "'64' is not HxW"),
        (["--size", "0x64"], "'0x64' is not HxW"),
        (["--takt", "-1"], "'-1' is not a number above 0"),
        (["--cores", "0,x"], "'x' is not a whole number"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--threads", "0"], "subject=threads, found=0"),
        (["--cores", "4095"], r"found=\[4095\]"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(bundle_dir: Path, words: list[str], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        run(bundle_dir, *words)


def test_a_bundle_of_another_kind_is_refused(motors_dir: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.kind.*found=equipment/health, expected=vision/patchcore"):
        run(motors_dir)
