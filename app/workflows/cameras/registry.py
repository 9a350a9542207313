"""Registered cameras: added, changed, listed and removed; their logins sealed before they reach the database."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote, urlsplit, urlunsplit

from app.errors import Conflict, InvalidInput, NotFound
from app.services.database import Connection, Database
from app.services.secret_box import SecretBox, SecretLost
from app.services.stores import camera_store, key_store
from app.services.stores.audit import add_audit_entry, add_looks
from app.services.stores.camera_store import CameraColumns, CameraRecord
from app.services.streams.opener import StreamOpener
from app.services.streams.types import VERIFIED, Credentials, StreamKind, StreamSource, TlsTrust
from app.utils.cursors import Slice, read_cursor, slice_of
from app.workflows.safety.rules import CameraRules
from app.workflows.safety.stored_rules import rules_from_json, rules_to_json

__all__ = [
    "Camera",
    "CameraChange",
    "CameraPlan",
    "CameraRegistry",
    "Credentials",
    "StreamKind",
    "Task",
    "TlsTrust",
    "shown",
    "split_url",
]


class Task(StrEnum):
    """What a camera is read for."""

    ATTENDANCE = "attendance"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class Camera:
    """A registered camera, without its secrets. ``has_credentials``: a login or a query is kept, sealed."""

    id: str
    name: str | None
    kind: StreamKind
    url: str
    has_credentials: bool
    tasks: tuple[Task, ...]
    frames_per_second: float
    rules: CameraRules
    enabled: bool
    group: str | None
    tls: TlsTrust
    armed: bool
    muted_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What a camera shall be. ``url`` may carry a login and a query; both are kept sealed and never shown again."""

    name: str | None
    kind: StreamKind
    url: str
    credentials: Credentials | None
    tasks: tuple[Task, ...]
    frames_per_second: float
    rules: CameraRules
    enabled: bool
    group: str | None = None
    tls: TlsTrust = VERIFIED


@dataclass(frozen=True, slots=True)
class CameraChange:
    """What shall change; None leaves things as they are. ``drops_credentials`` forgets the login; an empty group or
    fingerprint goes."""

    name: str | None = None
    kind: StreamKind | None = None
    url: str | None = None
    credentials: Credentials | None = None
    drops_credentials: bool = False
    tasks: tuple[Task, ...] | None = None
    frames_per_second: float | None = None
    rules: CameraRules | None = None
    enabled: bool | None = None
    group: str | None = None
    tls_verify: bool | None = None
    tls_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class _Secret:
    """What is sealed: the login, and the query, in which many cameras carry one."""

    credentials: Credentials | None
    query: str


