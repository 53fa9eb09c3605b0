"""``andon data``, ``inspect``, ``teach`` and ``evaluate``: what the base install does with images."""

import argparse
import csv
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from io import StringIO
from pathlib import Path
from time import perf_counter

from andon.datasets.figures import show_detection, show_figures
from andon.datasets.vision.folders import image_paths, open_good_folder
from andon.datasets.vision.regions import read_regions
from andon.datasets.vision.sources import open_dataset
from andon.models.bundle.bundle import MODEL, VisionBundle
from andon.models.bundle.runtime import LoadedHealth, LoadedInspector, load_bundle, load_inspector
from andon.models.bundle.storage import check_replaceable, write_bundle
from andon.models.bundle.teaching import Lesson
from andon.models.bundle.teaching import teach as teach_detector
from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE, FAILED
from andon.models.command.options import DATA_FOLDER, actions, andon_home, define, natural, share
from andon.models.evaluation.inspection import Evaluation, evaluation_document, judge_all
from andon.models.files.outputs import distinctly_named, write_output
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import DataError, ImageError
from andon.models.types.vision import Inspection, Split, Verdict
from andon.models.vision.decoding import SUFFIXES, decode_image, read_image_bytes
from andon.models.vision.documents import inspection_document
from andon.models.vision.fitting import FitOptions
from andon.models.vision.overlays import encode_png, overlay

PREDICTIONS_HEADER = ("image", "x1", "y1", "x2", "y2", "class", "score")
DETECTION_HEADER = ("file", "row", "anomaly")


def data(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon data list``, ``show`` and ``fetch``."""
    add = actions(parser, text, "data")
    add("list", _list_data)
    for word, run in (("show", _show_data), ("fetch", _fetch_data)):
        add(word, run).add_argument("name", metavar="NAME", help=text.text("help.data_name"))


def inspect(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon inspect``."""
    define(parser, text, "inspect", _inspect)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help=text.text("help.inspect_path"))
    parser.add_argument("--heatmaps", type=Path, metavar="DIR", help=text.text("help.inspect_heatmaps"))
    parser.add_argument("--fail-on-ng", action="store_true", help=text.text("help.inspect_fail_on_ng"))


