"""One local store for all tests of tracking: making one takes seconds."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from andon.models.bundle.bundle import Bundle, VisionBundle, encode_array, file_digests
from andon.models.bundle.manifest import BANK
from andon.models.messages.catalogue import catalogue
from andon.models.types.errors import AndonError
from andon.models.types.vision import Frame
from andon.training.tracking.logged_models import LoggedRun
from andon.training.tracking.runs import TrainingRecord, log_training
from andon.training.tracking.session import session
from andon.training.tracking.store import TrackingStore, default_store

PNG = b"\x89PNG\r\n\x1a\n"


def with_threshold(bundle: VisionBundle, threshold: float) -> VisionBundle:
    """Another bundle that is as sound as ``bundle``."""
    point = replace(bundle.manifest.operating_point, threshold=threshold)
    return replace(bundle, manifest=replace(bundle.manifest, operating_point=point))


def with_foreign_bank(bundle: VisionBundle) -> VisionBundle:
    """A bundle whose files are whole, but which does not score as its goldens say."""
    files = {**bundle.files, BANK: encode_array(bundle.array(BANK, np.float32) + np.float32(1))}
    return Bundle(replace(bundle.manifest, files=file_digests(files)), files)


def encoded(frame: Frame) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()


def code_of(raised: pytest.ExceptionInfo[AndonError]) -> str:
    """The message's code; the message itself must be complete in both languages, and one line."""
    for language in ("en", "zh_CN"):
        assert "\n" not in catalogue(language).error(raised.value)
    return raised.value.code


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("工厂 home")


@pytest.fixture(scope="session")
def store(home: Path) -> TrackingStore:
    return default_store(home, {})


@pytest.fixture(scope="session")
def record(tiny_bundle: VisionBundle) -> TrainingRecord:
    return TrainingRecord(
        bundle=tiny_bundle,
        source="folder:plates",
        metrics={"auroc": 0.99, "overkill": 0.01},
        pictures={"score_histogram.png": PNG + b"histogram", "worst_images/划痕 1.png": PNG + b"overlay"},
    )


@pytest.fixture(scope="session")
def logged(record: TrainingRecord, store: TrackingStore) -> LoggedRun:
    return log_training(record, store)


@pytest.fixture
def client(store: TrackingStore) -> Iterator[MlflowClient]:
    with session(store) as opened:
        yield opened


@pytest.fixture(scope="session")
def artifacts(logged: LoggedRun, store: TrackingStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's files."""
    folder = tmp_path_factory.mktemp("run")
    return Path(download_artifacts(run_id=logged.run_id, dst_path=str(folder), tracking_uri=store.tracking_uri))


@pytest.fixture(scope="session")
def model_folder(logged: LoggedRun, store: TrackingStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logged model's files."""
    folder = tmp_path_factory.mktemp("model")
    return Path(download_artifacts(location_of(logged, store), dst_path=str(folder), tracking_uri=store.tracking_uri))


@pytest.fixture(autouse=True)
def working_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may be left where the process happens to stand: mlflow would put a store of its own there."""
    folder = tmp_path_factory.mktemp("cwd")
    monkeypatch.chdir(folder)
    yield
    assert not {"mlflow.db", "mlruns", "mlartifacts"} & {path.name for path in folder.iterdir()}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tmp_path / "bundles"


def aliases_of(store: TrackingStore, name: str) -> dict[str, str]:
    with session(store) as client:
        return dict(client.get_registered_model(name).aliases)


def location_of(logged: LoggedRun, store: TrackingStore) -> str:
    with session(store) as client:
        return client.get_logged_model(logged.model_id).artifact_location
