"""Opens a camera once, to tell an installer what it gives or why it gives nothing. Nothing is stored."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from app.errors import InvalidInput, Overloaded
from app.services.streams.opener import StreamOpener
from app.services.streams.types import (
    Credentials,
    Fault,
    FrameStream,
    StreamFacts,
    StreamFailed,
    StreamKind,
    StreamSource,
)
from app.utils.image_processing import bounded, encode_jpeg
from app.workflows.cameras.registry import split_url

_AT_ONCE = 2
_PREVIEW_PX = 640


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What came. ``width`` and ``height``: of the picture in pixels; ``preview``: a JPEG of at most 640 px a side."""

    fault: Fault | None
    message: str | None
    facts: StreamFacts | None
    width: int | None
    height: int | None
    preview: bytes | None
    tls_fingerprint: str | None
    elapsed_ms: int

    @property
    def preview_base64(self) -> str | None:
        """The preview as text."""
        return base64.b64encode(self.preview).decode() if self.preview else None


class CameraProbe:
    """Tries cameras out.

    Args:
        timeout_s: of the opener, for each of connecting and the first picture.
    """

    def __init__(self, opener: StreamOpener, *, timeout_s: float) -> None:
        self._opener = opener
        self._timeout_s = timeout_s
        self._running = 0

    async def try_out(self, source: StreamSource) -> ProbeReport:
        """Open a camera and take one picture; whatever goes wrong is in the report.

        Args:
            source: its URL may carry a login and a query.

        Raises:
            InvalidInput: the address may not be read.
            Overloaded: others are being tried out.
        """
        bare, login, query = split_url(source.url)
        given = source.credentials or login
        source = StreamSource(source.kind, f"{bare}?{query}" if query else bare, given, source.tls)
        await asyncio.to_thread(self._opener.check, source)
        if self._running >= _AT_ONCE:
            raise Overloaded("Other cameras are being tried out; try again in a moment.", retry_after_s=self._timeout_s)
        self._running += 1
        # Shielded: a thread that blocks in a read counts until it ends, whether or not the client still waits.
        work = asyncio.ensure_future(asyncio.to_thread(self._look, source))
        work.add_done_callback(lambda _: self._done())
        return await asyncio.shield(work)

    def _done(self) -> None:
        self._running -= 1

    def _look(self, source: StreamSource) -> ProbeReport:
        started_at_s = time.monotonic()
        fault, message, facts, image = None, None, None, None
        try:
            with self._opened(source) as stream:
                stream.grab()
                image = stream.decode()
                facts = stream.facts
        except StreamFailed as error:
            fault, message = error.fault, error.message
        except InvalidInput as error:  # a name that points elsewhere since it was checked
            fault, message = Fault.REFUSED, error.message
        fingerprint = None
        with contextlib.suppress(StreamFailed, InvalidInput):
            fingerprint = self._opener.certificate(source)
        return ProbeReport(
            fault=fault,
            message=message,
            facts=facts,
            width=None if image is None else image.shape[1],
            height=None if image is None else image.shape[0],
            preview=None if image is None else encode_jpeg(bounded(image, side_px=_PREVIEW_PX)),
            tls_fingerprint=fingerprint,
            elapsed_ms=round((time.monotonic() - started_at_s) * 1000),
        )

    @contextlib.contextmanager
    def _opened(self, source: StreamSource) -> Iterator[FrameStream]:
        stream = self._opener.open(source, interval_s=0.0)
        try:
            yield stream
        finally:
            stream.close()


__all__ = ["CameraProbe", "Credentials", "ProbeReport", "StreamKind", "StreamSource"]
