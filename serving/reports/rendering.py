"""A report as a page that stands alone, and as PDF."""

import os
import subprocess
import sys
from datetime import datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import MissingExtraError
from andon.models.types.vibration import Machine
from andon.serving.reports.asset_report import AssetReport
from andon.serving.reports.pdf import MISSING
from andon.serving.reports.sparklines import sparkline

EXTRA = "report"
SEVERITIES = ("danger", "warning", "watch", "normal", "unknown")
TEMPLATE = "service_report.jinja"


def as_html(report: AssetReport, text: Catalogue) -> str:
    """Render a report as HTML that loads nothing."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((files(__package__) / TEMPLATE).read_text(encoding="utf-8"))

    def translate(key: str, **params: Any) -> str:
        return text.text(f"report.{key}", **params)

    def drawn(trend: Any) -> Any:
        return Markup(sparkline(trend.points, report.since, report.until))

    page: str = template.render(
        report=report,
        t=translate,
        word=lambda kind, name: text.text(f"alert.{kind}_{name}"),
        event=lambda name: translate(f"event_{name}"),
        when=_when,
        number=lambda value: f"{value:.3g}",
        share=lambda count, total: f"{100 * count / total:.1f} %",
        draw=drawn,
        severities=SEVERITIES,
        known=_known(report.machine, text),
        language=text.language.replace("_", "-"),
    )
    return page


def as_pdf(report: AssetReport, text: Catalogue) -> bytes:
    """Render a report as PDF.

    Raises
    ------
    MissingExtraError
        The extra is not installed, or the system lacks the libraries of Pango.
    """
    command = [sys.executable, "-m", "andon.serving.reports.pdf"]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    made = subprocess.run(
        command, check=False, input=as_html(report, text).encode(), capture_output=True, env=environment
    )
    if made.returncode == MISSING:
        raise MissingExtraError("command.missing_extra", "report", found="weasyprint", extra=EXTRA)
    made.check_returncode()
    return made.stdout


def _known(machine: Machine, text: Catalogue) -> list[tuple[str, str]]:
    """What is known of a machine, as pairs of a name and a value."""
    bearings = ", ".join(" ".join(filter(None, (each.designation, each.place))) for each in machine.bearings)
    of_class = machine.machine_class
    values: dict[str, object] = {
        "description": machine.name,
        "power": f"{machine.power_kw:g} kW" if machine.power_kw else "",
        "speed": f"{machine.rpm:g} rpm" if machine.rpm else "",
        "class": ":".join(filter(None, (of_class.standard, of_class.group, of_class.support))) if of_class else "",
        "bearings": bearings,
    }
    return [(text.text(f"report.{key}"), str(value)) for key, value in values.items() if value]


def _when(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
