"""What a request says of where it comes from."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.errors import OptionError
from andon.serving.security.visits import client_address, is_loopback, read_networks, visit_of

PROXIES = read_networks(["10.0.0.0/8", "::1"])
ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"127.0.0.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("192.0.2.1", b"198.51.100.1", "192.0.2.1"),
        ("::1", b"2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("", b"198.51.100.1", ""),
        ("testclient", b"198.51.100.1", "testclient"),
    ],
)
def test_only_a_trusted_proxys_word_counts(peer: str, forwarded: bytes, address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


@given(ADDRESSES, st.binary())
def test_without_a_trusted_proxy_nobodys_word_counts(peer: str, forwarded: bytes) -> None:
    assert client_address(peer, forwarded, ()) == peer


@given(st.lists(st.one_of(ADDRESSES, st.text(st.characters(max_codepoint=0xFF, exclude_characters=","))), max_size=5))
def test_what_a_client_claims_never_wins_over_what_the_proxy_saw(claimed: list[str]) -> None:
    forwarded = ", ".join([*claimed, "198.51.100.9"]).encode("latin-1")
    assert client_address("10.0.0.1", forwarded, PROXIES) == "198.51.100.9"


@given(st.ip_addresses())
def test_this_machines_own_addresses(address: object) -> None:
    assert is_loopback(str(address)) == getattr(address, "is_loopback", None) or "ffff" in str(address)


@pytest.mark.parametrize("text", ["", "proxy.example", "10.0.0.1/8", "10.0.0.0/40"])
def test_a_proxy_is_an_address_or_a_network(text: str) -> None:
    with pytest.raises(OptionError, match=r"security\.proxy"):
        read_networks([text])


@given(st.lists(st.tuples(st.sampled_from([b"cookie", b"host", b"origin", b"sec-fetch-site"]), st.binary())))
def test_any_header_is_read(headers: list[tuple[bytes, bytes]]) -> None:
    visit = visit_of({"type": "http", "method": "POST", "path": "/", "headers": headers, "client": None}, ())
    assert visit.is_cross_site() in (True, False)
    assert visit.names_this_machine() in (True, False)
    assert isinstance(visit.cookie("andon"), str)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"andon=abc", "abc"),
        (b"a=1; andon=abc; b=2", "abc"),
        (b"andon=abc; andon=def", "abc"),
        (b"xandon=abc", ""),
        (b"a=\x80\xff; andon=abc", "abc"),
        (b"andon", ""),
        (b"", ""),
    ],
)
def test_a_cookie_is_found_whatever_is_beside_it(header: bytes, value: str) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"cookie", header)], "client": ("::1", 1)}
    assert visit_of(scope, ()).cookie("andon") == value


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [("/a", "", "/a"), ("/x/a", "/x", "/a"), ("/xa", "/x", "/xa"), ("/a", "/x", "/a"), ("/x", "/x", "/x")],
)
def test_a_prefix_is_taken_off_as_the_router_does(path: str, root: str, expected: str) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": root,
        "headers": [],
        "client": None,
    }
    assert visit_of(scope, ()).path == expected
