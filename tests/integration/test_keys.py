"""API keys: who gets in, with which scope, how keys are made and ended, and what is never written down."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from loguru import logger
from pydantic import SecretStr

from app.services.stores.keys import new_secret
from app.types import Scope
from tests.integration.conftest import Service, Start
from tests.integration.live import PROJECT_DIR, environment
from tests.photos import astronaut, base64_jpeg, coffee

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
ADMIN_KEY = "first-key-of-the-hotel-0123456789abcdef"
ORIGIN = "https://desk.hotel.example"


@pytest.fixture(scope="module")
def log() -> Iterator[list[str]]:
    """Everything that is logged meanwhile, with all its fields."""
    lines: list[str] = []
    sink = logger.add(lines.append, level="TRACE", format="{message} {extra} {exception}", diagnose=False)
    yield lines
    logger.remove(sink)


@pytest.fixture(scope="module")
def service(start_service: Start, log: list[str]) -> Iterator[Service]:
    """A service that asks for keys, the first of which comes from a setting."""
    assert log == []
    with start_service(
        AUTH_REQUIRED=True,
        ADMIN_API_KEY=SecretStr(ADMIN_KEY),
        METRICS_PUBLIC=False,
        CORS_ORIGINS=ORIGIN,
        RATE_LIMIT_PER_MINUTE=0,
    ) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        yield started


def keys(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/keys.py as an operator does."""
    return subprocess.run(
        [sys.executable, "scripts/keys.py", "--by", "test", *arguments],
        cwd=PROJECT_DIR,
        env=environment(service.settings),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def create(service: Service, *scopes: str) -> str:
    options = [part for scope in scopes for part in ("--scope", scope)]
    done = keys(service, "create", "--label", f"key for {' '.join(scopes)}", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def inserted(service: Service, *scopes: str) -> str:
    """A key as ``scripts/keys.py`` would make it, without a process of its own."""
    secret = new_secret()
    service.records.rows(
        "INSERT INTO api_keys (digest, label, scopes) VALUES ($1, $2, $3) RETURNING id",
        hashlib.sha256(secret.encode()).digest(),
        "inserted",
        list(scopes),
    )
    return secret


def get(service: Service, path: str, key: str | None = None, *, bearer: bool = False) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"} if bearer else {"X-API-Key": key}
    return service.client.get(f"{API}{path}", headers=headers)


def test_without_a_key_only_the_probes_answer(service: Service) -> None:
    for path in ("/health", "/health/live", "/health/ready"):
        assert get(service, path).status_code == 200
    for path in ("/models", "/events", "/metrics", "/face/embedding/EMP001"):
        answer = get(service, path)
        assert answer.status_code == 401, path
        assert answer.json()["code"] == "key_missing"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("bearer", [False, True])
def test_the_first_key_comes_from_the_setting_and_may_do_everything(service: Service, bearer: bool) -> None:
    assert get(service, "/models", ADMIN_KEY, bearer=bearer).status_code == 200
    assert get(service, "/face/embedding/EMP001", ADMIN_KEY, bearer=bearer).status_code == 404


@pytest.mark.parametrize("key", ["wrong", "cvk_" + "A" * 43, ADMIN_KEY + "x", ADMIN_KEY[:-1], "khóa"])
def test_an_unknown_key_is_refused(service: Service, key: str) -> None:
    answer = service.client.get(f"{API}/models", headers=[(b"X-API-Key", key.encode())])
    assert answer.status_code == 401


def test_a_key_reaches_what_its_scopes_name_and_no_more(service: Service) -> None:
    key = create(service, "face:manage")
    assert get(service, "/face/embedding/EMP001", key).status_code == 404
    refused = get(service, "/models", key)
    assert refused.status_code == 403
    assert refused.json()["code"] == "scope_missing"
    assert service.client.post(f"{API}/face/recognize", json={}, headers={"X-API-Key": key}).status_code == 403


def operations(service: Service) -> Iterator[tuple[str, str]]:
    """Method and path of everything that the document names, with something in the place of each parameter."""
    for path, methods in service.client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method, re.sub(r"\{\w+\}", "1", path)


FACES_READ = ("recognize", "verify", "identify")
NAMED_OTHERWISE = {"lost-found": "claims", "models": "admin", "users": "admin", "keys": "admin", "settings": "admin"}
OF_EVENTS = {"events", *(scope for scope in Scope if scope.startswith("events:"))}


def scopes_of(method: str, path: str) -> set[str] | None:
    """The scopes each of which opens a path below the API; None: it is open to everybody."""
    part, _, rest = path.removeprefix(f"{API}/").partition("/")
    reads = method == "get" or (part, rest) == ("image", "search")
    match part:
        case "health":
            return None
        case "face":
            recognizes = rest in FACES_READ or rest.startswith("liveness/")
            return {"face:recognize" if recognizes else "face:manage"}
        case "attendance":
            return {"face:recognize" if rest == "check-in" else "face:manage"}
        case "image" | "room" | "cameras":
            return {part, f"{part}:read" if reads else f"{part}:write"}
        case "ocr":
            narrow = {"invoice": {"ocr:invoice"}, "results/export": {"ocr:invoice"}, "id": {"ocr:id"}}
            return {"ocr", *narrow.get(rest, {"ocr:invoice", "ocr:id"})}
        case "events":
            return OF_EVENTS
        case "session" if method == "post" or rest == "ways":
            return None
        case "session":  # whoever has a key may ask who they are
            return set(Scope)
        case "metrics" | "jobs":  # any key's; of jobs only its own
            return set(Scope)
        case _:
            return {"originals" if rest.endswith("/originals") else NAMED_OTHERWISE.get(part, part)}


def test_every_path_opens_to_its_own_scopes_alone(service: Service) -> None:
    by_scope = {scope: inserted(service, scope) for scope in Scope if scope != "admin"}
    opened: set[str] = set()
    asked = 0
    for method, path in operations(service):
        needed = scopes_of(method, path)
        for scope, key in by_scope.items():
            headers = {"X-API-Key": key, "Sec-Fetch-Site": "same-origin"}  # as signing in asks for
            with service.client.stream(method, path, headers=headers) as answer:
                refused = answer.status_code == 403
            assert refused == (needed is not None and scope not in needed), f"{method} {path} with {scope}"
            if not refused and needed is not None and len(needed) < len(Scope):
                opened.add(scope)
            asked += 1
    assert opened == set(by_scope)  # no scope is for nothing
    assert asked > 800


def test_a_key_hears_only_of_what_its_scope_names(service: Service) -> None:
    key = inserted(service, "events:attendance")
    refused = get(service, "/events?type=attendance.events,face.enrolled", key)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    for event_type in ("face.enrolled", "attendance.events", "camera.offline", "attendance.events"):
        service.records.rows(
            "INSERT INTO event_outbox (event_id, event_type, event_key, payload, occurred_at) "
            "VALUES (gen_random_uuid(), $1, 'x', '{}', NOW()) RETURNING id",
            event_type,
        )
    heard = []
    headers = {"X-API-Key": key, "Last-Event-ID": "0"}
    with service.client.stream("GET", f"{API}/events", headers=headers) as stream:
        for line in stream.iter_lines():
            heard += [line.removeprefix("event: ")] if line.startswith("event: ") else []
            if len(heard) == 2:
                break
    assert heard == ["attendance.events", "attendance.events"]


def test_an_operator_sees_keys_and_settings_and_no_secret(service: Service) -> None:
    key = create(service, "ocr:id")
    [newest, *_] = reversed(get(service, "/keys", ADMIN_KEY).json()["items"])
    assert (newest["scopes"], newest["revoked_at"]) == (["ocr:id"], None)
    answer = get(service, "/settings", ADMIN_KEY)
    settings = {one["name"]: one for one in answer.json()["items"]}
    assert (settings["AUTH_REQUIRED"]["value"], settings["AUTH_REQUIRED"]["is_default"]) == ("true", True)
    assert settings["MINIO_ENDPOINT"]["value"] == service.settings.MINIO_ENDPOINT
    secrets = {name: value for name, value in service.settings if isinstance(value, SecretStr)}
    assert {name for name, one in settings.items() if one["value"] is None} == secrets.keys()
    for secret in (key, *(value.get_secret_value() for value in secrets.values())):
        assert not secret or json.dumps(secret) not in answer.text + get(service, "/keys", ADMIN_KEY).text


def test_papers_and_invoices_are_seen_apart(service: Service) -> None:
    seen = {}
    for kind in ("invoice", "passport", "unknown"):
        [row] = service.records.rows(
            "INSERT INTO ocr_results (document_type, extracted_data, confidence) VALUES ($1, '{}', 1) RETURNING id",
            kind,
        )
        for scope in ("ocr", "ocr:invoice", "ocr:id"):
            seen[kind, scope] = get(service, f"/ocr/results/{row['id']}", inserted(service, scope)).status_code
    assert {pair for pair, status in seen.items() if status == 200} == {
        ("invoice", "ocr"),
        ("invoice", "ocr:invoice"),
        ("passport", "ocr"),
        ("passport", "ocr:id"),
        ("unknown", "ocr"),
        ("unknown", "ocr:id"),
    }
    assert set(seen.values()) == {200, 404}


def test_without_a_key_nothing_is_read_but_the_probes(service: Service) -> None:
    """No body either: who may not ask, shall not make us read."""
    for method, path in operations(service):
        if scopes_of(method, path) is not None:
            answer = service.client.request(method, path, content=b"{", headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (401, "key_missing"), f"{method} {path}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ADMIN_KEY},
        {"Authorization": f"Basic {ADMIN_KEY}"},
        {"X-API-Key": ""},
        {"X-API-Key": ADMIN_KEY.upper()},
        {"X-API-Key": hashlib.sha256(ADMIN_KEY.encode()).hexdigest()},
        {"X-API-Key": "a" * 60_000},
        {"X-API-Key": "wrong", "Authorization": f"Bearer {ADMIN_KEY}"},
        {"Cookie": f"X-API-Key={ADMIN_KEY}"},
    ],
)
def test_a_key_counts_only_where_it_belongs(service: Service, headers: dict[str, str]) -> None:
    assert service.client.get(f"{API}/models", headers=headers).status_code == 401
    in_query = {"X-API-Key": ADMIN_KEY, "api_key": ADMIN_KEY, "access_token": ADMIN_KEY}
    assert service.client.get(f"{API}/models", headers=headers, params=in_query).status_code == 401


def test_no_redirect_takes_a_key_elsewhere(service: Service) -> None:
    answer = get(service, "/models/", ADMIN_KEY)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_key_without_scopes_reads_metrics_and_nothing_else(service: Service) -> None:
    key = create(service)
    assert "cv_http_requests_total" in get(service, "/metrics", key, bearer=True).text
    assert get(service, "/models", key).status_code == 403


def test_a_revoked_key_ends_within_seconds(service: Service) -> None:
    key = create(service, "admin")
    assert get(service, "/models", key).status_code == 200
    [row] = service.records.rows("SELECT id FROM api_keys ORDER BY id DESC LIMIT 1")
    assert keys(service, "revoke", str(row["id"])).returncode == 0
    service.records.wait_until(lambda: get(service, "/models", key).status_code == 401)
    again = keys(service, "revoke", str(row["id"]))
    assert again.returncode == 2
    assert "no key" in again.stderr


def open_stream(service: Service, ticket: str) -> int:
    address = f"{API}/events"
    with service.client.stream("GET", address, params={"ticket": ticket, "after": "0"}, timeout=10) as stream:
        return stream.status_code


def test_a_ticket_opens_the_stream_once_within_a_minute(service: Service) -> None:
    def ticket() -> str:
        answer = service.client.post(f"{API}/events/ticket", headers={"X-API-Key": inserted(service, "events")})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["ticket"])

    first, late = ticket(), ticket()
    stored = repr(service.records.rows("SELECT * FROM event_tickets"))
    assert first not in stored
    assert [open_stream(service, first) for _ in range(2)] == [200, 401]
    assert open_stream(service, "cvt_nonsense") == 401
    service.records.rows("UPDATE event_tickets SET expires_at = NOW() - INTERVAL '1 second'")
    assert open_stream(service, late) == 401


