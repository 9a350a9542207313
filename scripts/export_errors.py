"""Every code of a problem, read from the places that raise it: app/api/error_codes.json and docs/errors.md.

python scripts/export_errors.py            # write them
python scripts/export_errors.py --check    # exit status 1 if they are not what the code says

The JSON is what the API's document lists; the page is for people. A code that is put together while it runs has to be
one of the few forms that this knows, so that none is missing.
"""

from __future__ import annotations

import ast
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.api.problems import FRAMEWORK_PROBLEMS, STATUS, title_of
from app.errors import ConfigurationError
from scripts.committed_document import write_or_compare

PROJECT_DIR = Path(__file__).resolve().parents[1]
CODES = PROJECT_DIR / "app" / "api" / "error_codes.json"
PAGE = PROJECT_DIR / "docs" / "errors.md"
_APP = PROJECT_DIR / "app"
# Never answered: it stops the start.
_STATUS_OF = {kind.__name__: status for kind, status in STATUS.items() if kind is not ConfigurationError}
_NOT_SERVED = _APP / "cli"
_MESSAGES_SHOWN = 4
# Jobs that a sandbox runs for us say of themselves with which code their file is refused, as this error.
_SANDBOX_JOB, _ITS_ERROR = "SandboxTask", "InvalidImage"
_HEAD = """# Errors

Every refusal is a problem document (RFC 9457) with a `code`, which stays what it is while wording may change: go by the
code, show `detail` to people, and give `request_id` to whoever runs the service. A few have further members, as
`errors` of `validation_error`. New codes may come with new versions; treat an unknown one by its status.

| status | what a client does |
|---|---|
| 401, 403 | another key, or one with the scope that `detail` names |
| 404, 409, 413, 422 | not the same request again; `detail` says what to change |
| 408, 429, 503, 504 | the same request later: after `Retry-After`, if given, with the same `Idempotency-Key` |
| 500 | a bug of ours: report it with `request_id` |

Written by `scripts/export_errors.py` (`make openapi`) out of the places that raise them; … stands for what differs.
"""

# A connection's purpose is named in the codes of addresses that are refused or unknown.
_PURPOSE = "Purpose"

Messages = dict[str, dict[str, list[str]]]
"""By status, by code."""


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """One class of errors, as its source says: its base, the code and the message that it has by itself."""

    base: str
    code: str | None
    message: str | None


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(_APP.rglob("*.py")):
        if not path.is_relative_to(_NOT_SERVED):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _text(node: ast.expr | None) -> str | None:
    """A message; … stands for what is put in. None where it comes from elsewhere."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in parts)  # type: ignore[misc]  # str
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return f"{_text(left) or '…'}{_text(right) or '…'}"
    return None


def _classes(trees: list[tuple[Path, ast.Module]]) -> dict[str, ErrorClass]:
    found: dict[str, ErrorClass] = {}
    for _, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.bases:
                own = {
                    target.id: _text(line.value)
                    for line in node.body
                    if isinstance(line, ast.Assign)
                    for target in line.targets
                    if isinstance(target, ast.Name)
                }
                calls = [call for call in ast.walk(node) if isinstance(call, ast.Call) and _is_super_init(call)]
                message = next((_text(call.args[0]) for call in calls if call.args), None)
                found[node.name] = ErrorClass(_name(node.bases[0]), own.get("code"), message)
    return found


def _is_super_init(call: ast.Call) -> bool:
    return ast.unparse(call.func) == "super().__init__"


def _raised(node: ast.AST) -> ast.AST:
    """``raise Error`` as ``Error()``."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name | ast.Attribute):
        return ast.Call(func=node.exc, args=[], keywords=[])
    return node


def _name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


class _Reader:
    """Finds what is raised."""

    def __init__(self) -> None:
        self._trees = list(_trees())
        self._classes = _classes(self._trees)
        calls = [node for _, tree in self._trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self._subjects = sorted(str(_text(call.args[0])) for call in calls if _name(call.func) == _PURPOSE)

    def messages(self) -> Messages:
        """Of all codes that ``app`` raises."""
        found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for path, tree in self._trees:
            for node in map(_raised, ast.walk(tree)):
                if isinstance(node, ast.Call) and (kind := self._kind(node)) and not self._passes_on(path, node):
                    for code in self._codes(path, node, kind):
                        message = self._message(node, kind)
                        found[str(self._status(kind))][code] |= {message} if message else set()
        for status, code, message in FRAMEWORK_PROBLEMS:
            found[str(int(status))][code].add(message)
        return {
            status: {code: sorted(messages) for code, messages in sorted(codes.items())}
            for status, codes in sorted(found.items())
        }

    def _kind(self, call: ast.Call) -> str | None:
        name = _name(call.func)
        if name == _SANDBOX_JOB:
            return _ITS_ERROR
        return name if self._status(name) else None

    def _status(self, name: str) -> int | None:
        while name not in _STATUS_OF:
            if name not in self._classes:
                return None
            name = self._classes[name].base
        return int(_STATUS_OF[name])

    def _passes_on(self, path: Path, call: ast.Call) -> bool:
        """Whether it is built of what another error says, which is read where that one is raised."""
        code = next((one.value for one in call.keywords if one.arg == "code"), None)
        passed = ("error.code", "code", "task.code", "self.code")
        return path.name == "errors.py" or (code is not None and ast.unparse(code) in passed)

    def _codes(self, path: Path, call: ast.Call, kind: str) -> list[str]:
        given = next((one.value for one in call.keywords if one.arg == "code"), None)
        if given is None:
            return [self._default(kind, "code") or "error"]
        choices = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
        return [code for choice in choices for code in self._spelled(path, choice)]

    def _spelled(self, path: Path, choice: ast.expr) -> list[str]:
        text = _text(choice)
        if text is None:
            raise ValueError(f"{path}:{choice.lineno}: this code can't be read; spell it out")
        return [text.replace("…", subject) for subject in self._subjects] if "…" in text else [text]

    def _default(self, kind: str, field: str) -> str | None:
        while kind in self._classes:
            if value := getattr(self._classes[kind], field):
                return str(value)
            kind = self._classes[kind].base
        return None

    def _message(self, call: ast.Call, kind: str) -> str | None:
        named = (one.value for one in call.keywords if one.arg == "message")
        return self._default(kind, "message") or _text(next(named, call.args[0] if call.args else None))


def page(messages: Messages) -> str:
    """docs/errors.md."""
    parts = [_HEAD]
    for status, codes in messages.items():
        rows = [f"| `{code}` | {' · '.join(messages[:_MESSAGES_SHOWN]) or '—'} |" for code, messages in codes.items()]
        title = f"## {status} {title_of(int(status))}"
        parts.append("\n".join([title, "", "| code | what is wrong, and what to do |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def documents() -> dict[Path, str]:
    """What the two files hold."""
    messages = _Reader().messages()
    return {CODES: json.dumps(messages, indent=1, ensure_ascii=False) + "\n", PAGE: page(messages)}


def main() -> int:
    complaint = "The codes of errors have changed; run: make openapi"
    return max(
        write_or_compare(target, text, purpose=__doc__, complaint=complaint) for target, text in documents().items()
    )


if __name__ == "__main__":
    sys.exit(main())
