"""One pass over the weights of two checkpoints or more: each piece of each file is mapped once, in the first's order.

Routers come first, since their rows tell which experts changed places; they are a thousandth of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dtbench.harness.core.errors import UserError
from dtbench.harness.probe.change_ranks import rank_of
from dtbench.harness.probe.expert_order import order_of, row_angles
from dtbench.harness.probe.probed_checkpoints import ProbedCheckpoint
from dtbench.harness.probe.tensor_kinds import is_router
from dtbench.harness.probe.weight_changes import ChangeSums, as_floats, blocks, hidden_from, measure_block, to_bfloat16
from dtbench.harness.probe.weight_files import ITEM_BYTES, WeightSlice
from dtbench.harness.store.weight_probe_types import StoredChange, StoredTensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 1 << 26
"""Bytes of one file that are mapped at a time."""
_COARSE = ("BF16", "F16", "F32", "F64")
"""Types of numbers, the coarsest first."""


class WeightPass(NamedTuple):
    """The slices that all checkpoints have, in the order in which they are read."""

    checkpoints: Sequence[ProbedCheckpoint]
    names: Sequence[str]
    reaches: Sequence[float | None]
    """For each change, how far the optimiser can move a weight; None where it is not known."""
    bases: Sequence[int]
    """For each change, the number of the checkpoint before it; the one after is that of the change, and one more."""

    def routers(self) -> Iterator[str]:
        """Yield the names of the routers."""
        return (name for name in self.names if is_router(name))

    def others(self) -> Iterator[str]:
        """Yield the names of all other slices."""
        return (name for name in self.names if not is_router(name))


Orders = Mapping[str, Sequence[int]]
"""By what the names of a layer's experts begin with: for each expert of one checkpoint its place in the next."""


def common_pass(
    checkpoints: Sequence[ProbedCheckpoint], reaches: Sequence[float | None], bases: Sequence[int]
) -> WeightPass:
    """Return the pass over what all checkpoints have; raise a UserError where nothing is, or shapes differ."""
    first, *rest = checkpoints
    common = [one for name, one in first.slices.items() if all(name in other.slices for other in rest)]
    if not common:
        named = " and ".join(one.given for one in rest)
        raise UserError(f"{named}: no tensor has a name that {first.given} has too: are these of one architecture?")
    for other in rest:
        differing = [one.name for one in common if _shape(one) != _shape(other.slices[one.name])]
        if differing:
            name = differing[0]
            shapes = f"{_shown(other.slices[name])} in place of {_shown(first.slices[name])}"
            raise UserError(
                f"{other.given}: {len(differing)} of {len(common)} tensors have another shape than in {first.given}: "
                f"{name} ({shapes}){', ...' if differing[1:] else ''}: give checkpoints of one architecture."
            )
    common.sort(key=lambda one: (one.source.file, one.start))
    return WeightPass(checkpoints, [one.name for one in common], reaches, bases)


def router_orders(planned: WeightPass, number: int) -> Orders:
    """Return the layers whose experts have another order after the change of this number than before it."""
    orders = {}
    both = [planned.checkpoints[place] for place in (planned.bases[number], number + 1)]
    for name in planned.routers():
        before, after = (_whole(one, one.slices[name]) for one in both)
        if (order := order_of(before, after)) is not None:
            orders[experts_of(name)] = order
    return orders


def experts_of(router: str) -> str:
    """Return what the names of a router's experts begin with."""
    return f"{router.rpartition('.')[0].rpartition('.')[0]}.experts."


