"""Logging through loguru: console and a rotating file, plain or JSON, with the request's id on every line.

Nothing logged may hold image data, vectors, document text or secrets. ``diagnose`` stays off, because it prints
the values of local variables into tracebacks.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

request_id_var: ContextVar[str] = ContextVar("request_id", default="-")
trace_id_var: ContextVar[str] = ContextVar("trace_id", default="")
key_id_var: ContextVar[int | None] = ContextVar("key_id", default=None)
"""The API key that the request came with; None without one, and outside requests."""

_RESERVED = frozenset({"request_id", "fields"})


def _add_context(record: Record) -> None:
    record["extra"]["request_id"] = request_id_var.get()
    if trace_id := trace_id_var.get():
        record["extra"]["trace_id"] = trace_id
    fields = {k: v for k, v in record["extra"].items() if k not in _RESERVED}
    record["extra"]["fields"] = " ".join(f"{k}={v}" for k, v in fields.items())


class _StandardLibraryHandler(logging.Handler):
    """Hands records of libraries that use ``logging`` to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        level: str | int = (
            record.levelname
            if record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
            else record.levelno
        )
        logger.opt(exception=record.exc_info, depth=6).log(level, "{}", record.getMessage())


_FORMAT = (
    "{time:YYYY-MM-DD HH:mm:ss.SSS} | {level} | {name}:{function}:{line} | "
    "{extra[request_id]} | {message} {extra[fields]}"
)


def setup_logging(
    *, level: str = "INFO", json: bool = False, directory: Path | None = None, retention_days: int = 30
) -> None:
    """Install the sinks, replacing earlier ones.

    Args:
        level: the lowest level shown on the console; the file gets the same.
        json: one JSON object a line instead of text.
        directory: where ``cv_service_<date>.log`` is written; None writes no file.
        retention_days: rotated files older than this are removed.
    """
    logger.remove()
    logger.configure(patcher=_add_context)
    logger.add(sys.stdout, format=_FORMAT, level=level, serialize=json, diagnose=False, backtrace=False)
    if directory is not None:
        logger.add(
            directory / "cv_service_{time:YYYY-MM-DD}.log",
            format=_FORMAT,
            level=level,
            serialize=json,
            rotation="100 MB",
            retention=f"{retention_days} days",
            enqueue=True,  # a slow disk must not hold up a request
            diagnose=False,
            backtrace=False,
        )
    logging.basicConfig(handlers=[_StandardLibraryHandler()], level=logging.INFO, force=True)
    # uvicorn has given its logger a handler of its own before it asks for the application.
    server = logging.getLogger("uvicorn")
    server.handlers.clear()
    server.propagate = True
    # Access lines are ours (with request id and template); these libraries are chatty below WARNING.
    for name in ("uvicorn.access", "httpx", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # These print whole tracebacks, some with connection parameters, for every call while a backend is down; our
    # adapters log the same failure in one line.
    for name in ("aio_pika", "aiormq", "pymilvus", "pymilvus.decorators", "pymilvus.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


__all__ = ["key_id_var", "logger", "request_id_var", "setup_logging", "trace_id_var"]
