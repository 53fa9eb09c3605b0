"""Talk to an MLflow store: quietly, without waiting for minutes, and with errors that a user can act on."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from requests import RequestException
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from andon.models.types.errors import AndonError, OptionError, ResourceError
from andon.training.tracking.store import TrackingStore

# mlflow's own defaults retry a dead server for minutes, draw progress bars, print links, and pack a project that it finds
# in the working folder with the model.
SETTINGS = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
}
SQLITE = "sqlite"
REJECTED = ("INVALID_PARAMETER_VALUE", "INVALID_STATE")
MAX_REASON = 300


@contextmanager
def session(store: TrackingStore) -> Iterator[MlflowClient]:
    """Open ``store``: a client that is bound to it, whatever store the process uses elsewhere.

    Raises
    ------
    ResourceError
        The server cannot be reached, or the server, the database or the disk failed.
    OptionError
        The store's address cannot be used, or the store refuses a value.
    """
    url = _parsed(store.tracking_uri)
    subject = url.render_as_string(hide_password=True) if url.password else store.tracking_uri
    with _defaults(SETTINGS), _silence(), _clear_errors(subject):
        _open_file(url, journal="wal" if store.artifact_root else None)
        yield MlflowClient(tracking_uri=store.tracking_uri, registry_uri=store.tracking_uri)


def experiment_id(client: MlflowClient, store: TrackingStore) -> str:
    """Find the experiment of ``store``, or make it."""
    if found := client.get_experiment_by_name(store.experiment):
        return found.experiment_id
    root = store.artifact_root
    location = None if root is None else (root / store.experiment).absolute().as_uri()
    return client.create_experiment(store.experiment, location)


@contextmanager
def _defaults(settings: Mapping[str, str]) -> Iterator[None]:
    """Set those variables that the user has not set, for as long as the block runs."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _clear_errors(subject: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        raise _explained(error, subject) from error
    except (OSError, SQLAlchemyError, sqlite3.Error) as error:
        raise ResourceError("tracking.store_failed", subject, reason=_one_line(error)) from error


def _explained(error: MlflowException, subject: str) -> AndonError:
    origin = error.__cause__ or error.__context__
    if isinstance(origin, RequestException):
        return ResourceError("tracking.unreachable", subject, reason=_one_line(origin))
    if error.error_code in REJECTED:
        return OptionError("tracking.rejected", subject, reason=_one_line(error))
    return ResourceError("tracking.store_failed", subject, reason=_one_line(error))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}..."


def _parsed(uri: str) -> URL:
    try:
        return make_url(uri)
    except (ArgumentError, ValueError) as error:
        raise OptionError("tracking.bad_store", uri) from error


def _open_file(url: URL, journal: str | None) -> None:
    """Open an SQLite file once: mlflow would retry for over a minute where that fails.

    A new store's hundreds of small transactions take a third of the time with a write-ahead journal, which the file then
    keeps. A file that Andon does not own keeps its own.
    """
    if url.get_backend_name() == SQLITE and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(url.database)) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal}" if journal else "PRAGMA schema_version")
