"""Boxes with sensors and no stations: their configuration, and what they keep."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.motors import motor_signal, write_record

from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.hardware.edge.config.reading import CAMERAS, PLCS, SENSORS, installed, read_config
from andon.hardware.edge.sensing.sensing import Sensing, opened_sensing
from andon.hardware.edge.telling import Tellers
from andon.hardware.messaging.documents import AlertTold, Indicators, Said
from andon.models.types.vibration import Machine, Signal

BOX = 'box = "line-1"\nreserve_mib = 0\n'
STATUS = "\n[status]\nport = 0\n"
MOTOR = '\n[[assets]]\nname = "motor 1"\nrpm = 1750\n'


@dataclass
class Ears:
    """A listener that hears everything, or refuses to."""

    said: list[Said] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refusal: Exception | None = None

    def __call__(self, said: Said) -> None:
        if self.refusal:
            raise self.refusal
        self.said.append(said)

    @property
    def indicators(self) -> list[Indicators]:
        return [each for each in self.said if isinstance(each, Indicators)]

    @property
    def alerts(self) -> list[AlertTold]:
        return [each for each in self.said if isinstance(each, AlertTold)]


@contextmanager
def sensing_box(folder: Path, tables: str, ears: Ears, look_s: float = 60.0) -> Iterator[tuple[Sensing, Store]]:
    """Run what ``tables`` say, in this process."""
    path = folder / "line.toml"
    path.write_text(BOX + tables, encoding="utf-8")
    config = read_config(path, installed(CAMERAS), installed(PLCS), installed(SENSORS))
    home = folder / "home" / "edge"
    store = open_store(home, StoreOptions("line-1", reserve_bytes=0))
    with (
        store.database,
        opened_sensing(config, store, Tellers([ears], lost=ears.lost.append), home, Machine, look_s) as sensing,
        sensing,
    ):
        yield sensing, store


def drop(folder: Path, name: str, signal: Signal) -> None:
    """Put a record into a watched folder as gateways do: under its name once it is whole."""
    scratch = folder.parent / "scratch"
    whole = write_record(scratch, name, signal, asset=signal.asset, time=str(signal.time))
    whole.with_suffix(".json").replace(folder / f"{name}.json")
    whole.replace(folder / f"{name}.npy")


def fill(folder: Path, turns: range, broken_from: int = 1_000) -> None:
    """Put records of a motor into a folder, an hour apart; from a turn on its bearing is broken."""
    folder.mkdir(exist_ok=True)
    for turn in turns:
        drop(folder, f"{turn:03}", motor_signal(turn, snr_db=turn - 10.0 if turn >= broken_from else None))


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    """Ask a box's database."""
    with closing(sqlite3.connect(home / "edge" / "andon.db")) as connection:
        return connection.execute(query).fetchall()


def signal_times(home: Path) -> list[tuple[object, ...]]:
    return rows(home, "SELECT asset, sensor, time FROM signals ORDER BY time")
