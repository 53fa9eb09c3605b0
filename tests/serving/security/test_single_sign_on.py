"""Single sign-on against a provider that speaks OpenID Connect, and against one that breaks each of its rules."""

import hmac
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from oidc_provider_mock import User, run_server_in_thread
from starlette.testclient import TestClient
from tests.serving.security.conftest import ELSEWHERE, HERE, OPTIONS, Build, House

from andon.models.types.errors import ResourceError
from andon.serving.security.errors import ForbiddenError, UnauthenticatedError
from andon.serving.security.options import OidcOptions
from andon.serving.security.provider import Provider, new_attempt, role_of, verified_claims
from andon.serving.security.roles import Role

ROLES = {"quality": Role.ENGINEER, "line": Role.OPERATOR}
CALLBACK = "http://127.0.0.1/auth/callback"
CURRENT = "/api/v1/sessions/current"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def options_for(issuer: str) -> OidcOptions:
    return OidcOptions(issuer, "andon", "client secret", CALLBACK, "groups", ROLES, timeout_s=5.0)


def claims(*groups: str, name: str = "Anna") -> dict[str, Any]:
    return {"groups": list(groups), "preferred_username": name}


@dataclass
class Site:
    """The service with a provider beside it."""

    house: House
    issuer: str

    def set_out(self, client: TestClient) -> str:
        """Begin to sign in, and return the address of the provider that the browser is sent to."""
        answer = client.get("/auth/login", follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def back(self, url: str, sub: str) -> str:
        """Sign in at the provider, and return the path that it sends the browser back to."""
        answer = requests.post(url, data={"sub": sub}, allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        location = urlsplit(answer.headers["location"])
        return urlunsplit(("", "", location.path, location.query, ""))

    def sign_in(self, sub: str, client: TestClient | None = None) -> tuple[TestClient, Any]:
        client = client or self.house.client()
        return client, client.get(self.back(self.set_out(client), sub), follow_redirects=False)


@contextmanager
def provider(**said: Any) -> Iterator[str]:
    users = [
        User(sub="1", claims=claims("quality", "line", "choir")),
        User(sub="2", claims=claims("choir", name="bert")),
        User(sub="3", claims=claims("line", name="carla")),
        User(sub="4", claims=claims("line", name="anna")),
    ]
    with run_server_in_thread(user_claims=users, require_nonce=True, **said) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def site(build: Build) -> Iterator[Site]:
    with provider() as issuer:
        yield Site(build(replace(OPTIONS, oidc=options_for(issuer)), datetime.now(UTC)), issuer)


def test_a_person_comes_in_with_the_highest_role_of_their_groups(site: Site) -> None:
    client, answer = site.sign_in("1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert {name: client.get(CURRENT).json()[name] for name in ("name", "role", "kind")} == {
        "name": "anna",
        "role": "engineer",
        "kind": "user",
    }
    (entry,) = site.house.trail()
    assert (entry["actor"], entry["action"], entry["outcome"]) == ("anna", "GET /auth/callback", "done")


def test_the_request_carries_state_nonce_and_challenge(site: Site) -> None:
    said = parse_qs(urlsplit(site.set_out(site.house.client())).query)
    assert said["response_type"] == ["code"]
    assert said["code_challenge_method"] == ["S256"]
    assert said["redirect_uri"] == [CALLBACK]
    assert all(len(said[name][0]) == 43 for name in ("state", "nonce", "code_challenge"))


def test_who_has_no_group_with_a_role_stays_out(site: Site) -> None:
    client, answer = site.sign_in("2")
    assert (answer.status_code, answer.json()["code"]) == (403, "security.oidc_no_role")
    assert client.get(CURRENT).status_code == 401
    assert site.house.security.accounts.all_users() == []
    assert [entry["outcome"] for entry in site.house.trail()] == [
        "refused security.unauthenticated",
        "refused security.oidc_no_role",
    ]


def test_another_role_at_the_provider_holds_at_the_next_sign_in(site: Site) -> None:
    site.sign_in("1")
    requests.put(f"{site.issuer}/users/1", json=claims("line"), timeout=5).raise_for_status()
    client, _ = site.sign_in("1")
    assert client.get(CURRENT).json()["role"] == "operator"
    assert len(site.house.security.accounts.all_users()) == 1


def test_who_is_disabled_here_stays_out_whatever_the_provider_says(site: Site) -> None:
    site.sign_in("1")
    site.house.security.accounts.disable("anna", site.house.moves.clock.now())
    _, answer = site.sign_in("1")
    assert (answer.status_code, answer.json()["code"]) == (403, "security.disabled")


def test_a_name_of_another_person_is_not_taken_over(site: Site) -> None:
    site.sign_in("1")
    _, answer = site.sign_in("4")
    assert (answer.status_code, answer.json()["code"]) == (422, "security.name_taken")


def test_where_there_is_a_provider_nobody_is_let_in_for_working_at_the_machine(site: Site) -> None:
    assert site.house.client(HERE).get("/api/v1/alerts").status_code == 401


def test_another_browser_does_not_come_in_with_my_answer(site: Site) -> None:
    mine, other = site.house.client(), site.house.client()
    path = site.back(site.set_out(mine), "1")
    site.set_out(other)
    answer = other.get(path, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "security.oidc_state")


@pytest.mark.parametrize("how", ["twice", "late", "changed", "missing"])
def test_an_answer_counts_once_in_time_and_with_its_state(site: Site, how: str) -> None:
    client = site.house.client()
    path = site.back(site.set_out(client), "3")
    if how == "twice":
        cookies = dict(client.cookies)
        assert client.get(path, follow_redirects=False).status_code == 303
        client = site.house.client(Cookie="; ".join(f"{name}={value}" for name, value in cookies.items()))
    if how == "late":
        site.house.moves.forward(minutes=10)
    if how == "changed":
        path = path.replace("state=", "state=x")
    if how == "missing":
        path = path.replace("state=", "status=")
    answer = client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "security.oidc_state")


def test_a_token_for_another_nonce_is_refused(site: Site) -> None:
    client = site.house.client()
    url = site.set_out(client)
    nonce = parse_qs(urlsplit(url).query)["nonce"][0]
    answer = client.get(site.back(url.replace(nonce, "x" * 43), "1"), follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "security.oidc_token")
    assert "nonce" in answer.json()["detail"]


def test_a_code_of_another_client_is_refused(site: Site) -> None:
    client = site.house.client()
    url = site.set_out(client).replace("client_id=andon", "client_id=other")
    answer = client.get(site.back(url, "1"), follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "security.oidc_code")


def test_a_code_that_the_provider_never_gave_is_refused(site: Site) -> None:
    client = site.house.client()
    state = parse_qs(urlsplit(site.set_out(client)).query)["state"][0]
    answer = client.get(f"/auth/callback?code=guess&state={state}", follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "security.oidc_code")


@pytest.mark.parametrize("said", ["error=access_denied", "code=x&iss=https://evil.example"])
def test_a_refusal_of_the_provider_and_an_answer_of_another_are_told(site: Site, said: str) -> None:
    client = site.house.client()
    state = parse_qs(urlsplit(site.set_out(client)).query)["state"][0]
    answer = client.get(f"/auth/callback?{said}&state={state}", follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "security.oidc_refused")


def test_a_token_that_has_expired_is_refused(build: Build) -> None:
    with provider(access_token_max_age=timedelta(seconds=30)) as issuer:
        site = Site(build(replace(OPTIONS, oidc=options_for(issuer)), datetime.now(UTC)), issuer)
        client = site.house.client()
        path = site.back(site.set_out(client), "1")
        site.house.moves.forward(minutes=5)
        answer = client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "security.oidc_token")
    assert "expired" in answer.json()["detail"]


