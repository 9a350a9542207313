"""TLS to cameras, many of which sign their own certificate."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl

from app.services.streams.types import Fault, StreamFailed, TlsTrust


def secured(connection: socket.socket, host: str, trust: TlsTrust) -> ssl.SSLSocket:
    """``connection`` under TLS, with the certificate that ``trust`` asks for.

    Raises:
        StreamFailed: another certificate came.
        OSError: the camera does not speak TLS.
    """
    context = ssl.create_default_context()
    if trust.fingerprint or not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        under_tls = context.wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise StreamFailed(
            Fault.CERTIFICATE,
            "This machine does not trust the certificate; pin it by the tls_fingerprint of POST /cameras/test.",
        ) from error
    if trust.fingerprint and not hmac.compare_digest(fingerprint_of(under_tls), trust.fingerprint):
        under_tls.close()
        raise StreamFailed(Fault.CERTIFICATE, "The camera shows another certificate than the one that was pinned.")
    return under_tls


def fingerprint_of(connection: ssl.SSLSocket) -> str:
    """The SHA-256 of the certificate at the other end, in hexadecimal."""
    return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
