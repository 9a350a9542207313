"""Papers of countries without a profile, visas, and what zones leave open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from app.core.ocr.identity import IdentityDocument, fuse
from app.core.ocr.identity_values import FieldSource
from app.core.ocr.issuers.base import DocumentType
from app.core.ocr.layout import arrange
from app.core.ocr.mrz import Mrz, parse_mrz
from app.core.ocr.name_spelling import spell_name
from app.core.ocr_engine import refusal_of
from app.types import TextLine

TODAY = date(2026, 11, 28)
Rows = Sequence[Sequence[tuple[float, str]]]


def page_of(rows: Rows) -> list[TextLine]:
    """Rows of ``(x, text)`` 40 px apart, letters 20 px high."""
    return [
        TextLine(np.array([[x, y], [right, y], [right, y + 20], [x, y + 20]], np.float32), text, 0.97)
        for y, row in ((40.0 * index, row) for index, row in enumerate(rows))
        for x, text, right in ((x, text, x + 11 * len(text)) for x, text in row)
    ]


def read(rows: Rows, *zones: Sequence[str]) -> IdentityDocument:
    found = [zone for lines in zones if (zone := parse_mrz(lines, today=TODAY)) is not None]
    assert len(found) == len(zones)
    return fuse(arrange(page_of(rows)), codes=[], zones=found, today=TODAY)


def values_of(identity: IdentityDocument) -> dict[str, str]:
    return {name: field.value for name, field in identity.fields.items()}


def zone_of(*lines: str) -> Mrz:
    zone = parse_mrz(lines, today=TODAY)
    assert zone is not None
    return zone


# Driving licences, by their field codes

BRITISH = [
    [(300, "DRIVING LICENCE")],
    [(300, "1. MORGAN")],
    [(300, "2. SARAH")],
    [(300, "3. 11.03.1976 UNITED KINGDOM")],
    [(300, "4a. 19.01.2023 4c. DVLA")],
    [(300, "4b. 18.01.2033")],
    [(300, "5. MORGA753116SM9IJ")],
]
ARIZONA = [
    [(300, "Arizona"), (500, "DRIVER LICENSE"), (900, "USA")],
    [(300, "9 CLASS D"), (640, "4d DLN D12345678")],
    [(640, "3 DOB 02/01/1957")],
    [(300, "1"), (330, "SAMPLE")],
    [(300, "2"), (330, "JELANI")],
    [(300, "4b EXP 02/01/2028"), (640, "4a ISS 01/10/2023")],
    [(300, "15 SEX M"), (640, "5 DD 1234567890123456")],
]
HEADED = [
    [(300, "MASSACHUSETTS"), (600, "LICENSE")],
    [(560, "4a ISS"), (800, "4d NUMBER")],
    [(570, "03/18/2020"), (810, "820BAC729")],
    [(560, "4b EXP"), (800, "3 DOB")],
    [(570, "01/20/2030"), (810, "03/18/1978")],
    [(440, "1 SOUZA")],
    [(440, "2 JORGE")],
]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            BRITISH,
            {
                "full_name": "MORGAN SARAH",
                "date_of_birth": "1976-03-11",
                "issue_date": "2023-01-19",
                "expiry_date": "2033-01-18",
                "id_number": "MORGA753116SM9IJ",
            },
        ),
        (
            ARIZONA,
            {
                "full_name": "SAMPLE JELANI",
                "date_of_birth": "1957-02-01",
                "issue_date": "2023-01-10",
                "expiry_date": "2028-02-01",
                "id_number": "D12345678",
                "gender": "Male",
            },
        ),
        (
            HEADED,
            {
                "full_name": "SOUZA JORGE",
                "date_of_birth": "1978-03-18",
                "issue_date": "2020-03-18",
                "expiry_date": "2030-01-20",
                "id_number": "820BAC729",
            },
        ),
    ],
    ids=["european", "american", "values under their labels"],
)
def test_a_licence_is_read_by_its_codes(rows: Rows, expected: dict[str, str]) -> None:
    identity = read(rows)
    assert identity.document_type is DocumentType.DRIVER_LICENSE
    assert values_of(identity) == expected
    assert refusal_of(identity, None) is None


def test_a_surname_whose_code_is_lost_is_not_sure() -> None:
    identity = read([*HEADED[:5], [(440, "SOUZA")], *HEADED[6:]])
    assert identity.fields["full_name"].value == "SOUZA JORGE"
    assert identity.fields["full_name"].confidence < 0.8


def test_half_of_a_name_is_none_and_the_issuer_is_not_supported() -> None:
    identity = read([*ARIZONA[:3], *ARIZONA[4:]])
    assert "full_name" not in identity.fields
    assert refusal_of(identity, None) == "unsupported_issuer"
    assert identity.fields["id_number"].value == "D12345678"


def test_dates_in_an_impossible_order_are_doubted() -> None:
    rows = [[(x, text.replace("02/01/2028", "02/01/1957")) for x, text in row] for row in ARIZONA]
    assert read(rows).fields["expiry_date"].confidence < 0.8


@pytest.mark.parametrize(
    ("born", "issued", "birth"),
    [
        ("03/04/1990", "25/12/2020", "1990-04-03"),
        ("03/04/1990", "12/25/2020", "1990-03-04"),
        ("03/04/1990", "05/06/2020", None),
        ("03.04.1990", "05/06/2020", "1990-04-03"),
        ("13 071990", "05/06/2020", "1990-07-13"),
        ("3 ABR 1990", "05/06/2020", "1990-04-03"),
    ],
)
def test_all_dates_of_a_page_settle_their_order(born: str, issued: str, birth: str | None) -> None:
    identity = read(
        [[(300, "RESIDENCE PERMIT")], [(300, f"Date of birth: {born}")], [(300, f"Date of issue: {issued}")]]
    )
    assert values_of(identity).get("date_of_birth") == birth


FRENCH = [
    [(300, "CARTE NATIONALE D'IDENTITÉ / IDENTITY CARD")],
    [(300, "NOM / Surname")],
    [(300, "MARTIN")],
    [(300, "Prénoms / Given names")],
    [(300, "Maëlis-Gaëlle, Marie")],
    [(300, "SEXE / Sex"), (480, "NATIONALITÉ / Nationality"), (800, "DATE DE NAISS. / Date of birth")],
    [(310, "F"), (490, "FRA"), (810, "13 07 1990")],
    [(300, "N° DU DOCUMENT / Document No"), (700, "DATE D'EXPIR. / Expiry date")],
    [(310, "D2H6862M2"), (710, "11 02 2030")],
]
SPANISH = [
    [(300, "DOCUMENTO NACIONAL DE IDENTIDAD")],
    [(300, "APELLIDOS")],
    [(300, "ESPAÑOLA ESPAÑOLA")],
    [(300, "NOMBRE")],
    [(300, "CARMEN")],
    [(300, "NUM SOPORTE"), (600, "FECHA DE NACIMIENTO")],
    [(310, "BAA000589"), (610, "01 01 1980")],
]
INDONESIAN = [
    [(300, "NIK : 3171234567890123")],
    [(300, "Nama : MIRA SETIAWAN")],
    [(300, "Tgl lahir : 18-02-1986")],
    [(300, "Jenis kelamin : PEREMPUAN")],
    [(300, "KARTU TANDA PENDUDUK")],
]
CHINESE = [[(300, "居民身份证")], [(300, "姓名 李明")], [(300, "性别 男")], [(300, "公民身份号码 110101199003071234")]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            FRENCH,
            {
                "full_name": "MARTIN MAËLIS-GAËLLE MARIE",
                "gender": "Female",
                "nationality": "French",
                "date_of_birth": "1990-07-13",
                "id_number": "D2H6862M2",
                "expiry_date": "2030-02-11",
            },
        ),
        (
            SPANISH,
            {"full_name": "ESPAÑOLA ESPAÑOLA CARMEN", "id_number": "BAA000589", "date_of_birth": "1980-01-01"},
        ),
        (
            INDONESIAN,
            {
                "full_name": "MIRA SETIAWAN",
                "id_number": "3171234567890123",
                "date_of_birth": "1986-02-18",
                "gender": "Female",
            },
        ),
        (CHINESE, {"full_name": "李明", "gender": "Male", "id_number": "110101199003071234"}),
    ],
    ids=["fr", "es", "id", "zh"],
)
def test_a_card_without_a_zone_is_read_by_its_labels(rows: Rows, expected: dict[str, str]) -> None:
    identity = read(rows)
    assert identity.document_type is DocumentType.ID_CARD
    assert {name: value for name, value in values_of(identity).items() if name in expected} == expected


# Zones

FRENCH_ZONE = ("IDFRABERTHIER<<<<<<<<<<<<<<<<<<<<<<<", "9409923102854CORINNE<<<<<<<6512068F4")
VISA = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX7408122F96121096ZE184226B<<<<<<")
PASSPORT = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")


def test_a_french_card_of_two_lines_is_read() -> None:
    zone = zone_of(*FRENCH_ZONE)
    assert (zone.layout, zone.number, zone.surname, zone.given_names) == (
        "FRA36",
        "940992310285",
        "BERTHIER",
        "CORINNE",
    )
    assert (zone.birth, zone.sex, zone.expiry) == (date(1965, 12, 6), "F", None)
    assert zone.all_valid


def test_a_card_number_of_more_than_nine_characters_is_read_whole() -> None:
    lines = ("IDBEL592123456<7891<<<<<<<<<<<", "9803101F2903105BEL<<<<<<<<<<<2", "PEETERS<<LOTTE<ANNA<<<<<<<<<<<")
    assert zone_of(*lines).number == "592123456789"
    assert "number" in zone_of(*lines).valid
    wrong = (lines[0].replace("<7891", "<7892"), *lines[1:])
    assert zone_of(*wrong).number == "592123456"


def test_fillers_that_were_read_as_letters_are_no_name() -> None:
    zone = zone_of("P<CZESPECIMENCCVZORCCCCCCCACCCCCCCACCCCCCCCC"[:44], "99006000<8CZE1102299F1609064<<<<<<<<<<<<<<<2")
    assert (zone.surname, zone.given_names) == ("SPECIMEN", "VZOR")
    assert zone.names_doubtful


def test_a_number_whose_zeros_may_be_letters_is_told_by_the_print() -> None:
    zone = ("P<SGPTAN<<OLIVIA<<<<<<<<<<<<<<<<<<<<<<<<<<<<", "00996079B9SGP0002299F3101012<<<<<<<<<<<<<<<6")
    assert set(zone_of(*zone).numbers) == {"0O996079B", "O0996O79B"}
    unprinted = read([[(300, "PASSPORT")], [(300, "Passport No. 00996079B")]], zone)
    assert unprinted.fields["id_number"].confidence < 0.8
    printed = read([[(300, "PASSPORT")], [(300, "Passport No. O0996O79B")]], zone)
    assert printed.fields["id_number"].value == "O0996O79B"
    assert printed.fields["id_number"].confidence > 0.9


def test_a_visa_is_no_passport() -> None:
    identity = read([[(300, "VISA")]], VISA)
    assert identity.document_type is DocumentType.VISA
    assert values_of(identity)["id_number"] == "L8988901C"


def test_a_passport_beside_its_visa_gives_both() -> None:
    identity = read([[(300, "PASSPORT")]], VISA, PASSPORT)
    assert identity.document_type is DocumentType.PASSPORT
    assert values_of(identity)["id_number"] == "L898902C3"
    (visa,) = identity.others
    assert visa.document_type is DocumentType.VISA
    assert visa.fields["id_number"].value == "L8988901C"
    assert refusal_of(identity, None) is None


def test_the_visa_of_somebody_else_is_another_document() -> None:
    other = ("V<UTOSMITH<<JOHN<<<<<<<<<<<<<<<<<<<<<<<<<<<<", VISA[1])
    identity = read([[(300, "PASSPORT")]], other, PASSPORT)
    assert identity.others == ()
    assert refusal_of(identity, None) == "several_documents"


def test_names_that_the_free_reading_of_the_zone_contradicts_are_not_sure() -> None:
    misread = (PASSPORT[0].replace("ERIKSSON", "ERIKSSDN"), PASSPORT[1])
    assert read([[(300, PASSPORT[0])]], misread).fields["full_name"].confidence < 0.8
    assert read([[(300, misread[0].replace("D", "0"))]], misread).fields["full_name"].confidence < 0.8
    assert read([[(300, PASSPORT[0])]], PASSPORT).fields["full_name"].confidence >= 0.9


def test_a_zones_name_takes_the_accents_of_the_print() -> None:
    zone = ("P<ESTMAENNIK<<MARI<LIIS<<<<<<<<<<<<<<<<<<<<<", PASSPORT[1].replace("UTO", "EST"))
    identity = read([[(300, "PASSPORT")], [(300, "MÄNNIK")], [(300, "MARI-LIIS")]], zone)
    assert identity.fields["full_name"].value == "MÄNNIK MARI-LIIS"
    assert identity.fields["full_name"].source is FieldSource.OCR


@pytest.mark.parametrize(
    ("zone", "printed", "spelled"),
    [
        ("MUELLER JOERG", ["Müller", "Jörg"], "MÜLLER JÖRG"),
        ("MULLER JORG", ["MÜLLER", "JÖRG"], "MÜLLER JÖRG"),
        ("OCONNOR SEAN", ["O'Connor", "Seán"], "O'CONNOR SEÁN"),
        ("SORENSEN", ["SØRENSEN", "SORENSEN"], "SØRENSEN"),
        ("ERIKSSDN ANNA", ["ERIKSSON", "ANNA"], "ERIKSSON ANNA"),
        ("ERIKSSDN ANNA", ["ERIKSSON", "ERIKSSAN", "ANNA"], None),
        ("ERIKSSON ANNA", ["ERIKSSON"], None),
        ("", ["ERIKSSON"], None),
    ],
)
def test_names_are_spelled_by_the_words_of_the_page(zone: str, printed: Sequence[str], spelled: str | None) -> None:
    found = spell_name(zone, [(word, 0.97) for word in printed])
    assert (found[0] if found else None) == spelled


def test_print_that_lost_a_letter_is_no_better_than_the_zone() -> None:
    zone = (PASSPORT[0].replace("ANNA<MARIA", "NATACHA<<<"), PASSPORT[1])
    identity = read([[(300, "PASSPORT")], [(300, "Surname: ERIKSSON")], [(300, "Given names: NATACH")]], zone)
    assert identity.fields["full_name"].value == "ERIKSSON NATACHA"


# What is printed of a zone's name, and numbers that stand in the wrong place

DNI_ZONE = ("IDESPBAA000589599999999R<<<<<<", "8001014F2501017ESP<<<<<<<<<<<7", "ESPANOLA<ESPANOLA<<CARMEN<<<<<")


def test_the_zones_own_lines_are_no_print_of_its_name() -> None:
    rows: Rows = [[(40, "DOCUMENTO NACIONAL DE IDENTIDAD")], *([(40, line)] for line in DNI_ZONE)]
    assert values_of(read(rows, DNI_ZONE))["full_name"] == "ESPANOLA ESPANOLA CARMEN"


def test_print_spells_a_zones_name_with_its_accents() -> None:
    rows: Rows = [[(40, "APELLIDOS")], [(40, "ESPAÑOLA")], [(40, "ESPAÑOLA")], [(40, "CARMEN")], [(40, DNI_ZONE[2])]]
    assert values_of(read(rows, DNI_ZONE))["full_name"] == "ESPAÑOLA ESPAÑOLA CARMEN"


def test_a_comma_parts_printed_names() -> None:
    zone = ("P<TWNLIN<<CHIEN<SHENG<<<<<<<<<<<<<<<<<<<<<<<", "M000004264TWN6803029M9801048F122187664<<<<66")
    assert values_of(read([[(40, "LIN,CHIEN-SHENG")]], zone))["full_name"] == "LIN CHIEN-SHENG"


def test_a_number_behind_a_filler_is_read_whole_and_doubted() -> None:
    zone = ("IDCMW<512849702<<<<<<<<<<<<<<<", "6104128M1402209CMW<<<<<<<<<<<1", "PUBLIC<<JON<<<<<<<<<<<<<<<<<<<")
    number = read([[(40, "ISSUED BY THE FEDERAL GOVERNMENT")]], zone).fields["id_number"]
    assert (number.value, number.confidence) == ("512849702", 0.7)
