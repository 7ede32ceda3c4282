"""What a LoRA adapter adds to the slices of its base, without torch and without merging: rows of a product of factors.

The product is not rounded: an adapter that is served beside its base moves weights by less than a step of bfloat16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.probe.weight_changes import as_floats
from dtbench.harness.probe.weight_files import WeightSlice
from dtbench.models.checkpoints.adapters import Change, match_targets, read_changes
from dtbench.models.checkpoints.tensors import ADAPTER_FILES, Tensor, safetensors_header

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class AddedProduct(NamedTuple):
    """What is added to a slice: scaling * left @ right; or the values in its place, where there is no left."""

    left: Any
    right: Any
    scaling: float

    def apply(self, values: NDArray[np.float32], first: int, last: int) -> NDArray[np.float32]:
        """Return the rows from `first` up to `last` with the change in them."""
        import numpy as np

        if self.left is None:
            return np.asarray(self.right[first:last], dtype=np.float32)
        return np.asarray(values + np.float32(self.scaling) * (self.left[first:last] @ self.right), dtype=np.float32)


def added_products(
    adapter: Path, tensors: Mapping[str, Tensor], slices: Mapping[str, WeightSlice]
) -> Mapping[str, Sequence[AddedProduct]]:
    """Return what an adapter adds to each slice of its base, by the slice's name.

    Raise a UserError where it does not fit, or scales weights instead of adding to them (DoRA).
    """
    by_tensor: dict[str, list[WeightSlice]] = {}
    for one in slices.values():
        by_tensor.setdefault(one.source.name, []).append(one)
    added: dict[str, list[AddedProduct]] = {}
    for change, changed in match_targets(read_changes(adapter, _read_tensors), tensors, str(adapter)):
        for tensor in changed:
            for one in by_tensor.get(tensor.name, []):
                added.setdefault(one.name, []).append(_added(change, one, len(changed), adapter))
    return added


def _read_tensors(folder: Path) -> Mapping[str, Any]:
    """Read the factors of an adapter as 32-bit floats."""
    import numpy as np

    file = folder / ADAPTER_FILES[0]
    if not file.is_file():
        raise UserError(f"{folder}: {file.name} is expected in it: save the adapter as safetensors.")
    try:
        header, start = safetensors_header(file)
        tensors = {}
        for name, about in header.items():
            begin, end = about["data_offsets"]
            kind = np.dtype(_TYPES[about["dtype"]])
            stored: Any = (
                np.memmap(file, kind, "r", start + begin, ((end - begin) // kind.itemsize,)) if end > begin else []
            )
            tensors[name] = as_floats(np.asarray(stored, dtype=kind)).reshape(about["shape"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: not an adapter: its weights cannot be read ({error}).") from None
    return tensors


def _added(change: Change, one: WeightSlice, tensors: int, adapter: Path) -> AddedProduct:
    parts = change.parts
    if "whole" in parts:
        whole = parts["whole"]
        product = AddedProduct(None, (whole if one.expert is None else whole[one.expert]).reshape(one.rows, -1), 1.0)
    elif "lora_magnitude_vector" in parts:
        raise UserError(
            f"{adapter}: DoRA scales the weights of {change.module}: merge it with PEFT and give the folder."
        )
    elif "lora_embedding_A" in parts:
        product = AddedProduct(parts["lora_embedding_A"].T, parts["lora_embedding_B"].T, change.scaling())
    elif {"lora_A", "lora_B"} - parts.keys() or parts["lora_A"].ndim != 2:
        raise UserError(f"{adapter}: {change.module}: lora_A and lora_B of two dimensions are expected.")
    elif change.is_of_experts:
        product = _of_expert(change, one, tensors)
    elif change.config.get("fan_in_fan_out"):
        product = AddedProduct(parts["lora_A"].T, parts["lora_B"].T, change.scaling())
    else:
        product = AddedProduct(parts["lora_B"], parts["lora_A"], change.scaling())
    rows = len(product.right if product.left is None else product.left)
    if (rows, product.right.shape[1]) != (one.rows, one.columns):
        raise UserError(
            f"{adapter}: {change.module}: the adapter has another shape there ({rows} x {product.right.shape[1]}) than "
            f"its base ({one.rows} x {one.columns}): is this the model that it was trained on?"
        )
    return product


def _of_expert(change: Change, one: WeightSlice, tensors: int) -> AddedProduct:
    """Return what the factors of all experts of a layer add to one of them."""
    leaf = one.name.removesuffix(".weight").rpartition(".")[2]
    stacked = one.source.shape[0] if one.expert is not None else tensors // (1 if leaf == "down_proj" else 2)
    number = int(one.name.rpartition(".experts.")[2].partition(".")[0])
    first, second = change.parts["lora_A"], change.parts["lora_B"]
    right = first.reshape(stacked, -1, first.shape[-1])[number]
    left = second.reshape(second.shape[0], -1, stacked)[:, :, number]
    half = len(left) // 2
    left = {"gate_proj": left[:half], "up_proj": left[half:]}.get(leaf, left)
    parameter = ".down_proj" if leaf == "down_proj" else ".gate_up_proj"
    return AddedProduct(left, right, change.scaling(parameter, stacked))