def test_a_ticket_is_as_good_as_its_key(service: Service) -> None:
    other = inserted(service, "room")
    assert service.client.post(f"{API}/events/ticket", headers={"X-API-Key": other}).status_code == 403
    key = inserted(service, "events")
    ticket = service.client.post(f"{API}/events/ticket", headers={"X-API-Key": key}).json()["ticket"]
    service.records.rows("UPDATE api_keys SET revoked_at = NOW() WHERE 'events' = ANY(scopes)")
    assert open_stream(service, ticket) == 401


def test_a_stream_ends_with_its_key(service: Service) -> None:
    key = inserted(service, "events")
    digest = hashlib.sha256(key.encode()).digest()
    headers = {"X-API-Key": key}
    with service.client.stream("GET", f"{API}/events", headers=headers, timeout=httpx.Timeout(30)) as stream:
        assert stream.status_code == 200
        service.records.rows("UPDATE api_keys SET revoked_at = NOW() WHERE digest = $1 RETURNING id", digest)
        began_s = time.monotonic()
        assert not [line for line in stream.iter_lines() if line.startswith("data")]
        assert time.monotonic() - began_s < 25


def test_only_hashes_are_stored(service: Service) -> None:
    key = create(service, "events")
    stored = service.records.rows("SELECT * FROM api_keys")
    assert hashlib.sha256(key.encode()).digest() in [bytes(row["digest"]) for row in stored]
    assert hashlib.sha256(ADMIN_KEY.encode()).digest() in [bytes(row["digest"]) for row in stored]
    assert key not in str(stored)
    assert ADMIN_KEY not in str(stored)


