"""What a session does to its process, and how it fails."""

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest
from tests.serving.notify.receivers import free_port

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.errors import OptionError, ResourceError
from andon.training.tracking.session import session
from andon.training.tracking.store import TrackingStore, default_store

SIGNS_OF_TESTING = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")


def test_the_default_store_is_kept_at_home_unless_a_server_is_named() -> None:
    home = Path("/srv/andon")
    assert default_store(home, {}) == TrackingStore("sqlite:////srv/andon/mlflow.db", home / "mlflow-artifacts")
    assert default_store(home, {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}) == TrackingStore("http://mlflow:5000")


def test_a_new_store_is_made_in_silence_and_mlflow_does_not_report_to_its_makers(tmp_path: Path) -> None:
    probe = (
        "import sys\n"
        "from pathlib import Path\n"
        "from andon.training.tracking.session import session\n"
        "from andon.training.tracking.store import default_store\n"
        "from mlflow.telemetry.client import get_telemetry_client\n"
        "with session(default_store(Path(sys.argv[1]), {})) as client:\n"
        "    print(len(client.search_experiments()), get_telemetry_client())"
    )
    environment = {name: value for name, value in os.environ.items() if name not in SIGNS_OF_TESTING}
    told = subprocess.run(
        [sys.executable, "-c", probe, str(tmp_path)],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (told.stdout, told.stderr, told.returncode) == ("1 None\n", "", 0)
    assert (tmp_path / "mlflow.db").is_file()


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    seen: dict[str, str] = {}

    def look(*_: object, **__: object) -> None:
        seen.update(os.environ)

    monkeypatch.setattr("andon.training.tracking.session.MlflowClient", look)
    with session(TrackingStore("http://127.0.0.1:9")):
        pass
    assert (seen["MLFLOW_HTTP_REQUEST_MAX_RETRIES"], seen["MLFLOW_HTTP_REQUEST_TIMEOUT"]) == ("7", "20")
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "7"
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


def test_a_dead_server_is_reported_within_seconds() -> None:
    uri = f"http://user:secret@127.0.0.1:{free_port()}"
    started = monotonic()
    with pytest.raises(ResourceError) as raised, session(TrackingStore(uri)) as client:
        client.search_experiments()
    assert monotonic() - started < 15
    assert raised.value.code == "tracking.unreachable"
    for language in LANGUAGES:
        text = catalogue(language).error(raised.value)
        assert "\n" not in text
        assert "secret" not in text


def test_a_damaged_store_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    _fails(default_store(tmp_path, {}), "file is not a database")


def test_a_folder_in_the_place_of_a_store_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    _fails(default_store(tmp_path, {}), "unable to open database file")


def test_a_home_that_cannot_be_made_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "home").write_bytes(b"")
    _fails(default_store(tmp_path / "home", {}), "File exists")


@pytest.mark.parametrize("uri", ["mlflow", "./mlruns", "http://mlflow:port"])
def test_an_address_of_another_form_is_refused(uri: str) -> None:
    with pytest.raises(OptionError) as raised, session(TrackingStore(uri)):
        pass
    assert raised.value.code == "tracking.bad_store"


def _fails(store: TrackingStore, reason: str) -> None:
    started = monotonic()
    with pytest.raises(ResourceError) as raised, session(store):
        pass
    assert monotonic() - started < 5
    assert raised.value.code == "tracking.store_failed"
    assert reason in str(raised.value.params["reason"])
