"""Vietnamese VAT invoices, till receipts and English invoices in several layouts."""

from __future__ import annotations

import random
from collections.abc import Callable

from synthetic_documents.base import Canvas, SyntheticDocument, families
from synthetic_documents.invoice_drafts import InvoiceDraft, draft, english_draft, money
from synthetic_documents.words import amount_in_words


def _ruled(rng: random.Random, invoice: InvoiceDraft) -> Canvas:
    """The state form: centred title, ruled table, values after dotted labels."""
    canvas = Canvas(1240, 1560, family=rng.choice(families()))
    canvas.write((620, 60), "HÓA ĐƠN GIÁ TRỊ GIA TĂNG", 36, bold=True, colour=(180, 30, 30), anchor="ma")
    canvas.write((620, 108), "(VAT INVOICE)", 20, anchor="ma")
    canvas.write((620, 140), f"Ngày {invoice.day:%d} tháng {invoice.day:%m} năm {invoice.day:%Y}", 22, anchor="ma")
    canvas.write((900, 60), f"Ký hiệu (Serial): {invoice.serial}", 21)
    canvas.write((900, 92), f"Số (No.): {invoice.number}", 21, bold=True)
    y = 200.0
    for text in (
        f"Đơn vị bán hàng (Seller): {invoice.seller}",
        f"Mã số thuế (Tax code): {invoice.seller_tax_code}",
        f"Địa chỉ (Address): {invoice.seller_address}",
        f"Họ tên người mua hàng (Buyer): {invoice.buyer_person}",
        f"Tên đơn vị (Company's name): {invoice.buyer}",
        f"Mã số thuế (Tax code): {invoice.buyer_tax_code}",
        f"Hình thức thanh toán (Payment method): {invoice.payment}",
    ):
        for line in canvas.wrap(text, 22, 1120):
            canvas.write((60, y), line, 22)
            y += 36
    return _table(canvas, invoice, y + 16, mark=".", rules=True)


def _open(rng: random.Random, invoice: InvoiceDraft) -> Canvas:
    """An e-invoice: seller as a letter head, table without rules, amounts with commas."""
    canvas = Canvas(1240, 1560, family=rng.choice(families()))
    for index, line in enumerate(canvas.wrap(invoice.seller, 28, 1000, bold=True)):
        canvas.write((60, 50 + 38 * index), line, 28, bold=True, colour=(20, 60, 120))
    canvas.write((60, 130), f"MST: {invoice.seller_tax_code}", 21)
    canvas.write((60, 162), f"Địa chỉ: {invoice.seller_address}", 21)
    canvas.write((620, 230), "HÓA ĐƠN GIÁ TRỊ GIA TĂNG", 34, bold=True, anchor="ma")
    canvas.write((60, 290), f"Ký hiệu: {invoice.serial}", 21)
    canvas.write((460, 290), f"Số: {invoice.number}", 21, bold=True)
    canvas.write((860, 290), f"Ngày lập: {invoice.day:%d/%m/%Y}", 21)
    canvas.write((60, 340), f"Người mua hàng: {invoice.buyer_person}", 21)
    canvas.write((60, 374), f"Đơn vị: {invoice.buyer}", 21)
    canvas.write((60, 408), f"MST người mua: {invoice.buyer_tax_code}", 21)
    canvas.write((700, 408), f"Hình thức thanh toán: {invoice.payment}", 21)
    return _table(canvas, invoice, 470, mark=",", rules=False)


