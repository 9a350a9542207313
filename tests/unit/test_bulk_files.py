"""Files of many items: what is in them, and what they may not cost."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from app.errors import InvalidInput
from app.utils.bulk_files import BulkFile, BulkLimits

LIMITS = BulkLimits(max_items=3, max_file_bytes=1000)


def lines(*items: object) -> bytes:
    return b"\n".join(json.dumps(item).encode() for item in items)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive that is the same at any time of day: such bytes name tests, whose names parallel workers compare."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def test_lines_are_items_and_empty_ones_are_none() -> None:
    file = BulkFile(b'\n{"a": 1}\r\n\n{"a": 2}\n', is_zip=False, limits=LIMITS)
    assert [file.item(index) for index in range(len(file))] == [{"a": 1}, {"a": 2}]


def test_pictures_of_a_zip_are_named_by_its_items() -> None:
    data = zipped(
        {"items.ndjson": lines({"images": ["x/1.jpg", "2.jpg"], "image": "2.jpg"}), "x/1.jpg": b"1", "2.jpg": b"2"}
    )
    assert BulkFile(data, is_zip=True, limits=LIMITS).item(0) == {"images": [b"1", b"2"], "image": b"2"}


@pytest.mark.parametrize("data", [b"", b"\n \n", lines(1, 2, 3, 4), b"\n" * 100])
def test_a_file_has_some_items_and_not_too_many(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        BulkFile(data, is_zip=False, limits=LIMITS)
    assert refused.value.code == "bulk_size"


@pytest.mark.parametrize("line", [b"{", b"[1]", b"1", b"[" * 100_000, b"\xff\xfe"])
def test_a_wrong_line_fails_by_itself(line: bytes) -> None:
    file = BulkFile(b'{"a": 1}\n' + line, is_zip=False, limits=LIMITS)
    assert file.item(0) == {"a": 1}
    with pytest.raises(InvalidInput):
        file.item(1)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "items", "", "x" * 70_000])
def test_an_item_names_files_of_the_zip_alone(name: str) -> None:
    file = BulkFile(zipped({"items.ndjson": lines({"image": name})}), is_zip=True, limits=BulkLimits(3, 10**6))
    with pytest.raises(InvalidInput) as refused:
        file.item(0)
    assert refused.value.code == "file_not_in_zip"
    assert len(refused.value.message) < 200


def test_what_unpacks_to_more_than_the_limit_is_refused() -> None:
    file = BulkFile(zipped({"items.ndjson": lines({"image": "a"}), "a": bytes(10**6)}), is_zip=True, limits=LIMITS)
    with pytest.raises(InvalidInput) as refused:
        file.item(0)
    assert refused.value.code == "invalid_zip"


def test_a_size_that_is_not_told_truly_is_refused() -> None:
    data = bytearray(zipped({"items.ndjson": lines({"image": "a"}), "a": bytes(10**6)}))
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    with pytest.raises(InvalidInput):
        BulkFile(bytes(data), is_zip=True, limits=LIMITS).item(0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zip at all",
        b"PK\x05\x06" + bytes(18),
        b"PK\x05\x06" + b"\xff" * 18,
        zipped({"items.ndjson": b"{}"})[:-30],
        zipped({"other": b"{}"}),
        zipped({"items.ndjson": b"{}"}, zipfile.ZIP_BZIP2),
        zipped({str(number): b"" for number in range(100)}),
    ],
)
def test_what_is_no_zip_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        BulkFile(data, is_zip=True, limits=LIMITS)
