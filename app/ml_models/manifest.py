"""Pack manifests, ``packs/<name>.toml``: which model fills which role. ``packs/README.md`` describes the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, ValidationError
from pydantic.types import Strict

from app.errors import ConfigurationError
from app.ml_models.data_files import PACKS_DIR, FileTable, Texts, parse_toml, problems, wrong_file
from app.ml_models.registry import kinds_of
from app.ml_models.roles import ModelRole
from app.ml_models.specs import InputSpec, ModelSpec, Pack


class _Include(FileTable):
    pack: str
    roles: Texts


class _Manifest(FileTable):
    description: str
    include: Annotated[tuple[_Include, ...], Strict(strict=False)] = ()
    model: Annotated[tuple[dict[str, object], ...], Strict(strict=False)] = ()


class _AnyParams(FileTable):
    model_config = ConfigDict(extra="allow")


class _ModelOfNoKind(ModelSpec):
    """What can be checked of a model whose role or kind is not known."""

    params: _AnyParams = _AnyParams()
    input: InputSpec | None = None


def load_pack(name: str, packs_dir: Path = PACKS_DIR) -> Pack:
    """Read ``<packs_dir>/<name>.toml`` and the roles that it includes from other packs.

    Raises:
        ConfigurationError: no such pack, or a manifest that does not hold together; all that is wrong in it is named.
    """
    return _load(name, packs_dir, within=())


def pack_names(packs_dir: Path) -> list[str]:
    """The packs in a folder, in which other data files may stand too."""
    paths = sorted(packs_dir.glob("*.toml"))
    return [path.stem for path in paths if "[[model]]" in path.read_text(encoding="utf-8").splitlines()]


def _load(name: str, packs_dir: Path, *, within: Sequence[str]) -> Pack:
    path = packs_dir / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(pack_names(packs_dir)) or "none"
        raise ConfigurationError(f"There is no model pack {name}; there are: {known}.")
    manifest, models = _read(path)
    for include in manifest.include:
        if include.pack in (name, *within):
            raise wrong_file(path, [f"the pack includes itself through {include.pack}"])
        included = _load(include.pack, packs_dir, within=(name, *within))
        models += [included.spec(role) for role in include.roles]
    by_role = {model.role: model for model in models}
    if len(by_role) != len(models):
        roles = [model.role for model in models]
        doubled = sorted({role for role in roles if roles.count(role) > 1})
        raise wrong_file(path, [f"a role is there twice: {', '.join(doubled)}"])
    return Pack(name=name, description=manifest.description, models=by_role)


def _read(path: Path) -> tuple[_Manifest, list[ModelSpec]]:
    """The file, and the models in it. Raises ``ConfigurationError`` with all that is wrong in them."""
    document = parse_toml(path)
    tables = document.get("model")
    found: list[str] = []
    models = [_read_model(table, found) for table in (tables if isinstance(tables, list) else [])]
    try:
        manifest = _Manifest.model_validate(document)
    except ValidationError as error:
        raise wrong_file(path, [*problems(error), *found]) from error
    if found:
        raise wrong_file(path, found)
    return manifest, [model for model in models if model is not None]


def _read_model(table: object, found: list[str]) -> ModelSpec | None:
    """The model; None, and what is wrong with it among ``found``, where it does not fit its kind."""
    if not isinstance(table, dict):
        return None
    role, kind = table.get("role"), table.get("kind")
    kinds = kinds_of(ModelRole(role)) if role in tuple(ModelRole) else {}
    if kinds and isinstance(kind, str) and kind not in kinds:
        found.append(f"{role}: no engine reads the kind {kind}, known are {', '.join(kinds)}")
    model_type = kinds.get(str(kind), _ModelOfNoKind)
    try:
        return model_type.model_validate(table)
    except ValidationError as error:
        found += problems(error, within=str(role or "model"))
        return None
