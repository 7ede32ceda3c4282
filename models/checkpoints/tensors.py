"""Tensors of safetensors files, by their headers: their names and places, without reading what they hold."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError

WEIGHTS = "*.safetensors"
_INDEX = "model.safetensors.index.json"
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin", "adapter_config.json")
_TRANSPARENT = {"base_model", "base_layer", "model", "language_model", "thinker"}
"""Parts of names that say how models are nested: each release of transformers nests them otherwise."""


class Tensor(NamedTuple):
    """A tensor of a file."""

    file: Path
    name: str
    dtype: str
    """As safetensors has it: BF16, F32, ..."""
    shape: tuple[int, ...]
    start: int
    """Its first byte in the file."""
    end: int


def safetensors_header(file: Path) -> tuple[Mapping[str, Any], int]:
    """Read the header of a safetensors file: its tensors, and where their data begins."""
    header, start = _whole_header(file)
    return {name: about for name, about in header.items() if name != "__metadata__"}, start


def _whole_header(file: Path) -> tuple[dict[str, Any], int]:
    with file.open("rb") as data:
        length = int.from_bytes(data.read(8), "little")
        if length > os.fstat(data.fileno()).st_size:
            raise ValueError(f"{file}: a header of {length} bytes")
        header: dict[str, Any] = json.loads(data.read(length))
    return header, 8 + length


def checkpoint_tensors(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name; raise a UserError where its weights are no safetensors."""
    files = [file for file in sorted(folder.glob(WEIGHTS)) if file.name not in ADAPTER_FILES]
    index = folder / _INDEX
    try:
        if index.is_file():
            listed = set(json.loads(index.read_bytes())["weight_map"].values())
            files = [file for file in files if file.name in listed]
        tensors = {}
        for file in files:
            header, start = safetensors_header(file)
            for name, about in header.items():
                begin, end = about["data_offsets"]
                tensors[name] = Tensor(file, name, about["dtype"], tuple(about["shape"]), start + begin, start + end)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder}: its weights cannot be read ({error}): copy the checkpoint again.") from None
    if not tensors:
        raise UserError(
            f"{folder}: model.safetensors or its shards are expected in it, for weights that can be changed."
        )
    return tensors


def refuse_cut_weights(folder: Path) -> None:
    """Raise a UserError where a file of a checkpoint's weights is missing or shorter than its header says.

    An engine would say so too, after minutes of a start, and of a large checkpoint last.
    """
    index, files = folder / _INDEX, {file.name for file in folder.glob(WEIGHTS)} - {*ADAPTER_FILES}
    try:
        listed = set(json.loads(index.read_bytes())["weight_map"].values()) if index.is_file() else files
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index}: not an index of weights ({error!r}): copy the checkpoint again.") from None
    missing = sorted(listed - files)
    if files and missing:
        raise UserError(
            f"{folder}: {len(missing)} of the {len(listed)} files of its weights are missing (first: {missing[0]}): "
            "copy the checkpoint again."
        )
    for file in (folder / name for name in sorted(listed & files)):
        try:
            tensors, start = safetensors_header(file)
            end = start + max((about["data_offsets"][1] for about in tensors.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{file}: not a safetensors file ({error}): copy the checkpoint again.") from None
        if (size := file.stat().st_size) < end:
            raise UserError(
                f"{file}: its weights end after {size:,} of {end:,} bytes: copy the checkpoint again, and wait for the "
                "end."
            )


def plain_name(name: str) -> str:
    """Return the name of a module or tensor without the parts that only say how models are nested."""
    return ".".join(part for part in name.split(".") if part not in _TRANSPARENT)


def copy_renamed(file: Path, copy: Path, rename: Callable[[str], str]) -> None:
    """Copy a safetensors file with other names of its tensors; what they hold is copied as it is."""
    header, start = _whole_header(file)
    renamed = {name if name == "__metadata__" else rename(name): about for name, about in header.items()}
    encoded = json.dumps(renamed, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with file.open("rb") as source, copy.open("xb") as target:
        target.write(len(encoded).to_bytes(8, "little") + encoded)
        source.seek(start)
        shutil.copyfileobj(source, target, 1 << 24)
