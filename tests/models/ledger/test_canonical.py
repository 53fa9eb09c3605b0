"""The fast way to recognise canonical JSON agrees with the exact one."""

import json
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from andon.models.ledger.canonical import encode, is_canonical, plain_float

LARGEST = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\U0001f600\uff11é\x00\x7f\\"/'))
NUMBERS = st.integers(-LARGEST, LARGEST) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=5)
DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=plain_float)


def judged(body: bytes) -> bool:
    return is_canonical(body, DECODER.decode(body))


@given(DOCUMENTS)
@example({"a": 1e20, "b": 1e16, "c": -1e21, "d": 5e-324, "e": 1.7976931348623157e308, "f": 123456789012345680.0})
def test_what_is_written_canonically_is_recognised(document: dict[str, Any]) -> None:
    assert judged(encode(document))


@given(DOCUMENTS)
@example({"a": 1.0})
@example({"a": -0.0})
@example({"a": 1e-6})
@example({"a": 1e-5})
@example({"a": 1e16})
@example({"a": 1e22})
@example({"a": LARGEST})
@example({"\U0001f600": 1, "\uff11": 2})
def test_what_the_fast_encoder_writes_is_refused_where_it_is_not_canonical(document: dict[str, Any]) -> None:
    body = msgspec.json.encode(document, order="sorted")
    assert judged(body) == (body == rfc8785.dumps(document))


@given(DOCUMENTS)
def test_other_ways_to_write_the_same_are_refused(document: dict[str, Any]) -> None:
    exact = encode(document)
    for body in (json.dumps(document).encode(), json.dumps(document, ensure_ascii=False, indent=1).encode()):
        assert judged(body) == (body == exact)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":9007199254740993}',
        b'{"a":-9007199254740993}',
        b'{"a":[9007199254740993]}',
        b'{"a":1' + b"0" * 400 + b"}",
        b'{"a":-0}',
        b'{"a":1E5}',
        b'{"a":0.10}',
        b'{"a":1e400}',
        b'{"a":"\\u00e9"}',
        b'{"a":"\\/"}',
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
    ],
)
def test_a_number_text_or_order_of_another_spelling_is_refused(body: bytes) -> None:
    assert not judged(body)
