"""E-invoices read from XML: every field, every standard, and nothing that the file should not do."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from lxml import etree

from app.core.einvoices.document import DocumentKind, EInvoice, LineKind, Standard
from app.core.einvoices.reader import read_einvoices
from app.core.einvoices.signature import TrustedRoots
from app.errors import InvalidInput, TooLarge
from app.models.invoice import InvoiceDocument
from app.utils.xml_tree import MAX_BYTES, is_xml
from app.workflows.einvoice_records import einvoice_data
from tests.einvoice_files import (
    Signer,
    authority,
    certified,
    message,
    signed,
    to_bytes,
    vietnamese,
)

NO_ROOTS = TrustedRoots.of([])


def read(text: str | bytes, roots: TrustedRoots = NO_ROOTS) -> list[EInvoice]:
    return read_einvoices(text.encode() if isinstance(text, str) else text, roots=roots)


def only(text: str | bytes, roots: TrustedRoots = NO_ROOTS) -> EInvoice:
    (invoice,) = read(text, roots)
    return invoice


def test_every_field_of_a_vietnamese_invoice_is_read() -> None:
    invoice = only(vietnamese())
    assert (invoice.standard, invoice.kind) == (Standard.VIETNAM, DocumentKind.INVOICE)
    assert (invoice.form, invoice.serial, invoice.number, invoice.date) == ("1", "C26TAA", "125", date(2026, 3, 14))
    assert (invoice.currency, invoice.payment_method) == ("VND", "TM/CK")
    assert (invoice.seller.name, invoice.seller.tax_code) == ("CÔNG TY TNHH GIẶT ỦI MÂY TRẮNG", "0312345675")
    assert (invoice.buyer.name, invoice.buyer.tax_code) == ("KHÁCH SẠN BIỂN NGỌC", "0401234563")
    assert (invoice.subtotal, invoice.tax, invoice.total) == (1080000, 86400, 1166400)
    first = invoice.lines[0]
    assert (first.description, first.unit, first.quantity, first.unit_price) == ("Giặt ga giường", "bộ", 40, 15000)
    assert (first.amount, first.tax_rate, first.kind) == (600000, "8%", LineKind.GOODS)
    assert invoice.warnings == ("not_signed",)


def test_tax_is_told_by_rate_and_rates_keep_their_meaning() -> None:
    rates = (("10%", "480000", "48000"), ("KHAC:8%", "600000", "48000"), ("KCT", "25000", "0"))
    entries = "".join(
        f"<LTSuat><TSuat>{rate}</TSuat><ThTien>{base}</ThTien><TThue>{tax}</TThue></LTSuat>"
        for rate, base, tax in rates
    )
    invoice = only(
        vietnamese(
            lines=tuple(("1", f"Món {rate}", "suất", "1", base, base, rate) for rate, base, _ in rates),
            sums=f"<THTTLTSuat>{entries}</THTTLTSuat><TgTCThue>1105000</TgTCThue><TgTThue>96000</TgTThue>"
            "<TgTTTBSo>1201000</TgTTTBSo>",
        )
    )
    assert [(line.rate, line.rate_percent, line.tax) for line in invoice.tax_lines] == [
        ("10%", 10, 48000), ("KHAC:8%", 8, 48000), ("KCT", None, 0),
    ]  # fmt: skip
    assert invoice.warnings == ("not_signed",)


def test_discount_and_note_lines_are_kept_apart_from_items() -> None:
    lines = (
        ("1", "Giặt ga", "bộ", "40", "15000", "600000", "8%"),
        ("3", "Chiết khấu 10%", "", "0", "0", "60000", "8%"),
        ("4", "Giao trước 9 giờ", "", "0", "0", "0", ""),
        ("2", "Khăn tặng", "cái", "2", "0", "0", "KKKNT"),
    )
    sums = "<TgTCThue>540000</TgTCThue><TgTThue>43200</TgTThue><TTCKTMai>60000</TTCKTMai><TgTTTBSo>583200</TgTTTBSo>"
    invoice = only(vietnamese(lines=lines, sums=sums))
    data = InvoiceDocument.model_validate(einvoice_data(invoice, confidence=1.0))
    assert [(item.description, item.kind) for item in data.items] == [("Giặt ga", "goods"), ("Khăn tặng", "promotion")]
    assert data.e_invoice is not None
    assert [line.kind for line in data.e_invoice.other_lines] == ["discount", "note"]
    assert data.discount == 60000
    assert invoice.warnings == ("not_signed",)


def test_an_adjustment_names_its_invoice_and_keeps_its_sign() -> None:
    related = (
        "<TTHDLQuan><TCHDon>2</TCHDon><LHDCLQuan>1</LHDCLQuan><KHMSHDCLQuan>1</KHMSHDCLQuan>"
        "<KHHDCLQuan>C26TAA</KHHDCLQuan><SHDCLQuan>99</SHDCLQuan><NLHDCLQuan>2026-02-20</NLHDCLQuan></TTHDLQuan>"
    )
    invoice = only(
        vietnamese(
            lines=(("1", "Điều chỉnh giảm", "bộ", "-1", "550000", "-550000", "10%"),),
            sums="<TgTCThue>-550000</TgTCThue><TgTThue>-55000</TgTThue><TgTTTBSo>-605000</TgTTTBSo>",
            common=related,
        )
    )
    assert invoice.kind is DocumentKind.CREDIT_NOTE
    assert (invoice.total, invoice.lines[0].quantity) == (-605000, -1)
    assert invoice.related is not None
    assert (invoice.related.relation, invoice.related.number, invoice.related.date) == (
        "adjusts", "99", date(2026, 2, 20),
    )  # fmt: skip


def test_a_message_holds_several_invoices() -> None:
    found = read(message(vietnamese(number="1"), vietnamese(number="2")))
    assert [invoice.number for invoice in found] == ["1", "2"]


def test_sums_that_do_not_agree_are_named() -> None:
    invoice = only(vietnamese(sums="<TgTCThue>999</TgTCThue><TgTThue>86400</TgTThue><TgTTTBSo>1166400</TgTTTBSo>"))
    assert {"total_mismatch", "items_sum_mismatch"} <= set(invoice.warnings)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xef\xbb\xbf" + vietnamese().encode(),
        ('<?xml version="1.0" encoding="UTF-16"?>' + vietnamese()).encode("utf-16"),
        b"  \n" + vietnamese().encode(),
    ],
    ids=["utf-8 mark", "utf-16", "space before"],
)
def test_encodings_are_told_by_the_file(encoded: bytes) -> None:
    assert is_xml(encoded)
    assert only(encoded).seller.name == "CÔNG TY TNHH GIẶT ỦI MÂY TRẮNG"


def test_a_comment_inside_a_value_hides_nothing() -> None:
    text = vietnamese().replace("<MST>0312345675</MST>", "<MST>0312<!-- x -->345675</MST>", 1)
    assert only(text).seller.tax_code == "0312345675"


BOMB = "<!DOCTYPE HDon [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BOMB + vietnamese(seller="&b;"), "xml_with_doctype"),
        ("<!DOCTYPE HDon [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + vietnamese(seller="&x;"), "xml_with_doctype"),
        ("<!DOCTYPE HDon SYSTEM 'http://127.0.0.1:9/x.dtd'>" + vietnamese(), "xml_with_doctype"),
        ("<HDon><DLHDon></HDon>", "invalid_xml"),
        ("<a>" * 100 + "</a>" * 100, "invalid_xml"),
        ("<", "invalid_xml"),
        ("<HDon>&nowhere;</HDon>", "invalid_xml"),
    ],
    ids=["bomb", "local file", "outside", "damaged", "deep", "empty", "entity"],
)
def test_hostile_files_are_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert caught.value.code == code


def test_a_doctype_in_utf_16_is_refused_too() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?>' + BOMB + vietnamese()
    with pytest.raises(InvalidInput) as caught:
        read(text.encode("utf-16"))
    assert caught.value.code == "xml_with_doctype"


@pytest.mark.parametrize("data", [b"<a>" + b" " * MAX_BYTES + b"</a>", b"<a>" + b"<b/>" * 200_001 + b"</a>"])
def test_more_than_any_invoice_has_is_refused(data: bytes) -> None:
    with pytest.raises(TooLarge):
        read(data)


def test_xml_of_another_kind_is_no_invoice() -> None:
    assert read("<html><body/></html>") == []


@pytest.fixture(scope="module")
def root() -> Signer:
    return authority()


@pytest.fixture(scope="module")
def seller(root: Signer) -> Signer:
    return certified(root)


def status_of(tree: etree._Element | bytes, *roots: Signer) -> tuple[str, str | None]:
    data = tree if isinstance(tree, bytes) else to_bytes(tree)
    (signature,) = only(data, TrustedRoots.of([other.certificate for other in roots])).signatures
    return signature.status.value, signature.reason


def test_a_signature_under_a_trusted_root_is_valid(root: Signer, seller: Signer) -> None:
    invoice = only(to_bytes(signed(vietnamese(), seller)), TrustedRoots.of([root.certificate]))
    (signature,) = invoice.signatures
    assert (signature.status, signature.role, signature.matches_seller) == ("valid", "seller", True)
    assert signature.signer_tax_code == "0312345675"
    assert invoice.warnings == ()


@pytest.mark.parametrize("reference", ["", "#data"])
def test_the_whole_file_or_the_data_may_be_signed(root: Signer, seller: Signer, reference: str) -> None:
    tree = etree.fromstring(vietnamese())
    place = tree.find("DSCKS/NBan")
    assert place is not None
    if reference == "":
        from signxml.signer import XMLSigner

        made = XMLSigner().sign(tree, key=seller.key, cert=[seller.certificate])
        assert made.tag == "HDon"
        signature = made.find("{*}Signature")
        target = made.find("DSCKS/NBan")
        assert signature is not None
        assert target is not None
        target.append(signature)
        assert status_of(made, root) == ("valid", None)
    else:
        assert status_of(signed(vietnamese(), seller), root) == ("valid", None)


def test_without_a_root_the_signer_is_untrusted(seller: Signer) -> None:
    tree = signed(vietnamese(), seller)
    assert status_of(tree) == ("valid_untrusted_signer", "no_trusted_roots")
    assert status_of(tree, authority("Another")) == ("valid_untrusted_signer", "issuer_not_trusted")


def test_an_expired_certificate_is_not_trusted(root: Signer) -> None:
    tree = signed(vietnamese(), certified(root, expired=True))
    assert status_of(tree, root) == ("valid_untrusted_signer", "certificate_not_valid_then")


def test_one_who_is_no_authority_can_certify_nobody(root: Signer, seller: Signer) -> None:
    forged = certified(seller, name="TỔNG CỤC THUẾ")
    tree = signed(vietnamese(), Signer(forged.certificate, forged.key))
    holder = tree.find(".//{*}X509Data")
    assert holder is not None
    etree.SubElement(holder, "{http://www.w3.org/2000/09/xmldsig#}X509Certificate").text = "".join(
        seller.pem.decode().splitlines()[1:-1]
    )
    assert status_of(tree, root)[0] == "valid_untrusted_signer"


def test_a_changed_amount_is_invalid(root: Signer, seller: Signer) -> None:
    changed = to_bytes(signed(vietnamese(), seller)).replace(b"<TgTTTBSo>1166400", b"<TgTTTBSo>9166400")
    invoice = only(changed, TrustedRoots.of([root.certificate]))
    assert invoice.signatures[0].status == "invalid"
    assert "signature_invalid" in invoice.warnings


def test_another_certificate_in_the_signature_is_invalid(root: Signer, seller: Signer) -> None:
    tree = signed(vietnamese(), seller)
    holder = tree.find(".//{*}X509Certificate")
    assert holder is not None
    holder.text = "".join(certified(root).pem.decode().splitlines()[1:-1])
    assert status_of(tree, root) == ("invalid", "content_or_signature_changed")


def test_a_damaged_certificate_is_invalid(root: Signer, seller: Signer) -> None:
    tree = signed(vietnamese(), seller)
    holder = tree.find(".//{*}X509Certificate")
    assert holder is not None
    holder.text = "AAAA" + (holder.text or "")[4:]
    assert status_of(tree, root) == ("invalid", "certificate_damaged")


def wrapped(tree: etree._Element) -> etree._Element:
    """The signed data moved aside, and a forged one with another total in its place, under another id."""
    data = tree.find("DLHDon")
    assert data is not None
    forged = etree.fromstring(etree.tostring(data).replace(b"1166400", b"9166400"))
    forged.set("Id", "forged")
    tree.replace(data, forged)
    etree.SubElement(tree, "TTKhac").append(data)
    return tree


def test_a_signature_wrapped_around_a_copy_is_invalid(root: Signer, seller: Signer) -> None:
    tree = wrapped(signed(vietnamese(), seller))
    assert only(to_bytes(tree)).total == Decimal(9166400)
    assert status_of(tree, root) == ("invalid", "does_not_cover_invoice")


def test_two_elements_of_one_id_are_invalid(root: Signer, seller: Signer) -> None:
    tree = wrapped(signed(vietnamese(), seller))
    forged = tree.find("DLHDon")
    assert forged is not None
    forged.set("Id", "data")
    assert status_of(tree, root)[0] == "invalid"
    forged.attrib.pop("Id")
    forged.set("ID", "data")  # the library looks for each way of writing it in turn
    assert status_of(tree, root)[0] == "invalid"


def test_a_second_data_element_is_invalid(root: Signer, seller: Signer) -> None:
    tree = signed(vietnamese(), seller)
    forged = etree.fromstring(vietnamese()).find("DLHDon")
    assert forged is not None
    forged.set("Id", "forged")
    tree.insert(0, forged)
    assert status_of(tree, root) == ("invalid", "does_not_cover_invoice")


def test_a_reference_to_the_signature_alone_is_invalid(root: Signer, seller: Signer) -> None:
    tree = etree.fromstring(vietnamese())
    place = tree.find("DSCKS")
    assert place is not None
    place.set("Id", "elsewhere")
    assert status_of(signed("", seller, reference="#elsewhere", root=tree), root) == (
        "invalid", "does_not_cover_invoice",
    )  # fmt: skip


def test_swapped_references_are_invalid(root: Signer, seller: Signer) -> None:
    """The signature of one invoice on another."""
    taken = signed(vietnamese(), seller).find(".//{*}Signature")
    tree = etree.fromstring(vietnamese(number="126"))
    target = tree.find("DSCKS/NBan")
    assert taken is not None
    assert target is not None
    target.append(taken)
    assert status_of(tree, root) == ("invalid", "content_or_signature_changed")


def test_somebody_elses_signature_is_told(root: Signer) -> None:
    invoice = only(
        to_bytes(signed(vietnamese(), certified(root, code="0100109106"))), TrustedRoots.of([root.certificate])
    )
    assert invoice.signatures[0].matches_seller is False
    assert "signer_is_not_seller" in invoice.warnings


def test_a_weak_algorithm_is_not_checked(root: Signer, seller: Signer) -> None:
    data = to_bytes(signed(vietnamese(), seller)).replace(
        b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1"
    )
    assert status_of(data, root) == ("unchecked", "weak_algorithm")


def test_an_unknown_transform_is_not_checked(root: Signer, seller: Signer) -> None:
    data = to_bytes(signed(vietnamese(), seller)).replace(
        b"http://www.w3.org/2000/09/xmldsig#enveloped-signature", b"http://www.w3.org/2000/09/xmldsig#base64"
    )
    assert status_of(data, root) == ("unchecked", "unsupported_transform")


def test_seller_and_tax_authority_both_sign(root: Signer, seller: Signer) -> None:
    office = certified(root, code="0100231226", name="CỤC THUẾ")
    tree = signed("", office, place="CQT", root=signed(vietnamese(), seller))
    # The library signs a tree that holds the seller's signature already: each is found by its own place.
    signatures = only(to_bytes(tree), TrustedRoots.of([root.certificate])).signatures
    assert [(signature.role, signature.status) for signature in signatures] == [
        ("seller", "valid"), ("tax_authority", "valid"),
    ]  # fmt: skip


def test_each_invoice_of_a_message_has_its_own_signature(root: Signer, seller: Signer) -> None:
    """All carry the same ids, as providers write them."""
    good = etree.tostring(signed(vietnamese(number="1"), seller), encoding="unicode")
    bad = etree.tostring(signed(vietnamese(number="2"), seller), encoding="unicode").replace("1166400", "1166401")
    found = read(message(good, bad), TrustedRoots.of([root.certificate]))
    assert [invoice.signatures[0].status for invoice in found] == ["valid", "invalid"]


CII = """<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
 xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
 xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
