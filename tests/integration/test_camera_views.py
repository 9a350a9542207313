"""Cameras tried out and watched live, and frames that come too late, over real backends."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import av
import cv2
import httpx
import numpy as np
import pytest

from app.composition.backends import open_database
from app.errors import InvalidInput, Overloaded
from app.services.streams.types import Fault
from app.services.streams.ws_discovery import PORT
from app.types import Image
from app.utils.network_guard import NetworkGuard, parse_networks
from app.workflows.cameras.discovery import CameraDiscovery
from tests.camera_servers import HttpCamera, http_camera, rtsp_camera
from tests.integration.conftest import Service, Start
from tests.integration.records import Records
from tests.onvif_server import USER, WORD, OnvifCamera, onvif_camera
from tests.photos import coffee, group, jpeg
from tests.tls_front import tls_front

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    with start_service(
        CAMERAS_PER_REPLICA=4,
        CAMERA_ALLOWED_CIDRS="127.0.0.1/32",
        CAMERA_PORTS="1-65535",
        CAMERA_READ_TIMEOUT_S=3.0,
        CAMERA_MAX_VIEWERS=1,
        CAMERA_CLIP_PRE_ROLL_S=5.0,
        CAMERA_CLIP_POST_ROLL_S=2.0,
    ) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    yield service.client
    service.records.rows("DELETE FROM cameras")


@pytest.fixture
def lobby() -> Iterator[HttpCamera]:
    with http_camera(jpeg(group())) as camera:
        yield camera


def try_out(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post(f"{API}/cameras/test", json=fields)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def test_a_camera_is_tried_out_without_being_kept(service: Service, client: httpx.Client, lobby: HttpCamera) -> None:
    report = try_out(client, kind="snapshot", url=lobby.url("/snapshot.jpg"))
    height, width = group().shape[:2]
    assert (report["success"], report["fault"], report["codec"]) == (True, None, "jpeg")
    assert (report["width"], report["height"]) == (width, height)
    preview = cv2.imdecode(np.frombuffer(base64.b64decode(report["preview"]), np.uint8), cv2.IMREAD_COLOR)
    assert preview is not None
    assert max(preview.shape[:2]) <= 640
    assert service.records.count("cameras") == 0


def test_a_stream_tells_its_codec_and_pace(client: httpx.Client) -> None:
    with rtsp_camera() as camera:
        report = try_out(client, kind="rtsp", url=camera.url())
    assert (report["success"], report["codec"], report["width"], report["height"]) == (True, "h264", 320, 240)
    assert report["frames_per_second"] > 1


@pytest.mark.parametrize(
    ("path", "fault"), [("/nothing", "not_found"), ("/digest", "unauthorized"), ("/silent", "stalled")]
)
def test_what_is_wrong_is_told_precisely(client: httpx.Client, lobby: HttpCamera, path: str, fault: str) -> None:
    kind = "mjpeg" if path == "/silent" else "snapshot"
    report = try_out(client, kind=kind, url=lobby.url(path))
    assert (report["success"], report["fault"], report["preview"]) == (False, fault, None)
    assert report["message"]


@pytest.mark.parametrize("url", ["http://10.1.2.3/x.jpg", "http://169.254.169.254/latest"])
def test_addresses_outside_are_not_tried(client: httpx.Client, url: str) -> None:
    answer = client.post(f"{API}/cameras/test", json={"kind": "snapshot", "url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "camera_address_refused")


def test_a_camera_is_looked_for_and_added_by_what_it_says(
    service: Service, client: httpx.Client, lobby: HttpCamera
) -> None:
    login = {"username": USER, "password": WORD}
    with onvif_camera(OnvifCamera(snapshot_uri=lobby.url("/snapshot.jpg")), discovery_port=PORT) as device:
        answer = client.post(f"{API}/cameras/discover", json={"credentials": login})
        assert answer.status_code == 200, answer.text
        without = client.post(f"{API}/cameras/discover", json={"hosts": ["127.0.0.1"]}).json()
        assert device.asked
    # Other tests' devices may answer on the same link.
    named = [one for one in answer.json()["cameras"] if any(p["snapshot_url"] for p in one["profiles"])]
    found = next(one for one in named if one["profiles"][0]["snapshot_url"] == lobby.url("/snapshot.jpg"))
    assert (found["address"], found["name"], found["model"], found["fault"]) == (
        "127.0.0.1",
        "Back door",
        "Dome 4",
        None,
    )
    assert [one["name"] for one in found["profiles"]] == ["main", "sub"]
    assert without["cameras"][0]["fault"] == "unauthorized"
    assert service.records.count("cameras") == 0
    [entry, _] = service.records.rows("SELECT details FROM audit_log WHERE action = 'camera.discover' ORDER BY id")
    assert "127.0.0.1" in str(entry["details"])
    url = found["profiles"][1]["snapshot_url"]
    body = {"id": "cam_found", "kind": "snapshot", "url": url, "tasks": ["anomaly"]}
    assert client.post(f"{API}/cameras", json=body).status_code == 201
    Records.wait_until(lambda: status(client, "cam_found") == "streaming")


def test_no_camera_outside_the_allowed_networks_is_looked_for(client: httpx.Client) -> None:
    answer = client.post(f"{API}/cameras/discover", json={"hosts": ["10.1.2.3"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "camera_address_refused")


async def test_one_search_runs_at_a_time_and_none_without_networks(service: Service) -> None:
    async with AsyncExitStack() as stack:
        database = await open_database(stack, service.settings)
        networks = parse_networks("127.0.0.1/32")
        search = CameraDiscovery(database, NetworkGuard(networks), networks=networks, ports=frozenset({80}), port=9)
        first = asyncio.create_task(search.discover(hosts=["127.0.0.1"], credentials=None, actor="test"))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await search.discover(hosts=[], credentials=None, actor="test")
        assert await first == []
        nowhere = CameraDiscovery(database, NetworkGuard(()), networks=(), ports=frozenset({80}))
        with pytest.raises(InvalidInput, match="CAMERA_ALLOWED_CIDRS"):
            await nowhere.discover(hosts=[], credentials=None, actor="test")


async def test_a_device_on_a_port_that_is_no_cameras_is_listed_and_not_asked(service: Service) -> None:
    with onvif_camera(OnvifCamera()) as device:
        async with AsyncExitStack() as stack:
            database = await open_database(stack, service.settings)
            networks, ports = parse_networks("127.0.0.1/32"), frozenset({80})
            guard = NetworkGuard(networks)
            search = CameraDiscovery(database, guard, networks=networks, ports=ports, port=device.port)
            [found] = await search.discover(hosts=["127.0.0.1"], credentials=None, actor="test")
        assert (found.fault, found.facts) == (Fault.REFUSED, None)
        assert device.asked == []


def test_a_self_signed_camera_is_pinned_by_what_the_test_shows(
    client: httpx.Client, lobby: HttpCamera, tmp_path: Path
) -> None:
    with tls_front(lobby.port, tmp_path) as front:
        url = f"https://127.0.0.1:{front.port}/snapshot.jpg"
        refused = try_out(client, kind="snapshot", url=url)
        assert (refused["success"], refused["fault"]) == (False, "certificate_refused")
        pin = refused["tls_fingerprint"]
        assert pin == front.fingerprint
        body = {"id": "cam_tls", "kind": "snapshot", "url": url, "tasks": ["anomaly"], "tls_fingerprint": pin}
        added = client.post(f"{API}/cameras", json=body).json()
        assert (added["tls_fingerprint"], added["warnings"]) == (pin, [])
        Records.wait_until(lambda: status(client, "cam_tls") == "streaming")
        loud = client.patch(f"{API}/cameras/cam_tls", json={"tls_verify": False, "tls_fingerprint": ""}).json()
        assert loud["tls_fingerprint"] is None
        assert loud["warnings"][0].startswith("tls_not_verified")


def status(client: httpx.Client, camera_id: str) -> str:
    return str(client.get(f"{API}/cameras/{camera_id}").json()["state"]["status"])


def test_a_live_view_shows_pictures_to_few_people_at_once(client: httpx.Client, lobby: HttpCamera) -> None:
    body = {"id": "cam_1", "kind": "snapshot", "url": lobby.url("/snapshot.jpg"), "tasks": ["anomaly"]}
    assert client.post(f"{API}/cameras", json=body).status_code == 201
    Records.wait_until(lambda: status(client, "cam_1") == "streaming")
    path = f"{API}/cameras/cam_1/stream"
    with client.stream("GET", path, params={"fps": 5}) as view:
        assert view.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        pieces, received = view.iter_bytes(), b""  # an iterator that is given up closes the connection
        while b"\xff\xd9" not in received:
            received += next(pieces)
        assert received.startswith(b"--frame\r\nContent-Type: image/jpeg\r\n")
        second = client.get(path)
        assert (second.status_code, second.json()["code"]) == (429, "too_many_viewers")
    Records.wait_until(lambda: opens_again(client, path))
    assert client.get(f"{API}/cameras/nowhere/stream").status_code == 404


def opens_again(client: httpx.Client, path: str) -> bool:
    with client.stream("GET", path) as view:
        return view.status_code == 200


def test_frames_that_wait_too_long_are_dropped_and_counted(start_service: Start, lobby: HttpCamera) -> None:
    with start_service(
        CAMERAS_PER_REPLICA=1, CAMERA_ALLOWED_CIDRS="127.0.0.1/32", CAMERA_PORTS="1-65535", CAMERA_MAX_LAG_S=1e-6
    ) as late:
        body = {"id": "cam_1", "kind": "snapshot", "url": lobby.url("/snapshot.jpg"), "tasks": ["anomaly"]}
        assert late.client.post(f"{API}/cameras", json=body).status_code == 201
        metric = 'cv_camera_frames_total{camera="cam_1",outcome="late"}'
        Records.wait_until(lambda: metric in late.client.get(f"{API}/metrics").text)
        assert late.client.get(f"{API}/cameras/cam_1").json()["state"]["frames_judged"] == 0
        late.records.rows("DELETE FROM cameras")


def frames(client: httpx.Client) -> int:
    """How many the camera's reader has seen, those without motion included."""
    seen = client.get(f"{API}/cameras/cam_1").json()["state"]
    return (seen["frames_judged"] or 0) + (seen["frames_skipped"] or 0)


