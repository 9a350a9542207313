"""Machine-readable zones with right check digits (ICAO Doc 9303)."""

from __future__ import annotations

from datetime import date

from synthetic_documents.people import SyntheticPerson, plain


def check_digit(text: str) -> str:
    """ICAO Doc 9303 part 3, §4.9: weights 7, 3, 1."""
    values = [0 if c == "<" else int(c) if c.isdigit() else ord(c) - 55 for c in text]
    return str(sum(value * (7, 3, 1)[index % 3] for index, value in enumerate(values)) % 10)


def _day(value: date) -> str:
    return value.strftime("%y%m%d")


def _names(person: SyntheticPerson) -> str:
    surname, *given = plain(person.name).split()
    return f"{surname}<<{'<'.join(given)}"


def td3(person: SyntheticPerson, number: str) -> tuple[str, str]:
    """Two lines of 44, of a passport."""
    first = f"P<VNM{_names(person)}".ljust(44, "<")[:44]
    sex = "F" if person.female else "M"
    padded = number.ljust(9, "<")
    personal = person.number.ljust(14, "<")
    birth, expiry = _day(person.born), _day(person.expires)
    body = f"{padded}{check_digit(padded)}VNM{birth}{check_digit(birth)}{sex}{expiry}{check_digit(expiry)}"
    body += f"{personal}{check_digit(personal)}"
    return first, body + check_digit(body[0:10] + body[13:20] + body[21:43])


def td1(person: SyntheticPerson) -> tuple[str, str, str]:
    """Three lines of 30, as on the back of a citizen card: nine digits of the number, then all twelve."""
    short = person.number[3:]
    first = f"IDVNM{short}{check_digit(short)}{person.number}<<"
    first += check_digit(person.number)
    birth, expiry, sex = _day(person.born), _day(person.expires), "F" if person.female else "M"
    second = f"{birth}{check_digit(birth)}{sex}{expiry}{check_digit(expiry)}VNM".ljust(29, "<")
    composite = check_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
    return first, second + composite, _names(person).ljust(30, "<")[:30]
