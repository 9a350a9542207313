"""What really is in the backends: tests look there, not at what the API says of itself."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import numpy as np
from minio import Minio
from minio.deleteobjects import DeleteObject
from pymilvus import MilvusClient, MilvusException
from redis import Redis

from app.config import Settings
from app.services.vectors.base import CollectionSpec
from app.services.vectors.milvus import face_schema, image_schema
from app.services.vectors.milvus_settings import GRPC_OPTIONS, MilvusIndexKind
from tests.integration.live import START_TIMEOUT_S, environment
from tests.waiting import PATIENCE_S, wait_until

R = TypeVar("R")

_READS = 5
_NOT_LOADED = 101

PROJECT_DIR = Path(__file__).resolve().parents[2]

_TABLES = (
    "face_consents",
    "face_templates",
    "employee_faces",
    "employees",
    "attendance_marks",
    "attendance_exits",
    "attendance_log",
    "attendance_passes",
    "event_outbox",
    "webhook_dead_letters",
    "webhooks",
    "audit_log",
    "pending_removals",
    "event_tickets",
    "cv_sessions",
    "cv_users",
    "idempotency_keys",
    "liveness_sessions",
    "jobs",
    "job_items",
    "stays",
    "claim_matches",
    "lost_claims",
    "new_finds",
    "image_assets",
    "image_metadata",
    "image_reindex",
    "room_cleanings",
    "room_defects",
    "room_references",
    "room_proofs",
    "room_feedback",
    "room_analysis_details",
    "room_states",
    "room_analysis_logs",
)

_TRIES = 5


class Records:
    """Looks into PostgreSQL and Milvus past the service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database_url = settings.DATABASE_URL.get_secret_value()
        self._redis = Redis.from_url(settings.REDIS_URL.get_secret_value())
        self._milvus = MilvusClient(
            uri=f"http://{settings.MILVUS_HOST}:{settings.MILVUS_PORT}",
            user=settings.MILVUS_USER,
            password=settings.MILVUS_PASSWORD.get_secret_value(),
            timeout=10,
            grpc_options=GRPC_OPTIONS,
        )
        self._objects = Minio(
            settings.MINIO_ENDPOINT,
            access_key=settings.MINIO_ACCESS_KEY.get_secret_value(),
            secret_key=settings.MINIO_SECRET_KEY.get_secret_value(),
            secure=settings.MINIO_SECURE,
        )

    def rows(self, query: str, *args: object) -> list[dict[str, Any]]:
        """The rows of a query."""

        async def fetch() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self._database_url)
            try:
                await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
                return [dict(row) for row in await connection.fetch(query, *args)]
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # tests may run inside an event loop of their own
            for _ in range(_TRIES):
                # Emptying tables takes them in another order than the service, which may be at work on them.
                with suppress(asyncpg.DeadlockDetectedError):
                    return thread.submit(lambda: asyncio.run(fetch())).result()
        raise AssertionError("the tables were locked again and again")

    def count(self, table: str, condition: str = "TRUE") -> int:
        """How many rows of ``table`` meet the condition."""
        return int(self.rows(f"SELECT count(*) AS n FROM {table} WHERE {condition}")[0]["n"])  # noqa: S608

    def events(self, event_type: str) -> list[dict[str, Any]]:
        """The payloads of all events of a type, oldest first."""
        rows = self.rows("SELECT payload FROM event_outbox WHERE event_type = $1 ORDER BY id", event_type)
        return [row["payload"] for row in rows]

    def vectors(self) -> list[str]:
        """The ids of all face vectors in Milvus."""
        return self._vectors_of("face_embeddings")

    def image_vectors(self) -> list[str]:
        """The ids of all image vectors in Milvus."""
        return self._vectors_of("image_embeddings")

    def _vectors_of(self, collection: str) -> list[str]:
        for left in reversed(range(_READS)):
            self._load(collection)
            try:
                found = self._milvus.query(
                    collection, filter="id >= 0", output_fields=["vector_id"], consistency_level="Strong"
                )
                break
            except MilvusException as error:  # a server that has just started may let go of it once more
                if error.code != _NOT_LOADED or not left:
                    raise
        return sorted(row["vector_id"] for row in found)

    def _load(self, collection: str) -> None:
        """After a restart nobody may have done so yet."""
        self._milvus.load_collection(collection, timeout=PATIENCE_S)

    def objects(self, prefix: str) -> list[str]:
        """The keys of all stored objects below a prefix."""
        bucket = self._settings.MINIO_BUCKET
        if not self._objects.bucket_exists(bucket):  # the first picture makes it
            return []
        names = [str(found.object_name) for found in self._objects.list_objects(bucket, prefix, True)]
        # What the S3 server was writing when a test killed it: it shows these files, and they are no objects of ours.
        return sorted(name for name in names if "/.tmp." not in name)

    def make_collection(self, spec: CollectionSpec) -> str:
        """A collection of another model; its name."""
        index = self._milvus.prepare_index_params()
        index.add_index("embedding", **MilvusIndexKind.HNSW.build_params())
        schema = (face_schema if spec.public_name == "face_embeddings" else image_schema)(spec.dimension)
        self._milvus.create_collection(spec.collection, schema=schema, index_params=index)
        return spec.collection

    def serve_image_collection(self, name: str) -> None:
        """Let searches look into that collection."""
        self._milvus.alter_alias(name, "image_embeddings")

    def serve_face_collection(self, name: str) -> None:
        """Let the service's face index be that collection."""
        self._milvus.alter_alias(name, "face_embeddings")

    def face_collection(self) -> str:
        """The collection that is the service's face index."""
        return str(self._milvus.describe_alias("face_embeddings")["collection_name"])

    def drop_collection(self, name: str) -> None:
        """Remove a collection that has no public name."""
        self._milvus.drop_collection(name)

    def insert_plain_vector(self, collection: str, vector_id: str, employee_id: str, vector: bytes) -> None:
        """Put a vector of little-endian float32 into a collection, as releases did that turned none."""
        row = {
            "vector_id": vector_id,
            "employee_id": employee_id,
            "embedding": np.frombuffer(vector, "<f4").tolist(),
            "quality_score": 0.5,
            "enrolled_at": 0,
            "model_id": "test",
        }
        self._milvus.insert(collection, [row])

    def image_collection(self) -> str:
        """The collection that searches look into."""
        return str(self._milvus.describe_alias("image_embeddings")["collection_name"])

    def clear(self) -> None:
        """Forget everybody and everything."""
        self.rows(f"TRUNCATE {', '.join(_TABLES)}")
        self._redis.flushdb()
        for collection in ("face_embeddings", "image_embeddings"):
            if self._milvus.has_collection(collection):
                self._load(collection)
                self._milvus.delete(collection, filter="id >= 0")
        # Or they would be orphans for a later test that reconciles, once they are old enough to count.
        doomed = [DeleteObject(key) for key in self.objects("")]
        assert not list(self._objects.remove_objects(self._settings.MINIO_BUCKET, doomed))

    def insert_vector(self, vector_id: str, employee_id: str) -> None:
        """Put a vector into Milvus that no row knows."""
        row = {
            "vector_id": vector_id,
            "employee_id": employee_id,
            "embedding": [1.0] + [0.0] * 511,
            "quality_score": 0.5,
            "enrolled_at": 0,
            "model_id": "test",
        }
        self._milvus.insert("face_embeddings", [row])

    def delete_vector(self, vector_id: str) -> None:
        """Take a vector out of Milvus behind the service's back."""
        self._delete("face_embeddings", vector_id)

    @contextmanager
    def slowed(self, table: str, *, after: int) -> Iterator[None]:
        """Each row that ``table`` gets takes a while once it has ``after``: a writer can be caught in between."""
        self.rows(
            f"CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608  # constants
            f"IF (SELECT count(*) FROM {table}) >= {after} THEN PERFORM pg_sleep(0.2); END IF; RETURN NEW; END $$"
        )
        self.rows(f"CREATE TRIGGER dawdle BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION dawdle()")
        try:
            yield
        finally:
            self.rows("DROP FUNCTION dawdle CASCADE")  # waits for whoever still writes

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A script on these backends that a test may kill."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROJECT_DIR,
            env=environment(self._settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def run(self, script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts on these backends; ``settings`` win over the service's own."""
        return subprocess.run(
            [sys.executable, script, *arguments],
            cwd=PROJECT_DIR,
            env=environment(self._settings) | settings,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,  # a command gives a backend a minute for each call
            check=False,
        )

    def reconcile(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run scripts/reconcile.py on these backends."""
        return self.run("scripts/reconcile.py", *arguments)

    def delete_image_vector(self, vector_id: str) -> None:
        """Take a picture's vector out of Milvus behind the service's back."""
        self._delete("image_embeddings", vector_id)

    def _delete(self, collection: str, vector_id: str) -> None:
        self._milvus.delete(collection, filter=f'vector_id == "{vector_id}"')
        assert vector_id not in self._vectors_of(collection)  # this read waits until no search finds it any more

    @contextmanager
    def separate_process(self) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
        """The service over these backends in a process of its own, which a test may kill."""
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app_from_env", "--port", str(port)]
        process = subprocess.Popen(command, cwd=PROJECT_DIR, env=environment(self._settings), stdout=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                self.wait_until(lambda: _answers(client), timeout_s=START_TIMEOUT_S)
                yield process, client
        finally:
            process.kill()
            process.wait()

    wait_until = staticmethod(wait_until)

    @staticmethod
    def at_once(count: int, call: Callable[[], R]) -> list[R]:
        """The results of ``count`` calls that run at the same time."""
        with ThreadPoolExecutor(count) as threads:
            return [future.result() for future in [threads.submit(call) for _ in range(count)]]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/v1/cv/health/ready").status_code == 200
    except httpx.HTTPError:
        return False
