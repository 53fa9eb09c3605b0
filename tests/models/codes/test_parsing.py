"""What holds for every text: one code or one clear refusal, one canonical form, one path."""

import asyncio
import unicodedata
from typing import Any
from urllib.parse import unquote, urljoin

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from andon.models.codes.errors import CodeError
from andon.models.codes.identity import MAX_CHARACTERS, CodeScheme
from andon.models.codes.parsing import PartCode, parse_code, part_path
from andon.models.messages.catalogue import LANGUAGES, catalogue

GTIN = "09506000134352"
PIECES = (
    *(
        "(01)",
        "(21)",
        "(",
        ")",
        "01",
        "21",
        GTIN,
        "\\(",
        "\\",
        "12345",
        "\x1d",
        "]d2",
        "]Q1",
        "]C1",
        "[)>\x1e06\x1d",
        "25SVAA",
        "\x1e\x04",
    ),
    *(
        "https://",
        "id.gs1.org",
        "example.com",
        "hdl.handle.net",
        "/",
        "//",
        "/parts/",
        "?",
        "&",
        "=",
        "#",
        "%2F",
        "%25",
        "%0A",
        "%ff",
    ),
    *(
        "hdl:",
        "info:hdl/",
        "doi:",
        "10.1000/",
        "20.500/",
        "88.118.8/",
        "88.",
        ".",
        "..",
        "i\u0307",
        "A",
        "z",
        " ",
        "\u3000",
        "序列号",
        "\u0338",
    ),
)
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def parsed(text: str) -> PartCode | None:
    try:
        return parse_code(text)
    except CodeError as error:
        for language in LANGUAGES:
            assert catalogue(language).error(error).isprintable()
        return None


@given(TEXTS)
@example("]Q1 ]Q1X")
@example("\ud800")
@example("https://[/parts/x")
def test_every_text_is_a_code_or_is_refused(text: str) -> None:
    code = parsed(text)
    if code is not None:
        assert code.text == text
        assert code.canonical.isprintable()
        assert unicodedata.is_normalized("NFC", code.canonical)
        assert 0 < len(code.canonical) <= MAX_CHARACTERS
        code.canonical.encode()


@given(TEXTS)
def test_the_canonical_form_is_its_own(text: str) -> None:
    code = parsed(text)
    if code is not None:
        again = parse_code(code.canonical)
        assert (again.scheme, again.canonical, again.serial) == (code.scheme, code.canonical, code.serial)


@given(TEXTS)
def test_the_path_leads_back(text: str) -> None:
    code = parsed(text)
    if code is not None:
        path = part_path(code)
        assert path.isascii()
        assert unquote(path.removeprefix("/parts/")) == code.canonical
        assert urljoin("https://andon.example/api/v1/", f".{path}") == f"https://andon.example/api/v1{path}"


@given(TEXTS)
def test_a_url_of_another_service_is_the_same_code(text: str) -> None:
    code = parsed(text)
    if code is not None and code.scheme is not CodeScheme.SERIAL:
        assert parse_code(f"https://other.example:8443/api/v1{part_path(code)}?x=1").canonical == code.canonical


@pytest.mark.parametrize(
    "text",
    [
        *(
            "SN/2024/0001",
            "01ABC",
            "10.5-A",
            "A1/B2",
            "10.5/A2",
            "88.5/A",
            "88.118.8",
            "2024/0001",
            "01/12",
            "01/09506000134352",
        ),
        *(
            "0109506000134352",
            "(1) A",
            "(A1)7",
            "A(01)",
            "VAA123",
            "25SUN123",
            "序列号-７",
            "Ünïcode 7",
            "#1",
            "a:b",
            "hdl",
            "http:/x/y",
        ),
        *(
            "https://shop.example/parts/12345",
            "https://example.com/01/2024/a",
            "https://example.com/8004/abc",
            "x" * 256,
        ),
    ],
)
def test_ordinary_serials_stay_serials(text: str) -> None:
    code = parse_code(text)
    assert (code.scheme, code.canonical, code.serial) == (CodeScheme.SERIAL, text, text)


@pytest.mark.parametrize("text", [" A1\r\n", "\u3000A1\u00a0", "]C0A1", "]d1 A1", "]Q1]d1A1"])
def test_what_keyboards_and_scanners_add_is_dropped(text: str) -> None:
    assert parse_code(text) == parse_code("A1")


def test_letters_with_accents_have_one_form() -> None:
    assert parse_code("A\u030angstro\u0308m").canonical == "\u00c5ngstr\u00f6m"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "code.empty"),
        ("  ", "code.empty"),
        ("..", "code.empty"),
        ("---/", "code.empty"),
        ("]Q1", "code.empty"),
        ("A\x00B", "code.hidden"),
        ("A\nB", "code.hidden"),
        ("A\u200bB", "code.hidden"),
        ("A\u202eB", "code.hidden"),
        ("A\ud800", "code.hidden"),
        ("A\ufffd1", "code.hidden"),
        ("88.118.8/AB\ufffd", "code.hidden"),
        ("A\x1eB", "code.hidden"),
        ("x" * 257, "code.long"),
        ("https://id.gs1.org/01/09506000134352?x=" + "y" * 10_000, "code.long"),
    ],
)
def test_what_is_no_serial(text: str, code: str) -> None:
    with pytest.raises(CodeError) as caught:
        parse_code(text)
    assert caught.value.code == code


def test_a_damaged_code_at_another_service_is_refused() -> None:
    with pytest.raises(CodeError) as caught:
        parse_code("https://other.example/api/v1/parts/(01)09506000134353(21)1")
    assert caught.value.code == "code.check_digit"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"(01){GTIN}(21)A/B", f"/parts/%2801%29{GTIN}%2821%29A/B"),
        ("hdl:20.1000/100", "/parts/hdl%3A20.1000/100"),
        ("88.118.8/序", "/parts/88.118.8/%E5%BA%8F"),
        ("A%2FB", "/parts/A%252FB"),
        ("A//B", "/parts/A%2F%2FB"),
        ("A/./B", "/parts/A%2F.%2FB"),
        ("parts/7", "/parts/parts%2F7"),
        ("A?b=c#d;e+f", "/parts/A%3Fb%3Dc%23d%3Be%2Bf"),
    ],
)
def test_paths(text: str, path: str) -> None:
    assert part_path(parse_code(text)) == path


@given(TEXTS)
@example("A/../B")
@example("A%2FB")
@example(rf"(01){GTIN}(21)%\(x)/?;+")
def test_a_router_gives_back_what_the_path_was_made_of(text: str) -> None:
    routing, responses = (pytest.importorskip(f"starlette.{name}") for name in ("routing", "responses"))
    code = parsed(text)
    if code is None:
        return

    def show(request: Any) -> Any:
        found = parse_code(request.path_params["code"])
        return responses.JSONResponse([found.scheme, found.canonical, found.serial])

    async def ask() -> Any:
        transport = httpx.ASGITransport(routing.Router([routing.Route("/parts/{code:path}", show)]))
        async with httpx.AsyncClient(transport=transport, base_url="http://andon.example") as client:
            return (await client.get(part_path(code))).json()

    assert asyncio.run(ask()) == [code.scheme, code.canonical, code.serial]
