"""A broker that takes a connection, and then everything without a word."""

import socket
from contextlib import suppress

SILENCE_S = 0.5


def taken(listener: socket.socket, connack: bytes) -> list[int]:
    """First bytes of the MQTT packets that a client sends after its connection was taken, until it is silent."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(connack)
        connection.settimeout(SILENCE_S)
        received = b""
        with suppress(TimeoutError):
            while data := connection.recv(4096):
                received += data
    return packets(received)


def packets(data: bytes) -> list[int]:
    """First bytes of the MQTT packets in a stream (MQTT 5, section 2.1)."""
    found, at = [], 0
    while at < len(data):
        found.append(data[at])
        length, shift, at = 0, 0, at + 1
        while True:
            length, shift, at, more = length | (data[at] & 127) << shift, shift + 7, at + 1, data[at] & 128
            if not more:
                break
        at += length
    return found
