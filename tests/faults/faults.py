"""The faults of the campaign: what fails, how, and who may be blamed for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from tests.proxy import TcpProxy

DELAY_S = 0.15  # each way: less than any time limit, and far more than any network within a hotel


class Backend(StrEnum):
    """By their names in /health."""

    DATABASE = "database"
    VECTORS = "vector_db"
    REDIS = "redis"
    STORAGE = "storage"
    BROKER = "message_queue"


class Kind(StrEnum):
    """How a network fails."""

    CUT = "cut"  # connections are reset, new ones refused
    DELAY = "delay"  # every chunk comes later
    HALF_OPEN = "half-open"  # the other side is gone without a word, for good
    FREEZE = "freeze"  # nothing comes through, until all of it does


@dataclass(frozen=True, slots=True)
class Fault:
    backend: Backend
    kind: Kind

    @property
    def name(self) -> str:
        return f"{self.backend.value} {self.kind.value}"

    @property
    def is_outage(self) -> bool:
        """Whether /health has to name the backend; a delay is none."""
        return self.kind is not Kind.DELAY


FAULTS = tuple(Fault(backend, kind) for kind in Kind for backend in Backend)


class Network:
    """A proxy before each backend, on a thread with a loop of its own."""

    def __init__(self, targets: Mapping[Backend, tuple[str, int]]) -> None:
        self._targets = targets
        self._loop = asyncio.new_event_loop()
        self._proxies: dict[Backend, TcpProxy] = {}

    @contextmanager
    def open(self) -> Iterator[Mapping[Backend, int]]:
        """The ports to connect to in place of the backends' own."""
        thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        thread.start()
        with ExitStack() as stack:
            stack.callback(self._end, thread)
            for backend, (host, port) in self._targets.items():
                proxy = TcpProxy(port, target_host=host)
                self._call(proxy.__aenter__())
                stack.callback(self._close, proxy)
                self._proxies[backend] = proxy
            yield {backend: proxy.port for backend, proxy in self._proxies.items()}

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """A time in which the fault lasts."""
        proxy = self._proxies[fault.backend]
        self._call(_inject(proxy, fault.kind))
        try:
            yield
        finally:
            self._call(_restore(proxy))

    def _close(self, proxy: TcpProxy) -> None:
        self._call(proxy.__aexit__(None, None, None))

    def _call(self, work: Coroutine[None, None, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _end(self, thread: threading.Thread) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join(10)
        self._loop.close()


async def _inject(proxy: TcpProxy, kind: Kind) -> None:
    match kind:
        case Kind.CUT:
            await proxy.cut()
        case Kind.DELAY:
            proxy.delay(DELAY_S)
        case Kind.HALF_OPEN:
            proxy.half_open()
        case Kind.FREEZE:
            proxy.stall()


async def _restore(proxy: TcpProxy) -> None:
    proxy.restore()
