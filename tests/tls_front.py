"""TLS before a plain server, with a certificate that signs itself, as cameras have it."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class TlsFront:
    """Where it listens, and its certificate, for 127.0.0.1, as a file and by its SHA-256."""

    port: int
    fingerprint: str
    certificate: Path


@contextmanager
def tls_front(target_port: int, folder: Path) -> Iterator[TlsFront]:
    """Listen on loopback, speak TLS there, and carry what comes to ``target_port``."""
    certificate, fingerprint = _self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        threading.Thread(target=_accept, args=(listener, context, target_port), daemon=True).start()
        yield TlsFront(listener.getsockname()[1], fingerprint, certificate)
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _self_signed(folder: Path) -> tuple[Path, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "camera.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path, hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def _accept(listener: socket.socket, context: ssl.SSLContext, target_port: int) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, context, target_port), daemon=True).start()


def _serve(connection: socket.socket, context: ssl.SSLContext, target_port: int) -> None:
    with (
        contextlib.suppress(OSError),
        connection,
        socket.create_connection(("127.0.0.1", target_port)) as target,
        context.wrap_socket(connection, server_side=True) as secure,
    ):
        back = threading.Thread(target=_carry, args=(target, secure), daemon=True)
        back.start()
        _carry(secure, target)
        back.join(5)


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
