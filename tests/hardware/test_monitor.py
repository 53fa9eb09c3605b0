"""``andon monitor`` as a script or a person calls it."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.conftest import Andon, Outcome
from tests.hardware.conftest import LIFE
from tests.motors import ASSETS, HOUR, PLACE, START, motor_signal, write_record
from tests.rigs import ANOMALOUS, JUDGED_ROWS, RUNS

from andon.datasets.vibration.folders import record_paths
from andon.hardware.monitoring import records
from andon.hardware.monitoring.reporter import Reporter
from andon.models.stream.engine import Event

HOURLY = ("--interval", "3600", "--persistence", "60")
FAULTY_FROM = START + 6 * HOUR
Documents = Sequence[dict[str, Any]]


def of_type(said: Outcome, kind: str) -> list[dict[str, Any]]:
    return [each for each in said.documents if each.get("type") == kind]


def without_names(alerts: Documents) -> list[dict[str, Any]]:
    """What alerts say, without the identifier that is new each time."""
    return [{key: value for key, value in each.items() if key != "id"} for each in alerts]


def times(windows: Documents) -> list[datetime]:
    return [datetime.fromisoformat(each["time"]) for each in windows]


def test_a_motor_that_breaks_is_alerted_with_its_fault(andon: Andon, motors_dir: Path, life: Path) -> None:
    said = andon("monitor", motors_dir, life, *HOURLY, "--json")
    assert (said.code, said.err) == (0, "")
    assert {each["type"] for each in said.documents} == {"window", "alert"}
    windows, alerts = of_type(said, "window"), of_type(said, "alert")
    assert times(windows) == [START + turn * HOUR for turn, _ in LIFE]
    assert {(each["asset"], each["sensor"], each["sensor_ok"], each["judged"]) for each in windows} == {
        (ASSETS[0], PLACE, True, True)
    }
    assert [each["anomalous"] for each in windows] == [False] * 6 + [True] * 6
    assert windows[-1]["fault"] == "outer_race"
    raised = alerts[0]
    assert (raised["event"], raised["asset"], raised["sensor"], raised["fault"], raised["part"]) == (
        "raised",
        ASSETS[0],
        PLACE,
        "outer_race",
        "bearing",
    )
    assert raised["plot"] is None
    assert raised["p_value"] < 0.01
    assert {each["event"] for each in alerts[1:]} <= {"escalated"}
    opened = datetime.fromisoformat(raised["time"])
    assert FAULTY_FROM + timedelta(minutes=60) <= opened <= FAULTY_FROM + 5 * HOUR


def test_an_alert_follows_the_window_that_raised_it(andon: Andon, motors_dir: Path, life: Path) -> None:
    documents = andon("monitor", motors_dir, life, *HOURLY, "--json").documents
    place = next(place for place, each in enumerate(documents) if each["type"] == "alert")
    assert documents[place - 1]["type"] == "window"
    assert documents[place - 1]["time"] == documents[place]["time"]


def test_persistence_decides_when_an_alert_is_raised(andon: Andon, motors_dir: Path, life: Path) -> None:
    at = {}
    for minutes in ("60", "240", "10000"):
        alerts = of_type(
            andon("monitor", motors_dir, life, "--interval", "3600", "--persistence", minutes, "--json"), "alert"
        )
        at[minutes] = datetime.fromisoformat(alerts[0]["time"]) if alerts else None
    assert at["60"] is not None
    assert at["240"] is not None
    assert at["60"] < at["240"]
    assert at["10000"] is None


def test_records_without_a_time_are_an_interval_apart(andon: Andon, motors_dir: Path, calm: Path) -> None:
    said = andon("monitor", motors_dir, calm, "--interval", "120", "--json")
    assert said.code == 0
    found = times(of_type(said, "window"))
    assert [after - found[0] for after in found] == [timedelta(seconds=120 * turn) for turn in range(4)]
    assert found[0].year == 1970


@pytest.mark.parametrize(("language", "summed"), [("en", "12 windows"), ("zh_CN", "共 12 个窗口")])
def test_a_person_reads_alerts_and_a_summary(
    andon: Andon, motors_dir: Path, life: Path, monkeypatch: pytest.MonkeyPatch, language: str, summed: str
) -> None:
    monkeypatch.setenv("ANDON_LANG", language)
    said = andon("monitor", motors_dir, life, *HOURLY)
    assert (said.code, said.err) == (0, "")
    assert summed in said.out
    assert ASSETS[0] in said.out
    assert '"type"' not in said.out
    assert ("外圈" if language == "zh_CN" else "outer race") in said.out


@pytest.mark.parametrize(("language", "said_so"), [("en", "no alert: with 95 %"), ("zh_CN", "没有报警")])
def test_without_an_alert_a_person_reads_what_can_be_claimed(
    andon: Andon, motors_dir: Path, calm: Path, monkeypatch: pytest.MonkeyPatch, language: str, said_so: str
) -> None:
    monkeypatch.setenv("ANDON_LANG", language)
    said = andon("monitor", motors_dir, calm)
    assert said.code == 0
    assert said_so in said.out


def test_a_bad_record_among_good_ones_is_reported_and_the_rest_goes_on(
    andon: Andon, motors_dir: Path, life: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(life, tmp_path / "mixed"))
    (folder / "3b.npy").write_bytes(b"\x93NUMPY cut off")
    said = andon("monitor", motors_dir, folder, *HOURLY, "--json")
    assert said.code == 2
    assert said.err == ""
    (bad,) = (each for each in said.documents if "error" in each)
    assert list(bad) == ["path", "error"]
    assert bad["path"] == str(folder / "3b.npy")
    assert "\n" not in bad["error"]
    whole = andon("monitor", motors_dir, life, *HOURLY, "--json")
    assert of_type(said, "window") == of_type(whole, "window")
    told = andon("monitor", motors_dir, folder, *HOURLY)
    assert told.code == 2
    assert told.err.count("\n") == 1
    assert "3b.npy" in told.err


def test_where_no_record_can_be_read_each_is_reported(andon: Andon, motors_dir: Path, tmp_path: Path) -> None:
    for name in ("1.npy", "2.npy"):
        (tmp_path / name).write_bytes(b"")
    said = andon("monitor", motors_dir, tmp_path, "--json")
    assert said.code == 2
    assert [Path(each["path"]).name for each in said.documents] == ["1.npy", "2.npy"]


def no_folder(folder: Path) -> None:
    assert not folder.exists()


def empty_folder(folder: Path) -> None:
    folder.mkdir()


@pytest.mark.parametrize(("make", "named"), [(no_folder, "no such folder"), (empty_folder, ".npy")])
def test_a_source_without_records_is_one_clear_line(
    andon: Andon, motors_dir: Path, tmp_path: Path, make: Callable[[Path], None], named: str
) -> None:
    make(tmp_path / "记录")
    said = andon("monitor", motors_dir, tmp_path / "记录")
    assert said.code == 2
    assert "记录" in said.complaint
    assert named in said.complaint


def test_a_bundle_of_another_kind_is_one_clear_line(andon: Andon, bundle_dir: Path, life: Path) -> None:
    said = andon("monitor", bundle_dir, life)
    assert said.code == 2
    assert str(bundle_dir) in said.complaint
    assert "vision/patchcore" in said.complaint


def test_a_source_of_other_measures_is_one_clear_line(
    andon: Andon, motors_dir: Path, rig_dir: Path, rig: Path, life: Path
) -> None:
    for bundle, source, expected in ((rig_dir, str(life), "columns"), (motors_dir, f"skab:{rig}", "indicators")):
        said = andon("monitor", bundle, source)
        assert said.code == 2
        assert source in said.complaint
        assert expected in said.complaint


def test_pictures_are_drawn_of_alerts_and_trends(andon: Andon, motors_dir: Path, life: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    said = andon("monitor", motors_dir, life, *HOURLY, "--plots", tmp_path / "图", "--json")
    assert said.code == 0
    plots = [Path(each["plot"]) for each in of_type(said, "alert")]
    pictures = sorted((tmp_path / "图").iterdir())
    assert plots
    assert {*plots} <= {*pictures}
    assert "motor_1_drive_end-trend.png" in [path.name for path in pictures]
    for path in pictures:
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG"


def test_a_register_that_knows_the_machine_gives_a_zone(
    andon: Andon, motors_dir: Path, life: Path, tmp_path: Path
) -> None:
    table = tmp_path / "machines.csv"
    table.write_text("asset,power_kw,support\nmotor 1,75,rigid\n", encoding="utf-8")
    assert andon("assets", "import", table).code == 0
    windows = of_type(andon("monitor", motors_dir, life, *HOURLY, "--json"), "window")
    assert {each["zone"] for each in windows} == {"A"}


def test_stopped_half_way_it_goes_on_as_if_it_had_run_through(
    andon: Andon, motors_dir: Path, life: Path, tmp_path: Path
) -> None:
    whole = andon("monitor", motors_dir, life, *HOURLY, "--json")
    growing, state = tmp_path / "growing", tmp_path / "new" / "state.json"
    paths = record_paths(life)
    said = []
    for part in (paths[:8], paths[8:]):
        copy_records(part, growing)
        said.append(andon("monitor", motors_dir, growing, *HOURLY, "--state", state, "--json"))
    assert [each.code for each in said] == [0, 0]
    for kind in ("window", "alert"):
        parts = [document for each in said for document in of_type(each, kind)]
        assert without_names(parts) == without_names(of_type(whole, kind))
    assert [each.name for each in state.parent.iterdir()] == ["state.json"], "nothing is left beside it"


def test_wherever_it_is_ended_no_alert_is_lost(
    andon: Andon, motors_dir: Path, life: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is remembered has been said, at whichever of its events the process is ended."""
    monkeypatch.setattr(records, "KEEP_S", -1.0)
    words = ("monitor", motors_dir, life, *HOURLY, "--json")
    whole = andon(*words)
    for n_reported in count():
        state = tmp_path / f"{n_reported}.json"
        with monkeypatch.context() as patched:
            patched.setattr(Reporter, "event", ends_after(n_reported))
            first = andon(*words, "--state", state)
        if first.code == 0:
            break
        second = andon(*words, "--state", state)
        assert said_of_alerts(first) | said_of_alerts(second) == said_of_alerts(whole)
    assert n_reported > len(whole.documents)


