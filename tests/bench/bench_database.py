"""How long the product's own look-ups take among ten million inspections in PostgreSQL, and among one million in SQLite.

Run ``python -m tests.bench.bench_database [--rows N] [--sqlite-rows N] [--turns N] [--short]``. The rows are made up and written
past the product: 120 days, 40 stations, 3 % NG, one part in ten inspected three times, another model in the last tenth of the
time. Every look-up goes through the product, with arguments drawn anew each time.
"""

import argparse
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import psycopg
from sqlalchemy import text
from tests.bench.figures import print_figure, seconds
from tests.databases import OWNER, PostgresServer, absent, postgres_server

from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.inspections import InspectionFilter, KeptInspections
from andon.datasets.store.parts import Parts
from andon.datasets.store.schema import inspections, parts
from andon.datasets.store.upgrade import ensure_current
from andon.models.codes.parsing import parse_code
from andon.models.types.identifiers import first_id, uuid7
from andon.models.types.moments import unix_us

START, DAYS = datetime(2026, 1, 1, tzinfo=UTC), 120
SPAN_US = DAYS * 86_400_000_000
STATIONS = 40
MODELS = ("housing", "housing-b")
GROUP, PARTS_IN_GROUP = 12, 10
"""Of twelve inspections nine are of parts seen once, and three of one part."""
BATCH, PAGE = 10_000, 50
BOUND_MS = 50.0

COLUMNS = (
    "id", "time", "part", "station", "model", "bundle_digest", "verdict", "score", "threshold", "image", "image_kept",
    "origin", "ledger_seq", "ledger_hash", "document",
)  # fmt: skip
Row = tuple[object, ...]

DERIVED = (
    (
        "INSERT INTO parts (code, scheme, serial, first_seen, last_seen)"
        " SELECT part, 'serial', NULL, min(time), max(time) FROM inspections GROUP BY part"
    ),
    "INSERT INTO stations (name) SELECT DISTINCT station FROM inspections",
    (
        "INSERT INTO tallies (hour, station, model, verdict, count)"
        " SELECT time - time % 3600000000, station, model, verdict, count(*) FROM inspections GROUP BY 1, 2, 3, 4"
    ),
)
"""What the product keeps beside the inspections."""


def main(words: Sequence[str] = ()) -> None:
    """Print one JSON object a look-up."""
    asked = _asked(words)
    with tempfile.TemporaryDirectory() as folder, open_database(sqlite_address(Path(folder) / "andon.db")) as database:
        _measure(database, asked.sqlite_rows, asked.turns, _fill_sqlite)
    if reason := absent():
        print_figure("look-ups in PostgreSQL", skipped=reason)
        return
    with _flushing_server() as server, open_database(server.new_database()) as database:
        _measure(database, asked.rows, asked.turns, _fill_postgres)


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--sqlite-rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=200)
    asked = parser.parse_args(words)
    if asked.short:
        asked.rows, asked.sqlite_rows, asked.turns = 200_000, 50_000, 50
    return asked


class _FlushingServer(PostgresServer):
    """A server as it is installed: what is committed survives a power cut."""

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", str(self.folder / "log"), "-w", "start")


@contextmanager
def _flushing_server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        started.stop()
        server = _FlushingServer(started.folder, started.port)
        server.start()
        yield server


def _measure(database: Database, rows: int, turns: int, fill: Callable[[Database, int], None]) -> None:
    ensure_current(database)
    kind = database.engine.dialect.name
    fill_s = seconds(lambda: fill(database, rows))
    print_figure(f"{kind}: inspections made up", rows=rows, seconds=round(fill_s, 1))
    for name, look_up in _look_ups(database, rows).items():
        look_up()
        took_ms = [seconds(look_up) * 1e3 for _ in range(turns)]
        median, late, worst = np.percentile(took_ms, (50, 95, 100)).round(2)
        print_figure(
            f"{kind}, {rows} inspections: {name}, p95 ms", value=late, bound=BOUND_MS, p50_ms=median, max_ms=worst
        )


