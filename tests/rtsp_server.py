"""An RTSP camera: GStreamer's server with H.264 from test pictures. Run by the system's Python, which has its bindings.

Arguments: username and password, or nothing. Prints its port, then serves ``/live`` until it is killed. ``--check``
only says, by the exit status, whether everything that it needs is installed.
"""

import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 )"
)


def require_login(server: "GstRtspServer.RTSPServer", factory: "GstRtspServer.RTSPMediaFactory") -> None:
    """Serve only those who know the login."""
    auth = GstRtspServer.RTSPAuth()
    method = os.environ.get("RTSP_AUTH", "digest")
    auth.set_supported_methods(getattr(GstRtsp.RTSPAuthMethod, method.upper()))
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(sys.argv[1], sys.argv[2], token)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(sys.argv[1], sys.argv[2]), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main() -> None:
    Gst.init(None)
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if all(Gst.ElementFactory.find(name) for name in ("x264enc", "rtph264pay")) else 1)
    server = GstRtspServer.RTSPServer()
    server.set_address(os.environ.get("RTSP_HOST", "127.0.0.1"))
    server.set_service(os.environ.get("RTSP_PORT", "0"))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    if os.environ.get("RTSP_UDP"):
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    if len(sys.argv) > 2:
        require_login(server, factory)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
