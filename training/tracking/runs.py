"""Every training as an MLflow run: what went in, what came out, and how good it is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.storage import write_bundle
from andon.models.types.progress import Progress, silent
from andon.models.types.vision import DataCard
from andon.training.tracking.flavours import flavour_of
from andon.training.tracking.logged_models import LoggedRun, bundle_tags, log_bundle_model
from andon.training.tracking.session import experiment_id, session
from andon.training.tracking.store import TrackingStore

DATA_CARD = "data_card.json"
BUNDLE = "bundle"
# mlflow's column for a data set's digest holds 36 characters; the tag holds all.
DATASET_DIGEST_LENGTH = 36
STEPS = 4


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRecord:
    """What a training leaves behind.

    Parameters
    ----------
    bundle
        What was trained.
    source
        Where the data were asked for: the ``--data`` argument.
    metrics
        Measures by name.
    pictures
        PNG files by the path they get in the run: ``NAME.png`` or ``FOLDER/NAME.png``.
    """

    bundle: AnyBundle
    source: str
    metrics: Mapping[str, float]
    pictures: Mapping[str, bytes]


def log_training(record: TrainingRecord, store: TrackingStore, progress: Progress = silent) -> LoggedRun:
    """Log a training as a run: parameters, metrics, data, pictures, the bundle and its model.

    Raises
    ------
    ResourceError
        The store cannot be reached or written; the run, where it was begun, is marked as failed.
    """
    with TemporaryDirectory() as scratch, session(store) as client:
        staged = Path(scratch) / "run"
        write_bundle(record.bundle, staged / BUNDLE)
        _stage_report(record, staged)
        progress("tracking.logging", 1, STEPS)
        with started_run(client, store, record.bundle) as run:
            client.log_inputs(run.info.run_id, [_dataset(record.bundle.manifest.data, record.source)])
            client.log_artifacts(run.info.run_id, str(staged))
            progress("tracking.logging", 2, STEPS)
            logged = log_bundle_model(client, run, record.bundle, staged / BUNDLE)
            progress("tracking.logging", 3, STEPS)
            _log_metrics(client, logged, record.metrics)
        progress("tracking.logging", STEPS, STEPS)
    return logged


def log_bundle(client: MlflowClient, store: TrackingStore, bundle: AnyBundle) -> LoggedRun:
    """Log a bundle of which nothing but itself is known, as a run of its own."""
    with TemporaryDirectory() as scratch:
        staged = Path(scratch) / "run"
        write_bundle(bundle, staged / BUNDLE)
        _stage_card(bundle.manifest.data, staged)
        with started_run(client, store, bundle) as run:
            client.log_inputs(run.info.run_id, [_dataset(bundle.manifest.data, bundle.manifest.data.source)])
            client.log_artifacts(run.info.run_id, str(staged))
            return log_bundle_model(client, run, bundle, staged / BUNDLE)


@contextmanager
def started_run(client: MlflowClient, store: TrackingStore, bundle: AnyBundle) -> Iterator[Run]:
    """Start a run with the bundle's parameters and tags; it ends as finished, or as failed where the block fails."""
    name = f"{bundle.manifest.data.name} {bundle.manifest.method}"
    run = client.create_run(experiment_id(client, store), tags=bundle_tags(bundle), run_name=name)
    status = "FAILED"
    try:
        params = [Param(key, str(value)) for key, value in _parameters(bundle).items()]
        client.log_batch(run.info.run_id, params=params)
        yield client.get_run(run.info.run_id)
        status = "FINISHED"
    finally:
        client.set_terminated(run.info.run_id, status)


def _parameters(bundle: AnyBundle) -> dict[str, str | int | float]:
    manifest = bundle.manifest
    return {
        **manifest.options,
        **flavour_of(manifest).parameters,
        **{f"library.{name}": found for name, found in manifest.libraries.items()},
        "seed": manifest.seed,
        "kind": manifest.kind,
        "method": manifest.method,
        "data": manifest.data.name,
    }


def _log_metrics(client: MlflowClient, logged: LoggedRun, metrics: Mapping[str, float]) -> None:
    """Log to the run and its model alike."""
    now_ms = int(time() * 1000)
    measured = [Metric(key, value, now_ms, step=0, model_id=logged.model_id) for key, value in metrics.items()]
    client.log_batch(logged.run_id, metrics=measured)


def _dataset(card: DataCard, source: str) -> DatasetInput:
    dataset = Dataset(
        name=card.name,
        digest=card.checksum[:DATASET_DIGEST_LENGTH],
        source_type="andon",
        source=json.dumps({"uri": source}),
        profile=json.dumps(card.counts),
    )
    return DatasetInput(dataset, tags=[InputTag(MLFLOW_DATASET_CONTEXT, "training")])


def _stage_report(record: TrainingRecord, folder: Path) -> None:
    _stage_card(record.bundle.manifest.data, folder)
    for name, png in record.pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png)


def _stage_card(card: DataCard, folder: Path) -> None:
    text = json.dumps(asdict(card), ensure_ascii=False, indent=2)
    (folder / DATA_CARD).write_text(text, encoding="utf-8")