<rsm:ExchangedDocument><ram:ID>R-7</ram:ID><ram:TypeCode>380</ram:TypeCode>
<ram:IssueDateTime><udt:DateTimeString format="102">20260305</udt:DateTimeString></ram:IssueDateTime>
</rsm:ExchangedDocument><rsm:SupplyChainTradeTransaction>
<ram:IncludedSupplyChainTradeLineItem><ram:AssociatedDocumentLineDocument><ram:LineID>1</ram:LineID>
</ram:AssociatedDocumentLineDocument><ram:SpecifiedTradeProduct><ram:Name>Handtücher</ram:Name>
</ram:SpecifiedTradeProduct><ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice>
<ram:ChargeAmount>4.50</ram:ChargeAmount></ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
<ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="H87">20</ram:BilledQuantity>
</ram:SpecifiedLineTradeDelivery><ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax>
<ram:RateApplicablePercent>19</ram:RateApplicablePercent></ram:ApplicableTradeTax>
<ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>90.00</ram:LineTotalAmount>
</ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
</ram:IncludedSupplyChainTradeLineItem>
<ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty><ram:Name>Wäscherei Blau GmbH</ram:Name>
<ram:SpecifiedTaxRegistration><ram:ID schemeID="FC">12/345</ram:ID></ram:SpecifiedTaxRegistration>
<ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">DE123456789</ram:ID></ram:SpecifiedTaxRegistration>
</ram:SellerTradeParty><ram:BuyerTradeParty><ram:Name>Hotel See</ram:Name></ram:BuyerTradeParty>
</ram:ApplicableHeaderTradeAgreement><ram:ApplicableHeaderTradeSettlement>
<ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode><ram:ApplicableTradeTax>
<ram:CalculatedAmount>17.10</ram:CalculatedAmount><ram:BasisAmount>90.00</ram:BasisAmount>
<ram:RateApplicablePercent>19</ram:RateApplicablePercent></ram:ApplicableTradeTax>
<ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime><udt:DateTimeString format="102">20260404</udt:DateTimeString>
</ram:DueDateDateTime></ram:SpecifiedTradePaymentTerms>
<ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:TaxBasisTotalAmount>90.00</ram:TaxBasisTotalAmount>
<ram:TaxTotalAmount currencyID="CHF">16.00</ram:TaxTotalAmount>
<ram:TaxTotalAmount currencyID="EUR">17.10</ram:TaxTotalAmount><ram:GrandTotalAmount>107.10</ram:GrandTotalAmount>
<ram:TotalPrepaidAmount>7.10</ram:TotalPrepaidAmount><ram:DuePayableAmount>100.00</ram:DuePayableAmount>
</ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>
</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"""


def test_a_cross_industry_invoice_is_read() -> None:
    invoice = only(CII)
    assert (invoice.number, invoice.date, invoice.due_date) == ("R-7", date(2026, 3, 5), date(2026, 4, 4))
    assert (invoice.seller.name, invoice.seller.tax_code) == ("Wäscherei Blau GmbH", "DE123456789")
    assert (invoice.buyer.name, invoice.currency) == ("Hotel See", "EUR")
    assert (invoice.subtotal, invoice.tax, invoice.total) == (90, Decimal("17.10"), Decimal("107.10"))
    assert (invoice.paid, invoice.due) == (Decimal("7.10"), 100)
    (line,) = invoice.lines
    assert (line.description, line.quantity, line.unit_price, line.tax_rate) == (
        "Handtücher", 20, Decimal("4.50"), "19%",
    )  # fmt: skip
    assert invoice.warnings == ()


def test_a_credit_note_is_told_by_its_code() -> None:
    assert only(CII.replace(">380<", ">381<")).kind is DocumentKind.CREDIT_NOTE


UBL = """<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
<cbc:ID>SG-9</cbc:ID><cbc:IssueDate>2026-05-01</cbc:IssueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
<cbc:DocumentCurrencyCode>SGD</cbc:DocumentCurrencyCode>
<cac:AccountingSupplierParty><cac:Party><cac:PartyTaxScheme><cbc:CompanyID>M2-1234</cbc:CompanyID>
</cac:PartyTaxScheme><cac:PartyLegalEntity><cbc:RegistrationName>Linen Pte Ltd</cbc:RegistrationName>
</cac:PartyLegalEntity></cac:Party></cac:AccountingSupplierParty>
<cac:TaxTotal><cbc:TaxAmount currencyID="SGD">9.00</cbc:TaxAmount><cac:TaxSubtotal>
<cbc:TaxableAmount currencyID="SGD">100.00</cbc:TaxableAmount><cbc:TaxAmount currencyID="SGD">9.00</cbc:TaxAmount>
<cac:TaxCategory><cbc:Percent>9</cbc:Percent></cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal>
<cac:LegalMonetaryTotal><cbc:TaxExclusiveAmount currencyID="SGD">100.00</cbc:TaxExclusiveAmount>
<cbc:TaxInclusiveAmount currencyID="SGD">109.00</cbc:TaxInclusiveAmount>
<cbc:PayableAmount currencyID="SGD">109.00</cbc:PayableAmount></cac:LegalMonetaryTotal>
<cac:InvoiceLine><cbc:ID>1</cbc:ID><cbc:InvoicedQuantity unitCode="EA">200</cbc:InvoicedQuantity>
<cbc:LineExtensionAmount currencyID="SGD">100.00</cbc:LineExtensionAmount><cac:Item><cbc:Name>Napkins</cbc:Name>
</cac:Item><cac:Price><cbc:PriceAmount currencyID="SGD">50.00</cbc:PriceAmount>
<cbc:BaseQuantity unitCode="EA">100</cbc:BaseQuantity></cac:Price></cac:InvoiceLine></Invoice>"""


def test_a_ubl_invoice_is_read() -> None:
    invoice = only(UBL)
    assert (invoice.standard, invoice.number, invoice.date) == (Standard.UBL, "SG-9", date(2026, 5, 1))
    assert (invoice.seller.name, invoice.seller.tax_code) == ("Linen Pte Ltd", "M2-1234")
    assert (invoice.subtotal, invoice.tax, invoice.total, invoice.currency) == (100, 9, 109, "SGD")
    assert (invoice.lines[0].unit_price, invoice.lines[0].quantity) == (Decimal("0.5"), 200)
    assert [(line.rate_percent, line.base, line.tax) for line in invoice.tax_lines] == [(9, 100, 9)]
    assert invoice.warnings == ()


def test_a_root_called_invoice_in_another_namespace_is_none_of_ours() -> None:
    assert read('<Invoice xmlns="urn:un:unece:uncefact:data:standard:CBFBUY:5"/>') == []
