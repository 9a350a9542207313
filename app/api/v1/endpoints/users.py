"""The people who sign in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.idempotency import IDEMPOTENT
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import resource
from app.models.bodies import json_of
from app.models.user import UserChangeRequest, UserCreateRequest, UserDeletion, UserInfo, UserName, UsersResponse
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.users import UserBook

router = APIRouter(prefix="/users", tags=["users"], route_class=MarkedRoute)

Users = Annotated[UserBook, Depends(resource(lambda resources: resources.users))]
Operator = Annotated[Caller, Depends(require(Scope.ADMIN))]
NamePath = Annotated[UserName, Path()]


@router.post("", status_code=201, dependencies=[IDEMPOTENT])
async def add_user(
    caller: Operator, request: Annotated[UserCreateRequest, Depends(json_of(UserCreateRequest))], users: Users
) -> UserInfo:
    """Let a person sign in with a name and a password; the roles say what opens."""
    password = request.password.get_secret_value()
    return UserInfo.of(await users.add(request.name, password=password, roles=request.roles, actor=caller.label))


@router.get("")
async def list_users(_: Operator, users: Users) -> UsersResponse:
    """Everybody who may sign in, by name."""
    return UsersResponse.of(await users.list_users())


@router.get("/{name}")
async def get_user(name: NamePath, _: Operator, users: Users) -> UserInfo:
    """One person who may sign in."""
    return UserInfo.of(await users.get(name))


@router.patch("/{name}")
async def change_user(
    name: NamePath,
    caller: Operator,
    request: Annotated[UserChangeRequest, Depends(json_of(UserChangeRequest))],
    users: Users,
) -> UserInfo:
    """Give a person another password, which ends their sessions, or other roles, which count within seconds."""
    password = request.password.get_secret_value() if request.password else None
    return UserInfo.of(await users.change(name, password=password, roles=request.roles, actor=caller.label))


@router.delete("/{name}")
async def end_user(name: NamePath, caller: Operator, users: Users) -> UserDeletion:
    """Let a person sign in no more; what they did stays theirs in the audit."""
    await users.end(name, actor=caller.label)
    return UserDeletion(name=name)
