"""GS1: every spelling of a code is the same code, and a damaged one is refused."""

from dataclasses import dataclass
from string import ascii_letters, digits
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from andon.models.codes.errors import CodeError
from andon.models.codes.gs1 import check_digit
from andon.models.codes.identity import CodeScheme
from andon.models.codes.parsing import PartCode, parse_code

SET_82 = "!\"%&'()*+,-./_:;<=>?" + digits + ascii_letters
SET_39 = "#-/" + digits + ascii_letters[26:]
GS = "\x1d"
GTIN = "09506000134352"
OWN_END = {"00", "01", "11", "13", "15", "17", "20", "414"}
"""The application identifiers here whose length is predefined."""


def numbers(length: int) -> st.SearchStrategy[str]:
    return st.text(digits, min_size=length, max_size=length)


def with_check_digit(length: int) -> st.SearchStrategy[str]:
    return numbers(length - 1).map(lambda first: f"{first}{check_digit(first)}")


def words(letters: str, longest: int) -> st.SearchStrategy[str]:
    return st.text(letters, min_size=1, max_size=longest)


DATES = st.dates().map(lambda day: day.strftime("%y%m%d"))
ATTRIBUTES = {
    "10": words(SET_82, 20),
    "11": DATES,
    "17": DATES,
    "20": numbers(2),
    "240": words(SET_82, 30),
    "400": words(SET_82, 30),
    "91": words(SET_82, 90),
}
KEYS = {
    "00": with_check_digit(18),
    "01": with_check_digit(14),
    "253": st.tuples(with_check_digit(13), st.text(SET_82, max_size=17)).map("".join),
    "414": with_check_digit(13),
    "8003": st.tuples(with_check_digit(13), st.text(SET_82, max_size=16)).map(lambda parts: "0" + "".join(parts)),
    "8004": st.tuples(numbers(4), st.text(SET_82, max_size=26)).map("".join),
    "8006": with_check_digit(14).map(lambda first: f"{first}0207"),
    "8010": st.tuples(numbers(4), st.text(SET_39, max_size=26)).map("".join),
}
QUALIFIERS = {
    "01": {"21": words(SET_82, 20), **ATTRIBUTES},
    "8006": {"21": words(SET_82, 20), **ATTRIBUTES},
    "8010": {"8011": st.integers(1, 10**12 - 1).map(str)},
    "414": {"254": words(SET_82, 20)},
}


@dataclass(frozen=True)
class Spelled:
    """The elements of a code, its key first."""

    elements: tuple[tuple[str, str], ...]

    def bracketed(self) -> str:
        return "".join(f"({ai}){value.replace('(', chr(92) + '(')}" for ai, value in self.elements)

    def separated(self) -> str:
        return "".join(f"{ai}{value}{'' if ai in OWN_END else GS}" for ai, value in self.elements)

    def link(self, root: str, in_query: bool) -> str:
        (key, value), *others = self.elements
        named = [(ai, quote(each, safe="")) for ai, each in others]
        if in_query:
            query = "&".join(f"{ai}={each}" for ai, each in named)
            return f"{root}/{key}/{quote(value, safe='')}?linkType=gs1:traceability&{query}"
        return "/".join((root, key, quote(value, safe=""), *(part for pair in named for part in pair)))


@st.composite
def spelled(draw: st.DrawFn) -> Spelled:
    key = draw(st.sampled_from(sorted(KEYS)))
    chosen = draw(st.lists(st.sampled_from(sorted(QUALIFIERS.get(key, {"90": None}))), unique=True, max_size=5))
    others = [(ai, draw(QUALIFIERS[key][ai])) for ai in chosen if ai in QUALIFIERS.get(key, {})]
    return Spelled(((key, draw(KEYS[key])), *others))


