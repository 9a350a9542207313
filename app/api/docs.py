"""The OpenAPI document and Swagger UI, served whole by the app: a closed hotel network reaches no CDN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from app.api.examples import add_examples
from app.models.bodies import body_kind_of

_ASSETS = Path(fastapi_offline.__file__).parent / "static"
# Their scripts, styles and icons come from us; both pages start themselves by an inline script.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:; frame-ancestors 'none'"
}
_PROBLEM = {
    "description": "A problem document (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
# FastAPI's own form of a 422, which we do not use.
_REPLACED = ("HTTPValidationError", "ValidationError")
_PROBLEM_SCHEMA = {
    "title": "Problem",
    "type": "object",
    "required": ["title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do"},
        "code": {"type": "string", "description": "Stable, machine-readable"},
        "request_id": {"type": "string"},
    },
    "example": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "The image is damaged or incomplete; send the whole file.",
        "code": "damaged_image",
        "request_id": "4f1c2a7e9b0d4c55a1f0c6a2d9e8b7f3",
    },
}


def install(app: FastAPI) -> None:
    """Serve /openapi.json, /docs and /redoc."""
    app.mount("/assets", StaticFiles(directory=_ASSETS), name="assets")

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document

    @app.get("/docs", include_in_schema=False)
    def swagger_ui() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{app.title} API",
            swagger_js_url="/assets/swagger-ui-bundle.js",
            swagger_css_url="/assets/swagger-ui.css",
            swagger_favicon_url="/assets/favicon.png",
        )
        page.headers.update(_PAGE_HEADERS)
        return page

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


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM_SCHEMA
    for route in iter_route_contexts(app.routes):
        api_route = route.original_route
        if isinstance(api_route, APIRoute) and api_route.include_in_schema:
            for method in route.methods or ():
                _complete(document["paths"][route.path_format][method.lower()], api_route, schemas)
    for name in _REPLACED:
        schemas.pop(name, None)
    add_examples(schemas)
    return document


def _complete(operation: dict[str, Any], route: APIRoute, schemas: dict[str, Any]) -> None:
    """Add what FastAPI can't see: our error documents, and bodies that ``app.models.bodies`` reads."""
    for dependency in route.dependant.dependencies:
        kind = body_kind_of(dependency.call)
        if kind is None:
            continue
        content = {"schema": _schema_of(kind.model, schemas)}
        operation["requestBody"] = {
            "required": kind.required,
            "content": dict.fromkeys(kind.media_types, content),
        }
    for status in _problem_statuses(operation):
        operation["responses"][status] = _PROBLEM


def _schema_of(model: type[BaseModel] | None, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the model's schema, which is added to ``schemas``; that of a file where there is no model."""
    if model is None:
        return {"type": "string", "format": "binary"}
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _problem_statuses(operation: dict[str, Any]) -> tuple[str, ...]:
    """Which problem documents an operation may answer with."""
    anywhere = ("422", "429", "503")
    with_key = ("401", "403", "404") if "security" in operation else ()
    with_body = ("409", "413", "504") if "requestBody" in operation else ()
    return anywhere + with_key + with_body
