"""XML signatures over e-invoices: is what was read what somebody signed, and who was it?

``signxml`` checks the mathematics. Around it is what it leaves to its caller: which element the signature covers.
A signature over a copy that sits elsewhere in the file (wrapping) covers nothing that was read, and is invalid.
Whether a certificate was revoked is not looked up: that needs the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from app.core.einvoices.document import Signature, SignatureStatus
from app.core.einvoices.vietnamese import data_of
from app.utils.xml_tree import Element, children, find, name_of, text

_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_ENVELOPED = f"{_DSIG}enveloped-signature"
_KNOWN_TRANSFORMS = {_ENVELOPED, *(method.value for method in CanonicalizationMethod)}
_ID_NAMES = {"id", "Id", "ID"}
_ROLES = {"NBan": "seller", "NMua": "buyer", "CQT": "tax_authority"}
_MAX_SIGNATURES = 8
"""Of one invoice; each copies the file once for each reference."""

_MAX_REFERENCES = 4
_MAX_CERTIFICATES = 8
_MAX_CHAIN = 4
_TAX_CODE = re.compile(r"(?:MST:?\s*)?(\d{10}(?:-\d{3})?|\d{12})\Z")


@dataclass(frozen=True, slots=True)
class TrustedRoots:
    """The certificates that the hotel trusts; ``store`` is None where it has named none."""

    store: verification.Store | None

    @classmethod
    def of(cls, certificates: Sequence[x509.Certificate]) -> TrustedRoots:
        """Trust in these."""
        return cls(verification.Store(list(certificates)) if certificates else None)


def verify_invoice(invoice: Element, roots: TrustedRoots, *, seller_code: str | None) -> tuple[Signature, ...]:
    """Every signature of an ``HDon``, and that over the message around it.

    Args:
        invoice: as parsed; it stays where it is in its file.
        seller_code: the seller's tax code, to hold the signer's against.
    """
    found = list(_signatures(invoice))
    checked = [_verify(element, role, invoice, roots) for element, role in found[:_MAX_SIGNATURES]]
    checked += [
        Signature(role, SignatureStatus.UNCHECKED, "too_many_signatures") for _, role in found[_MAX_SIGNATURES:]
    ]
    return tuple(_held_against(signature, seller_code) for signature in checked)


def _signatures(invoice: Element) -> Iterator[tuple[Element, str]]:
    for place in [place for group in children(invoice, "DSCKS") for place in group]:
        for signature in children(place, "Signature"):
            yield signature, _ROLES.get(name_of(place), "other")
    root = invoice.getroottree().getroot()
    if root is not invoice:
        yield from (
            (signature, "message") for place in children(root, "CKSNNT") for signature in children(place, "Signature")
        )


def _held_against(signature: Signature, seller_code: str | None) -> Signature:
    if signature.role not in ("seller", "message") or signature.signer_tax_code is None or seller_code is None:
        return signature
    # A branch's invoices may be signed in the name of the whole company.
    same = signature.signer_tax_code.partition("-")[0] == seller_code.partition("-")[0]
    return replace(signature, matches_seller=same)


def _verify(element: Element, role: str, invoice: Element, roots: TrustedRoots) -> Signature:
    """One signature. It is checked in a file of its own: messages carry several invoices with the same ids."""
    inside = any(ancestor is invoice for ancestor in element.iterancestors())
    root = invoice if inside else invoice.getroottree().getroot()
    refusal = _unsupported(element)
    if refusal:
        return Signature(role, SignatureStatus.UNCHECKED, refusal)
    certificates = _certificates(element)
    if not certificates:
        given = next(element.iter(f"{{{_DSIG}}}X509Certificate"), None) is not None
        status = SignatureStatus.INVALID if given else SignatureStatus.UNCHECKED
        return Signature(role, status, "certificate_damaged" if given else "no_certificate")
    if not _covers(element, root, invoice):
        return Signature(role, SignatureStatus.INVALID, "does_not_cover_invoice")
    signed = _signing_certificate(element, root, certificates)
    if signed is None:
        return Signature(role, SignatureStatus.INVALID, "content_or_signature_changed")
    signed_at = _signing_time(element)
    status, reason = _trust(signed, certificates, roots, signed_at)
    names = signed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Signature(
        role=role,
        status=status,
        reason=reason,
        signer=str(names[0].value) if names else None,
        signer_tax_code=_tax_code(signed),
        signed_at=signed_at.isoformat() if signed_at else None,
    )


def _references(element: Element) -> list[Element]:
    return list(children(find(element, "SignedInfo"), "Reference"))


def _unsupported(element: Element) -> str | None:
    """Why this kind of signature is not checked; None where it is."""
    references = _references(element)
    if not references or len(references) > _MAX_REFERENCES:
        return "unsupported_references"
    algorithms = {
        transform.get("Algorithm")
        for reference in references
        for transform in children(find(reference, "Transforms"), "Transform")
    }
    if not algorithms <= _KNOWN_TRANSFORMS:
        return "unsupported_transform"
    methods = [find(element, "SignedInfo", "SignatureMethod")]
    methods += [find(reference, "DigestMethod") for reference in references]
    names = [(method.get("Algorithm") or "") if method is not None else "" for method in methods]
    if any(name.endswith(("sha1", "md5")) for name in names):
        return "weak_algorithm"
    return None if all(names) else "unsupported_algorithm"


def _covers(element: Element, root: Element, invoice: Element) -> bool:
    """Whether a reference points at what was read: the invoice's data, or an element around it, and at that alone."""
    data = data_of(invoice)
    if sum(name_of(child) == "DLHDon" for child in invoice) > 1:
        return False
    around = {data, *data.iterancestors()}
    for reference in _references(element):
        uri = reference.get("URI")
        if uri == "":
            return True
        if uri and uri.startswith("#"):
            named = [other for other in root.iter(etree.Element) if _has_id(other, uri[1:])]
            if len(named) == 1 and named[0] in around:
                return True
    return False


