"""Objects in MinIO or any S3. The client is synchronous, so it has threads of its own."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import ParamSpec, TypeVar

import urllib3
from minio import Minio
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error

from app.errors import BackendUnavailable, NotAllRemoved, NotFound
from app.services.calls import backend_call

BACKEND = "storage"

# The bucket is made by the first write, so before that nothing is there, and that is no failure.
_ABSENT = ("NoSuchKey", "NoSuchBucket")
_PROBE_KEY = "health/probe"
_BYTES = "application/octet-stream"
_DELETED_AT_ONCE = 500  # S3 takes a thousand
_LISTED_AT_ONCE = 1000  # what S3 answers in one page

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes, and the media type that browsers are told."""

    data: bytes
    content_type: str


class ObjectStorage:
    """One bucket.

    Args:
        endpoint: ``host:port``, without a scheme.
        public_endpoint: ``scheme://host[:port]`` that browsers reach; presigned URLs are signed for it. Empty: the
            endpoint itself.
        timeout_s: limit of one call; a read or write that takes longer is a failure.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        access_key: str,
        secret_key: str,
        bucket: str,
        secure: bool,
        region: str,
        timeout_s: float,
        public_endpoint: str = "",
    ) -> None:
        self.bucket = bucket
        self._timeout_s = timeout_s
        # No retries inside the client: a caller's time limit covers the whole call, and writes retry one level up.
        pool = urllib3.PoolManager(
            num_pools=4, maxsize=16, timeout=urllib3.Timeout(connect=min(timeout_s, 2.0), read=timeout_s), retries=False
        )
        self._client = Minio(
            endpoint, access_key=access_key, secret_key=secret_key, secure=secure, region=region, http_client=pool
        )
        self._signer = self._client
        if public_endpoint:
            scheme, _, host = public_endpoint.partition("://")
            self._signer = Minio(
                host.rstrip("/"), access_key=access_key, secret_key=secret_key, secure=scheme == "https", region=region
            )
        self._pool = pool
        self._address = f"{'https' if secure else 'http'}://{endpoint}/"
        self._bucket_ready = False
        self._write_failed = False
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="storage")

    async def _call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        failures = (MinioException, urllib3.exceptions.HTTPError)
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=failures):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))

    async def ensure_bucket(self) -> None:
        """Create the bucket unless it exists."""

        def ensure() -> None:
            if self._client.bucket_exists(self.bucket):
                return
            try:
                self._client.make_bucket(self.bucket)
            except S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):  # another replica was first
                    raise

        await self._call(ensure)

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Write an object, replacing one of that key; the first write also makes the bucket."""
        try:
            if not self._bucket_ready:
                await self.ensure_bucket()
                self._bucket_ready = True
            await self._call(
                self._client.put_object, self.bucket, key, io.BytesIO(data), len(data), content_type=content_type
            )
        except BackendUnavailable:
            self._write_failed = True
            raise
        self._write_failed = False

    async def get(self, key: str, *, first_bytes: int = 0) -> bytes:
        """The object's bytes; only so many of the first ones where ``first_bytes`` says so.

        Raises:
            NotFound: no object has that key.
            BackendUnavailable: the store does not answer.
        """
        return (await self.fetch(key, first_bytes=first_bytes)).data

    async def fetch(self, key: str, *, first_bytes: int = 0) -> StoredObject:
        """As ``get``, with the type that it was stored under."""

        def read() -> StoredObject | None:
            try:
                response = self._client.get_object(self.bucket, key, length=first_bytes)
            except S3Error as error:
                if error.code in _ABSENT:
                    return None
                raise
            try:
                return StoredObject(response.read(), response.headers.get("content-type", _BYTES))
            finally:
                response.close()
                response.release_conn()

        found = await self._call(read)
        if found is None:
            raise NotFound("No such object is stored.", code="object_not_found")
        return found

    async def delete(self, key: str) -> None:
        """Remove an object; one that does not exist is no error."""

        def remove() -> None:
            try:
                self._client.remove_object(self.bucket, key)
            except S3Error as error:
                if error.code not in _ABSENT:
                    raise

        await self._call(remove)

    async def delete_all(self, keys: Sequence[str]) -> None:
        """Remove several objects, hundreds in one call; those that do not exist are no error.

        Raises:
            NotAllRemoved: the store refused to remove some.
        """
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            await self._delete_at_once(keys[start : start + _DELETED_AT_ONCE])

    async def _delete_at_once(self, keys: Sequence[str]) -> None:
        def remove() -> list[str]:
            try:
                errors = list(self._client.remove_objects(self.bucket, [DeleteObject(key) for key in keys]))
            except S3Error as error:
                if error.code not in _ABSENT:
                    raise
                return []
            return [str(error.name) for error in errors if error.code not in _ABSENT]

        if left := await self._call(remove):
            raise NotAllRemoved(BACKEND, left)

    async def list_keys(self, prefix: str, *, min_age: timedelta = timedelta(0)) -> list[str]:
        """All keys that begin with ``prefix``, of objects that were written ``min_age`` ago or earlier."""
        newest = datetime.now(UTC) - min_age
        listing = iter(self._client.list_objects(self.bucket, prefix=prefix, recursive=True))

        def next_page() -> list[Object]:
            try:
                return list(itertools.islice(listing, _LISTED_AT_ONCE))
            except S3Error as error:
                if error.code not in _ABSENT:
                    raise
                return []

        keys: list[str] = []
        while page := await self._call(next_page):  # the time limit is one page's, however full the bucket
            keys += [
                found.object_name
                for found in page
                if found.object_name and (found.last_modified is None or found.last_modified <= newest)
            ]
        return keys

    def presigned_url(self, key: str, *, lifetime_s: int) -> str:
        """A GET address that works without credentials for ``lifetime_s`` (1 to 604 800). Computed, not fetched."""
        return self._signer.presigned_get_object(self.bucket, key, expires=timedelta(seconds=lifetime_s))

    def url(self, key: str) -> str:
        """The object's address without a signature: the stable value for the spec's ``storage_url`` columns."""
        return f"s3://{self.bucket}/{key}"

    async def ping(self) -> None:
        """Raises BackendUnavailable unless the store answers for our bucket's name and, after a write that failed,
        takes another: a store whose disk is full still reads."""
        await self._call(self._client.bucket_exists, self.bucket)
        if self._write_failed:
            await self.probe()

    async def probe(self) -> None:
        """Write an object and remove it. Raises BackendUnavailable where the store does not take it."""
        await self.put(_PROBE_KEY, b"", content_type=_BYTES)
        await self.delete(_PROBE_KEY)

    async def server_time(self) -> datetime | None:
        """The store's clock, to the second; None where its answers bear no date."""

        def ask() -> str | None:
            return self._pool.request("HEAD", self._address).headers.get("date")

        date = await self._call(ask)
        return None if date is None else parsedate_to_datetime(date).astimezone(UTC)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.clear()
