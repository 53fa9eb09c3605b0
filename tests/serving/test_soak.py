"""A service that is killed in the middle of its work loses nothing that it acknowledged, and keeps nothing twice."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import pytest
from tests.conftest import Andon

from andon.models.types.vision import Frame

KILLS = 50 if os.environ.get("ANDON_SOAK") else 2
"""For each kind of database."""
CLIENTS = 4
URL = "/api/v1/inspections"

Picture = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Book:
    """What the clients sent under which number, and what they were answered."""

    numbers: Iterator[int] = field(default_factory=count)
    sent: list[int] = field(default_factory=list)
    answers: dict[int, bytes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def note(self, number: int, answer: httpx.Response) -> None:
        """Write down what came; a number that was answered before must be answered alike."""
        if answer.status_code != 200:
            self.refused.append(f"{number}: {answer.status_code} {answer.text}")
        elif self.answers.setdefault(number, answer.content) != answer.content:
            self.refused.append(f"{number}: answered otherwise than before")

    @property
    def unanswered(self) -> list[int]:
        return [number for number in self.sent if number not in self.answers]


@contextmanager
def service(*options: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start ``andon serve`` on a free port: its process and its address. It is killed where it still runs."""
    command = [sys.executable, "-c", "import sys; from andon.models.command.main import main; sys.exit(main())"]
    environment = {**os.environ, "ANDON_HOME": str(home), "ANDON_LANG": "en"}
    home.mkdir(exist_ok=True)
    with (
        (home / "log").open("a") as log,
        subprocess.Popen(
            [*command, "serve", "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line, (home / "log").read_text()
            yield process, json.loads(line)["url"]
        finally:
            process.kill()


@pytest.mark.soak
def test_what_was_acknowledged_outlives_every_kill(
    database_address: str,
    bundles: Path,
    tmp_path: Path,
    draw_plate: Callable[..., Frame],
    png: Callable[[Frame], bytes],
    andon: Andon,
    record_property: Callable[[str, object], None],
) -> None:
    chance, book, again = random.Random(7), Book(), 0
    options = ("--bundles", str(bundles), "--db", database_address, "--blobs", str(tmp_path / "kept"))

    def picture(number: int) -> bytes:
        return png(draw_plate(number))

    for _ in range(KILLS):
        with service(*options, home=tmp_path / "home") as (process, url):
            again += settle(url, book, picture, chance)
            kill_amid_work(process, url, book, picture, chance.uniform(0.2, 1.0))
    with service(*options, home=tmp_path / "home") as (_, url):
        again += settle(url, book, picture, chance)
        assert_all_kept(url, book, picture)
    figures = {"kills": KILLS, "acknowledged_before_a_kill": len(book.sent) - again, "sent_again": again}
    for name, value in figures.items():
        record_property(name, value)
    verified = andon("ledger", "verify", "--db", database_address, "--json")
    assert verified.code == 0, verified
    assert [each["count"] for each in verified.documents] == [len(book.sent)]
    if database_address.startswith("sqlite"):
        with closing(sqlite3.connect(database_address.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def kill_amid_work(process: subprocess.Popen[str], url: str, book: Book, picture: Picture, after_s: float) -> None:
    """Post from several clients at once; kill the service under them some time after the first answer."""
    under_way = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while True:
                number = next(book.numbers)
                book.sent.append(number)
                try:
                    book.note(number, post(client, picture, number))
                except httpx.TransportError:
                    return
                finally:
                    under_way.set()

    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(ask) for _ in range(CLIENTS)]
        under_way.wait()
        threading.Event().wait(after_s)
        process.kill()
    for each in asked:
        each.result()
    assert not book.refused


def settle(url: str, book: Book, picture: Picture, chance: random.Random) -> int:
    """After a kill: what was acknowledged stands; what was not is sent again. Return how many those were."""
    unanswered, answered = book.unanswered, sorted(book.answers)
    with httpx.Client(base_url=url, timeout=30) as client:
        for number in {*answered[-50:], *chance.sample(answered, min(len(answered), 10))}:
            assert_kept(client, picture, number, book.answers[number])
        for number in unanswered + chance.sample(answered, min(len(answered), 3)):
            for _ in range(2):
                book.note(number, post(client, picture, number))
        chains = client.get("/api/v1/ledger/chains").json()["items"]
    assert not book.refused
    assert not book.unanswered
    assert sum(each["count"] for each in chains) == len(book.sent)
    return len(unanswered)


def assert_all_kept(url: str, book: Book, picture: Picture) -> None:
    """Every answer stands, and nothing else does."""
    with httpx.Client(base_url=url, timeout=30) as client:
        for number, answer in book.answers.items():
            assert_kept(client, picture, number, answer)
        listed = list(every_serial(client))
    assert sorted(listed) == sorted(map(serial, book.sent))


def assert_kept(client: httpx.Client, picture: Picture, number: int, answer: bytes) -> None:
    path = f"{URL}/{json.loads(answer)['id']}"
    assert client.get(path).content == answer
    assert client.get(f"{path}/image").content == picture(number)


def every_serial(client: httpx.Client) -> Iterator[str]:
    query = {"limit": "100"}
    while True:
        page = client.get(URL, params=query).json()
        yield from (each["serial"] for each in page["items"])
        if page["next"] is None:
            return
        query["cursor"] = page["next"]


def post(client: httpx.Client, picture: Picture, number: int) -> httpx.Response:
    about, once = {"serial": serial(number)}, {"Idempotency-Key": f"key-{number}"}
    return client.post(URL, params=about, content=picture(number), headers=once)


def serial(number: int) -> str:
    return f"P-{number}"
