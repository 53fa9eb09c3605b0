"""Stores of every kind, each a real one: a folder, a service, an MLflow server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.datasets.registry.servers import mlflow_server_in, service

from andon.datasets.registry.folder_store import FolderStore
from andon.datasets.registry.opening import open_source
from andon.datasets.registry.stores import CHAMPION, BundleSource
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.storage import write_bundle

NAME = "plates 1"


@dataclass(frozen=True)
class Kept:
    """A store, and how a bundle comes to be the champion there."""

    source: BundleSource
    publish: Callable[[VisionBundle], None]
    address: str


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server with a store of its own."""
    with mlflow_server_in(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture(params=["folder", "service", "mlflow"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """An empty store of each kind."""
    if request.param == "folder":
        yield in_folder(tmp_path / "released")
    elif request.param == "service":
        (tmp_path / "bundles").mkdir()
        (tmp_path / "home").mkdir()
        with service(tmp_path / "bundles", tmp_path / "home") as (address, look):
            yield served(address, tmp_path / "bundles", look)
    else:
        yield registered(request.getfixturevalue("mlflow_server"), tmp_path)


def in_folder(folder: Path) -> Kept:
    store = FolderStore(folder)
    return Kept(store, lambda bundle: store.promote(NAME, store.put(bundle, NAME)), str(folder))


def served(address: str, bundles: Path, look: Callable[[], None]) -> Kept:
    def publish(bundle: VisionBundle) -> None:
        write_bundle(bundle, bundles / NAME)
        look()

    return Kept(open_source(address), publish, address)


def registered(address: str, folder: Path) -> Kept:
    """As ``andon registry push`` and ``promote`` do: first without signatures, so that they are those of the version."""
    from andon.training.tracking.registry import promote, push
    from andon.training.tracking.store import TrackingStore

    store = TrackingStore(address)

    def publish(bundle: VisionBundle) -> None:
        for each in (replace(bundle, signature=None), bundle):
            write_bundle(each, folder / "pushed")
            pushed = push(folder / "pushed", NAME, store)
        promote(NAME, str(pushed.version), CHAMPION, store, folder / "published")

    return Kept(open_source(f"mlflow+{address}"), publish, f"mlflow+{address}")
