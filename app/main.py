"""The application: routes, middleware, the error table, and the life of its resources."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import FrameType

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.api import console, docs, problems
from app.api.document import operation_id
from app.api.in_flight import InFlightLimit
from app.api.middleware import API_PREFIX, BodyLimit, LocalGuard, RequestContext, StartFailure, Turnstile
from app.api.v1.router import router
from app.composition.root import open_resources
from app.config import Settings, load_settings
from app.errors import ConfigurationError, VisionError
from app.setting_values import listed
from app.utils import tracing
from app.utils.logging import setup_logging

_EXPOSED = (
    "X-Request-ID",
    "Retry-After",
    "Idempotency-Replayed",
    "Last-Event-ID",
    "Link",
    "Location",
    "ETag",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
)
_DESCRIPTION = """Computer vision for a hotel: face check-in, image search, room inspection, documents, safety.

Pictures travel as base64 in JSON (with or without a `data:` prefix) or as files in `multipart/form-data` with the
same field names. Errors are problem documents (RFC 9457) with a stable `code`."""


def create_app(settings: Settings) -> FastAPI:
    """The service for these settings; its resources open with the lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        traces = tracing.exporting(
            endpoint=settings.OTEL_EXPORTER_OTLP_ENDPOINT,
            service_name=settings.OTEL_SERVICE_NAME,
            version=settings.VERSION,
        )
        with traces:
            async with AsyncExitStack() as stack:
                try:
                    app.state.resources = await stack.enter_async_context(open_resources(settings))
                except VisionError as error:
                    app.state.start_failure = error.message  # told by StartFailure
                    raise
                app.state.ready = True
                # FastAPI's caches keep the application for good: the models must not stay with it.
                stack.callback(delattr, app.state, "resources")
                with _before_stopping(lambda: setattr(app.state, "ready", False)):
                    yield

    app = FastAPI(
        title=settings.APP_NAME,
        version=settings.VERSION,
        description=_DESCRIPTION,
        debug=settings.DEBUG,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        # Behind an ingress that ends TLS a redirect would name http://, and clients send their key there in clear.
        redirect_slashes=False,
    )
    app.state.ready = False
    app.include_router(router, prefix=API_PREFIX)
    docs.install(app)
    console.install(app, settings)
    problems.install(app)
    # Added last runs first: the context must see what the guard and the limit refuse.
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.MAX_BODY_BYTES,
        max_total_bytes=settings.MAX_BODIES_BYTES,
        timeout_s=settings.BODY_TIMEOUT_S,
    )
    app.add_middleware(InFlightLimit, per_client=settings.MAX_REQUESTS_PER_CLIENT)
    if not settings.AUTH_REQUIRED:
        app.add_middleware(LocalGuard, hosts=listed(settings.ALLOWED_HOSTS))
    elif origins := listed(settings.CORS_ORIGINS):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )
    app.add_middleware(Turnstile)
    app.add_middleware(RequestContext)
    if proxies := listed(settings.TRUSTED_PROXIES):
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    app.add_middleware(StartFailure)
    return app


@contextmanager
def _before_stopping(notice: Callable[[], None]) -> Iterator[None]:
    """Call ``notice`` as soon as SIGTERM or SIGINT asks us to stop, before the server's own handler drains requests."""
    if threading.current_thread() is not threading.main_thread():  # signals belong to the main thread
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        notice()
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in previous:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def create_app_from_env() -> FastAPI:
    """The factory for ``uvicorn --factory``: settings from the environment and ``.env``, logging set up."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        sys.exit(f"CV Service cannot start. {error.message}")  # one line instead of a traceback
    setup_logging(
        level=settings.LOG_LEVEL,
        json=settings.LOG_JSON,
        directory=settings.LOG_DIR,
        retention_days=settings.LOG_RETENTION_DAYS,
    )
    return create_app(settings)
