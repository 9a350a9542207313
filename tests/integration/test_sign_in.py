"""People and devices that sign in: what opens, from where, for how long, and what the audit says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from tests.integration.conftest import Service, Start
from tests.integration.live import PROJECT_DIR, environment
from tests.photos import astronaut, base64_jpeg

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
KEY = "first-key-of-the-hotel-0123456789abcdef"
PASSWORD = "mùa thu Hà Nội 1975"
ADMIN = {"X-API-Key": KEY}


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    with start_service(AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY), SIGN_INS_PER_MINUTE=0) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        for name, role in (("lan", "personnel"), ("hoa", "front_desk")):
            add(started, name, role)
        yield started


@pytest.fixture
def browser(service: Service) -> Iterator[httpx.Client]:
    """As a page of ours in a browser: it keeps cookies, and says where its requests come from."""
    address = str(service.client.base_url)
    with httpx.Client(base_url=f"{address}{API}/", headers={"Origin": address.rstrip("/")}, timeout=30) as client:
        yield client


def add(service: Service, name: str, *roles: str) -> httpx.Response:
    body = {"name": name, "password": PASSWORD, "roles": list(roles)}
    answer = service.client.post(f"{API}/users", json=body, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    return answer


def sign_in(browser: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return browser.post("session", json={"name": name, "password": password})


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_person_signs_in_and_has_the_scopes_of_their_roles(browser: httpx.Client) -> None:
    assert refused(browser.get("session")) == (401, "key_missing")
    answer = sign_in(browser, "lan")
    assert answer.status_code == 200, answer.text
    assert answer.json() == browser.get("session").json()
    assert answer.json() == {
        "name": "lan",
        "kind": "person",
        "has_password": True,
        "roles": ["personnel"],
        "scopes": ["face:recognize", "face:manage", "events:attendance", "privacy"],
        "time_zone": "Asia/Ho_Chi_Minh",
        "idle_min": 30,
    }
    assert browser.get("face/people").status_code == 200
    assert refused(browser.get("lost-found/claims")) == (403, "scope_missing")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(service: Service, browser: httpx.Client) -> None:
    cookie = sign_in(browser, "lan").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # over plain http it would not come back
    host = service.client.base_url.netloc.decode()
    behind_tls = browser.post(
        "session", json={"name": "lan", "password": PASSWORD}, headers={"Origin": f"https://{host}"}
    )
    assert "Secure" in behind_tls.headers["set-cookie"]
    stored = repr(service.records.rows("SELECT * FROM cv_sessions"))
    assert browser.cookies["cv_session"] not in stored


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_can_neither_use_a_session_nor_begin_one(browser: httpx.Client, headers: dict[str, str]) -> None:
    sign_in(browser, "lan")
    assert refused(browser.get("face/people", headers=headers)) == (403, "origin_refused")
    assert refused(browser.delete("face/EMP001", headers=headers)) == (403, "origin_refused")
    body = {"name": "hoa", "password": PASSWORD}
    assert refused(browser.post("session", json=body, headers=headers)) == (403, "origin_refused")


def test_a_change_by_cookie_says_where_it_comes_from(browser: httpx.Client) -> None:
    sign_in(browser, "lan")
    del browser.headers["Origin"]
    assert browser.get("face/people").status_code == 200
    assert refused(browser.delete("face/EMP001")) == (403, "origin_refused")
    assert browser.delete("face/EMP001", headers={"Sec-Fetch-Site": "same-origin"}).status_code != 403


def test_a_session_is_no_key_and_a_key_is_no_session(service: Service, browser: httpx.Client) -> None:
    sign_in(browser, "lan")
    session = browser.cookies["cv_session"]
    for headers in ({"X-API-Key": session}, {"Authorization": f"Bearer {session}"}, {"Cookie": f"cv_session={KEY}"}):
        assert service.client.get(f"{API}/face/people", headers=headers).status_code == 401, headers


@pytest.mark.parametrize(
    ("name", "password"),
    [("lan", "not her password"), ("nobody", PASSWORD), ("lan", PASSWORD + " "), ("lan", PASSWORD.upper())],
)
def test_a_wrong_password_and_an_unknown_name_are_answered_alike(
    browser: httpx.Client, name: str, password: str
) -> None:
    answer = sign_in(browser, name, password)
    assert refused(answer) == (401, "sign_in_refused")
    assert answer.json()["detail"] == sign_in(browser, "lan", "wrong as well").json()["detail"]
    assert "set-cookie" not in answer.headers


def test_a_letter_written_in_two_code_points_is_the_same_letter(browser: httpx.Client) -> None:
    assert sign_in(browser, "lan", PASSWORD.replace("ù", "u\u0300")).status_code == 200


def test_a_refused_try_is_audited_where_the_name_is_known_and_nowhere_else(
    service: Service, browser: httpx.Client
) -> None:
    sign_in(browser, "hoa", "wrong password")
    sign_in(browser, "secretword", "hoa")
    [entry] = service.records.rows(
        "SELECT subject, actor FROM audit_log WHERE action = 'session.refuse' ORDER BY id DESC LIMIT 1"
    )
    assert (entry["subject"], entry["actor"]) == ("hoa", None)
    assert "secretword" not in repr(service.records.rows("SELECT * FROM audit_log"))


def test_the_audit_names_the_person_who_acts(service: Service, browser: httpx.Client) -> None:
    sign_in(browser, "lan")
    body = {"employee_id": "EMP042", "images": [base64_jpeg(astronaut())], "enrolled_by": "somebody"}
    assert browser.post("face/enroll", json=body).status_code == 200
    entries = service.records.rows(
        "SELECT label, action FROM audit_log JOIN api_keys ON api_keys.id = key_id WHERE subject IN ('EMP042', 'lan') "
        "AND label = 'lan' ORDER BY audit_log.id DESC LIMIT 2"
    )
    assert [entry["action"] for entry in entries] == ["face.enroll", "session.begin"]


def test_a_key_is_exchanged_for_a_session_with_its_scopes(service: Service, browser: httpx.Client) -> None:
    answer = browser.post("session", json={"api_key": KEY})
    assert (answer.json()["kind"], answer.json()["name"]) == ("key", "admin")
    assert browser.get("users").status_code == 200
    assert KEY not in repr(dict(browser.cookies))
    assert refused(browser.post("session", json={"api_key": KEY + "x"})) == (401, "sign_in_refused")
    [session] = service.records.rows("SELECT count(*) FROM cv_sessions WHERE ends_at IS NULL")
    assert session["count"] > 0  # a kiosk's lasts while it is used


def test_signing_out_ends_the_session_at_once(browser: httpx.Client) -> None:
    sign_in(browser, "lan")
    session = browser.cookies["cv_session"]
    assert browser.delete("session").json() == {"ended": True}
    assert "cv_session" not in browser.cookies
    again = browser.get("session", headers={"Cookie": f"cv_session={session}"})
    assert refused(again) == (401, "session_ended")


@pytest.mark.parametrize(
    "grow_old",
    [
        "UPDATE cv_sessions SET seen_at = NOW() - INTERVAL '31 minutes' RETURNING key_id",
        "UPDATE cv_sessions SET ends_at = NOW() RETURNING key_id",
    ],
)
def test_an_idle_session_and_an_old_one_have_ended(service: Service, browser: httpx.Client, grow_old: str) -> None:
    sign_in(browser, "hoa")
    service.records.rows(grow_old)
    service.records.wait_until(lambda: browser.get("session").status_code == 401)


def test_a_session_in_use_does_not_grow_old(service: Service, browser: httpx.Client) -> None:
    sign_in(browser, "hoa")
    service.records.rows("UPDATE cv_sessions SET seen_at = NOW() - INTERVAL '10 minutes' RETURNING key_id")

    def seconds() -> float:
        assert browser.get("session").status_code == 200
        [row] = service.records.rows("SELECT extract(epoch FROM NOW() - max(seen_at)) AS age FROM cv_sessions")
        return float(row["age"])

    service.records.wait_until(lambda: seconds() < 60)


def test_another_password_ends_every_other_session(service: Service, browser: httpx.Client) -> None:
    add(service, "minh", "security")
    sign_in(browser, "minh")
    other = browser.cookies["cv_session"]
    browser.cookies.clear()
    sign_in(browser, "minh")
    bodies = {"password": "wrong password", "new_password": "another password"}
    assert refused(browser.put("session/password", json=bodies)) == (401, "sign_in_refused")
    assert browser.put("session/password", json=bodies | {"password": PASSWORD}).status_code == 200
    assert browser.get("session").status_code == 200
    service.records.wait_until(
        lambda: service.client.get(f"{API}/session", headers={"Cookie": f"cv_session={other}"}).status_code == 401
    )
    assert sign_in(browser, "minh").status_code == 401
    assert sign_in(browser, "minh", "another password").status_code == 200


def test_other_roles_count_within_seconds_and_who_has_left_is_out(service: Service, browser: httpx.Client) -> None:
    add(service, "tuan", "accounting")
    sign_in(browser, "tuan")
    assert browser.get("ocr/results", params={"document_type": "invoice"}).status_code == 200
    service.client.patch(f"{API}/users/tuan", json={"roles": ["housekeeping"]}, headers=ADMIN)
    service.records.wait_until(lambda: browser.get("room/status").status_code == 200)
    assert browser.get("ocr/results").status_code == 403
    assert service.client.delete(f"{API}/users/tuan", headers=ADMIN).json() == {"name": "tuan", "deleted": True}
    service.records.wait_until(lambda: browser.get("room/status").status_code == 401)
    assert refused(sign_in(browser, "tuan")) == (401, "sign_in_refused")
    assert service.client.get(f"{API}/users/tuan", headers=ADMIN).status_code == 404
    [old] = service.records.rows("SELECT key_id FROM cv_users WHERE name = 'tuan' AND ended_at IS NOT NULL")
    assert (
        add(service, "tuan", "kiosk").json()["key_id"] != old["key_id"]
    )  # the name is free again, and stands for somebody else in the audit


def test_a_name_is_one_persons(service: Service) -> None:
    body = {"name": "lan", "password": PASSWORD, "roles": ["kiosk"]}
    assert refused(service.client.post(f"{API}/users", json=body, headers=ADMIN)) == (409, "user_exists")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "An", "password": PASSWORD, "roles": ["kiosk"]},
        {"name": "a b", "password": PASSWORD, "roles": ["kiosk"]},
        {"name": "binh", "password": "short", "roles": ["kiosk"]},
        {"name": "binh", "password": PASSWORD, "roles": []},
        {"name": "binh", "password": PASSWORD, "roles": ["king"]},
        {"name": "binh", "password": "\ud800" * 12, "roles": ["kiosk"]},
    ],
)
def test_what_cannot_be_a_user_is_refused_and_its_password_not_repeated(
    service: Service, body: dict[str, object]
) -> None:
    headers = {**ADMIN, "Content-Type": "application/json"}
    answer = service.client.post(f"{API}/users", content=json.dumps(body), headers=headers)
    assert answer.status_code == 422, answer.text
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    "body", [{}, {"name": "lan"}, {"password": "x"}, {"name": "lan", "password": "x", "api_key": "y"}]
)
def test_a_sign_in_is_by_one_way(browser: httpx.Client, body: dict[str, str]) -> None:
    assert refused(browser.post("session", json=body)) == (422, "validation_error")


def test_a_key_has_no_password_to_change(service: Service) -> None:
    bodies = {"password": PASSWORD, "new_password": PASSWORD + "!"}
    assert refused(service.client.put(f"{API}/session/password", json=bodies, headers=ADMIN)) == (404, "no_password")


def test_passwords_are_stored_as_argon2id_and_keys_of_people_are_not_listed(service: Service) -> None:
    [row] = service.records.rows("SELECT password_hash FROM cv_users WHERE name = 'lan' AND ended_at IS NULL")
    assert row["password_hash"].startswith("$argon2id$")
    assert PASSWORD not in repr(service.records.rows("SELECT * FROM audit_log"))
    assert "lan" not in cv(service, "keys", "list").stdout


def cv(service: Service, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=PROJECT_DIR,
        env=environment(service.settings),
        input=given,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_operator_adds_lists_and_ends_people(service: Service, browser: httpx.Client) -> None:
    added = cv(service, "users", "add", "quan", "--role", "security", given=f"{PASSWORD}\n")
    assert added.returncode == 0, added.stderr
    assert sign_in(browser, "quan").json()["roles"] == ["security"]
    again = cv(service, "users", "add", "quan", "--role", "kiosk", "--generate")
    assert (again.returncode, "There is a user quan" in again.stderr) == (2, True)
    other = cv(service, "users", "password", "quan", "--generate")
    assert sign_in(browser, "quan", other.stdout.strip()).status_code == 200
    assert cv(service, "users", "roles", "quan", "--role", "kiosk").returncode == 0
    listed = cv(service, "users", "list").stdout
    assert [line.split()[-1] for line in listed.splitlines() if line.startswith("quan")] == ["kiosk"]
    assert cv(service, "users", "end", "quan").returncode == 0
    assert sign_in(browser, "quan", other.stdout.strip()).status_code == 401
    assert cv(service, "users", "add", "Quan", "--role", "kiosk", given=PASSWORD).returncode == 2
    assert cv(service, "users", "add", "quan", given=PASSWORD).returncode == 2
    assert cv(service, "users", "add", "quan", "--role", "kiosk", given="short").returncode == 2


def test_tries_are_counted_by_address(start_service: Start) -> None:
    with start_service(AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY), SIGN_INS_PER_MINUTE=3) as service:
        origin = {"Origin": str(service.client.base_url).rstrip("/")}
        body = {"name": "nobody", "password": "whatever it is"}
        answers = [service.client.post(f"{API}/session", json=body, headers=origin) for _ in range(5)]
        assert [answer.status_code for answer in answers].count(401) in (3, 4)  # one may have come back meanwhile
        assert refused(answers[-1]) == (429, "rate_limited")
        assert int(answers[-1].headers["retry-after"]) >= 1


def test_where_nobody_is_asked_everybody_is_in(client: httpx.Client) -> None:
    told = client.get(f"{API}/session").json()
    assert (told["kind"], told["name"], "admin" in told["scopes"]) == ("open", "local", True)
