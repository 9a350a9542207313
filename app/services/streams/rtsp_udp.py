"""RTP over UDP for cameras that send it no other way: FFmpeg, on the other side of the relay, sees interleaved TCP.

So FFmpeg opens no port, and whatever a camera answers, pictures come from the address that was checked and from no
other.
"""

from __future__ import annotations

import re
import socket

_CHANNELS = b"RTP/AVP/TCP;unicast;interleaved=0-1"
_TRANSPORT = re.compile(rb"(?im)^(transport[ \t]*:[ \t]*)([^\r\n]*)")
_SERVER_PORTS = re.compile(rb"server_port=(\d{1,5})(?:-(\d{1,5}))?")
_INTERLEAVED = b"$"
_HEAD_BYTES = 4
_MAX_REQUEST_BYTES = 65536
_DATAGRAM_BYTES = 65535
_RECEIVE_BYTES = 2**21  # a key frame comes in one burst
_TRIES = 50


class UdpMedia:
    """The two ports of one stream: pictures, and the reports about them.

    Args:
        camera: the RTSP connection; where it leads is where datagrams come from.

    Raises:
        OSError: no pair of ports is free.
    """

    def __init__(self, camera: socket.socket) -> None:
        self._family = camera.family
        self._address: str = camera.getpeername()[0]
        self.media, self.reports = _pair(self._family, camera.getsockname()[0])
        self._unsent = bytearray()

    def to_camera(self, data: bytes) -> bytes:
        """What FFmpeg sent, as far as it goes over the RTSP connection; its reports go by UDP."""
        self._unsent += data
        ready = bytearray()
        while self._unsent:
            if self._unsent.startswith(_INTERLEAVED):
                end = _HEAD_BYTES + int.from_bytes(self._unsent[2:4], "big")
                if len(self._unsent) < max(end, _HEAD_BYTES):
                    break
                self._report(bytes(self._unsent[_HEAD_BYTES:end]))
            else:
                end = self._unsent.find(b"\r\n\r\n") + 4
                if end < _HEAD_BYTES and len(self._unsent) <= _MAX_REQUEST_BYTES:
                    break
                end = end if end >= _HEAD_BYTES else len(self._unsent)
                ready += self._request(bytes(self._unsent[:end]))
            del self._unsent[:end]
        return bytes(ready)

    def _request(self, message: bytes) -> bytes:
        if not message.startswith(b"SETUP "):
            return message
        port = self.media.getsockname()[1]
        return _TRANSPORT.sub(rb"\g<1>RTP/AVP;unicast;client_port=%d-%d" % (port, port + 1), message)

    def _report(self, report: bytes) -> None:
        try:
            self.reports.send(report)
        except OSError:
            return  # not connected yet, or the camera takes none: nothing depends on it

    def to_player(self, data: bytes) -> bytes:
        """An answer of the camera, whole heads of which ``RtspAnswers`` has checked, as FFmpeg expects it."""
        found = _TRANSPORT.search(data)
        ports = _SERVER_PORTS.search(found[2]) if found else None
        if ports is None:
            return data
        first = int(ports[1])
        for end, port in ((self.media, first), (self.reports, int(ports[2] or first + 1))):
            if 0 < port < 2**16:
                end.connect((self._address, port))
        return _TRANSPORT.sub(rb"\g<1>" + _CHANNELS, data)

    def received(self, end: socket.socket) -> bytes:
        """The next datagram of one of the two, as it comes interleaved; empty where there is none of the camera's."""
        try:
            datagram, sender = end.recvfrom(_DATAGRAM_BYTES)
        except OSError:
            return b""  # the camera's port is closed for now, which the RTSP connection shows by itself
        if sender[0] != self._address:
            return b""
        channel = 0 if end is self.media else 1
        return _INTERLEAVED + bytes([channel]) + len(datagram).to_bytes(2, "big") + datagram

    def close(self) -> None:
        self.media.close()
        self.reports.close()


def _pair(family: int, address: str) -> tuple[socket.socket, socket.socket]:
    """Two neighbouring ports, the first of them even, as RTP has it."""
    for _ in range(_TRIES):
        first = socket.socket(family, socket.SOCK_DGRAM)
        second = socket.socket(family, socket.SOCK_DGRAM)
        try:
            first.bind((address, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((address, port + 1))
                first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
                for end in (first, second):
                    end.setblocking(False)
                return first, second
        except OSError:
            pass  # the neighbour is taken
        first.close()
        second.close()
    raise OSError("no pair of UDP ports is free")
