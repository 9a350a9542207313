"""A client process that keeps N connections busy: the standard library only, so that it takes little CPU itself.

    python benchmarks/load.py HOST PORT PATH CLIENTS SECONDS [MARKER [PER_SECOND]] < body.json

Prints one JSON object: statuses by count, every latency in milliseconds, and the CPU time taken. Each client sends its
next request when the answer to the last one has come, and waits as long as a 429 asks it to. With a MARKER, which has
to stand in the body once, each request has a number in its place. With PER_SECOND so many are due in a second, of all
clients together, and a latency counts from when its request was due.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

_FULL = http.HTTPStatus.TOO_MANY_REQUESTS


def numbered(body: bytes, marker: str) -> Callable[[], bytes]:
    """What gives each request its body."""
    if not marker:
        return lambda: body
    before, found, after = body.partition(marker.encode())
    if not found:
        raise SystemExit(f"The body does not hold {marker}.")
    # From the time on, so that a later load has other numbers.
    numbers = itertools.count(time.time_ns() // 1_000_000)
    return lambda: before + f"{marker}{next(numbers)}".encode() + after


def keep_busy(
    host: str,
    port: int,
    path: str,
    next_body: Callable[[], bytes],
    *,
    next_due_s: Callable[[], float],
    until_s: float,
    statuses: Counter[int],
) -> list[float]:
    """One connection's requests until a moment of the monotonic clock; returns the latencies of those served."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    latencies = []
    while (due_s := next_due_s()) < until_s:
        time.sleep(max(0.0, due_s - time.monotonic()))
        body = next_body()
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
        if answer.status == _FULL:
            time.sleep(float(answer.headers.get("retry-after", "1")))
        else:
            latencies.append((time.monotonic() - due_s) * 1000)
    connection.close()
    return latencies


def main() -> int:
    host, port, path, clients, seconds, *rest = sys.argv[1:8]
    marker, per_second = (*rest, "", "")[:2]
    next_body = numbered(sys.stdin.buffer.read(), marker)
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    began_s = time.monotonic()
    due = itertools.count()

    def next_due_s() -> float:
        return began_s + next(due) / float(per_second) if per_second else time.monotonic()

    def work() -> None:
        latencies.extend(
            keep_busy(
                host,
                int(port),
                path,
                next_body,
                next_due_s=next_due_s,
                until_s=began_s + float(seconds),
                statuses=statuses,
            )
        )

    threads = [threading.Thread(target=work) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({"statuses": statuses, "latencies_ms": latencies, "cpu_s": time.process_time()}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