@given(spelled())
def test_all_spellings_are_one_code(code: Spelled) -> None:
    parsed = parse_code(code.bracketed())
    separated = code.separated()
    backwards = Spelled(code.elements[::-1])
    spellings = [
        f"]d2{separated}",
        f"]Q3{separated.removesuffix(GS)}",
        f"]C1{backwards.separated()}",
        f"{GS}{separated}",
        backwards.bracketed(),
        code.bracketed().replace("(" + code.elements[0][0] + ")", f"({code.elements[0][0]}) ", 1),
        code.link("https://id.gs1.org", in_query=False),
        code.link("HTTPS://example.com:8443", in_query=True),
    ]
    if code.elements[0][0] not in {"253", "8003"}:
        spellings.append(code.link("http://who@parts.example/any/01/path", in_query=False) + "/#fragment")
    assert [parse_code(each) for each in spellings] == [parsed] * len(spellings)
    assert parsed.scheme is CodeScheme.GS1


@given(spelled())
def test_the_canonical_form_is_its_own(code: Spelled) -> None:
    parsed = parse_code(code.bracketed())
    again = parse_code(parsed.canonical)
    assert (again.canonical, again.serial) == (parsed.canonical, parsed.serial)
    assert set(again.fields) <= set(parsed.fields)


@given(words(SET_82, 20), words(SET_82, 20))
def test_two_serial_numbers_are_two_parts(first: str, second: str) -> None:
    assume(first != second)
    one, other = (parse_code(Spelled((("01", GTIN), ("21", each))).bracketed()) for each in (first, second))
    assert one.canonical != other.canonical
    assert (one.serial, other.serial) == (first, second)


@given(spelled(), st.data())
def test_a_wrong_digit_is_refused(code: Spelled, data: st.DataObject) -> None:
    ai, value = code.elements[0]
    length = {"00": 18, "01": 14, "253": 13, "414": 13, "8003": 14, "8006": 14}.get(ai)
    assume(length is not None)
    place = data.draw(st.integers(1 if ai == "8003" else 0, (length or 1) - 1))
    digit = data.draw(st.sampled_from(sorted(set(digits) - {value[place]})))
    damaged = Spelled(((ai, value[:place] + digit + value[place + 1 :]), *code.elements[1:]))
    for text in (damaged.bracketed(), f"]d2{damaged.separated()}", damaged.link("https://a.example", in_query=False)):
        assert refusal(text) == "code.check_digit"


@pytest.mark.parametrize(
    ("text", "canonical", "serial"),
    [
        ("(01)09506000134352(21)12345", "(01)09506000134352(21)12345", "12345"),
        ("(01)09506000134352(10)L1(17)261231(21)12345", "(01)09506000134352(21)12345", "12345"),
        ("(01)09506000134352(22)V(10)L1(11)260100", "(01)09506000134352(22)V(10)L1", None),
        ("(10)L1(01)09506000134352", "(01)09506000134352(10)L1", None),
        ("(01)09506000134352", "(01)09506000134352", None),
        ("(01)09506000134352(235)TPX", "(01)09506000134352(235)TPX", "TPX"),
        ("(8006)095060001343520102(21)7", "(8006)095060001343520102(21)7", "7"),
        ("(8003)09506000134352A7", "(8003)09506000134352A7", "A7"),
        ("(8003)09506000134352", "(8003)09506000134352", None),
        ("(8004)9506000A/7", "(8004)9506000A/7", "9506000A/7"),
        ("(8010)9506000#1(8011)42", "(8010)9506000#1(8011)42", "42"),
        ("(253)9506000134352D9", "(253)9506000134352D9", "D9"),
        ("(414)9506000134352(254)B2", "(414)9506000134352(254)B2", "B2"),
        ("(00)095060001343521236", "(00)095060001343521236", "095060001343521236"),
        (r"(01)09506000134352(21)A\(10)B", r"(01)09506000134352(21)A\(10)B", "A(10)B"),
        ("https://id.gs1.org/01/9506000134352/21/7", "(01)09506000134352(21)7", "7"),
        ("https://example.com/01/09506000134352/21/A%2FB%28?17=261231;x=1", r"(01)09506000134352(21)A/B\(", "A/B("),
    ],
)
def test_what_identifies(text: str, canonical: str, serial: str | None) -> None:
    parsed = parse_code(text)
    assert (parsed.scheme, parsed.canonical, parsed.serial) == (CodeScheme.GS1, canonical, serial)