def _table(canvas: Canvas, invoice: InvoiceDraft, y: float, *, mark: str, rules: bool) -> Canvas:
    """The lines of the invoice and its totals."""
    edges = (60, 120, 560, 660, 780, 960, 1180)
    heads = ("STT", "Tên hàng hóa, dịch vụ", "ĐVT", "Số lượng", "Đơn giá", "Thành tiền")
    top = y
    for head, left, right in zip(heads, edges[:-1], edges[1:], strict=True):
        canvas.write(((left + right) / 2, y + 8), head, 21, bold=True, anchor="ma")
    y += 44
    lines_at = [top, y]
    for number, (item, unit) in enumerate(zip(invoice.items, invoice.units, strict=True), start=1):
        wrapped = canvas.wrap(item.description, 21, edges[2] - edges[1] - 20)
        middle = y + 8 + 14 * (len(wrapped) - 1)
        for index, line in enumerate(wrapped):
            canvas.write((edges[1] + 8, y + 8 + 28 * index), line, 21)
        canvas.write(((edges[0] + edges[1]) / 2, middle), str(number), 21, anchor="ma")
        canvas.write(((edges[2] + edges[3]) / 2, middle), unit, 21, anchor="ma")
        canvas.write((edges[4] - 12, middle), f"{item.quantity:g}", 21, anchor="ra")
        canvas.write((edges[5] - 12, middle), money(item.unit_price, mark), 21, anchor="ra")
        canvas.write((edges[6] - 12, middle), money(item.amount, mark), 21, anchor="ra")
        y += 28 * len(wrapped) + 18
        lines_at.append(y)
    if rules:
        for line_y in lines_at:
            canvas.draw.line((edges[0], line_y, edges[-1], line_y), fill=(60, 60, 60), width=2)
        for x in edges:
            canvas.draw.line((x, top, x, y), fill=(60, 60, 60), width=2)
    y += 14
    for label, value in (
        ("Cộng tiền hàng:", invoice.subtotal),
        (f"Thuế suất GTGT: {invoice.tax_percent}%   Tiền thuế GTGT:", invoice.tax),
        ("Tổng cộng tiền thanh toán:", invoice.total),
    ):
        canvas.write((500, y), label, 22, bold=label.startswith("Tổng"))
        canvas.write((edges[6] - 12, y), money(value, mark), 22, bold=label.startswith("Tổng"), anchor="ra")
        y += 38
    for line in canvas.wrap(f"Số tiền viết bằng chữ: {amount_in_words(invoice.total)} đồng chẵn", 22, 1100):
        canvas.write((60, y), line, 22)
        y += 32
    return canvas


def _bill(rng: random.Random, invoice: InvoiceDraft) -> Canvas:
    """A narrow till receipt with the numbers of a line below its description."""
    canvas = Canvas(720, 1180, family=rng.choice(families()))
    y = 40.0
    for line in canvas.wrap(invoice.seller, 27, 640, bold=True):
        canvas.write((360, y), line, 27, bold=True, anchor="ma")
        y += 36
    for line in canvas.wrap(f"ĐC: {invoice.seller_address}", 20, 620):
        canvas.write((360, y), line, 20, anchor="ma")
        y += 28
    canvas.write((360, y), f"MST: {invoice.seller_tax_code}", 20, anchor="ma")
    canvas.write((360, y + 44), "HÓA ĐƠN BÁN HÀNG", 30, bold=True, anchor="ma")
    y += 100
    canvas.write((40, y), f"Số HĐ: {invoice.number}", 21)
    canvas.write((680, y), f"Ngày: {invoice.day:%d/%m/%Y} 18:{rng.randint(10, 59)}", 21, anchor="ra")
    y += 46
    for x, head, anchor in (
        (40, "Tên hàng", "la"),
        (330, "SL", "ra"),
        (500, "Đơn giá", "ra"),
        (680, "Thành tiền", "ra"),
    ):
        canvas.write((x, y), head, 21, bold=True, anchor=anchor)
    y += 40
    for item in invoice.items:
        for line in canvas.wrap(item.description, 21, 640):
            canvas.write((40, y), line, 21)
            y += 30
        canvas.write((330, y), f"{item.quantity:g}", 21, anchor="ra")
        canvas.write((500, y), money(item.unit_price, "."), 21, anchor="ra")
        canvas.write((680, y), money(item.amount, "."), 21, anchor="ra")
        y += 36
    for label, value in (
        ("Cộng tiền hàng:", invoice.subtotal),
        (f"Thuế GTGT ({invoice.tax_percent}%):", invoice.tax),
        ("Tổng thanh toán:", invoice.total),
    ):
        canvas.write((40, y + 12), label, 23, bold=label.startswith("Tổng"))
        canvas.write((680, y + 12), money(value, "."), 23, bold=label.startswith("Tổng"), anchor="ra")
        y += 38
    canvas.write((360, y + 40), "Xin cảm ơn quý khách!", 21, anchor="ma")
    return canvas


