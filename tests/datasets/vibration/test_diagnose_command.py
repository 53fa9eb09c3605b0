"""``andon diagnose`` as a script or a person calls it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Andon, Outcome
from tests.datasets.vibration.conftest import lack

from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import Mode, Scenario
from andon.datasets.vibration.mfpt import open_mfpt
from andon.models.command.options import DATA_FOLDER, andon_home
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.vibration import Fault, Machine, Signal, Unit
from andon.models.types.vision import Split
from andon.models.vibration.diagnosis import PhysicsDiagnoser

FIELDS = [
    "path",
    "indicators",
    "zone",
    "zone_reason",
    "fault",
    "p_value",
    "ranked",
    "evidence",
    "sensor",
    "severity",
    "rpm",
    "limits",
    "plots",
]
RATE_HZ = 12_800
ORDERS_6205 = "3.5848,5.4152,2.3568,0.39828"
RIGID = "iso10816-3:2:rigid"
# At the head of the file, before ``clean_environment`` gives each test a home of its own.
FETCHED = andon_home(os.environ) / DATA_FOLDER


def samples(fault: Fault = Fault.NONE, seconds: float = 3.0, seed: int = 3, severity_mm_s: float = 6.0) -> np.ndarray:
    """A machine of 1,800 rpm with a 6205, in g."""
    scenario = Scenario(
        fault=fault,
        rate_hz=RATE_HZ,
        duration_s=seconds,
        snr_db=0.0,
        severity_mm_s=severity_mm_s,
        background=(Mode(900.0, 0.1, 0.5),),
    )
    return generate(scenario, seed).signal.samples


def write(
    path: Path, fault: Fault = Fault.NONE, sidecar: Mapping[str, object] | None = None, severity_mm_s: float = 6.0
) -> Path:
    """A record with a sidecar that says everything but the bearing, and what else is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, samples(fault, severity_mm_s=severity_mm_s))
    known = {"rate_hz": RATE_HZ, "unit": "g", "rpm": 1800}
    path.with_suffix(".json").write_text(json.dumps(known | dict(sidecar or {})), encoding="utf-8")
    return path


def the_one(said: Outcome) -> dict[str, object]:
    assert (said.code, said.err) == (0, "")
    (document,) = said.documents
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("options", "subject", "package", "extra"),
    [(["b.csv"], "b.csv", "pyarrow", "records"), (["a.npy", "--plot", "p"], "andon diagnose", "matplotlib", "plots")],
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    andon: Andon,
    clean_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    options: list[str],
    subject: str,
    package: str,
    extra: str,
) -> None:
    write(clean_environment / "a.npy")
    (clean_environment / "b.csv").write_text("x\n0.5\n", encoding="ascii")
    lack(monkeypatch, package)
    monkeypatch.setenv("ANDON_LANG", language)
    said = andon("diagnose", *options, "--json")
    assert said.code == 2
    expected = catalogue(language).text("command.missing_extra", subject=subject, found=package, extra=extra)
    assert said.complaint == f"andon: {expected}"


