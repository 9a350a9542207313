"""Requests and responses of signing in, and of the people who do."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, SecretStr, model_validator

from app.models.common import Moment, Request, Response
from app.types import Scope, StaffRole
from app.workflows.sign_in import KnownCaller
from app.workflows.users import User

_NAME = r"^[a-z0-9][a-z0-9._\-]{1,19}$"
UserName = Annotated[
    str,
    Field(pattern=_NAME, description="2 to 20 small letters, digits, . _ -", examples=["lan.nguyen"]),
]
NewPassword = Annotated[
    SecretStr, Field(min_length=10, max_length=200, description="10 characters or more", examples=["correct horse 7"])
]
Password = Annotated[SecretStr, Field(min_length=1, max_length=200, examples=["correct horse 7"])]
Roles = Annotated[list[StaffRole], Field(min_length=1, max_length=len(StaffRole))]


class SignInRequest(Request):
    """A name and a password, or an API key, or what the identity provider sent the browser back with."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "lan.nguyen", "password": "correct horse 7"}})

    name: UserName | None = None
    password: Password | None = None
    api_key: Annotated[SecretStr, Field(min_length=1, max_length=500)] | None = None
    code: Annotated[SecretStr, Field(min_length=1, max_length=4000)] | None = None
    state: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> SignInRequest:
        ways = (self.name and self.password, self.api_key, self.code and self.state)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("send name and password, or api_key, or code and state")
        return self


class SignInWays(Response):
    """How people sign in here; an API key is always exchanged for a session."""

    password: bool = Field(description="By name and password; false where nobody is asked who they are")
    identity_provider: bool = Field(description="By `POST /session/provider`")


class SignInDeparture(Response):
    """Where the browser goes to sign in; from there it comes back to `/console` with `code` and `state`."""

    url: str


class PasswordRequest(Request):
    """One's own password of now, and the one from now on."""

    password: Password
    new_password: NewPassword


class SessionInfo(Response):
    """Who asks, and what they may do."""

    name: str = Field(description="Of the person, or the label of the API key; the audit has it")
    kind: Literal["person", "key", "open"] = Field(description="`open`: nobody is asked who they are")
    has_password: bool = Field(description="Which `PUT /session/password` changes")
    roles: list[StaffRole]
    scopes: list[Scope] = Field(description="Everything that is open, `admin` written out")
    time_zone: str = Field(description="Of the hotel, as the IANA names it")
    idle_min: int = Field(description="After so many minutes without a request the session has ended")

    @classmethod
    def of(cls, identity: KnownCaller, *, idle_min: int, zone: ZoneInfo) -> SessionInfo:
        """The caller as the desk knows them."""
        caller, roles = identity.caller, identity.roles
        return cls(
            name=caller.label,
            kind="open" if caller.key_id is None else "key" if roles is None else "person",
            has_password=identity.has_password,
            roles=[StaffRole(role) for role in roles or ()],
            scopes=[scope for scope in Scope if caller.may(scope)],
            time_zone=zone.key,
            idle_min=idle_min,
        )


class SessionEnd(Response):
    """A session that has ended."""

    ended: bool = True


class UserCreateRequest(Request):
    """Somebody who shall sign in."""

    name: UserName
    password: NewPassword
    roles: Roles


class UserChangeRequest(Request):
    """What shall change; a field that is left out stays as it is. A new password ends all sessions of that person."""

    password: NewPassword | None = None
    roles: Roles | None = None


class UserInfo(Response):
    """Somebody who may sign in. ``key_id`` names them in the audit, for good."""

    name: str
    key_id: int
    roles: list[StaffRole]
    created_at: Moment
    signed_in_at: Moment | None
    has_password: bool = Field(description="False: the identity provider says who they are and what they work as")

    @classmethod
    def of(cls, user: User) -> UserInfo:
        """A person as stored."""
        return cls.like(user, roles=list(user.roles))


class UsersResponse(Response):
    """Everybody who may sign in, by name."""

    items: list[UserInfo]

    @classmethod
    def of(cls, users: list[User]) -> UsersResponse:
        """People as stored."""
        return cls(items=[UserInfo.of(user) for user in users])


class UserDeletion(Response):
    """Somebody who signs in no more."""

    name: str
    deleted: bool = True
