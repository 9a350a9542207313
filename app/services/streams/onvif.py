"""What an ONVIF camera offers: maker, model and the streams of its profiles, by a few questions in SOAP.

The common clients load a description of each service from the camera's own address and follow its redirects; this one
goes through the cameras' HTTP client, which connects where the guard lets it, within limits. It asks the media service
of version 10, which nearly all devices have.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from app.errors import VisionError
from app.services.streams.http_client import HttpClient
from app.services.streams.types import VERIFIED, Credentials, Fault, StreamFailed
from app.utils import clock
from app.utils.xml_tree import Element, children, find, name_of, parse, text

_MOST_BYTES = 2**20
_MOST_PROFILES = 8
_MOST_TEXT = 100
_MOST_URL = 2000
_DEVICE, _MEDIA = "http://www.onvif.org/ver10/device/wsdl", "http://www.onvif.org/ver10/media/wsdl"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"

_LOGIN_CODES = frozenset({"NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"})

_ENVELOPE = """<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>{header}</s:Header>
<s:Body>{body}</s:Body></s:Envelope>"""
_TOKEN = (
    f'<o:Security xmlns:o="{_SECURITY}-wssecurity-secext-1.0.xsd" xmlns:u="{_SECURITY}-wssecurity-utility-1.0.xsd">'
    "<o:UsernameToken><o:Username>{username}</o:Username>"
    f'<o:Password Type="{_SECURITY}-username-token-profile-1.0#PasswordDigest">'
    "{digest}</o:Password><o:Nonce>{nonce}</o:Nonce><u:Created>{created}</u:Created></o:UsernameToken></o:Security>"
)
_STREAM_SETUP = (
    '<StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream>'
    '<Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
)


@dataclass(frozen=True, slots=True)
class OnvifProfile:
    """One of a camera's streams. URLs hold no login, and are None where the camera named none at its own address."""

    name: str
    codec: str | None
    width: int | None
    height: int | None
    frames_per_second: int | None
    url: str | None
    snapshot_url: str | None


@dataclass(frozen=True, slots=True)
class OnvifFacts:
    """What a camera says of itself."""

    manufacturer: str | None
    model: str | None
    firmware: str | None
    profiles: Sequence[OnvifProfile]


