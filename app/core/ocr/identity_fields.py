"""Cleaning and judging single values of identity papers."""

from __future__ import annotations

import re
from datetime import date

from app.core.ocr.dates import find_dates
from app.core.ocr.text import closest, fold, squeeze

_PROVINCES = frozenset(
    (
        "001", "002", "004", "006", "008", "010", "011", "012", "014", "015", "017", "019", "020", "022", "024",
        "025", "026", "027", "030", "031", "033", "034", "035", "036", "037", "038", "040", "042", "044", "045",
        "046", "048", "049", "051", "052", "054", "056", "058", "060", "062", "064", "066", "067", "068", "070",
        "072", "074", "075", "077", "079", "080", "082", "083", "084", "086", "087", "089", "091", "092", "093",
        "094", "095", "096",
    )
)  # fmt: skip
"""Codes of the birth provinces in personal numbers (Circular 59/2021/TT-BCA, annex I)."""

_DIGIT_LIKE = str.maketrans(
    {"O": "0", "o": "0", "D": "0", "Q": "0", "I": "1", "l": "1", "|": "1", "S": "5", "B": "8", "Z": "2"}
)

_UNMARKED_UNIT = re.compile(r"(?<=[^\s,])(?<!Thị) (?=(?:Thành phố|Quận|Huyện|Tỉnh|Thị xã|Thị trấn|Phường|Xã) )")
"""Where a line of an address broke at a comma, the comma is often lost."""

_SEXES = ("Nam", "Nữ", "Male", "Female", "M", "F")

_NATIONALITIES = {
    "VNM": "Vietnamese", "USA": "American", "GBR": "British", "FRA": "French", "D": "German", "DEU": "German",
    "CHN": "Chinese", "TWN": "Taiwanese", "HKG": "Hong Konger", "JPN": "Japanese", "KOR": "South Korean",
    "THA": "Thai", "LAO": "Lao", "KHM": "Cambodian", "SGP": "Singaporean", "MYS": "Malaysian", "IDN": "Indonesian",
    "PHL": "Filipino", "IND": "Indian", "AUS": "Australian", "NZL": "New Zealander", "CAN": "Canadian",
    "RUS": "Russian",
    "UKR": "Ukrainian", "ITA": "Italian", "ESP": "Spanish", "PRT": "Portuguese", "NLD": "Dutch", "BEL": "Belgian",
    "CHE": "Swiss", "AUT": "Austrian", "SWE": "Swedish", "NOR": "Norwegian", "DNK": "Danish", "FIN": "Finnish",
    "ISL": "Icelandic", "POL": "Polish", "CZE": "Czech", "SVK": "Slovak", "HUN": "Hungarian", "ROU": "Romanian",
    "BGR": "Bulgarian", "GRC": "Greek", "TUR": "Turkish", "ISR": "Israeli", "ZAF": "South African", "BRA": "Brazilian",
    "MEX": "Mexican", "ARG": "Argentine", "IRL": "Irish", "LUX": "Luxembourger", "MMR": "Burmese", "KAZ": "Kazakh",
}  # fmt: skip


def is_personal_number(number: str) -> bool:
    """Whether twelve digits have the structure of a Vietnamese personal number: a province's code first."""
    return re.fullmatch(r"\d{12}", number) is not None and number[:3] in _PROVINCES


def birth_year_and_sex(number: str) -> tuple[int, str]:
    """What a personal number says: ``(year, "Male" or "Female")``. The fourth digit holds century and sex."""
    digit = int(number[3])
    return 1900 + 100 * (digit // 2) + int(number[4:6]), "Female" if digit % 2 else "Male"


def find_personal_numbers(text: str) -> list[str]:
    """Twelve digits in a row, or in groups, of the right structure; letters read for digits are mended."""
    found = []
    for match in re.finditer(r"(?<![\w])[\dOoDQIl|SBZ](?:\s?[\dOoDQIl|SBZ]){11}(?![\w])", text):
        digits = re.sub(r"\s", "", match[0])
        if sum(character.isdigit() for character in digits) >= 9:
            number = digits.translate(_DIGIT_LIKE)
            if is_personal_number(number) and number not in found:
                found.append(number)
    return found


def parse_birth(text: str, *, today: date) -> date | None:
    """A day of birth."""
    dates = find_dates(text, latest=today, earliest=date(1900, 1, 1))
    return dates[0].value if dates else None


def parse_day(text: str, *, today: date) -> date | None:
    """A day of issue or expiry: at most fifty years ahead."""
    dates = find_dates(text, latest=date(today.year + 50, 12, 31), earliest=date(1950, 1, 1))
    return dates[0].value if dates else None


def parse_sex(text: str) -> str | None:
    """``Male`` or ``Female``, from Vietnamese or English words."""
    text = re.sub(r"(?i)vi.t\s?nam", "", text)  # the nationality, which stands beside it
    word = closest(text.split("/", maxsplit=1)[0].strip(), _SEXES, min_similarity=0.7)
    words = set(re.findall(r"[a-z]+", fold(text)))
    if words & {"nu", "female", "f"} or word in ("Nữ", "Female", "F"):
        return "Female"
    if words & {"nam", "male", "m"} or word in ("Nam", "Male", "M"):
        return "Male"
    return None


def nationality(text: str) -> str | None:
    """The spec's wording, ``Vietnamese``, for an ICAO code, a Vietnamese or an English name."""
    code = text.strip().upper()
    if code in _NATIONALITIES:
        return _NATIONALITIES[code]
    name = squeeze(text)
    if closest(name[:7], ("vietnam",), min_similarity=0.7) or "vietnam" in name:
        return "Vietnamese"
    known = closest(text.rsplit("/", maxsplit=1)[-1], tuple(_NATIONALITIES.values()), min_similarity=0.85)
    if re.fullmatch(r"[A-Z]{1,3}", code):
        return code  # a state that the table does not name
    return known or (text.strip().title() or None)


def clean_name(text: str) -> str:
    """Letters, spaces, hyphens and apostrophes, upper case."""
    words: list[str] = []
    for word in re.sub(r"[^\w\s'’-]|[\d_]", " ", text).upper().split():
        if words and not re.search(r"[aeiouy]", fold(word)):
            words[-1] += word  # a syllable has a vowel: CƯỜ NG is one
        else:
            words.append(word)
    return " ".join(words)


def clean_address(text: str) -> str:
    """Single spaces, a comma and a space between parts."""
    text = re.sub(r"\s*,\s*", ", ", " ".join(text.split()))
    text = _UNMARKED_UNIT.sub(", ", text)
    return text.strip(" ,.;:-")