def test_signing_out_needs_the_sessions_token(site: Site) -> None:
    client, _ = site.sign_in("1")
    assert client.post("/auth/logout").status_code == 403
    csrf = client.get(CURRENT).json()["csrf"]
    assert client.post("/auth/logout", headers={"X-CSRF-Token": csrf}).status_code == 200
    assert client.get(CURRENT).status_code == 401


def test_a_provider_that_is_away_is_told(build: Build) -> None:
    with provider() as issuer:
        house = build(replace(OPTIONS, oidc=options_for(issuer)))
    answer = house.client(ELSEWHERE).get("/auth/login", follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (503, "security.oidc_provider")


# A provider that does what it is told to


@dataclass
class Crooked:
    """A provider whose every answer the test decides."""

    key: RSAKey
    answers: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    issuer: str = ""

    def publish(self, *keys: RSAKey) -> None:
        self.answers["/jwks"] = KeySet(list(keys)).as_dict(private=False)

    def give(self, token: str) -> None:
        self.answers["/token"] = {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def token(self, nonce: str, changed: Mapping[str, Any]) -> str:
        return sign(self.key, {**claims_of(self.issuer, nonce), **changed})


def claims_of(issuer: str, nonce: str) -> dict[str, Any]:
    seconds = int(NOW.timestamp())
    return {"iss": issuer, "aud": "andon", "sub": "1", "iat": seconds, "exp": seconds + 300, "nonce": nonce}


def sign(key: RSAKey, said: dict[str, Any]) -> str:
    told = {name: value for name, value in said.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": key.kid}, told, key, algorithms=["RS256"])


@pytest.fixture(scope="module")
def rsa() -> RSAKey:
    return new_rsa()


def new_rsa() -> RSAKey:
    key = RSAKey.generate_key(2048, auto_kid=True)
    assert key.kid
    return key


@pytest.fixture
def crooked(rsa: RSAKey) -> Iterator[Crooked]:
    told = Crooked(rsa)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            told.seen.append((self.path, body))
            answer = told.answers.get(self.path)
            contents = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(contents)))
            self.end_headers()
            self.wfile.write(contents)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    told.issuer = f"http://127.0.0.1:{server.server_port}"
    told.answers["/.well-known/openid-configuration"] = {
        "issuer": told.issuer,
        "authorization_endpoint": f"{told.issuer}/authorize",
        "token_endpoint": f"{told.issuer}/token",
        "jwks_uri": f"{told.issuer}/jwks",
    }
    told.publish(rsa)
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_code_is_exchanged_with_the_verifier_of_its_challenge(crooked: Crooked) -> None:
    asked = Provider(options_for(crooked.issuer))
    _, attempt = new_attempt()
    challenge = parse_qs(urlsplit(asked.authorization_url(attempt)).query)["code_challenge"][0]
    crooked.give(crooked.token(attempt.nonce, {}))
    assert asked.claims("the code", attempt, NOW)["sub"] == "1"
    body = parse_qs(next(body for path, body in crooked.seen if path == "/token"))
    assert (body["code"], body["redirect_uri"]) == (["the code"], [CALLBACK])
    verifier = sha256(body["code_verifier"][0].encode()).digest()
    assert urlsafe_b64encode(verifier).rstrip(b"=").decode() == challenge


CHANGES: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "other"},
    {"aud": ["other"]},
    {"aud": ["andon", "other"]},
    {"aud": ["andon", "other"], "azp": "other"},
    {"aud": None},
    {"exp": int(NOW.timestamp()) - 61},
    {"exp": None},
    {"exp": "never"},
    {"iat": int(NOW.timestamp()) + 3600},
    {"iat": None},
    {"nbf": int(NOW.timestamp()) + 3600},
    {"nonce": "other"},
    {"nonce": None},
    {"sub": None},
    {"sub": ""},
]


