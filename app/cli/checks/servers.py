"""Checks of the backends: whether each does what requests need, whether it fits, and what its clock says."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from app.cli.checks.machine import expiry
from app.cli.checks.result import CheckResult, ok, warning, wrong
from app.composition.backends import Backends, open_backends
from app.config import Settings
from app.errors import BackendUnavailable, ConfigurationError, DiskFull, SchemaMissing, VisionError
from app.services.stores import key_store, schema

_TIMEOUT_S = 15.0  # of one check, all its calls together
_OFF, _FAR_OFF = timedelta(seconds=2), timedelta(minutes=1)
_OLDEST_POSTGRESQL = 14  # from which on the server ends sessions of a frozen process
_SPARE_CONNECTIONS = 10  # listeners, leases and tools

_HOW_TO_REACH = {
    "database": "DATABASE_URL",
    "vector_db": "MILVUS_URI or MILVUS_HOST and MILVUS_PORT, or QDRANT_URL",
    "redis": "REDIS_URL",
    "storage": "MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY",
    "message_queue": "RABBITMQ_URL",
    "mqtt": "MQTT_URL and MQTT_CA_FILE",
}
_DEFAULT_PORTS = {"https": 443, "rediss": 6379, "amqps": 5671, "mqtts": 8883}


async def look_at_servers(settings: Settings) -> list[CheckResult]:
    """Every check, all at once; one that hangs is a finding of its own."""
    async with _quietly_closed(settings) as backends:
        checks: list[tuple[str, Coroutine[None, None, list[CheckResult]]]] = [
            *(("backends", reach(name, ping)) for name, ping in backends.pings().items()),
            ("database", database_facts(backends, settings)),
            ("master keys", keys_of_the_data(backends)),
            ("object store", writes_and_clock(backends)),
            ("vector index", collections(backends)),
            *(
                ("certificates", server_certificate(name, *place, ca_file=_signers(name, settings)))
                for name, place in tls_endpoints(settings).items()
            ),
        ]
        found = await asyncio.gather(*(_bounded(check, look) for check, look in checks))
    return [finding for part in found for finding in part]


@asynccontextmanager
async def _quietly_closed(settings: Settings) -> AsyncIterator[Backends]:
    stack = AsyncExitStack()
    try:
        yield await open_backends(stack, settings)
    finally:
        with suppress(BackendUnavailable):  # what is down has been told
            await stack.aclose()


async def _bounded(check: str, look: Coroutine[None, None, list[CheckResult]]) -> list[CheckResult]:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await look
    except TimeoutError:
        return [wrong(check, f"no answer within {_TIMEOUT_S:.0f} s", "Is the server overloaded? See its log.")]
    except (BackendUnavailable, SchemaMissing):
        return []  # told by a line of its own
    except VisionError as error:
        return [wrong(check, error.message, "See the other lines.")]


async def reach(name: str, ping: Callable[[], Awaitable[None]]) -> list[CheckResult]:
    """What /health would say of a backend."""
    try:
        await ping()
    except SchemaMissing:
        return [wrong("migrations", "the tables are missing, or those of an older version", "cv migrate")]
    except DiskFull as error:
        return [wrong("backends", f"{name}: {error.message}", "Make room on the server's disk.")]
    except BackendUnavailable as error:
        why = f" ({type(error.__cause__).__name__}: {error.__cause__})" if error.__cause__ else ""
        return [wrong("backends", f"{name} does not answer{why}", f"Start it, or correct {_HOW_TO_REACH[name]}.")]
    except VisionError as error:
        return [wrong("backends", f"{name}: {error.message}", "Do what it says.")]
    return [ok("backends", f"{name} answers")]


async def database_facts(backends: Backends, settings: Settings) -> list[CheckResult]:
    """PostgreSQL's version, encoding, connections and clock."""
    async with backends.database.connection() as connection:
        facts = await schema.server_facts(connection)
    found = [
        clock("PostgreSQL", facts.now),
        ok("database", f"PostgreSQL {facts.version}")
        if facts.version >= _OLDEST_POSTGRESQL
        else warning(
            "database",
            f"PostgreSQL {facts.version} keeps the locks of a frozen process",
            f"Upgrade to {_OLDEST_POSTGRESQL} or later.",
        ),
    ]
    if facts.encoding != "UTF8":
        advice = "Make the database with ENCODING 'UTF8'."
        found.append(wrong("database", f"its encoding is {facts.encoding}: names can't be stored", advice))
    wanted = settings.POSTGRES_POOL_SIZE + settings.POSTGRES_MAX_OVERFLOW + _SPARE_CONNECTIONS
    if wanted > facts.max_connections:
        problem = f"one replica may want {wanted} connections, PostgreSQL has {facts.max_connections}"
        found.append(warning("database", problem, "Raise max_connections, or lower POSTGRES_POOL_SIZE."))
    return found


