"""The texts of errors in the package, as the source has them: what differs is a hole."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("harness", "models", "results", "tasks", "training")
HOLE = "\0"


def templates() -> Iterator[str]:
    """Yield each text that is written in the package, with a hole for each value."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def is_written(shown: str, texts: Iterable[str]) -> bool:
    """Whether a message as a page shows it, with a sign for each value, begins one of these templates."""
    parts = shown.split("…")
    longest = max(parts, key=len)
    pattern = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
    return any(pattern.match(text) for text in texts if longest in text)
