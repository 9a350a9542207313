"""What each file of the zoo costs: ``python -m tests.bomb_zoo [DOCUMENT]`` prints the table, and writes it there.

Each file is read in a process of its own, within the limits that the service sets: pictures in 12 bytes a pixel and
64 MB beside what the process has, PDFs in the sandbox.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from app.errors import VisionError
from app.utils.fair_queue import FairPlaces
from app.utils.pdf import READ_PDF, PdfReader
from app.utils.sandbox import Sandbox, SandboxLimits
from scripts.benchmark import machine
from tests import picture_zoo
from tests.unit import test_pdf as pdfs
from tests.written_tables import put

_LIMITS = SandboxLimits(cpu_s=8, wall_s=60.0, memory_bytes=2**30)  # the defaults but for time, for a busy machine
_DOCUMENTS: Mapping[str, Callable[[], bytes]] = {
    "pdf forms nine deep, ten calls each": lambda: pdfs.forms_that_draw_forms(9, calls=10),
    "pdf 2,000,000 strokes": lambda: pdfs.page(pdfs.flate(b"0 0 m 600 800 l S\n" * 2_000_000)),
    "pdf 1 GB of zeros deflated twice": pdfs.inflated_twice,
    "pdf 60,000 runs of text": lambda: pdfs.many_runs(60_000),
    "pdf JBIG2 60,000 x 60,000": lambda: pdfs.huge_picture(b"JBIG2Decode", b"\0" * 100, side=60_000),
    "pdf page of 1e9 x 1e9": lambda: pdfs.page(pdfs.stream(b""), box=b"[0 0 1e9 1e9]"),
}


async def read_document(data: bytes) -> str:
    """The answer to a PDF."""
    sandbox = Sandbox([READ_PDF])
    await sandbox.open()
    places = FairPlaces(1, max_waiting=0, deadline_s=60.0, refusal="full")
    reader = PdfReader(sandbox, places, max_pages=5, max_long_pages=5, sandbox_limits=_LIMITS)
    try:
        async with reader.opened(data) as content:
            return f"{len(content.pages)} page"
    except VisionError as error:
        return error.code
    finally:
        await sandbox.close()


def measure(name: str) -> dict[str, object]:
    """Read one file here. ``peak_kb``: what a picture added to this process, or the whole process of a PDF."""
    if name in _DOCUMENTS:
        data = _DOCUMENTS[name]()
        answer = asyncio.run(read_document(data))
        peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {"bytes": len(data), "answer": answer, "peak_kb": peak_kb}
    data = picture_zoo.made_elsewhere(name)
    before_kb = picture_zoo.prepare()
    answer = picture_zoo.decode(data)
    return {"bytes": len(data), "answer": answer, "peak_kb": picture_zoo.peak_kb() - before_kb}


def table() -> str:
    """Every file in a process of its own."""
    lines = [f"{machine()}; one run each.", "", "| file | bytes | answer | peak memory |", "|---|---|---|---|"]
    for name in (*picture_zoo.NAMES, *_DOCUMENTS):
        child = subprocess.run(
            [sys.executable, "-m", "tests.bomb_zoo", "--one", name], check=True, capture_output=True, text=True
        )
        found = json.loads(child.stdout)
        lines.append(f"| {name} | {found['bytes']:,} | {found['answer']} | {found['peak_kb'] / 1024:,.0f} MB |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(arguments[1])))
        return
    text = table()
    print(text)
    if arguments:
        put(Path(arguments[0]), "make bomb-zoo", text)


if __name__ == "__main__":
    main(sys.argv[1:])