async def keys_of_the_data(backends: Backends) -> list[CheckResult]:
    """Whether the master keys are those of what is stored."""
    try:
        async with backends.database.connection() as connection:
            await key_store.require_keys(connection)
            plain = await key_store.count_plain(connection)
    except ConfigurationError as error:
        return [wrong("master keys", error.message, "Bring that key back: docs/operations.md, Master keys.")]
    if plain:
        return [warning("master keys", f"{plain} rows are not encrypted yet", "cv rotate-key")]
    return [ok("master keys", "open what is stored")]


async def writes_and_clock(backends: Backends) -> list[CheckResult]:
    """Whether the object store takes a write, and what its clock says: it refuses signatures of another time."""
    moment = await backends.storage.server_time()
    found = [] if moment is None else [clock("the object store", moment)]
    try:
        await backends.storage.probe()
    except BackendUnavailable as error:
        why = getattr(error.__cause__, "code", None) or type(error.__cause__).__name__
        return [*found, wrong("object store", f"takes no write ({why})", "Room, keys and rights of MINIO_ACCESS_KEY?")]
    return [*found, ok("object store", f"bucket {backends.storage.bucket} takes writes")]


async def collections(backends: Backends) -> list[CheckResult]:
    """Whether the vectors are of the models that are loaded."""
    found = []
    for index in backends.vectors.indexes:
        name = index.spec.public_name
        current = await index.current_collection()
        try:
            index.spec.refuse_other(current)
        except ConfigurationError as error:
            found.append(wrong("vector index", error.message, f"cv reindex --collection {name}, or the old MODEL_PACK"))
            continue
        found.append(
            ok("vector index", f"{name} -> {current}")
            if current
            else warning("vector index", f"{name} is not there yet", "cv migrate; cv reconcile --mend fills it")
        )
    return found


def clock(whose: str, theirs: datetime) -> CheckResult:
    """Whether a server's clock is ours; a second is what HTTP's dates can show."""
    ahead = theirs - datetime.now(UTC)
    problem = f"{whose}'s is {abs(ahead).total_seconds():.0f} s {'ahead' if ahead > timedelta(0) else 'behind'}"
    advice = "Let both machines follow one NTP server (timedatectl set-ntp true)."
    if abs(ahead) > _FAR_OFF:
        return wrong("clocks", problem, advice)
    return warning("clocks", problem, advice) if abs(ahead) > _OFF else ok("clocks", f"{whose}'s is ours")


def tls_endpoints(settings: Settings) -> Mapping[str, tuple[str, int]]:
    """Host and port of every server that is reached by TLS, by the setting that names it."""
    addresses = {
        "REDIS_URL": settings.REDIS_URL.get_secret_value(),
        "RABBITMQ_URL": settings.RABBITMQ_URL.get_secret_value(),
        "MQTT_URL": settings.MQTT_URL.get_secret_value(),
        "STORAGE_PUBLIC_ENDPOINT": settings.STORAGE_PUBLIC_ENDPOINT,
        "OTEL_EXPORTER_OTLP_ENDPOINT": settings.OTEL_EXPORTER_OTLP_ENDPOINT,
        "OIDC_ISSUER": settings.OIDC_ISSUER,
    }
    if settings.VECTOR_DB == "qdrant":
        addresses["QDRANT_URL"] = settings.QDRANT_URL
    else:
        addresses["MILVUS_URI"] = settings.MILVUS_URI
    if settings.MINIO_SECURE:
        addresses["MINIO_ENDPOINT"] = f"https://{settings.MINIO_ENDPOINT}"
    parts = {name: urlsplit(address) for name, address in addresses.items()}
    return {
        name: (part.hostname, part.port or _DEFAULT_PORTS[part.scheme])
        for name, part in parts.items()
        if part.scheme in _DEFAULT_PORTS and part.hostname
    }


def _signers(name: str, settings: Settings) -> Path | None:
    """Who may vouch for the server of that setting; None: whom this machine trusts."""
    return settings.MQTT_CA_FILE if name == "MQTT_URL" else None


async def server_certificate(name: str, host: str, port: int, *, ca_file: Path | None = None) -> list[CheckResult]:
    """Whether a server's certificate is trusted here, and for how long."""
    try:
        der = await asyncio.to_thread(_certificate, host, port, ca_file)
    except ssl.SSLCertVerificationError as error:
        problem = f"{name}: {host}:{port}: {error.verify_message}"
        return [wrong("certificates", problem, "Renew it, or trust its issuer (SSL_CERT_FILE).")]
    except (OSError, ssl.SSLError) as error:
        return [wrong("certificates", f"{name}: {host}:{port}: no TLS ({error})", f"Start it, or correct {name}.")]
    return [expiry(f"{name}: {host}", x509.load_der_x509_certificate(der), renew="Renew it.")]


def _certificate(host: str, port: int, ca_file: Path | None) -> bytes:
    context = ssl.create_default_context(cafile=ca_file)
    with (
        socket.create_connection((host, port), timeout=_TIMEOUT_S / 3) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""
