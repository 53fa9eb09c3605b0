"""Stores of every kind, each a real one: a folder, a service, an MLflow server."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from andon.datasets.registry.folder_store import FolderStore
from andon.datasets.registry.opening import open_source
from andon.datasets.registry.stores import BundleSource
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.storage import write_bundle

NAME = "plates 1"
START_S, STOP_S = 60.0, 10.0


@dataclass(frozen=True)
class Kept:
    """A store, and how a bundle comes to be the champion there."""

    source: BundleSource
    publish: Callable[[VisionBundle], None]
    address: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server with a store of its own."""
    if find_spec("mlflow") is None:
        pytest.skip("the extra train is not installed: no mlflow server")
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    words = ["server", "--backend-store-uri", f"sqlite:///{folder}/store.db", "--workers", "1"]
    words += ["--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            await_answer(f"http://127.0.0.1:{port}/health", process, folder / "log.txt")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(STOP_S)


def await_answer(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = monotonic() + START_S
    while process.poll() is None and monotonic() < deadline:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            sleep(0.2)
    pytest.skip(f"mlflow server did not start: {log.read_text(errors='replace')[-500:]}")


@contextmanager
def service(bundles: Path, home: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The service on a free port, and how it is told to look at its folder."""
    uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    from andon.datasets.store.opening import StoreOptions, open_store
    from andon.serving.api.app import create_app
    from andon.serving.api.service import ServiceOptions
    from andon.serving.engine.repository import ModelRepository

    store = open_store(home, StoreOptions(origin="test"))
    repository = ModelRepository(bundles)
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(repository, store, options=ServiceOptions(threads=1, poll_seconds=600))
    serving = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    while not serving.started:
        sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", repository.poll
    finally:
        app.state.leave()
        serving.should_exit = True
        thread.join()
        listener.close()
        store.database.close()


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
    """As ``andon registry push`` registers; what was registered already gets its signatures by the store under test."""
    from andon.datasets.registry.mlflow_store import MlflowStore
    from andon.training.tracking.registry import push
    from andon.training.tracking.store import TrackingStore

    source = open_source(f"mlflow+{address}")
    assert isinstance(source, MlflowStore)

    def publish(bundle: VisionBundle) -> None:
        write_bundle(replace(bundle, signature=None), folder / "pushed")
        push(folder / "pushed", NAME, TrackingStore(address))
        source.promote(NAME, source.put(bundle, NAME))

    return Kept(source, publish, f"mlflow+{address}")
