"""A service over a folder with one bundle, in process and on a port."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient
from tests.datasets.store.boxes import BOX, opened_store
from tests.motors import taught_motors
from tests.pumps import taught_health
from tests.serving.clients import at_this_machine

from andon.datasets.store.blobs import open_blobs
from andon.datasets.store.database import Database
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.room import Room
from andon.models.bundle.bundle import Bundle, HealthBundle, VisionBundle
from andon.models.bundle.storage import write_bundle
from andon.models.types.vision import Frame
from andon.serving.api.app import create_app
from andon.serving.api.service import ServiceOptions
from andon.serving.engine.repository import ModelRepository

OPTIONS = ServiceOptions(threads=2, poll_seconds=0.05, max_body_bytes=1 << 20, remembered_replies=8)


@pytest.fixture
def bundles(bundle_dir: Path) -> Path:
    """A folder with the bundle ``plates``."""
    return bundle_dir.parent


@pytest.fixture(scope="session")
def health_bundle() -> HealthBundle:
    """A health model of two pumps, in memory."""
    return taught_health()


@pytest.fixture
def pumps(health_bundle: HealthBundle, bundles: Path) -> Path:
    """The same, written as ``pumps`` beside ``plates``: ask for it before the repository."""
    write_bundle(health_bundle, bundles / "pumps")
    return bundles / "pumps"


@pytest.fixture(scope="session")
def motors_bundle() -> HealthBundle:
    """A health model of two motors, which judges signals, in memory."""
    return taught_motors()


@pytest.fixture
def motors(motors_bundle: HealthBundle, bundles: Path) -> Path:
    """The same, written as ``motors`` beside ``plates``: ask for it before the repository."""
    write_bundle(motors_bundle, bundles / "motors")
    return bundles / "motors"


@pytest.fixture
def repository(bundles: Path) -> ModelRepository:
    loaded = ModelRepository(bundles)
    loaded.poll()
    return loaded


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An empty store on SQLite."""
    opened = open_store(tmp_path_factory.mktemp("home"), StoreOptions(origin="test"))
    yield opened
    opened.database.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Store]:
    """The store of a box at a line."""
    with opened_store(tmp_path / "box", BOX) as opened:
        yield opened


@pytest.fixture
def kept(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An empty store on each kind of database."""
    home = tmp_path_factory.mktemp("home")
    return Store(database, open_blobs(str(home / "blobs")), "box", Room(home, 0))


@pytest.fixture
def client(repository: ModelRepository, store: Store) -> Iterator[TestClient]:
    with at_this_machine(create_app(repository, store, options=OPTIONS), raise_server_exceptions=False) as started:
        yield started


@pytest.fixture
def server(bundles: Path, store: Store) -> Iterator[str]:
    """The service on a free port of this machine: its host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(ModelRepository(bundles), store, options=OPTIONS)
    serving = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    _await_ready(address)
    yield address
    app.state.leave()
    serving.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="session")
def variant(tiny_bundle: VisionBundle) -> Callable[[int], VisionBundle]:
    """The bundle once more with another digest for each number."""
    return lambda number: Bundle(replace(tiny_bundle.manifest, seed=number), tiny_bundle.files)


@pytest.fixture(scope="session")
def break_bundle() -> Callable[[Path], None]:
    """Change a byte of a bundle's memory bank."""

    def change(bundle: Path) -> None:
        bank = bundle / "bank.npy"
        contents = bytearray(bank.read_bytes())
        contents[-1] ^= 1
        bank.write_bytes(contents)

    return change


@pytest.fixture
def put_bundle(bundles: Path) -> Callable[[VisionBundle, str], Path]:
    """Write a bundle into the folder under a name."""

    def put(bundle: VisionBundle, name: str) -> Path:
        write_bundle(bundle, bundles / name)
        return bundles / name

    return put


@pytest.fixture(scope="session")
def png() -> Callable[[Frame], bytes]:
    """Encode a frame."""

    def encode(frame: Frame) -> bytes:
        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, "PNG")
        return buffer.getvalue()

    return encode


def _await_ready(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://{address}/v2/health/live").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise TimeoutError(address)