class OnvifDevice:
    """One device. Blocks; every method raises StreamFailed with the reason.

    Args:
        service_url: of its device service, by its literal address.
        credentials: only ever leave as digests.
        deadline_s: moment of the monotonic clock after which no question is asked any more.
    """

    def __init__(
        self, http: HttpClient, service_url: str, credentials: Credentials | None, *, deadline_s: float
    ) -> None:
        self._http = http
        self._service_url = service_url
        self._credentials = credentials
        self._deadline_s = deadline_s
        self._clock_offset = timedelta(0)

    def facts(self) -> OnvifFacts:
        """Ask for everything."""
        self._clock_offset = self._their_clock() - clock.now()
        device = self._ask(self._service_url, _DEVICE, "GetDeviceInformation")
        media_url = self._media_url()
        profiles = list(children(self._ask(media_url, _MEDIA, "GetProfiles"), "Profiles"))[:_MOST_PROFILES]
        return OnvifFacts(
            _short(text(device, "Manufacturer")),
            _short(text(device, "Model")),
            _short(text(device, "FirmwareVersion")),
            [self._profile(media_url, profile) for profile in profiles],
        )

    def _their_clock(self) -> datetime:
        """The camera's clock, by which it judges a login's age. Ours where it does not say."""
        try:
            answer = self._ask(self._service_url, _DEVICE, "GetSystemDateAndTime", logs_in=False)
        except StreamFailed as error:
            if error.fault is not Fault.WRONG_ANSWER and error.fault is not Fault.UNAUTHORIZED:
                raise
            return clock.now()
        moment = find(answer, "SystemDateAndTime", "UTCDateTime")
        day, hour = find(moment, "Date"), find(moment, "Time")
        parts = [text(day, name) for name in ("Year", "Month", "Day")]
        parts += [text(hour, name) for name in ("Hour", "Minute", "Second")]
        try:
            return datetime(*(int(part or "") for part in parts), tzinfo=UTC)  # type: ignore[arg-type,misc]  # six
        except ValueError:
            return clock.now()

    def _media_url(self) -> str:
        """The media service at the address that answered: what a camera calls its own may be another network's."""
        answer = self._ask(self._service_url, _DEVICE, "GetCapabilities", "<Category>Media</Category>")
        place = text(answer, "Capabilities", "Media", "XAddr")
        if place is None:
            raise StreamFailed(Fault.NOT_A_STREAM, "The device has no media service, so it is no camera.")
        theirs, ours = _split(place), urlsplit(self._service_url)
        return urlunsplit((ours.scheme, ours.netloc, theirs.path, theirs.query, ""))

    def _profile(self, media_url: str, profile: Element) -> OnvifProfile:
        token = (profile.get("token") or "")[:_MOST_TEXT]
        encoder = find(profile, "VideoEncoderConfiguration")
        named = f"<ProfileToken>{escape(token)}</ProfileToken>"
        return OnvifProfile(
            name=_short(text(profile, "Name")) or token,
            codec=_short(text(encoder, "Encoding")),
            width=_count(text(encoder, "Resolution", "Width")),
            height=_count(text(encoder, "Resolution", "Height")),
            frames_per_second=_count(text(encoder, "RateControl", "FrameRateLimit")),
            url=self._uri(media_url, "GetStreamUri", _STREAM_SETUP + named, ("rtsp", "rtsps")),
            snapshot_url=self._uri(media_url, "GetSnapshotUri", named, ("http", "https")),
        )

    def _uri(self, media_url: str, question: str, arguments: str, schemes: Sequence[str]) -> str | None:
        """A URL at the device's own address, without a login; None where it names no such."""
        try:
            place = text(self._ask(media_url, _MEDIA, question, arguments), "MediaUri", "Uri") or ""
            parts = _split(place)
        except StreamFailed as error:
            if error.fault is not Fault.WRONG_ANSWER:
                raise
            return None  # a profile without a stream, or a camera without pictures
        if parts.scheme not in schemes or parts.hostname != urlsplit(self._service_url).hostname:
            return None
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return bare if len(bare) <= _MOST_URL and bare.isprintable() else None

    def _ask(self, url: str, namespace: str, question: str, arguments: str = "", *, logs_in: bool = True) -> Element:
        """The element that answers."""
        if time.monotonic() >= self._deadline_s:
            raise StreamFailed(Fault.STALLED, "The camera did not answer all questions in time.")
        login = self._credentials if logs_in else None
        header = "" if login is None else _token(login, clock.now() + self._clock_offset)
        body = f'<{question} xmlns="{namespace}">{arguments}</{question}>'
        sent = _ENVELOPE.format(header=header, body=body).encode()
        status, data = self._http.post_xml(url, sent, login, VERIFIED, max_bytes=_MOST_BYTES)
        try:
            answer = find(parse(data), "Body")
        except VisionError as error:
            fault = Fault.UNAUTHORIZED if status in (401, 403) else Fault.WRONG_ANSWER
            raise StreamFailed(fault, "The device does not answer in SOAP.") from error
        found = find(answer, f"{question}Response")
        if found is None:
            raise _refused(find(answer, "Fault"), status)
        return found


def _token(login: Credentials, moment: datetime) -> str:
    """A UsernameToken of WS-Security: the password's digest, with a number of ours and the camera's time."""
    nonce = secrets.token_bytes(16)
    created = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(nonce + created.encode() + login.password.encode(), usedforsecurity=False).digest()
    return _TOKEN.format(
        username=escape(login.username),
        digest=base64.b64encode(digest).decode(),
        nonce=base64.b64encode(nonce).decode(),
        created=created,
    )


def _refused(fault: Element | None, status: int) -> StreamFailed:
    """What a SOAP fault means; its codes are nested, the innermost says most."""
    values = [one for one in fault.iter() if name_of(one) in ("Value", "faultcode")] if fault is not None else []
    codes = {(text(one) or "").rpartition(":")[2] for one in values}
    if status in (401, 403) or codes & _LOGIN_CODES:
        return StreamFailed(Fault.UNAUTHORIZED, "The camera wants a login, or another one.")
    return StreamFailed(Fault.WRONG_ANSWER, f"The device answers with HTTP {status} and not what was asked.")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise StreamFailed(Fault.WRONG_ANSWER, "The device names an address that can't be read.") from error
    return parts


def _short(value: str | None) -> str | None:
    return value[:_MOST_TEXT] if value else None


def _count(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 6 else None
