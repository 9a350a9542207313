"""A small blocking HTTP client for cameras: checked addresses, checked redirects, logins, one deadline a read.

The common clients resolve names again for themselves when they connect and when they follow a redirect, which is
where an address check would be got round.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit
from urllib.request import parse_http_list, parse_keqv_list

from app.errors import InvalidInput, Unavailable
from app.services.streams.tls import secured
from app.services.streams.types import Credentials, Fault, StreamFailed, TlsTrust
from app.utils.network_guard import NetworkGuard

_REDIRECTS = 3
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_FAULTS = {401: Fault.UNAUTHORIZED, 403: Fault.UNAUTHORIZED, 404: Fault.NOT_FOUND, 410: Fault.NOT_FOUND}
_CHUNK_BYTES = 65536


class HttpAnswer:
    """A successful answer whose body is read piece by piece.

    Args:
        timeout_s: limit of each ``read_some``.
    """

    def __init__(self, connection: socket.socket, response: http.client.HTTPResponse, *, timeout_s: float) -> None:
        self._socket = connection
        self._response = response
        self._timeout_s = timeout_s
        self._reading = threading.Lock()
        self.content_type = response.headers.get("content-type", "")

    def read_some(self, deadline_s: float) -> bytes:
        """The next bytes; empty at the end.

        Args:
            deadline_s: moment of the monotonic clock at which what is being read has to be complete, so that a
                camera that trickles is noticed too.
        """
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise StreamFailed(Fault.STALLED, "The camera sends too slowly.")
        try:
            self._socket.settimeout(min(left_s, self._timeout_s))
            with self._reading:
                return self._response.read1(_CHUNK_BYTES)
        except TimeoutError as error:
            raise StreamFailed(Fault.STALLED, "The camera stopped sending.") from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: closed by another thread
            raise StreamFailed(Fault.ENDED, "The camera's connection was cut.") from error

    def read_all(self, deadline_s: float, *, max_bytes: int) -> bytes:
        """The whole body; then the answer is closed.

        Raises:
            StreamFailed: also where the body is larger.
        """
        body = bytearray()
        try:
            while data := self.read_some(deadline_s):
                body += data
                if len(body) > max_bytes:
                    raise StreamFailed(Fault.NOT_A_STREAM, "The camera's answer is too large.")
        finally:
            self.close()
        return bytes(body)

    def close(self) -> None:
        """Also from another thread: a read under way ends at once."""
        _shut(self._socket)
        with self._reading:
            self._response.close()


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    url: str
    body: bytes | None = None


class HttpClient:
    """Opens one URL at a time.

    Args:
        guard: says where connections may go.
        ports: to which a redirect may lead, beside the first address's.
        timeout_s: limit of connecting, of the answer's head, and of a pause in the body.
    """

    def __init__(self, guard: NetworkGuard, *, ports: frozenset[int], timeout_s: float) -> None:
        self._guard = guard
        self._ports = ports
        self._timeout_s = timeout_s

    def get(self, url: str, credentials: Credentials | None, tls: TlsTrust) -> HttpAnswer:
        """Ask for ``url``, following a few redirects, each checked like the first address.

        Raises:
            StreamFailed: with the reason.
        """
        origin = _origin(url)
        authorization = None
        for _ in range(_REDIRECTS + 2):  # the redirects, the first request, and one more after a challenge
            connection, response = self._ask(_Question("GET", url), authorization, tls)
            status = response.status
            if status == http.client.OK:
                return HttpAnswer(connection, response, timeout_s=self._timeout_s)
            response.close()
            if status in _REDIRECT_STATUSES and (place := response.headers.get("location")):
                url, authorization = urljoin(url, place), None
                if _port(url) not in self._ports | {origin[2]}:
                    raise StreamFailed(Fault.REFUSED, "The camera redirects to a port that is not in CAMERA_PORTS.")
                continue
            # A login is for the host that it was given for, not for wherever that host points.
            challenge = response.headers.get_all("www-authenticate", [])
            if status != http.client.UNAUTHORIZED or authorization or not credentials or _origin(url) != origin:
                raise StreamFailed(_FAULTS.get(status, Fault.WRONG_ANSWER), f"The camera answers with HTTP {status}.")
            authorization = _authorization(challenge, credentials, _target(url))
        raise StreamFailed(Fault.WRONG_ANSWER, "The camera redirects too often.")

    def post_xml(
        self, url: str, body: bytes, credentials: Credentials | None, tls: TlsTrust, *, max_bytes: int
    ) -> tuple[int, bytes]:
        """Ask a question in SOAP. No redirect is followed, and the login only ever leaves as a digest.

        Returns:
            The status, whatever it is, and the answer.

        Raises:
            StreamFailed: no answer, or a larger one.
        """
        authorization = None
        while True:
            connection, response = self._ask(_Question("POST", url, body), authorization, tls)
            challenge = _digest_challenge(response.headers.get_all("www-authenticate", []))
            if response.status == http.client.UNAUTHORIZED and challenge and credentials and authorization is None:
                response.close()
                authorization = _digest(challenge, credentials, "POST", _target(url))
                continue
            answer = HttpAnswer(connection, response, timeout_s=self._timeout_s)
            return response.status, answer.read_all(time.monotonic() + self._timeout_s, max_bytes=max_bytes)

    def _ask(
        self, question: _Question, authorization: str | None, tls: TlsTrust
    ) -> tuple[socket.socket, http.client.HTTPResponse]:
        parts = urlsplit(question.url)
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host:
            raise StreamFailed(Fault.REFUSED, "The camera redirects to something that is no http address.")
        connection = connect(self._guard, host, parts.port or _default_port(parts.scheme), timeout_s=self._timeout_s)
        # Each read has its limit; this one ends a camera that sends its head a byte at a time.
        until_s = time.monotonic() + self._timeout_s  # taken first: whatever the limit cuts off, it is over by then
        limit = threading.Timer(self._timeout_s, _shut, [connection])
        limit.start()
        try:
            if parts.scheme == "https":
                connection = secured(connection, host, tls)
            asking = http.client.HTTPConnection(host, timeout=self._timeout_s)
            asking.sock = connection
            headers = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": "cv-service", "Connection": "close"}
            if authorization:
                headers["Authorization"] = authorization
            if question.body is not None:
                headers["Content-Type"] = "application/soap+xml; charset=utf-8"
            asking.request(question.method, _target(question.url), body=question.body, headers=headers)
            return connection, asking.getresponse()
        except StreamFailed:
            _shut(connection)
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            _shut(connection)
            if isinstance(error, TimeoutError) or time.monotonic() >= until_s:  # whichever of the two limits was first
                raise StreamFailed(Fault.STALLED, "The camera takes the connection and does not answer.") from error
            raise StreamFailed(Fault.WRONG_ANSWER, "The camera does not answer in HTTP.") from error
        finally:
            limit.cancel()


def connect(guard: NetworkGuard, host: str, port: int, *, timeout_s: float) -> socket.socket:
    """A connection to one of the host's addresses, all of which are checked first.

    Raises:
        StreamFailed: not allowed, unknown, or nobody there.
    """
    try:
        addresses = guard.addresses(host, port)
    except InvalidInput as error:
        raise StreamFailed(Fault.REFUSED, error.message) from error
    except Unavailable as error:
        raise StreamFailed(Fault.UNREACHABLE, error.message) from error
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=timeout_s)
        except OSError:
            continue
    raise StreamFailed(Fault.UNREACHABLE, "Nobody answers at the camera's address.")


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in recv, which close alone does not
    connection.close()


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _default_port(parts.scheme)


def _port(url: str) -> int | None:
    """None of what is no address."""
    try:
        return _origin(url)[2]
    except ValueError:
        return None


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _authorization(challenges: list[str], credentials: Credentials, target: str) -> str:
    """The answer to the strongest challenge that we know; Digest before Basic."""
    digest = _digest_challenge(challenges)
    if digest is None:
        plain = f"{credentials.username}:{credentials.password}".encode()
        return f"Basic {base64.b64encode(plain).decode()}"
    return _digest(digest, credentials, "GET", target)


def _digest_challenge(challenges: list[str]) -> dict[str, str] | None:
    digest = next((text for text in challenges if text.lower().startswith("digest ")), None)
    return None if digest is None else parse_keqv_list(parse_http_list(digest[len("digest ") :]))


def _digest(challenge: dict[str, str], credentials: Credentials, method: str, target: str) -> str:
    """RFC 7616, for qop=auth and for servers so old that they name none."""
    algorithm = challenge.get("algorithm", "MD5")
    name = algorithm.upper().removesuffix("-SESS")

    def hashed(text: str) -> str:
        # MD5 is the cameras' choice, not ours.
        return hashlib.new("sha256" if name == "SHA-256" else "md5", text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce, client_nonce, count = challenge.get("realm", ""), challenge.get("nonce", ""), secrets.token_hex(8), 1
    user = hashed(f"{credentials.username}:{realm}:{credentials.password}")
    if algorithm.upper().endswith("-SESS"):
        user = hashed(f"{user}:{nonce}:{client_nonce}")
    request = hashed(f"{method}:{target}")
    fields = {"username": credentials.username, "realm": realm, "nonce": nonce, "uri": target}
    if "auth" in [option.strip() for option in challenge.get("qop", "").split(",")]:
        fields["response"] = hashed(f"{user}:{nonce}:{count:08x}:{client_nonce}:auth:{request}")
        extra = f', qop=auth, nc={count:08x}, cnonce="{client_nonce}"'
    else:
        fields["response"] = hashed(f"{user}:{nonce}:{request}")
        extra = ""
    if "opaque" in challenge:
        fields["opaque"] = challenge["opaque"]
    quoted = ", ".join(f'{key}="{_escaped(value)}"' for key, value in fields.items())
    return f"Digest {quoted}, algorithm={algorithm}{extra}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
