"""What every ``LineLink`` keeps to, whatever it is made of."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Timer
from time import monotonic

import pytest
from tests.hardware.plc.wires import BUSY, NAMES, NG, OK, READY, TRIGGER, Pair, pair, read_at_last
from tests.serving.notify.receivers import eventually

from andon.models.types.line import LineInputs, LineLostError, LineOutputs

LONG_S = 20.0


@pytest.fixture(scope="module", params=NAMES)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(request.param, tmp_path_factory.mktemp(request.param)) as line:
        yield line


@pytest.fixture
def line(opened: Pair) -> Iterator[Pair]:
    yield opened
    opened.come_back()


@pytest.fixture
def connected(line: Pair) -> Pair:
    start(line)
    return line


def start(line: Pair) -> None:
    """Have both sides meet: each says something, until the other one hears it."""
    ready = replace(READY, heartbeat=77)

    def both() -> bool:
        said: list[LineInputs] = []
        heard: list[LineOutputs] = []
        sides: tuple[Callable[[], object], ...] = (
            lambda: said.append(line.link.read(0.0)),
            lambda: line.link.write(ready),
            lambda: heard.append(line.wire.exchange(LineInputs())),
        )
        for side in sides:
            with suppress(LineLostError):
                side()
        return heard == [ready] and said == [LineInputs()]

    eventually(both, 15.0)


def test_a_plc_that_was_never_there_is_lost(line: Pair) -> None:
    line.leave()
    with pytest.raises(LineLostError):
        line.link.read(0.0)


def test_what_the_plc_says_is_read(connected: Pair) -> None:
    connected.said(TRIGGER)
    read_at_last(connected.link, TRIGGER)
    connected.said(LineInputs(results_ack=True))
    read_at_last(connected.link, LineInputs(results_ack=True))


def test_values_are_looked_at_only_under_a_trigger(connected: Pair) -> None:
    connected.said(replace(TRIGGER, trigger=False, results_ack=True))
    read_at_last(connected.link, LineInputs(results_ack=True))


def test_what_the_station_says_is_heard(connected: Pair) -> None:
    for said in (BUSY, OK, NG, READY):
        connected.link.write(said)
        assert connected.until(LineInputs(), lambda heard, said=said: heard == said) == said  # type: ignore[misc]
        connected.link.read(0.0)


def test_a_read_ends_as_soon_as_the_plc_says_something_else(connected: Pair) -> None:
    read_at_last(connected.link, LineInputs())
    begin_s = monotonic()
    timer = Timer(0.2, lambda: connected.said(TRIGGER))
    timer.start()
    assert connected.link.read(LONG_S) == TRIGGER
    assert monotonic() - begin_s < LONG_S / 4
    timer.join()


def test_a_read_waits_while_nothing_changes(connected: Pair) -> None:
    read_at_last(connected.link, LineInputs())
    begin_s = monotonic()
    assert connected.link.read(0.3) == LineInputs()
    assert monotonic() - begin_s >= 0.3


def test_a_plc_that_leaves_is_lost_and_what_it_says_later_is_read(connected: Pair) -> None:
    connected.said(TRIGGER)
    read_at_last(connected.link, TRIGGER)
    connected.leave()
    with pytest.raises(LineLostError):
        _read_on(connected)
    with pytest.raises(LineLostError):
        connected.link.read(0.05)
    with pytest.raises(LineLostError):
        connected.link.write(OK)
    connected.come_back()
    start(connected)
    connected.said(TRIGGER)
    read_at_last(connected.link, TRIGGER)
    connected.link.write(OK)
    assert connected.until(TRIGGER, lambda heard: heard == OK) == OK


def test_a_loss_ends_a_read_that_waits(connected: Pair) -> None:
    read_at_last(connected.link, LineInputs())
    begin_s = monotonic()
    timer = Timer(0.2, connected.leave)
    timer.start()
    with pytest.raises(LineLostError):
        connected.link.read(LONG_S)
    assert monotonic() - begin_s < LONG_S / 4
    timer.join()


def test_while_the_plc_is_away_a_read_waits_for_it(connected: Pair) -> None:
    connected.leave()
    with pytest.raises(LineLostError):
        _read_on(connected)
    begin_s = monotonic()
    with pytest.raises(LineLostError):
        connected.link.read(0.3)
    assert monotonic() - begin_s >= 0.05, "a station that looks again and again must not spin"


def _read_on(line: Pair) -> None:
    for _ in range(100):
        line.link.read(0.1)