def test_the_list_shows_use_and_no_secret(service: Service) -> None:
    key = create(service, "image", "ocr")
    get(service, "/models", ADMIN_KEY)
    listed = keys(service, "list").stdout
    assert "image,ocr" in listed
    assert key not in listed
    [admin_line] = [line for line in listed.splitlines() if line.endswith("  admin")]
    assert "never" not in admin_line
    [row] = service.records.rows("SELECT last_used_at FROM api_keys WHERE label = 'admin'")
    assert row["last_used_at"] is not None


def test_making_and_ending_keys_is_audited(service: Service) -> None:
    create(service, "room")
    [row] = service.records.rows("SELECT id FROM api_keys ORDER BY id DESC LIMIT 1")
    keys(service, "revoke", str(row["id"]))
    entries = service.records.rows("SELECT action, actor FROM audit_log WHERE subject = $1 ORDER BY id", str(row["id"]))
    assert [(entry["action"], entry["actor"]) for entry in entries] == [("key.create", "test"), ("key.revoke", "test")]


def test_the_first_key_is_audited(service: Service) -> None:
    [entry] = service.records.rows("SELECT subject FROM audit_log WHERE actor = 'ADMIN_API_KEY'")
    [key] = service.records.rows("SELECT id FROM api_keys WHERE label = 'admin'")
    assert entry["subject"] == str(key["id"])


