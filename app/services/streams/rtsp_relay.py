"""Carries an RTSP connection between FFmpeg on loopback and the camera, whose address was checked.

FFmpeg resolves names for itself and follows an RTSP redirect wherever it points, and it reads header lines more
loosely than any pattern of ours would. So what a camera answers is parsed here and written again: FFmpeg sees our
spelling of it, in which no redirect is left.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import ssl
import threading

from app.services.streams.rtsp_udp import UdpMedia

_CHUNK_BYTES = 65536
_MAX_HEAD_BYTES = 65536
_MAX_BODY_BYTES = 2**20  # of a session description
_INTERLEAVED = 0x24  # "$": a channel, a length, and that many bytes of RTP
_INTERLEAVED_HEAD_BYTES = 4
_UNSUPPORTED_TRANSPORT = 461
_ANSWER = re.compile(rb"RTSP/1\.\d (\d{3})(?: [ -~]*)?")
_REQUEST = re.compile(rb"([A-Z_]+) [!-~]+ RTSP/1\.\d")
_HEADER = re.compile(rb"([A-Za-z0-9-]+)[ \t]*:[ \t]*([ -~\t\x80-\xff]*)")


class RefusedRtsp(Exception):
    """The camera sent something that FFmpeg must not see. ``is_redirect``: it points elsewhere."""

    def __init__(self, *, is_redirect: bool) -> None:
        super().__init__()
        self.is_redirect = is_redirect


class RtspAnswers:
    """What a camera sends, piece by piece: RTP as it is, messages in one spelling and without ``Location``."""

    def __init__(self) -> None:
        self.last_status = 0
        self.wants_udp = False
        self._unread = bytearray()
        self._pass_on = 0  # bytes of RTP or of a body that are still to come

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the camera.

        Returns:
            What of it may go on to FFmpeg.

        Raises:
            RefusedRtsp: a redirect, or no RTSP.
        """
        self._unread += data
        ready = bytearray()
        while self._unread:
            if self._pass_on:
                ready += self._taken(min(self._pass_on, len(self._unread)))
            elif self._unread[0] == _INTERLEAVED:
                if len(self._unread) < _INTERLEAVED_HEAD_BYTES:
                    break
                self._pass_on = _INTERLEAVED_HEAD_BYTES + int.from_bytes(self._unread[2:4], "big")
            else:
                message = self._message()
                if message is None:
                    break
                ready += message
        return bytes(ready)

    def _taken(self, count: int) -> bytes:
        self._pass_on -= count
        data = bytes(self._unread[:count])
        del self._unread[:count]
        return data

    def _message(self) -> bytes | None:
        """The next message's head in our spelling; None while it is incomplete."""
        end = re.search(rb"\r?\n\r?\n", self._unread)
        if end is None:
            if len(self._unread) > _MAX_HEAD_BYTES:
                raise RefusedRtsp(is_redirect=False)
            return None
        first, *lines = self._unread[: end.start()].replace(b"\r\n", b"\n").split(b"\n")
        del self._unread[: end.end()]
        self._check_first_line(bytes(first))
        head = [bytes(first)]
        for line in lines:
            header = _HEADER.fullmatch(line)
            if header is None:
                raise RefusedRtsp(is_redirect=False)
            name = header[1].lower()
            if name == b"content-length":
                self._pass_on = int(header[2]) if header[2].isdigit() else _MAX_BODY_BYTES + 1
            if name != b"location":
                head.append(header[1] + b": " + header[2])
        if self._pass_on > _MAX_BODY_BYTES:
            raise RefusedRtsp(is_redirect=False)
        return b"\r\n".join([*head, b"", b""])

    def _check_first_line(self, line: bytes) -> None:
        if answer := _ANSWER.fullmatch(line):
            self.last_status = int(answer[1])
            self.wants_udp |= self.last_status == _UNSUPPORTED_TRANSPORT
            if 300 <= self.last_status < 400:
                raise RefusedRtsp(is_redirect=True)
            return
        request = _REQUEST.fullmatch(line)
        if request is None or request[1] == b"REDIRECT":
            raise RefusedRtsp(is_redirect=request is not None)


class RtspRelay:
    """One connection.

    Args:
        camera: connected, and with TLS where the camera asks for it.
        udp: by which pictures come instead of by this connection.
    """

    def __init__(self, camera: socket.socket, udp: UdpMedia | None = None) -> None:
        self._camera = camera
        self._udp = udp
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._listener.settimeout(5)
        self.port: int = self._listener.getsockname()[1]
        self.received_bytes = 0
        self.refused: RefusedRtsp | None = None
        self._answers = RtspAnswers()
        self._wake_in, self._wake_out = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="rtsp-relay", daemon=True)
        self._thread.start()

    @property
    def last_status(self) -> int:
        """Of the camera's last answer; 0 before the first."""
        return self._answers.last_status

    @property
    def wants_udp(self) -> bool:
        """Whether the camera said that it sends pictures by UDP alone."""
        return self._answers.wants_udp

    def close(self) -> None:
        """End both connections; returns when the relay's thread is done."""
        with contextlib.suppress(OSError):  # the thread has ended, or this was called before
            self._wake_in.send(b"x")
        self._thread.join()
        self._wake_in.close()

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._wake_out, selectors.EVENT_READ)
                waiting.register(self._listener, selectors.EVENT_READ)
                ready = [key.fileobj for key, _ in waiting.select(timeout=5)]
            if self._listener in ready:
                player, _ = self._listener.accept()
                with player:
                    self._carry(player)
        except OSError:
            return  # one side went away, which FFmpeg notices by itself
        except RefusedRtsp as refused:
            self.refused = refused
        finally:
            for end in (self._listener, self._camera, self._wake_out):
                end.close()
            if self._udp is not None:
                self._udp.close()

    def _carry(self, player: socket.socket) -> None:
        self._listener.close()
        datagrams = (self._udp.media, self._udp.reports) if self._udp else ()
        with selectors.DefaultSelector() as waiting:
            for end in (player, self._camera, self._wake_out, *datagrams):
                waiting.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in waiting.select():
                    if key.fileobj is self._wake_out:
                        return
                    if key.fileobj is player:
                        data = player.recv(_CHUNK_BYTES)
                        if not data:
                            return
                        self._camera.sendall(self._udp.to_camera(data) if self._udp else data)
                    elif self._udp is not None and key.fileobj in datagrams:
                        self._carry_datagram(player, self._udp, key.fileobj)
                    elif not self._carry_answer(player):
                        return

    def _carry_datagram(self, player: socket.socket, udp: UdpMedia, end: object) -> None:
        data = udp.received(udp.media if end is udp.media else udp.reports)
        self.received_bytes += len(data)
        player.sendall(data)

    def _carry_answer(self, player: socket.socket) -> bool:
        """Pass on what the camera sent; False at its end. Under TLS that may be nothing, or more than one read's."""
        self._camera.settimeout(0.0)
        try:
            while True:
                data = self._camera.recv(_CHUNK_BYTES)
                if not data:
                    return False
                self.received_bytes += len(data)
                answer = self._answers.feed(data)
                player.sendall(self._udp.to_player(answer) if self._udp else answer)
                if not isinstance(self._camera, ssl.SSLSocket) or not self._camera.pending():
                    return True
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        finally:
            self._camera.settimeout(None)