def _look_ups(database: Database, rows: int) -> dict[str, Callable[[], object]]:
    kept, lives, draw = KeptInspections(database), Parts(database, "box"), random.Random(0)

    def moment() -> datetime:
        return START + timedelta(days=draw.uniform(1, DAYS))

    def station() -> str:
        return _station(draw.randrange(STATIONS))

    def page(**wanted: object) -> object:
        return kept.page(InspectionFilter(**wanted), first_id(moment()), PAGE)  # type: ignore[arg-type]

    def day() -> object:
        until = moment()
        return kept.page(InspectionFilter(since=until - timedelta(days=1), until=until, verdict="NG"), None, PAGE)

    def tally() -> object:
        until = moment()
        return kept.tallied(until - timedelta(days=1), until)

    def part() -> str:
        return _part(draw.randrange(rows))

    return {
        "page, the latest": lambda: kept.page(InspectionFilter(), None, PAGE),
        "page, from anywhere": page,
        "page of a station": lambda: page(station=station()),
        "page of NG": lambda: page(verdict="NG"),
        "page of a station's NG": lambda: page(station=station(), verdict="NG"),
        "page of a station's RETAKE, of which there are few": lambda: page(station=station(), verdict="RETAKE"),
        "page of a model": lambda: page(model=draw.choice(MODELS)),
        "page of a model's NG": lambda: page(model=draw.choice(MODELS), verdict="NG"),
        "page of a model that never served": lambda: page(model="nothing"),
        "page of a part": lambda: kept.page(InspectionFilter(part=part()), None, PAGE),
        "page of NG within a day": day,
        "a part's life": lambda: lives.life(parse_code(part())),
        "yield of a day": tally,
    }


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What is drawn for a batch of inspections."""

    stations: list[int]
    fates: list[float]
    scores: list[float]
    noises: list[int]


def _drawn(generator: np.random.Generator, count: int) -> _Numbers:
    return _Numbers(
        generator.integers(0, STATIONS, count).tolist(),
        generator.random(count).tolist(),
        generator.random(count).round(4).tolist(),
        generator.integers(0, 1 << 62, count).tolist(),
    )


def _rows(count: int) -> Iterator[Row]:
    generator = np.random.default_rng(0)
    step_us, start_us = SPAN_US / count, unix_us(START)
    for first in range(0, count, BATCH):
        some = range(first, min(first + BATCH, count))
        drawn = _drawn(generator, len(some))
        each = zip(some, drawn.stations, drawn.fates, drawn.scores, drawn.noises, strict=True)
        for number, station, fate, score, noise in each:
            yield _row(number, count, start_us + int(number * step_us), _station(station), _verdict(fate), score, noise)


def _row(number: int, count: int, time_us: int, station: str, verdict: str, score: float, noise: int) -> Row:
    identifier = uuid7(time_us * 1000, noise)
    digest = f"{noise:064x}"
    part, model = _part(number), MODELS[number >= count * 9 // 10]
    document = (
        f'{{"id":"{identifier}","time":{time_us},"path":null,"model":"{model}","bundle_digest":"{"b" * 64}",'
        f'"serial":"{part}","part":"{part}","station":"{station}","recipe":null,"operator":null,"image":"{digest}",'
        f'"verdict":"{verdict}","score":{score},"threshold":0.9,"reason":null,"defects":[],'
        f'"milliseconds":{{"decode":7.112,"gates":1.204,"score":38.951,"total":47.267}}}}'
    )
    return (
        identifier.hex, time_us, part, station, model, "b" * 64, verdict, score, 0.9, digest, True,
        "box", number + 1, digest, document,
    )  # fmt: skip


def _verdict(fate: float) -> str:
    return "RETAKE" if fate < 0.001 else "NG" if fate < 0.031 else "OK"


def _station(number: int) -> str:
    return f"S{number:02}"


def _part(number: int) -> str:
    """The part of an inspection: the last three of each group are of one part, hours apart."""
    group, place = divmod(number, GROUP)
    behind = max(0, place - PARTS_IN_GROUP + 1) * 500
    return f"P{max(0, group - behind) * PARTS_IN_GROUP + min(place, PARTS_IN_GROUP - 1):08}"


def _fill_sqlite(database: Database, count: int) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    statement = f"INSERT INTO inspections ({', '.join(COLUMNS)}) VALUES ({marks})"
    rows = ((*row[:-1], str(row[-1]).encode()) for row in _rows(count))
    with database.engine.connect() as connection:
        # Cannot be set within a transaction.
        connection.connection.dbapi_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
        with connection.begin():
            while some := list(islice(rows, BATCH)):
                connection.exec_driver_sql(statement, some)
            for derived in DERIVED:
                connection.execute(text(derived))
        connection.connection.dbapi_connection.execute("ANALYZE")  # type: ignore[union-attr]
        connection.invalidate()


def _fill_postgres(database: Database, count: int) -> None:
    """Indexes are made when the rows are there, which takes a fraction of the time."""
    tables = (inspections, parts)
    indexes = [index for table in tables for index in table.indexes]
    for index in indexes:
        index.drop(database.engine)
    url = database.engine.url
    address = f"postgresql://{OWNER}@{url.host}:{url.port}/{url.database}"
    with psycopg.connect(address) as connection:
        # Foreign keys are not looked up row by row.
        connection.execute("SET session_replication_role = replica")
        with connection.cursor().copy(f"COPY inspections ({', '.join(COLUMNS)}) FROM STDIN".encode()) as copy:
            lines = ("\t".join(map(str, row)) + "\n" for row in _rows(count))
            while some := "".join(islice(lines, BATCH)):
                copy.write(some)
        for derived in DERIVED:
            connection.execute(derived.encode())
    for index in indexes:
        index.create(database.engine)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
