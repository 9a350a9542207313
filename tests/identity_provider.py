"""An identity provider for tests: OpenID Connect's discovery, keys, authorization and tokens, over HTTP on loopback.

Nobody types anything there: whoever is sent to it is ``person`` and comes back at once. It is strict with its client,
and lies in its tokens where a test asks it to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT_ID, CLIENT_SECRET = "cv-service", "the secret of the tests: %/+"
Claims = dict[str, Any]
Sign = Callable[[Claims], str]


@dataclass
class IdentityProviderForTests:
    """What it says, for tests to change.

    Attributes:
        person: claims of whoever signs in next.
        sign: makes the token of claims.
        keys: whose public halves it publishes; the first signs.
        document: overrides of what it says of itself.
        asked: the parameters of each authorization request.
        hang_s: how long it waits before each answer.
        token_error: what the token endpoint refuses with, if anything.
    """

    issuer: str = ""
    person: Claims = field(default_factory=dict)
    keys: list[RSAKey | ECKey] = field(default_factory=lambda: [RSAKey.generate_key(2048, {"kid": "first"})])
    sign: Sign | None = None
    document: Claims = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    hang_s: float = 0.0
    token_error: str | None = None
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def signed(self, claims: Claims, *, alg: str = "RS256", kid: str | None = None) -> str:
        key = self.keys[0]
        return str(jwt.encode({"alg": alg, "kid": kid or key.kid}, claims, key, algorithms=[alg]))

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        """What a code is exchanged for, once."""
        if self.token_error:
            return 400, {"error": self.token_error}
        scheme, _, pair = authorization.partition(" ")
        wanted = urlencode([("", CLIENT_ID)])[1:] + ":" + urlencode([("", CLIENT_SECRET)])[1:].replace("+", "%20")
        if scheme != "Basic" or base64.b64decode(pair).decode() != wanted:
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = (self.sign or self.signed)(claims)
        return 200, {"access_token": "unused", "token_type": "Bearer", "id_token": token}

    def published(self) -> Claims:
        return dict(KeySet(list(self.keys)).as_dict(private=False))

    def described(self) -> Claims:
        places = {name: f"{self.issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        return {"issuer": self.issuer, **places, **self.document}


@contextmanager
def running_identity_provider() -> Iterator[IdentityProviderForTests]:
    """Listens until the block ends."""
    provider = IdentityProviderForTests()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            at = urlsplit(self.path)
            time.sleep(provider.hang_s)
            match at.path.rpartition("/")[2]:
                case "openid-configuration":
                    self._answer(200, provider.described())
                case "jwks_uri":
                    self._answer(200, provider.published())
                case "authorization_endpoint":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(dict(parse_qsl(at.query))))
                    self.end_headers()
                case _:
                    self._answer(404, {})

        def do_POST(self) -> None:
            time.sleep(provider.hang_s)
            form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
            self._answer(*provider.token(form, self.headers.get("authorization", "")))

        def _answer(self, status: int, body: Claims) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}/realms/hotel"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
