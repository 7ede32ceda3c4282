"""Checkpoints of an engine: which of them are whole, and what of one makes a plain model folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import MachineryError

_STEP = "checkpoint-"
_PROOFS = ("trainer_state.json", "latest_checkpointed_iteration.txt")
"""What engines write last: transformers, Megatron."""
_MODEL_FILES = ("*.safetensors", "*.safetensors.index.json", "*.jinja", "*.json", "*.txt", "*.model")
_NOT_MODEL = {"trainer_state.json", "args.json", "latest_checkpointed_iteration.txt"}


def step_of(checkpoint: Path) -> int:
    """After which step it was written."""
    return int(checkpoint.name.removeprefix(_STEP))


def whole(engine: Path) -> list[Path]:
    """The checkpoints that were written to their end, the last first."""
    found = [path for path in engine.glob(f"{_STEP}*") if path.name.removeprefix(_STEP).isdigit() and is_whole(path)]
    return sorted(found, key=step_of, reverse=True)


def is_whole(checkpoint: Path) -> bool:
    """Whether the engine came to its end, and every file of weights is as long as its head says."""
    weights = list(checkpoint.glob("*.safetensors"))
    if not weights or not any(_readable(checkpoint / proof) for proof in _PROOFS):
        return False
    return all(_as_long_as_told(file) for file in weights)


def is_last(checkpoint: Path, steps: int | None) -> bool:
    """Whether nothing is left to train after it: by the recipe's steps, or by what the trainer made of its epochs."""
    if steps is not None:
        return step_of(checkpoint) >= steps
    try:
        told = json.loads((checkpoint / "trainer_state.json").read_bytes())
        return 0 < int(told["max_steps"]) <= int(told["global_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def drop_torn(engine: Path) -> list[str]:
    """Remove checkpoints that a killed process left behind; their names."""
    good = set(whole(engine))
    torn = [path for path in engine.glob(f"{_STEP}*") if path.is_dir() and path not in good]
    for path in torn:
        shutil.rmtree(path)
    return [path.name for path in torn]


def _readable(proof: Path) -> bool:
    try:
        text = proof.read_text()
        return proof.suffix != ".json" or isinstance(json.loads(text), dict)
    except (OSError, ValueError):
        return False


def _as_long_as_told(file: Path) -> bool:
    try:
        tensors, start = header(file)
        ends = (int(about["data_offsets"][1]) for about in tensors.values())
        return file.stat().st_size == start + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def header(file: Path) -> tuple[Mapping[str, Any], int]:
    """What a safetensors file says of its tensors, and where their data begins."""
    with file.open("rb") as data:
        length = int.from_bytes(data.read(8), "little")
        if length > os.fstat(data.fileno()).st_size:
            raise ValueError(f"{file}: a head of {length} bytes")
        told = json.loads(data.read(length))
    return {name: about for name, about in told.items() if name != "__metadata__"}, 8 + length


def export(checkpoint: Path, model: Path) -> None:
    """The plain model folder of a checkpoint: weights, configuration, tokenizer, processor, nothing of the trainer's.

    Files are linked where the disk allows it. The folder appears whole or not at all.
    """
    temporary = model.with_name(f".{model.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for file in sorted(_of_model(checkpoint)):
        _link(file, temporary / file.name)
    for needed in ("config.json", "tokenizer_config.json"):
        if not (temporary / needed).is_file():
            raise MachineryError(f"{checkpoint}: there is no {needed} in it, so it is no model folder.")
    shutil.rmtree(model, ignore_errors=True)
    temporary.rename(model)


def _of_model(checkpoint: Path) -> Iterator[Path]:
    for pattern in _MODEL_FILES:
        yield from (file for file in checkpoint.glob(pattern) if file.name not in _NOT_MODEL)


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def shapes(model: Path) -> Mapping[str, tuple[int, ...]]:
    """The tensors of a model folder by name."""
    found: dict[str, tuple[int, ...]] = {}
    for file in model.glob("*.safetensors"):
        found |= {name: tuple(about["shape"]) for name, about in header(file)[0].items()}
    return found
