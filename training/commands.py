"""``andon train`` and ``andon demo``: what needs the extra ``train``."""

import argparse
import os
from pathlib import Path

from andon.datasets.commands import add_fit_options, fit_options, report_fit
from andon.datasets.figures import show_figures
from andon.datasets.vision.sources import open_dataset
from andon.models.bundle.runtime import make_inspector
from andon.models.bundle.storage import check_replaceable, write_bundle
from andon.models.command.console import Console
from andon.models.command.options import actions, andon_home
from andon.models.evaluation.inspection import numbers_of
from andon.models.messages.catalogue import Catalogue
from andon.models.types.progress import Progress
from andon.training.pipelines.vision import Trained, input_size, train_patchcore, worst_images
from andon.training.tracking.logged_models import LoggedRun
from andon.training.tracking.runs import TrainingRecord, log_training
from andon.training.tracking.store import default_store

METHODS = ("auto", "patchcore")


def train(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon train vision``."""
    vision = actions(parser, text, "train")("vision", _train_vision)
    vision.add_argument("--data", required=True, metavar="SRC", help=text.text("help.source"))
    vision.add_argument("--method", choices=METHODS, default="auto", help=text.text("help.method"))
    vision.add_argument("--size", default="256x256", metavar="HxW", help=text.text("help.size"))
    add_fit_options(vision, text)


def _train_vision(arguments: argparse.Namespace, console: Console) -> int:
    check_replaceable(arguments.out)
    options, size = fit_options(arguments), input_size(arguments.size)
    dataset = open_dataset(arguments.data, arguments.seed)
    home = andon_home(os.environ)
    with console.leaving_out() as left_out, console.progress() as progress:
        trained = train_patchcore(dataset, size, options, home / "cache", progress, left_out.append)
        write_bundle(trained.bundle, arguments.out)
        run = track(arguments.data, trained, home, progress)
    code = report_fit(
        console,
        arguments.out,
        trained.bundle,
        len(left_out),
        evaluation=trained.figures or None,
        run_id=run.run_id,
        model_uri=run.model_uri,
    )
    if trained.figures:
        show_figures(console, trained.figures)
    console.say("train.tracked", run_id=run.run_id, uri=run.model_uri)
    return code


def track(source: str, trained: Trained, home: Path, progress: Progress) -> LoggedRun:
    """Log a training in the store that the environment names, or else in the one under ``home``."""
    record = TrainingRecord(
        bundle=trained.bundle,
        source=source,
        metrics=numbers_of(trained.figures),
        calibration_scores=trained.calibration_scores,
        good_scores=trained.evaluation.scores(good=True),
        bad_scores=trained.evaluation.scores(good=False),
        worst_images=worst_images(make_inspector(trained.bundle), trained.evaluation),
    )
    return log_training(record, default_store(home, os.environ), progress)
