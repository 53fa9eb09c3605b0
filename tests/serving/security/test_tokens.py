"""Keys: made, taken apart, compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.identifiers import new_id
from andon.serving.security.tokens import ApiKey, digest_of, matches, new_secret, parse_key


def made() -> ApiKey:
    return ApiKey(new_id(), new_secret())


def test_a_key_is_read_back_from_its_text() -> None:
    for _ in range(200):  # a secret may hold the underscore that parts it from the rest
        key = made()
        assert parse_key(key.text) == key


@given(st.data())
def test_a_key_with_one_character_changed_is_another_or_none(data: st.DataObject) -> None:
    key = made()
    place = data.draw(st.integers(0, len(key.text) - 1))
    character = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda each: each != key.text[place]))
    changed = parse_key(f"{key.text[:place]}{character}{key.text[place + 1 :]}")
    assert changed is None or changed.id != key.id or not matches(changed.secret, digest_of(key.secret))


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    found = parse_key(text)
    assert found is None or found.text == text


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: f" {text}", lambda text: f"{text}\n", lambda text: text[:-1]]
)
def test_what_is_nearly_a_key_is_none(change: object) -> None:
    assert callable(change)
    assert parse_key(change(made().text)) is None


@given(st.text(min_size=1), st.text(min_size=1))
def test_only_the_secret_itself_matches_its_digest(one: str, other: str) -> None:
    assert matches(one, digest_of(one))
    assert matches(other, digest_of(one)) == (one == other)


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("andon.serving.security.tokens.hmac.compare_digest", compare)
    assert matches("secret", digest_of("secret"))
    assert compared == [(digest_of("secret"), digest_of("secret"))]


def test_a_secret_has_256_bits_and_comes_once() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert {len(secret) for secret in secrets} == {43}


def test_a_key_does_not_show_its_secret_by_itself() -> None:
    key = made()
    assert key.secret not in repr(key)
