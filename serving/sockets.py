"""Where the service listens."""

import os
import socket
from ipaddress import ip_address

from andon.models.types.errors import OptionError, ResourceError


def listen_on(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Raises
    ------
    OptionError
        The host is unknown.
    ResourceError
        The port is taken or not allowed.
    """
    family, address = _address(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Connections inherit it. Without it the body of an answer waits 40 ms for the acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise ResourceError("serving.port", f"{host}:{port}", reason=reason) from error
    return listener


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach ``host``.

    Raises
    ------
    OptionError
        The host is unknown.
    """
    return ip_address(_address(host, 0)[1][0]).is_loopback


def url_of(listener: socket.socket, scheme: str) -> str:
    """Return the address at which a socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"{scheme}://{host}:{port}"


def _address(host: str, port: int) -> tuple[int, tuple[str, int]]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OptionError("serving.host_unknown", "--host", found=host) from error
    return family, (str(address[0]), port)