class CameraRegistry:
    """Cameras over PostgreSQL.

    Args:
        opener: refuses addresses that may not be read.
        box: seals logins.
    """

    def __init__(self, *, database: Database, opener: StreamOpener, box: SecretBox) -> None:
        self._database = database
        self._opener = opener
        self._box = box

    async def add(self, camera_id: str, plan: CameraPlan, *, actor: str) -> Camera:
        """Register a camera.

        Raises:
            Conflict: the id is taken.
            InvalidInput: the address may not be read.
        """
        bare_url, login, query = split_url(plan.url)
        await self._check(plan.kind, bare_url)
        columns = CameraColumns(
            name=plan.name,
            kind=plan.kind.value,
            url=bare_url,
            secret=None,
            tasks=tuple(task.value for task in plan.tasks),
            frames_per_second=plan.frames_per_second,
            rules=rules_to_json(plan.rules),
            enabled=plan.enabled,
            group_name=plan.group,
            tls_verify=plan.tls.verify,
            tls_fingerprint=plan.tls.fingerprint,
        )
        secret = _Secret(plan.credentials or login, query)
        async with self._database.transaction() as connection:
            columns = replace(columns, secret=await self._sealed(connection, camera_id, secret))
            record = await camera_store.insert_camera(connection, camera_id, columns)
            if record is None:
                raise Conflict(f"There is a camera {camera_id} already.", code="camera_exists")
            await add_audit_entry(connection, "camera.add", subject=camera_id, actor=actor)
        return shown(record)

    async def change(self, camera_id: str, change: CameraChange, *, actor: str) -> Camera:
        """Change a camera; its worker begins again within a moment.

        Raises:
            NotFound: there is no such camera.
            InvalidInput: the address may not be read.
        """
        before = await self._record(camera_id)
        kind = change.kind or StreamKind(before.columns.kind)
        bare_url = split_url(change.url)[0] if change.url else before.columns.url
        if change.url or change.kind:
            await self._check(kind, bare_url)
        async with self._database.transaction() as connection:
            held = await camera_store.lock_camera(connection, camera_id)
            if held is None or held.revision != before.revision:
                raise Conflict("The camera was changed by somebody else meanwhile; try again.", code="camera_changed")
            old = held.columns
            columns = replace(
                old,
                name=change.name if change.name is not None else old.name,
                kind=kind.value,
                url=bare_url,
                secret=await self._changed_secret(connection, held, change),
                tasks=tuple(task.value for task in change.tasks) if change.tasks else old.tasks,
                frames_per_second=change.frames_per_second or old.frames_per_second,
                rules=rules_to_json(change.rules) if change.rules else old.rules,
                enabled=old.enabled if change.enabled is None else change.enabled,
                group_name=old.group_name if change.group is None else change.group or None,
                tls_verify=old.tls_verify if change.tls_verify is None else change.tls_verify,
                tls_fingerprint=(
                    old.tls_fingerprint if change.tls_fingerprint is None else change.tls_fingerprint or None
                ),
            )
            record = await camera_store.update_camera(connection, camera_id, columns)
            await add_audit_entry(connection, "camera.change", subject=camera_id, actor=actor)
        return shown(record or held)

    async def remove(self, camera_id: str, *, actor: str) -> None:
        """Forget a camera; its incidents stay.

        Raises:
            NotFound: there is no such camera.
        """
        async with self._database.transaction() as connection:
            if not await camera_store.delete_camera(connection, camera_id):
                raise _unknown(camera_id)
            await add_audit_entry(connection, "camera.remove", subject=camera_id, actor=actor)

    async def get(self, camera_id: str) -> Camera:
        """One camera.

        Raises:
            NotFound: there is no such camera.
        """
        return shown(await self._record(camera_id))

    async def note_look(self, camera_id: str, *, actor: str) -> None:
        """Write who looks through a camera, once in an hour.

        Raises:
            NotFound: there is no such camera.
        """
        await self._record(camera_id)
        async with self._database.transaction() as connection:
            await add_looks(connection, "camera.see", [camera_id], actor=actor)

    async def list_cameras(self, *, after: str, cursor: str | None, limit: int) -> tuple[Slice[Camera], int]:
        """Cameras in the order of their ids from behind ``after`` on, and how many there are in all.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        after = max(after, str(read_cursor(cursor, str)[0])) if cursor else after
        async with self._database.connection() as connection:
            records = await camera_store.list_cameras(connection, after=after, limit=limit + 1)
            total = await camera_store.count_cameras(connection)
        return slice_of([shown(record) for record in records], limit, lambda camera: (camera.id,)), total

    async def rules_of(self, camera_id: str) -> CameraRules | None:
        """The rules of a camera that is registered; None for any other."""
        async with self._database.connection() as connection:
            record = await camera_store.find_camera(connection, camera_id)
        return rules_from_json(record.columns.rules) if record else None

    def source_of(self, record: CameraRecord) -> StreamSource:
        """Where to read a camera, login and all.

        Raises:
            SecretLost: the login can't be read any more.
        """
        secret = self._opened(record)
        parts = urlsplit(record.columns.url)
        url = urlunsplit((parts.scheme, parts.netloc, parts.path, secret.query, ""))
        return StreamSource(StreamKind(record.columns.kind), url, secret.credentials, _trust(record.columns))

    async def _record(self, camera_id: str) -> CameraRecord:
        async with self._database.connection() as connection:
            record = await camera_store.find_camera(connection, camera_id)
        if record is None:
            raise _unknown(camera_id)
        return record

    async def _check(self, kind: StreamKind, url: str) -> None:
        await asyncio.to_thread(self._opener.check, StreamSource(kind, url))

    async def _changed_secret(self, connection: Connection, held: CameraRecord, change: CameraChange) -> bytes | None:
        if not (change.url or change.credentials or change.drops_credentials):
            return held.columns.secret
        try:
            old = self._opened(held)
        except SecretLost:
            old = _Secret(None, "")  # this change is how it is repaired
        login, query = old.credentials, old.query
        if change.url:
            url, given, query = split_url(change.url)
            # A login is for its host; pointing the camera elsewhere must not carry the password along.
            login = given or (login if _host(url) == _host(held.columns.url) else None)
        if change.drops_credentials:
            login = None
        return await self._sealed(connection, held.id, _Secret(change.credentials or login, query))

    async def _sealed(self, connection: Connection, camera_id: str, secret: _Secret) -> bytes | None:
        if secret.credentials is None and not secret.query:
            return None
        login = secret.credentials
        text = json.dumps([login.username if login else None, login.password if login else None, secret.query])
        return self._box.seal(text, owner=camera_id, version=await key_store.sealing_version(connection))

    def _opened(self, record: CameraRecord) -> _Secret:
        if record.columns.secret is None:
            return _Secret(None, "")
        username, password, query = json.loads(self._box.open(record.columns.secret, owner=record.id))
        return _Secret(None if username is None else Credentials(username, password), query)


def shown(record: CameraRecord) -> Camera:
    """What may be told of a camera."""
    columns = record.columns
    return Camera(
        id=record.id,
        name=columns.name,
        kind=StreamKind(columns.kind),
        url=columns.url,
        has_credentials=columns.secret is not None,
        tasks=tuple(Task(task) for task in columns.tasks),
        frames_per_second=columns.frames_per_second,
        rules=rules_from_json(columns.rules),
        enabled=columns.enabled,
        group=columns.group_name,
        tls=_trust(columns),
        armed=record.alarms.armed,
        muted_until=record.alarms.muted_until,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def _trust(columns: CameraColumns) -> TlsTrust:
    return TlsTrust(columns.tls_verify, columns.tls_fingerprint)


def split_url(url: str) -> tuple[str, Credentials | None, str]:
    """A URL without login and query, and those two.

    Raises:
        InvalidInput: it is no URL.
    """
    try:
        parts = urlsplit(url)
        login = Credentials(unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    except ValueError as error:
        raise InvalidInput("The camera's url can't be read.", code="invalid_camera_url") from error
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", parts.fragment))
    return bare, login, parts.query


def _host(url: str) -> str | None:
    return urlsplit(url).hostname


def _unknown(camera_id: str) -> NotFound:
    return NotFound(f"There is no camera {camera_id}.", code="camera_not_found")
