"""``andon demo``."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from andon.datasets.vision.sources import open_dataset
from andon.models.bundle.runtime import make_inspector
from andon.models.bundle.storage import write_bundle
from andon.models.command.console import Console
from andon.models.command.main import DONE, NO_RESOURCE
from andon.models.command.options import andon_home, define
from andon.models.evaluation.inspection import Evaluation, evaluation_document
from andon.models.files.outputs import write_output
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import ResourceError
from andon.models.types.vision import Dataset, Inspector, Split
from andon.models.vision.fitting import FitOptions
from andon.training.commands import track
from andon.training.demo import equipment
from andon.training.demo.service import Service, start_service, station
from andon.training.demo.walk import confusion_table, send_all, shown, verdict_table
from andon.training.pipelines.vision import Trained, overlay_png, train_patchcore
from andon.training.tracking.registry import promote, push
from andon.training.tracking.store import default_store

SIZE = (256, 256)
PARTS = ("vision", "equipment", "all")


def demo(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon demo``."""
    define(parser, text, "demo", _demo)
    parser.add_argument("what", nargs="?", choices=PARTS, default="all", help=text.text("help.demo_what"))
    parser.add_argument("--exit", action="store_true", help=text.text("help.demo_exit"))
    parser.add_argument("--data", default="elpv:mono", metavar="SRC", help=text.text("help.demo_data"))
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR", help=text.text("help.demo_out"))


def _demo(arguments: argparse.Namespace, console: Console) -> int:
    home = andon_home(os.environ)
    wanted = PARTS[:-1] if arguments.what == "all" else (arguments.what,)
    shows, missing = _prepared(wanted, arguments, home, console)
    if shows:
        _serve_and_show(shows, arguments, home, console)
    for error in missing:
        console.complain(error)
    return NO_RESOURCE if missing else DONE


Show = Callable[[Service], None]
"""What is shown once the service runs."""


def _prepared(
    wanted: Sequence[str], arguments: argparse.Namespace, home: Path, console: Console
) -> tuple[list[Show], list[ResourceError]]:
    """Prepare what is wanted; what lacks a device, a server or the disk does not stand in the way of the others."""
    shows: list[Show] = []
    missing: list[ResourceError] = []
    for name in wanted:
        try:
            shows.append(_PREPARE[name](arguments, home, console))
        except ResourceError as error:
            if arguments.debug:
                raise
            missing.append(ResourceError("demo.not_shown", f"demo {name}", reason=console.catalogue.error(error)))
    return shows, missing


def _serve_and_show(shows: Sequence[Show], arguments: argparse.Namespace, home: Path, console: Console) -> None:
    with ExitStack() as cleanup:
        service = start_service(home / "bundles", home / "demo-serve.log")
        cleanup.callback(service.stop)
        console.say("demo.serving", url=service.url)
        for show in shows:
            show(service)
        if not arguments.exit:
            cleanup.pop_all()
    if arguments.exit:
        console.say("demo.stopped")
    else:
        console.say("demo.left_running", url=service.url, pid=service.process.pid)


def _prepare_vision(arguments: argparse.Namespace, home: Path, console: Console) -> Show:
    dataset = open_dataset(arguments.data)
    _introduce(dataset, console)
    trained = _train(dataset, home, console)
    name = arguments.data.replace(":", "-")
    _promote(trained, name, arguments.data, home, console)
    return lambda service: _inspect_over_http(service, name, dataset, trained, arguments.out, console)


def _prepare_equipment(arguments: argparse.Namespace, home: Path, console: Console) -> Show:
    prepared = equipment.prepare(home, console)
    return lambda service: equipment.show(service, prepared, arguments.out, console)


_PREPARE: Mapping[str, Callable[[argparse.Namespace, Path, Console], Show]] = {
    "vision": _prepare_vision,
    "equipment": _prepare_equipment,
}


def _introduce(dataset: Dataset, console: Console) -> None:
    card = dataset.card
    console.say("demo.data", name=card.name, source=card.source)
    if card.non_commercial:
        console.say("data.non_commercial", subject=card.name, licence=card.licence)


def _train(dataset: Dataset, home: Path, console: Console) -> Trained:
    console.say("demo.training", good=len(dataset.samples(Split.TRAIN)))
    with console.leaving_out() as left_out, console.progress() as progress:
        trained = train_patchcore(dataset, SIZE, FitOptions(), home / "cache", progress, left_out.append)
    point = trained.bundle.manifest.operating_point
    console.say("fit.claim", claim=f"{point.overkill_claim:.2%}", confidence=f"{point.confidence:.0%}")
    if point.more_good_needed:
        console.say("fit.more_needed", budget=f"{point.overkill_budget:.2%}", more=point.more_good_needed)
    return trained


def _promote(trained: Trained, name: str, source: str, home: Path, console: Console) -> None:
    console.say("demo.tracking")
    path = home / "demo" / name
    store = default_store(home, os.environ)
    with console.progress() as progress:
        write_bundle(trained.bundle, path)
        track(source, trained, home, progress)
        version = push(path, name, store, progress)
        promote(name, str(version.version), "champion", store, home / "bundles", progress)
    console.say("demo.promoted", name=name, version=version.version, digest=trained.bundle.digest[:12])


def _inspect_over_http(
    service: Service, name: str, dataset: Dataset, trained: Trained, out: Path, console: Console
) -> None:
    samples = dataset.samples(Split.TEST)
    console.say("demo.inspecting", n=len(samples))
    threshold = trained.bundle.manifest.operating_point.threshold
    with station(service.url, name) as connected:
        evaluation, replies = send_all(connected, samples, threshold, console)
    positions = shown(evaluation, trained.bundle.manifest.seed)
    console.show(verdict_table(evaluation, replies, positions, console))
    console.show(confusion_table(evaluation, console))
    figures = evaluation_document(evaluation)
    _say_figures(figures, console)
    paths = _write_overlays(make_inspector(trained.bundle), evaluation, positions, out)
    console.say("demo.overlays", n=len(paths), folder=str(out))
    console.emit({"service": service.url, "model": name, "overlays": [str(path) for path in paths], **figures})


def _say_figures(figures: Mapping[str, Any], console: Console) -> None:
    console.say("demo.auroc", auroc=f"{figures['auroc']:.4f}", baseline=f"{figures['baseline_brightness_auroc']:.4f}")
    for name in ("overkill", "escape"):
        low, high = figures[f"{name}_95"]
        console.say(f"demo.{name}", share=f"{figures[name]:.2%}", low=f"{low:.2%}", high=f"{high:.2%}")


def _write_overlays(inspector: Inspector, evaluation: Evaluation, positions: Sequence[int], out: Path) -> list[Path]:
    paths = []
    for position in positions:
        sample = evaluation.judged[position].sample
        paths.append(out / f"{Path(sample.name).stem}-{sample.label}.png")
        write_output(paths[-1], overlay_png(inspector, sample.frame()))
    return paths