def _english(rng: random.Random, invoice: InvoiceDraft) -> Canvas:
    """An invoice in English: seller and title side by side, date with the month's name, table without rules."""
    canvas = Canvas(1240, 1300, family=rng.choice(families()))
    canvas.write((60, 50), invoice.seller, 34, bold=True)
    canvas.write((60, 104), "12 Harbour Road, District 1, Ho Chi Minh City", 20)
    canvas.write((60, 136), f"Tax code: {invoice.seller_tax_code}", 20)
    canvas.write((1180, 50), "INVOICE", 42, bold=True, anchor="ra")
    canvas.write((800, 140), f"Invoice No: {invoice.number}", 21)
    canvas.write((800, 174), f"Date: {invoice.day:%b %d, %Y}", 21)
    canvas.write((60, 200), f"Bill To: {invoice.buyer}", 21)
    y = 280.0
    columns = ((60, "la"), (720, "ra"), (930, "ra"), (1180, "ra"))
    for (x, anchor), head in zip(columns, ("Description", "Qty", "Unit Price", "Amount"), strict=True):
        canvas.write((x, y), head, 21, bold=True, anchor=anchor)
    for item in invoice.items:
        y += 42
        figures = (f"{item.quantity:g}", money(item.unit_price, ","), money(item.amount, ","))
        for (x, anchor), text in zip(columns, (item.description, *figures), strict=True):
            canvas.write((x, y), text, 21, anchor=anchor)
    y += 70
    for label, value in (
        ("Subtotal", invoice.subtotal),
        (f"VAT ({invoice.tax_percent}%)", invoice.tax),
        ("Total", invoice.total),
    ):
        canvas.write((760, y), label, 22, bold=label == "Total")
        canvas.write((1180, y), f"{money(value, ',')} VND", 22, bold=label == "Total", anchor="ra")
        y += 42
    canvas.write((60, y + 20), f"Payment method: {invoice.payment}", 20)
    return canvas


INVOICE_LAYOUTS: dict[str, Callable[[random.Random, InvoiceDraft], Canvas]] = {
    "ruled": _ruled,
    "open": _open,
    "bill": _bill,
    "english": _english,
}


def vat_invoice(seed: int, layout: str) -> SyntheticDocument:
    """An invoice in one of ``INVOICE_LAYOUTS``. ``fields`` lists only what that layout prints."""
    rng = random.Random(seed)
    invoice = english_draft(rng) if layout == "english" else draft(rng)
    canvas = INVOICE_LAYOUTS[layout](rng, invoice)
    truth = {
        "invoice_number": invoice.number,
        "date": invoice.day.isoformat(),
        "vendor": invoice.seller,
        "vendor_tax_code": invoice.seller_tax_code,
        "subtotal": str(invoice.subtotal),
        "tax_rate": str(invoice.tax_percent),
        "tax_amount": str(invoice.tax),
        "total_amount": str(invoice.total),
        "currency": "VND",
    }
    if layout != "bill":
        truth |= {"buyer": invoice.buyer, "payment_method": invoice.payment}
    if layout in ("ruled", "open"):
        truth["invoice_serial"] = invoice.serial
    return SyntheticDocument("invoice", canvas.bgr(), truth, items=invoice.items)
