"""Find the files of a task file's sources: in the data folder, or beside the task file itself."""

from __future__ import annotations

from pathlib import Path

from dtbench.harness.core.errors import DataError
from dtbench.tasks.data.layouts import data_root
from dtbench.tasks.declared.definition import Definition
from dtbench.tasks.declared.rows import SourceFiles


def find_files(definition: Definition, data_dir: Path | None, home: Path | None) -> SourceFiles:
    """Return the files of records; a DataError that says where they were looked for.

    They are looked for in D and D/NAME where `data_dir` is D, which may be the one file itself; else beside the task
    file (`home`), and in the folder of all data sets.
    """
    source, name = definition.about.source, definition.name
    root = data_root(data_dir)
    if data_dir is not None and root.is_file():
        return SourceFiles(root.parent, (root,))
    if data_dir is not None and not root.is_dir():
        raise DataError(f"--data-dir {root}: there is no such folder.")
    folders = [root, root / name] if data_dir is not None else [*([home] if home else []), root / name, root]
    lacking = ""
    for folder in folders:
        found: list[Path] = []
        for pattern in source.files:
            matches = _matches(folder, pattern)
            if not matches:
                lacking = lacking if found == [] and lacking else pattern
                break
            found += [path for path in matches if path not in found]
        else:
            if found or source.format == "datasets":
                return SourceFiles(folder, tuple(found))
    pull = f"fetch it with `dtbench data pull {definition.address}`, or " if source.hub or source.urls else ""
    raise DataError(
        f"{name}: {lacking} is in none of {', '.join(map(str, folders))}: {pull}name its folder with --data-dir."
    )


def _matches(folder: Path, pattern: str) -> list[Path]:
    plain = folder / pattern
    if not any(sign in pattern for sign in "*?["):
        return [plain] if plain.exists() else []
    return sorted(path for path in folder.glob(pattern) if path.is_file())
