"""The ``evaluate`` object as tables for a person."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from andon.models.command.console import Console

SHARES = frozenset({"accuracy", "overkill", "escape"})
WITH_INTERVAL = ("auroc", "ap", "accuracy", "overkill", "escape")
DETECTION = ("f1", "far", "mar", "far_free", "far_free_conformal", "n_normal", "n_anomalous", "n_not_judged")
PLAIN = ("baseline_brightness_auroc", "pixel_auroc", "aupro", "n_good", "n_bad", "n_retake", "p50_ms", "p99_ms")


def show_figures(console: Console, figures: Mapping[str, Any]) -> None:
    """Show a person the figures that the labels allow, and those of each defect type."""
    table = Table(*(console.text(f"evaluate.{column}") for column in ("figure", "value", "interval")))
    for name in (*WITH_INTERVAL, *PLAIN):
        if figures[name] is not None:
            table.add_row(console.text(f"evaluate.{name}"), _value(name, figures[name]), _interval(name, figures))
    console.show(table)
    if figures["by_type"]:
        console.show(_types(console, figures["by_type"]))


def show_detection(console: Console, figures: Mapping[str, Any]) -> None:
    """Show a person how well healthy rows were told from others; nothing where there were none to judge."""
    table = Table(*(console.text(f"evaluate.{column}") for column in ("figure", "value")))
    for name in DETECTION:
        if figures.get(name) is not None:
            value = figures[name]
            table.add_row(console.text(f"evaluate.{name}"), str(value) if isinstance(value, int) else f"{value:.2f} %")
    if table.row_count:
        console.show(table)


def _types(console: Console, by_type: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(*(console.text(f"evaluate.{column}") for column in ("type", "n", "auroc", "escape", "interval")))
    for label, figures in by_type.items():
        area = "" if figures["auroc"] is None else _value("auroc", figures["auroc"])
        table.add_row(label, str(figures["n"]), area, _value("escape", figures["escape"]), _interval("escape", figures))
    return table


def _interval(name: str, figures: Mapping[str, Any]) -> str:
    interval = figures.get(f"{name}_95")
    return " - ".join(_value(name, end) for end in interval) if interval else ""


def _value(name: str, value: float) -> str:
    if name in SHARES:
        return f"{value:.2%}"
    return str(value) if isinstance(value, int) else f"{value:.4f}" if name[-3:] != "_ms" else f"{value:.1f}"
