"""``andon edge``: from camera to PLC on the box beside the line."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

from andon.datasets.assets.known import known_machine
from andon.datasets.assets.register import FOLDER as ASSETS
from andon.datasets.assets.register import AssetRegister
from andon.hardware.edge.agent import Box, opened_box, placed_bundles
from andon.hardware.edge.config.plans import EdgeConfig
from andon.hardware.edge.config.reading import CAMERAS, PLCS, SENSORS, ConfigError, Fault, installed, read_config
from andon.hardware.edge.demo import run_demo
from andon.hardware.edge.notify import tell_systemd, watchdog_s
from andon.hardware.edge.sensing.sensing import judges_of, placed_judges
from andon.hardware.edge.stations.losses import CameraLosses
from andon.hardware.edge.status_server import Door, telling
from andon.hardware.profiles.commands import bench, bench_options
from andon.models.command.console import Console
from andon.models.command.logs import log_as_json
from andon.models.command.main import BAD_INPUT, DONE
from andon.models.command.options import actions, andon_home
from andon.models.messages.catalogue import Catalogue

FOLDER = "edge"
"""Under ``andon_home``: what the box keeps."""

SWITCH_S = 0.0005
"""How long a thread may hold the interpreter while another waits: a diagnosis keeps no part waiting for Python's usual 5 ms at each step."""

ALIVE_S = 1.0
"""How often it is looked whether all stations and sensors run."""


def edge(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon edge check``, ``run``, ``bench`` and ``demo``."""
    add = actions(parser, text, "edge")
    for word, run in (("check", _check), ("run", _run)):
        add(word, run).add_argument("config", type=Path, metavar="CONFIG", help=text.text("help.edge_config"))
    bench_options(add("bench", bench), text)
    demo = add("demo", _demo)
    demo.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    demo.add_argument("--images", default="synthetic:pcb", metavar="SRC", help=text.text("help.edge_demo_images"))


def _check(arguments: argparse.Namespace, console: Console) -> int:
    config = _config(arguments.config, console)
    if config is None:
        return BAD_INPUT
    placed = placed_bundles(config)
    for refusal in {refusal for each in placed.values() for refusal in each.refusals}:
        console.say("profile.not_used", reason=console.catalogue.error(refusal.error))
    for plan in config.stations:
        recipes = [config.recipes[name] for name in plan.recipes]
        # What a release holds is known once it is fetched.
        digests = {each.name: placed[each.bundle].loaded.bundle.digest if each.bundle else None for each in recipes}
        console.emit({"station": plan.name, "camera": plan.camera, "plc": plan.plc, "recipes": digests, "ok": True})
        console.say("edge.station_fits", name=plan.name, camera=plan.camera, plc=plan.plc, recipes=", ".join(digests))
    _show_sensors(config, console)
    return DONE


def _show_sensors(config: EdgeConfig, console: Console) -> None:
    for sensor in config.sensors.values():
        console.emit({"sensor": sensor.name, "kind": sensor.kind, "ok": True})
        console.say("edge.sensor_fits", name=sensor.name, kind=sensor.kind)
    for asset, digest in judges_of(config, placed_judges(config)).items():
        console.emit({"asset": asset, "bundle": digest, "ok": True})
        console.say("edge.asset_fits", name=asset, bundle=config.assets[asset].bundle or "-")


def _config(path: Path, console: Console) -> EdgeConfig | None:
    """Read a configuration; what is wrong with it is told line by line, and None is returned."""
    try:
        return read_config(path, installed(CAMERAS), installed(PLCS), installed(SENSORS))
    except ConfigError as error:
        _complain(path, error.faults, console)
        console.complain(error)
        return None


def _complain(path: Path, faults: Sequence[Fault], console: Console) -> None:
    for fault in faults:
        text = console.text(fault.problem.code, **fault.problem.params)
        console.emit({"path": str(path), "line": fault.line, "error": text})
        console.say("edge.problem", path=str(path), line=fault.line, text=text)


def _run(arguments: argparse.Namespace, console: Console) -> int:
    config = _config(arguments.config, console)
    if config is None:
        return BAD_INPUT
    log_as_json(sys.stderr)
    sys.setswitchinterval(SWITCH_S)
    home = andon_home(os.environ)
    register = partial(known_machine, AssetRegister(home / ASSETS))
    with _stopped_by_signals() as stop, opened_box(config, home / FOLDER, register) as box:
        plan, folder = config.status, config.folder
        door = Door(plan.host, plan.port, plan.key(folder), plan.tls(folder))
        with telling(door, box, console.catalogue) as url, box.agent, box.sensing:
            stations = [each.parts.name for each in box.agent.stations]
            sensors = [each.parts.name for each in box.sensing.sources]
            console.say("edge.running", url=url, stations=", ".join([*stations, *sensors]))
            console.emit({"url": url, "stations": stations, "sensors": sensors})
            console.stdout.flush()
            _watch(box, stop)
    return DONE


def _demo(arguments: argparse.Namespace, console: Console) -> int:
    run_demo(arguments.bundle, arguments.images, console)
    return DONE


def _watch(box: Box, stop: Event) -> None:
    """Tell systemd that the box is alive as long as all its stations and sensors are. Raises where one is not."""
    losses = CameraLosses(box.agent.stations, box.told.lost)
    beat_s = min(watchdog_s(os.environ) or ALIVE_S, ALIVE_S)
    tell_systemd(os.environ, "READY=1")
    while not stop.wait(beat_s):
        box.check()
        losses.look()
        tell_systemd(os.environ, "WATCHDOG=1")
    tell_systemd(os.environ, "STOPPING=1")


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """Give an event that SIGTERM and SIGINT set."""
    stop = Event()
    former = {each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
