"""Server-sent events: what is broadcast reaches every reader in order, and none of them costs the service."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from andon.models.messages.catalogue import catalogue
from andon.models.types.vision import Frame
from andon.serving.api.events import EventEndpoints, EventTimes
from andon.serving.api.problems import Problems
from andon.serving.engine.broadcast import BATCH_EVENTS, Batch, Broadcast, Kept

PATIENCE_S = 10.0
"""How long a test waits for what must come; far longer than it takes."""


@dataclass
class Said:
    """One event as a reader sees it."""

    event: str = "message"
    data: list[str] = field(default_factory=list)
    id: str | None = None

    @property
    def document(self) -> object:
        return json.loads("\n".join(self.data))


class Stream:
    """Reads a stream by the standard: lines, fields, and an empty line after each event; comments are counted."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.iter_lines()
        self.comments = 0
        self._deadline = time.monotonic() + PATIENCE_S

    def __iter__(self) -> Iterator[Said]:
        said = Said()
        for line in self.lines:
            name, _, value = line.partition(":")
            if not line:
                if said.data:
                    yield said
                said = Said()
            elif not name:
                self.comments += 1
                assert time.monotonic() < self._deadline, "nothing but comments"
            elif name == "data":
                said.data.append(value.removeprefix(" "))
            elif name == "event":
                said.event = value.strip()
            elif name == "id":
                said.id = value.strip()

    def take(self, count: int) -> list[Said]:
        return [said for _, said in zip(range(count), self, strict=False)]


