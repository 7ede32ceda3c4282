"""Packages as an installer leaves them in a folder: a module, and what importlib.metadata reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, offered: Mapping[str, str], text: str, group: str = "dtbench.tasks") -> None:
    """Put a package of one module there that offers tasks, or things of another group, by entry point."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = "".join(f"{thing} = {target}\n" for thing, target in offered.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{points}")