def ends_after(n_reported: int) -> Callable[[Reporter, Event], None]:
    report, numbers = Reporter.event, count()

    def report_or_end(reporter: Reporter, event: Event) -> None:
        if next(numbers) == n_reported:
            raise KeyboardInterrupt
        report(reporter, event)

    return report_or_end


def said_of_alerts(said: Outcome) -> set[tuple[str, str, str]]:
    return {(each["event"], each["time"], each["severity"]) for each in of_type(said, "alert")}


def test_records_that_were_taken_before_are_not_taken_again(andon: Andon, motors_dir: Path, tmp_path: Path) -> None:
    """More of them than the stream knows again by their samples."""
    for turn in range(90):
        samples = np.random.default_rng(turn).normal(0, 0.1, 2048)
        short = replace(motor_signal(0), samples=samples)
        write_record(tmp_path, f"{turn}", short, asset="m", time=str(START + turn * HOUR))
    first, second = (
        andon("monitor", motors_dir, tmp_path, *HOURLY, "--state", tmp_path / "state", "--json") for _ in "ab"
    )
    assert len(of_type(first, "window")) == 90
    assert second.documents == []
    assert (first.code, second.code) == (0, 0)


def test_records_without_a_time_go_on_after_the_last(
    andon: Andon, motors_dir: Path, calm: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    first, second = (
        times(of_type(andon("monitor", motors_dir, calm, "--state", state, "--json"), "window")) for _ in "ab"
    )
    assert second == [time + (first[-1] - first[0]) + timedelta(seconds=600) for time in first]


def copy_records(paths: Sequence[Path], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for path in paths:
        for each in (path, path.with_suffix(".json")):
            shutil.copy(each, folder)


@pytest.mark.parametrize(
    ("contents", "named"),
    [
        (b"", "cannot be read"),
        (b'{"schema_version": 1, "engine": {"assets"', "cannot be read"),
        (b'{"schema_version": 1, "watched": 3}', "cannot be read"),
        (b'{"schema_version": 999, "engine": "of another form"}', "version 999"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_state_that_cannot_be_used_is_one_clear_line_and_left_alone(
    andon: Andon, motors_dir: Path, calm: Path, tmp_path: Path, contents: bytes, named: str
) -> None:
    state = tmp_path / "state"
    state.write_bytes(contents)
    said = andon("monitor", motors_dir, calm, "--state", state)
    assert said.code == 2
    assert str(state) in said.complaint
    assert named in said.complaint
    assert state.read_bytes() == contents


def test_the_state_of_other_features_is_one_clear_line(
    andon: Andon, motors_dir: Path, calm: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    assert andon("monitor", motors_dir, calm, "--state", state).code == 0
    remembered = json.loads(state.read_text())
    remembered["features"]["names"] = remembered["features"]["names"][1:]
    state.write_text(json.dumps(remembered))
    said = andon("monitor", motors_dir, calm, "--state", state)
    assert said.code == 2
    assert str(state) in said.complaint


def test_a_state_that_cannot_be_written_is_a_failure_of_the_disk(
    andon: Andon, motors_dir: Path, calm: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").touch()
    said = andon("monitor", motors_dir, calm, "--state", tmp_path / "taken" / "state", "--json")
    assert said.code == 3
    assert "taken" in said.err


def test_process_samples_are_watched_row_by_row(andon: Andon, rig_dir: Path, rig: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    said = andon("monitor", rig_dir, f"skab:{rig}", "--persistence", "0.2", "--plots", tmp_path / "p", "--json")
    assert (said.code, said.err) == (0, "")
    windows, alerts = of_type(said, "window"), of_type(said, "alert")
    assert len(windows) == 3 * JUDGED_ROWS
    for name in RUNS:
        flags = [each["anomalous"] for each in windows if each["asset"] == name]
        assert np.mean(flags[ANOMALOUS]) > 0.9
        assert np.mean(flags[: ANOMALOUS.start]) < 0.1
    raised = [each for each in alerts if each["event"] == "raised"]
    assert [each["asset"] for each in raised] == list(RUNS)
    assert {each["kind"] for each in raised} == {"anomaly"}
    assert max(raised[0]["contributions"], key=raised[0]["contributions"].get) == "Volume Flow RateRMS"
    assert len(list((tmp_path / "p").iterdir())) == 3, "a trend each; rows have no spectrum"


def test_process_samples_keep_no_state(andon: Andon, rig_dir: Path, rig: Path, tmp_path: Path) -> None:
    said = andon("monitor", rig_dir, f"skab:{rig}", "--state", tmp_path / "state")
    assert said.code == 2
    assert "--state" in said.complaint
