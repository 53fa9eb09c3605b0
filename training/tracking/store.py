"""Where runs, logged models and registered versions are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EXPERIMENT = "andon"


@dataclass(frozen=True, slots=True)
class TrackingStore:
    """An MLflow store.

    Parameters
    ----------
    tracking_uri
        A server (``http://...``) or a database (``sqlite:///...``).
    artifact_root
        The folder for the files of a local store; None where a server decides.
    experiment
        The experiment that trainings belong to; made where absent.
    """

    tracking_uri: str
    artifact_root: Path | None = None
    experiment: str = EXPERIMENT


def default_store(home: Path, environment: Mapping[str, str]) -> TrackingStore:
    """Return the store that ``MLFLOW_TRACKING_URI`` names, or else the one that is kept under ``home``.

    >>> default_store(Path("/srv/andon"), {}).tracking_uri
    'sqlite:////srv/andon/mlflow.db'
    >>> default_store(Path("/srv/andon"), {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}).tracking_uri
    'http://mlflow:5000'
    """
    if uri := environment.get("MLFLOW_TRACKING_URI"):
        return TrackingStore(uri)
    folder = home.absolute()
    return TrackingStore(f"sqlite:///{(folder / 'mlflow.db').as_posix()}", folder / "mlflow-artifacts")
