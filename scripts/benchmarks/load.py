"""A client process that keeps N connections busy: the standard library only, so that it takes little CPU itself.

    python scripts/benchmarks/load.py HOST PORT PATH CLIENTS SECONDS < body.json

Prints one JSON object: statuses by count, and every latency in milliseconds. Each client sends its next request when
the answer to the last one has come.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter


def keep_busy(host: str, port: int, path: str, body: bytes, *, until_s: float, statuses: Counter[int]) -> list[float]:
    """One connection's requests until a moment of the monotonic clock; returns their latencies in milliseconds."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    latencies = []
    while time.monotonic() < until_s:
        started_at = time.perf_counter()
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        latencies.append((time.perf_counter() - started_at) * 1000)
        statuses[answer.status] += 1
    connection.close()
    return latencies


def main() -> int:
    host, port, path, clients, seconds = sys.argv[1:6]
    body = sys.stdin.buffer.read()
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    until_s = time.monotonic() + float(seconds)

    def work() -> None:
        latencies.extend(keep_busy(host, int(port), path, body, until_s=until_s, statuses=statuses))

    threads = [threading.Thread(target=work) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = time.process_time()
    json.dump({"statuses": statuses, "latencies_ms": latencies, "cpu_s": times}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
