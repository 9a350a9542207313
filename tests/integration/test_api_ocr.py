"""Documents over HTTP: read, keep, confirm, forget."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from loguru import logger
from numpy.typing import NDArray
from PIL import Image as PillowImage

from app.composition.backends import open_vault
from app.core.ocr.issuers.base import DocumentType
from app.services.database import Database
from app.services.stores.document_store import OtherKind
from app.workflows.ocr_retention import DocumentRetention
from synthetic_documents import (
    citizen_card_2021,
    driver_licence,
    passport,
    photographed,
    vat_invoice,
)
from synthetic_documents.base import Canvas, families
from tests.einvoice_files import authority, certified, message, signed, to_bytes, vietnamese
from tests.integration.conftest import Service, Start
from tests.integration.test_jobs import ended
from tests.photos import cat, coffee, jpeg

pytestmark = pytest.mark.any_server

API = "/api/v1/cv/ocr"


UTOPIA = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
"""The zone of the specimen in ICAO Doc 9303."""


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    """A service that reads documents, with an empty registry of suppliers."""
    with start_service(OCR_ENABLED=True, INFERENCE_DEADLINE_S=200.0) as own:
        own.client.timeout = httpx.Timeout(240)
        yield own


@pytest.fixture(scope="module")
def ocr(service: Service) -> httpx.Client:
    return service.client


WHITE = np.full((400, 300, 3), 255, np.uint8)


def encoded(image: NDArray[np.uint8]) -> str:
    return base64.b64encode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()).decode()


def pdf_of(image: NDArray[np.uint8], pages: int = 1) -> bytes:
    """A scan: pages that are pictures."""
    picture = PillowImage.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    file = io.BytesIO()
    picture.save(file, "PDF", save_all=True, append_images=[picture] * (pages - 1))
    return file.getvalue()


def read_invoice(client: httpx.Client, image: str, **fields: Any) -> httpx.Response:
    return client.post(f"{API}/invoice", json={"image": image, **fields})


def read_id(client: httpx.Client, image: str, **fields: Any) -> httpx.Response:
    return client.post(f"{API}/id", json={"image": image, **fields})


def test_an_invoice_is_answered_as_the_spec_does(ocr: httpx.Client) -> None:
    document = vat_invoice(1, "ruled")
    answer = read_invoice(ocr, encoded(photographed(document.image, 1)), language="vi")
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["total_amount"] == int(document.fields["total_amount"])
    assert body["date"] == document.fields["date"]
    assert body["currency"] == "VND"
    assert body["tax_amount"] == int(document.fields["tax_amount"])
    assert body["vendor_tax_code"] == document.fields["vendor_tax_code"]
    assert body["invoice_number"] == document.fields["invoice_number"]
    assert [item["amount"] for item in body["items"]] == [item.amount for item in document.items]
    assert 0.7 < body["confidence"] <= 1
    assert body["raw_text"]
    assert body["ocr_time_ms"] > 0
    assert body["engine"] == "paddleocr"


def test_the_xml_of_an_e_invoice_is_read_exactly(ocr: httpx.Client) -> None:
    root = authority()
    document = base64.b64encode(to_bytes(signed(vietnamese(), certified(root)))).decode()
    answer = read_invoice(ocr, document)
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert (body["engine"], body["confidence"], body["document_kind"]) == ("xml", 1.0, "invoice")
    assert (body["total_amount"], body["tax_amount"], body["subtotal"]) == (1166400, 86400, 1080000)
    assert body["fields"]["total_amount"] == {"value": "1166400", "confidence": 1.0, "source": "xml", "places": []}
    assert [item["amount"] for item in body["items"]] == [600000, 480000]
    assert body["signatures"][0]["status"] == "valid_untrusted_signer"
    assert body["e_invoice"]["seller"]["address"] == "12 Lê Duẩn, Đà Nẵng"
    stored = ocr.get(f"{API}/results/{body['result_id']}").json()
    assert stored["extracted_data"]["total_amount"] == 1166400


def test_each_invoice_of_a_message_is_kept(ocr: httpx.Client) -> None:
    file = message(vietnamese(number="1"), vietnamese(number="2")).encode()
    body = ocr.post(f"{API}/invoice", files={"image": ("invoices.xml", file, "application/xml")}).json()
    assert [document["invoice_number"] for document in body["documents"]] == ["1", "2"]
    assert len({document["result_id"] for document in body["documents"]}) == 2
    assert body["invoice_number"] == "1"


def test_xml_with_a_document_type_is_refused(ocr: httpx.Client) -> None:
    bomb = "<!DOCTYPE HDon [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + vietnamese(seller="&x;")
    answer = read_invoice(ocr, base64.b64encode(bomb.encode()).decode())
    assert answer.status_code == 422
    assert answer.json()["code"] == "xml_with_doctype"


def test_a_card_is_answered_as_the_spec_does(ocr: httpx.Client) -> None:
    document = citizen_card_2021(2)
    answer = read_id(ocr, encoded(photographed(document.image, 2)), document_type="id_card", country="VN")
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["document_type"] == "id_card"
    for field in ("id_number", "full_name", "date_of_birth", "gender", "nationality", "expiry_date"):
        assert body[field] == document.fields[field], field
    assert body["fields"]["id_number"]["source"] == "qr"
    assert 0.9 < body["confidence"] <= 1


def test_a_passport_is_read_by_its_machine_zone(ocr: httpx.Client) -> None:
    document = passport(3)
    body = read_id(ocr, encoded(photographed(document.image, 3))).json()
    assert body["success"] is True
    assert body["document_type"] == "passport"
    for field in ("id_number", "date_of_birth", "gender", "nationality", "expiry_date"):
        assert body[field] == document.fields[field], field
    assert body["fields"]["expiry_date"]["source"] in ("mrz", "ocr")


def test_a_foreign_paper_is_named_only_where_a_country_was_asked_for(ocr: httpx.Client) -> None:
    canvas = Canvas(1200, 840, family=families()[0])
    canvas.write((60, 70), "UTOPIA PASSPORT", 40, bold=True)
    canvas.write((60, 200), "Surname / Nom: ERIKSSON", 28)
    for row, line in enumerate(UTOPIA):
        canvas.write_monospace((40, 680 + 62 * row), line, width_px=1120)
    page = canvas.bgr()
    plain, asked = read_id(ocr, encoded(page)).json(), read_id(ocr, encoded(page), country="VN").json()
    assert plain["id_number"] == asked["id_number"] == "L898902C3"
    assert "issuer_is_not_country" not in plain["warnings"]
    assert "issuer_is_not_country" in asked["warnings"]


def test_a_licence_is_read(ocr: httpx.Client) -> None:
    document = driver_licence(4)
    body = read_id(ocr, encoded(document.image)).json()
    assert body["success"] is True
    assert body["document_type"] == "driver_license"
    assert body["id_number"] == document.fields["id_number"]
    assert body["date_of_birth"] == document.fields["date_of_birth"]


def test_a_picture_that_stands_on_its_side_is_read(ocr: httpx.Client) -> None:
    document = vat_invoice(5, "bill")
    sideways = np.ascontiguousarray(np.rot90(document.image))
    assert read_invoice(ocr, encoded(sideways)).json()["total_amount"] == int(document.fields["total_amount"])


def test_another_type_than_asked_for_is_refused(ocr: httpx.Client) -> None:
    body = read_id(ocr, encoded(driver_licence(4).image), document_type="passport").json()
    assert body["success"] is False
    assert body["error"] == "wrong_document_type"
    assert body["document_type"] == "driver_license"
    assert body["id_number"] is None


def test_two_cards_are_refused(ocr: httpx.Client) -> None:
    both = np.vstack([citizen_card_2021(6).image, citizen_card_2021(7).image])
    body = read_id(ocr, encoded(both)).json()
    assert body["success"] is False
    assert body["error"] == "several_documents"


@pytest.mark.parametrize("endpoint", ["invoice", "id"])
def test_a_blank_page_has_no_text(ocr: httpx.Client, endpoint: str) -> None:
    answer = ocr.post(f"{API}/{endpoint}", json={"image": encoded(np.full((400, 300, 3), 255, np.uint8))})
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert answer.json()["error"] == "no_text_found"


@pytest.mark.parametrize("photo", [cat, coffee])
@pytest.mark.parametrize("endpoint", ["invoice", "id"])
def test_a_photo_of_something_else_is_no_document(
    ocr: httpx.Client, endpoint: str, photo: Callable[[], NDArray[np.uint8]]
) -> None:
    answer = ocr.post(f"{API}/{endpoint}", json={"image": base64.b64encode(jpeg(photo())).decode()})
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert answer.json()["error"] in ("no_text_found", "no_invoice_found", "no_document_found")


def test_a_card_is_no_invoice(ocr: httpx.Client) -> None:
    body = read_invoice(ocr, encoded(citizen_card_2021(2).image)).json()
    assert body["success"] is False
    assert body["error"] == "no_invoice_found"


def test_a_scanned_pdf_is_read_and_its_first_page_shown_to_who_asks(ocr: httpx.Client) -> None:
    document = vat_invoice(8, "open")
    pdf = base64.b64encode(pdf_of(document.image)).decode()
    read = read_invoice(ocr, pdf, keep_image=True).json()
    assert read["total_amount"] == int(document.fields["total_amount"])
    stored = f"{API}/results/{read['result_id']}"
    assert ocr.get(stored).json()["picture"] is None
    jpeg = base64.b64decode(ocr.get(stored, params={"picture": True}).json()["picture"])
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown is not None
    sent = cv2.cvtColor(document.image, cv2.COLOR_BGR2GRAY)
    assert shown.shape[1] / shown.shape[0] == pytest.approx(sent.shape[1] / sent.shape[0], rel=0.01)
    small = [cv2.resize(one, (100, 140), interpolation=cv2.INTER_AREA) for one in (shown, sent)]
    assert float(np.mean(cv2.absdiff(*small))) < 8  # of 255


def test_every_invoice_of_a_scan_is_answered_and_stored(ocr: httpx.Client) -> None:
    documents = [vat_invoice(8, "open"), vat_invoice(9, "ruled")]
    first, second = (PillowImage.fromarray(np.ascontiguousarray(d.image[:, :, ::-1])) for d in documents)
    file = io.BytesIO()
    first.save(file, "PDF", save_all=True, append_images=[second])
    answer = read_invoice(ocr, base64.b64encode(file.getvalue()).decode(), language="vi").json()
    totals = [int(document.fields["total_amount"]) for document in documents]
    assert [document["total_amount"] for document in answer["documents"]] == totals
    assert answer["total_amount"] == totals[0]
    assert len({document["result_id"] for document in answer["documents"]}) == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"image": ""}, 422, "empty_image"),
        ({"image": "not base64!"}, 422, None),
        ({"image": base64.b64encode(b"hello").decode()}, 422, "unsupported_image"),
        ({"image": base64.b64encode(jpeg(coffee())[:5000]).decode()}, 422, "damaged_image"),
        ({"image": base64.b64encode(b"%PDF-1.7 nothing").decode()}, 422, "damaged_pdf"),
        ({}, 422, None),
    ],
    ids=["empty", "no base64", "no picture", "cut off", "damaged pdf", "no image"],
)
@pytest.mark.parametrize("endpoint", ["invoice", "id"])
def test_bad_documents_are_refused(
    ocr: httpx.Client, endpoint: str, body: dict[str, str], status: int, code: str | None
) -> None:
    answer = ocr.post(f"{API}/{endpoint}", json=body)
    assert answer.status_code == status
    if code is not None:
        assert answer.json()["code"] == code


def test_a_long_pdf_is_refused(ocr: httpx.Client) -> None:
    pdf = pdf_of(np.full((80, 60, 3), 255, np.uint8), pages=100)
    answer = read_invoice(ocr, base64.b64encode(pdf).decode())
    assert answer.status_code == 422
    assert answer.json()["code"] == "too_many_pages"


def test_an_invoice_of_many_pages_is_read_by_a_job(ocr: httpx.Client) -> None:
    document = vat_invoice(1, "ruled")
    first, blank = (PillowImage.fromarray(np.ascontiguousarray(i[:, :, ::-1])) for i in (document.image, WHITE))
    file = io.BytesIO()
    first.save(file, "PDF", save_all=True, append_images=[blank] * 6)  # one page more than is answered at once
    answer = read_invoice(ocr, base64.b64encode(file.getvalue()).decode(), language="vi")
    assert answer.status_code == 202, answer.text
    assert answer.json()["total"] == 7
    job = ended(ocr, answer)
    assert (job["state"], job["done"]) == ("succeeded", 7), job
    assert job["result"]["total_amount"] == int(document.fields["total_amount"])
    assert job["result"]["result_id"] > 0
    assert job["result"]["ocr_time_ms"] > 0


def test_a_caller_may_ask_for_a_job(ocr: httpx.Client) -> None:
    answer = ocr.post(f"{API}/invoice", json={"image": encoded(WHITE)}, headers={"Prefer": "respond-async, wait=5"})
    assert answer.headers["preference-applied"] == "respond-async"
    job = ended(ocr, answer)
    assert (job["state"], job["result"]["success"], job["result"]["error"]) == ("succeeded", False, "no_text_found")


@pytest.mark.parametrize(
    ("endpoint", "field", "value"),
    [("invoice", "language", "xx"), ("id", "document_type", "library_card"), ("id", "country", "ZZ")],
)
def test_unknown_kinds_are_refused(ocr: httpx.Client, endpoint: str, field: str, value: str) -> None:
    image = encoded(np.full((100, 100, 3), 255, np.uint8))
    assert ocr.post(f"{API}/{endpoint}", json={"image": image, field: value}).status_code == 422


def test_a_confirmed_seller_is_recognised_from_then_on(service: Service) -> None:
    document = vat_invoice(9, "bill")
    first = read_invoice(service.client, encoded(photographed(document.image, 9))).json()
    confirmation = service.client.post(
        f"{API}/results/{first['result_id']}/confirm", json={"vendor": "Cửa hàng Đã Xác Nhận", "confirmed_by": "EMP1"}
    )
    assert confirmation.status_code == 200
    assert confirmation.json()["supplier_id"] is not None

    again = read_invoice(service.client, encoded(photographed(document.image, 10))).json()
    assert again["vendor"] == "Cửa hàng Đã Xác Nhận"
    assert again["vendor_known"] is True
    assert service.records.count("audit_log", f"action = 'ocr.read_invoice' AND subject = '{again['result_id']}'") == 1
    stored = service.client.get(f"{API}/results/{first['result_id']}").json()
    assert stored["confirmed"] is True
    assert stored["extracted_data"]["vendor"] == "Cửa hàng Đã Xác Nhận"
    assert stored["extracted_data"]["total_amount"] == first["total_amount"]


def test_results_are_stored_and_found(service: Service) -> None:
    body = read_id(service.client, encoded(citizen_card_2021(11).image), processed_by="EMP7").json()
    stored = service.client.get(f"{API}/results/{body['result_id']}")
    assert stored.status_code == 200
    assert stored.json()["document_type"] == "id_card"
    assert stored.json()["processed_by"] == "EMP7"
    without = service.client.get(f"{API}/results/{body['result_id']}", params={"picture": True})
    assert without.json()["picture"] is None  # none was kept
    assert stored.json()["extracted_data"]["id_number"] == body["id_number"]
    assert stored.json()["redacted"] is False
    assert service.client.get(f"{API}/results/999999").status_code == 404
    entries = service.records.rows(
        "SELECT action, actor FROM audit_log WHERE subject = $1 ORDER BY id", str(body["result_id"])
    )
    seen = ("ocr.see_result", "local")
    assert [tuple(entry.values()) for entry in entries] == [("ocr.read_identity", "EMP7"), seen, seen]
    assert service.client.post(f"{API}/results/999999/confirm", json={}).status_code == 404


def test_what_a_document_says_never_reaches_the_logs(service: Service) -> None:
    card, invoice = citizen_card_2021(13), vat_invoice(13, "bill")
    logged: list[str] = []
    sink = logger.add(logged.append, level=0, serialize=True, diagnose=True)
    try:
        body = read_id(service.client, encoded(card.image)).json()
        bill = read_invoice(service.client, encoded(invoice.image)).json()
        service.client.post(f"{API}/results/{bill['result_id']}/confirm", json={"vendor": "Bí mật"})
        read_id(service.client, encoded(card.image), document_type="passport")
    finally:
        logger.remove(sink)
    text = unicodedata.normalize("NFC", "".join(json.dumps(json.loads(line), ensure_ascii=False) for line in logged))
    assert "/api/v1/cv/ocr/id" in text
    secrets = {*card.fields.values(), invoice.fields["vendor"], invoice.fields["vendor_tax_code"], "Bí mật"}
    secrets |= {row for row in bill["raw_text"].splitlines() if len(row) >= 8} - {"Male", "Female"}
    assert body["full_name"] in secrets
    assert [secret for secret in secrets - {"Male", "Female", "Vietnamese"} if secret in text] == []


def test_a_picture_is_kept_only_where_that_was_asked(service: Service) -> None:
    image = encoded(citizen_card_2021(14).image)
    ids = {keep: read_id(service.client, image, keep_image=keep).json()["result_id"] for keep in (False, True)}
    rows = {
        keep: service.records.rows("SELECT object_key FROM ocr_result_records WHERE result_id = $1", result_id)
        for keep, result_id in ids.items()
    }
    assert rows[False][0]["object_key"] is None
    assert rows[True][0]["object_key"] in service.records.objects("ocr/")
    assert service.records.count("pending_removals") == 0


def test_a_picture_without_its_row_goes_again(service: Service) -> None:
    records = service.records
    before = records.objects("ocr/")
    records.rows("ALTER TABLE ocr_result_records ADD CONSTRAINT refuse_new CHECK (object_key IS NULL) NOT VALID")
    try:
        refused = read_id(service.client, encoded(citizen_card_2021(14).image), keep_image=True)
    finally:
        records.rows("ALTER TABLE ocr_result_records DROP CONSTRAINT refuse_new")
    assert refused.status_code >= 500
    assert len(records.objects("ocr/")) == len(before) + 1
    assert records.count("pending_removals") == 1
    records.rows("UPDATE pending_removals SET retry_at = NOW()")
    records.wait_until(lambda: records.objects("ocr/") == before and records.count("pending_removals") == 0)


async def redact_old_results(service: Service, action: Any) -> None:
    url = service.settings.DATABASE_URL.get_secret_value()
    database = Database(url, max_size=2, timeout_s=5, vault=open_vault(service.settings))
    await database.open()
    try:
        await DocumentRetention(database, days=30, action=action).step()
    finally:
        await database.close()


@pytest.mark.parametrize("kind", [*DocumentType, OtherKind.UNKNOWN, "residence_permit"])
def test_papers_of_every_kind_end_with_their_retention(service: Service, kind: str) -> None:
    records = service.records
    [row] = records.rows(
        "WITH kept AS (INSERT INTO ocr_results (document_type, extracted_data, confidence, raw_text, processed_at) "
        "VALUES ($1, $2, 0.9, 'TRAN THI B', NOW() - INTERVAL '31 days') RETURNING id) "
        "INSERT INTO ocr_result_records (result_id) SELECT id FROM kept RETURNING result_id",
        kind,
        {"full_name": "TRAN THI B", "engine": "paddleocr"},
    )
    asyncio.run(redact_old_results(service, "drop"))
    stored = service.client.get(f"{API}/results/{row['result_id']}").json()
    assert stored["redacted"] is True
    assert stored["extracted_data"] == {"engine": "paddleocr"}


@pytest.mark.parametrize("action", ["mask", "drop"])
def test_identity_fields_end_with_their_retention(service: Service, action: Any) -> None:
    document = citizen_card_2021(12)
    result_id = read_id(service.client, encoded(document.image), keep_image=True).json()["result_id"]
    records = service.records
    records.rows("UPDATE ocr_results SET processed_at = NOW() - INTERVAL '31 days' WHERE id = $1", result_id)
    [kept] = records.rows("SELECT object_key FROM ocr_result_records WHERE result_id = $1", result_id)
    assert kept["object_key"] in records.objects("ocr/")
    asyncio.run(redact_old_results(service, action))
    stored = service.client.get(f"{API}/results/{result_id}").json()
    assert stored["redacted"] is True
    assert stored["raw_text"] is None
    assert service.client.get(f"{API}/results/{result_id}?picture=true").json()["picture"] is None
    left = str(stored["extracted_data"])
    assert document.fields["id_number"] not in left
    assert document.fields["full_name"] not in left
    assert document.fields["date_of_birth"] not in left
    if action == "mask":
        assert stored["extracted_data"]["id_number"] == "********" + document.fields["id_number"][-4:]
    else:
        assert "id_number" not in stored["extracted_data"]
    assert service.client.post(f"{API}/results/{result_id}/confirm", json={}).status_code == 409
    assert records.count("ocr_result_records", f"result_id = {result_id} AND object_key IS NOT NULL") == 0
    records.wait_until(lambda: kept["object_key"] not in records.objects("ocr/"))


def test_requests_are_counted_under_both_names(ocr: httpx.Client) -> None:
    read_id(ocr, encoded(citizen_card_2021(2).image))
    metrics = ocr.get("/api/v1/cv/metrics").text
    assert 'cv_ocr_total{type="id"}' in metrics
    assert 'cv_ocr_requests_total{document_type="id_card"}' in metrics


def text_pdf(lines: list[str]) -> bytes:
    """A PDF with a text layer, written by hand: Helvetica needs no embedding."""
    text = " ".join(f"({line}) Tj 0 -24 Td" for line in lines)
    stream = f"BT /F1 14 Tf 60 760 Td {text} ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer


def test_a_text_pdf_is_read_over_http(ocr: httpx.Client) -> None:
    pdf = text_pdf(["ABC SUPPLIES LTD", "INVOICE No: A-17", "Date: 17/01/2025", "Total: 1,000.00 USD"])
    body = read_invoice(ocr, base64.b64encode(pdf).decode()).json()
    assert body["success"] is True
    assert body["engine"] == "pdf_text"
    assert (body["total_amount"], body["currency"], body["date"]) == (1000, "USD", "2025-01-17")


def test_an_encrypted_pdf_is_refused(ocr: httpx.Client) -> None:
    answer = read_invoice(ocr, base64.b64encode(ENCRYPTED_PDF).decode())
    assert answer.status_code == 422
    assert answer.json()["code"] == "encrypted_pdf"


ENCRYPTED_PDF = text_pdf(["secret"]).replace(
    b"trailer << ",
    b"trailer << /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"41" * 32 + b"> /U <" + b"42" * 32 + b"> >> "
    b"/ID [<41414141414141414141414141414141> <41414141414141414141414141414141>] ",
)
"""Locked by a password that nobody knows: the keys in it are no keys of any."""
