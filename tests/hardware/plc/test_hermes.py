"""Board data from the machine upstream, as it comes and as it must not come."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.serving.notify.receivers import eventually

from andon.hardware.plc.hermes import (
    BoardEvent,
    Connecting,
    HermesLink,
    HermesLostError,
    HermesSession,
    HermesSettings,
    HermesState,
    Listening,
    Opening,
    Transfer,
)
from andon.hardware.plc.hermes_messages import (
    MOST_BYTES,
    Board,
    BoardQuality,
    HermesError,
    HermesMessage,
    HermesReader,
    Side,
    board_of,
    parse,
    write,
)
from andon.hardware.sim.simulated_hermes import SimulatedBoard, SimulatedUpstreamMachine

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
SETTINGS = HermesSettings(machine_id="aoi 1", alive_s=5.0, pause_s=0.05)
FIRST = SimulatedBoard("b-1", {"TopBarcode": "SN-1", "FailedBoard": "2", "ProductTypeId": "P7"})
SECOND = SimulatedBoard("b-2", {"BottomBarcode": "SN-2", "FailedBoard": "1", "FlippedBoard": "2"})
DESCRIPTION = HermesMessage("ServiceDescription", {"MachineId": "upstream"})

ATTRIBUTES = st.dictionaries(
    st.from_regex(r"[A-Z][A-Za-z]{0,12}", fullmatch=True), st.text(st.characters(codec="utf-8")), max_size=4
)
MESSAGES = st.builds(
    HermesMessage,
    st.sampled_from(["BoardAvailable", "CheckAlive", "Notification", "SomethingNewer"]),
    ATTRIBUTES,
    st.sampled_from([(), ("SupportedFeatures/FeatureCheckAliveResponse",), ("SubBoards/SB", "More")]),
)


def available(board: str = "b-1", **more: str) -> HermesMessage:
    return HermesMessage("BoardAvailable", {"BoardId": board, **more})


def in_xml(value: str) -> str:
    """What of a text XML 1.0 can hold (production 2)."""
    return "".join(each for each in value if each in "\t\n\r" or (ord(each) >= 0x20 and each not in "\ufffe\uffff"))


@settings(max_examples=150, deadline=None)
@given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(1, 60), min_size=1))
def test_messages_are_read_however_the_stream_is_cut(messages: list[HermesMessage], cuts: list[int]) -> None:
    stream = b" \r\n".join(write(message, NOW) for message in messages)
    reader, at = HermesReader(), 0
    found: list[HermesMessage] = []
    while at < len(stream):
        size = cuts[at % len(cuts)]
        found += reader.feed(stream[at : at + size])
        at += size
    expected = [
        HermesMessage(each.name, {name: in_xml(value) for name, value in each.attributes.items()}, each.elements)
        for each in messages
    ]
    assert found == expected


def test_a_document_is_written_as_the_standard_shows_it() -> None:
    message = HermesMessage("StopTransport", {"TransferState": "3", "BoardId": '<"&'})
    assert write(message, NOW) == (
        b'<Hermes Timestamp="2026-01-02T03:04:05.678"><StopTransport TransferState="3" BoardId=' + quoteattr('<"&').encode()
        + b"></StopTransport></Hermes>"
    )  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='<>/"=!&;HermsBoardX [].-', max_size=200).map(str.encode))
@example(b"<Hermes><A></Hermes>")
@example(b"</Hermes>")
@example(b"<Hermes></Hermes>")
@example(b"<A></A></Hermes>")
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    reader = HermesReader()
    try:
        list(reader.feed(data))
        list(reader.feed(b"</Hermes>"))
    except HermesError:
        pass


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_message_is_read_or_refused(data: st.DataObject) -> None:
    whole = write(HermesMessage("BoardAvailable", {"BoardId": "b", "FailedBoard": "1", "TopBarcode": "件"}), NOW)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 4)) :]
    try:
        for message in HermesReader().feed(damaged):
            if message.name == "BoardAvailable":
                board_of(message)
    except HermesError:
        pass


BOMB = (
    b'<!DOCTYPE Hermes [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Hermes Timestamp="&b;"><CheckAlive/></Hermes>'
)
OUTSIDE = b'<!DOCTYPE Hermes SYSTEM "file:///etc/passwd"><Hermes><CheckAlive/></Hermes>'


@pytest.mark.parametrize("document", [BOMB, OUTSIDE])
def test_a_document_type_is_refused(document: bytes) -> None:
    with pytest.raises(HermesError) as refused:
        parse(document)
    assert refused.value.params["reason"] == "document type"


def test_what_is_held_of_a_stream_is_bounded() -> None:
    reader = HermesReader()
    with pytest.raises(HermesError) as refused:
        for _ in range(MOST_BYTES):
            assert not list(reader.feed(b"<Hermes><A>" * 100))
    assert refused.value.code == "hermes.size"
    assert len(reader._buffer) < MOST_BYTES + 2000
    whole = write(HermesMessage("Notification", {"Description": "x" * MOST_BYTES}), NOW)
    with pytest.raises(HermesError):
        list(HermesReader().feed(whole))


def test_a_board_has_its_quality_and_the_barcode_of_the_side_that_is_up() -> None:
    board = board_of(
        available(
            BoardIdCreatedBy="printer",
            FailedBoard="2",
            FlippedBoard="1",
            TopBarcode="T",
            BottomBarcode="B",
            Length="250.5",
        )
    )
    assert (board.id, board.created_by, board.quality, board.side_up) == (
        "b-1",
        "printer",
        BoardQuality.FAILED,
        Side.TOP,
    )
    assert (board.serial, board.attributes["Length"]) == ("T", "250.5")
    assert board_of(available(FlippedBoard="2", TopBarcode="T", BottomBarcode="B")).serial == "B"
    assert board_of(available(FlippedBoard="02", TopBarcode="T")).serial == "T"
    assert board_of(available()).serial == ""


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({}, "BoardId"),
        ({"BoardId": "b", "FailedBoard": "3"}, "FailedBoard"),
        ({"BoardId": "b", "FlippedBoard": "²"}, "FlippedBoard"),
        ({"BoardId": "b", "FlippedBoard": "9" * 5000}, "FlippedBoard"),
    ],
)
def test_a_board_that_cannot_be_is_named(attributes: dict[str, str], name: str) -> None:
    with pytest.raises(HermesError) as refused:
        board_of(HermesMessage("BoardAvailable", attributes))
    assert refused.value.params["name"] == name


def test_what_the_machines_say_must_belong_to_where_they_stand() -> None:
    session, told = HermesSession().heard(DESCRIPTION)
    session, told = session.heard(available())
    assert [event for event, _ in told] == [BoardEvent.AVAILABLE]
    with pytest.raises(HermesError):
        session.heard(available())
    with pytest.raises(HermesError):
        session.said(HermesMessage("StartTransport", {"BoardId": "b-1"}))
    with pytest.raises(HermesError):
        session.heard(HermesMessage("TransportFinished", {"BoardId": "b-1", "TransferState": "3"}))
    with pytest.raises(HermesError):
        HermesSession().heard(available())
    session, _ = session.said(HermesMessage("MachineReady"))
    session, _ = session.said(HermesMessage("StartTransport", {"BoardId": "b-1"}))
    crossing, told = session.heard(HermesMessage("RevokeBoardAvailable"))
    assert (crossing, told) == (session, ())
    with pytest.raises(HermesError) as other:
        session.heard(HermesMessage("TransportFinished", {"BoardId": "b-2", "TransferState": "3"}))
    assert other.value.code == "hermes.board"


NAMES = (
    "ServiceDescription",
    "BoardAvailable",
    "RevokeBoardAvailable",
    "TransportFinished",
    "CheckAlive",
    "BoardForecast",
)
SAYINGS = ("MachineReady", "RevokeMachineReady", "StartTransport", "StopTransport")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*NAMES, *SAYINGS]), max_size=40))
def test_a_board_is_known_exactly_while_there_is_one(names: list[str]) -> None:
    session, open_boards = HermesSession(), 0
    for name in names:
        message = HermesMessage(name, {"BoardId": "b", "TransferState": "3"})
        try:
            session, told = session.said(message) if name in SAYINGS else session.heard(message)
        except HermesError:
            continue
        for event, _ in told:
            open_boards += {BoardEvent.AVAILABLE: 1, BoardEvent.REVOKED: -1, BoardEvent.ARRIVED: -1}.get(event, 0)
        assert open_boards in (0, 1)
        if session.state in (HermesState.CONNECTED, HermesState.NOT_AVAILABLE_NOT_READY, HermesState.MACHINE_READY):
            assert session.board is None
        else:
            assert session.board is not None


class Heard(list[tuple[BoardEvent, Board]]):
    """What the station was told of boards."""

    def note(self, event: BoardEvent, board: Board) -> None:
        self.append((event, board))

    @property
    def events(self) -> list[tuple[BoardEvent, str]]:
        return [(event, board.id) for event, board in self]

    def await_last(self, event: BoardEvent, board: SimulatedBoard) -> None:
        eventually(lambda: self and self.events[-1] == (event, board.id))

    def await_count(self, count: int) -> None:
        eventually(lambda: len(self) == count)


@contextmanager
def linked(opening: Opening, hermes: HermesSettings = SETTINGS) -> Iterator[tuple[HermesLink, Heard]]:
    heard = Heard()
    with HermesLink(opening, hermes, heard.note) as link:
        yield link, heard


def test_the_serial_of_the_board_that_waits_is_told() -> None:
    with SimulatedUpstreamMachine([FIRST]) as machine, linked(Connecting("127.0.0.1", machine.port)) as (link, heard):
        eventually(lambda: heard)
        assert (link.failure, link.board) == (None, heard[0][1])
        event, board = heard[0]
        assert (event, board.serial, board.quality, board.product_type) == (
            BoardEvent.AVAILABLE,
            "SN-1",
            BoardQuality.FAILED,
            "P7",
        )
        machine.say("BoardForecast")
        machine.say("RevokeBoardAvailable")
        eventually(lambda: heard.events[-1] == (BoardEvent.REVOKED, "b-1"))
        assert link.board is None
    name, said = machine.heard[0]
    assert (name, said["MachineId"], said["LaneId"]) == ("ServiceDescription", "aoi 1", "1")
    eventually(lambda: machine.heard[-1][0] == "Notification")
    assert machine.heard[-1][1]["NotificationCode"] == "5"


def test_boards_are_taken_one_after_the_other() -> None:
    with (
        SimulatedUpstreamMachine([FIRST, SECOND]) as machine,
        linked(Connecting("127.0.0.1", machine.port)) as (link, heard),
    ):
        for board in (FIRST, SECOND):
            heard.await_last(BoardEvent.AVAILABLE, board)
            link.ready()
            link.not_ready()
            link.ready()
            link.start_transport()
            heard.await_last(BoardEvent.ARRIVED, board)
            assert link.board is not None
            link.stop_transport(Transfer.COMPLETE)
        eventually(lambda: [name for name, _ in machine.heard].count("StopTransport") == 2)
        assert link.board is None
        with pytest.raises(HermesError):
            link.stop_transport(Transfer.COMPLETE)
    assert [each for each in machine.heard if each[0] == "StopTransport"] == [
        ("StopTransport", {"TransferState": "3", "BoardId": "b-1"}),
        ("StopTransport", {"TransferState": "3", "BoardId": "b-2"}),
    ]


def test_a_board_that_stayed_between_the_machines_has_not_arrived() -> None:
    with (
        SimulatedUpstreamMachine([FIRST], transfer_state=2) as machine,
        linked(Connecting("127.0.0.1", machine.port)) as (link, heard),
    ):
        eventually(lambda: heard)
        link.ready()
        link.start_transport()
        eventually(lambda: heard.events[-1] == (BoardEvent.NOT_ARRIVED, "b-1"))


def test_a_lost_connection_is_opened_anew_and_the_board_is_told_again() -> None:
    with SimulatedUpstreamMachine([FIRST]) as machine, linked(Connecting("127.0.0.1", machine.port)) as (link, heard):
        eventually(lambda: heard)
        machine.cut()
        eventually(lambda: heard.events == [(BoardEvent.AVAILABLE, "b-1")] * 2)
        assert link.failure is None
    with linked(Connecting("127.0.0.1", machine.port)) as (link, _):
        eventually(lambda: link.failure not in (None, "not connected yet"))
        with pytest.raises(HermesLostError):
            link.ready()


@pytest.mark.parametrize(
    "nonsense",
    [b"<Hermes><A></Hermes>", OUTSIDE, write(HermesMessage("TransportFinished"), NOW), b"x" * (MOST_BYTES + 1)],
)
def test_a_machine_that_talks_nonsense_is_told_so_and_left(nonsense: bytes) -> None:
    with SimulatedUpstreamMachine([FIRST]) as machine, linked(Connecting("127.0.0.1", machine.port)) as (_, heard):
        eventually(lambda: heard)
        machine.send(nonsense)
        eventually(lambda: "Notification" in [name for name, _ in machine.heard])
        _, said = next(each for each in machine.heard if each[0] == "Notification")
        assert (said["NotificationCode"], said["Severity"]) == ("1", "1")
        eventually(lambda: len(heard) == 2)


def test_a_ping_is_answered_and_one_is_sent() -> None:
    quick = HermesSettings(machine_id="aoi 1", alive_s=0.1, pause_s=0.05)
    with SimulatedUpstreamMachine([]) as machine, linked(Connecting("127.0.0.1", machine.port), quick) as (link, _):
        eventually(lambda: link.failure is None)
        machine.say("CheckAlive", {"Type": "1", "Id": "x7"})
        eventually(lambda: ("CheckAlive", {"Type": "2", "Id": "x7"}) in machine.heard)
        eventually(lambda: ("CheckAlive", {"Type": "1", "Id": "andon"}) in machine.heard)
        Event().wait(0.6)
        assert link.failure is None


def test_a_machine_that_answers_pings_and_falls_silent_counts_as_lost() -> None:
    quick = HermesSettings(machine_id="aoi 1", alive_s=0.05, pause_s=0.05)
    features = ("SupportedFeatures/FeatureCheckAliveResponse",)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        linked(Connecting("127.0.0.1", listener.getsockname()[1]), quick) as (link, _),
    ):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(write(HermesMessage("ServiceDescription", {"MachineId": "m"}, features), NOW))
            eventually(lambda: link.failure is None)
            eventually(lambda: str(link.failure).startswith("silent"))


def test_the_other_machine_may_connect_as_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with linked(Listening("127.0.0.1", port, poll_s=0.02)) as (_, heard):
        for number in (1, 2):
            connection = connected(port)
            with connection:
                connection.sendall(write(DESCRIPTION, NOW) + write(available(f"b-{number}"), NOW))
                heard.await_count(number)
        assert heard.events == [(BoardEvent.AVAILABLE, "b-1"), (BoardEvent.AVAILABLE, "b-2")]


def connected(port: int) -> socket.socket:
    found: list[socket.socket] = []

    def tried() -> bool:
        try:
            found.append(socket.create_connection(("127.0.0.1", port), 1))
        except OSError:
            return False
        return True

    eventually(tried)
    return found[0]