def test_a_diagnosis_has_the_fixed_fields(andon: Andon, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", Fault.OUTER_RACE)
    said = andon("diagnose", path, "--bearing", "6205", "--machine", RIGID, "--json")
    found = the_one(said)
    assert list(found) == FIELDS
    assert (found["path"], found["fault"], found["zone"], found["plots"]) == (str(path), "outer_race", "A", [])
    assert found["sensor"] == {"ok": True, "reasons": []}
    assert found["rpm"] == pytest.approx(1800, rel=0.005)
    assert isinstance(found["indicators"], dict)
    assert found["indicators"]["velocity_rms_mm_s"] == pytest.approx(0.65, abs=0.1)


def test_options_say_what_no_sidecar_does(andon: Andon, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra records is not installed")
    path = tmp_path / "a.csv"
    values = samples(Fault.INNER_RACE)
    path.write_text("x,y\n" + "\n".join(f"0.5,{value:.6g}" for value in values * 9.80665))
    words = ("--rate", RATE_HZ, "--rpm", 1800, "--unit", "m/s2", "--orders", ORDERS_6205, "--column", "y")
    found = the_one(andon("diagnose", path, *words, "--json"))
    assert (found["fault"], found["zone"], found["zone_reason"]) == ("inner_race", None, "zone.no_class")
    assert isinstance(found["indicators"], dict)
    assert found["indicators"]["rms_m_s2"] == pytest.approx(np.std(values) * 9.80665, rel=1e-3)


def test_a_person_reads_what_was_found_and_what_it_rests_on(andon: Andon, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", Fault.OUTER_RACE)
    said = andon("diagnose", path, "--bearing", "6205")
    assert (said.code, said.err) == (0, "")
    first, *rest = said.out.splitlines()
    assert first.startswith(f"{path}: ")
    assert "outer race" in first
    assert "p = 0.0003" in first
    assert any("harmonic 1: 107" in line and "order 3.5" in line and "dB" in line for line in rest)
    assert any("velocity_rms_mm_s" in line and "ISO zone -" in line for line in rest)
    assert any("no zone: the machine's class is not known" in line for line in rest)
    assert any("shaft faults cannot be judged" in line for line in rest)


def test_a_healthy_machine_is_said_to_have_no_fault(andon: Andon, tmp_path: Path) -> None:
    said = andon("diagnose", write(tmp_path / "a.npy"), "--bearing", "6205", "--machine", RIGID)
    assert "no fault found" in said.out.splitlines()[0]
    assert "harmonic" not in said.out


def test_the_same_is_said_in_chinese(andon: Andon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_LANG", "zh_CN")
    faulty, healthy = write(tmp_path / "外圈.npy", Fault.OUTER_RACE), write(tmp_path / "正常.npy")
    said = andon("diagnose", faulty, healthy, "--bearing", "6205")
    assert said.code == 0
    assert f"{faulty}：" in said.out
    assert "外圈" in said.out.splitlines()[0].removeprefix(str(faulty))
    assert "未发现故障" in said.out
    assert "次谐波" in said.out
    assert "机器类别" in said.out


def test_a_bad_file_among_good_ones_is_reported_and_the_rest_goes_on(andon: Andon, tmp_path: Path) -> None:
    good, last = write(tmp_path / "a.npy"), write(tmp_path / "z.npy", Fault.OUTER_RACE)
    bad = tmp_path / "b.npy"
    bad.write_bytes(b"not an array")
    missing = tmp_path / "c.npy"
    said = andon("diagnose", good, bad, missing, last, "--bearing", "6205", "--json")
    assert said.code == 2
    assert [each["path"] for each in said.documents] == [str(path) for path in (good, bad, missing, last)]
    assert [each.get("fault") for each in said.documents] == ["none", None, None, "outer_race"]
    assert [sorted(each) for each in said.documents[1:3]] == [["error", "path"]] * 2
    person = andon("diagnose", good, bad, missing, last, "--bearing", "6205")
    assert person.code == 2
    complaints = person.err.splitlines()
    assert len(complaints) == 2
    assert str(bad) in complaints[0]
    assert str(missing) in complaints[1]
    assert str(last) in person.out


def test_a_folder_is_diagnosed_in_natural_order(andon: Andon, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    for name in ("run 10", "run 2", "deeper/run 1"):
        write(folder / f"{name}.npy")
    (folder / "notes.txt").write_text("no record")
    said = andon("diagnose", folder, "--json")
    assert (said.code, said.err) == (0, "")
    assert [Path(each["path"]).stem for each in said.documents] == ["run 1", "run 2", "run 10"]
    (tmp_path / "empty").mkdir()
    nothing = andon("diagnose", tmp_path / "empty", "--json")
    assert nothing.code == 2
    assert "no record" in nothing.complaint


def test_orders_of_the_sidecar_serve_and_options_count_more(andon: Andon, tmp_path: Path) -> None:
    orders = dict(zip(("bpfo", "bpfi", "bsf", "ftf"), map(float, ORDERS_6205.split(",")), strict=True))
    path = write(tmp_path / "a.npy", Fault.OUTER_RACE, {"orders": orders})
    assert the_one(andon("diagnose", path, "--json"))["fault"] == "outer_race"
    other = the_one(andon("diagnose", path, "--orders", "4.37,6.63,2.87,0.397", "--json"))
    assert other["fault"] != "outer_race"
    slower = the_one(andon("diagnose", path, "--rpm", 1700, "--json"))
    assert slower["rpm"] == pytest.approx(1700, rel=0.021)


def test_the_class_decides_about_shaft_faults(andon: Andon, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", Fault.MISALIGNMENT)
    rigid = the_one(andon("diagnose", path, "--machine", RIGID, "--json"))
    assert (rigid["fault"], rigid["zone"], rigid["severity"]) == ("misalignment", "D", "danger")
    large = the_one(andon("diagnose", path, "--machine", "iso10816-1:IV", "--json"))
    assert (large["fault"], large["zone"]) == ("none", "B")
    none = the_one(andon("diagnose", path, "--json"))
    assert (none["fault"], none["zone_reason"]) == ("unknown", "zone.no_class")


def test_a_record_in_good_condition_shows_what_has_risen(andon: Andon, tmp_path: Path) -> None:
    before = write(tmp_path / "before.npy")
    now = write(tmp_path / "now.npy", Fault.UNBALANCE, severity_mm_s=2.4)
    words = ("--machine", "iso10816-3:2:flexible", "--json")
    assert the_one(andon("diagnose", now, *words))["fault"] == "none"
    risen = the_one(andon("diagnose", now, "--baseline", before, *words))
    assert (risen["fault"], risen["severity"]) == ("unbalance_or_misalignment", "watch")
    assert the_one(andon("diagnose", now, "--baseline", now, *words))["fault"] == "none"


def test_the_register_knows_the_machine(andon: Andon, tmp_path: Path) -> None:
    table = tmp_path / "machines.csv"
    table.write_text("asset,power_kw,support,place,bearing,sensor\nP-1,75,rigid,DE,6205,\n泵 2,,,DE,6206,\n", "utf-8")
    assert andon("assets", "import", table).code == 0
    path = write(tmp_path / "a.npy", Fault.OUTER_RACE)
    found = the_one(andon("diagnose", path, "--asset", "P-1", "--json"))
    assert (found["fault"], found["zone"]) == ("outer_race", "A")
    named = write(tmp_path / "b.npy", Fault.OUTER_RACE, {"asset": "P-1"})
    assert the_one(andon("diagnose", named, "--json"))["fault"] == "outer_race"
    other = the_one(andon("diagnose", named, "--asset", "泵 2", "--json"))
    assert (other["fault"], other["zone_reason"]) != ("outer_race", None)
    beside = the_one(andon("diagnose", path, "--asset", "泵 2", "--bearing", "6205", "--machine", RIGID, "--json"))
    assert (beside["fault"], beside["zone"]) == ("outer_race", "A"), "options say otherwise"


def test_a_machine_that_only_the_record_names_need_not_be_known(andon: Andon, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", Fault.OUTER_RACE, {"asset": "P-404"})
    assert the_one(andon("diagnose", path, "--bearing", "6205", "--json"))["fault"] == "outer_race"
    assert "diagnosis.no_bearing" in str(the_one(andon("diagnose", path, "--json"))["limits"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--asset", "P-404"), "P-404"),
        (("--bearing", "no such bearing"), "no such bearing"),
        (("--orders", "1,2"), "1,2"),
        (("--orders", "107.5,162.5,70.7,11.9"), "107.5"),
        (("--machine", "iso10816-3:5:rigid"), "iso10816-3:1:rigid"),
        (("--rate", "0"), "0"),
        (("--rpm", "-3"), "-3"),
        (("--unit", "ft/s"), "mm/s"),
        (("--baseline", "no such record.npy"), "no such record.npy"),
        (("--bearing", "6205", "--orders", ORDERS_6205), "not allowed with"),
    ],
)
def test_options_that_mean_nothing_are_refused(andon: Andon, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    refused = andon("diagnose", write(tmp_path / "a.npy"), *words, "--json")
    assert refused.code == 2
    assert said in refused.complaint


def test_a_signal_that_cannot_be_believed_is_an_answer(andon: Andon, tmp_path: Path) -> None:
    """Not an error: the record was read, and what is wrong with the sensor is the diagnosis."""
    path = write(tmp_path / "a.npy")
    np.save(path, samples().clip(-0.1, 0.1))
    found = the_one(andon("diagnose", path, "--bearing", "6205", "--json"))
    assert (found["fault"], found["severity"]) == ("unknown", "unknown")
    assert found["sensor"] == {"ok": False, "reasons": ["sensor.clipping"]}


def test_of_a_long_record_no_more_than_needed_is_read(andon: Andon, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy")
    rng = np.random.default_rng(0)
    damaged_late = np.concatenate([rng.normal(0, 0.1, 40 * RATE_HZ), np.full(10, np.nan)])
    np.save(path, damaged_late)
    found = the_one(andon("diagnose", path, "--bearing", "6205", "--machine", RIGID, "--json"))
    assert found["fault"] == "none"
    assert "diagnosis.first_part" in str(found["limits"])


def test_no_record_costs_another_its_pictures(andon: Andon, tmp_path: Path) -> None:
    """Equal names in two folders, and one that is named as the second would be."""
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    paths = [write(tmp_path / folder / name) for folder, name in (("a", "x.npy"), ("b", "x.npy"), ("c", "x-2.npy"))]
    said = andon("diagnose", *paths, "--bearing", "6205", "--plot", tmp_path / "plots", "--json")
    assert said.code == 0
    plots = [Path(plot) for each in said.documents for plot in each["plots"]]
    assert len(set(plots)) == len(plots) > len(paths)
    assert all(plot.is_file() for plot in plots)


def test_what_comes_after_the_judged_part_does_not_matter() -> None:
    healthy = np.random.default_rng(0).normal(0, 0.1, 40 * RATE_HZ)
    damaged_late = healthy.copy()
    damaged_late[-10:] = np.nan
    signals = [Signal(values, RATE_HZ, Unit.G, rpm=1800.0) for values in (healthy, damaged_late)]
    known, late = (PhysicsDiagnoser().diagnose(signal, Machine()) for signal in signals)
    assert late == known
    assert late.sensor.ok


@pytest.mark.skipif(not (FETCHED / "mfpt").is_dir(), reason="the MFPT records are not fetched (andon data fetch mfpt)")
def test_real_records_of_a_test_rig(andon: Andon) -> None:
    """Bearing and speed from the sidecars, as fetched. Reported once, never tuned to."""
    wanted = {sample.name: sample.label for sample in open_mfpt(FETCHED).samples(Split.TEST)}
    said = andon("diagnose", FETCHED / "mfpt", "--json")
    assert said.code == 0
    assert {Path(each["path"]).name: each["fault"] for each in said.documents} == wanted