def deeds_of(service: Service, key: str) -> list[tuple[str, str]]:
    """What was done with a key, as the audit has it: action and actor."""
    rows = service.records.rows(
        "SELECT action, actor FROM audit_log AS entry JOIN api_keys AS key ON key.id = key_id "
        "WHERE digest = $1 ORDER BY entry.id",
        hashlib.sha256(key.encode()).digest(),
    )
    return [(row["action"], row["actor"]) for row in rows]


def test_the_audit_names_the_key_whatever_the_request_says_of_its_sender(service: Service) -> None:
    key = inserted(service, "face:manage", "image", "room")
    face, cup = base64_jpeg(astronaut()), base64_jpeg(coffee())
    sent = {
        "/face/enroll": {"employee_id": "EMP001", "images": [face], "enrolled_by": "EMP777"},
        "/image/index": {"image": cup, "metadata": {"category": "lost_found", "photographer": "EMP777"}},
        "/room/analyze": {"image": cup, "room_number": "201", "analyzed_by": "EMP777"},
    }
    for path, body in sent.items():
        answer = service.client.post(f"{API}{path}", json=body, headers={"X-API-Key": key})
        assert answer.status_code == 200, answer.text
    assert deeds_of(service, key) == [
        ("face.enroll", "EMP777"),
        ("image.index", "EMP777"),
        ("room.analyze", "EMP777"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--label", "x", "--scope", "everything"],
        ["create", "--label", ""],
        ["create"],
        ["revoke", "x"],
        ["revoke", "99999999999999999999"],
        [],
    ],
)
def test_a_wrong_command_line_is_refused(service: Service, arguments: list[str]) -> None:
    before = service.records.count("api_keys")
    done = keys(service, *arguments)
    assert done.returncode == 2
    assert "Usage" in done.stderr
    assert service.records.count("api_keys") == before


def test_keys_reach_no_log(service: Service, log: list[str]) -> None:
    key = create(service, "face:recognize")
    get(service, "/models", key)
    get(service, "/models", ADMIN_KEY, bearer=True)
    get(service, "/models", "unknown-" + key)
    written = "".join(log)
    assert "/models" in written
    assert key not in written
    assert ADMIN_KEY not in written


def test_listed_origins_may_call_from_a_browser_and_others_not(service: Service) -> None:
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
    allowed = service.client.options(f"{API}/face/recognize", headers={**headers, "Origin": ORIGIN})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    other = service.client.options(f"{API}/face/recognize", headers={**headers, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_answers_carry_security_headers(service: Service) -> None:
    headers = get(service, "/health").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    page = service.client.get("/docs").headers["content-security-policy"]
    assert "default-src 'self'" in page


def test_the_document_shows_how_to_present_a_key(service: Service) -> None:
    document = service.client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"] == {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key"},
        "Bearer": {"type": "http", "scheme": "bearer", "description": "The same API key"},
        "Session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "cv_session",
            "description": "Set by `POST /session`; counts in requests of our own pages alone",
        },
    }
    operation = document["paths"][f"{API}/models"]["get"]
    assert operation["security"] == [{"ApiKey": []}, {"Bearer": []}, {"Session": []}]
    assert {"401", "403"} <= set(operation["responses"])
    assert document["paths"][f"{API}/health"]["get"]["security"] == []
