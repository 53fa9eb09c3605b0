"""Tell systemd how the agent is: ready, alive, stopping (``sd_notify(3)``: datagrams to ``NOTIFY_SOCKET``)."""

import socket
from collections.abc import Mapping


def tell_systemd(environment: Mapping[str, str], state: str) -> None:
    """Send ``state``, such as ``READY=1`` or ``WATCHDOG=1``; nothing where no systemd listens."""
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        notify.sendall(state.encode())


def watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How often systemd wants to hear that the agent is alive, in seconds: half of what it waits; None where it does not ask."""
    asked = environment.get("WATCHDOG_USEC", "")
    return int(asked) / 2e6 if asked.isdecimal() and int(asked) else None