@dataclass
class Server:
    url: str
    broadcast: Broadcast
    stop: Callable[[], bool]
    """Begin to stop; whether the server ended."""

    @contextmanager
    def reading(self, last_id: str | None = None, **query: str) -> Iterator[Stream]:
        headers = {} if last_id is None else {b"Last-Event-ID": last_id.encode()}
        with httpx.stream("GET", self.url, params=query, headers=headers, timeout=PATIENCE_S) as response:
            assert response.status_code == 200
            stream = Stream(response)
            # The opening: from then on every event comes.
            while next(stream.lines):
                pass
            yield stream

    def await_readers(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.broadcast.n_readers != count:
            assert time.monotonic() < deadline, self.broadcast.n_readers
            time.sleep(0.01)


class _Leaving(uvicorn.Server):
    """Lets the readers go before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leave()
        await super().shutdown(sockets)


@contextmanager
def serving(broadcast: Broadcast, times: EventTimes) -> Iterator[Server]:
    app = FastAPI()
    app.include_router(EventEndpoints(broadcast, times).router())
    Problems(catalogue).install(app)
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Leaving(uvicorn.Config(app, log_config=None, access_log=False), broadcast.close)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()

    def stop() -> bool:
        server.should_exit = True
        thread.join(PATIENCE_S)
        return not thread.is_alive()

    url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1/events"
    try:
        while not server.started:
            time.sleep(0.01)
        yield Server(url, broadcast, stop)
    finally:
        server.force_exit = True
        stop()
        listener.close()


@pytest.fixture
def events() -> Iterator[Server]:
    with serving(Broadcast(kept=Kept(events=8)), EventTimes(heartbeat_s=0.05, stall_s=0.2)) as started:
        yield started


def documents(stream: Stream, count: int) -> list[object]:
    return [said.document for said in stream.take(count)]


def test_every_reader_sees_what_it_asked_for_in_order(events: Server) -> None:
    with events.reading() as all_of_them, events.reading(topics="alerts") as alerts:
        assert all_of_them.response.headers["content-type"].startswith("text/event-stream")
        assert all_of_them.response.headers["cache-control"] == "no-store"
        events.broadcast.publish("verdicts", b'{"verdict": "NG",\n "part": "\xe6\x9d\xbf 1"}')
        events.broadcast.publish("alerts", {"asset": "pump 1"})
        first, second = all_of_them.take(2)
        assert (first.event, first.document) == ("verdicts", {"verdict": "NG", "part": "板 1"})
        assert (second.event, second.document) == ("alerts", {"asset": "pump 1"})
        assert [first.id, second.id] == sorted({first.id, second.id}, key=str)
        assert documents(alerts, 1) == [{"asset": "pump 1"}]


def test_who_comes_back_gets_what_it_missed(events: Server) -> None:
    with events.reading() as stream:
        events.broadcast.publish("verdicts", {"n": 1})
        (seen,) = stream.take(1)
    for number in (2, 3):
        events.broadcast.publish("verdicts", {"n": number})
    with events.reading(seen.id) as again:
        assert documents(again, 2) == [{"n": 2}, {"n": 3}]
    with events.reading(seen.id, topics="alerts") as other:
        events.broadcast.publish("alerts", {"n": 4})
        assert documents(other, 1) == [{"n": 4}]


def test_one_that_saw_nothing_yet_comes_back_too(events: Server) -> None:
    headers = {}
    with httpx.stream("GET", events.url, timeout=PATIENCE_S) as response:
        opening = Stream(response)
        for line in opening.lines:
            name, _, value = line.partition(": ")
            if name == "id":
                headers["Last-Event-ID"] = value
            if name == "retry":
                break
    events.broadcast.publish("verdicts", {"n": 1})
    with events.reading(headers["Last-Event-ID"]) as again:
        assert documents(again, 1) == [{"n": 1}]


def test_what_is_no_longer_kept_is_said_to_be_lost(events: Server) -> None:
    with events.reading() as stream:
        events.broadcast.publish("alerts", {"n": 0})
        (seen,) = stream.take(1)
    for number in range(20):
        events.broadcast.publish("verdicts", {"n": number})
    with events.reading(seen.id) as again:
        lost, *rest = again.take(9)
    assert (lost.event, lost.document, lost.id) == ("lost", {"topics": ["verdicts"]}, None)
    assert [said.document for said in rest] == [{"n": number} for number in range(12, 20)]


@pytest.mark.parametrize("last_id", ["0" * 16 + "-3", "nonsense", "-", "9" * 5000, "²"])
def test_an_id_of_another_run_gives_all_there_is(events: Server, last_id: str) -> None:
    events.broadcast.publish("verdicts", {"n": 1})
    with events.reading(last_id) as stream:
        lost, said = stream.take(2)
    assert (lost.event, lost.document) == ("lost", {"topics": ["verdicts", "alerts"]})
    assert said.document == {"n": 1}


def test_silence_is_broken_by_comments(events: Server) -> None:
    with events.reading() as stream:
        # The comments go by while the event is awaited, which comes long after the first of them.
        threading.Timer(0.5, events.broadcast.publish, ("verdicts", {"n": 1})).start()
        assert documents(stream, 1) == [{"n": 1}]
        assert stream.comments > 1


def test_an_unknown_topic_is_a_problem(events: Server) -> None:
    for topics in ("verdict", "verdicts,", ","):
        response = httpx.get(events.url, params={"topics": topics}, headers={"Accept-Language": "zh"})
        assert (response.status_code, response.json()["code"]) == (400, "events.topic")
        assert "verdicts, alerts" in response.json()["detail"]


def test_a_reader_that_leaves_is_noticed(events: Server) -> None:
    with events.reading(), events.reading():
        events.await_readers(2)
    events.await_readers(0)


def test_a_reader_that_takes_nothing_is_let_go_and_holds_up_nobody(events: Server) -> None:
    document = {"filler": "x" * 100_000}
    with contextlib.closing(socket.socket()) as stalled, events.reading() as lively:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = httpx.URL(events.url).host, httpx.URL(events.url).port
        stalled.connect((host, port))
        stalled.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        events.await_readers(2)
        for number in range(100):
            events.broadcast.publish("verdicts", {**document, "n": number})
            (said,) = lively.take(1)
            assert said.document == {**document, "n": number}
        events.await_readers(1)
        received = b"".join(iter(lambda: stalled.recv(1 << 16), b""))
    assert received.count(b"event: verdicts") < 100
    assert not received.endswith(b"0\r\n\r\n"), "a whole answer would say that all was sent"


def test_the_service_ends_though_readers_stay(events: Server) -> None:
    with events.reading() as stream, events.reading() as other:
        assert events.stop()
        assert list(stream) == list(other) == []


def test_many_readers_see_events_from_many_threads(events: Server) -> None:
    n_readers, n_threads, each = 40, 4, 25
    heard: list[list[Said]] = []

    def read() -> None:
        with events.reading() as stream:
            heard.append(list(_until_end(stream)))

    def write(thread: int) -> None:
        for number in range(each):
            events.broadcast.publish("verdicts", {"thread": thread, "n": number})
            time.sleep(0.005)

    readers = [threading.Thread(target=read) for _ in range(n_readers)]
    writers = [threading.Thread(target=write, args=(thread,)) for thread in range(n_threads)]
    for reader in readers:
        reader.start()
    events.await_readers(n_readers)
    for writer in writers:
        writer.start()
    _join(writers)
    events.broadcast.publish("alerts", {"end": True})
    _join(readers)
    assert len(heard) == n_readers
    for one in heard:
        _check_heard(one, n_threads, each)


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE_S)


def _check_heard(heard: list[Said], n_threads: int, each: int) -> None:
    """What came was in each writer's order, and what did not was named."""
    seen: list[Any] = [said.document for said in heard if said.event == "verdicts"]
    assert seen
    for thread in range(n_threads):
        numbers = [document["n"] for document in seen if document["thread"] == thread]
        assert numbers == sorted(set(numbers))
    assert len(seen) == n_threads * each or any(said.event == "lost" for said in heard)


def _until_end(stream: Stream) -> Iterator[Said]:
    for said in stream:
        if said.event == "alerts":
            return
        yield said


def test_a_verdict_is_told(server: str, draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]) -> None:
    with httpx.stream("GET", f"http://{server}/api/v1/events?topics=verdicts", timeout=PATIENCE_S) as response:
        stream = Stream(response)
        answer = httpx.post(f"http://{server}/api/v1/inspections?serial=7", content=png(draw_plate(3))).json()
        (said,) = stream.take(1)
    assert (said.event, said.document) == ("verdicts", answer)


