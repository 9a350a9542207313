"""TLS for ``make run HTTPS=1``: an authority of this machine's own, which tablets are told to trust once, and the
certificate of the service, which it signs.

The authority vouches for private addresses, ``localhost`` and the names that it was made for, and for nothing else: a
tablet that trusts it stays safe from whoever gets hold of its key.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scripts.local.errors import LocalStackError
from scripts.local.layout import write_private

_AUTHORITY_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=397)  # browsers refuse certificates that hold longer
_RENEWED_BEFORE = timedelta(days=30)
_CLOCKS_DIFFER = timedelta(days=1)
_PRIVATE = [
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "::1/128"),
]
_EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened on


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of the service's certificate (0600), and of the authority that signed it.

    Attributes:
        authority: PEM; what clients trust.
        fingerprint: SHA-256 of the authority, in hexadecimal: the same on the terminal and on the tablet.
    """

    chain: Path
    key: Path
    authority: Path
    fingerprint: str

    def trusting(self) -> ssl.SSLContext:
        """For a client that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.authority))


def service_certificate(folder: Path, host: str) -> Certificate:
    """The certificate for a service that listens on ``host``, made or renewed where it has to be.

    Args:
        folder: where authority and certificate are kept; private.

    Raises:
        LocalStackError: ``host`` is public, or a name that the authority was not made for.
    """
    names = _names_of(host)
    if public := [name for name in names if _is_address(name) and not _is_private(name)]:
        raise LocalStackError(f"HTTPS=1 is for private addresses; for {public[0]} put a proxy with TLS in front.")
    folder.mkdir(mode=0o700, exist_ok=True)
    authority_file, authority_key = folder / "authority.pem", folder / "authority.key"
    if not authority_file.is_file():
        _make_authority(authority_file, authority_key, names)
    authority = x509.load_pem_x509_certificate(authority_file.read_bytes())
    _require_vouched(authority, names, folder)
    chain, key = folder / "service.pem", folder / "service.key"
    if not _is_fresh(chain, authority, names):
        _sign(authority, authority_key, names, chain=chain, key=key)
    encoded = authority.public_bytes(serialization.Encoding.DER)
    return Certificate(chain, key, authority_file, hashlib.sha256(encoded).hexdigest())


def lan_hosts(host: str) -> list[str]:
    """At which other machines reach a service that listens on ``host``; link-local addresses are left out."""
    if host not in _EVERY_INTERFACE:
        return [host]
    found = [ip_address(name) for name in _names_of(host) if _is_address(name)]
    return [str(one) for one in found if one.version == 4 and not (one.is_loopback or one.is_link_local)]


def _names_of(host: str) -> list[str]:
    """Under which it can be reached; for every interface those are the private addresses of now."""
    found = [host]
    if host in _EVERY_INTERFACE:
        addresses = (one.address.partition("%")[0] for all_of in psutil.net_if_addrs().values() for one in all_of)
        found = [address for address in addresses if _is_address(address) and _is_private(address)]
    return sorted({*found, "localhost", "127.0.0.1", "::1"})


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_private(address: str) -> bool:
    return any(ip_address(address) in ip_network(network) for network in _PRIVATE)


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if _is_address(name) else x509.DNSName(name)


def _make_authority(file: Path, key_file: Path, names: Sequence[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CV Service {datetime.now(UTC):%Y-%m-%d}")])
    vouched: list[x509.GeneralName] = [x509.IPAddress(ip_network(network)) for network in _PRIVATE]
    vouched += [x509.DNSName(name) for name in names if not _is_address(name)]
    made = (
        _begun(subject, subject, key.public_key(), _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=vouched, excluded_subtrees=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, _pem(key))
    write_private(file, made.public_bytes(serialization.Encoding.PEM).decode())


def _sign(authority: x509.Certificate, authority_key: Path, names: Sequence[str], *, chain: Path, key: Path) -> None:
    signer = serialization.load_pem_private_key(authority_key.read_bytes(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise LocalStackError(f"{authority_key} holds another kind of key than ours; remove its folder.")
    own = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CV Service")])
    made = (
        _begun(subject, authority.subject, own.public_key(), _LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    write_private(key, _pem(own))
    write_private(chain, made.public_bytes(serialization.Encoding.PEM).decode())


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    dated = builder.not_valid_before(now - _CLOCKS_DIFFER).not_valid_after(now - _CLOCKS_DIFFER + life)
    return dated.serial_number(x509.random_serial_number())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def _require_vouched(authority: x509.Certificate, names: Sequence[str], folder: Path) -> None:
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    vouched = {one.value for one in permitted if isinstance(one, x509.DNSName)}
    if unknown := [name for name in names if not _is_address(name) and name not in vouched]:
        raise LocalStackError(
            f"The authority in {folder} was not made for {unknown[0]}. Remove that folder for a new one, which tablets "
            "have to be told to trust again."
        )


def _is_fresh(chain: Path, authority: x509.Certificate, names: Sequence[str]) -> bool:
    """Whether the certificate is of this authority, for these names, and will hold for some time."""
    if not chain.is_file():
        return False
    known = x509.load_pem_x509_certificate(chain.read_bytes())
    try:
        known.verify_directly_issued_by(authority)
    except (ValueError, InvalidSignature):
        return False
    signed = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lasts = known.not_valid_after_utc - datetime.now(UTC) > _RENEWED_BEFORE
    return lasts and set(signed) == {_general(name) for name in names}
