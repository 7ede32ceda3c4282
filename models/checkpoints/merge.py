"""Merge a LoRA adapter into a copy of its base: tensor by tensor, so that the memory it takes is that of one.

A merged tensor is as long as it was, so the files of the base are copied as they are and only what changed is written
over: names, order and types stay those of the base, which is what every engine reads. transformers' own way would load
the class, need the memory of the whole model, and save under the names that its release has.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.models.checkpoints.adapters import Change, match_targets, read_changes
from dtbench.models.checkpoints.tensors import ADAPTER_FILES, Tensor, checkpoint_tensors

_LOG = logging.getLogger(__name__)
_TYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


class _Part(NamedTuple):
    """A change of one tensor."""

    change: Change
    tensors: Sequence[Tensor]
    """All tensors of the change, this one among them."""


def merge(base: Path, adapter: Path, folder: Path) -> int:
    """Write the merged checkpoint into a new folder and return how many tensors changed.

    Raise a UserError where the adapter does not fit its base, and a MachineryError where it changes nothing.
    """
    tensors = checkpoint_tensors(base)
    parts: dict[str, list[_Part]] = {}
    for change, changed in match_targets(read_changes(adapter), tensors, str(adapter)):
        for tensor in changed:
            parts.setdefault(tensor.name, []).append(_Part(change, changed))
    if quantised := [name for name in parts if tensors[name].dtype not in _TYPES]:
        raise UserError(
            f"{adapter}: its base {base} is quantised ({quantised[0]} is {tensors[quantised[0]].dtype}), so nothing "
            "can be merged into it: -M adapter_mode=serve has vLLM apply it beside the base."
        )
    link_others(base, folder, but={tensors[name].file for name in parts})
    count = sum(_merge_file(file, folder, parts, tensors) for file in sorted({tensors[name].file for name in parts}))
    if not count:
        raise MachineryError(
            f"{adapter}: the adapter does nothing: merged into {base}, not one of the {len(parts)} tensors that it "
            "names changes. Was it saved before it was trained?"
        )
    _LOG.info("merged %s into %s: %d of %d tensors changed", adapter, base, count, len(tensors))
    return count


def link_others(base: Path, folder: Path, but: set[Path]) -> None:
    """Link every file of a checkpoint into a folder, but for these and those of an adapter beside its weights."""
    for entry in base.iterdir():
        if entry not in but and entry.name not in ADAPTER_FILES and entry.is_file():
            (folder / entry.name).symlink_to(entry.resolve())


def _merge_file(file: Path, folder: Path, parts: Mapping[str, Sequence[_Part]], tensors: Mapping[str, Tensor]) -> int:
    """Copy a file, merge its tensors in place, and return how many changed."""
    shutil.copyfile(file, folder / file.name)
    count = 0
    with (folder / file.name).open("r+b") as data:
        for name, of_tensor in parts.items():
            if tensors[name].file == file:
                count += _merge_tensor(data, tensors[name], of_tensor)
    return count


def _merge_tensor(data: BinaryIO, tensor: Tensor, parts: Sequence[_Part]) -> bool:
    """Write the merged tensor in its place; return whether it is another than before."""
    import torch

    data.seek(tensor.start)
    before = bytearray(data.read(tensor.end - tensor.start))
    weight = torch.frombuffer(before, dtype=getattr(torch, _TYPES[tensor.dtype])).reshape(tensor.shape)
    new = weight.float()
    for change, tensors in parts:
        if "whole" in change.parts:
            new = change.parts["whole"].float()
        elif {"lora_A", "lora_B"} <= change.parts.keys() and change.is_of_experts:
            new = new + _delta_of_experts(change, tensor, tensors)
        else:
            new = _with_factors(new, change)
        if tuple(new.shape) != tensor.shape:
            raise UserError(
                f"{change.module}: the adapter has another shape there ({tuple(new.shape)}) than its base "
                f"({tensor.shape}): is this the model that it was trained on? -M base=FOLDER names another."
            )
    after = new.to(weight.dtype).contiguous()
    changed = not torch.equal(after, weight)
    data.seek(tensor.start)
    data.write(after.view(torch.uint8).numpy().tobytes() if after.numel() else b"")
    return changed


def _with_factors(weight: Any, change: Change) -> Any:
    """Add the product of the factors, and by DoRA's magnitudes scale what comes of it."""
    import torch

    parts = change.parts
    if "lora_embedding_A" in parts:
        delta = (parts["lora_embedding_B"].float() @ parts["lora_embedding_A"].float()).T
    elif parts.get("lora_A") is None or parts.get("lora_B") is None or parts["lora_A"].dim() != 2:
        shown = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sorted(parts.items()))
        raise UserError(f"{change.module}: lora_A and lora_B of two dimensions are expected, the adapter has {shown}.")
    else:
        delta = parts["lora_B"].float() @ parts["lora_A"].float()
    delta = delta.T if change.config.get("fan_in_fan_out") else delta
    if delta.shape != weight.shape:
        return delta  # which the caller refuses by its shape
    merged = weight + change.scaling() * delta
    magnitude = parts.get("lora_magnitude_vector")
    if magnitude is None:
        return merged
    if change.config.get("fan_in_fan_out") or "lora_embedding_A" in parts:
        raise UserError(f"{change.module}: DoRA is merged here in linear layers alone: merge it with PEFT.")
    return magnitude.float().reshape(-1, 1) / torch.linalg.norm(merged, dim=1, keepdim=True) * merged


def _delta_of_experts(change: Change, tensor: Tensor, tensors: Sequence[Tensor]) -> Any:
    """Return what an adapter of one parameter of all experts adds to this tensor: of one expert, or of all."""
    import torch

    leaf = tensor.name.removesuffix(".weight").rpartition(".")[2]
    fused = len(tensor.shape) == 3
    per_expert = 2 if leaf in {"gate_proj", "up_proj"} else 1
    experts = tensor.shape[0] if fused else len(tensors) // per_expert
    first, second = change.parts["lora_A"].float(), change.parts["lora_B"].float()
    first = first.reshape(experts, -1, first.shape[-1])
    second = second.reshape(second.shape[0], -1, experts)
    scaling = change.scaling(".down_proj" if leaf == "down_proj" else ".gate_up_proj", experts)
    if fused:
        return scaling * torch.einsum("o r e, e r i -> e o i", second, first)
    number = int(tensor.name.partition(".experts.")[2].partition(".")[0])
    delta = scaling * second[:, :, number] @ first[number]
    half = delta.shape[0] // 2
    return {"gate_proj": delta[:half], "up_proj": delta[half:]}.get(leaf, delta)
