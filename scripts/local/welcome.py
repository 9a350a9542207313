"""What ``make run`` says once everything is up: where things are, and what is not as it should be."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.local.api import Address, connected, requires_keys
from scripts.local.layout import Layout
from scripts.local.tls import Certificate, lan_hosts

_HEALTH_PATH = "/api/v1/cv/health"
_TIMEOUT_S = 5.0
_ADVICE = {
    "ocr_fallback_missing": "OCR_FALLBACK cannot be loaded: papers are read by PaddleOCR alone",
}


def health_of(address: Address, certificate: Certificate | None = None) -> Mapping[str, Any]:
    """What the service says of itself; nothing where it does not answer."""
    connection = connected(address, certificate, timeout_s=_TIMEOUT_S)
    try:
        connection.request("GET", _HEALTH_PATH)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}


def warnings_of(health: Mapping[str, Any]) -> list[str]:
    """What does not work, or not as the settings ask, a line each."""
    checks = {name: check for name, check in health.get("checks", {}).items() if isinstance(check, dict)}
    down = [f"{name}: {check.get('reason') or 'does not answer'}" for name, check in checks.items()
            if check.get("status") == "error"]  # fmt: skip
    return [*down, *(_ADVICE.get(name, name) for name in health.get("warnings", []))]


def facts(
    address: Address,
    environment: Mapping[str, str],
    layout: Layout,
    health: Mapping[str, Any],
    certificate: Certificate | None = None,
) -> list[tuple[str, str]]:
    """The rows of the table."""
    keys = "asked for (ADMIN_API_KEY, .venv/bin/cv keys)" if requires_keys(environment) else "none: this machine only"
    devices = sorted({provider.split(":")[1] for provider in health.get("providers", {}).values() if ":" in provider})
    rows = [
        ("address", address.url),
        ("console", f"{address.url}/console"),
        ("documentation", f"{address.url}/docs"),
        ("API keys", keys),
        ("models", f"{environment.get('MODEL_PACK', 'compact')} pack on {' and '.join(devices) or 'cpu'}"),
        ("events", "RabbitMQ" if environment.get("RABBITMQ_URL") else "the live stream alone (RABBITMQ_URL is empty)"),
        ("data", str(layout.data_dir)),
        ("logs", environment.get("LOG_DIR") or str(layout.log_dir)),
        ("settings", str(layout.environment_file)),
    ]
    if certificate is not None:
        fingerprint = bytes.fromhex(certificate.fingerprint).hex(":").upper()
        pages = [replace(address.trust_page(), host=host).url for host in lan_hosts(address.host)]
        rows[1:1] = [*(("tablets open", page) for page in pages), ("fingerprint", fingerprint)]
        rows += [("people", ".venv/bin/cv users add NAME --role kiosk, in another terminal")]
    return rows + [("warning", line) for line in warnings_of(health)]


def welcome(console: Console, rows: list[tuple[str, str]]) -> None:
    """Print the table; long paths are not cut."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value, style="yellow" if name == "warning" else None)
    console.print(table)
