"""Containers, cluster, dashboards and alerts: valid, consistent with the code, and without a secret in them."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import kubernetes_validate
import pytest
import yaml
from dotenv import dotenv_values
from prometheus_client import REGISTRY

from app.config import Settings
from app.utils import metrics
from scripts.export_settings import OVERLAYS, compose_environment, examples, fixed, is_secret, overlay_literals
from scripts.models.torch_tools import DETECTOR_REQUIREMENTS, REQUIREMENTS, TORCH_REQUIREMENTS
from tests.dockerfile import assignments, context_files, is_given, read_stages

PROJECT_DIR = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT_DIR / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = PROJECT_DIR / "docker-compose.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "cv-service.json"
RULES = [DEPLOY / "prometheus" / name for name in ("alerts.yml", "slo.yml")]
PROGRAMS = Path(sys.executable).parent


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, timeout=120, **options
    )


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found


def manifests() -> list[Path]:
    """Every Kubernetes object as it is in the base and the overlays."""
    return [path for path in sorted(KUBERNETES.rglob("*.yaml")) if path.name != "kustomization.yaml"]


def pod_specs() -> list[dict[str, Any]]:
    found = [load(path) for path in manifests()]
    return [item["spec"]["template"]["spec"] for item in found if item["kind"] in ("Deployment", "Job")]


def registered_metrics() -> set[str]:
    assert metrics is not None
    families = list(REGISTRY.collect())
    suffixes = ("", "_total", "_bucket", "_count", "_sum")
    return {family.name + suffix for family in families for suffix in suffixes}


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bcv_[a-z_]+\b", text))


def recorded_in(text: str) -> set[str]:
    return set(re.findall(r"\bcv:[a-z0-9_:]+", text))


def test_every_yaml_file_is_well_formed() -> None:
    places = [
        "deploy",
        *sorted(path.name for path in PROJECT_DIR.glob("docker-compose*.yml")),
        ".yamllint.yaml",
        ".hadolint.yaml",
    ]
    done = run(PROGRAMS / "yamllint", "--strict", "-c", ".yamllint.yaml", *places, cwd=PROJECT_DIR)
    assert done.returncode == 0, done.stdout


class TestDockerfile:
    TEXT = (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")

    def test_linter_finds_nothing(self) -> None:
        done = run(PROGRAMS / "hadolint", "-c", ".hadolint.yaml", "Dockerfile", cwd=PROJECT_DIR)
        assert done.returncode == 0, done.stdout

    def copied(self, stage: str) -> set[PurePosixPath]:
        """The files of the project that a stage copies; a source that no file comes from is an error of any builder."""
        found: set[PurePosixPath] = set()
        for source in read_stages()[stage].project_files():
            below = {path for path in context_files() if source in (path, *path.parents)}
            assert below, f"{source} is copied, and the build is not given it"
            found |= below
        return found

    def test_a_build_is_given_what_is_copied_and_nothing_else(self) -> None:
        everything = set().union(*(self.copied(stage) for stage in read_stages()))
        assert set(context_files()) == everything

    @pytest.mark.parametrize(
        "path",
        [".env", "app/.env", "deploy/secrets/DATABASE_URL", "app/ml_models/weights/a.onnx", "app/x/__pycache__/a"],
    )
    def test_secrets_and_leftovers_do_not_go_into_a_build(self, path: str) -> None:
        assert not is_given(PurePosixPath(path))

    def test_the_conversion_has_its_requirements(self) -> None:
        files = (REQUIREMENTS, TORCH_REQUIREMENTS, DETECTOR_REQUIREMENTS)
        needed = {PurePosixPath(path.relative_to(PROJECT_DIR)) for path in files}
        assert needed <= self.copied("weights")

    def test_serves_as_an_ordinary_user_with_a_health_check(self) -> None:
        serving = self.TEXT.rsplit("\nFROM ", 1)[1]
        assert "USER 10001:10001" in serving
        assert "HEALTHCHECK" in serving
        assert "/api/v1/cv/health'" in serving
        assert '"app.server"' in serving

    def test_its_settings_exist(self) -> None:
        block = re.search(r"^ENV PATH=.*?[^\\]$", self.TEXT, re.MULTILINE | re.DOTALL)
        assert block is not None
        named = set(re.findall(r"([A-Z_]+)=", block[0])) - {
            "PATH",
            "PYTHONDONTWRITEBYTECODE",
            "PYTHONUNBUFFERED",
            "HOME",
            "PYTHONPATH",
            "OPENBLAS_NUM_THREADS",
        }
        assert named
        assert named <= set(Settings.model_fields)


class TestCompose:
    def test_follows_the_schema(self) -> None:
        done = run(
            PROGRAMS / "check-jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            COMPOSE,
            PROJECT_DIR / "docker-compose.gpu.yml",
            PROJECT_DIR / "docker-compose.pictures.yml",
        )
        assert done.returncode == 0, done.stdout

    def test_its_build_arguments_are_those_of_the_dockerfile(self) -> None:
        text = (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")
        declared = set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
        gpu = load(PROJECT_DIR / "docker-compose.gpu.yml")["services"]
        for service in (load(COMPOSE)["services"]["cv-service"], gpu["cv-service"], gpu["migrate"]):
            assert set(service["build"]["args"]) <= declared
        assert set(load(COMPOSE)["services"]["cv-service"]["build"]["args"]) == declared - {"PYTHON_IMAGE"}

    def test_what_services_refer_to_exists(self) -> None:
        compose = load(COMPOSE)
        services = compose["services"]
        for name, service in services.items():
            assert set(service.get("depends_on", {})) <= set(services), name
            secrets = {entry if isinstance(entry, str) else entry["source"] for entry in service.get("secrets", [])}
            assert secrets <= set(compose["secrets"]), name
            assert set(service["networks"]) <= set(compose["networks"]), name
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                assert source in compose["volumes"] or (PROJECT_DIR / source).exists(), volume

    def test_start_waits_for_healthy_backends(self) -> None:
        services = load(COMPOSE)["services"]
        for name, service in services.items():
            for needed, condition in service.get("depends_on", {}).items():
                if condition["condition"] == "service_healthy":
                    assert "test" in services[needed]["healthcheck"], f"{name} waits for {needed}"
        assert set(services["cv-service"]["depends_on"]) >= {"postgres", "milvus", "redis", "rabbitmq", "objects"}

    def test_settings_and_secret_files_carry_the_settings_names(self) -> None:
        service = load(COMPOSE)["services"]["cv-service"]
        gpu = load(PROJECT_DIR / "docker-compose.gpu.yml")["services"]["cv-service"]
        named = {*service["environment"], *service["secrets"], *gpu["environment"]}
        assert named <= set(Settings.model_fields)
        assert "ADMIN_API_KEY" in service["secrets"]

    @pytest.mark.parametrize("name", ["cv-service", "migrate"])
    def test_every_setting_reaches_the_image_by_a_file(self, name: str) -> None:
        service = load(COMPOSE)["services"][name]
        assert service["env_file"] == [{"path": ".env", "required": False}]
        assert set(service["secrets"]) == set(filter(is_secret, Settings.model_fields))

    def test_what_compose_decides_may_be_decided_in_the_file(self) -> None:
        for file in ("docker-compose.yml", "docker-compose.gpu.yml", "docker-compose.pictures.yml"):
            for name, value in compose_environment(file).items():
                assert name in fixed() | {"PORT"} or value.startswith(f"${{{name}:-"), f"{file}: {name}"

    def test_what_is_fixed_is_what_the_image_has(self) -> None:
        image: dict[str, str] = {}
        for one in read_stages()["serving"].instructions:
            image |= assignments(one.value) if one.keyword == "ENV" else {}
        given = compose_environment("docker-compose.yml")
        assert {name: given[name] for name in fixed()} == {name: image[name] for name in fixed()}
        volumes = load(COMPOSE)["services"]["cv-service"]["volumes"]
        assert volumes == [f"data:{given['CV_DATA_DIR']}"]

    def test_nothing_but_the_api_is_published_and_that_on_loopback(self) -> None:
        services = load(COMPOSE)["services"]
        ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
        assert ports["cv-service"] == ["${CV_ADDRESS:-127.0.0.1}:${CV_PORT:-8001}:8001"]
        for name in set(ports) - {"cv-service"}:
            assert services[name]["profiles"] == ["monitoring"], name
            assert all(port.startswith("127.0.0.1:") for port in ports[name]), name

    def test_every_container_is_bounded(self) -> None:
        for name, service in load(COMPOSE)["services"].items():
            assert {"mem_limit", "pids_limit"} <= set(service), name
            assert service["security_opt"] == ["no-new-privileges:true"], name

    def test_the_service_has_accounts_of_its_own_and_never_the_administrators(self) -> None:
        services = load(COMPOSE)["services"]
        administrators = {"postgres_password", "objects_root_user", "objects_root_password"}
        for name in ("cv-service", "migrate"):
            assert not administrators & set(services[name]["secrets"]), name
        assert services["postgres"]["secrets"] == ["postgres_password"]
        root = services["objects"]["environment"]
        assert root["MINIO_ROOT_USER_FILE"] == "/run/secrets/objects_root_user"
        assert root["MINIO_ROOT_PASSWORD_FILE"] == "/run/secrets/objects_root_password"
        assert {"database", "milvus"} <= set(services["migrate"]["depends_on"])
        assert "bucket" in services["cv-service"]["depends_on"]

    def test_the_users_policy_names_the_services_bucket_alone(self, tmp_path: Path) -> None:
        bucket = load(COMPOSE)["services"]["bucket"]["environment"]["MINIO_BUCKET"]
        assert bucket == f"${{MINIO_BUCKET:-{Settings.model_fields['MINIO_BUCKET'].default}}}"
        for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "objects_root_user", "objects_root_password"):
            (tmp_path / name).write_text("given\n", encoding="ascii")
        # In the place of the minio image's client: shows the policy that it is handed.
        (tmp_path / "mc").write_text(
            '#!/bin/sh\n[ "$1 $2 $3" != "admin policy create" ] || cat "$6"\n', encoding="ascii"
        )
        (tmp_path / "mc").chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SECRETS_DIR": str(tmp_path), "MINIO_BUCKET": "ours"}
        done = run(program("sh"), DEPLOY / "init" / "objects.sh", env=environment)
        assert done.returncode == 0, done.stderr
        resources = {name for statement in json.loads(done.stdout)["Statement"] for name in statement["Resource"]}
        assert resources == {"arn:aws:s3:::ours", "arn:aws:s3:::ours/*"}

    def test_the_etcd_of_milvus_listens_on_loopback(self) -> None:
        milvus = load(COMPOSE)["services"]["milvus"]
        assert milvus["environment"]["ETCD_USE_EMBED"] == "true"
        assert "./deploy/milvus/etcd.yaml:/milvus/configs/etcd.yaml:ro" in milvus["volumes"]
        listens = [value for key, value in load(DEPLOY / "milvus" / "etcd.yaml").items() if key.startswith("listen-")]
        assert len(listens) == 2
        assert all(address.startswith("http://127.0.0.1:") for address in listens)

    @pytest.mark.parametrize("script", ["database.sh", "objects.sh"])
    def test_init_scripts_are_valid_shell(self, script: str) -> None:
        path = DEPLOY / "init" / script
        assert path.stat().st_mode & stat.S_IXUSR
        assert run(program("sh"), "-n", path).returncode == 0

    @pytest.mark.parametrize("shell", ["sh", "bash"])
    def test_secrets_are_made_once_and_fit_together(self, tmp_path: Path, shell: str) -> None:
        script = DEPLOY / "make-secrets.sh"
        assert script.stat().st_mode & stat.S_IXUSR
        folder = tmp_path / "secrets"
        assert run(program(shell), script, folder).returncode == 0
        made = {path.name: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}
        assert set(made) == set(load(COMPOSE)["secrets"])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert f"cv:{made['database_password']}@postgres:" in made["DATABASE_URL"]
        assert yaml.safe_load(made["milvus.yaml"])["common"]["security"] == {
            "authorizationEnabled": True,
            "defaultRootPassword": made["MILVUS_PASSWORD"],
        }
        passwords = {made[name] for name in ("database_password", "postgres_password", "objects_root_password")}
        assert len({*passwords, made["MINIO_SECRET_KEY"]}) == 4
        for password, configuration in (("REDIS_URL", "redis.conf"), ("RABBITMQ_URL", "rabbitmq.conf")):
            given = re.search(r":([0-9a-f]{48})@", made[password])
            assert given is not None
            assert given[1] in made[configuration]
        assert len(made["ADMIN_API_KEY"]) >= 32

        again = run(program(shell), script, folder)
        assert again.stdout == ""
        assert {path.name: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()} == made


class TestKubernetes:
    @pytest.mark.parametrize("path", manifests(), ids=lambda path: f"{path.parent.name}/{path.name}")
    def test_follows_the_schema(self, path: Path) -> None:
        kubernetes_validate.validate(load(path), "1.32", strict=True)

    @pytest.mark.parametrize("overlay", ["cpu", "gpu"])
    def test_overlays_build_and_follow_the_schema(self, overlay: str) -> None:
        built = run(program("kubectl"), "kustomize", KUBERNETES / "overlays" / overlay)
        assert built.returncode == 0, built.stderr
        found = {item["kind"]: item for item in yaml.safe_load_all(built.stdout)}
        for item in found.values():
            kubernetes_validate.validate(item, "1.32", strict=True)
        assert {"Deployment", "Service", "Job", "PodDisruptionBudget", "NetworkPolicy"} <= set(found)
        resources = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert ("nvidia.com/gpu" in resources["limits"]) == (overlay == "gpu")
        assert ("HorizontalPodAutoscaler" in found) == (overlay == "cpu")

    def test_kustomizations_list_every_file(self) -> None:
        for path in KUBERNETES.rglob("kustomization.yaml"):
            listed = {name for name in load(path).get("resources", ()) if name.endswith(".yaml")}
            assert listed == {file.name for file in path.parent.glob("*.yaml")} - {"kustomization.yaml"}

    def test_settings_exist(self) -> None:
        lines = (KUBERNETES / "base" / "settings.env").read_text(encoding="utf-8").split()
        for path in (KUBERNETES / "overlays").glob("*/kustomization.yaml"):
            lines += [line for entry in load(path)["configMapGenerator"] for line in entry["literals"]]
        assert {line.split("=")[0] for line in lines} <= set(Settings.model_fields)

    def test_every_setting_reaches_the_pods(self, tmp_path: Path) -> None:
        """Each gets the value that .env.example shows by a line of settings.env, or of secrets.env if it is secret."""
        folder = tmp_path / "kubernetes"
        shutil.copytree(KUBERNETES, folder)
        given = {name: value for name, value in examples().items() if name != "HOST"}
        secret = {name: value for name, value in given.items() if is_secret(name)}
        component = folder / "components" / "secrets"
        assert set(dotenv_values(component / "secrets.env.example")) == set(secret)
        (component / "secrets.env").write_text("".join(f"{n}={v}\n" for n, v in secret.items()), encoding="utf-8")
        plain = {name: value for name, value in given.items() if name not in secret}
        lines = "".join(f"{name}={value}\n" for name, value in plain.items())
        (folder / "base" / "settings.env").write_text(lines, encoding="utf-8")
        for overlay in OVERLAYS:
            with (folder / "overlays" / overlay / "kustomization.yaml").open("a", encoding="utf-8") as kustomization:
                kustomization.write("components: [../../components/secrets]\n")
            built = run(program("kubectl"), "kustomize", folder / "overlays" / overlay)
            assert built.returncode == 0, built.stderr
            found = {item["kind"]: item for item in yaml.safe_load_all(built.stdout)}
            assert found["ConfigMap"]["data"] == plain | overlay_literals(overlay)
            stored = {name: base64.b64decode(value).decode() for name, value in found["Secret"]["data"].items()}
            assert stored == secret
            for kind in ("Deployment", "Job"):
                spec = found[kind]["spec"]["template"]["spec"]
                volumes = {volume["name"]: volume for volume in spec["volumes"]}
                assert volumes["secrets"]["secret"]["secretName"] == found["Secret"]["metadata"]["name"]
                for container in [*spec.get("initContainers", []), *spec["containers"]]:
                    [source] = container["envFrom"]
                    assert source["configMapRef"]["name"] == found["ConfigMap"]["metadata"]["name"]

    def test_what_the_hotel_taught_the_service_outlives_its_pods(self) -> None:
        spec = load(KUBERNETES / "base" / "deployment.yaml")["spec"]["template"]["spec"]
        claim = load(KUBERNETES / "base" / "persistentvolumeclaim.yaml")["metadata"]["name"]
        assert {"name": "data", "persistentVolumeClaim": {"claimName": claim}} in spec["volumes"]
        mount = {"name": "data", "mountPath": compose_environment("docker-compose.yml")["CV_DATA_DIR"]}
        assert mount in spec["containers"][0]["volumeMounts"]

    def test_containers_run_without_rights(self) -> None:
        specs = pod_specs()
        assert len(specs) == 2
        for spec in specs:
            assert spec["automountServiceAccountToken"] is False
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }

    def test_probes_ask_what_they_are_for(self) -> None:
        [container] = load(KUBERNETES / "base" / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
        paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        assert paths == {
            "startup": "/api/v1/cv/health/ready",
            "liveness": "/api/v1/cv/health/live",
            "readiness": "/api/v1/cv/health/ready",
        }

    def test_secrets_come_as_files_where_the_service_looks(self) -> None:
        for spec in pod_specs():
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                assert {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True} in container["volumeMounts"]
                assert not any("secretRef" in source for source in container["envFrom"])

    def test_scripts_that_pods_run_exist(self) -> None:
        commands = [
            " ".join(container.get("command", []))
            for spec in pod_specs()
            for container in [*spec.get("initContainers", []), *spec["containers"]]
        ]
        scripts = set(re.findall(r"scripts/\w+\.py", " ".join(commands)))
        assert scripts == {"scripts/init_vector_db.py", "scripts/wait_for_schema.py"}
        assert all((PROJECT_DIR / script).is_file() for script in scripts)


class TestDashboard:
    PANELS: ClassVar = [
        panel for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"] if panel["type"] != "row"
    ]

    def test_shows_the_panels_of_the_specification(self) -> None:
        titles = {panel["title"] for panel in self.PANELS}
        assert {"Face Recognition Rate", "Recognition Latency (p95)", "GPU Memory Usage"} <= titles

    def test_asks_only_for_metrics_that_exist(self) -> None:
        for panel in self.PANELS:
            asked = metrics_in(" ".join(target["expr"] for target in panel["targets"]))
            assert asked <= registered_metrics(), panel["title"]

    def test_asks_only_for_what_is_recorded(self) -> None:
        recorded = {rule["record"] for rule in TestAlerts.ALL if "record" in rule}
        asked = {name for panel in self.PANELS for one in panel["targets"] for name in recorded_in(one["expr"])}
        assert asked
        assert asked <= recorded

    def test_panels_do_not_overlap(self) -> None:
        cells = [
            (x, y)
            for panel in self.PANELS
            for place in [panel["gridPos"]]
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24

    def test_provisioning_points_at_it(self) -> None:
        [provider] = load(DEPLOY / "grafana" / "provisioning" / "dashboards" / "cv-service.yml")["providers"]
        mounts = load(COMPOSE)["services"]["grafana"]["volumes"]
        assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts


class TestAlerts:
    ALL: ClassVar = [rule for path in RULES for group in load(path)["groups"] for rule in group["rules"]]
    RULES: ClassVar = [rule for rule in ALL if "alert" in rule]

    def test_ask_only_for_metrics_that_exist(self) -> None:
        recorded = {rule["record"] for rule in self.ALL if "record" in rule}
        for rule in self.ALL:
            assert metrics_in(rule["expr"]) <= registered_metrics(), rule
            assert recorded_in(rule["expr"]) <= recorded, rule

    def test_routes_of_the_promises_exist(self) -> None:
        asked = {
            f"{before}{one}{after}"
            for rule in self.ALL
            for before, choice, after in re.findall(r'route=~?"([^"(]*)\(?([^")]*)\)?([^"]*)"', rule["expr"])
            for one in choice.split("|")
        }
        assert len(asked) == 4
        assert asked <= set(json.loads((PROJECT_DIR / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"])

    def test_each_has_its_section_in_the_runbook(self) -> None:
        text = (PROJECT_DIR / "docs" / "operations.md").read_text(encoding="utf-8")
        sections = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
        assert {rule["alert"] for rule in self.RULES} <= sections
        for rule in self.RULES:
            assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"

    @pytest.mark.slow
    def test_fire_when_they_should(self) -> None:
        promtool = program("promtool")
        done = run(promtool, "test", "rules", *sorted((DEPLOY / "prometheus").glob("*.test.yml")))
        assert done.returncode == 0, done.stdout + done.stderr
        checked = run(promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml")
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_secret_is_written_down() -> None:
    assert "/deploy/secrets/" in (PROJECT_DIR / ".gitignore").read_text(encoding="utf-8").splitlines()
    spellings = re.compile(r"(?i)(password|passwd|secret|api_key|token)[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9+/]{16,}")
    for folder, _, names in os.walk(DEPLOY):
        for name in names:
            if Path(folder).name != "secrets":
                text = (Path(folder) / name).read_text(encoding="utf-8")
                assert not spellings.search(text), f"{folder}/{name}"
