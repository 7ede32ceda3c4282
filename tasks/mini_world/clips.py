"""Clips that are rendered when they are read, and kept as WAV files for people and other programs."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.store.atomic import replace_unsynced, replace_whole, write_failure
from dtbench.tasks.mini_world.items import make_item
from dtbench.tasks.mini_world.splits import Slot, slots

if TYPE_CHECKING:
    from dtbench.tasks.data.download import Fetched

ORIGIN = "made by dtbench"
"""Stands where other data has the page it came from."""


@dataclass(frozen=True, slots=True)
class GeneratedClip:
    """A clip that follows from its slot; the file is a copy, which no model hears."""

    slot: Slot
    folder: Path

    @property
    def path(self) -> Path:
        """Return the path of the copy."""
        return self.folder / "audio" / f"{self.slot.id}.wav"

    @property
    def label(self) -> str:
        """Return the path of the copy, for messages."""
        return str(self.path)

    def read(self) -> bytes:
        """Render the clip; write a copy that is missing or damaged, where the folder allows it."""
        data = make_item(self.slot).wav()
        with contextlib.suppress(
            OSError, DtbenchError
        ):  # a run needs no copy, so a disk that takes none does not end it
            _keep(self.path, data)
        return data

    def is_there(self) -> bool:
        """Return True: it can always be made."""
        return True

    def write(self) -> bytes:
        """Render the clip; raise a UserError or MachineryError where the copy cannot be written."""
        data = make_item(self.slot).wav()
        try:
            _keep(self.path, data)
        except OSError as error:
            raise write_failure(self.path, error) from error
        return data


def _keep(path: Path, data: bytes) -> None:
    """Write the data unless the file contains it; at any moment the file is whole or absent."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == data:
            return
    replace_unsynced(path, data)  # a sync takes longer than rendering; what a crash tears is written at the next read


def write_split(
    split: str, folder: Path, progress: Callable[[int, int], None] = lambda done, expected: None
) -> list[Fetched]:
    """Write the clips of a split, and its records as JSON lines with the path of each clip."""
    from dtbench.tasks.data.download import Fetched

    lines: list[str] = []
    digest, size, all_slots = hashlib.sha256(), 0, slots(split)
    for slot in all_slots:
        clip = GeneratedClip(slot, folder)
        data = clip.write()
        digest.update(data)
        size += len(data)
        record = {**make_item(slot).as_published(), "audio_path": f"./audio/{clip.path.name}"}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
        progress(len(lines), len(all_slots))
    records = folder / "items.jsonl"
    content = "".join(lines).encode()
    replace_whole(records, content)
    return [
        Fetched(records, len(content), hashlib.sha256(content).hexdigest(), ORIGIN),
        Fetched(folder / "audio", size, digest.hexdigest(), ORIGIN),
    ]
