"""Cleaning and judging single values of identity papers."""

from __future__ import annotations

import re

from app.core.ocr.text import closest, fold, squeeze

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

_STATES = {
    "unitedstatesofamerica": "USA", "usa": "USA", "unitedkingdom": "GBR", "britishcitizen": "GBR", "francaise": "FRA",
    "deutsch": "D", "singaporecitizen": "SGP", "republicofkorea": "KOR", "schweiz": "CHE", "espanola": "ESP",
    "italiana": "ITA", "osterreich": "AUT", "nederlandse": "NLD", "belg": "BEL", "warganegaraindonesia": "IDN",
    "wni": "IDN", "russianfederation": "RUS", "peoplesrepublicofchina": "CHN", "portuguesa": "PRT",
}  # fmt: skip
"""States and demonyms as papers print them, squeezed."""

_CODES = {demonym: code for code, demonym in _NATIONALITIES.items()}


def parse_sex(text: str) -> str | None:
    """``Male`` or ``Female``, from words and letters that papers print."""
    text = re.sub(r"(?i)vi.t\s?nam", "", text)  # the nationality, which stands beside it
    word = closest(text.split("/", maxsplit=1)[0].strip(), _SEXES, min_similarity=0.7)
    words = set(re.findall(r"[a-z]+", fold(text)))
    if words & {"nu", "female", "f", "perempuan", "weiblich"} or "女" in text or word in ("Nữ", "Female", "F"):
        return "Female"
    if words & {"nam", "male", "m", "laki", "lelaki"} or "男" in text or word in ("Nam", "Male", "M"):
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
    if state := _STATES.get(name):
        return _NATIONALITIES[state]
    known = closest(text.rsplit("/", maxsplit=1)[-1], tuple(_NATIONALITIES.values()), min_similarity=0.85)
    if re.fullmatch(r"[A-Z]{2,3}", code):
        return code  # a state that the table does not name
    return known or (text.strip().title() if len(name) > 2 and not re.search(r"\d", name) else None)


def state_code(demonym: str) -> str:
    """The other way: ICAO's code of a nationality as ``nationality`` words it, what is none as it stands."""
    return _CODES.get(demonym, demonym)


def clean_name(text: str) -> str:
    """Letters, spaces, hyphens and apostrophes, upper case."""
    return " ".join(re.sub(r"[^\w\s'’-]|[\d_]", " ", text).upper().split()).strip("-'’ ")


def clean_address(text: str) -> str:
    """Single spaces, a comma and a space between parts."""
    text = re.sub(r"\s*,\s*", ", ", " ".join(text.split()))
    return text.strip(" ,.;:-")
