"""Weights of a checkpoint as slices of its files: every matrix by one name, however experts are stored.

transformers stores the experts of a layer as one tensor (`experts.gate_up_proj`: expert, gate above up, inputs) or one
by one (`experts.7.gate_proj.weight`), as Megatron's exports do. Both come to the same slices here, each a piece of a
file that is read by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from dtbench.models.checkpoints.tensors import Tensor, plain_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ITEM_BYTES: Mapping[str, int] = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Types of numbers that are compared; others are packed or quantised."""
_FUSED = re.compile(r"(?P<module>.+\.experts)\.(?P<leaf>gate_up_proj|gate_proj|up_proj|down_proj)(?:\.weight)?")


class WeightSlice(NamedTuple):
    """A matrix, or a vector as a matrix of one column, in a file."""

    name: str
    """Its plain name, with the number of the expert where it is of one."""
    source: Tensor
    """The tensor that it is in."""
    dtype: str
    rows: int
    columns: int
    start: int
    """Its first byte in the file."""
    expert: int | None = None
    """Its place in a tensor of all experts; None where it is a tensor by itself."""

    @property
    def size(self) -> int:
        """The number of its elements."""
        return self.rows * self.columns

    @property
    def bytes(self) -> int:
        """The length of its piece of the file."""
        return self.size * ITEM_BYTES[self.dtype]

    def read(self, first: int, last: int) -> NDArray[np.generic]:
        """Map rows from `first` up to `last`: numbers of its type, BF16 as 16-bit integers."""
        import numpy as np

        kind = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}[self.dtype]
        offset = self.start + first * self.columns * ITEM_BYTES[self.dtype]
        return np.memmap(self.source.file, kind, "r", offset, ((last - first), self.columns))


class UnreadTensor(NamedTuple):
    """A tensor that is not compared."""

    name: str
    why: str


def slices_of(tensors: Mapping[str, Tensor]) -> tuple[dict[str, WeightSlice], list[UnreadTensor]]:
    """Return the slices of a checkpoint by name, and the tensors whose numbers cannot be compared."""
    slices: dict[str, WeightSlice] = {}
    unread = []
    for tensor in tensors.values():
        if tensor.dtype not in ITEM_BYTES:
            unread.append(UnreadTensor(tensor.name, f"{tensor.dtype} is no type of numbers that are compared"))
            continue
        for one in _slices(tensor):
            # Two tensors that differ only in how they are nested keep their whole names.
            name = one.name if one.name not in slices else tensor.name
            slices[name] = one._replace(name=name)
    return slices, unread


def _slices(tensor: Tensor) -> Iterator[WeightSlice]:
    fused = _FUSED.fullmatch(plain_name(tensor.name))
    if fused is not None and len(tensor.shape) == 3:
        yield from _of_experts(tensor, fused["module"], fused["leaf"])
        return
    rows = tensor.shape[0] if tensor.shape else 1
    columns = math.prod(tensor.shape[1:])
    yield WeightSlice(plain_name(tensor.name), tensor, tensor.dtype, rows, columns, tensor.start)


def _of_experts(tensor: Tensor, module: str, leaf: str) -> Iterator[WeightSlice]:
    experts, rows, columns = tensor.shape
    leaves = ("gate_proj", "up_proj") if leaf == "gate_up_proj" else (leaf,)
    rows //= len(leaves)
    length = rows * columns * ITEM_BYTES[tensor.dtype]
    for place in range(experts * len(leaves)):
        expert, which = divmod(place, len(leaves))
        name = f"{module}.{expert}.{leaves[which]}.weight"
        yield WeightSlice(name, tensor, tensor.dtype, rows, columns, tensor.start + place * length, expert)