def teach(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon teach``."""
    define(parser, text, "teach", _teach)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.teach_bundle"))
    parser.add_argument("--good", type=Path, required=True, metavar="DIR", help=text.text("help.teach_good"))
    add_fit_options(parser, text)


def evaluate(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon evaluate``."""
    define(parser, text, "evaluate", _evaluate)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    parser.add_argument("--data", required=True, metavar="SRC", help=text.text("help.source"))
    parser.add_argument("--seed", type=natural, default=None, metavar="N", help=text.text("help.evaluate_seed"))
    parser.add_argument("--predictions", type=Path, metavar="FILE.csv", help=text.text("help.evaluate_predictions"))


def add_fit_options(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Add the options that every fit takes: ``--out``, ``--overkill``, ``--seed`` and ``--regions``."""
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help=text.text("help.out"))
    parser.add_argument("--overkill", type=share, default=0.01, metavar="SHARE", help=text.text("help.overkill"))
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help=text.text("help.seed"))
    parser.add_argument("--regions", type=Path, metavar="FILE.json", help=text.text("help.regions"))


def fit_options(arguments: argparse.Namespace) -> FitOptions:
    """Read what ``add_fit_options`` added."""
    regions = read_regions(arguments.regions) if arguments.regions else ()
    return FitOptions(overkill=arguments.overkill, seed=arguments.seed, regions=regions)


def report_fit(console: Console, path: Path, bundle: VisionBundle, left_out: int, **members: object) -> int:
    """Say what was fitted and what it can be claimed to do.

    Parameters
    ----------
    left_out
        How many images could not be used.
    members
        What else the document for machines is to hold.

    Returns
    -------
    int
        The exit code: 2 where images had to be left out.
    """
    point = bundle.manifest.operating_point
    console.emit(
        {
            "bundle": str(path),
            "digest": bundle.digest,
            "operating_point": asdict(point),
            "left_out": left_out,
            "non_commercial": bundle.manifest.data.non_commercial,
            **members,
        }
    )
    console.say("fit.done", subject=str(path), threshold=f"{point.threshold:.4g}", n=point.n_good, method=point.method)
    console.say("fit.claim", claim=f"{point.overkill_claim:.2%}", confidence=f"{point.confidence:.0%}")
    if point.more_good_needed:
        console.say("fit.more_needed", budget=f"{point.overkill_budget:.2%}", more=point.more_good_needed)
    console.say("fit.top", threshold=f"{point.threshold_without_top:.4g}")
    for name, value in point.highest:
        console.say("fit.top_line", score=f"{value:.4g}", name=name)
    if bundle.manifest.data.non_commercial:
        console.say("data.non_commercial", subject=bundle.manifest.data.name, licence=bundle.manifest.data.licence)
    return BAD_INPUT if left_out else DONE


# The known sets are imported where they are used: the generators behind them would slow down every other command.


def _list_data(_: argparse.Namespace, console: Console) -> int:
    from andon.datasets.cards.known import known_sets

    for name, known in known_sets().items():
        available = known.is_available(_sets_home())
        console.emit({**asdict(known.provenance), "available": available, "how_to_get": known.how_to_get})
        console.say(
            "data.line" if available else "data.line_absent",
            name=name,
            licence=known.provenance.licence,
            source=known.provenance.source,
            how=known.how_to_get,
        )
    return DONE


def _show_data(arguments: argparse.Namespace, console: Console) -> int:
    from andon.datasets.cards.known import card_of

    document = asdict(card_of(arguments.name, _sets_home()))
    console.emit(document)
    console.show_text(json.dumps(document, ensure_ascii=False, indent=2))
    return DONE


def _fetch_data(arguments: argparse.Namespace, console: Console) -> int:
    from andon.datasets.cards.known import known_set

    path = known_set(arguments.name).fetch(_sets_home())
    console.emit({"name": arguments.name, "path": None if path is None else str(path)})
    if path is None:
        console.say("data.generated", subject=arguments.name)
    else:
        console.show_text(str(path))
    return DONE


def _sets_home() -> Path:
    """Where fetched data sets are kept."""
    return andon_home(os.environ) / DATA_FOLDER


def _inspect(arguments: argparse.Namespace, console: Console) -> int:
    loaded = load_inspector(arguments.bundle)
    files = list(distinctly_named(file for path in arguments.paths for file in _files_of(path)))
    verdicts: list[Verdict | None] = []
    with console.progress() as progress:
        for done, (path, shown) in enumerate(files, start=1):
            verdicts.append(_inspect_file(path, shown, loaded, arguments.heatmaps, console))
            progress("inspect.stage", done, len(files))
    if None in verdicts:
        return BAD_INPUT
    return FAILED if arguments.fail_on_ng and any(verdict is not Verdict.OK for verdict in verdicts) else DONE


def _files_of(path: Path) -> list[tuple[Path, Path]]:
    """Files to inspect, each with the path that its overlay gets."""
    if path.is_dir():
        files = image_paths(path)
        if not files:
            raise DataError("data.no_image", str(path), suffixes=" ".join(sorted(SUFFIXES)))
        return [(file, file.relative_to(path)) for file in files]
    return [(path, Path(path.name))]


def _inspect_file(
    path: Path, shown: Path, loaded: LoadedInspector, heatmaps: Path | None, console: Console
) -> Verdict | None:
    started = perf_counter()
    try:
        frame = decode_image(read_image_bytes(path), str(path))
    except ImageError as error:
        console.complain_of(str(path), error)
        return None
    decode_ms = (perf_counter() - started) * 1e3
    inspection = loaded.inspector.inspect(frame)
    console.emit({"path": str(path), **inspection_document(inspection, decode_ms)})
    console.show_text(_line(path, inspection, console))
    if heatmaps:
        write_output(heatmaps / f"{shown}.png", encode_png(overlay(frame, inspection)))
    return inspection.verdict


def _line(path: Path, inspection: Inspection, console: Console) -> str:
    reason = f" ({console.text(f'inspect.{inspection.reason}')})" if inspection.reason else ""
    boxes = " ".join(str(list(defect.bbox)) for defect in inspection.defects)
    return f"{inspection.verdict:<6} {inspection.score:9.4f}  {path}{reason} {boxes}".rstrip()


def _teach(arguments: argparse.Namespace, console: Console) -> int:
    check_replaceable(arguments.out)
    options = fit_options(arguments)
    source = load_inspector(arguments.bundle).bundle
    good = open_good_folder(arguments.good)
    lesson = Lesson(
        model=source.files[MODEL],
        good=good.samples(Split.TRAIN),
        held_out=(),
        card=good.card,
        libraries=source.manifest.libraries,
    )
    with console.leaving_out() as left_out, console.progress() as progress:
        bundle, _ = teach_detector(lesson, options, progress, left_out.append)
    write_bundle(bundle, arguments.out)
    return report_fit(console, arguments.out, bundle, len(left_out))


def _evaluate(arguments: argparse.Namespace, console: Console) -> int:
    loaded = load_bundle(arguments.bundle)
    seed = loaded.bundle.manifest.seed if arguments.seed is None else arguments.seed
    match loaded:
        case LoadedInspector():
            return _evaluate_inspector(loaded, seed, arguments, console)
        case LoadedHealth():
            return _evaluate_health(loaded, seed, arguments, console)


def _evaluate_inspector(loaded: LoadedInspector, seed: int, arguments: argparse.Namespace, console: Console) -> int:
    samples = open_dataset(arguments.data, seed).samples(Split.TEST)
    with console.leaving_out() as left_out, console.progress() as progress:
        advance = partial(progress, "evaluate.stage")
        evaluation = judge_all(loaded.inspector, loaded.inspector.threshold, samples, advance, left_out.append)
    document = {"bundle": str(arguments.bundle), "data": arguments.data, **evaluation_document(evaluation)}
    console.emit(document)
    show_figures(console, document)
    if arguments.predictions:
        write_output(arguments.predictions, _predictions(evaluation).encode())
    return BAD_INPUT if left_out else DONE


def _evaluate_health(loaded: LoadedHealth, seed: int, arguments: argparse.Namespace, console: Console) -> int:
    from andon.datasets.health.judging import detection_document, judge_runs, predictions
    from andon.datasets.health.sources import runs_for

    with console.leaving_out() as left_out, console.progress() as progress:
        runs = runs_for(loaded.model.contract, arguments.data, seed, _sets_home(), progress, left_out.append)
        judged = judge_runs(loaded.model, runs, progress)
    document = {"bundle": str(arguments.bundle), "data": arguments.data, **detection_document(judged)}
    console.emit(document)
    show_detection(console, document)
    if arguments.predictions:
        write_output(arguments.predictions, _table(DETECTION_HEADER, predictions(judged)).encode())
    return BAD_INPUT if left_out else DONE


def _predictions(evaluation: Evaluation) -> str:
    rows = (
        [Path(judged.sample.name).stem, *defect.bbox, defect.label, defect.score]
        for judged in evaluation.judged
        for defect in judged.defects
    )
    return _table(PREDICTIONS_HEADER, rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return table.getvalue()
