import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.motors import START, motor
from tests.serving.signal_requests import SICK, STEP, floats

from andon.datasets.assets.register import FOLDER, AssetRegister
from andon.models.command.main import main
from andon.models.types.vision import Frame
from andon.serving.sockets import listen_on


@contextmanager
def running(*options: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", "import sys; from andon.models.command.main import main; sys.exit(main())"]
    environment = {**os.environ, "ANDON_HOME": str(home), "ANDON_LANG": "en"}
    with subprocess.Popen(
        [*command, "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_serves_and_stops(
    bundles: Path,
    tmp_path: Path,
    draw_plate: Callable[..., Frame],
    png: Callable[[Frame], bytes],
    stop: signal.Signals,
) -> None:
    (bundles / "broken").mkdir()
    with running("--bundles", str(bundles), "--json", home=tmp_path / ".home") as process:
        assert process.stdout and process.stderr
        said = json.loads(process.stdout.readline())
        assert said["models"] == ["plates"]
        answer = httpx.post(f"{said['url']}/api/v1/inspections", content=png(draw_plate(3)))
        assert answer.json()["verdict"] == "OK"
        process.send_signal(stop)
        out, logged = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    entries = [json.loads(line) for line in logged.splitlines()]
    assert [(each["message"], each["model"]) for each in entries] == [
        ("bundle refused", "broken"),
        ("bundle loaded", "plates"),
    ]


def test_answers_are_not_held_back_for_acknowledgements() -> None:
    with listen_on("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_restart_goes_on_where_the_service_stopped(tmp_path: Path) -> None:
    home = tmp_path / "home"
    AssetRegister(home / FOLDER).import_machines([motor("P-1")])
    alerts = []
    for first in (0, 2):
        with running("--json", home=home) as process:
            assert process.stdout
            url = json.loads(process.stdout.readline())["url"]
            for turn in range(first, first + 2):
                time = (START + turn * STEP).isoformat()
                about = {"rate_hz": SICK[turn].rate_hz, "rpm": SICK[turn].rpm, "asset": "P-1", "time": time}
                answer = httpx.post(f"{url}/api/v1/signals", params=about, content=floats(SICK[turn].samples))
                alerts += [(turn, alert["event"], alert["fault"]) for alert in answer.json()["alerts"]]
            process.terminate()
            process.communicate(timeout=30)
    assert alerts == [(3, "raised", "outer_race")]
    assert (home / "andon.db").is_file()


def test_its_own_folder_may_be_empty(tmp_path: Path) -> None:
    with running(home=tmp_path / "home") as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving at http://127.0.0.1:")
        url = line.split()[2]
        assert httpx.get(f"{url}/v2/health/live").status_code == 200
        assert httpx.get(f"{url}/v2/health/ready").status_code == 503
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert (tmp_path / "home" / "bundles").is_dir()


def test_a_port_in_use_is_a_failure_of_the_machine(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDON_LANG", "en")
    monkeypatch.setenv("ANDON_HOME", str(tmp_path / "home"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--bundles", str(bundles), "--port", port]) == 3
    error = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--host", "0.0.0.0"],
        ["--host", "::"],
        ["--host", "192.0.2.1"],
        ["--host", "nowhere.invalid"],
        ["--port", "65536"],
        ["--port", "-1"],
        ["--port", "http"],
        ["--threads", "0"],
        ["--poll-seconds", "0"],
        ["--poll-seconds", "nan"],
        ["--bundles", "missing"],
        ["--bundles", "BUNDLE"],
    ],
)
def test_options_that_cannot_be_used_are_refused(
    bundle_dir: Path, options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDON_LANG", "en")
    words = [str(bundle_dir) if word == "BUNDLE" else word for word in options]
    given = [] if "--bundles" in words else ["--bundles", str(bundle_dir.parent)]
    assert main(["serve", *given, *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
