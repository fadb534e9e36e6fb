"""Does what is written down still agree with what there is? Called by `make lint`.

`.env.example` names exactly the variables of `Settings`, each with its default. Links inside the repository lead
somewhere, headings included. Python examples are Python. No module is longer than 400 lines.
"""

import ast
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dotenv import dotenv_values

from streaming_service.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
_NOT_OURS = {"var", "dist", "build", "node_modules", "__pycache__"}

_FENCE = re.compile(r"^(`{3,})(\w*)[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def main() -> int:
    """Print every problem; 1 when there is any."""
    problems = [*_environment(ROOT / ".env.example"), *_lengths(), *_documents()]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def _environment(path: Path) -> Iterator[str]:
    wanted = {name.upper(): _spelt(field.default) for name, field in Settings.model_fields.items()}
    given = {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
    for name in wanted.keys() - given.keys():
        yield f"{path.name}: {name} is missing"
    for name in given.keys() - wanted.keys():
        yield f"{path.name}: {name} is no setting"
    for name in wanted.keys() & given.keys():
        if given[name] != wanted[name]:
            yield f"{path.name}: {name} is {given[name]!r}, but its default is {wanted[name]!r}"


def _spelt(value: Any) -> str:
    """As a person writes it in the file: nothing for None, whole numbers without a point."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case Enum():
            return str(value.value)
        case _:
            return str(value)


def _lengths() -> Iterator[str]:
    for path in _files("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            yield f"{path.relative_to(ROOT)}: {lines} lines, more than {MAX_LINES}"


def _documents() -> Iterator[str]:
    for path in _files("*.md"):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT)
        for fence in _FENCE.finditer(text):
            if fence[2] == "python" and (error := _not_python(fence[3])):
                yield f"{name}: example is not Python: {error}"
        for link in _LINK.finditer(_CODE.sub("", _FENCE.sub("", text))):
            if (target := link[1]) and not _ELSEWHERE.match(target) and not _leads_somewhere(path, target):
                yield f"{name}: {target} leads nowhere"


def _not_python(code: str) -> str | None:
    try:
        ast.parse(code)
    except SyntaxError as error:
        return f"{error.msg} in line {error.lineno}"
    return None


def _leads_somewhere(path: Path, target: str) -> bool:
    file, _, anchor = unquote(target).partition("#")
    found = path if not file else (path.parent / file).resolve()
    if not found.exists() or not found.is_relative_to(ROOT):
        return False
    return not anchor or found.suffix != ".md" or anchor in _anchors(found.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    """Headings as links name them: lower case, only letters, digits, `-` and `_`, spaces as `-`."""
    anchors: set[str] = set()
    for heading in _HEADING.finditer(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
        anchors.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return anchors


def _files(pattern: str) -> Iterator[Path]:
    """Ours: nothing generated, nothing installed."""
    for path in sorted(ROOT.rglob(pattern)):
        parts = path.relative_to(ROOT).parts
        if not any(part in _NOT_OURS or (part.startswith(".") and part != ".github") for part in parts[:-1]):
            yield path


if __name__ == "__main__":
    sys.exit(main())
