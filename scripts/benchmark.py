"""Measure speed on this machine, on a service of its own, and print the sections of docs/benchmarks.md.

    python scripts/benchmark.py [anomaly face gallery image matrix networks ocr ocr-memory room sealing start]
    python scripts/benchmark.py compare --against URL[@PID],URL[@PID] [--ask check-in frame room page] [--seconds 20]

``compare`` starts nothing: it puts services that run already under one load in turn. PID is the process above all of a
service's servers, such as that of ``make run``.

Photos: the astronaut of scikit-image is who checks in; where CV_EVAL_DATA is set, its faces_lfw fill the gallery and
one of its rooms is analysed. Nothing else should run meanwhile; compare ratios of one run rather than figures of two.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import openvino as ov

from app.composition.models import open_loader
from app.config import WEIGHTS_DIR, Settings
from app.core.room_analyzer import DEPTHS
from app.ml_models.factories.image import build_image_embedder
from app.ml_models.manifest import load_pack
from app.ml_models.runtimes import Precision, cpu_has_bf16
from app.types import Image
from benchmarks import anomaly, compare, face, gallery, image, matrix, networks, ocr, room, sealing, start
from benchmarks.harness import open_bench

_GALLERY = 300
_A_ROUND = 8
"""Requests of one kind that `compare` sends in a round."""
_CHECK_INS_PER_S = 20.0
_WITHOUT_DOCUMENTS = {"OCR_ENABLED": "false"}


def machine() -> str:
    """What the figures were measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {date.today().isoformat()}"  # noqa: DTZ011


def astronaut() -> Image:
    """Who checks in."""
    return shipped_photo("astronaut.png")


