"""Imports go one way. This reads them, so that the picture in docs/architecture.md stays true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT_DIR = Path(__file__).resolve().parents[2]
APP = PROJECT_DIR / "app"
TOOLS = ("benchmarks", "evaluation", "scripts", "synthetic_documents")

# Lower layers first. A module may import from its own layer's shared modules and from any layer before it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("app.errors",),
    ("app.setting_values",),
    ("app.config",),
    ("app.types",),
    ("app.utils",),
    ("app.core",),
    ("app.ml_models",),
    ("app.services",),
    ("app.workflows",),
    ("app.models",),
    ("app.composition",),
    ("app.dependencies",),
    ("app.api",),
    ("app.main",),
    ("app.server",),
    ("app.cli",),
)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer_of(module: str) -> int:
    """The layer of the longest matching prefix."""
    matches = [
        (len(prefix), index)
        for index, prefixes in enumerate(LAYERS)
        for prefix in prefixes
        if module == prefix or module.startswith(prefix + ".")
    ]
    return max(matches)[1]


def modules(folder: str = "app") -> list[tuple[str, Path]]:
    found = []
    for path in sorted((PROJECT_DIR / folder).rglob("*.py")):
        name = ".".join(path.relative_to(PROJECT_DIR).with_suffix("").parts)
        if not name.endswith("__init__"):
            found.append((name, path))
    return found


@cache
def imported(path: Path, folder: str = "app") -> set[str]:
    """What the module imports of that folder, wherever in the file: a late import makes a circle too."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.startswith(f"{folder}.")}


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_go_to_lower_layers_only(module: str, path: Path) -> None:
    above = {name for name in imported(path) if layer_of(name) > layer_of(module)}
    assert not above, f"{module} imports from above: {sorted(above)}"


@pytest.mark.parametrize("folder", ["app", *TOOLS])
def test_no_modules_import_each_other_in_a_circle(folder: str) -> None:
    places = dict(modules(folder))
    assert places
    order = TopologicalSorter({name: imported(path, folder) & places.keys() for name, path in places.items()})
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_a_class_name_stands_for_one_thing() -> None:
    places: dict[str, list[Path]] = defaultdict(list)
    for folder in ("app", *TOOLS):
        for path in sorted((PROJECT_DIR / folder).rglob("*.py")):
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(path)
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}


# Words that are no English of the field. Public names keep them: fields, an operation, the option of a command.
ORNAMENT = {"anew", "deed", "deeds", "dear", "mend", "mended", "mends", "tell", "tells", "told"}
PUBLIC_NAMES = {"told_at", "told_by", "tell_false_alarm"}


def given_names(tree: ast.Module) -> set[str]:
    """What a module calls its functions, classes, arguments, variables and attributes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
    return names


def test_names_are_of_the_fields_english() -> None:
    assert ORNAMENT & {word for name in given_names(ast.parse("def _tell_all(x): ...")) for word in name.split("_")}
    for path in sorted(APP.rglob("*.py")):
        odd = {name for name in given_names(parsed(path)) if ORNAMENT & set(name.lower().split("_"))}
        assert not odd - PUBLIC_NAMES, path


@pytest.mark.parametrize("folder", ["core", "utils"])
def test_the_core_knows_no_web_and_no_backend(folder: str) -> None:
    forbidden = (
        "fastapi",
        "starlette",
        "asyncpg",
        "pymilvus",
        "qdrant_client",
        "redis",
        "minio",
        "aio_pika",
        "pydantic_settings",
    )
    for path in (APP / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for name in forbidden:
            assert f"import {name}" not in text, path
            assert f"from {name}" not in text, path


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("app.ml_models.manifest", {"cv2", "scipy", "onnx", "onnxruntime", "openvino", "paddleocr", "insightface"}),
        ("app.composition.backends", {"cv2", "onnxruntime", "openvino", "paddleocr", "alembic", "sqlalchemy"}),
    ],
)
def test_what_commands_begin_with_loads_no_engine(module: str, forbidden: set[str]) -> None:
    look = f"import sys, {module}; print(*{forbidden!r} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", look], cwd=PROJECT_DIR, check=True, capture_output=True, text=True)
    assert found.stdout.split() == []


def handlers() -> list[tuple[str, ast.AsyncFunctionDef]]:
    """Every function that answers a route, with its file's name."""
    return [
        (path.name, node)
        for path in sorted((APP / "api" / "v1" / "endpoints").glob("*.py"))
        for node in parsed(path).body
        if isinstance(node, ast.AsyncFunctionDef) and any("router" in ast.unparse(d) for d in node.decorator_list)
    ]


