"""A line for tests and benchmarks: a configuration with a simulated camera and a Modbus PLC, and the agent that runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = """\
box = "line-1"
reserve_mib = 0

[[cameras]]
name = "top"
kind = "simulated"
images = "{images}"

[[plcs]]
name = "press"
kind = "modbus-server"
port = {port}

[[recipes]]
name = "plates"
camera = "top"
bundle = "{bundle}"
exposure_us = 10000

[[stations]]
name = "S1"
camera = "top"
plc = "press"
recipes = ["plates"]
takt_s = {takt_s}
retakes = 0

[status]
port = 0
"""


def line_config(bundle: str, images: Path, port: int, takt_s: float) -> str:
    """Describe one station whose camera shows the images of a folder."""
    return CONFIG.format(bundle=bundle, images=images, port=port, takt_s=takt_s)


@contextmanager
def running(config: Path, python: str = sys.executable) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the agent in a process of its own: the process, and where it tells how it is. It is killed where it still runs."""
    command = [python, "-c", "import sys; from andon.models.command.main import main; sys.exit(main())"]
    environment = {**os.environ, "ANDON_HOME": str(config.parent / "home"), "ANDON_LANG": "en"}
    log = config.parent / "log"
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [*command, "edge", "run", str(config), "--json"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            assert process.stdout
            said = process.stdout.readline()
            assert said, log.read_text()
            yield process, json.loads(said)["url"]
        finally:
            process.kill()
