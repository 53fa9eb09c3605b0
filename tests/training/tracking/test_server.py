"""The registry through a real MLflow server."""

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from time import monotonic

import pytest
from tests.datasets.registry.servers import mlflow_server_in
from tests.serving.notify.receivers import free_port

from andon.models.bundle.storage import read_bundle
from andon.models.command.main import BAD_INPUT, DONE, NO_RESOURCE, main


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server with a store of its own."""
    with mlflow_server_in(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command as installed, with a home of its own."""
    entry = EntryPoint("registry", "andon.training.tracking.commands:registry", "andon.commands")
    monkeypatch.setattr("andon.models.command.main.entry_points", lambda group: [entry])
    monkeypatch.setenv("ANDON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANDON_LANG", "en")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_push_promote_and_pull_through_a_server(
    server: str,
    command: Path,
    bundle_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    digest = read_bundle(bundle_dir).digest

    def answer(*words: str) -> dict[str, object]:
        assert main(["registry", *words, "--json"]) == DONE
        out, err = capfd.readouterr()
        assert err == ""
        (document,) = (json.loads(line) for line in out.splitlines())
        return dict(document)

    pushed = answer("push", str(bundle_dir), "--name", "板 1")
    assert (pushed["version"], pushed["bundle_digest"]) == (1, digest)
    assert answer("push", str(bundle_dir), "--name", "板 1") == pushed
    promoted = answer("promote", "板 1", "1", "--alias", "champion")
    assert promoted["published"] == str(command / "bundles" / "板 1")
    assert answer("list") == {**pushed, "aliases": ["champion"]}
    for uri in ("models:/板 1@champion", "models:/板 1/1"):
        answer("pull", uri, "--out", str(tmp_path / "out"))
        assert read_bundle(tmp_path / "out").digest == read_bundle(command / "bundles" / "板 1").digest == digest
    assert not (command / "mlflow.db").exists()


def test_what_a_server_does_not_know_is_bad_input(
    server: str, command: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert main(["registry", "pull", "models:/strange@champion", "--out", "out"]) == BAD_INPUT
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("andon: strange: no bundle is registered under this name; expected one of: ")
    assert err.count("\n") == 1


def test_a_dead_server_is_a_failed_resource(
    command: Path, bundle_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    started = monotonic()
    assert main(["registry", "push", str(bundle_dir), "--name", "boards"]) == NO_RESOURCE
    assert monotonic() - started < 15
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"andon: {uri}: the tracking server cannot be reached ")
    assert err.count("\n") == 1