def test_handlers_parse_call_and_answer_in_twelve_lines() -> None:
    assert len(handlers()) > 20
    lines = {
        f"{file}:{node.name}": (node.body[-1].end_lineno or 0) - (node.body[0].end_lineno or 0)  # behind the docstring
        for file, node in handlers()
    }
    assert not {name: count for name, count in lines.items() if count > 12}


def test_handlers_name_no_backend() -> None:
    for path in (APP / "api" / "v1").rglob("*.py"):
        assert not {name for name in imported(path) if name.startswith("app.services")}, path


def test_the_service_and_the_tools_know_no_tests() -> None:
    for folder in ("app", *TOOLS):
        for path in (PROJECT_DIR / folder).rglob("*.py"):
            assert not re.search(r"^\s*(from|import) tests\b", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_nothing_changes_where_python_looks() -> None:
    """The environment knows the project, see scripts/bootstrap.py."""
    for folder in ("app", *TOOLS, "tests"):
        for path in (PROJECT_DIR / folder).rglob("*.py"):
            assert not re.search(r"^\s*sys\.path\.", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_the_service_knows_no_tools() -> None:
    tools = re.compile(rf"^\s*(from|import) ({'|'.join(TOOLS)})\b", re.MULTILINE)
    for path in APP.rglob("*.py"):
        assert not tools.search(path.read_text(encoding="utf-8")), path


SQL = re.compile(
    r"\bSELECT\b(?! 1$)|\bINSERT INTO\b|\bUPDATE \w+( \w)? SET\b|\bDELETE FROM\b|\bLOCK TABLE\b|\bTRUNCATE\b"
    r"|\b(CREATE|ALTER|DROP) (TABLE|INDEX|SEQUENCE)\b|\bCOMMENT ON\b|\bpg_\w+\("
)


def written_texts(path: Path) -> list[str]:
    """The literals of a module, those inside f-strings too; docstrings are none."""
    tree = parsed(path)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    ]


def outside_the_stores(*, but_in: tuple[str, ...] = ()) -> list[Path]:
    paths = [path for path in sorted(APP.rglob("*.py")) if path.parent != APP / "services" / "stores"]
    assert len(paths) > 100
    return [path for path in paths if str(path.relative_to(APP)) not in but_in]


def test_sql_is_written_in_the_stores_alone() -> None:
    assert sum(bool(SQL.search(text)) for text in written_texts(APP / "services" / "stores" / "face_store.py")) > 10
    found = {path: [text for text in written_texts(path) if SQL.search(text)] for path in outside_the_stores()}
    assert not {path: texts for path, texts in found.items() if texts}


def test_only_the_adapter_speaks_asyncpg() -> None:
    for path in [*outside_the_stores(but_in=("services/database.py",)), *(APP / "services" / "stores").glob("*.py")]:
        assert "asyncpg" not in path.read_text(encoding="utf-8").replace("postgresql+asyncpg", ""), path


def test_nothing_is_undone_by_hand() -> None:
    """What is stored outside PostgreSQL is announced and claimed; see ``workflows/announcements.py``."""
    for path in (APP / "workflows").rglob("*.py"):
        assert "except BaseException" not in path.read_text(encoding="utf-8"), path


def test_revisions_of_the_schema_follow_one_another() -> None:
    paths = sorted((PROJECT_DIR / "alembic" / "versions").glob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    steps = [re.findall(r'^(?:down_)?revision = (?:"(\d+)"|None)', text, re.MULTILINE) for text in texts]
    assert steps == [[f"{n:04}", f"{n - 1:04}" if n > 1 else ""] for n in range(1, len(paths) + 1)]


@pytest.mark.parametrize("database", ["milvus", "qdrant"])
def test_a_vector_database_is_named_in_its_adapter_and_where_it_is_chosen_only(database: str) -> None:
    adapter = re.compile(rf"(from|import) (py{database}|{database}_client|app\.services\.vectors\.{database})")
    importers = {str(path.relative_to(APP)) for path in APP.rglob("*.py") if adapter.search(path.read_text("utf-8"))}
    others = {name for name in importers if not name.startswith(f"services/vectors/{database}")}
    assert others == {"composition/backends.py"}
