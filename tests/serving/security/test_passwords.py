"""Passwords and names: what may be chosen, and how it is kept."""

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.security.conftest import CHEAP, PASSWORD

from andon.serving.engine.errors import RequestError
from andon.serving.security.names import checked_name
from andon.serving.security.passwords import HashCosts, Passwords, checked_password, is_expected

CHEAPLY = Passwords(CHEAP)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "twelve chars",
        "一二三四五六七八九十甲乙",
        "aaaaaaaaaaab",
        "Tr0ub4dor&3xyz",
        " " * 11 + "x",
        "zxcvbnmzxcvbn!x",
    ],
)
def test_length_is_what_counts(password: str) -> None:
    assert checked_password(password, "anna") == password


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaa",
        "abababababab",
        "abcdabcdabcd",
        "123456789012",
        "210987654321",
        "abcdefghijkl",
        "qwertyuiopqwerty",
        "1q2w3e4r5t6y",
        "password1234",
        "Password123!",
        "Andon2026!!!",
        "anna12345678",
        "annaannaanna",
        "ＡＮＮＡ12345678",
    ],
)
def test_the_first_guesses_are_refused(password: str) -> None:
    with pytest.raises(RequestError, match=r"security\.password_expected"):
        checked_password(password, "anna")


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 300])
def test_too_short_and_too_long_are_refused(password: str) -> None:
    with pytest.raises(RequestError, match=r"security\.password_length"):
        checked_password(password, "anna")


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_password_is_judged(password: str, name: str) -> None:
    assert is_expected(password, name) in (True, False)


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=64), st.text(max_size=64))
def test_only_the_same_password_is_verified(one: str, other: str) -> None:
    kept = CHEAPLY.hash(one)
    assert CHEAPLY.verify(one, kept)
    if CHEAPLY.verify(other, kept):
        assert CHEAPLY.verify(one, CHEAPLY.hash(other))


def test_another_password_is_not_verified() -> None:
    assert not CHEAPLY.verify(PASSWORD.upper(), CHEAPLY.hash(PASSWORD))


def test_the_same_characters_typed_on_another_keyboard_are_the_same_password() -> None:
    assert CHEAPLY.verify("Ａnna’s café horse", CHEAPLY.hash("Anna’s cafe\u0301 horse"))


def test_nobody_has_no_password() -> None:
    assert not CHEAPLY.verify(PASSWORD, None)
    assert not CHEAPLY.verify("andon", None)
    assert not CHEAPLY.verify(PASSWORD, "damaged")


def test_every_hash_has_a_salt_of_its_own() -> None:
    assert CHEAPLY.hash(PASSWORD) != CHEAPLY.hash(PASSWORD)


def test_the_hash_is_argon2id_at_the_stated_cost() -> None:
    parameters = extract_parameters(Passwords(HashCosts()).hash(PASSWORD))
    assert (parameters.type, parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        Type.ID,
        19 * 1024,
        2,
        1,
    )


def test_a_hash_of_another_cost_is_outdated() -> None:
    assert not CHEAPLY.is_outdated(CHEAPLY.hash(PASSWORD))
    assert Passwords(HashCosts(16, 1, 1)).is_outdated(CHEAPLY.hash(PASSWORD))


@pytest.mark.parametrize(
    ("text", "name"),
    [("Anna", "anna"), (" anna ", "anna"), ("ＡＮＮＡ", "anna"), ("李雷", "李雷"), ("a@b.c-d_e", "a@b.c-d_e")],
)
def test_a_name_has_one_form(text: str, name: str) -> None:
    assert checked_name(text) == name


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "key:x", "a/b", "a\n", "a\u200bb", "anonymous", "Anonymous", "x" * 65]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    if text == "a\n":  # what surrounds a name does not belong to it
        assert checked_name(text) == "a"
        return
    with pytest.raises(RequestError, match=r"security\.name"):
        checked_name(text)


@given(st.text(max_size=70))
def test_a_name_that_was_brought_to_its_form_stays_so(text: str) -> None:
    try:
        name = checked_name(text)
    except RequestError:
        return
    assert checked_name(name) == name
    assert ":" not in name
