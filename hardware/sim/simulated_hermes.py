"""A machine that hands boards on by IPC-HERMES-9852, as the one upstream of a station.

It writes its documents by itself, so that a station is not tested against its own understanding of the standard.
"""

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from types import TracebackType
from typing import Self
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

_END = b"</Hermes>"


@dataclass(frozen=True, slots=True)
class SimulatedBoard:
    """A board that waits to be taken, with the standard's attributes of ``BoardAvailable``."""

    id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class SimulatedUpstreamMachine:
    """Listens on a port of this box and hands on ``boards`` one after the other; open while it is used in a ``with`` statement.

    Parameters
    ----------
    port
        0 for any that is free; ``port`` of the object says which.
    heard
        Name and attributes of each message from the station, in their order.
    transfer_state
        How far boards come: 1 not started, 2 incomplete, 3 complete.
    """

    def __init__(self, boards: Sequence[SimulatedBoard], port: int = 0, transfer_state: int = 3) -> None:
        self.heard: list[tuple[str, dict[str, str]]] = []
        self._boards = list(boards)
        self._transfer_state = transfer_state
        self._ending = Event()
        self._connection: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve, name="simulated hermes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave."""
        self._ending.set()
        self._thread.join()
        self._listener.close()

    def say(self, name: str, attributes: Mapping[str, str] | None = None) -> None:
        """Say any message, whether it belongs there or not."""
        self.send(_document(name, attributes or {}))

    def send(self, data: bytes) -> None:
        """Send any bytes."""
        if self._connection:
            self._connection.sendall(data)

    def cut(self) -> None:
        """Break the connection."""
        if self._connection:
            self._connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                self._connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with self._connection, suppress(ConnectionError):  # the station may leave at any moment
                self._converse(self._connection)
            self._connection = None

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        buffer = b""
        while not self._ending.is_set():
            try:
                data = connection.recv(4096)
            except TimeoutError:
                continue
            if not data:
                return
            *documents, buffer = (buffer + data).split(_END)
            for document in documents:
                self._answer(fromstring(document + _END)[0])

    def _answer(self, message: Element) -> None:
        self.heard.append((message.tag, dict(message.attrib)))
        match message.tag:
            case "ServiceDescription":
                self.send(_description())
                self._offer()
            case "StartTransport":
                self.say(
                    "TransportFinished",
                    {"TransferState": str(self._transfer_state), "BoardId": message.attrib["BoardId"]},
                )
            case "StopTransport":
                self._boards.pop(0)
                self._offer()
            case "CheckAlive" if message.attrib.get("Type") == "1":
                self.say("CheckAlive", {**message.attrib, "Type": "2"})

    def _offer(self) -> None:
        if self._boards:
            board = self._boards[0]
            usual = {"BoardId": board.id, "BoardIdCreatedBy": "upstream", "FailedBoard": "0", "FlippedBoard": "0"}
            self.say("BoardAvailable", {**usual, **board.attributes})


def _description() -> bytes:
    root = Element("Hermes", {"Timestamp": "2026-01-02T03:04:05.678"})
    message = SubElement(root, "ServiceDescription", {"LaneId": "1", "MachineId": "upstream", "Version": "1.2"})
    SubElement(SubElement(message, "SupportedFeatures"), "FeatureCheckAliveResponse")
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _document(name: str, attributes: Mapping[str, str]) -> bytes:
    root = Element("Hermes", {"Timestamp": "2026-01-02T03:04:05.678"})
    SubElement(root, name, dict(attributes))
    return bytes(tostring(root, encoding="utf-8"))
