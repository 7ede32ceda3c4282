"""A thinker saved alone, as trainers leave it: `python -m tiny_checkpoints.thinker_alone BASE FOLDER ...`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tiny_checkpoints.lora import load


def write_thinker(base: Path, folder: Path) -> None:
    """Save the part of a Qwen-Omni that answers, with the processor beside it."""
    load(base).save_pretrained(folder)
    for file in base.iterdir():
        if not (folder / file.name).exists() and not file.name.startswith(("model", "spk_dict")):
            shutil.copyfile(file, folder / file.name)


if __name__ == "__main__":
    for base, folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        write_thinker(Path(base), Path(folder))
