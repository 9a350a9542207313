"""Every setting, and how it reaches a container: docs/settings.md.

python scripts/export_settings.py            # write it
python scripts/export_settings.py --check    # exit status 1 if it is not what the code and the deployment files say
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import SecretStr

from app.config import Settings
from scripts.committed_document import write_or_compare

PROJECT_DIR = Path(__file__).resolve().parents[1]
TARGET = PROJECT_DIR / "docs" / "settings.md"
KUBERNETES = PROJECT_DIR / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu")

# Where the address that a container listens on is decided outside of it.
_PUBLISHED = {"PORT": "`CV_PORT` in `.env`", "HOST": "`CV_ADDRESS` in `.env`"}
_SERVICE_PORT = "`base/service.yaml`"

_HEAD = """# Settings

Made by `make openapi` out of `.env.example`, `app/config.py`, `docker-compose*.yml` and `deploy/kubernetes`; a test
holds it against them. What a setting means stands in [.env.example](../.env.example), where files lie in a container
in [deployment.md](deployment.md#settings).

- **`.env`**: a line of the file `.env` beside `docker-compose.yml`, which `docker compose up` reads.
- **`settings.env`**: a line of `deploy/kubernetes/base/settings.env`; *overlay* means that the overlay `cpu` or `gpu`
  gives it in its place, so it is changed there.
- **secret**: in compose the file of that name in `deploy/secrets`, in Kubernetes a line of
  `deploy/kubernetes/components/secrets/secrets.env`. A line in `.env` or `settings.env` works too, but everybody who
  may look at the container reads it there.
- **fixed**: where the image has its files; another value would point nowhere.

| setting | default | compose | Kubernetes |
|---|---|---|---|
"""


def is_secret(name: str) -> bool:
    """Whether it is kept out of environments."""
    field = Settings.model_fields.get(name)
    return field is not None and (field.annotation is SecretStr or SecretStr in get_args(field.annotation))


def examples() -> dict[str, str]:
    """The settings in the order of .env.example, with the default that it shows."""
    text = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def compose_environment(*files: str) -> dict[str, str]:
    """What the service's container is given beside ``.env``, a later file over an earlier one."""
    environment: dict[str, str] = {}
    for file in files:
        service = _load(PROJECT_DIR / file)["services"].get("cv-service", {})
        environment |= service.get("environment", {})
    return environment


def overlay_literals(overlay: str) -> dict[str, str]:
    """The settings that an overlay gives."""
    [generator] = _load(KUBERNETES / "overlays" / overlay / "kustomization.yaml")["configMapGenerator"]
    return dict(line.split("=", 1) for line in generator["literals"])


def _load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))  # as free as YAML
    return content


def _in_compose(name: str) -> str:
    given = compose_environment("docker-compose.yml").get(name)
    if name in _PUBLISHED:
        return _PUBLISHED[name]
    if is_secret(name):
        return "secret"
    if given is None:
        return "`.env`"
    return f"`.env`, else `{_else_of(given)}`" if given.startswith("${") else f"fixed: {_quoted(given)}"


def _in_kubernetes(name: str) -> str:
    if name in _PUBLISHED:
        return _SERVICE_PORT
    if is_secret(name):
        return "secret"
    if name in fixed():
        return f"fixed: {_quoted(compose_environment('docker-compose.yml')[name])}"
    return "overlay" if any(name in overlay_literals(overlay) for overlay in OVERLAYS) else "`settings.env`"


def fixed() -> set[str]:
    """Settings that say where the image has its files."""
    given = compose_environment("docker-compose.yml")
    return {name for name, value in given.items() if not value.startswith("${")} - set(_PUBLISHED)


def _else_of(given: str) -> str:
    return given.partition(":-")[2].removesuffix("}")


def _quoted(value: str) -> str:
    return f"`{value}`" if value else "empty"


def document() -> str:
    """The page of the settings as they stand."""
    rows = [
        f"| `{name}` | {_quoted(default)} | {_in_compose(name)} | {_in_kubernetes(name)} |"
        for name, default in examples().items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def main() -> int:
    return write_or_compare(
        TARGET,
        document(),
        purpose=__doc__,
        complaint="docs/settings.md is not what the settings and the deployment files say; run: make openapi",
    )


if __name__ == "__main__":
    sys.exit(main())
