"""A provider of single sign-on, spoken to with the authorization code flow and PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636).

Calls block; the endpoints make them on a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from andon.models.types.errors import ResourceError
from andon.serving.security.errors import ForbiddenError, UnauthenticatedError
from andon.serving.security.options import OidcOptions
from andon.serving.security.roles import Role
from andon.serving.security.tokens import digest_of, new_secret

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a public key alone: a provider's word on ``none`` or on a shared secret does not count (RFC 8725, 3.1)."""
LEEWAY_S = 60
_DISCOVERY = "/.well-known/openid-configuration"

Claims = Mapping[str, Any]


class Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody on the way to the provider and back.

    Parameters
    ----------
    binding
        SHA-256 of what their browser holds in a cookie.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    binding: bytes = field(repr=False)


def new_attempt() -> tuple[str, Attempt]:
    """Begin: what the browser keeps, and what stays here."""
    kept = new_secret()
    return kept, Attempt(new_secret(), new_secret(), new_secret(), digest_of(kept))


class Provider:
    """Speaks to one provider, and remembers its addresses and keys. Safe to use from several threads at once."""

    def __init__(self, options: OidcOptions) -> None:
        self._options = options
        self._lock = Lock()
        self._metadata: Metadata | None = None
        self._keys: KeySet | None = None

    def authorization_url(self, attempt: Attempt) -> str:
        """Say where to send somebody.

        Raises
        ------
        ResourceError
            The provider does not answer, or not as the standard says.
        """
        metadata = self.metadata()
        with self._client() as client:
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint,
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url)

    def claims(self, code: str, attempt: Attempt, now: datetime) -> Claims:
        """Turn the code that somebody brings back into what the provider says of them.

        Raises
        ------
        UnauthenticatedError
            The code or the token does not hold.
        ResourceError
            The provider does not answer, or not as the standard says.
        """
        token = self._id_token(code, attempt)
        try:
            return verified_claims(token, self._key_set(), self._options, attempt.nonce, now)
        except InvalidKeyIdError:  # it may have taken new keys since
            self._keys = None
        try:
            return verified_claims(token, self._key_set(), self._options, attempt.nonce, now)
        except InvalidKeyIdError as error:
            raise _untrusted(self._options, error) from error

    def metadata(self) -> Metadata:
        """Return what the provider says of itself; asked once."""
        with self._lock:
            if self._metadata is None:
                self._metadata = self._checked(self._get(self._options.issuer.rstrip("/") + _DISCOVERY))
            return self._metadata

    def _checked(self, contents: bytes) -> Metadata:
        issuer = self._options.issuer
        try:
            metadata = msgspec.json.decode(contents, type=Metadata)
        except msgspec.DecodeError as error:
            raise ResourceError("security.oidc_provider", issuer, reason=str(error)) from error
        if metadata.issuer != issuer:
            raise ResourceError("security.oidc_issuer", issuer, found=metadata.issuer)
        for url in (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri):
            if not is_protected(url):
                raise ResourceError("security.oidc_clear_text", issuer, found=url)
        return metadata

    def _key_set(self) -> KeySet:
        url = self.metadata().jwks_uri
        with self._lock:
            if self._keys is None:
                self._keys = self._read_keys(self._get(url))
            return self._keys

    def _read_keys(self, contents: bytes) -> KeySet:
        try:
            return KeySet.import_key_set(msgspec.json.decode(contents))
        except (msgspec.DecodeError, JoseError, ValueError, KeyError, TypeError) as error:
            raise ResourceError("security.oidc_provider", self._options.issuer, reason=str(error)) from error

    def _get(self, url: str) -> bytes:
        try:
            response = requests.get(url, timeout=self._options.timeout_s)
            response.raise_for_status()
        except requests.RequestException as error:
            raise ResourceError("security.oidc_provider", self._options.issuer, reason=str(error)) from error
        return bytes(response.content)

    def _id_token(self, code: str, attempt: Attempt) -> str:
        url = self.metadata().token_endpoint
        try:
            with self._client() as client:
                token = client.fetch_token(
                    url,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=attempt.verifier,
                    timeout=self._options.timeout_s,
                )
        except AuthlibBaseError as error:
            raise UnauthenticatedError("security.oidc_code", self._options.issuer, reason=error.error or "-") from error
        except (requests.RequestException, ValueError) as error:
            raise ResourceError("security.oidc_provider", self._options.issuer, reason=str(error)) from error
        return str(token.get("id_token", ""))

    def _client(self) -> OAuth2Session:
        return OAuth2Session(
            self._options.client_id,
            self._options.client_secret or None,
            redirect_uri=self._options.redirect_url,
            scope=self._options.scope,
            code_challenge_method="S256",
        )


def verified_claims(token: str, keys: KeySet, options: OidcOptions, nonce: str, now: datetime) -> Claims:
    """Verify an ID token: signature, issuer, audience, times and nonce (OpenID Connect Core 1.0, 3.1.3.7).

    Raises
    ------
    UnauthenticatedError
        It does not hold.
    InvalidKeyIdError
        It names a key that is not in ``keys``.
    """
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        _registry(options, nonce, now).validate(claims)
    except InvalidKeyIdError:
        raise
    except (JoseError, ValueError) as error:
        raise _untrusted(options, error) from error
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != options.client_id:
        raise UnauthenticatedError("security.oidc_token", options.issuer, reason="azp")
    return claims


def role_of(claims: Claims, options: OidcOptions) -> Role:
    """Find the highest role that the provider's groups give somebody.

    Raises
    ------
    ForbiddenError
        None of them gives a role.
    """
    said = _groups(claims, options.roles_claim)
    given = [options.roles[group] for group in said if group in options.roles]
    if not given:
        raise ForbiddenError("security.oidc_no_role", str(claims.get("sub", "-")), claim=options.roles_claim)
    return max(given)


def is_protected(url: str) -> bool:
    """Whether nobody on the way can read or change what is sent to an address: TLS, or this machine itself.

    >>> is_protected("https://id.example/x"), is_protected("http://127.0.0.1:9/x"), is_protected("http://id.example/x")
    (True, True, False)
    """
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or ""))


def _registry(options: OidcOptions, nonce: str, now: datetime) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": options.issuer},
        aud={"essential": True, "value": options.client_id},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )


def _untrusted(options: OidcOptions, error: Exception) -> UnauthenticatedError:
    return UnauthenticatedError("security.oidc_token", options.issuer, reason=str(error))


def _groups(claims: Claims, name: str) -> list[str]:
    """Read a claim by its name, or by the path to it: ``realm_access.roles``. One that is a text counts as a list of it."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    listed = [value] if isinstance(value, str) else value
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
