"""People who sign in by the hotel's identity provider: who comes in, as what, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from app.workflows.single_sign_on import numbered, user_name
from tests.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Claims,
    IdentityProviderForTests,
    running_identity_provider,
)
from tests.integration.conftest import Service, Start

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
KEY = "first-key-of-the-hotel-0123456789abcdef"
ADMIN = {"X-API-Key": KEY}
LAN = {"sub": "u-1", "preferred_username": "Lan@hotel.example", "realm_access": {"roles": ["Le tan", "offline"]}}


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProviderForTests]:
    with running_identity_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def service(start_service: Start, running: IdentityProviderForTests) -> Iterator[Service]:
    with start_service(
        AUTH_REQUIRED=True,
        ADMIN_API_KEY=SecretStr(KEY),
        SIGN_INS_PER_MINUTE=0,
        OIDC_ISSUER=running.issuer,
        OIDC_CLIENT_ID=CLIENT_ID,
        OIDC_CLIENT_SECRET=SecretStr(CLIENT_SECRET),
        OIDC_ROLE_CLAIM="realm_access.roles",
        OIDC_ROLES={"Le tan": "front_desk"},
    ) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        yield started


@pytest.fixture
def provider(running: IdentityProviderForTests) -> IdentityProviderForTests:
    """As it is when nobody lies."""
    running.person, running.document, running.sign = dict(LAN), {}, None
    running.hang_s, running.token_error = 0.0, None
    running.keys = running.keys[-1:]
    return running


@pytest.fixture
def browser(service: Service, provider: IdentityProviderForTests) -> Iterator[httpx.Client]:
    assert provider.issuer == service.settings.OIDC_ISSUER
    with opened_browser(service) as client:
        yield client


def opened_browser(service: Service) -> httpx.Client:
    """As our page in a browser: it keeps cookies, and says where its requests come from."""
    address = str(service.client.base_url)
    return httpx.Client(base_url=f"{address}{API}/", headers={"Origin": address.rstrip("/")}, timeout=30)


def sent_back(browser: httpx.Client) -> dict[str, str]:
    """What the address says with which the provider sends the browser back to the console."""
    departure = browser.post("session/provider")
    assert departure.status_code == 200, departure.text
    answer = httpx.get(departure.json()["url"], timeout=30)
    assert answer.status_code == 302
    at = urlsplit(answer.headers["location"])
    assert f"{at.scheme}://{at.netloc}{at.path}" == f"{browser.headers['Origin']}/console"
    return dict(parse_qsl(at.query))


def sign_in(browser: httpx.Client) -> httpx.Response:
    return browser.post("session", json=sent_back(browser))


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert "cv_session" not in answer.cookies
    return answer.status_code, answer.json()["code"]


def test_a_person_comes_in_with_the_roles_that_the_provider_gives(
    service: Service, browser: httpx.Client, provider: IdentityProviderForTests
) -> None:
    assert browser.get("session/ways").json() == {"password": True, "identity_provider": True}
    answer = sign_in(browser)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["name"], told["kind"], told["roles"], told["has_password"]) == ("lan", "person", ["front_desk"], False)
    assert browser.get("session").json() == told
    assert browser.get("lost-found/claims").status_code == 200
    assert browser.get("users").status_code == 403
    assert provider.asked[-1]["prompt"] == "login"
    [entry] = service.records.rows(
        "SELECT action, subject, label FROM audit_log JOIN api_keys ON api_keys.id = key_id "
        "WHERE action = 'session.begin' ORDER BY audit_log.id DESC LIMIT 1"
    )
    assert (entry["subject"], entry["label"]) == ("lan", "lan")


def test_who_comes_again_is_the_same_person_whatever_they_are_called(
    service: Service, browser: httpx.Client, provider: IdentityProviderForTests
) -> None:
    provider.person = {**LAN, "sub": "u-7", "preferred_username": "tuan"}
    sign_in(browser)
    provider.person |= {"preferred_username": "tuan.le", "realm_access": {"roles": ["security", "Le tan"]}}
    assert sign_in(browser).json()["roles"] == ["front_desk", "security"]
    assert browser.get("session").json()["name"] == "tuan"
    service.records.wait_until(lambda: browser.get("incidents").status_code != 403)
    [row] = service.records.rows("SELECT count(*) FROM cv_users WHERE subject = 'u-7'")
    assert row["count"] == 1


def test_a_name_that_somebody_has_opens_nothing_of_theirs(
    service: Service, browser: httpx.Client, provider: IdentityProviderForTests
) -> None:
    body = {"name": "root", "password": "mùa thu Hà Nội 1975", "roles": ["admin"]}
    assert service.client.post(f"{API}/users", json=body, headers=ADMIN).status_code == 201
    provider.person = {**LAN, "sub": "u-2", "preferred_username": "root"}
    assert (sign_in(browser).json()["name"], sign_in(browser).json()["roles"]) == ("root-2", ["front_desk"])


@pytest.mark.parametrize("roles", [["king"], [], None, "offline", {"front_desk": True}, [["security"]], 7])
def test_nobody_comes_in_without_a_role(
    browser: httpx.Client, provider: IdentityProviderForTests, roles: object
) -> None:
    provider.person = {**LAN, "sub": "u-3", "preferred_username": "khach", "realm_access": {"roles": roles}}
    assert refused(sign_in(browser)) == (403, "role_missing")


def test_who_has_lost_their_roles_is_out(
    service: Service, browser: httpx.Client, provider: IdentityProviderForTests
) -> None:
    provider.person = {**LAN, "sub": "u-4", "preferred_username": "binh"}
    assert sign_in(browser).status_code == 200
    provider.person["realm_access"] = {}
    with opened_browser(service) as other:
        assert refused(sign_in(other)) == (403, "role_missing")
    service.records.wait_until(lambda: browser.get("session").status_code == 401)


@pytest.mark.parametrize("lie", [{"nonce": "of another sign-in"}, {"aud": "another-client"}, {"exp": 1}])
def test_a_token_that_is_not_for_this_sign_in_opens_nothing(
    browser: httpx.Client, provider: IdentityProviderForTests, lie: Claims
) -> None:
    provider.person |= lie
    assert refused(sign_in(browser)) == (401, "identity_refused")
    assert browser.get("session").status_code == 401


def test_what_came_back_counts_once(browser: httpx.Client) -> None:
    departure = browser.post("session/provider")
    cookie = {"Cookie": f"cv_departure={departure.cookies['cv_departure']}"}
    body = dict(parse_qsl(urlsplit(httpx.get(departure.json()["url"]).headers["location"]).query))
    assert browser.post("session", json=body).status_code == 200
    browser.cookies.clear()
    assert refused(browser.post("session", json=body, headers=cookie)) == (401, "sign_in_expired")


def test_it_counts_in_the_browser_that_went(service: Service, browser: httpx.Client) -> None:
    body = sent_back(browser)
    with opened_browser(service) as other:
        assert refused(other.post("session", json=body)) == (401, "sign_in_expired")
        sent_back(other)
        assert refused(other.post("session", json=body)) == (401, "sign_in_expired")
    assert browser.post("session", json=body).status_code == 200


def test_it_counts_for_ten_minutes(service: Service, browser: httpx.Client) -> None:
    body = sent_back(browser)
    service.records.rows("UPDATE event_tickets SET expires_at = NOW() RETURNING digest")
    assert refused(browser.post("session", json=body)) == (401, "sign_in_expired")


def test_a_code_of_another_sign_in_opens_nothing(service: Service, browser: httpx.Client) -> None:
    with opened_browser(service) as other:
        stolen = sent_back(other)["code"]
    assert refused(browser.post("session", json={**sent_back(browser), "code": stolen})) == (401, "identity_refused")


def test_the_departures_cookie_is_out_of_reach_of_scripts_and_other_sites(
    service: Service, browser: httpx.Client
) -> None:
    answer = browser.post("session/provider")
    cookie = answer.headers["set-cookie"]
    assert ("HttpOnly" in cookie, "SameSite=strict" in cookie) == (True, True)
    assert answer.cookies["cv_departure"] not in repr(service.records.rows("SELECT * FROM event_tickets"))
    asked = parse_qs(urlsplit(answer.json()["url"]).query)
    assert answer.cookies["cv_departure"] not in repr(asked)
    foreign = browser.post("session/provider", headers={"Origin": "https://evil.example"})
    assert refused(foreign) == (403, "origin_refused")
    secure = browser.post(
        "session/provider", headers={"Origin": str(browser.headers["Origin"]).replace("http", "https")}
    )
    assert "Secure" in secure.headers["set-cookie"]
    assert parse_qs(urlsplit(secure.json()["url"]).query)["redirect_uri"][0].startswith("https://")


def test_new_keys_of_the_provider_are_learned(
    start_service: Start, provider: IdentityProviderForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.identity_provider._ASKED_AGAIN_S", 0.0)
    with (
        start_service(
            AUTH_REQUIRED=True,
            OIDC_ISSUER=provider.issuer,
            OIDC_CLIENT_ID=CLIENT_ID,
            OIDC_CLIENT_SECRET=SecretStr(CLIENT_SECRET),
            OIDC_ROLE_CLAIM="realm_access.roles",
            OIDC_ROLES={"Le tan": "front_desk"},
        ) as service,
        opened_browser(service) as browser,
    ):
        assert sign_in(browser).status_code == 200
        provider.keys.insert(0, RSAKey.generate_key(2048, {"kid": "second"}))
        assert sign_in(browser).status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://127.0.0.2/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ],
)
def test_a_provider_that_contradicts_itself_is_not_used(
    start_service: Start, provider: IdentityProviderForTests, document: Claims
) -> None:
    provider.document = document
    with (
        start_service(AUTH_REQUIRED=True, OIDC_ISSUER=provider.issuer, OIDC_CLIENT_ID=CLIENT_ID) as service,
        opened_browser(service) as browser,
    ):
        assert refused(browser.post("session/provider")) == (503, "backend_unavailable")


def test_a_provider_that_hangs_or_refuses_keeps_nobody_waiting(
    browser: httpx.Client, provider: IdentityProviderForTests
) -> None:
    body = sent_back(browser)
    provider.hang_s = 30.0
    assert refused(browser.post("session", json=body)) == (503, "backend_unavailable")
    provider.hang_s = 0.0
    body = sent_back(browser)
    provider.token_error = "invalid_client"
    assert refused(browser.post("session", json=body)) == (401, "identity_refused")


def test_roles_and_passwords_of_such_people_are_not_changed_here(
    service: Service, browser: httpx.Client, provider: IdentityProviderForTests
) -> None:
    provider.person = {**LAN, "sub": "u-5", "preferred_username": "mai"}
    assert sign_in(browser).status_code == 200
    for body in ({"roles": ["admin"]}, {"password": "a password of her own"}):
        answer = service.client.patch(f"{API}/users/mai", json=body, headers=ADMIN)
        assert refused(answer) == (409, "user_external")
    bodies = {"password": "x", "new_password": "a password of her own"}
    assert refused(browser.put("session/password", json=bodies)) == (404, "no_password")
    assert refused(browser.post("session", json={"name": "mai", "password": "x"})) == (401, "sign_in_refused")
    assert service.client.get(f"{API}/users/mai", headers=ADMIN).json()["has_password"] is False


def test_who_was_ended_here_stays_out(
    service: Service, browser: httpx.Client, provider: IdentityProviderForTests
) -> None:
    provider.person = {**LAN, "sub": "u-6", "preferred_username": "quan"}
    assert sign_in(browser).status_code == 200
    assert service.client.delete(f"{API}/users/quan", headers=ADMIN).status_code == 200
    service.records.wait_until(lambda: browser.get("session").status_code == 401)
    assert refused(sign_in(browser)) == (401, "sign_in_refused")


def test_without_a_provider_nobody_is_sent_anywhere(client: httpx.Client) -> None:
    origin = {"Origin": str(client.base_url).rstrip("/")}
    assert client.get(f"{API}/session/ways").json() == {"password": False, "identity_provider": False}
    assert refused(client.post(f"{API}/session/provider", headers=origin)) == (404, "no_identity_provider")


@pytest.mark.parametrize(
    ("claimed", "name"),
    [
        ("Lê.Lan@hotel.example", "le.lan"),
        ("Nguyễn Thị  Đào", "nguyen.thi.dao"),
        ("a.very.long.name.of.somebody", "a.very.long.name.of."),
        (".._", "sso-a24a7f55"),
        (None, "sso-a24a7f55"),
        (7, "sso-a24a7f55"),
    ],
)
def test_names_are_as_people_have_them_here(claimed: object, name: str) -> None:
    assert user_name(claimed, subject="u-1") == name


def test_namesakes_are_numbered_within_a_names_length() -> None:
    assert [numbered("lan", number) for number in (1, 2)] == ["lan", "lan-2"]
    assert numbered("a.very.long.name.of.", 10) == "a.very.long.name.-10"
