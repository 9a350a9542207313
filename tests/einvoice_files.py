"""E-invoices made up for tests: Vietnamese, signed with certificates of the test's own, Factur-X and UBL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

SELLER_CODE = "0312345675"
BUYER_CODE = "0401234563"
DSIG = "http://www.w3.org/2000/09/xmldsig#"

LAUNDRY = (
    ("1", "Giặt ga giường", "bộ", "40", "15000", "600000", "8%"),
    ("1", "Giặt khăn tắm", "cái", "120", "4000", "480000", "8%"),
)


def vietnamese(
    *,
    lines: tuple[tuple[str, ...], ...] = LAUNDRY,
    sums: str = "<TgTCThue>1080000</TgTCThue><TgTThue>86400</TgTThue><TgTTTBSo>1166400</TgTTTBSo>",
    common: str = "",
    seller: str = "CÔNG TY TNHH GIẶT ỦI MÂY TRẮNG",
    number: str = "125",
) -> str:
    """An ``HDon`` without a declaration. ``lines``: kind, description, unit, quantity, price, amount, rate."""
    items = "".join(
        f"<HHDVu><TChat>{kind}</TChat><STT>{place}</STT><THHDVu>{description}</THHDVu><DVTinh>{unit}</DVTinh>"
        f"<SLuong>{quantity}</SLuong><DGia>{price}</DGia><ThTien>{amount}</ThTien><TSuat>{rate}</TSuat></HHDVu>"
        for place, (kind, description, unit, quantity, price, amount, rate) in enumerate(lines, 1)
    )
    return (
        '<HDon><DLHDon Id="data"><TTChung><PBan>2.1.0</PBan><THDon>Hóa đơn giá trị gia tăng</THDon>'
        f"<KHMSHDon>1</KHMSHDon><KHHDon>C26TAA</KHHDon><SHDon>{number}</SHDon><NLap>2026-03-14</NLap>"
        f"<DVTTe>VND</DVTTe><TGia>1</TGia><HTTToan>TM/CK</HTTToan>{common}</TTChung><NDHDon>"
        f"<NBan><Ten>{seller}</Ten><MST>{SELLER_CODE}</MST><DChi>12 Lê Duẩn, Đà Nẵng</DChi></NBan>"
        f"<NMua><Ten>KHÁCH SẠN BIỂN NGỌC</Ten><MST>{BUYER_CODE}</MST></NMua>"
        f"<DSHHDVu>{items}</DSHHDVu><TToan>{sums}</TToan></NDHDon></DLHDon>"
        "<DSCKS><NBan/><NMua/><CQT/></DSCKS></HDon>"
    )


def message(*invoices: str) -> str:
    """A ``TDiep`` around invoices."""
    return f"<TDiep><TTChung><MLTDiep>200</MLTDiep></TTChung><DLieu>{''.join(invoices)}</DLieu></TDiep>"


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def authority(name: str = "Test Root") -> Signer:
    """A root that certifies itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    return Signer(builder.sign(key, hashes.SHA256()), key)


def certified(
    issuer: Signer, *, code: str = SELLER_CODE, name: str = "CÔNG TY TNHH GIẶT ỦI MÂY TRẮNG", expired: bool = False
) -> Signer:
    """A signer as Vietnamese authorities certify one: the tax code is a user id."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.USER_ID, f"MST:{code}")]
    )
    builder = _builder(subject, issuer.certificate.subject, key, expired=expired)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    return Signer(builder.sign(issuer.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, *, expired: bool = False
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now - timedelta(days=2) if expired else now + timedelta(days=300))
    )


def signed(
    invoice: str, signer: Signer, *, place: str = "NBan", reference: str = "#data", root: etree._Element | None = None
) -> etree._Element:
    """The invoice's tree with a signature over ``reference`` below ``DSCKS/place``."""
    tree = etree.fromstring(invoice) if root is None else root
    made = XMLSigner(c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0).sign(
        tree, key=signer.key, cert=[signer.certificate], reference_uri=reference
    )
    signature = made.find(f".//{{{DSIG}}}Signature") if made.tag != f"{{{DSIG}}}Signature" else made
    assert signature is not None
    target = tree.find(f"DSCKS/{place}")
    assert target is not None
    target.append(signature)
    return tree


def to_bytes(tree: etree._Element) -> bytes:
    return etree.tostring(tree, encoding="utf-8", xml_declaration=True)
