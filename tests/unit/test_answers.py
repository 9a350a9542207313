"""How answers are made of what workflows return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from app.core.ocr.identity import IdentityDocument, OtherPaper
from app.core.ocr.identity_values import FieldSource, FieldValue
from app.core.ocr.issuers.base import DocumentType
from app.core.ocr_engine import IdentityReading
from app.models.common import Location, Response, Score
from app.models.ocr import IdentityRequest, IdentityResponse
from app.types import Box
from app.utils.image_processing import bounded
from app.workflows.access import Caller
from app.workflows.ocr import IdentityResult

NUMBER = FieldValue("D12345678", 0.97, FieldSource.OCR)


class Scored(Response):
    name: str
    score: Score
    note: str | None = None


@dataclass(frozen=True)
class Source:
    name: str
    score: float
    hidden: str = "stays inside"


def test_an_answer_takes_the_fields_that_have_its_names() -> None:
    answer = Scored.like(Source("a", 0.123456), note="own")
    assert answer.model_dump() == {"name": "a", "score": 0.1235, "note": "own"}


def test_places_are_whole_pixels() -> None:
    box = Box(1.4, 2.6, 11.2, 12.5)
    assert Location.of(box).model_dump() == {"x": 1, "y": 3, "width": 10, "height": 9} == box.rectangle()
    assert Location.of_any(None) is None


@pytest.mark.parametrize(
    ("label", "named", "signature"),
    [("front desk", None, "front desk"), ("front desk", "EMP001", "EMP001"), ("k" * 30, None, "k" * 20)],
)
def test_records_name_the_person_or_else_the_key(label: str, named: str | None, signature: str) -> None:
    assert Caller(label, frozenset()).signature(named) == signature


@pytest.mark.parametrize(("size", "small"), [((480, 640), (75, 100)), ((80, 40), (80, 40)), ((4000, 10), (100, 1))])
def test_pictures_are_bounded_and_never_grow(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert bounded(np.zeros((*size, 3), np.uint8), side_px=100).shape == (*small, 3)


def response_to(identity: IdentityDocument, reason: str | None) -> IdentityResponse:
    reading = IdentityReading(identity, reason, "text", "paddleocr", 0)
    request = IdentityRequest(image=b"picture")
    return IdentityResponse.of(IdentityResult(reading, None), request=request, elapsed_ms=7)


def test_a_paper_of_an_unsupported_issuer_is_answered_with_what_was_read() -> None:
    identity = IdentityDocument(DocumentType.DRIVER_LICENSE, {"id_number": NUMBER}, 0.3, ("full_name_not_found",), 1)
    answer = response_to(identity, "unsupported_issuer")
    assert not answer.success
    assert answer.error == "unsupported_issuer"
    assert answer.id_number == "D12345678"
    assert answer.fields["id_number"].confidence == 0.97
    assert answer.result_id is None


def test_a_refused_paper_is_answered_without_its_fields() -> None:
    identity = IdentityDocument(DocumentType.PASSPORT, {"id_number": NUMBER}, 0.9, (), 2)
    answer = response_to(identity, "several_documents")
    assert (answer.success, answer.id_number, answer.fields) == (False, None, {})
    assert answer.document_type == "passport"


def test_the_visa_beside_a_passport_is_answered_too() -> None:
    visa = OtherPaper(DocumentType.VISA, {"id_number": NUMBER})
    identity = IdentityDocument(DocumentType.PASSPORT, {"id_number": NUMBER}, 0.9, (), 1, others=(visa,))
    (other,) = response_to(identity, None).others
    assert (other.document_type, other.fields["id_number"].value) == ("visa", "D12345678")
