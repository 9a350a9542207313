"""Requests and responses of cameras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, SecretStr, model_validator
from pydantic.config import JsonDict

from app.models.camera_rules import RulesModel
from app.models.common import CameraId, Moment, Request, Response, Text
from app.models.pages import ListPage, old_name
from app.workflows.cameras.probe import ProbeReport, StreamSource
from app.workflows.cameras.registry import Camera, CameraChange, CameraPlan, Credentials, StreamKind, Task, TlsTrust
from app.workflows.cameras.supervisor import CameraStatus
from app.workflows.safety.alarms import AlarmChange, CameraRecord

Name = Annotated[Text, Field(min_length=1, max_length=200)]
Url = Annotated[
    Text,
    Field(min_length=1, max_length=2000, description="A login or query in it is kept encrypted and never shown again"),
]
Group = Annotated[Text, Field(max_length=50, description="Cameras that are armed and muted together")]
TlsFingerprint = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of the one certificate that is accepted, as POST /cameras/test shows it",
    ),
]
TlsVerify = Annotated[bool, Field(description="False takes any certificate: anybody in between can read along")]
FramesPerSecond = Annotated[float, Field(gt=0, le=10, description="Frames looked at; more gain nothing")]
KindName = Literal["rtsp", "mjpeg", "snapshot", "file"]
TaskName = Literal["attendance", "anomaly"]


def _tasks(names: list[TaskName]) -> tuple[Task, ...]:
    return tuple(dict.fromkeys(Task(name) for name in names))


def credentials_of(given: CredentialsInput | None) -> Credentials | None:
    """What a request brought."""
    return None if given is None else Credentials(given.username, given.password.get_secret_value())


class CredentialsInput(Request):
    """A camera's login."""

    username: Annotated[Text, Field(min_length=1, max_length=200)]
    password: Annotated[SecretStr, Field(max_length=200)]


_EXAMPLE: JsonDict = {
    "id": "cam_store_01",
    "name": "Store room",
    "group": "floor-3",
    "kind": "rtsp",
    "url": "rtsp://192.0.2.11/stream2",  # of the network that is for documentation (RFC 5737)
    "credentials": {"username": "viewer", "password": "…"},
    "tasks": ["anomaly"],
    "frames_per_second": 2,
    "rules": {
        "anomalies": ["fire", "flood", "intrusion"],
        "intrusion": {
            "zones": [{"name": "shelf", "points": [[0.1, 0.4], [0.9, 0.4], [0.9, 1.0], [0.1, 1.0]]}],
            "schedule": [{"days": ["mon", "tue"], "begins": "22:00", "ends": "06:00"}],
            "min_dwell_s": 3,
        },
    },
}


