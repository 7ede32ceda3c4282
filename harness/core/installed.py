"""Where this dtbench is, and how more is installed beside it."""

from __future__ import annotations

from pathlib import Path


def clone_folder() -> Path | None:
    """Return the folder of the clone that this dtbench is imported from; None for an installed package."""
    source = Path(__file__).absolute().parents[3]
    return source.parent if source.name == ".src" else None


def install_command(extra: str) -> str:
    """Return the command that installs an extra of dtbench here."""
    clone = clone_folder()
    what = "dtbench" if clone is None else "." if clone == Path.cwd() else str(clone)
    return f"pip install '{what}[{extra}]'"
