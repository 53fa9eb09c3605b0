"""What a request says of who sends it, and from where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from starlette.types import Scope

from andon.models.types.errors import OptionError

Network = IPv4Network | IPv6Network

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDING = (b"forwarded", b"x-forwarded-for", b"x-real-ip")
_OWN_SITE = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as far as it matters who sends it.

    Parameters
    ----------
    path
        Without the prefix under which the service is mounted.
    address
        Of the client: behind a trusted proxy the one that the proxy names.
    headers
        By name in small letters; the last of each.
    is_upgrade
        Whether it opens a web socket, which a browser lets any page do.
    """

    method: str
    path: str
    address: str
    headers: dict[bytes, bytes]
    is_upgrade: bool

    @property
    def is_change(self) -> bool:
        """Whether it may change something."""
        return self.method not in SAFE

    @property
    def is_local(self) -> bool:
        """Whether it comes from this machine, and no proxy has passed it on."""
        return is_loopback(self.address) and not any(name in self.headers for name in _FORWARDING)

    def header(self, name: bytes) -> str:
        """Return a header; empty where there is none."""
        return self.headers.get(name, b"").decode("latin-1")

    def cookie(self, name: str) -> str:
        """Return a cookie; empty where there is none."""
        pairs = (each.strip().partition("=") for each in self.header(b"cookie").split(";"))
        return next((value for found, _, value in pairs if found == name), "")

    def names_this_machine(self) -> bool:
        """Whether it was sent to this machine by its own name: a page of a site whose name was turned to this address was not."""
        return _host(self.header(b"host")) in _LOCAL_NAMES

    def is_cross_site(self) -> bool:
        """Whether a browser says that a page of another site sent it.

        It says so in ``Sec-Fetch-Site`` (W3C Fetch Metadata, 2.2), over plain HTTP in ``Origin`` alone (RFC 6454, 7). Programs say neither.
        """
        site, origin = self.header(b"sec-fetch-site"), self.header(b"origin")
        if site:
            return site not in _OWN_SITE
        return bool(origin) and _netloc(origin) != self.header(b"host").lower()


def visit_of(scope: Scope, trusted: Sequence[Network]) -> Visit:
    """Read a request of ASGI's."""
    headers = dict(scope["headers"])
    path, root = scope["path"], scope.get("root_path") or ""
    return Visit(
        method=scope.get("method", "GET"),
        path=path[len(root) :] if root and path.startswith(f"{root}/") else path,
        address=client_address((scope.get("client") or ("",))[0], headers.get(b"x-forwarded-for", b""), trusted),
        headers=headers,
        is_upgrade=scope["type"] == "websocket",
    )


def client_address(peer: str, forwarded_for: bytes, trusted: Sequence[Network]) -> str:
    """Tell where a request comes from: what a proxy says counts where the proxy is trusted, from the last that it added back.

    >>> proxies = read_networks(["10.0.0.0/8"])
    >>> client_address("10.0.0.1", b"6.6.6.6, 192.0.2.7, 10.0.0.9", proxies), client_address("192.0.2.1", b"127.0.0.1", proxies)
    ('192.0.2.7', '192.0.2.1')
    """
    if not (trusted and forwarded_for and _is_in(peer, trusted)):
        return peer
    hops = [each.strip() for each in forwarded_for.decode("latin-1").split(",")]
    return next((hop for hop in reversed(hops) if not _is_in(hop, trusted)), hops[0])


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses or networks of proxies.

    Raises
    ------
    OptionError
        One of them is neither.
    """
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise OptionError("security.proxy", "--trusted-proxy", reason=str(error)) from error


@lru_cache(1024)
def is_loopback(address: str) -> bool:
    """Say whether an address is this machine's own.

    >>> is_loopback("127.0.0.9"), is_loopback("::ffff:127.0.0.1"), is_loopback("192.0.2.1"), is_loopback("")
    (True, True, False, False)
    """
    found = _address(address)
    return found is not None and found.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


@lru_cache(1024)
def _is_in(text: str, networks: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def _host(text: str) -> str:
    """The name in a ``Host`` header, without the port."""
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
