"""Checks of settings that a type alone does not make. Each names what to write, and repeats no secret."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr

_MIN_ADMIN_KEY_LENGTH = 32
_KEY_BYTES = 32
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
OCR_LANGUAGES = ("vi", "en")


def listed(text: str) -> list[str]:
    """The parts of a comma-separated setting."""
    return [part.strip() for part in text.split(",") if part.strip()]


def secret_url(*schemes: str, empty: bool = False) -> Callable[[SecretStr], SecretStr]:
    """A check that an address with credentials begins with one of ``schemes``; ``empty`` allows none."""

    def check(url: SecretStr) -> SecretStr:
        if not (empty and not url.get_secret_value()):
            _split(url.get_secret_value(), schemes)
        return url

    return check


def web_address(text: str) -> str:
    """Empty, or ``http(s)://host[:port]``."""
    if text and not _split(text, ("http", "https")).hostname:
        raise ValueError("write http(s)://host[:port]")
    return text


def issuer(text: str) -> str:
    """Empty, or ``https://host[:port][/path]``; ``http://`` on this machine alone."""
    if text:
        at = _split(text, ("http", "https"))
        if (
            not at.hostname
            or at.query
            or (at.scheme == "http" and at.hostname not in ("localhost", "127.0.0.1", "::1"))
        ):
            raise ValueError("write https://host[:port][/path], as the provider's document names its issuer")
    return text


def server_address(text: str) -> str:
    """``http(s)://host[:port]``."""
    if not text:
        raise ValueError("write http(s)://host[:port]")
    return web_address(text)


def milvus_address(text: str) -> str:
    """Empty, an http(s) address, or the path of a Milvus Lite file."""
    if text.endswith(".db"):
        return text
    try:
        return web_address(text)
    except ValueError as error:
        raise ValueError("write http(s)://host:port, or a local path that ends in .db") from error


def host_and_port(text: str) -> str:
    """``host[:port]``, as the S3 client wants it."""
    host, _, port = text.rpartition(":") if re.search(r":\d*$", text) else (text, "", "")
    if not _HOST.fullmatch(host) or (port and not 0 < int(port) < 2**16):
        raise ValueError("write host or host:port, without a scheme or a path; MINIO_SECURE chooses HTTPS")
    return text


def bucket_name(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise ValueError("3 to 63 of a-z, 0-9, - and ., beginning and ending with a letter or digit")
    return text


def strong_or_absent(key: SecretStr) -> SecretStr:
    secret = key.get_secret_value()
    if secret and not re.fullmatch(r"[!-~]+", secret):  # no header carries anything else as it is
        raise ValueError("use printable ASCII without spaces, for example: openssl rand -hex 32")
    if 0 < len(secret) < _MIN_ADMIN_KEY_LENGTH:
        raise ValueError(f"give at least {_MIN_ADMIN_KEY_LENGTH} random characters, for example: openssl rand -hex 32")
    return key


def camera_key(key: SecretStr) -> SecretStr:
    """Empty, or 32 bytes in base64."""
    try:
        length = len(base64.b64decode(key.get_secret_value(), validate=True))
    except (binascii.Error, ValueError):
        length = -1
    if length not in (0, _KEY_BYTES):
        raise ValueError(f"give {_KEY_BYTES} bytes in base64, for example: openssl rand -base64 32")
    return key


def master_keys(text: SecretStr) -> SecretStr:
    """Empty, or ``VERSION:BASE64`` entries of 32 bytes each; the version may be missing where there is one."""
    for entry in re.split(r"[\s,]+", text.get_secret_value().strip()):
        try:
            length = len(base64.b64decode(entry.rpartition(":")[2], validate=True))
        except (binascii.Error, ValueError):
            length = -1
        if length not in (0, _KEY_BYTES) or (entry and not re.fullmatch(r"(\d+:)?[^:]+", entry)):
            raise ValueError('give VERSION:BASE64 of 32 bytes, for example: echo "1:$(openssl rand -base64 32)"')
    return text


def known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no such time zone; use a name such as Asia/Ho_Chi_Minh") from error
    return name


def known_languages(text: str) -> str:
    languages = listed(text)
    if not languages or set(languages) - set(OCR_LANGUAGES):
        raise ValueError(f"comma-separated, out of {', '.join(OCR_LANGUAGES)}")
    return text


def networks(text: str) -> str:
    try:
        for part in listed(text):
            ipaddress.ip_network(part)
    except ValueError as error:
        raise ValueError("comma-separated networks such as 10.20.0.0/16") from error
    return text


def ports_in(text: str) -> frozenset[int]:
    """The ports of a setting such as ``554, 8000-8010``."""
    found: set[int] = set()
    for part in listed(text):
        bounds = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part, re.ASCII)
        first, last = (int(bounds[1]), int(bounds[2] or bounds[1])) if bounds else (0, 0)
        if not 0 < first <= last < 2**16:
            raise ValueError("comma-separated ports and ranges such as 554,8000-8010")
        found.update(range(first, last + 1))
    return frozenset(found)


def ports(text: str) -> str:
    ports_in(text)
    return text


def host_names(text: str) -> str:
    if not all(_HOST.fullmatch(part) for part in listed(text)):
        raise ValueError("comma-separated host names, without a scheme or a port")
    return text


def origins(text: str) -> str:
    for part in listed(text):
        address = _split(part, ("http", "https"))
        if not address.hostname or part != f"{address.scheme}://{address.netloc}":
            raise ValueError("comma-separated origins such as https://desk.hotel.example")
    return text


def _split(url: str, schemes: tuple[str, ...]) -> SplitResult:
    wanted = f"begin it with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    try:
        parts = urlsplit(url)
        for host in parts.netloc.rpartition("@")[2].split(","):  # of a PostgreSQL with standbys, several
            _ = urlsplit(f"//{host}").port  # read only to see whether it is a number
    except ValueError as error:
        raise ValueError(f"{wanted}; its host or port can't be read") from error
    if parts.scheme not in schemes:
        raise ValueError(wanted)
    return parts
