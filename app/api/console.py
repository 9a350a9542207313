"""The console: a page for the people of the hotel, served whole by the app; its source is in ``console/``.

It loads nothing but its own files and the pictures of the object store, and runs no script but its own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import FastAPI, Request, Response

from app.config import Settings
from app.errors import NotFound

_FOLDER = Path(__file__).parents[1] / "console"
_WORKER = "worker.js"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def install(app: FastAPI, settings: Settings) -> None:
    """Serve /console and its files, which are small enough to stay in memory."""
    contents = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _TYPES}
    headers = {"Content-Security-Policy": _policy(settings), "Permissions-Policy": "camera=(self), microphone=()"}

    @app.get("/console", include_in_schema=False)
    async def console(request: Request) -> Response:
        return _file("index.html", request)

    @app.get("/console/{name}", include_in_schema=False)
    async def console_file(name: str, request: Request) -> Response:
        return _file(name, request)

    def _file(name: str, request: Request) -> Response:
        content = contents.get(name)
        if content is None:
            raise NotFound("The console has no such file; open /console.", code="not_found")
        # Asked for again each time, so that a new release is seen at once.
        fresh = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "Cache-Control": "no-cache", **headers}
        if name == _WORKER:
            fresh["Service-Worker-Allowed"] = "/console"  # above the folder that it is in
        if request.headers.get("if-none-match") == fresh["ETag"]:
            return Response(status_code=304, headers=fresh)
        return Response(content, media_type=_TYPES[Path(name).suffix], headers=fresh)


def _policy(settings: Settings) -> str:
    scheme = "https" if settings.MINIO_SECURE else "http"
    pictures = settings.STORAGE_PUBLIC_ENDPOINT or f"{scheme}://{settings.MINIO_ENDPOINT}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors 'none'; img-src 'self' blob: {pictures}; "
        f"media-src 'self' blob: {pictures}; "
        "require-trusted-types-for 'script'; trusted-types worker"
    )
