"""``andon train equipment`` from records or process samples to a bundle and a run."""

import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from tests.conftest import Andon
from tests.motors import ASSETS, PLACE, motor_signal, write_record
from tests.rigs import write_rig
from tests.training.conftest import needs_training

from andon.datasets.registry.tags import DIGEST_TAG
from andon.models.bundle.runtime import load_health
from andon.models.command.main import main

pytestmark = needs_training
N_DAYS = 16
KEYS = [
    *("bundle", "digest", "features", "window", "rate_hz", "baselines", "left_out", "non_commercial"),
    *("evaluation", "alerts", "alert_budget", "run_id", "model_uri"),
]


@dataclass(frozen=True)
class Trained:
    """What a training wrote, and what it printed for machines."""

    out: Path
    document: dict[str, Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One local store for all tests here: making one takes seconds."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A motor on sixteen days, damaged on the last four."""
    root = tmp_path_factory.mktemp("records")
    for day in range(N_DAYS):
        is_faulty = day >= N_DAYS - 4
        signal = motor_signal(day, snr_db=3.0 if is_faulty else None)
        label = "outer_race" if is_faulty else "none"
        write_record(root, f"{day}", signal, asset=ASSETS[0], unit_id=f"day {day}", label=label)
    return root


def command(data: object, out: Path, *more: str) -> list[str]:
    return ["train", "equipment", "--data", str(data), "--out", str(out), "--json", *more]


@pytest.fixture(scope="module")
def trained(home: Path, records: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained in this process."""
    out, spoken = tmp_path_factory.mktemp("trained") / "电机 bundle", StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(spoken):
        patch.setenv("ANDON_HOME", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert main(command(records, out, "--window", "1024")) == 0
    return Trained(out, json.loads(spoken.getvalue()))


@pytest.fixture
def train(andon: Andon, home: Path, monkeypatch: pytest.MonkeyPatch) -> Andon:
    """Train in this process: ``train(data, out, *more)``."""
    monkeypatch.setenv("ANDON_HOME", str(home))
    return lambda data, out, *more: andon(*command(data, out, *more))


def test_what_is_trained_verifies_judges_and_monitors(andon: Andon, trained: Trained, records: Path) -> None:
    assert andon("bundle", "verify", trained.out).code == 0
    (evaluated,) = andon("evaluate", trained.out, "--data", records, "--json").documents
    assert {name: evaluated[name] for name in trained.document["evaluation"]} == trained.document["evaluation"]
    windows = andon("monitor", trained.out, records, "--json").documents
    assert {each["judged"] for each in windows if each["type"] == "window"} == {True}, "its baseline is found"


def test_it_says_what_was_learned_and_how_good_it_is(trained: Trained) -> None:
    document, manifest = trained.document, load_health(trained.out).bundle.manifest
    assert list(document) == KEYS
    assert (document["bundle"], document["digest"]) == (str(trained.out), load_health(trained.out).bundle.digest)
    assert (document["window"], document["rate_hz"], document["non_commercial"]) == (1024, 25_600, False)
    (baseline,) = document["baselines"]
    n_rows = 50 * manifest.data.counts["train/none"]
    assert (baseline["asset"], baseline["n_rows"]) == (f"{ASSETS[0]}/{PLACE}", n_rows)
    assert (manifest.options["assets"], manifest.options["rows"]) == (1, n_rows)
    assert document["evaluation"]["n_normal"] == 50 * manifest.data.counts.get("test/none", 0)
    assert document["alerts"] == {**document["alerts"], "k": manifest.alerts.k, "n": manifest.alerts.n}


def test_the_training_is_a_run_that_names_the_bundle(trained: Trained, home: Path) -> None:
    from andon.training.tracking.session import session
    from andon.training.tracking.store import default_store

    with session(default_store(home, {})) as client:
        run = client.get_run(trained.document["run_id"])
    assert (run.info.status, run.data.tags[DIGEST_TAG]) == ("FINISHED", trained.document["digest"])
    numbers = {name: value for name, value in trained.document["evaluation"].items() if value is not None}
    assert run.data.metrics == pytest.approx(numbers)


def test_the_same_command_gives_the_same_bundle(train: Andon, trained: Trained, records: Path, tmp_path: Path) -> None:
    (again,) = train(records, tmp_path / "again", "--window", "1024").documents
    assert again["digest"] == trained.document["digest"]
    assert again["run_id"] != trained.document["run_id"]
    (other,) = train(records, tmp_path / "other", "--window", "1024", "--budget", "5").documents
    assert other["digest"] != trained.document["digest"]


def test_a_record_that_cannot_be_read_is_left_out_and_told(
    train: Andon, andon: Andon, records: Path, tmp_path: Path
) -> None:
    copytree(records, tmp_path / "records")
    (tmp_path / "records" / "3.npy").write_bytes(b"")
    said = train(tmp_path / "records", tmp_path / "out", "--window", "1024")
    refused = [each for each in said.documents if "error" in each]
    (trained,) = [each for each in said.documents if "error" not in each]
    assert said.code == 2
    assert [each["path"].endswith("3.npy") for each in refused] == [True]
    assert trained["left_out"] == 1
    assert andon("bundle", "verify", tmp_path / "out").code == 0


def test_process_samples_are_learned(train: Andon, andon: Andon, tmp_path: Path) -> None:
    rig = write_rig(tmp_path / "rig")
    said = train(f"skab:{rig}", tmp_path / "out")
    assert (said.code, said.err) == (0, "")
    (document,) = said.documents
    assert (document["window"], document["rate_hz"], len(document["baselines"])) == (None, None, 3)
    assert document["evaluation"]["mar"] < 10
    assert (document["alerts"]["k"], document["alerts"]["n"]) == (2, 3), "the quickest, where none gave an alarm"
    assert document["alert_budget"]["machines"] == 1, "the run that is free of anomalies"
    assert document["alert_budget"]["more_months_needed"] > 29, "two minutes show next to nothing"
    assert andon("bundle", "verify", tmp_path / "out").code == 0


@pytest.mark.parametrize(("language", "named"), [("en", "1 baselines"), ("zh_CN", "MLflow")])
def test_a_person_reads_what_was_learned(
    andon: Andon,
    home: Path,
    records: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    named: str,
) -> None:
    monkeypatch.setenv("ANDON_HOME", str(home))
    monkeypatch.setenv("ANDON_LANG", language)
    said = andon("train", "equipment", "--data", records, "--out", tmp_path / "out", "--window", "1024")
    assert (said.code, said.err) == (0, "")
    assert named in said.out
    assert str(tmp_path / "out") in said.out


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--window", "1000"), "1000"),
        (("--window", "0"), "found 0"),
        (("--rate", "51200"), "at most 0"),
        (("--interval", "-1"), "--interval"),
    ],
)
def test_options_that_cannot_be_used_leave_nothing(
    train: Andon, records: Path, tmp_path: Path, more: tuple[str, ...], named: str
) -> None:
    said = train(records, tmp_path / "out", *more)
    assert said.code == 2
    assert named in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["gone", "skab:gone", "synthetic:pump", "mfpt"])
def test_data_that_are_not_there_are_one_clear_line(train: Andon, tmp_path: Path, source: str) -> None:
    said = train(source, tmp_path / "out")
    assert said.code == 2
    assert source.removeprefix("skab:") in said.complaint
    assert not (tmp_path / "out").exists()
