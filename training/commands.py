"""``andon train`` and ``andon demo``: what needs the extra ``train``."""

import argparse
import os
from dataclasses import asdict
from pathlib import Path

from andon.datasets.commands import add_fit_options, fit_options, report_fit
from andon.datasets.figures import show_detection, show_figures
from andon.datasets.health.sources import Wishes, open_health_data
from andon.datasets.vision.sources import open_dataset
from andon.models.alerts.budget import BUDGET_PER_MONTH, BudgetReport
from andon.models.alerts.case import AlertPolicy
from andon.models.bundle.storage import check_replaceable, write_bundle
from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE
from andon.models.command.options import DATA_FOLDER, actions, andon_home, natural, positive
from andon.models.evaluation.inspection import numbers_of
from andon.models.messages.catalogue import Catalogue
from andon.models.types.progress import Progress
from andon.training.pipelines.equipment import AlertWishes, train_health
from andon.training.pipelines.vision import Trained, input_size, pictures_of, train_patchcore
from andon.training.tracking.logged_models import LoggedRun
from andon.training.tracking.runs import TrainingRecord, log_training
from andon.training.tracking.store import default_store

METHODS = ("auto", "patchcore")
EQUIPMENT_METHODS = ("health",)


def train(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon train vision`` and ``andon train equipment``."""
    add = actions(parser, text, "train")
    vision = add("vision", _train_vision)
    vision.add_argument("--data", required=True, metavar="SRC", help=text.text("help.source"))
    vision.add_argument("--method", choices=METHODS, default="auto", help=text.text("help.method"))
    vision.add_argument("--size", default="256x256", metavar="HxW", help=text.text("help.size"))
    add_fit_options(vision, text)
    equipment = add("equipment", _train_equipment)
    equipment.add_argument("--data", required=True, metavar="SRC", help=text.text("help.source_equipment"))
    equipment.add_argument(
        "--method", choices=EQUIPMENT_METHODS, default="health", help=text.text("help.method_equipment")
    )
    equipment.add_argument("--window", type=natural, metavar="N", help=text.text("help.window"))
    equipment.add_argument("--rate", type=positive, metavar="HZ", help=text.text("help.train_rate"))
    equipment.add_argument(
        "--budget", type=positive, default=BUDGET_PER_MONTH, metavar="N", help=text.text("help.train_budget")
    )
    equipment.add_argument(
        "--interval", type=positive, default=600.0, metavar="S", help=text.text("help.train_interval")
    )
    equipment.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help=text.text("help.out"))
    equipment.add_argument("--seed", type=natural, default=0, metavar="N", help=text.text("help.seed"))


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


def _train_equipment(arguments: argparse.Namespace, console: Console) -> int:
    check_replaceable(arguments.out)
    home = andon_home(os.environ)
    wishes = Wishes(arguments.window, arguments.rate)
    with console.leaving_out() as left_out, console.progress() as progress:
        data = open_health_data(arguments.data, wishes, arguments.seed, home / DATA_FOLDER, progress, left_out.append)
        alerts = AlertWishes(arguments.budget, arguments.interval)
        trained = train_health(data, alerts, arguments.seed, progress)
        write_bundle(trained.bundle, arguments.out)
        record = TrainingRecord(trained.bundle, arguments.data, trained.metrics, {})
        run = log_training(record, default_store(home, os.environ), progress)
    manifest = trained.bundle.manifest
    console.emit(
        {
            "bundle": str(arguments.out),
            "digest": trained.bundle.digest,
            "features": list(manifest.features.names),
            "window": manifest.features.window,
            "rate_hz": manifest.features.rate_hz,
            "baselines": [asdict(key) for key in manifest.baselines],
            "left_out": len(left_out),
            "non_commercial": manifest.data.non_commercial,
            "evaluation": trained.figures or None,
            "alerts": asdict(manifest.alerts),
            "alert_budget": asdict(trained.budget) if trained.budget else None,
            "run_id": run.run_id,
            "model_uri": run.model_uri,
        }
    )
    n_rows = sum(key.n_rows for key in manifest.baselines)
    console.say("train.health", subject=str(arguments.out), baselines=len(manifest.baselines), rows=n_rows)
    show_detection(console, trained.figures)
    _say_budget(manifest.alerts, trained.budget, console)
    if manifest.data.non_commercial:
        console.say("data.non_commercial", subject=manifest.data.name, licence=manifest.data.licence)
    console.say("train.tracked", run_id=run.run_id, uri=run.model_uri)
    return BAD_INPUT if left_out else DONE


def _say_budget(policy: AlertPolicy, budget: BudgetReport | None, console: Console) -> None:
    minutes = f"{policy.min_duration_s / 60:g}"
    console.say("train.alerts", k=policy.k, n=policy.n, minutes=minutes)
    if budget is None:
        console.say("train.no_budget")
        return
    console.say(
        "train.budget",
        alarms=budget.alarms,
        months=f"{budget.machine_months:.3g}",
        claim=f"{budget.claim_per_month:.3g}",
        confidence=f"{budget.confidence:.0%}",
        budget=f"{budget.budget_per_month:g}",
        more=f"{budget.more_months_needed:.3g}",
    )


def track(source: str, trained: Trained, home: Path, progress: Progress) -> LoggedRun:
    """Log a training in the store that the environment names, or else in the one under ``home``."""
    record = TrainingRecord(
        bundle=trained.bundle,
        source=source,
        metrics=numbers_of(trained.figures),
        pictures=pictures_of(trained),
    )
    return log_training(record, default_store(home, os.environ), progress)
