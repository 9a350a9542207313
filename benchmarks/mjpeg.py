"""Cameras for a measurement: motion JPEG over HTTP on loopback, in a process of its own that takes little CPU.

    python benchmarks/mjpeg.py FRAMES_PER_SECOND PICTURE.jpg …

Prints its port. Every path is a camera; it shows the pictures one after another, and then again. But ``/401`` and
``/404`` answer with that status, ``/page`` with a page, ``/garbage`` with noise and ``/silent`` with a head alone.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """One camera's connection."""

    pictures: tuple[bytes, ...] = ()
    interval_s = 0.5

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Pictures until the reader goes away."""
        name = self.path.strip("/")
        if name in ("401", "404"):
            self.send_error(int(name))
            return
        if name == "page":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Too many sessions</html>")
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        due_s = time.monotonic()
        with contextlib.suppress(OSError):
            for picture in itertools.cycle((b"\x00\xffnoise" * 50,) if name == "garbage" else self.pictures):
                while name == "silent":
                    time.sleep(self.interval_s)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
                due_s += self.interval_s
                time.sleep(max(0.0, due_s - time.monotonic()))


def main() -> None:
    frames_per_second, *pictures = sys.argv[1:]
    Handler.pictures = tuple(Path(path).read_bytes() for path in pictures)
    Handler.interval_s = 1 / float(frames_per_second)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
