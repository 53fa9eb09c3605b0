"""``andon assets``: the machines that are known."""

import argparse
import json
import os
from pathlib import Path

from andon.datasets.assets.documents import machine_document
from andon.datasets.assets.machines import read_machines
from andon.datasets.assets.register import FOLDER, AssetRegister, Imported
from andon.models.command.console import Console
from andon.models.command.main import BAD_INPUT, DONE
from andon.models.command.options import actions, andon_home
from andon.models.messages.catalogue import Catalogue
from andon.models.types.vibration import Bearing, Machine
from andon.models.vibration.zones import machine_class_name


def assets(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define ``andon assets import``, ``list`` and ``show``."""
    add = actions(parser, text, "assets")
    add("import", _import).add_argument("file", type=Path, metavar="FILE.csv", help=text.text("help.assets_file"))
    add("list", _list)
    add("show", _show).add_argument("asset", metavar="ASSET", help=text.text("help.assets_asset"))


def _register() -> AssetRegister:
    return AssetRegister(andon_home(os.environ) / FOLDER)


def _import(arguments: argparse.Namespace, console: Console) -> int:
    sheet = read_machines(arguments.file)
    for problem in sheet.problems:
        console.complain_of(str(arguments.file), problem)
    if sheet.problems:
        console.say("asset.nothing_imported", subject=str(arguments.file), n=len(sheet.problems))
        return BAD_INPUT
    for imported in _register().import_machines(sheet.machines):
        _report(imported, console)
    return DONE


def _report(imported: Imported, console: Console) -> None:
    machine = imported.machine
    console.emit({**machine_document(machine), "replaced": imported.replaced})
    console.say("asset.replaced" if imported.replaced else "asset.imported", subject=machine.asset)
    for bearing in machine.bearings:
        console.say("asset.bearing", place=bearing.place or "-", bearing=_named(bearing), source=bearing.source)
    if machine.machine_class is None:
        console.say("asset.no_class")


def _list(_: argparse.Namespace, console: Console) -> int:
    machines, problems = _register().machines()
    for machine in machines:
        console.emit(machine_document(machine))
        console.show_text(_line(machine))
    for problem in problems:
        console.complain_of(problem.subject, problem)
    return BAD_INPUT if problems else DONE


def _show(arguments: argparse.Namespace, console: Console) -> int:
    document = machine_document(_register().get(arguments.asset))
    console.emit(document)
    console.show_text(json.dumps(document, ensure_ascii=False, indent=2))
    return DONE


def _line(machine: Machine) -> str:
    speed = "-" if machine.rpm is None else f"{machine.rpm:g} rpm"
    power = "-" if machine.power_kw is None else f"{machine.power_kw:g} kW"
    stands = "-" if machine.machine_class is None else machine_class_name(machine.machine_class)
    bearings = ", ".join(f"{bearing.place or '-'}: {_named(bearing)}" for bearing in machine.bearings) or "-"
    return f"{machine.asset:<16} {power:>9} {speed:>9}  {stands:<20} {bearings}  {machine.name}".rstrip()


def _named(bearing: Bearing) -> str:
    return f"{bearing.maker} {bearing.designation}".strip() or f"{bearing.orders.bpfo:g}, {bearing.orders.bpfi:g}"
