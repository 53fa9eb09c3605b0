"""Log a bundle to a run, as files and as an MLflow model, and find it again by its digest."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model

from andon.datasets.registry.tags import DIGEST_TAG
from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.teaching import RUNTIME_LIBRARIES, installed_versions
from andon.training.tracking.flavours import BUNDLE_ARTIFACT, Flavour, flavour_of

LIBRARIES = ("mlflow", *RUNTIME_LIBRARIES)


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """Where a bundle was logged: its run, and its model (``models:/m-...``)."""

    run_id: str
    model_id: str

    @property
    def model_uri(self) -> str:
        """The address that ``mlflow.pyfunc.load_model`` takes."""
        return f"models:/{self.model_id}"


def bundle_tags(bundle: AnyBundle) -> dict[str, str]:
    """Tags by which runs, models and versions of a bundle are found."""
    manifest = bundle.manifest
    return {
        DIGEST_TAG: bundle.digest,
        "andon.kind": manifest.kind,
        "andon.method": manifest.method,
        "andon.data_digest": manifest.data.checksum,
    }


def log_bundle_model(client: MlflowClient, run: Run, bundle: AnyBundle, folder: Path) -> LoggedRun:
    """Log the bundle that stands in ``folder`` as a model of ``run``.

    The model loads ``folder`` through the same code as everything else: it judges as the command line does.
    """
    model = client.create_logged_model(
        run.info.experiment_id,
        name=f"{bundle.manifest.kind}-{bundle.manifest.method}",
        source_run_id=run.info.run_id,
        tags=bundle_tags(bundle),
        params=run.data.params,
        model_type=bundle.manifest.kind,
    )
    with _finalized(client, model):
        saved = folder.parent / "model"
        _save(saved, model, folder, flavour_of(bundle.manifest))
        client.log_model_artifacts(model.model_id, str(saved))
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=0)])
    return LoggedRun(run.info.run_id, model.model_id)


def find_bundle_model(client: MlflowClient, digest: str) -> LoggedRun | None:
    """Find a complete logged model of the bundle with ``digest``, in any experiment."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_logged_models(experiments, f"tags.`{DIGEST_TAG}` = '{digest}'")
    complete = (model for model in found if model.status == LoggedModelStatus.READY)
    return next((LoggedRun(model.source_run_id, model.model_id) for model in complete if model.source_run_id), None)


@contextmanager
def _finalized(client: MlflowClient, model: LoggedModel) -> Iterator[None]:
    """Mark ``model`` as ready once its files are there; one cut off on the way is never found again."""
    status = LoggedModelStatus.FAILED
    try:
        yield
        status = LoggedModelStatus.READY
    finally:
        client.finalize_logged_model(model.model_id, status)


def _save(path: Path, model: LoggedModel, folder: Path, flavour: Flavour) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # mlflow asks for an example of the input beside the signature
        mlflow.pyfunc.save_model(
            path=str(path),
            python_model=str(flavour.code),
            artifacts={BUNDLE_ARTIFACT: folder.as_uri()},
            signature=flavour.signature,
            pip_requirements=[f"{name}=={found}" for name, found in installed_versions(LIBRARIES).items()],
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                run_id=model.source_run_id,
                model_uuid=model.model_id,
                model_id=model.model_id,
            ),
        )
