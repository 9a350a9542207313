"""Cameras for a measurement: motion JPEG over HTTP on loopback, in a process of its own that takes little CPU.

    python benchmarks/mjpeg.py STILL.jpg MOVED.jpg FRAMES_PER_SECOND MOTION_EVERY

Prints its port. Every path is a camera; it shows ``MOVED`` in one of ``MOTION_EVERY`` frames, else ``STILL``.
"""

from __future__ import annotations

import contextlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """One camera's connection."""

    still = b""
    moved = b""
    interval_s = 0.5
    motion_every = 4

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Pictures until the reader goes away."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        due_s = time.monotonic()
        with contextlib.suppress(OSError):
            for number in count(1):
                picture = self.moved if number % self.motion_every == 0 else self.still
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
                due_s += self.interval_s
                time.sleep(max(0.0, due_s - time.monotonic()))


def main() -> None:
    still, moved, frames_per_second, motion_every = sys.argv[1:5]
    Handler.still, Handler.moved = Path(still).read_bytes(), Path(moved).read_bytes()
    Handler.interval_s, Handler.motion_every = 1 / float(frames_per_second), int(motion_every)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
