"""The United States: driving licences and identification cards of the states, the month before the day."""

from __future__ import annotations

from app.core.ocr.issuers.base import DocumentType, Issuer

_LABELS = {
    "surname": ("ln",),
    "given_names": ("fn",),
    "issue_date": ("lss",),
    "document_number": ("dl number", "customer identifier", "lic number", "id card number", "uscis no", "dl num"),
    "other": ("vehicle classifications", "previous type", "rev", "under until", "veteran", "card number"),
}
_TITLES = {
    DocumentType.DRIVER_LICENSE: ("driver license", "driver s license", "commercial driver license"),
    DocumentType.ID_CARD: ("identification card", "permanent resident", "permanent resident card"),
}
_MARKS = (
    "usa", "united states of america", "alabama", "alaska", "arizona", "arkansas", "california", "colorado",
    "connecticut", "delaware", "district of columbia", "florida", "hawaii", "idaho", "illinois", "indiana", "iowa",
    "kansas", "kentucky", "louisiana", "maine", "maryland", "massachusetts", "michigan", "minnesota", "mississippi",
    "missouri", "montana", "nebraska", "nevada", "new hampshire", "new jersey", "new mexico", "new york",
    "north carolina", "north dakota", "ohio", "oklahoma", "oregon", "pennsylvania", "rhode island", "south carolina",
    "south dakota", "tennessee", "texas", "utah", "vermont", "virginia", "washington", "west virginia", "wisconsin",
    "wyoming", "puerto rico",
)  # fmt: skip

PROFILE = Issuer(
    country="US",
    code="USA",
    labels=_LABELS,
    labels_in_capitals=True,
    titles=_TITLES,
    marks=_MARKS,
    month_first=True,
    number_code="4d",
    is_fully_known=False,
)
