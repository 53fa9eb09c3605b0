"""Runs and logged models against one local store."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from mlflow import MlflowClient
from tests.training.tracking.conftest import PNG, code_of, encoded, location_of, with_threshold

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import load_inspector
from andon.models.bundle.storage import read_bundle
from andon.models.types.errors import ResourceError
from andon.models.types.vision import Frame
from andon.models.vision.documents import inspection_document
from andon.training.tracking.logged_models import LoggedRun, find_bundle_model
from andon.training.tracking.runs import TrainingRecord, log_training
from andon.training.tracking.session import session
from andon.training.tracking.store import TrackingStore


def test_a_training_is_a_finished_run(logged: LoggedRun, client: MlflowClient, tiny_bundle: VisionBundle) -> None:
    run = client.get_run(logged.run_id)
    manifest = tiny_bundle.manifest
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"auroc": 0.99, "overkill": 0.01}
    assert (
        run.data.params.items()
        >= {
            "seed": "0",
            "overkill": "0.2",
            "bank_size": "64",
            "input_height": "64",
            "input_width": "64",
            "method": "patchcore",
            "data": "striped plates",
            "library.numpy": manifest.libraries["numpy"],
        }.items()
    )
    assert (
        run.data.tags.items()
        >= {
            "andon.bundle_digest": tiny_bundle.digest,
            "andon.kind": "vision",
            "andon.method": "patchcore",
            "andon.data_digest": manifest.data.checksum,
        }.items()
    )


def test_a_local_store_keeps_its_files_at_home(logged: LoggedRun, client: MlflowClient, home: Path) -> None:
    kept = (home / "mlflow-artifacts").as_uri()
    assert str(client.get_run(logged.run_id).info.artifact_uri).startswith(kept)
    assert client.get_logged_model(logged.model_id).artifact_location.startswith(kept)


def test_a_run_names_the_data_that_went_in(
    record: TrainingRecord, store: TrackingStore, client: MlflowClient, tiny_bundle: VisionBundle
) -> None:
    """In an experiment of its own: MLflow keeps one source for the same data in one experiment, the first it was told."""
    logged = log_training(record, replace(store, experiment="sources"))
    inputs = client.get_run(logged.run_id).inputs
    assert inputs is not None
    (dataset,) = (each.dataset for each in inputs.dataset_inputs)
    assert dataset.name == "striped plates"
    assert tiny_bundle.manifest.data.checksum.startswith(dataset.digest)
    assert len(dataset.digest) >= 32
    assert json.loads(dataset.source) == {"uri": "folder:plates"}


def test_a_run_keeps_card_pictures_and_bundle(artifacts: Path, tiny_bundle: VisionBundle) -> None:
    card = json.loads((artifacts / "data_card.json").read_text(encoding="utf-8"))
    assert (card["licence"], card["checksum"]) == ("Apache-2.0", tiny_bundle.manifest.data.checksum)
    assert (artifacts / "score_histogram.png").read_bytes() == PNG + b"histogram"
    assert (artifacts / "worst_images" / "划痕 1.png").read_bytes() == PNG + b"overlay"
    assert read_bundle(artifacts / "bundle").digest == tiny_bundle.digest


def test_metrics_stand_at_the_model_as_well(logged: LoggedRun, client: MlflowClient) -> None:
    model = client.get_logged_model(logged.model_id)
    assert {metric.key: metric.value for metric in model.metrics or ()} == {"auroc": 0.99, "overkill": 0.01}
    assert model.source_run_id == logged.run_id
    outputs = client.get_run(logged.run_id).outputs
    assert outputs is not None
    assert [each.model_id for each in outputs.model_outputs] == [logged.model_id]


def test_the_logged_model_holds_no_pickle(model_folder: Path) -> None:
    names = {path.relative_to(model_folder).as_posix(): path for path in model_folder.rglob("*") if path.is_file()}
    assert {"MLmodel", "pyfunc_model.py", "artifacts/bundle/model.onnx"} <= names.keys()
    for name, path in names.items():
        assert path.suffix not in (".pkl", ".pickle", ".joblib", ".pt", ".pth"), name
        assert path.read_bytes()[:1] != b"\x80", name
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
    assert "python_model:" not in (model_folder / "MLmodel").read_text(encoding="utf-8")


def test_the_logged_model_pins_what_it_needs(model_folder: Path, tiny_bundle: VisionBundle) -> None:
    requirements = (model_folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    libraries = tiny_bundle.manifest.libraries
    assert {f"andon=={libraries['andon']}", f"onnxruntime=={libraries['onnxruntime']}"} <= set(requirements)
    assert all("==" in each for each in requirements)


def test_predict_equals_inspect(
    logged: LoggedRun,
    store: TrackingStore,
    bundle_dir: Path,
    draw_plate: Callable[..., Frame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    frames = [draw_plate(50), draw_plate(51, defective=True), draw_plate(52, side=160), np.zeros((64, 64, 3), np.uint8)]
    inspector = load_inspector(bundle_dir).inspector
    expected = [inspection_document(inspector.inspect(frame), 0) for frame in frames]
    for document in expected:
        del document["milliseconds"]
    images = [encoded(frame) for frame in frames]

    model = mlflow.pyfunc.load_model(logged.model_uri)

    assert {document["verdict"] for document in expected} == {"OK", "NG", "RETAKE"}
    assert model.predict(pd.DataFrame({"image": images})) == expected
    assert model.unwrap_python_model().predict(None, images) == expected


def test_an_undecodable_image_spoils_no_other(
    logged: LoggedRun, store: TrackingStore, draw_plate: Callable[..., Frame]
) -> None:
    model = mlflow.pyfunc.load_model(location_of(logged, store))
    bad, good = model.predict(pd.DataFrame({"image": [b"no image", encoded(draw_plate(50))]}))
    assert bad.keys() == {"error"}
    assert bad["error"].startswith("image[0]: its contents are no image")
    assert good["verdict"] == "OK"


def test_the_signature_takes_bytes_and_names_what_it_gives(model_folder: Path) -> None:
    signature = mlflow.models.Model.load(str(model_folder)).signature
    assert signature.inputs.to_dict() == [{"type": "binary", "name": "image", "required": True}]
    assert signature.outputs.input_names() == ["verdict", "score", "threshold", "reason", "defects", "error"]


def test_logging_is_silent_and_leaves_the_process_as_it_was(
    record: TrainingRecord,
    store: TrackingStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    (tmp_path / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ))

    run = log_training(record, store)

    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ)) == before
    assert mlflow.active_run() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "uv.lock"]
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    with session(store) as client:
        files = client.list_logged_model_artifacts(run.model_id)
    assert not {"uv.lock", "pyproject.toml"} & {file.path for file in files}


def test_a_run_that_was_cut_off_is_failed_and_its_model_never_found(
    record: TrainingRecord,
    tiny_bundle: VisionBundle,
    store: TrackingStore,
    client: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = with_threshold(tiny_bundle, 3.25)

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full_disk)
    with pytest.raises(ResourceError) as raised:
        log_training(replace(record, bundle=other), store)

    assert code_of(raised) == "tracking.store_failed"
    (experiment,) = (each for each in client.search_experiments() if each.name == "andon")
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`andon.bundle_digest` = '{other.digest}'")
    assert run.info.status == "FAILED"
    assert find_bundle_model(client, other.digest) is None
