"""Swagger UI and ReDoc, served whole by the app: a closed hotel network reaches no CDN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from app.api.document import document_of

_ASSETS = Path(fastapi_offline.__file__).parent / "static"
_SWAGGER_PAGE = Path(__file__).with_name("swagger_ui.html")
# Their scripts, styles and icons come from us; both pages start themselves by an inline script.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:; frame-ancestors 'none'"
}


def install(app: FastAPI) -> None:
    """Serve /openapi.json, /docs and /redoc."""
    app.mount("/assets", StaticFiles(directory=_ASSETS), name="assets")

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document_of(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document

    swagger_page = _SWAGGER_PAGE.read_text(encoding="utf-8")

    @app.get("/docs", include_in_schema=False)
    def swagger_ui() -> HTMLResponse:
        return HTMLResponse(swagger_page, headers=_PAGE_HEADERS)

    @app.get("/redoc", include_in_schema=False)
    def redoc() -> HTMLResponse:
        page = get_redoc_html(
            openapi_url="/openapi.json",
            title=f"{app.title} API",
            redoc_js_url="/assets/redoc.standalone.js",
            redoc_favicon_url="/assets/favicon.png",
            with_google_fonts=False,
        )
        page.headers.update(_PAGE_HEADERS)
        return page
