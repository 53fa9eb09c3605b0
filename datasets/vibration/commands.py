"""``andon diagnose``: what is wrong with a machine, from records of its vibration."""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from andon.datasets.assets.known import completed, known_machine, said_machine
from andon.datasets.assets.register import FOLDER, AssetRegister
from andon.datasets.vibration.diagnosed import first_block
from andon.datasets.vibration.folders import record_paths
from andon.datasets.vibration.hints import RecordHints
from andon.datasets.vibration.records import SUFFIXES
from andon.models.alerts.card import SEVERITY_CODES
from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE
from andon.models.command.options import andon_home, define, positive
from andon.models.files.outputs import distinctly_named
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import DataError, RecordError
from andon.models.types.vibration import Diagnosis, Fault, Machine, Signal, Unit
from andon.models.vibration.diagnosis import PhysicsDiagnoser
from andon.models.vibration.documents import FINDING_CODES, diagnosis_document
from andon.models.vibration.indicators import indicator_document
from andon.models.vibration.rise import OwnLevels, own_levels

Draw = Callable[[Signal, Machine, Diagnosis, Path], Sequence[Path]]
"""Draws a diagnosis under a name; returns the pictures."""

SHOWN_INDICATORS = ("velocity_rms_mm_s", "rms_m_s2", "crest", "kurtosis")


def diagnose(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon diagnose``."""
    define(parser, text, "diagnose", _diagnose)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=text.text("help.diagnose_files"))
    parser.add_argument("--rate", type=positive, metavar="HZ", help=text.text("help.diagnose_rate"))
    parser.add_argument("--rpm", type=positive, metavar="N", help=text.text("help.diagnose_rpm"))
    parser.add_argument("--unit", choices=[unit.value for unit in Unit], help=text.text("help.diagnose_unit"))
    bearing = parser.add_mutually_exclusive_group()
    bearing.add_argument("--bearing", metavar="DESIGNATION", help=text.text("help.diagnose_bearing"))
    bearing.add_argument("--orders", metavar="BPFO,BPFI,BSF,FTF", help=text.text("help.diagnose_orders"))
    parser.add_argument("--machine", metavar="CLASS", help=text.text("help.diagnose_machine"))
    parser.add_argument("--asset", metavar="ASSET", help=text.text("help.diagnose_asset"))
    parser.add_argument("--baseline", type=Path, metavar="FILE", help=text.text("help.diagnose_baseline"))
    parser.add_argument("--column", metavar="NAME", help=text.text("help.diagnose_column"))
    parser.add_argument("--plot", type=Path, metavar="DIR", help=text.text("help.diagnose_plot"))


def _diagnose(arguments: argparse.Namespace, console: Console) -> int:
    hints = RecordHints(column=arguments.column, rate_hz=arguments.rate, rpm=arguments.rpm, unit=arguments.unit)
    asked = said_machine(arguments.bearing, arguments.orders, arguments.machine, "command line", "--machine")
    draw = _drawing(arguments.plot, console.catalogue)
    register = AssetRegister(andon_home(os.environ) / FOLDER)
    diagnoser = PhysicsDiagnoser(_own_levels(arguments.baseline, hints) if arguments.baseline else None)
    files = list(distinctly_named(chain.from_iterable(_files_of(path) for path in arguments.files)))
    read = 0
    with console.progress() as progress:
        for done, (path, name) in enumerate(files, start=1):
            try:
                signal = first_block(path, hints)
                machine = _machine(asked, arguments.asset, signal.asset, register)
                found = diagnoser.diagnose(signal, machine)
                report_diagnosis(path, found, draw(signal, machine, found, name), console)
                read += 1
            except RecordError as error:
                console.complain_of(str(path), error)
            progress("diagnosis.stage", done, len(files))
    return DONE if read == len(files) else BAD_INPUT


def _drawing(folder: Path | None, text: Catalogue) -> Draw:
    """How a diagnosis is drawn; without a folder it is not. That nothing can be drawn is known before a record is read."""
    if folder is None:
        return lambda *_: ()
    from andon.datasets.vibration.pictures import draw

    return lambda signal, machine, found, name: draw(signal, machine, found, folder / name, text)


def report_diagnosis(path: Path, found: Diagnosis, plots: Sequence[Path], console: Console) -> None:
    """Give a machine the document, and a person a few lines."""
    console.emit({"path": str(path), **diagnosis_document(found), "plots": [str(plot) for plot in plots]})
    for line in diagnosis_lines(str(path), found, console.catalogue):
        console.show_text(line)
    for plot in plots:
        console.say("diagnosis.plot", path=str(plot))


def diagnosis_lines(name: str, found: Diagnosis, text: Catalogue) -> Iterator[str]:
    """Say what was found, how sure that is, what it rests on, and what could not be looked for."""
    fault = text.text(FINDING_CODES[found.fault])
    severity = text.text(SEVERITY_CODES[found.severity])
    if found.p_value is None:
        yield text.text("diagnosis.found", subject=name, fault=fault, severity=severity)
    else:
        yield text.text("diagnosis.found_p", subject=name, fault=fault, severity=severity, p=f"{found.p_value:.2g}")
    if found.fault not in (Fault.NONE, Fault.UNKNOWN):
        for line in found.evidence:
            order = "-" if line.order is None else f"{line.order:.3f}"
            level, hertz = f"{line.level_db:.1f}", f"{line.frequency_hz:.2f}"
            yield text.text("diagnosis.line", harmonic=line.harmonic, hertz=hertz, order=order, level=level)
    shown = {name: found.indicators.get(name) for name in SHOWN_INDICATORS}
    values = "  ".join(f"{name} {value:.3g}" for name, value in shown.items() if value is not None)
    zone = found.zone or "-"
    yield text.text("diagnosis.levels", values=values, zone=zone)
    for code in (*found.sensor.reasons, *([found.zone_reason] if found.zone_reason else ()), *found.limits):
        yield text.text("diagnosis.note", note=text.text(code))


def _files_of(path: Path) -> list[tuple[Path, Path]]:
    """Records to diagnose, each with the path that its pictures get."""
    if not path.is_dir():
        return [(path, Path(path.stem))]
    if not (paths := record_paths(path)):
        raise DataError("record.no_record", str(path), suffixes=" ".join(sorted(SUFFIXES)))
    return [(record, record.relative_to(path).with_suffix("")) for record in paths]


def _machine(asked: Machine, demanded: str | None, named: str, register: AssetRegister) -> Machine:
    """The machine that the options name must be in the register; one that only the record names need not."""
    return completed(asked, register.get(demanded) if demanded else known_machine(register, named))


def _own_levels(path: Path, hints: RecordHints) -> OwnLevels:
    signal = first_block(path, hints)
    return own_levels(indicator_document(signal, signal.rpm))