def measure_tensor(planned: WeightPass, name: str, orders: Sequence[Orders]) -> StoredTensor:
    """Compare one slice of the first checkpoint with the others'."""
    slices = [planned.checkpoints[0].slices[name]]
    for number, one in enumerate(planned.checkpoints[1:]):
        slices.append(one.slices[_name_in_next(slices[planned.bases[number]].name, orders[number])])
    pairs = [_SlicePair(planned, slices, number) for number in range(len(slices) - 1)]
    rows_of = _router_rows(name, orders, planned.bases)
    products = [0.0] * (len(pairs) - 1)
    rows_at_once = max(1, CHUNK // max(1, slices[0].columns * ITEM_BYTES[slices[0].dtype]))
    chunks = list(blocks(slices[0].rows, 1, rows_at_once))
    for first, last in chunks:
        values = _values(planned, slices, first, last)
        if rows_of is not None:
            values = [one[rows] for one, rows in zip(values, rows_of, strict=True)]
        for begin, end in blocks(last - first, slices[0].columns):
            changes = [pair.add(values, begin, end) for pair in pairs]
            for number, later in enumerate(changes[1:]):
                products[number] += _product(changes[0], later)
        if len(chunks) == 1:
            for pair in pairs:
                pair.finish(values)
    stored: StoredTensor = {
        "name": name,
        "rows": slices[0].rows,
        "columns": slices[0].columns,
        "bytes": sum(one.bytes for one in slices),
        "changes": [pair.stored() for pair in pairs],
    }
    return {**stored, "products": products} if products else stored


class _SlicePair:
    """The comparison of a slice before and after a change."""

    def __init__(self, planned: WeightPass, slices: Sequence[WeightSlice], number: int) -> None:
        self._places = planned.bases[number], number + 1
        self._router = is_router(slices[0].name)
        types = [slices[place].dtype for place in self._places]
        self._dtype = min(types, key=_COARSE.index)
        self._rounds = types[0] != types[1]
        reach = planned.reaches[number]
        self._hidden = None if reach is None else hidden_from(reach, self._dtype)
        self._sums = ChangeSums()
        self._more: dict[str, Any] = {}

    def add(self, values: Sequence[NDArray[Any]], first: int, last: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Add the sums of some rows; return what was compared."""
        before, after = self._both(values, first, last)
        self._sums.add(measure_block(before, after, self._hidden))
        return before, after

    def finish(self, values: Sequence[NDArray[Any]]) -> None:
        """Find the rank of the change, and the angles of a router's rows, with the whole slice at hand."""
        if self._router or self._sums.changed:
            before, after = (as_floats(one) for one in self._both(values, 0, len(values[0])))
            if self._router:
                self._more["angles"] = row_angles(before, after)
            if self._sums.changed and (rank := rank_of(after - before)) is not None:
                self._more |= rank._asdict()

    def stored(self) -> StoredChange:
        """Return the sums as they are stored."""
        return cast(StoredChange, {**asdict(self._sums), "dtype": self._dtype, **self._more})

    def _both(self, values: Sequence[NDArray[Any]], first: int, last: int) -> tuple[NDArray[Any], NDArray[Any]]:
        before, after = (values[place][first:last] for place in self._places)
        if self._rounds and self._dtype == "BF16":
            return _rounded(before), _rounded(after)
        return (before, after) if not self._rounds else (as_floats(before), as_floats(after))


def _values(planned: WeightPass, slices: Sequence[WeightSlice], first: int, last: int) -> Sequence[NDArray[Any]]:
    """Map these rows of all checkpoints; a piece of a file that two of them share once."""
    values: list[NDArray[Any]] = []
    for number, (checkpoint, one) in enumerate(zip(planned.checkpoints, slices, strict=True)):
        same = number and checkpoint.is_same_place(one, planned.checkpoints[number - 1], slices[number - 1])
        values.append(values[-1] if same else checkpoint.rows(one, first, last))
    return values


def _product(*changes: tuple[NDArray[Any], NDArray[Any]]) -> float:
    import numpy as np

    first, second = ((as_floats(after) - as_floats(before)).astype(np.float64) for before, after in changes)
    return float(np.multiply(first, second, out=first).sum())


def _rounded(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return values if values.dtype == np.uint16 else to_bfloat16(as_floats(values))


def _whole(checkpoint: ProbedCheckpoint, one: WeightSlice) -> NDArray[Any]:
    return as_floats(checkpoint.rows(one, 0, one.rows))


def _name_in_next(name: str, orders: Orders) -> str:
    """Return the name in the next checkpoint of what has this name in one."""
    head, found, tail = name.rpartition(".experts.")
    order = orders.get(f"{head}{found}") if found else None
    if order is None:
        return name
    number, _, rest = tail.partition(".")
    return f"{head}{found}{order[int(number)]}.{rest}"


def _router_rows(name: str, orders: Sequence[Orders], bases: Sequence[int]) -> Sequence[Sequence[int]] | None:
    """Return where each row of a router is in each checkpoint; None where all are where they were in the first."""
    steps = [one.get(experts_of(name)) for one in orders] if is_router(name) else []
    count = next((len(one) for one in steps if one is not None), None)
    if count is None:
        return None
    rows: list[Sequence[int]] = [list(range(count))]
    for step, base in zip(steps, bases, strict=True):
        rows.append(rows[base] if step is None else [step[place] for place in rows[base]])
    return rows


def _shape(one: WeightSlice) -> tuple[int, int]:
    return one.rows, one.columns


def _shown(one: WeightSlice) -> str:
    return f"{one.rows} x {one.columns}"
