"""TLS of ``make run HTTPS=1``, over real connections: who is trusted, for which names, for how long, and by whom."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.server import bounded_protocol
from scripts.local import tls
from scripts.local.api import Address, api_environment, requires_keys
from scripts.local.errors import LocalStackError
from scripts.local.layout import Layout
from scripts.local.tls import Certificate, lan_hosts, service_certificate
from scripts.local.trust_page import trust_app
from scripts.local.welcome import facts
from tests.served import served

HELLO = Starlette(routes=[Route("/", lambda _: PlainTextResponse("hello"))])


@contextmanager
def serving(app: Starlette, certificate: Certificate | None = None) -> Iterator[int]:
    """The port of a server, under TLS with a certificate."""
    config = uvicorn.Config(
        app,
        port=0,
        lifespan="off",
        log_config=None,
        http=bounded_protocol(max_connections=10, head_timeout_s=5.0),
        ssl_certfile=certificate.chain if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    with served(config) as port:
        yield port


def told(port: int, trust: ssl.SSLContext, *, name: str = "127.0.0.1") -> str:
    """What the server says to a client that trusts so and asks for ``name``."""
    with httpx.Client(verify=trust) as client:
        request = client.build_request(
            "GET", f"https://127.0.0.1:{port}/", headers={"Host": name}, extensions={"sni_hostname": name}
        )
        return client.send(request).text


def test_a_client_that_trusts_the_authority_is_served_and_others_refuse(tmp_path: Path) -> None:
    certificate = service_certificate(tmp_path / "tls", "cv.hotel.lan")
    with serving(HELLO, certificate) as port:
        assert told(port, certificate.trusting()) == "hello"
        assert told(port, certificate.trusting(), name="cv.hotel.lan") == "hello"
        with pytest.raises(httpx.ConnectError, match=r"certificate is not valid for 'other.hotel.lan'|mismatch"):
            told(port, certificate.trusting(), name="other.hotel.lan")
        with pytest.raises(httpx.ConnectError, match="unable to get local issuer"):
            told(port, ssl.create_default_context())
        stranger = service_certificate(tmp_path / "other", "cv.hotel.lan")
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            told(port, stranger.trusting())


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    service_certificate(tmp_path / "tls", "127.0.0.1")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700


def test_the_authority_is_kept_and_a_certificate_renewed_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = service_certificate(tmp_path / "tls", "127.0.0.1")
    known = first.chain.read_bytes()
    assert service_certificate(tmp_path / "tls", "127.0.0.1").chain.read_bytes() == known
    monkeypatch.setattr(tls, "_RENEWED_BEFORE", timedelta(days=400))
    again = service_certificate(tmp_path / "tls", "127.0.0.1")
    assert again.chain.read_bytes() != known
    assert again.fingerprint == first.fingerprint
    with serving(HELLO, again) as port:
        assert told(port, first.trusting()) == "hello"


def test_a_certificate_holds_as_long_as_browsers_allow(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(service_certificate(tmp_path / "tls", "127.0.0.1").chain.read_bytes())
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=398)
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=390)


def test_the_authoritys_key_makes_no_bank(tmp_path: Path) -> None:
    """Who steals it can be the service, and nobody else, to a tablet that trusts it."""
    folder = tmp_path / "tls"
    certificate = service_certificate(folder, "127.0.0.1")
    authority = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
    for name in ("bank.example", "203.0.113.7"):
        forged = Certificate(folder / "forged.pem", folder / "forged.key", certificate.authority, "")
        tls._sign(authority, folder / "authority.key", [name], chain=forged.chain, key=forged.key)
        with serving(HELLO, forged) as port, pytest.raises(httpx.ConnectError, match="permitted subtree violation"):
            told(port, certificate.trusting(), name=name)


def test_names_beyond_what_the_authority_vouches_for_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="private addresses"):
        service_certificate(tmp_path / "tls", "8.8.8.8")
    service_certificate(tmp_path / "tls", "cv.hotel.lan")
    with pytest.raises(LocalStackError, match=r"not made for desk\.hotel\.lan"):
        service_certificate(tmp_path / "tls", "desk.hotel.lan")


def test_every_interface_means_the_private_addresses_of_this_machine(tmp_path: Path) -> None:
    certificate = service_certificate(tmp_path / "tls", "0.0.0.0")  # noqa: S104  # nothing listens here
    signed = x509.load_pem_x509_certificate(certificate.chain.read_bytes())
    names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert all(address.is_private for address in names.get_values_for_type(x509.IPAddress))


def test_the_page_gives_tablets_the_authority_and_says_where_to_go_on(tmp_path: Path) -> None:
    certificate = service_certificate(tmp_path / "tls", "127.0.0.1")
    with serving(trust_app(certificate.authority, port=8001)) as port:
        page = httpx.get(f"http://127.0.0.1:{port}/")
        file = httpx.get(f"http://127.0.0.1:{port}/cv-service-authority.crt")
        assert httpx.get(f"http://127.0.0.1:{port}/authority.key").status_code == 404
        probed = httpx.get(f"http://127.0.0.1:{port}/", headers={"Host": 'x"><script>alert(1)</script>'})
    assert 'href="https://127.0.0.1:8001/console"' in page.text
    assert bytes.fromhex(certificate.fingerprint).hex(":").upper() in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert file.headers["content-type"] == "application/x-x509-ca-cert"
    assert "<script>" not in probed.text
    installed = x509.load_der_x509_certificate(file.content)
    assert installed.fingerprint(hashes.SHA256()).hex() == certificate.fingerprint
    trust = ssl.create_default_context(cadata=installed.public_bytes(serialization.Encoding.PEM).decode())
    with serving(HELLO, certificate) as port:
        assert told(port, trust) == "hello"


def test_https_is_asked_for_by_a_setting_and_then_other_machines_need_keys(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    given = {"HTTPS": "1", "HOST": "192.168.1.10"}
    assert Address.of(given).url == "https://192.168.1.10:8001"
    assert Address.of(given).trust_page().url == "http://192.168.1.10:8002"
    assert requires_keys(api_environment(given, servers={}, layout=layout))
    assert not requires_keys(api_environment({"HTTPS": "1"}, servers={}, layout=layout))
    assert not Address.of({"HTTPS": "0"}).is_secure


def test_the_table_says_what_tablets_open_and_which_fingerprint_they_compare(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    given = {"HTTPS": "1", "HOST": "192.168.1.10"}
    certificate = service_certificate(layout.tls_dir, "192.168.1.10")
    environment = api_environment(given, servers={}, layout=layout)
    rows = dict(facts(Address.of(given), environment, layout, {}, certificate))
    assert rows["tablets open"] == "http://192.168.1.10:8002"
    assert rows["fingerprint"].replace(":", "").lower() == certificate.fingerprint
    assert lan_hosts("192.168.1.10") == ["192.168.1.10"]
    assert not {"127.0.0.1", "0.0.0.0"} & set(lan_hosts("0.0.0.0"))  # noqa: S104  # nothing listens here