def _has_id(element: Element, value: str) -> bool:
    return any(etree.QName(name).localname in _ID_NAMES and found == value for name, found in element.items())


def _certificates(element: Element) -> list[x509.Certificate]:
    entries = [
        certificate
        for data in children(find(element, "KeyInfo"), "X509Data")
        for certificate in children(data, "X509Certificate")
    ]
    loaded = []
    for entry in entries[:_MAX_CERTIFICATES]:
        body = "".join((text(entry) or "").split())
        pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
        try:
            loaded.append(x509.load_pem_x509_certificate(pem.encode()))
        except ValueError:
            continue
    return loaded


def _signing_certificate(
    element: Element, root: Element, certificates: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """The certificate whose key signed, every reference agreeing; None where no one's did."""
    # The element lies where it lay: the path leads signxml to this very signature, not to the first that it finds.
    tree = etree.ElementTree(etree.fromstring(etree.tostring(root, with_tail=False)))
    place = element.getparent()
    if place is None:
        return None
    position = [child for child in place if name_of(child) == "Signature"].index(element)
    if position != 0:
        return None  # a second signature in one place: the first is the one that counts
    path = _path(place, root)
    for certificate in certificates:
        configuration = SignatureConfiguration(
            location=path,
            expect_references=True,
            # Mathematics alone; whether the certificate was valid then is asked of the chain.
            verification_time=certificate.not_valid_before_utc + timedelta(seconds=1),
            default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
        )
        try:
            XMLVerifier().verify(
                tree.getroot(), x509_cert=certificate, expect_config=configuration, validate_schema=False
            )
        except (SignXMLException, ValueError, etree.LxmlError):
            continue
        return certificate
    return None


def _path(place: Element, root: Element) -> str:
    """The way from ``root`` down to ``place`` for ElementPath, with positions."""
    steps: list[str] = []
    node: Element | None = place
    while node is not None and node is not root:
        parent = node.getparent()
        if parent is None:
            break
        same = [child for child in parent if child.tag == node.tag]
        steps.append(f"{node.tag!s}[{same.index(node) + 1}]")
        node = parent
    return "./" + "".join(f"{step}/" for step in reversed(steps))


def _signing_time(element: Element) -> datetime | None:
    """The time that the signer claims, where a reference covers the object that holds it."""
    covered = {(reference.get("URI") or "").removeprefix("#") for reference in _references(element)}
    for holder in children(element, "Object"):
        for node in holder.iter(etree.Element):
            if name_of(node) != "SigningTime":
                continue
            around = [node, *node.iterancestors()]
            if not any(_has_id(other, value) for other in around for value in covered if value):
                continue
            try:
                moment = datetime.fromisoformat(text(node) or "")
            except ValueError:
                return None
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _trust(
    signer: x509.Certificate,
    certificates: Sequence[x509.Certificate],
    roots: TrustedRoots,
    signed_at: datetime | None,
) -> tuple[SignatureStatus, str | None]:
    """Whether a root vouches for the signer at the time of signing; now, where that is not told."""
    if roots.store is None:
        return SignatureStatus.VALID_UNTRUSTED_SIGNER, "no_trusted_roots"
    moment = (signed_at or datetime.now(UTC)).astimezone(UTC)
    if moment > datetime.now(UTC) + timedelta(days=1):
        return SignatureStatus.VALID_UNTRUSTED_SIGNER, "signed_in_the_future"
    if not signer.not_valid_before_utc <= moment <= signer.not_valid_after_utc:
        return SignatureStatus.VALID_UNTRUSTED_SIGNER, "certificate_not_valid_then"
    policy = (
        verification.PolicyBuilder()
        .store(roots.store)
        .time(moment)
        .max_chain_depth(_MAX_CHAIN)
        .extension_policies(ca_policy=_issuer_policy(), ee_policy=verification.ExtensionPolicy.permit_all())
    )
    others = [certificate for certificate in certificates if certificate is not signer]
    try:
        policy.build_client_verifier().verify(signer, others)
    except verification.VerificationError:
        return SignatureStatus.VALID_UNTRUSTED_SIGNER, "issuer_not_trusted"
    return SignatureStatus.VALID, None


def _issuer_policy() -> verification.ExtensionPolicy:
    """An issuer must be one by its constraints; national roots lack much else of what browsers ask for."""
    return verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_issuer
    )


def _is_issuer(
    _policy: verification.Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints
) -> None:
    if not constraints.ca:
        raise ValueError("no issuer of certificates")


def _tax_code(certificate: x509.Certificate) -> str | None:
    """``MST:0123456789`` among the subject's user ids, as Vietnamese authorities certify it."""
    for oid in (NameOID.USER_ID, NameOID.SERIAL_NUMBER, NameOID.ORGANIZATION_IDENTIFIER):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            match = _TAX_CODE.match(str(attribute.value).strip())
            if match:
                return match[1]
    return None
