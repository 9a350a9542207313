"""Stored rows in paths: by their public id or, until that is switched off, by their number."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from pydantic import Field

from app.dependencies import setting
from app.errors import NotFound
from app.types import Reference

_DESCRIPTION = "The `public_id`. The number still works unless INTEGER_IDS is false, and is deprecated."
MAX_INCIDENT_ID = 2**63 - 1
MAX_RESULT_ID = 2**31 - 1

Numbers = Annotated[bool, Depends(setting(lambda settings: settings.INTEGER_IDS))]


async def _result_of(
    result_id: Annotated[
        Annotated[int, Field(ge=1, le=MAX_RESULT_ID)] | UUID, Path(description=_DESCRIPTION, examples=[1])
    ],
    numbers: Numbers,
) -> Reference:
    return _checked(result_id, numbers=numbers)


async def _incident_of(
    incident_id: Annotated[
        Annotated[int, Field(ge=1, le=MAX_INCIDENT_ID)] | UUID, Path(description=_DESCRIPTION, examples=[1])
    ],
    numbers: Numbers,
) -> Reference:
    return _checked(incident_id, numbers=numbers)


def _checked(given: Reference, *, numbers: bool) -> Reference:
    """Raises NotFound of a number where numbers are switched off, whether or not there is such a row."""
    if isinstance(given, int) and not numbers:
        raise NotFound("Numbers are switched off here (INTEGER_IDS); send the public_id.", code="integer_ids_off")
    return given


ResultReference = Annotated[Reference, Depends(_result_of)]
IncidentReference = Annotated[Reference, Depends(_incident_of)]
