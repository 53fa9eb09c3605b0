"""From an address to the place that it names."""

from base64 import b64encode
from pathlib import Path

from andon.datasets.registry.folder_store import FolderStore
from andon.datasets.registry.http import Server, open_client
from andon.datasets.registry.mlflow_store import MlflowStore
from andon.datasets.registry.service_store import ServiceStore
from andon.datasets.registry.stores import BundleSource
from andon.models.types.errors import OptionError

MLFLOW = "mlflow+"


def open_source(address: str, key: str | None = None, ca: Path | None = None) -> BundleSource:
    """Open what an address names: a folder, ``https://HOST`` a service, ``mlflow+https://HOST`` a registry.

    Parameters
    ----------
    key
        What lets one in: a service's key, or ``USER:PASSWORD`` of an MLflow server.
    ca
        PEM file of the certificates that are trusted instead of the usual ones.

    Raises
    ------
    OptionError
        It is no such address.
    """
    if address.startswith(MLFLOW):
        return MlflowStore(_server(address.removeprefix(MLFLOW), _basic(key), ca))
    if "://" in address:
        return ServiceStore(_server(address, {"Authorization": f"Bearer {key}"} if key else {}, ca))
    return FolderStore(Path(address))


def _server(address: str, headers: dict[str, str], ca: Path | None) -> Server:
    if not address.startswith(("http://", "https://")):
        raise OptionError("update.address", address, reason=address.partition(":")[0])
    return Server(open_client(address, headers, ca))


def _basic(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(key.encode()).decode()}"} if key else {}
