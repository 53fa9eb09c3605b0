"""Serial numbers of boards that the machine upstream hands over."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from tests.serving.notify.receivers import eventually, free_port

from andon.hardware.edge.stations.serials import BoardSerials, NoBoardError, NoSerials, PlcSerials
from andon.hardware.plc.handshake import Trigger
from andon.hardware.plc.hermes import Connecting, HermesSettings
from andon.hardware.sim.simulated_hermes import SimulatedBoard, SimulatedUpstreamMachine

BOARDS = [SimulatedBoard(f"b-{number}", {"TopBarcode": f"SN{number}"}) for number in (1, 2)]
TRIGGER = Trigger(7, 0, "PLC-7")


class Attended:
    """A station's thread: it attends as often as it turns."""

    def __init__(self, serials: BoardSerials) -> None:
        self.serials = serials
        self.is_free = True
        self._stop = Event()
        self._thread = Thread(target=self._attend)

    def _attend(self) -> None:
        while not self._stop.wait(0.01):
            self.serials.attend(self.is_free)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def attended(port: int) -> Iterator[Attended]:
    settings = HermesSettings(machine_id="aoi", pause_s=0.05)
    with BoardSerials(Connecting("127.0.0.1", port), settings) as serials:
        made = Attended(serials)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def names(machine: SimulatedUpstreamMachine) -> list[str]:
    return [name for name, _ in machine.heard if name not in ("ServiceDescription", "CheckAlive")]


def test_each_board_is_handed_over_and_named_once() -> None:
    with SimulatedUpstreamMachine(BOARDS) as machine, attended(machine.port) as station:
        for number in (1, 2):
            eventually(lambda: names(machine).count("StopTransport") == number)  # noqa: B023
            station.is_free = False
            assert station.serials.take(TRIGGER) == f"SN{number}"
            with pytest.raises(NoBoardError):
                station.serials.take(TRIGGER)
            station.is_free = True
        assert names(machine)[:6] == ["MachineReady", "StartTransport", "StopTransport"] * 2


def test_no_board_is_asked_for_while_one_is_there() -> None:
    with SimulatedUpstreamMachine(BOARDS) as machine, attended(machine.port):
        eventually(lambda: "StopTransport" in names(machine))
        Event().wait(0.3)
        assert names(machine) == ["MachineReady", "StartTransport", "StopTransport"]


def test_a_station_that_is_not_free_takes_back_that_it_is() -> None:
    with SimulatedUpstreamMachine([]) as machine, attended(machine.port) as station:
        eventually(lambda: names(machine) == ["MachineReady"])
        station.is_free = False
        eventually(lambda: names(machine) == ["MachineReady", "RevokeMachineReady"])


def test_a_board_that_did_not_arrive_is_none() -> None:
    with SimulatedUpstreamMachine(BOARDS[:1], transfer_state=1) as machine, attended(machine.port) as station:
        eventually(lambda: ("StopTransport", {"TransferState": "2", "BoardId": "b-1"}) in machine.heard)
        station.is_free = False
        with pytest.raises(NoBoardError) as refused:
            station.serials.take(TRIGGER)
        assert refused.value.code == "hermes.no_board"


def test_a_board_that_is_here_stays_known_when_the_connection_breaks() -> None:
    with SimulatedUpstreamMachine(BOARDS) as machine, attended(machine.port) as station:
        eventually(lambda: "StopTransport" in names(machine))
        machine.cut()
        eventually(lambda: [name for name, _ in machine.heard].count("ServiceDescription") == 2)
        assert station.serials.take(TRIGGER) == "SN1"


def test_a_board_without_a_barcode_goes_by_its_id() -> None:
    with SimulatedUpstreamMachine([SimulatedBoard("b-9")]) as machine, attended(machine.port) as station:
        eventually(lambda: "StopTransport" in names(machine))
        assert station.serials.take(TRIGGER) == "b-9"


def test_a_machine_that_is_away_is_told_of() -> None:
    with attended(free_port()) as station:
        eventually(lambda: "refused" in str(station.serials.failure))
        with pytest.raises(NoBoardError) as refused:
            station.serials.take(TRIGGER)
        assert "refused" in str(refused.value.params["reason"])


def test_a_plc_says_its_own_and_nobody_none() -> None:
    assert (PlcSerials().take(TRIGGER), NoSerials().take(TRIGGER)) == ("PLC-7", "")
