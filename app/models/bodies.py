"""One request model, two encodings: JSON as in the spec, and multipart/form-data with the same field names.

In JSON a picture is base64, with or without a ``data:`` prefix; in a form it is a file. Either way the model gets
bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ValidationError, WithJsonSchema
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)

_MAX_FILES = 20
_MAX_FIELDS = 100
_MAX_PART_BYTES = 2**26  # a picture may come as base64 text too; the cap on the whole body is lower


def _to_bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("data:"):
        _, found, value = value.partition(",")
        if not found:
            raise ValueError("a data: URL needs a comma before its base64")
    try:
        return base64.b64decode("".join(value.split()) if _has_space(value) else value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not valid base64") from error


def _has_space(value: str) -> bool:
    # Encoders that wrap lines are common; a scan for the few characters is cheaper than splitting every body.
    return any(c in value for c in "\n\r \t")


ImageData = Annotated[
    bytes,
    BeforeValidator(_to_bytes),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "description": "A JPEG, PNG or WebP file"}),
]
"""The bytes of an encoded picture."""


def body_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that reads the request's body as ``model``; ``app.api.docs`` documents it by ``body_model``."""

    async def read(request: Request) -> Model:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if content_type == "multipart/form-data":
                return model.model_validate(await _read_form(request, model))
            if content_type in ("application/json", "") or content_type.endswith("+json"):
                return model.model_validate_json(await request.body())
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in found]) from error
        raise InvalidInput(
            "Send application/json or multipart/form-data.",
            code="unsupported_media_type",
        )

    read.body_model = model  # type: ignore[attr-defined]  # read again by body_model_of
    return read


def body_model_of(dependency: object) -> type[BaseModel] | None:
    """The model of a dependency that ``body_of`` made, None for any other."""
    model: type[BaseModel] | None = getattr(dependency, "body_model", None)
    return model


async def _read_form(request: Request, model: type[BaseModel]) -> dict[str, object]:
    try:
        async with request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=_MAX_PART_BYTES) as form:
            return {name: await _form_value(form, name, model) for name in form}
    except HTTPException as error:  # what Starlette makes of a malformed form
        raise InvalidInput(f"The multipart body can't be read: {error.detail}", code="invalid_form") from error


async def _form_value(form: FormData, name: str, model: type[BaseModel]) -> object:
    values = [await part.read() if isinstance(part, UploadFile) else _form_text(part) for part in form.getlist(name)]
    info = model.model_fields.get(name)
    is_list = info is not None and "list[" in str(info.annotation)
    return values if is_list and not (len(values) == 1 and isinstance(values[0], list)) else values[-1]


def _form_text(text: str) -> object:
    """Objects and lists travel in a form as JSON; all else stays text, which pydantic converts where a type asks."""
    if text[:1] in "{[" and text:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
