"""An ONVIF camera on loopback: it answers WS-Discovery and questions in SOAP, well and badly."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from scripts.local.ports import LOOPBACK

USER, WORD = "admin", "p@ss:/1"
GROUP = "239.255.255.250"
_OLDEST = timedelta(seconds=5)  # of a login, by the camera's clock
_ANSWER = """<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:t="http://www.onvif.org/ver10/x"
 xmlns:ter="http://www.onvif.org/ver10/error">
<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"""
_FAULT = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:{}</s:Value></s:Subcode></s:Code></s:Fault>"
)
_PROFILE = """<t:Profiles token="{token}"><tt:Name>{name}</tt:Name><tt:VideoEncoderConfiguration>
<tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>
<tt:RateControl><tt:FrameRateLimit>15</tt:FrameRateLimit></tt:RateControl></tt:VideoEncoderConfiguration></t:Profiles>"""


@dataclass
class OnvifCamera:
    """What it does.

    Attributes:
        name: that it announces.
        stream_uri, snapshot_uri: of every profile.
        service_port: of the address that it announces; its own where 0.
        service_host: likewise.
        http_login: ``Digest`` or ``Basic``: asks for it by HTTP; else by WS-Security.
        relates_to: in place of the question's id.
        before: datagrams that come before the answer.
        location: where every question in SOAP is redirected to.
        clock_is_ahead: of ours.
    """

    name: str = "Back door"
    stream_uri: str = "rtsp://127.0.0.1:554/live"
    snapshot_uri: str = "http://127.0.0.1/snap.jpg"
    service_host: str = LOOPBACK
    service_port: int = 0
    http_login: str = ""
    relates_to: str = ""
    before: list[bytes] = field(default_factory=list)
    is_silent: bool = False
    location: str = ""
    clock_is_ahead: timedelta = timedelta(0)
    has_media: bool = True
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    probes: int = 0
    port: int = 0
    """Of WS-Discovery."""


@contextmanager
def onvif_camera(camera: OnvifCamera, *, discovery_port: int = 0) -> Iterator[OnvifCamera]:
    """A running camera; ``discovery_port`` is any free one where it is 0."""
    http = ThreadingHTTPServer((LOOPBACK, 0), _handler(camera))
    http.daemon_threads = True
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("", discovery_port))
    membership = socket.inet_aton(GROUP) + socket.inet_aton(LOOPBACK)
    listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    listening.settimeout(0.1)
    camera.port = listening.getsockname()[1]
    stopping = threading.Event()
    own_port = http.server_address[1]
    threads = [
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}),
        threading.Thread(target=_answer_probes, args=(camera, listening, own_port, stopping)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield camera
    finally:
        stopping.set()
        http.shutdown()
        http.server_close()
        for thread in threads:
            thread.join()
        listening.close()


def _answer_probes(camera: OnvifCamera, listening: socket.socket, own_port: int, stopping: threading.Event) -> None:
    while not stopping.is_set():
        with suppress(TimeoutError):
            data, sender = listening.recvfrom(65_507)
            found = re.search(rb"MessageID>([^<]+)<", data)
            if found is None:
                continue
            camera.probes += 1
            for noise in camera.before:
                listening.sendto(noise, sender)
            place = f"http://{camera.service_host}:{camera.service_port or own_port}/onvif/device_service"
            match = (
                "<d:ProbeMatches><d:ProbeMatch><d:Scopes>onvif://www.onvif.org/type/video_encoder "
                f"onvif://www.onvif.org/name/{quote(camera.name)} onvif://www.onvif.org/hardware/X1</d:Scopes>"
                f"<d:XAddrs>http://10.99.0.1/onvif/device_service {place}</d:XAddrs></d:ProbeMatch></d:ProbeMatches>"
            )
            header = f"<a:RelatesTo>{camera.relates_to or found[1].decode()}</a:RelatesTo>"
            listening.sendto(_ANSWER.format(header=header, body=match).encode(), sender)


def _handler(camera: OnvifCamera) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            self.close_connection = True
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            question = re.findall(r"<s:Body><(\w+)", body)[0]
            camera.asked.append(question)
            camera.authorizations.append(self.headers.get("authorization") or "")
            if camera.is_silent:
                self.rfile.read(1)  # until the other side gives up
                return
            if question != "GetSystemDateAndTime" and camera.http_login and not self._knows_http_login():
                self.send_response(401)
                extra = ', nonce="d2f1c0", qop="auth"' if camera.http_login == "Digest" else ""
                self.send_header("WWW-Authenticate", f'{camera.http_login} realm="cam"{extra}')
                self.end_headers()
                return
            is_known = question == "GetSystemDateAndTime" or camera.http_login or _knows_token(camera, body)
            status, answer = (200, _answer(camera, question)) if is_known else (400, None)
            self.send_response(302 if camera.location else status)
            self.send_header("Location", camera.location)
            self.end_headers()
            if camera.location:
                return
            told = answer if answer is not None else _FAULT.format("NotAuthorized")
            self.wfile.write(_ANSWER.format(header="", body=told).encode())

        def _knows_http_login(self) -> bool:
            given = self.headers.get("authorization", "")
            fields = dict(part.strip().partition("=")[::2] for part in given.removeprefix("Digest ").split(","))
            said = {name: value.strip('"') for name, value in fields.items()}
            user, question = _md5(f"{USER}:cam:{WORD}"), _md5(f"POST:{self.path}")
            return said.get("response") == _md5(f"{user}:d2f1c0:{said.get('nc')}:{said.get('cnonce')}:auth:{question}")

    return Handler


def _knows_token(camera: OnvifCamera, body: str) -> bool:
    """Whether the question holds a fresh UsernameToken of the right login."""
    said: dict[str, str] = dict(re.findall(r"<\w:(Username|Password|Nonce|Created)[^>]*>([^<]+)<", body))
    if said.keys() != {"Username", "Password", "Nonce", "Created"}:
        return False
    secret = base64.b64decode(said["Nonce"]) + said["Created"].encode() + WORD.encode()
    digest = base64.b64encode(hashlib.sha1(secret, usedforsecurity=False).digest()).decode()
    age = datetime.now(UTC) + camera.clock_is_ahead - datetime.fromisoformat(said["Created"])
    return said["Username"] == USER and said["Password"] == digest and abs(age) < _OLDEST


def _answer(camera: OnvifCamera, question: str) -> str:
    now = datetime.now(UTC) + camera.clock_is_ahead
    media = "http://192.168.1.10:8899/onvif/media?x=1"  # as behind a translation of addresses
    told = {
        "GetSystemDateAndTime": (
            f"<t:SystemDateAndTime><tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}"
            f"</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
            f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date></tt:UTCDateTime></t:SystemDateAndTime>"
        ),
        "GetDeviceInformation": (
            "<t:Manufacturer>Acme</t:Manufacturer><t:Model>Dome 4</t:Model><t:FirmwareVersion>2.1</t:FirmwareVersion>"
        ),
        "GetCapabilities": (
            "<t:Capabilities>"
            + (f"<tt:Media><tt:XAddr>{media}</tt:XAddr></tt:Media>" if camera.has_media else "")
            + "</t:Capabilities>"
        ),
        "GetProfiles": _PROFILE.format(token="p1", name="main", width=1920, height=1080)
        + _PROFILE.format(token="p&amp;2", name="sub", width=640, height=360),
        "GetStreamUri": f"<t:MediaUri><tt:Uri>{camera.stream_uri}</tt:Uri></t:MediaUri>",
        "GetSnapshotUri": f"<t:MediaUri><tt:Uri>{camera.snapshot_uri}</tt:Uri></t:MediaUri>",
    }
    return f"<t:{question}Response>{told[question]}</t:{question}Response>"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