def test_an_incident_has_a_clip_of_the_seconds_around_it(
    service: Service, client: httpx.Client, lobby: HttpCamera, tmp_path: Path
) -> None:
    lobby.picture = jpeg(coffee())  # nobody is there yet
    rules = {"anomalies": ["intrusion"], "intrusion": {"min_dwell_s": 0}}
    body: dict[str, Any] = {"id": "cam_1", "kind": "snapshot", "url": lobby.url("/snapshot.jpg"), "tasks": ["anomaly"]}
    body |= {"rules": rules, "frames_per_second": 4}
    assert client.post(f"{API}/cameras", json=body).status_code == 201
    Records.wait_until(lambda: status(client, "cam_1") == "streaming")
    Records.wait_until(lambda: frames(client) >= 8)
    lobby.picture = jpeg(group())
    incidents = f"{API}/anomaly/incidents"
    Records.wait_until(lambda: bool(client.get(incidents).json()["items"]))
    Records.wait_until(lambda: client.get(incidents).json()["items"][0]["clip_url"] is not None)
    [incident] = client.get(incidents).json()["items"]
    file = tmp_path / "clip.mp4"
    file.write_bytes(httpx.get(incident["clip_url"]).content)
    with av.open(str(file), "r") as clip:
        assert clip.streams.video[0].codec_context.name == "h264"
        pictures = [np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8) for frame in clip.decode(video=0)]
    assert len(pictures) >= 4
    before, after = (resized(image, pictures[0]) for image in (coffee(), group()))
    originals = client.post(f"{incidents}/{incident['id']}/originals", json={"reason": "Theft"}).json()
    file.write_bytes(httpx.get(originals["clip_url"]).content)
    with av.open(str(file), "r") as clip:
        unblurred = [np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8) for frame in clip.decode(video=0)]
    assert len(unblurred) == len(pictures)
    assert difference(unblurred[-1], after) < difference(pictures[-1], after), "faces are blurred in what is shown"
    assert difference(pictures[0], before) < difference(pictures[0], after)
    assert difference(pictures[-1], after) < difference(pictures[-1], before)
    assert service.records.count("pending_removals") == 0
    assert client.delete(f"{incidents}/{incident['id']}/frames").status_code == 200
    for url in (incident["clip_url"], originals["clip_url"]):
        Records.wait_until(lambda url=url: httpx.get(url).status_code == 404)  # type: ignore[misc]
    assert client.get(f"{incidents}/{incident['id']}").json()["clip_url"] is None
    service.records.rows(
        "TRUNCATE usual_places, incident_notes, incident_detections, anomaly_incidents, anomaly_detections"
    )


def resized(image: Image, like: Image) -> Image:
    return np.asarray(cv2.resize(image, (like.shape[1], like.shape[0])), dtype=np.uint8)


def difference(one: Image, other: Image) -> float:
    return float(np.abs(one.astype(np.float32) - other).mean())
