"""Logging through loguru: console and a rotating file, plain or JSON, with the request's id on every line.

A JSON line is flat: ``time``, ``level``, ``logger``, ``message`` (the event's name), ``request_id``, then its fields.

Nothing logged may hold image data, vectors, document text or secrets. ``diagnose`` stays off, because it prints
the values of local variables into tracebacks.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

request_id_var: ContextVar[str] = ContextVar("request_id", default="-")
trace_id_var: ContextVar[str] = ContextVar("trace_id", default="")
key_id_var: ContextVar[int | None] = ContextVar("key_id", default=None)
"""The API key that the request came with; None without one, and outside requests."""

_RESERVED = frozenset({"request_id", "fields", "json"})


def _add_context(record: Record) -> None:
    record["extra"]["request_id"] = request_id_var.get()
    if trace_id := trace_id_var.get():
        record["extra"]["trace_id"] = trace_id
    record["extra"]["fields"] = " ".join(f"{k}={v}" for k, v in _fields(record).items())


def _fields(record: Record) -> dict[str, object]:
    return {k: v for k, v in record["extra"].items() if k not in _RESERVED}


def _as_json(record: Record) -> str:
    """loguru's name of what to write: the record's line, which this adds to it."""
    line: dict[str, object] = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record["level"].name.lower(),
        "logger": record["name"],
        "message": record["message"],
        "request_id": record["extra"]["request_id"],
    }
    line |= {f"{k}_" if k in line else k: v for k, v in _fields(record).items()}
    if (raised := record["exception"]) is not None:
        line["exception"] = "".join(traceback.format_exception(raised.type, raised.value, raised.traceback))
    record["extra"]["json"] = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return "{extra[json]}\n"


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
    shape = _as_json if json else _FORMAT
    logger.add(sys.stdout, format=shape, level=level, diagnose=False, backtrace=False)
    if directory is not None:
        logger.add(
            directory / "cv_service_{time:YYYY-MM-DD}.log",
            format=shape,
            level=level,
            rotation="100 MB",
            retention=f"{retention_days} days",
            enqueue=True,  # a slow disk must not hold up a request
            diagnose=False,
            backtrace=False,
        )
    # Libraries speak up when something is wrong; what they load and find, nobody asked.
    logging.basicConfig(handlers=[_StandardLibraryHandler()], level=logging.WARNING, force=True)
    # uvicorn has given its logger a handler of its own before it asks for the application.
    server = logging.getLogger("uvicorn")
    server.handlers.clear()
    server.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # ours have the request's id and template
    silence("aio_pika", "aiormq")


def silence(*names: str) -> None:
    """Quieten libraries that print whole tracebacks, some with connection parameters, for every call while a backend is
    down; our adapters log the same failure in one line.
    """
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)


__all__ = ["key_id_var", "logger", "request_id_var", "setup_logging", "silence", "trace_id_var"]
