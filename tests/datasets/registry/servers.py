"""Real servers on free ports of this machine: MLflow's, and the service."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
from tests.serving.notify.receivers import free_port

START_S, STOP_S = 60.0, 10.0


@contextmanager
def mlflow_server_in(folder: Path) -> Iterator[str]:
    """The address of an MLflow server with a store of its own."""
    if find_spec("mlflow") is None:
        pytest.skip("the extra train is not installed: no mlflow server")
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
            _await_answer(f"http://127.0.0.1:{port}/health", process, folder / "log.txt")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(STOP_S)


def _await_answer(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
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
    """The address of the service, and how it is told to look at its folder."""
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    from tests.bench.asking import serving

    from andon.datasets.store.opening import StoreOptions, open_store
    from andon.serving.api.app import create_app
    from andon.serving.api.service import ServiceOptions
    from andon.serving.engine.repository import ModelRepository

    store = open_store(home, StoreOptions(origin="test"))
    repository = ModelRepository(bundles)
    app = create_app(repository, store, options=ServiceOptions(threads=1, poll_seconds=600))
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}", repository.poll
        app.state.leave()
    store.database.close()
