"""The clips that records name: files below the data folder, members of an archive, or audio inside the record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from dtbench.harness.core.memory_clips import clip_of_value
from dtbench.harness.core.schema import Clip
from dtbench.tasks.data.clips import ArchivedClip

PLAIN_CLIP = (str, bytes, Mapping)


class ClipPaths:
    """Where the clips of a task are."""

    def __init__(self, root: Path, folder: str, archives: Sequence[str]) -> None:
        self._root = root / folder if folder else root
        self._archives = [root / name for name in archives]
        self._is_there: dict[str, bool] = {}

    def clips(self, value: Any, where: str) -> tuple[Path | Clip, ...]:
        """Return the clips of a record's value: one, or a list of them; a ValueError where it is none."""
        if value is None:
            return ()
        each = value if isinstance(value, list | tuple) else [value]
        return tuple(self._clip(one, f"{where}, clip {number}") for number, one in enumerate(each, start=1))

    def _clip(self, value: Any, label: str) -> Path | Clip:
        if isinstance(value, str):
            return self._path(value)
        if (
            isinstance(value, Mapping)
            and not isinstance(value.get("bytes"), bytes)
            and isinstance(value.get("path"), str)
        ):
            return self._path(value["path"])
        if hasattr(value, "read") and hasattr(value, "label"):
            return value  # type: ignore[no-any-return]
        clip = clip_of_value(value, label)
        if clip is None:
            raise ValueError(f"{repr(value)[:60]} is not a clip; a path, encoded bytes or a list of them is expected")
        return clip

    def _path(self, name: str) -> Path | Clip:
        parts = [part for part in PurePosixPath(name).parts if part != "."]
        if not parts or name.startswith(("/", "~")) or ".." in parts or "\0" in name:
            raise ValueError(f"{json.dumps(name)} is no path of a clip below the folder of the data")
        if self._archives and not self._folder_is_there(parts):
            archive = next((one for one in self._archives if one.name.partition(".")[0] == parts[0]), self._archives[0])
            folder = self._root / (parts[0] if len(parts) > 1 else archive.name.partition(".")[0])
            inside = parts[1:] if len(parts) > 1 else parts
            return ArchivedClip(folder.joinpath(*inside), folder, archive)
        return self._root.joinpath(*parts)

    def _folder_is_there(self, parts: Sequence[str]) -> bool:
        """Whether the clips lie unpacked beside the archive, as their records name them."""
        first = parts[0]
        if first not in self._is_there:
            path = self._root / first
            self._is_there[first] = path.is_dir() if len(parts) > 1 else path.is_file()
        return self._is_there[first]

    def missing(self) -> list[str]:
        """Return a note where clips are to come out of archives, and neither these nor a folder of clips is there."""
        if not self._archives or any(path.is_file() for path in self._archives) or any(self._is_there.values()):
            return []
        names = " or ".join(path.name for path in self._archives)
        return [f"no audio found: scoring works, but a run needs {names} in {self._root}"]
