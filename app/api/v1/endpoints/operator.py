"""What operators look up."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import Everything
from app.models.operator import KeysResponse, SettingsResponse
from app.types import Scope
from app.workflows import access

router = APIRouter(tags=["operator"], route_class=MarkedRoute, dependencies=[Depends(require(Scope.ADMIN))])


@router.get("/keys")
async def list_keys(resources: Everything) -> KeysResponse:
    """All API keys, revoked ones too; never their secrets. `cv keys` makes and revokes them."""
    return KeysResponse.of(await access.list_keys(resources.backends.database))


@router.get("/settings")
async def list_settings(resources: Everything) -> SettingsResponse:
    """What this replica runs with; secrets are not shown, and nothing is changed here."""
    return SettingsResponse.of(resources.settings)
