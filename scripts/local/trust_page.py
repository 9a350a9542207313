"""The page that a tablet opens first, over plain HTTP: the authority of ``make run HTTPS=1`` to install, and how.

It serves nothing but this page and the authority's certificate, which is no secret. Whoever opens it compares the
fingerprint with the one on the terminal: on the way here anybody could have changed it.
"""

from __future__ import annotations

import argparse
import html
from pathlib import Path
from string import Template

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.server import bounded_protocol

_MAX_CONNECTIONS = 100
_HEAD_TIMEOUT_S = 10.0
_FILE = "cv-service-authority.crt"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_PAGE = Template("""<!doctype html>
<html lang="vi">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CV Service: HTTPS</title>
<main>
<h1>Máy tính bảng chấm công</h1>
<ol>
<li>So sánh dấu vân tay này với dòng in trên máy chủ. Nếu khác: dừng lại.<br><code>$fingerprint</code></li>
<li><a href="/$file">Tải chứng chỉ về</a>, rồi cài đặt:
<ul>
<li>Android: Cài đặt → Bảo mật → Mã hóa và thông tin xác thực → Cài đặt chứng chỉ → Chứng chỉ CA.</li>
<li>iPad: Cài đặt → Đã tải về hồ sơ → Cài đặt; rồi Cài đặt chung → Giới thiệu → Cài đặt tin cậy chứng nhận → bật.</li>
<li>Windows: mở tệp → Cài đặt chứng chỉ → Máy cục bộ → Trusted Root Certification Authorities.</li>
</ul></li>
<li><a href="$console">Mở trang chấm công</a>.</li>
</ol>
</main>
<hr>
<section lang="en">
<h2>Check-in tablet</h2>
<ol>
<li>Compare this fingerprint with the line on the terminal of the service. If they differ, stop.<br>
<code>$fingerprint</code></li>
<li><a href="/$file">Download the certificate</a>, then install it:
<ul>
<li>Android: Settings → Security → Encryption &amp; credentials → Install a certificate → CA certificate.</li>
<li>iPad: Settings → Profile Downloaded → Install; then General → About → Certificate Trust Settings → on.</li>
<li>Windows: open the file → Install Certificate → Local Machine → Trusted Root Certification Authorities.</li>
</ul></li>
<li><a href="$console">Open the console</a>.</li>
</ol>
</section>
</html>
""")


def trust_app(authority: Path, *, port: int) -> Starlette:
    """The page, and the certificate.

    Args:
        authority: PEM.
        port: of the service, at the address by which this page was reached.
    """
    certificate = x509.load_pem_x509_certificate(authority.read_bytes())
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    encoded = certificate.public_bytes(serialization.Encoding.DER)

    async def page(request: Request) -> Response:
        host = request.url.hostname or "localhost"
        console = f"https://{f'[{host}]' if ':' in host else host}:{port}/console"
        text = _PAGE.substitute(fingerprint=fingerprint, file=_FILE, console=html.escape(console, quote=True))
        return HTMLResponse(text, headers=_HEADERS)

    async def file(_: Request) -> Response:
        return Response(encoded, media_type="application/x-x509-ca-cert", headers=_HEADERS)

    return Starlette(routes=[Route("/", page), Route(f"/{_FILE}", file)])


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("authority", type=Path)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--service-port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        trust_app(options.authority, port=options.service_port),
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        http=bounded_protocol(max_connections=_MAX_CONNECTIONS, head_timeout_s=_HEAD_TIMEOUT_S),
    )


if __name__ == "__main__":
    main()
