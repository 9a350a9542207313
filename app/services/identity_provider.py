"""The hotel's identity provider, by OpenID Connect: the authorization code flow with PKCE (RFC 7636).

It is reached at the issuer that the operator names, and at the addresses that the issuer's own document gives; nothing
that a user sends says where. No answer is followed elsewhere, and each has a limit of time and size.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # of JSON
from urllib.parse import quote, urlencode, urlsplit

import httpcore
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from app.errors import BackendUnavailable, Unauthorized
from app.services.calls import backend_call
from app.utils.logging import logger

BACKEND = "identity_provider"
_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol)
_MAX_ANSWER_BYTES = 1_000_000
_KEPT_S = 3600.0  # the document and the keys
_ASKED_AGAIN_S = 60.0  # for keys, at the earliest, when a token names one that is not among them
_LEEWAY_S = 60
# Signatures that a public key verifies. Neither "none", nor HMAC, for which a public key would do as the secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")


@dataclass(frozen=True, slots=True)
class _Document:
    """What the provider says of itself (OpenID Connect Discovery)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was fetched last, and when."""

    document: _Document
    keys: KeySet
    fetched_at: float


class IdentityProvider:
    """Sends people to the provider, and verifies what they come back with.

    Args:
        issuer: as it stands in its document and in every token.
        client_secret: empty for a public client, whom PKCE alone protects.
        prompt: what the provider is to ask people; empty: as it likes.
        timeout_s: limit of one call.
    """

    def __init__(self, issuer: str, *, client_id: str, client_secret: str, prompt: str, timeout_s: float) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._prompt = prompt
        self._timeout_s = timeout_s
        self._pool = httpcore.AsyncConnectionPool(ssl_context=ssl.create_default_context(), max_connections=4)
        self._kept: _Kept | None = None
        self._fetching = asyncio.Lock()

    async def sign_in_url(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where a person signs in, from where they come back to ``redirect_uri``.

        Raises:
            BackendUnavailable: the provider does not answer, or not as one.
        """
        document = (await self._known()).document
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"prompt": self._prompt} if self._prompt else {}),
        }
        joint = "&" if urlsplit(document.authorization_endpoint).query else "?"
        return f"{document.authorization_endpoint}{joint}{urlencode(asked)}"

    async def claims(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """Who has signed in: the claims of the verified ID token, among them ``sub``.

        Raises:
            Unauthorized: the provider knows no such code, or the token is not for us, or not of this sign-in.
            BackendUnavailable: as above.
        """
        token = await self._token(code, redirect_uri=redirect_uri, verifier=verifier)
        try:
            claims = await self._verified(token)
            self._registry(nonce).validate(claims)
        except (JoseError, ValueError) as error:  # ValueError: of what is no token at all
            raise _refused(type(error).__name__) from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise _refused("authorized party")
        return claims

    async def close(self) -> None:
        """End all connections."""
        await self._pool.aclose()

    def _registry(self, nonce: str) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )

    async def _verified(self, token: str) -> dict[str, Any]:
        kept = await self._known()
        try:
            verified = jwt.decode(token, kept.keys, algorithms=_ALGORITHMS)
        except InvalidKeyIdError:  # the provider may have other keys by now
            kept = await self._known(max_age_s=_ASKED_AGAIN_S)
            verified = jwt.decode(token, kept.keys, algorithms=_ALGORITHMS)
        claims: dict[str, Any] = verified.claims
        return claims

    async def _token(self, code: str, *, redirect_uri: str, verifier: str) -> str:
        document = (await self._known()).document
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self._client_secret and document.takes_basic:
            pair = f"{quote(self._client_id, safe='')}:{quote(self._client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self._client_id
            form |= {"client_secret": self._client_secret} if self._client_secret else {}
        status, body = await self._ask("POST", document.token_endpoint, headers=headers, body=urlencode(form).encode())
        token = body.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise _refused(str(body.get("error", status))[:50])
        return token

    async def _known(self, *, max_age_s: float = _KEPT_S) -> _Kept:
        async with self._fetching:
            if self._kept is None or time.monotonic() - self._kept.fetched_at > max_age_s:
                self._kept = await self._fetch()
            return self._kept

    async def _fetch(self) -> _Kept:
        said = await self._read(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        ways = said.get("token_endpoint_auth_methods_supported")
        document = _Document(
            authorization_endpoint=str(said.get("authorization_endpoint")),
            token_endpoint=str(said.get("token_endpoint")),
            jwks_uri=str(said.get("jwks_uri")),
            takes_basic=not isinstance(ways, list) or "client_secret_basic" in ways,
        )
        places = (document.authorization_endpoint, document.token_endpoint, document.jwks_uri)
        if said.get("issuer") != self.issuer or not all(self._is_safe(place) for place in places):
            raise _unusable("document")
        published: Any = await self._read(document.jwks_uri)  # a set of keys, if it is what it should be
        try:
            keys = KeySet.import_key_set(published)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _unusable("keys") from error
        return _Kept(document, keys, time.monotonic())

    def _is_safe(self, place: str) -> bool:
        """Whether codes, secrets and keys may go there: over TLS, or where the issuer itself is."""
        at, issuer = urlsplit(place), urlsplit(self.issuer)
        return at.scheme == "https" or (at.scheme, at.netloc) == (issuer.scheme, issuer.netloc)

    async def _read(self, url: str) -> dict[str, Any]:
        status, body = await self._ask("GET", url, headers={}, body=None)
        if status != 200:
            raise _unusable(f"status {status}")
        return body

    async def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, dict[str, Any]]:
        given = {"accept": "application/json", "user-agent": "cv-service", **headers}
        answer = bytearray()
        async with (
            backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES),
            self._pool.stream(method, url, headers=list(given.items()), content=body) as response,
        ):
            async for piece in response.aiter_stream():
                answer += piece
                if len(answer) > _MAX_ANSWER_BYTES:
                    break
        try:
            said = json.loads(answer)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise _unusable(f"status {response.status}")
        return response.status, said


def _unusable(what: str) -> BackendUnavailable:
    logger.warning("identity_provider_unusable", what=what)
    return BackendUnavailable(BACKEND)


def _refused(reason: str) -> Unauthorized:
    logger.warning("identity_refused", reason=reason)
    return Unauthorized(
        "What the identity provider says of you could not be verified; sign in again.", code="identity_refused"
    )
