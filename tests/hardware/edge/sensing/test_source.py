"""A source is drawn whatever the disk refuses; only a fault of the program ends it, and the agent is told."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from tests.serving.notify.receivers import eventually

from andon.datasets.store.conditions import Conditions
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.room import Room
from andon.hardware.acquisition.standing import Report
from andon.hardware.edge.sensing import source as running
from andon.hardware.edge.sensing.alerts import AlertTeller
from andon.hardware.edge.sensing.arrivals import Arrival, Arrivals, Piece
from andon.hardware.edge.sensing.sensing import Sensing, Silence
from andon.hardware.edge.sensing.source import Open, SourceParts, SourceRun
from andon.hardware.edge.threads import ThreadEndedError
from andon.models.alerts.case import AlertPolicy
from andon.models.types.errors import DataError, RecordError, ResourceError


class Hand:
    """A source of ``count`` pieces in the hands of a test: it notes what was taken of it, and what was kept."""

    def __init__(self, count: int, refusals: Sequence[Exception] = ()) -> None:
        self.count = count
        self.refusals = list(refusals)
        self.taken: list[int] = []
        self.kept: list[int] = []
        self.report: Report | None = None
        self.may_end = Event()

    @contextmanager
    def open(self, report: Report, stop: Event) -> Iterator[Arrivals]:
        self.report = report
        yield self._arrivals(stop)

    def _arrivals(self, stop: Event) -> Arrivals:
        for number in range(self.count):
            yield Arrival(None, iter([Piece("P-1", lambda number=number: self._keep(number))]))  # type: ignore[misc]
            self.taken.append(number)
        while not (stop.is_set() or self.may_end.is_set()):
            stop.wait(0.01)

    def _keep(self, number: int) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.kept.append(number)


def run_of(tmp_path: Path, opens: Open, lost: Callable[[str], None] = print) -> SourceRun:
    return SourceRun(SourceParts("hand", "test", opens, Room(tmp_path, 0), lost))


@contextmanager
def drawn(run: SourceRun) -> Iterator[Event]:
    stop = Event()
    thread = Thread(target=run.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "RETRY_S", 0.01)


def full() -> ResourceError:
    return ResourceError("store.full", "disk", reason="full")


def test_what_the_disk_refuses_is_kept_later_and_only_then_taken(tmp_path: Path) -> None:
    hand = Hand(2, [full()] * 5)
    run = run_of(tmp_path, hand.open)
    with drawn(run):
        eventually(lambda: hand.taken == [0, 1])
    assert hand.kept == [0, 1]
    assert run.figures.failure is None


def test_what_was_not_kept_when_it_ends_is_not_taken(tmp_path: Path) -> None:
    hand = Hand(2, [full()] * 10_000)
    run = run_of(tmp_path, hand.open)
    with drawn(run):
        eventually(lambda: run.figures.failure is not None)
    assert (hand.taken, hand.kept) == ([], [])


def test_what_can_never_be_kept_is_said_and_left_out(tmp_path: Path) -> None:
    hand = Hand(1, [RecordError("edge.no_snapshot", "P-1/DE", found=1, rate=1000, time="-", expected=16)])
    run = run_of(tmp_path, hand.open)
    with drawn(run):
        eventually(lambda: hand.taken == [0])
        assert run.figures.failure is not None
    assert hand.kept == []


def test_a_source_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    hand, refusals = Hand(1), [full(), DataError("edge.ended", "folder")]

    @contextmanager
    def opens(report: Report, stop: Event) -> Iterator[Arrivals]:
        if refusals:
            raise refusals.pop()
        with hand.open(report, stop) as arrivals:
            yield arrivals

    with drawn(run_of(tmp_path, opens)):
        eventually(lambda: hand.kept == [0])


def test_its_machines_are_lost_with_a_source_and_not_with_a_record(tmp_path: Path) -> None:
    hand, lost = Hand(1), list[str]()
    run = run_of(tmp_path, hand.open, lost.append)
    with drawn(run):
        eventually(lambda: hand.taken == [0])
        assert hand.report
        hand.report(RecordError("record.empty", "a.wav"))
        assert (lost, run.figures.failure is None) == ([], False)
        hand.report(ResourceError("acquisition.away", "10.0.0.1", reason="no answer"))
    assert lost == ["P-1"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, StoreOptions("line-1", reserve_bytes=0))
    with opened.database:
        yield opened


def sensing_of(store: Store, run: SourceRun) -> Sensing:
    alerts = AlertTeller(store.database, [])
    return Sensing(store, [run], Silence(Conditions(store.database, alerts), AlertPolicy(), alerts, 60.0), ())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("end", [RuntimeError("a fault of the program"), None])
def test_the_agent_is_told_of_a_source_that_has_ended(tmp_path: Path, store: Store, end: Exception | None) -> None:
    hand = Hand(1, [end] if end else [])
    with sensing_of(store, run_of(tmp_path, hand.open)) as sensing:
        if end is None:
            sensing.check()
            hand.may_end.set()
        with pytest.raises(ThreadEndedError) as ended:
            eventually(lambda: sensing.check())
    assert ended.value.subject == "sensor hand"
