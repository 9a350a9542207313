"""One request model, two encodings: JSON as in the spec, and multipart/form-data with the same field names.

In JSON a picture is base64, with or without a ``data:`` prefix; in a form it is a file. Either way the model gets
bytes.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Annotated, BinaryIO, TypeVar, cast

import pybase64
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ValidationError, WithJsonSchema
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)

_MAX_FILES = 20
_LARGE_BYTES = 2**20  # what takes a millisecond to parse; a thread's turn costs a tenth of that
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
        # A tenth of the standard library's time, in which the event loop would stand still.
        return pybase64.b64decode("".join(value.split()) if _has_space(value) else value, validate=True)
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

DocumentData = Annotated[
    bytes,
    BeforeValidator(_to_bytes),
    WithJsonSchema(
        {"type": "string", "contentEncoding": "base64", "description": "A picture, a PDF, or the XML of e-invoices"}
    ),
]
"""The bytes of a document."""


@dataclass(frozen=True, slots=True)
class BodyKind:
    """What a dependency of this module reads, for ``app.api.document``."""

    model: type[BaseModel]  # of the body, or of each item of a file of them
    media_types: tuple[str, ...]
    required: bool = True


_JSON = "application/json"
FORM = "multipart/form-data"


def body_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that reads the request's body as ``model``, from JSON or from a form.

    FastAPI would read its own kind of body before any dependency, and so before the caller's key.
    """
    return _reader(BodyKind(model, (_JSON, FORM)), model)


def json_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """As ``body_of``, from JSON alone."""
    return _reader(BodyKind(model, (_JSON,)), model)


def optional_json_of(model: type[Model]) -> Callable[[Request], Awaitable[Model | None]]:
    """As ``json_of``; None where there is no body."""
    read_json = json_of(model)

    async def read(request: Request) -> Model | None:
        return await read_json(request) if await request.body() else None

    read.body_kind = BodyKind(model, (_JSON,), required=False)  # type: ignore[attr-defined]  # read by body_kind_of
    return read


@dataclass(frozen=True, slots=True)
class RawBody:
    """A body as it came."""

    content: bytes
    media_type: str


def raw_of(item: type[BaseModel], *media_types: str) -> Callable[[Request], Awaitable[RawBody]]:
    """A dependency that takes a file of ``item``s as it is, where it is of one of these types."""

    async def read(request: Request) -> RawBody:
        if (media_type := _media_type(request)) not in media_types:
            raise InvalidInput(f"Send {' or '.join(media_types)}.", code="unsupported_media_type")
        return RawBody(await request.body(), media_type)

    read.body_kind = BodyKind(item, media_types)  # type: ignore[attr-defined]  # read by body_kind_of
    return read


def validated(model: type[Model], fields: Mapping[str, object]) -> Model:
    """``fields`` as ``model``.

    Raises:
        InvalidInput: they do not fit; names the places, never repeats the values.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:5])
        raise InvalidInput(text, code="validation_error") from error


def _reader(kind: BodyKind, model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    async def read(request: Request) -> Model:
        content_type = _media_type(request)
        try:
            if content_type == FORM and FORM in kind.media_types:
                return model.model_validate(await _read_form(request, model))
            if content_type in (_JSON, "") or content_type.endswith("+json"):
                body = await request.body()
                if len(body) < _LARGE_BYTES:
                    return model.model_validate_json(body)
                return await asyncio.to_thread(model.model_validate_json, body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in found]) from error
        raise InvalidInput(f"Send {' or '.join(kind.media_types)}.", code="unsupported_media_type")

    read.body_kind = kind  # type: ignore[attr-defined]  # read again by body_kind_of
    return read


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def body_kind_of(dependency: object) -> BodyKind | None:
    """What a dependency of this module reads, None for any other."""
    kind: BodyKind | None = getattr(dependency, "body_kind", None)
    return kind


async def _read_form(request: Request, model: type[BaseModel]) -> dict[str, object]:
    form = await _parse_form(request)
    try:
        return {name: await _form_value(form, name, model) for name in form}
    finally:
        await form.close()


async def _parse_form(request: Request) -> FormData:
    """The form; the same one where it was parsed before."""
    try:
        return await request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=_MAX_PART_BYTES)
    except HTTPException as error:  # what Starlette makes of a malformed form
        raise InvalidInput(f"The multipart body can't be read: {error.detail}", code="invalid_form") from error


async def body_sha256(request: Request) -> bytes:
    """A digest of what the body says, from where it lies; it stays there for whoever reads the request next.

    Forms count by their fields and files: the boundary between them is another each time that one is sent.

    Raises:
        InvalidInput: a malformed form.
    """
    digest = hashlib.sha256()
    if _media_type(request) != FORM:
        await _update(digest, await request.body())
        return digest.digest()
    for name, part in (await _parse_form(request)).multi_items():
        content = part if isinstance(part, str) else await asyncio.to_thread(_file_sha256, part.file)
        digest.update(json.dumps([name, content if isinstance(content, str) else content.hex()]).encode())
    return digest.digest()


async def _update(digest: hashlib._Hash, data: bytes) -> None:
    if len(data) < _LARGE_BYTES:
        digest.update(data)
    else:
        await asyncio.to_thread(digest.update, data)


def _file_sha256(file: BinaryIO) -> bytes:
    digest = hashlib.file_digest(cast("SpooledTemporaryFile[bytes]", file), "sha256").digest()  # what Starlette uses
    file.seek(0)
    return digest


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
        except (ValueError, RecursionError):  # none, or nested deeper than any of our models
            return text
    return text