@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_a_token_that_says_anything_else_is_refused(crooked: Crooked, changed: dict[str, Any]) -> None:
    asked = Provider(options_for(crooked.issuer))
    _, attempt = new_attempt()
    crooked.give(crooked.token(attempt.nonce, changed))
    with pytest.raises(UnauthenticatedError, match=r"security\.oidc_token"):
        asked.claims("code", attempt, NOW)


def test_several_audiences_do_where_this_service_is_the_party(crooked: Crooked) -> None:
    asked = Provider(options_for(crooked.issuer))
    _, attempt = new_attempt()
    crooked.give(crooked.token(attempt.nonce, {"aud": ["andon", "other"], "azp": "andon"}))
    assert asked.claims("code", attempt, NOW)["sub"] == "1"


def piece(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], said: dict[str, Any], secret: bytes) -> str:
    """A token with a header that no library would write, signed with a shared secret where there is one."""
    text = f"{piece(json.dumps(header).encode())}.{piece(json.dumps(said).encode())}"
    return f"{text}.{piece(hmac.digest(secret, text.encode(), 'sha256') if secret else b'')}"


FORGERIES: dict[str, Callable[[Crooked, str], str]] = {
    "unknown key": lambda crooked, nonce: sign(new_rsa(), claims_of(crooked.issuer, nonce)),
    "known name, other key": lambda crooked, nonce: sign(
        RSAKey.import_key({**new_rsa().as_dict(private=True), "kid": crooked.key.kid or ""}),
        claims_of(crooked.issuer, nonce),
    ),
    "no signature": lambda crooked, nonce: by_hand({"alg": "none"}, claims_of(crooked.issuer, nonce), b""),
    "public key as a shared secret": lambda crooked, nonce: by_hand(
        {"alg": "HS256", "kid": crooked.key.kid}, claims_of(crooked.issuer, nonce), crooked.key.as_pem(private=False)
    ),
    "cut": lambda crooked, nonce: crooked.token(nonce, {})[:-5],
    "nothing": lambda _crooked, _nonce: "",
    "no token": lambda _crooked, _nonce: "abc",
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused(crooked: Crooked, forgery: str) -> None:
    asked = Provider(options_for(crooked.issuer))
    _, attempt = new_attempt()
    crooked.give(FORGERIES[forgery](crooked, attempt.nonce))
    with pytest.raises(UnauthenticatedError, match=r"security\.oidc_token"):
        asked.claims("code", attempt, NOW)


def test_keys_that_the_provider_took_since_are_fetched(crooked: Crooked) -> None:
    asked = Provider(options_for(crooked.issuer))
    for key in (crooked.key, new_rsa()):
        crooked.publish(key)
        _, attempt = new_attempt()
        crooked.give(sign(key, claims_of(crooked.issuer, attempt.nonce)))
        assert asked.claims("code", attempt, NOW)["sub"] == "1"
    assert [path for path, _ in crooked.seen].count("/jwks") == 2
    assert [path for path, _ in crooked.seen].count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize(
    ("path", "answer", "code"),
    [
        ("/.well-known/openid-configuration", None, "security.oidc_provider"),
        ("/.well-known/openid-configuration", b"<html>", "security.oidc_provider"),
        ("/.well-known/openid-configuration", {"issuer": "x"}, "security.oidc_provider"),
        (
            "/.well-known/openid-configuration",
            {"issuer": "https://other", "authorization_endpoint": "", "token_endpoint": "", "jwks_uri": ""},
            "security.oidc_issuer",
        ),
        ("/jwks", None, "security.oidc_provider"),
        ("/jwks", b"[", "security.oidc_provider"),
        ("/jwks", {}, "security.oidc_provider"),
        ("/jwks", {"keys": []}, "security.oidc_provider"),
        ("/jwks", {"keys": [{"kty": "RSA"}]}, "security.oidc_provider"),
        ("/token", b"<html>", "security.oidc_provider"),
        ("/token", [], "security.oidc_provider"),
    ],
)
def test_a_provider_that_does_not_keep_to_the_standard_is_told(
    crooked: Crooked, path: str, answer: Any, code: str
) -> None:
    asked = Provider(options_for(crooked.issuer))
    _, attempt = new_attempt()
    crooked.give(crooked.token(attempt.nonce, {}))
    crooked.answers[path] = answer
    with pytest.raises(ResourceError) as refused:
        asked.claims("code", attempt, NOW)
    assert refused.value.code == code


def test_nothing_is_sent_in_clear_text_over_a_network(crooked: Crooked) -> None:
    crooked.answers["/.well-known/openid-configuration"]["token_endpoint"] = "http://id.example/token"
    with pytest.raises(ResourceError, match=r"security\.oidc_clear_text"):
        Provider(options_for(crooked.issuer)).metadata()


@pytest.mark.parametrize(
    ("said", "claim", "role"),
    [
        ({"groups": ["line"]}, "groups", Role.OPERATOR),
        ({"groups": "quality"}, "groups", Role.ENGINEER),
        ({"realm_access": {"roles": ["line", "quality"]}}, "realm_access.roles", Role.ENGINEER),
        ({"https://andon.example/roles": ["line"]}, "https://andon.example/roles", Role.OPERATOR),
    ],
)
def test_groups_are_found_under_their_claim(said: dict[str, Any], claim: str, role: Role) -> None:
    assert role_of(said, replace(options_for("https://id"), roles_claim=claim)) is role


@pytest.mark.parametrize(
    "said",
    [{}, {"groups": []}, {"groups": ["choir"]}, {"groups": {"line": 1}}, {"groups": [["line"]]}, {"groups": 7}],
)
def test_by_default_nobody_has_a_role(said: dict[str, Any]) -> None:
    with pytest.raises(ForbiddenError, match=r"security\.oidc_no_role"):
        role_of(said, options_for("https://id"))


def test_the_secret_of_the_client_does_not_show_by_itself() -> None:
    assert "client secret" not in repr(options_for("https://id"))
    kept, attempt = new_attempt()
    assert kept not in repr(attempt)
    assert attempt.verifier not in repr(attempt)


def test_a_token_is_verified_without_a_provider(rsa: RSAKey) -> None:
    said = claims_of("https://id", "nonce")
    assert verified_claims(sign(rsa, said), KeySet([rsa]), options_for("https://id"), "nonce", NOW) == said
