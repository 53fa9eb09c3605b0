"""Handles, and the identifiers of the industrial internet among them."""

from string import ascii_letters, digits
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.codes.errors import CodeError
from andon.models.codes.identity import CodeScheme
from andon.models.codes.parsing import parse_code

PRINTING = st.characters(categories=["L", "N", "P", "S"])
SUFFIXES = st.text(PRINTING, min_size=1, max_size=60)
SEGMENTS = st.text(digits + ascii_letters, min_size=1, max_size=8)
PREFIXES = st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join).filter(lambda each: not each.startswith("88."))
NUMBERS = st.integers(0, 99999).map(str)


@given(PREFIXES, SUFFIXES)
def test_all_spellings_are_one_handle(prefix: str, suffix: str) -> None:
    handle = f"{prefix}/{suffix}"
    spellings = [
        f"hdl:{handle}",
        f"HDL:{handle.replace(prefix, prefix.swapcase(), 1)}",
        f"hdl://{handle}",
        f"info:hdl/{quote(handle)}",
        f"https://hdl.handle.net/{quote(handle)}",
        f"http://hdl.handle.net/{quote(prefix)}/{quote(suffix, safe='')}?noredirect#top",
        f"HTTPS://HDL.HANDLE.NET/{quote(handle)}",
        f"  hdl:{handle}\n",
    ]
    parsed = [parse_code(each) for each in spellings]
    assert parsed == [parsed[0]] * len(spellings)
    assert parsed[0].scheme is CodeScheme.HANDLE
    assert parse_code(parsed[0].canonical) == parsed[0]


@given(SUFFIXES)
def test_doi_names_are_the_same_in_either_case(suffix: str) -> None:
    lower = "".join(each.lower() if each.isascii() else each for each in suffix)
    upper = "".join(each.upper() if each.isascii() else each for each in suffix)
    codes = {
        parse_code(f"10.1000/{lower}"),
        parse_code(f"doi:10.1000/{upper}"),
        parse_code(f"https://doi.org/10.1000/{quote(suffix, safe='')}"),
        parse_code(parse_code(f"10.1000/{suffix}").canonical),
    }
    assert len(codes) == 1


def test_a_capital_that_joins_with_its_accent_has_one_form() -> None:
    code = parse_code("10.1000/i\u0307")
    assert parse_code(code.canonical) == code


def test_other_suffixes_keep_their_case() -> None:
    assert parse_code("hdl:20.1000/Ab").canonical == "hdl:20.1000/Ab"
    assert parse_code("hdl:20.1000/Ab") != parse_code("hdl:20.1000/AB")


@given(NUMBERS, NUMBERS, SUFFIXES)
def test_all_spellings_are_one_industrial_identifier(industry: str, enterprise: str, suffix: str) -> None:
    prefix = f"88.{industry}.{enterprise}"
    handle = f"{prefix}/{suffix}"
    spellings = [
        handle,
        f"hdl:{handle}",
        f"https://hdl.handle.net/{quote(handle)}",
        f"https://nodes.example.cn/resolve/{quote(handle)}?from=label",
        f"]Q1{handle}",
    ]
    parsed = [parse_code(each) for each in spellings]
    assert parsed == [parsed[0]] * len(spellings)
    assert parsed[0].scheme is CodeScheme.INDUSTRIAL
    assert parse_code(parsed[0].canonical) == parsed[0]
    assert {"industry": industry, "enterprise": enterprise}.items() <= dict(parsed[0].fields).items()


def test_an_industrial_identifier_and_its_parts() -> None:
    code = parse_code("88.118.8/ABC/123")
    assert (code.canonical, code.serial) == ("88.118.8/ABC/123", "ABC/123")
    assert code.fields == (("prefix", "88.118.8"), ("industry", "118"), ("enterprise", "8"), ("suffix", "ABC/123"))


@pytest.mark.parametrize(
    "text",
    [
        "25SVAA0881234567X",
        "[)>\x1e06\x1d25SVAA0881234567X\x1e\x04",
        "]d1[)>\x1e06\x1d1PABC\x1d25SVAA0881234567X\x1dQ1\x1e\x04",
    ],
)
def test_identifiers_of_the_agency_vaa(text: str) -> None:
    code = parse_code(text)
    assert (code.scheme, code.canonical) == (CodeScheme.INDUSTRIAL, "25SVAA0881234567X")
    assert code.fields == (("agency", "VAA"), ("code", "0881234567X"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hdl:", "code.handle"),
        ("hdl:20.1000", "code.handle"),
        ("hdl:20.1000/", "code.handle"),
        ("hdl:/100", "code.handle"),
        ("hdl:20..1000/100", "code.handle"),
        ("hdl:20.10 00/100", "code.handle"),
        ("10.1000/", "code.handle"),
        ("https://hdl.handle.net/", "code.handle"),
        ("https://doi.org/abc", "code.handle"),
        ("https://hdl.handle.net/20.1000/%ff", "code.encoding"),
        ("hdl:20.1000/a\x00b", "code.hidden"),
        ("https://hdl.handle.net/20.1000/a%0Ab", "code.hidden"),
        ("88.118.x/ABC", "code.industrial"),
        ("88..8/ABC", "code.handle"),
        ("88.118.8/", "code.handle"),
        ("hdl:88.118/ABC", "code.industrial"),
        ("25SVAA", "code.agency"),
        ("25SVAA 1", "code.agency"),
        ("[)>\x1e06\x1d25SUN123\x1e\x04", "code.envelope"),
        ("[)>\x1e05\x1d25SVAA1\x1e\x04", "code.envelope"),
        ("[)>\x1e06\x1d25SVAA1\x1d25SVAA2\x1e\x04", "code.envelope"),
    ],
)
def test_damage_is_refused(text: str, code: str) -> None:
    with pytest.raises(CodeError) as caught:
        parse_code(text)
    assert caught.value.code == code
