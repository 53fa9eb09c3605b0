"""A health model is logged, registered and served by MLflow as a detector is."""

import json
from pathlib import Path

import mlflow
import pandas as pd  # type: ignore[import-untyped]
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from tests.pumps import ASSETS, pump_rows, taught_health
from tests.training.tracking.conftest import PNG, location_of

from andon.models.bundle.bundle import HealthBundle
from andon.models.bundle.runtime import load_health
from andon.models.bundle.storage import read_bundle, write_bundle
from andon.models.health.state import HealthState
from andon.models.health.watching import observe_all
from andon.training.tracking.logged_models import LoggedRun
from andon.training.tracking.registry import list_versions, promote, pull, push
from andon.training.tracking.runs import TrainingRecord, log_training
from andon.training.tracking.store import TrackingStore

FIGURES = {"f1": 0.8, "far": 1.2, "mar": 20.0}


@pytest.fixture(scope="session")
def health_bundle() -> HealthBundle:
    return taught_health()


@pytest.fixture
def health_dir(health_bundle: HealthBundle, tmp_path: Path) -> Path:
    write_bundle(health_bundle, tmp_path / "pumps")
    return tmp_path / "pumps"


@pytest.fixture(scope="session")
def logged_health(health_bundle: HealthBundle, store: TrackingStore) -> LoggedRun:
    pictures = {"scores/pump 1.png": PNG + b"scores"}
    return log_training(TrainingRecord(health_bundle, "skab:folder", FIGURES, pictures), store)


@pytest.fixture(scope="session")
def files(logged_health: LoggedRun, store: TrackingStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's files."""
    folder = str(tmp_path_factory.mktemp("health run"))
    return Path(download_artifacts(run_id=logged_health.run_id, dst_path=folder, tracking_uri=store.tracking_uri))


def test_a_training_is_a_finished_run(
    logged_health: LoggedRun, client: MlflowClient, health_bundle: HealthBundle
) -> None:
    run = client.get_run(logged_health.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "two pumps health")
    assert run.data.metrics == FIGURES
    expected = {
        "seed": "0",
        "kept_share": "0.5",
        "kind": "equipment",
        "method": "health",
        "data": "two pumps",
        "features": "flow,pressure,ripple",
        "baselines": "2",
        "commissioning_rows": "100",
        "target": "0.01",
        "library.onnxruntime": health_bundle.manifest.libraries["onnxruntime"],
    }
    assert run.data.params.items() >= expected.items()
    assert "input_height" not in run.data.params
    tags = {"andon.bundle_digest": health_bundle.digest, "andon.kind": "equipment", "andon.method": "health"}
    assert run.data.tags.items() >= tags.items()


def test_a_run_keeps_card_pictures_and_bundle(files: Path, health_bundle: HealthBundle) -> None:
    assert json.loads((files / "data_card.json").read_text(encoding="utf-8"))["name"] == "two pumps"
    assert (files / "scores" / "pump 1.png").read_bytes() == PNG + b"scores"
    assert read_bundle(files / "bundle").digest == health_bundle.digest
    assert {path.name for path in files.iterdir()} == {"data_card.json", "scores", "bundle"}


def test_the_signature_takes_measures_and_names_what_it_gives(logged_health: LoggedRun, store: TrackingStore) -> None:
    signature = mlflow.pyfunc.load_model(location_of(logged_health, store)).metadata.signature
    taken = {each["name"]: (each["type"], each["required"]) for each in signature.inputs.to_dict()}
    measures = dict.fromkeys(("flow", "pressure", "ripple", "rpm"), ("double", True))
    assert taken == {**measures, "asset": ("string", False)}
    names = ["asset", "state", "phase", "score", "threshold", "anomalous", "contributions"]
    assert signature.outputs.input_names() == names


def test_predict_judges_each_machine_as_its_stream_would(
    logged_health: LoggedRun, store: TrackingStore, health_dir: Path
) -> None:
    streams = {asset: [*pump_rows(asset, 30, 5), *pump_rows(asset, 30, 6, fault=8.0)] for asset in ASSETS}
    model = load_health(health_dir).model
    expected = {asset: observe_all(model, HealthState(asset), rows)[1] for asset, rows in streams.items()}
    mixed = [
        {"asset": asset, **row}
        for pair in zip(*streams.values(), strict=True)
        for asset, row in zip(ASSETS, pair, strict=True)
    ]

    answers = mlflow.pyfunc.load_model(location_of(logged_health, store)).predict(pd.DataFrame(mixed))

    assert {answer["phase"] for answer in answers} == {"judged", "skipped"}
    assert {answer["anomalous"] for answer in answers} == {True, False}
    for place, asset in enumerate(ASSETS):
        for answer, observation in zip(answers[place::2], expected[asset], strict=True):
            assert answer == {
                "asset": asset,
                "state": observation.state,
                "phase": str(observation.phase),
                "score": observation.score,
                "threshold": observation.threshold,
                "anomalous": observation.anomalous,
                "contributions": observation.contributions,
            }


def test_an_asset_is_needed_where_several_are_known(logged_health: LoggedRun, store: TrackingStore) -> None:
    model = mlflow.pyfunc.load_model(location_of(logged_health, store))
    with pytest.raises(Exception, match="pump 1, 泵 2"):
        model.predict(pd.DataFrame(pump_rows("pump 1", 3)))
    with pytest.raises(MlflowException, match="rpm"):
        model.predict(pd.DataFrame(pump_rows("pump 1", 3)).drop(columns="rpm"))


def test_it_is_pushed_promoted_listed_and_pulled(
    store: TrackingStore, logged_health: LoggedRun, health_dir: Path, published: Path, tmp_path: Path
) -> None:
    version = push(health_dir, "pumps", store)
    assert version.run_id == logged_health.run_id, "what a training has logged is not logged again"
    promote("pumps", "1", "champion", store, published)
    assert load_health(published / "pumps").bundle.digest == version.bundle_digest
    assert ("pumps", ("champion",)) in {(each.name, each.aliases) for each in list_versions(store)}
    pull("models:/pumps@champion", tmp_path / "out.andon", store)
    assert read_bundle(tmp_path / "out.andon") == read_bundle(health_dir)


def test_one_that_was_never_trained_here_is_logged_when_it_is_pushed(
    store: TrackingStore, client: MlflowClient, tmp_path: Path
) -> None:
    write_bundle(taught_health(seed=3), tmp_path / "foreign")
    version = push(tmp_path / "foreign", "foreign pumps", store)
    assert version.run_id is not None
    assert client.get_run(version.run_id).data.params["method"] == "health"
