"""The OpenAPI document: FastAPI's, with what it can't see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from app.api import document_answers
from app.api.document_answers import complete_answers
from app.api.examples import Schemas, add_examples
from app.api.forms import form_encoding, form_name, form_schema
from app.models.bodies import FORM, BodyKind, body_kind_of
from app.utils.bulk_files import NDJSON_TYPES, ZIP_TYPES

_TAGS = {
    "face": "Staff by their faces: enrolment, check-in, verification, identification, liveness.",
    "attendance": "Who came and went, and checking in by PIN or card.",
    "image": "Pictures of lost and found things and of rooms, searched by likeness or by words.",
    "room": "The state of rooms, judged by photos: the housekeeping board, history and corrections.",
    "ocr": "Invoices, receipts and identity papers, read field by field.",
    "claims": "What guests lost, held against finds of then and of later.",
    "stays": "Guests' records for the registration of stays.",
    "cameras": "Cameras that the service reads by itself, their alarms and live pictures.",
    "anomaly": "Fire, smoke, water and intruders, and the incidents that they begin.",
    "jobs": "Work that goes on after its request was answered.",
    "events": "Events as they happen (Server-Sent Events).",
    "webhooks": "Events posted to whoever asks for them, signed as Standard Webhooks says.",
    "privacy": "What is stored about a person.",
    "session": "Signing in and out, for browsers.",
    "users": "The people who sign in, and what they work as.",
    "operator": "Keys and settings, without what is secret in them.",
    "health": "Probes, metrics, and the models that are loaded.",
}
_REFERENCE = "#/components/schemas/"
# FastAPI's own form of a 422, which we do not use.
_REPLACED = ("HTTPValidationError", "ValidationError")


def operation_id(route: APIRoute) -> str:
    """The handler's name as clients write it, ``recognizeFace``: generated clients name their methods so."""
    first, *others = route.name.split("_")
    return first + "".join(word.capitalize() for word in others)


def document_of(app: FastAPI) -> dict[str, Any]:
    """The document of all routes of ``app``."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=[{"name": name, "description": description} for name, description in _TAGS.items()],
        servers=[{"url": "/", "description": "The service that serves this document"}],
        contact={"name": "The maintainers of CV Service"},
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    )
    schemas: Schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for kind_of_part, parts in document_answers.components().items():
        document["components"].setdefault(kind_of_part, {}).update(parts)
    operations = list(_operations(app, document))
    for _, kind in operations:
        _add_models(kind, schemas)
    for name in _REPLACED:
        schemas.pop(name, None)
    add_examples(schemas)
    for operation, kind in operations:
        _complete(operation, kind, schemas)
    return document


def _operations(app: FastAPI, document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], BodyKind | None]]:
    """Each operation of the document, with the body that ``app.models.bodies`` reads for it."""
    for route in iter_route_contexts(app.routes):
        api_route = route.original_route
        if isinstance(api_route, APIRoute) and api_route.include_in_schema:
            kinds = (body_kind_of(dependency.call) for dependency in api_route.dependant.dependencies)
            kind = next((kind for kind in kinds if kind), None)
            for method in route.methods or ():
                yield document["paths"][route.path_format][method.lower()], kind


def _add_models(kind: BodyKind | None, schemas: Schemas) -> None:
    if kind is not None:
        schema = kind.model.model_json_schema(ref_template=_REFERENCE + "{model}")
        schemas |= schema.pop("$defs", {})
        schemas[kind.model.__name__] = schema


def _complete(operation: dict[str, Any], kind: BodyKind | None, schemas: Schemas) -> None:
    """Add what FastAPI can't see: our bodies and error documents, and examples with which it can be tried out."""
    if kind is not None:
        content = {media_type: _content(kind.model.__name__, media_type, schemas) for media_type in kind.media_types}
        operation["requestBody"] = {"required": kind.required, "content": content}
    for parameter in operation.get("parameters", ()):
        if parameter["required"] and "examples" in parameter["schema"]:
            parameter["example"] = parameter["schema"]["examples"][0]
    operation.setdefault("security", [])
    complete_answers(operation)


def _content(model: str, media_type: str, schemas: Schemas) -> dict[str, Any]:
    """What a body of this type is."""
    if media_type in ZIP_TYPES:
        return {"schema": {"type": "string", "format": "binary"}}
    if media_type in NDJSON_TYPES:
        line = json.dumps(schemas[model]["example"], ensure_ascii=False) + "\n"
        return {"schema": {"type": "string", "description": f"Each line is a {model}"}, "example": line}
    if media_type == FORM:
        form = schemas[form_name(model)] = form_schema(schemas[model])
        encoding = form_encoding(form)
        return {"schema": {"$ref": _REFERENCE + form_name(model)}} | ({"encoding": encoding} if encoding else {})
    return {"schema": {"$ref": _REFERENCE + model}}
