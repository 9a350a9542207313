"""People who sign in: who they are, what they work as, and when they leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.errors import Conflict, NotFound, Unauthorized
from app.services.database import Connection, Database
from app.services.stores import user_store, web_sessions
from app.services.stores.audit import add_audit_entry
from app.services.stores.user_store import ExternalUser, User
from app.types import Scope, StaffRole
from app.workflows.slow_hashes import SlowHashes

__all__ = ["SCOPES_OF", "User", "UserBook"]

SCOPES_OF: Mapping[StaffRole, tuple[Scope, ...]] = {
    StaffRole.FRONT_DESK: (
        Scope.FACE_RECOGNIZE,
        Scope.IMAGE,
        Scope.CLAIMS,
        Scope.STAYS,
        Scope.OCR_ID,
        Scope.ROOM_READ,
        Scope.EVENTS_LOST_FOUND,
    ),
    StaffRole.KIOSK: (Scope.FACE_RECOGNIZE,),
    StaffRole.PERSONNEL: (Scope.FACE_MANAGE, Scope.FACE_RECOGNIZE, Scope.PRIVACY, Scope.EVENTS_ATTENDANCE),
    StaffRole.HOUSEKEEPING: (Scope.ROOM, Scope.IMAGE, Scope.EVENTS_ROOM),
    StaffRole.SECURITY: (Scope.ANOMALY, Scope.CAMERAS, Scope.EVENTS_ANOMALY, Scope.EVENTS_CAMERA),
    StaffRole.ACCOUNTING: (Scope.OCR_INVOICE,),
    StaffRole.ADMIN: (Scope.ADMIN,),
}
"""What each role opens; a person has the scopes of all their roles."""


class UserBook:
    """Keeps the people; what is changed takes effect within seconds, on every replica."""

    def __init__(self, database: Database, hashes: SlowHashes) -> None:
        self._database = database
        self._hashes = hashes

    async def add(self, name: str, *, password: str, roles: Sequence[StaffRole], actor: str) -> User:
        """Let a person sign in from now on.

        Raises:
            Conflict: somebody has that name.
            Overloaded: too many passwords are hashed at once.
            BackendUnavailable: PostgreSQL does not answer; so do all methods here.
        """
        hashed = await self._hashes.hash(password)
        async with self._database.transaction() as connection:
            user = await user_store.add_user(
                connection, name, password_hash=hashed, roles=roles, scopes=_scopes_of(roles)
            )
            if user is None:
                raise Conflict(f"There is a user {name}; choose another name.", code="user_exists")
            await add_audit_entry(connection, "user.add", subject=name, actor=actor, details={"roles": list(roles)})
        return user

    async def list_users(self) -> list[User]:
        """Everybody who may sign in, by name."""
        async with self._database.connection() as connection:
            return await user_store.list_users(connection)

    async def get(self, name: str) -> User:
        """One person.

        Raises:
            NotFound: nobody of that name may sign in.
        """
        async with self._database.connection() as connection:
            return await _user(connection, name)

    async def change(self, name: str, *, password: str | None, roles: Sequence[StaffRole] | None, actor: str) -> User:
        """Give a person another password, which ends their sessions, or other roles.

        Raises:
            NotFound: nobody of that name may sign in.
            Conflict: the identity provider says who they are and what they work as.
            Overloaded: too many passwords are hashed at once.
        """
        hashed = None if password is None else await self._hashes.hash(password)
        async with self._database.transaction() as connection:
            user = await _user(connection, name)
            if not user.has_password:
                raise Conflict(
                    f"{name} signs in by the identity provider; change roles and password there.", code="user_external"
                )
            if hashed is not None:
                await user_store.set_password(connection, user.key_id, hashed)
                await web_sessions.end_sessions_of(connection, user.key_id)
            if roles is not None:
                await user_store.set_roles(connection, user.key_id, roles=roles, scopes=_scopes_of(roles))
            details = {"password": hashed is not None, "roles": None if roles is None else list(roles)}
            await add_audit_entry(connection, "user.change", subject=name, actor=actor, details=details)
            return await _user(connection, name)

    async def end(self, name: str, *, actor: str) -> None:
        """Let a person sign in no more, and end their sessions. The name is free again; the audit keeps who was who.

        Raises:
            NotFound: nobody of that name may sign in.
        """
        async with self._database.transaction() as connection:
            user = await _user(connection, name)
            await user_store.end_user(connection, user.key_id)
            await web_sessions.end_sessions_of(connection, user.key_id)
            await add_audit_entry(connection, "user.end", subject=name, actor=actor)


async def admitted(
    connection: Connection, external: ExternalUser, *, names: Iterable[str], roles: Sequence[StaffRole]
) -> User:
    """Somebody whom the identity provider vouches for, with the roles that it gives them now; new where they never
    were here.

    Args:
        names: for somebody new, the first that nobody has.

    Raises:
        Unauthorized: their access was ended here.
    """
    user, has_ended = await user_store.find_external_user(connection, external)
    if has_ended:
        raise Unauthorized("This account was ended here; ask for another.", code="sign_in_refused")
    details = {"roles": list(roles), "issuer": external.issuer}
    if user is None:
        for name in names:
            user = await user_store.add_external_user(connection, external, name, roles=roles, scopes=_scopes_of(roles))
            if user is not None:
                await add_audit_entry(connection, "user.add", subject=user.name, actor=None, details=details)
                return user
        raise Conflict("Too many people have your name here; ask for another one.", code="user_exists")
    if list(user.roles) != list(roles):
        await user_store.set_roles(connection, user.key_id, roles=roles, scopes=_scopes_of(roles))
        await add_audit_entry(connection, "user.change", subject=user.name, actor=None, details=details)
    return user


async def _user(connection: Connection, name: str) -> User:
    user = await user_store.find_user(connection, name)
    if user is None:
        raise NotFound(f"There is no user {name}.", code="user_not_found")
    return user


def _scopes_of(roles: Sequence[StaffRole]) -> list[Scope]:
    granted = {scope for role in roles for scope in SCOPES_OF[role]}
    return [scope for scope in Scope if scope in granted]