def test_the_fields_have_names() -> None:
    fields = dict(parse_code("]d20109506000134352112601001726123110L1\x1d2112345").fields)
    assert fields == {
        "gtin": GTIN,
        "lot": "L1",
        "production_date": "260100",
        "expiration_date": "261231",
        "serial": "12345",
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(01)09506000134353(21)1", "code.check_digit"),
        ("(01)9506000134352(21)1", "code.value"),
        ("(01)09506000134352(21)", "code.value"),
        ("(01)09506000134352(21)" + "1" * 21, "code.value"),
        ("(01)09506000134352(21)A#B", "code.value"),
        ("(01)09506000134352(21)零", "code.value"),
        ("(01)０9506000134352", "code.value"),
        ("(01)09506000134352(21)A(1O)B", "code.brackets"),
        ("(01)09506000134352(21)A(", "code.brackets"),
        ("(01)09506000134352(21)A\\B", "code.brackets"),
        ("(07)1", "code.unknown_ai"),
        ("(45)X", "code.unknown_ai"),
        ("]d2070950600013435221123", "code.unknown_ai"),
        ("]d23103000195", "code.unknown_ai"),
        ("]d2", "code.no_key"),
        ("]d20109506000134", "code.value"),
        ("ABC\x1d123", "code.unknown_ai"),
        ("(10)LOT", "code.alone"),
        ("(400)X", "code.no_key"),
        ("(8004)1234(21)1", "code.alone"),
        ("(01)09506000134352(250)1", "code.alone"),
        ("(01)09506000134352(21)1(21)2", "code.repeated"),
        ("(01)09506000134352(17)261301", "code.date"),
        ("(01)09506000134352(17)250229", "code.date"),
        ("(8006)095060001343520302", "code.piece"),
        ("(8006)095060001343520002", "code.piece"),
        ("(8003)19506000134359", "code.first_digit"),
        ("(8010)9506000(8011)07", "code.first_digit"),
        ("(8010)9506000a(8011)7", "code.value"),
        ("https://id.gs1.org/gtin/09506000134352", "code.unknown_ai"),
        ("https://id.gs1.org/", "code.link"),
        ("https://id.gs1.org/01", "code.link"),
        ("https://id.gs1.org/01/09506000134352/21", "code.link"),
        ("https://id.gs1.org/01/09506000134352/21/A/B", "code.link"),
        ("https://example.com/01/09506000134353", "code.check_digit"),
        ("https://example.com/01/09506000134352?07=1", "code.unknown_ai"),
        ("https://example.com/01/09506000134352/21/%ff", "code.encoding"),
    ],
)
def test_damage_is_refused(text: str, code: str) -> None:
    assert refusal(text) == code


def test_an_unknown_application_identifier_is_named() -> None:
    with pytest.raises(CodeError) as caught:
        parse_code("]C1010950600013435231030001952112345")
    assert caught.value.params["found"] == "3103"


@pytest.mark.parametrize("day", ["240229", "000229", "991200"])
def test_days_of_the_calendar(day: str) -> None:
    assert ("production_date", day) in parse_code(f"(01){GTIN}(11){day}").fields


def test_the_same_element_may_come_twice() -> None:
    assert parse_code(f"(01){GTIN}(21)7(21)7") == parse_code(f"(01){GTIN}(21)7")


def refusal(text: str) -> str:
    with pytest.raises(CodeError) as caught:
        found: PartCode = parse_code(text)
        pytest.fail(f"{text!r} was taken as {found}")
    return caught.value.code