STEPS = st.lists(st.sampled_from(["verdicts", "alerts"]) | st.just("read") | st.just("return"), max_size=60)


@given(STEPS, st.integers(1, 6), st.sets(st.sampled_from(["verdicts", "alerts"]), min_size=1))
def test_nothing_is_missed_without_being_said_so(steps: list[str], kept: int, topics: set[str]) -> None:
    """Whatever is published, read and resumed: what a reader has neither seen nor been told of as lost is still to come."""

    async def run() -> None:
        broadcast = Broadcast(kept=Kept(events=kept))
        published: list[tuple[int, str]] = []
        seen: list[int] = []
        excused: set[int] = set()
        context = broadcast.reader(sorted(topics))
        reader = context.__enter__()
        last_id = reader.first_id
        for step in [*steps, *["read"] * 3]:
            if step in ("verdicts", "alerts"):
                published.append((len(published) + 1, step))
                broadcast.publish(step, b"{}")
            elif step == "read":
                batch: Batch = await reader.read(timeout_s=0)
                numbers = [event.number for event in batch.events]
                assert numbers == sorted(numbers) and not set(numbers) & set(seen)
                excused |= {number for number, topic in published if topic in batch.lost and number not in seen}
                seen += numbers
                last_id = batch.events[-1].id if batch.events else last_id
            else:
                context.__exit__(None, None, None)
                context = broadcast.reader(sorted(topics), last_id)
                reader = context.__enter__()
        wanted = {number for number, topic in published if topic in topics}
        assert wanted <= set(seen) | excused
        assert set(seen) <= wanted
        context.__exit__(None, None, None)

    asyncio.run(run())


def test_a_batch_is_bounded_and_the_rest_follows() -> None:
    async def run() -> list[int]:
        broadcast = Broadcast()
        with broadcast.reader(["verdicts"]) as reader:
            for _ in range(BATCH_EVENTS + 5):
                broadcast.publish("verdicts", b"{}")
            return [len((await reader.read(timeout_s=0)).events) for _ in range(3)]

    assert asyncio.run(run()) == [BATCH_EVENTS, 5, 0]


def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    async def run() -> Batch:
        broadcast = Broadcast(kept=Kept(events=1000, megabytes=1))
        with broadcast.reader(["alerts"]) as reader:
            for _ in range(5):
                broadcast.publish("alerts", b'"' + bytes(400 << 10) + b'"')
            broadcast.publish("alerts", b'"' + bytes(2 << 20) + b'"')
            return await reader.read(timeout_s=0)

    batch = asyncio.run(run())
    assert batch.lost == ["alerts"]
    assert [event.number for event in batch.events] == [6], "the last one is kept however large it is"


def test_a_reader_that_waits_is_woken_from_another_thread() -> None:
    async def run() -> tuple[list[str], bool]:
        broadcast, for_ever_s = Broadcast(), 1e6
        async with asyncio.timeout(PATIENCE_S):
            with broadcast.reader(["alerts"]) as reader:
                threading.Timer(0.1, broadcast.publish, ("verdicts", b"{}")).start()
                threading.Timer(0.2, broadcast.publish, ("alerts", b"{}")).start()
                # What it did not ask for wakes it too, to no purpose.
                batches = [await reader.read(for_ever_s), await reader.read(for_ever_s)]
                threading.Timer(0.1, broadcast.close).start()
                last = await reader.read(for_ever_s)
                return [event.topic for batch in [*batches, last] for event in batch.events], reader.closed

    assert asyncio.run(run()) == (["alerts"], True)


def test_a_closed_broadcast_lets_later_readers_go_too() -> None:
    async def run() -> bool:
        broadcast = Broadcast()
        broadcast.publish("alerts", b"{}")
        broadcast.close()
        with broadcast.reader(["alerts"]) as reader:
            await reader.read(timeout_s=PATIENCE_S)
            return reader.closed

    assert asyncio.run(run())