class CameraCreateRequest(Request):
    """A camera to read."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: CameraId
    name: Name | None = None
    kind: KindName
    url: Url
    credentials: CredentialsInput | None = None
    tasks: Annotated[list[TaskName], Field(min_length=1, max_length=2)]
    frames_per_second: FramesPerSecond = 2.0
    rules: RulesModel = Field(default_factory=RulesModel)
    enabled: bool = True
    group: Annotated[Group, Field(min_length=1)] | None = None
    tls_verify: TlsVerify = True
    tls_fingerprint: TlsFingerprint | None = None

    def plan(self, hotel: ZoneInfo) -> CameraPlan:
        """What the registry is told; ``hotel`` and errors as for ``IntrusionModel.rule``."""
        return CameraPlan(
            name=self.name,
            kind=StreamKind(self.kind),
            url=self.url,
            credentials=credentials_of(self.credentials),
            tasks=_tasks(self.tasks),
            frames_per_second=self.frames_per_second,
            rules=self.rules.rules(hotel),
            enabled=self.enabled,
            group=self.group,
            tls=TlsTrust(self.tls_verify, self.tls_fingerprint),
        )


class CameraChangeRequest(Request):
    """What to change; whatever is left out stays. `credentials: null` forgets the login."""

    name: Name | None = None
    kind: KindName | None = None
    url: Url | None = None
    credentials: CredentialsInput | None = None
    tasks: Annotated[list[TaskName], Field(min_length=1, max_length=2)] | None = None
    frames_per_second: FramesPerSecond | None = None
    rules: RulesModel | None = None
    enabled: bool | None = None
    group: Group | None = Field(None, description="An empty text takes it out of its group")
    tls_verify: TlsVerify | None = None
    tls_fingerprint: TlsFingerprint | Literal[""] | None = Field(None, description="An empty text removes the pin")

    def change(self, hotel: ZoneInfo) -> CameraChange:
        """What the registry is told; ``hotel`` and errors as for ``IntrusionModel.rule``."""
        return CameraChange(
            name=self.name,
            kind=StreamKind(self.kind) if self.kind else None,
            url=self.url,
            credentials=credentials_of(self.credentials),
            drops_credentials="credentials" in self.model_fields_set and self.credentials is None,
            tasks=_tasks(self.tasks) if self.tasks else None,
            frames_per_second=self.frames_per_second,
            rules=self.rules.rules(hotel) if self.rules else None,
            enabled=self.enabled,
            group=self.group,
            tls_verify=self.tls_verify,
            tls_fingerprint=self.tls_fingerprint,
        )


_UNVERIFIED = "tls_not_verified: whoever is on the network between can read and replace this camera's pictures."


class CameraState(Response):
    """How the stream is doing. `unassigned`: no replica reads it, for lack of capacity or of Redis.

    From `frozen` on: pictures come, but show the same for 30 s, nothing, a covered lens, another view, or damage.
    """

    status: Literal[
        "disabled",
        "unassigned",
        "connecting",
        "streaming",
        "failing",
        "frozen",
        "dark",
        "covered",
        "moved",
        "corrupt",
    ]
    fault: str | None = None
    message: str | None = None
    since: Moment | None = None
    frames_per_second: float | None = Field(None, description="Frames taken in a second")
    lag_ms: float | None = Field(None, description="Age of the last judged frame when it was judged")
    last_frame_at: Moment | None = None
    frames_judged: int | None = None
    frames_skipped: int | None = Field(None, description="Without motion, hence not judged")
    people: int | None = Field(None, description="In the last judged frame; where rules.people counts them")
    people_by_zone: dict[str, int] | None = Field(None, description="Of those, in each zone of rules.people")

    @classmethod
    def of(cls, camera: Camera, status: CameraStatus) -> CameraState:
        return cls.like(status) if camera.enabled else cls(status="disabled")


class CameraInfo(Response):
    """A registered camera. Credentials are never told."""

    id: str
    name: str | None
    kind: KindName
    url: str
    has_credentials: bool
    tasks: list[TaskName]
    frames_per_second: float
    rules: RulesModel
    enabled: bool
    group: str | None
    tls_verify: bool
    tls_fingerprint: str | None
    warnings: list[str] = Field(description="What is unsafe about it")
    armed: bool = Field(description="Whether intruders raise alarms; fire, smoke and water always do")
    muted_until: Moment | None = Field(description="No alert goes out before this moment")
    created_at: Moment
    updated_at: Moment
    state: CameraState

    @classmethod
    def of(cls, camera: Camera, status: CameraStatus) -> CameraInfo:
        return cls.like(
            camera,
            kind=camera.kind.value,
            tasks=[task.value for task in camera.tasks],
            rules=RulesModel.of(camera.rules),
            tls_verify=camera.tls.verify,
            tls_fingerprint=camera.tls.fingerprint,
            warnings=[] if camera.tls.verify or camera.tls.fingerprint else [_UNVERIFIED],
            state=CameraState.of(camera, status),
        )


class CamerasResponse(ListPage):
    """A page of cameras, by id."""

    items: list[CameraInfo]
    cameras: list[CameraInfo] = old_name("items")
    count: int
    total: int
    next_after: str | None = old_name("next_cursor")

    @classmethod
    def of(cls, cameras: list[CameraInfo], next_cursor: str | None, *, total: int, limit: int) -> CamerasResponse:
        return cls(
            items=cameras,
            cameras=cameras,
            count=len(cameras),
            total=total,
            next_after=cameras[-1].id if next_cursor else None,
            next_cursor=next_cursor,
            limit=limit,
        )


class CameraDeletionResponse(Response):
    """The camera is forgotten; its incidents stay."""

    success: bool = True
    id: str


class AlarmsRequest(Request):
    """Which cameras, by their ids or their group, all if neither is given; and what becomes of their alarms."""

    camera_ids: Annotated[list[CameraId], Field(min_length=1, max_length=500)] | None = None
    group: Annotated[Group, Field(min_length=1)] | None = None
    armed: bool | None = Field(None, description="False: intruders raise no alarm; fire, smoke and water do")
    mute_minutes: Annotated[int, Field(ge=0, le=1440)] | None = Field(
        None, description="No alert goes out for so long; 0 ends it. What is still seen afterwards is alerted then"
    )

    @model_validator(mode="after")
    def _says_something(self) -> AlarmsRequest:
        if self.camera_ids is not None and self.group is not None:
            raise ValueError("send camera_ids or group, not both")
        if self.armed is None and self.mute_minutes is None:
            raise ValueError("send armed or mute_minutes")
        return self

    def change(self) -> AlarmChange:
        """What the panel is told."""
        ids = None if self.camera_ids is None else tuple(dict.fromkeys(self.camera_ids))
        return AlarmChange(ids, self.group, self.armed, self.mute_minutes)


class CameraAlarms(Response):
    """The alarms of one camera."""

    id: str
    group: str | None
    armed: bool
    muted_until: Moment | None


class AlarmsResponse(Response):
    """The cameras that were meant, by id."""

    items: list[CameraAlarms]

    @classmethod
    def of(cls, cameras: Sequence[CameraRecord]) -> AlarmsResponse:
        """Cameras as stored."""
        return cls(
            items=[
                CameraAlarms.like(camera.alarms, id=camera.id, group=camera.columns.group_name) for camera in cameras
            ]
        )


class CameraTestRequest(Request):
    """A camera to try out. Nothing of it is stored."""

    kind: KindName
    url: Url
    credentials: CredentialsInput | None = None
    tls_verify: TlsVerify = True
    tls_fingerprint: TlsFingerprint | None = None

    def source(self) -> StreamSource:
        """What the probe opens."""
        trust = TlsTrust(self.tls_verify, self.tls_fingerprint)
        return StreamSource(StreamKind(self.kind), self.url, credentials_of(self.credentials), trust)


class CameraTestResponse(Response):
    """What the camera gave, or why it gave nothing."""

    success: bool
    fault: str | None = Field(description="As in a camera's state")
    message: str | None
    codec: str | None
    frames_per_second: float | None = Field(description="As the stream says; null where it does not")
    width: int | None
    height: int | None
    preview: str | None = Field(description="A JPEG of at most 640 px a side, in base64")
    tls_fingerprint: str | None = Field(description="Of the certificate that the camera shows; null without TLS")
    elapsed_ms: int

    @classmethod
    def of(cls, report: ProbeReport) -> CameraTestResponse:
        """A report of the probe."""
        facts = report.facts
        return cls.like(
            report,
            success=report.fault is None,
            fault=report.fault.value if report.fault else None,
            codec=facts.codec if facts else None,
            frames_per_second=facts.frames_per_second if facts else None,
            preview=report.preview_base64,
        )