def shipped_photo(name: str) -> Image:
    """A photo that scikit-image ships."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-image is not installed; use the development environment.")
    image = cv2.imread(str(Path(spec.origin).parent / "data" / name))
    return np.asarray(image, np.uint8)


def gallery_photos() -> list[Path]:
    """One photo a person of the evaluation set, or none."""
    root = os.environ.get("CV_EVAL_DATA")
    folders = sorted(path for path in (Path(root) / "faces_lfw").iterdir() if path.is_dir()) if root else []
    return [sorted(folder.glob("*.jpg"))[0] for folder in folders[:_GALLERY]]


def room_photo() -> Image:
    """A room of the evaluation set, or else the astronaut: looking takes as long."""
    root = os.environ.get("CV_EVAL_DATA")
    paths = sorted((Path(root) / "rooms").glob("*/*.jpg")) if root else []
    return np.asarray(cv2.imread(str(paths[0])), np.uint8) if paths else astronaut()


def measure_face(options: argparse.Namespace) -> str:
    """Recognition over HTTP."""
    picture = face.frame(astronaut())
    body = face.request_body(picture)
    with open_bench(_WITHOUT_DOCUMENTS) as bench:
        lean = face.Start("all engines but documents", bench.ready_s, bench.resident_mb("api"))
    with open_bench({}) as bench:
        starts = [lean, face.Start("all engines", bench.ready_s, bench.resident_mb("api"))]
        people = face.fill_gallery(bench, astronaut(), gallery_photos())
        single_ms = face.single_requests_ms(bench, body, times=100)
        face.load(bench, body, clients=options.clients, seconds=3)  # warm
        debounced = face.load(bench, body, clients=options.clients, seconds=options.seconds)
        check_ins = face.load(
            bench, body, clients=options.clients, seconds=options.seconds, new_cameras=True, health=True
        )
        settings = Settings(**{**bench.environment, "_env_file": None})  # type: ignore[arg-type]  # pydantic parses text
        crowd_size = settings.INFERENCE_QUEUE_SIZE * 3 // 2
        crowd = face.load(bench, body, clients=crowd_size, seconds=options.seconds, new_cameras=True, health=True)
        starts.append(face.Start("all engines, after this load", bench.ready_s, bench.resident_mb("api")))
    floor = face.measure_floor(settings, picture, seconds=options.seconds)
    return face.report(
        people=people,
        single_ms=single_ms,
        check_ins=check_ins,
        debounced=debounced,
        crowd=crowd,
        floor=floor,
        starts=starts,
        picture=picture,
    )


def measure_image(options: argparse.Namespace) -> str:
    """Indexing, and searching among many."""
    photos = [
        np.ascontiguousarray(np.rot90(astronaut(), turns)[:, side : side + 300])
        for turns in (0, 1)
        for side in (0, 200)
    ]
    count, clients = options.images, 2
    with open_bench({**_WITHOUT_DOCUMENTS, "IMAGE_SEARCH": options.image_search}) as bench:
        settings = Settings(**{**bench.environment, "_env_file": None})  # type: ignore[arg-type]  # pydantic parses text
        embedder = build_image_embedder(open_loader(settings))
        real = np.stack([embedding.vector for embedding in embedder.embed_images(photos)])
        crowd = image.make_crowd(real, count)
        image.fill_blocking(bench, crowd, embedder.model_id)
        image.measure_searches(bench, crowd, embedder, photos[:1], rounds=1)  # warm
        bench.settle()
        indexed = max(20, round(options.seconds * 10))
        indexing = image.measure_indexing(bench, astronaut(), clients=clients, count=indexed)
        bench.settle()
        found = image.measure_searches(bench, crowd, embedder, photos, rounds=5)
        resident_mb = bench.resident_mb("api")
    return image.report(
        count=count, search_in=options.image_search, found=found, indexing=indexing, resident_mb=resident_mb
    )


def document_pages() -> ocr.Pages:
    """Real receipts where CV_EVAL_DATA has them, else drawn ones."""
    root = os.environ.get("CV_EVAL_DATA")
    return ocr.real_receipts(Path(root)) if root else ocr.drawn_invoices(12)


def measure_ocr(options: argparse.Namespace) -> str:
    """Reading receipts, and recognising faces meanwhile."""
    pages = document_pages()
    body = face.request_body(face.frame(astronaut()))
    with open_bench(_PATIENT) as bench:
        face.fill_gallery(bench, astronaut(), gallery_photos()[:30])
        ocr.read_pages(bench, pages, clients=1, count=3)  # warm
        count = options.pages or len(pages.files)
        reads = [ocr.read_pages(bench, pages, clients=clients, count=count) for clients in (1, 2)]
        neighbours = ocr.recognitions_beside_documents(bench, pages, body, times=100)
    return ocr.report(pages, reads, neighbours)


def measure_ocr_memory(options: argparse.Namespace) -> str:
    """500 pages through one service."""
    pages, count = ocr.made_small(document_pages()), options.pages or 500
    every = max(1, count // 10)
    with open_bench(_PATIENT) as bench:
        used = ocr.watch_memory(bench, pages, count=count, every=every, announce=print)
    return ocr.memory_report(pages, used, every=every)


def measure_anomaly(_options: argparse.Namespace) -> str:
    """Frames over HTTP."""
    with open_bench(anomaly.SETTINGS) as bench:
        face.fill_gallery(bench, astronaut(), [])
        return anomaly.report(
            [
                anomaly.single_frames(
                    bench, "nothing to find", anomaly.empty_frame(shipped_photo("coffee.png")), times=20
                ),
                anomaly.single_frames(bench, "one person", anomaly.people_frame(astronaut()), times=20),
            ]
        )


def measure_cameras(options: argparse.Namespace) -> str:
    """Cameras alone, and beside 20 check-ins a second."""
    still, moved = (anomaly.empty_frame(shipped_photo("coffee.png"), shadow=shadow) for shadow in (0, 45))
    wandering = [
        anomaly.empty_frame(shipped_photo("coffee.png"), shadow=45, left_px=left_px) for left_px in range(0, 880, 110)
    ]
    body = face.request_body(face.frame(astronaut()))
    mostly_still = [still] * 19 + [moved]
    scenes = [
        anomaly.Scene("4 at 2 fps, every frame moves", 4, 2, wandering),
        anomaly.Scene("16 at 1 fps, every 20th frame moves", 16, 1, mostly_still),
        anomaly.Scene("24 at 1 fps, every 20th frame moves, beside 8 dead ones", 24, 1, mostly_still, dead=True),
    ]
    clients, per_second, seconds = options.clients, _CHECK_INS_PER_S, options.seconds
    with open_bench(anomaly.SETTINGS) as bench:
        face.fill_gallery(bench, astronaut(), [])
        anomaly.watch(bench, None, body, clients=clients, seconds=3, per_second=per_second)  # warm
        watched = [anomaly.watch(bench, None, body, clients=clients, seconds=seconds, per_second=per_second)]
        for scene in scenes:
            with anomaly.cameras(bench, scene) as after_s:
                watched += [
                    anomaly.watch(
                        bench,
                        scene,
                        body,
                        clients=count,
                        seconds=seconds,
                        per_second=per_second,
                        streamed_after_s=after_s,
                    )
                    for count in (0, clients)
                ]
        watched.append(anomaly.watch(bench, None, body, clients=clients, seconds=seconds, per_second=per_second))
    return anomaly.report_watched(watched)


def measure_gallery(options: argparse.Namespace) -> str:
    """Check-ins against a small and a large gallery in memory, each of a service of its own, in turn."""
    picture = face.frame(astronaut())
    lean = {**_WITHOUT_DOCUMENTS, "FACE_SEARCH": "memory"}
    with open_bench(lean) as small, open_bench(lean) as large:
        gallery.fill(small, _GALLERY)
        gallery.fill(large, options.images)
        rivals = [compare.Rival.of(small), compare.Rival.of(large)]
        for rival in rivals:
            compare.enrol(rival, picture)
        turns = compare.take_turns(rivals, picture, rounds=options.rounds, seconds=options.seconds)
    told = compare.report(rivals, turns, rounds=options.rounds)
    return f"Templates in memory: A {_GALLERY}, B {options.images}. {told}"


def measure_room(options: argparse.Namespace) -> str:
    """Analysing a room, quick and detailed."""
    picture = room.frame(room_photo())
    with open_bench({"OCR_ENABLED": "false"}) as bench:
        measured = room.measure_depths(bench, picture, times=max(20, round(options.seconds * 5)))
    return room.report(measured, picture=picture, shape=(960, 1280))


def measure_matrix(options: argparse.Namespace) -> str:
    """Searches in memory by themselves."""
    return matrix.report([matrix.faces(300), matrix.faces(options.images), *matrix.pictures(options.images)])


def measure_networks(options: argparse.Namespace) -> str:
    """Passes by themselves, in threads and in batches."""
    pack, rounds = load_pack("compact"), options.rounds * 3
    bf16 = cpu_has_bf16(ov.Core())
    asked = {
        "face_embedding": ("data", (3, 112, 112)),
        "face_liveness": ("input", (3, 128, 128)),
        "image_features": ("images", (3, 224, 224)),
    }
    tried = []
    for role, (input_name, shape) in asked.items():
        spec = pack.spec(role)
        path = WEIGHTS_DIR / pack.name / spec.file
        precision: Precision = "bf16" if spec.runtime.bf16 and bf16 else "f32"
        tried.append(networks.TriedNetwork(role, path, precision, spec.runtime.row_by_row, input_name, shape))
    return networks.report(networks.measure(tried, rounds=rounds), rounds=rounds)


def measure_compare(options: argparse.Namespace) -> str:
    """Running services in turn."""
    rivals = [compare.Rival.parse(text) for text in options.against.split(",") if text]
    if not rivals:
        raise SystemExit("compare needs --against URL,URL")
    picture, told = face.frame(astronaut()), []
    if "check-in" in options.ask:
        for rival in rivals:
            compare.enrol(rival, picture)
        turns = compare.take_turns(rivals, picture, rounds=options.rounds, seconds=options.seconds)
        told.append(compare.report(rivals, turns, rounds=options.rounds))
    asked = {name: one for kind in options.ask for name, one in requests_of(kind).items()}
    if asked:
        costs = compare.ask_in_turn(rivals, asked, rounds=options.rounds)
        told.append(compare.report_costs(rivals, costs, rounds=options.rounds))
    return "\n".join(told)


def requests_of(kind: str) -> dict[str, compare.Asked]:
    """What a round of ``compare`` asks of a kind, by name."""
    if kind == "frame":
        frames = {
            "frame, nothing to find": anomaly.empty_frame(shipped_photo("coffee.png")),
            "frame, one person": anomaly.people_frame(astronaut()),
        }
        return {
            name: compare.Asked(anomaly.DETECT, [anomaly.request_body(frame)] * _A_ROUND)
            for name, frame in frames.items()
        }
    if kind == "room":
        picture = room.frame(room_photo())
        return {
            f"room, {depth}": compare.Asked(room.ANALYZE, [room.request_body(picture, depth)] * _A_ROUND)
            for depth in DEPTHS
        }
    if kind == "page":
        files = document_pages().files
        some = files[:: max(1, len(files) // _A_ROUND)][:_A_ROUND]
        return {"document": compare.Asked(ocr.INVOICE, [ocr.request_body(data) for data in some])}
    return {}


def measure_sealing(options: argparse.Namespace) -> str:
    """Encryption at rest, beside the networks of a check-in; no server is started."""
    given = {"DATABASE_URL": "postgresql://unused", "MINIO_ACCESS_KEY": "unused", "MINIO_SECRET_KEY": "unused"}
    settings = Settings(**{**given, "_env_file": None})  # type: ignore[arg-type]  # pydantic parses text
    rounds = max(20, round(options.seconds * 10))
    return sealing.report(sealing.measure(settings, face.frame(astronaut()), rounds=rounds))


def measure_start(options: argparse.Namespace) -> str:
    """The API, started again and again."""
    return start.report(start.measure_starts(options.rounds * 2))


_PATIENT = {"INFERENCE_DEADLINE_S": "60"}
"""So that a busy machine gives long latencies and not failures."""

MEASUREMENTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "anomaly": measure_anomaly,
    "cameras": measure_cameras,
    "face": measure_face,
    "gallery": measure_gallery,
    "image": measure_image,
    "matrix": measure_matrix,
    "networks": measure_networks,
    "ocr": measure_ocr,
    "ocr-memory": measure_ocr_memory,
    "room": measure_room,
    "sealing": measure_sealing,
    "start": measure_start,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = {**MEASUREMENTS, "compare": measure_compare}
    parser.add_argument("what", nargs="*", choices=[*kinds, []], help="by default all but compare")
    parser.add_argument(
        "--against", default="", help="of compare: addresses of running services, the first to compare with"
    )
    parser.add_argument(
        "--ask", nargs="+", choices=["check-in", "frame", "room", "page"], default=["check-in"], help="of compare"
    )
    parser.add_argument("--rounds", type=int, default=2, help="of compare, gallery, networks and start")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--images", type=int, default=100_000, help="pictures, or templates, to search among")
    parser.add_argument(
        "--image-search", choices=list(image.PLACES), default="memory", help="where image looks for them"
    )
    parser.add_argument("--pages", type=int, help="documents of ocr (default: each once), of ocr-memory (default: 500)")
    options = parser.parse_args()
    for name in options.what or MEASUREMENTS:
        section = kinds[name](options)
        print(f"\n## Speed: {name}\n\n{machine()}\n\n{section}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
