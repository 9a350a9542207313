"""Tokens of an identity provider: which say who has signed in, and which are refused."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from app.errors import Unauthorized
from app.services.identity_provider import IdentityProvider
from tests.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Claims,
    IdentityProviderForTests,
    running_identity_provider,
)

BACK, VERIFIER = "https://cv.hotel.example/console", "v" * 43


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProviderForTests]:
    with running_identity_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: IdentityProviderForTests) -> IdentityProviderForTests:
    """As it is when nobody lies."""
    running.person, running.document, running.sign = {"sub": "u-1"}, {}, None
    return running


@pytest.fixture
async def ours(provider: IdentityProviderForTests) -> AsyncIterator[IdentityProvider]:
    opened = IdentityProvider(
        provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, prompt="", timeout_s=10.0
    )
    yield opened
    await opened.close()


async def claims(ours: IdentityProvider) -> Claims:
    """Of somebody who is sent away and comes back."""
    url = await ours.sign_in_url(BACK, state="s", nonce="n", verifier=VERIFIER)
    answer = await asyncio.to_thread(httpx.get, url, timeout=30)
    code = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["code"]
    return dict(await ours.claims(code, redirect_uri=BACK, nonce="n", verifier=VERIFIER))


def encoded(content: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def lied(**claims: object) -> Callable[[IdentityProviderForTests], None]:
    """Of whoever signs in; None leaves a claim out."""

    def tell(provider: IdentityProviderForTests) -> None:
        provider.person |= claims

    return tell


def signed(sign: Callable[[IdentityProviderForTests, Claims], str]) -> Callable[[IdentityProviderForTests], None]:
    def tell(provider: IdentityProviderForTests) -> None:
        provider.sign = lambda claims: sign(provider, claims)

    return tell


def by_nobody(_: IdentityProviderForTests, claims: Claims) -> str:
    return f"{encoded({'alg': 'none', 'kid': 'first'})}.{encoded(claims)}."


def by_the_public_key_as_a_secret(provider: IdentityProviderForTests, claims: Claims) -> str:
    signed = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(claims)}"
    digest = hmac.digest(provider.keys[0].as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def by_another_key(_: IdentityProviderForTests, claims: Claims) -> str:
    key = RSAKey.generate_key(2048)
    return str(jwt.encode({"alg": "RS256", "kid": "first"}, claims, key, algorithms=["RS256"]))


def changed_afterwards(provider: IdentityProviderForTests, claims: Claims) -> str:
    header, _, signature = provider.signed(claims).split(".")
    _, payload, _ = provider.signed({**claims, "sub": "somebody else"}).split(".")
    return f"{header}.{payload}.{signature}"


@pytest.mark.parametrize(
    "lie",
    [
        lied(nonce="of another sign-in"),
        lied(nonce=None),
        lied(aud="another-client"),
        lied(aud=None),
        lied(aud=[CLIENT_ID, "another-client"]),
        lied(azp="another-client"),
        lied(iss="https://evil.example"),
        lied(iss=None),
        lied(exp=int(time.time()) - 3600),
        lied(exp=None),
        lied(exp="tomorrow"),
        lied(iat=int(time.time()) + 3600),
        lied(sub=None),
        lied(sub=""),
        lied(sub=["u-1"]),
        signed(by_nobody),
        signed(by_the_public_key_as_a_secret),
        signed(by_another_key),
        signed(changed_afterwards),
        signed(lambda *_: "no token"),
        signed(lambda *_: ""),
        signed(lambda provider, claims: provider.signed(claims, kid="nobody's")),
    ],
)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    ours: IdentityProvider, provider: IdentityProviderForTests, lie: Callable[[IdentityProviderForTests], None]
) -> None:
    lie(provider)
    with pytest.raises(Unauthorized) as refusal:
        await claims(ours)
    assert refusal.value.code == "identity_refused"


async def test_several_audiences_do_where_the_token_was_made_for_us(
    ours: IdentityProvider, provider: IdentityProviderForTests
) -> None:
    provider.person |= {"aud": ["another-client", CLIENT_ID], "azp": CLIENT_ID}
    assert (await claims(ours))["sub"] == "u-1"


async def test_elliptic_curves_sign_too(ours: IdentityProvider, provider: IdentityProviderForTests) -> None:
    keys = provider.keys
    provider.keys = [ECKey.generate_key("P-256", {"kid": "curve"}), *keys]
    provider.sign = lambda said: provider.signed(said, alg="ES256")
    assert (await claims(ours))["sub"] == "u-1"
    provider.keys = keys
