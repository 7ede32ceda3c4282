"""`dtbench probe weights`: what a training changed in a model's weights, tensor by tensor, in little memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.options import OUTPUT, Argument, Option, check_options
from dtbench.harness.core.typed_settings import above, at_least
from dtbench.harness.probe.optimiser_reach import given_reach, reach_between
from dtbench.harness.probe.probed_checkpoints import Control, ProbedCheckpoint, open_checkpoint
from dtbench.harness.probe.tensor_kinds import PARTS, TensorPlace, place_of
from dtbench.harness.probe.weight_answers import answer_of
from dtbench.harness.probe.weight_figures import (
    MeasuredTensor,
    by_kind,
    by_layer,
    by_layer_and_kind,
    directions,
    expert_map,
    figures_of,
    grouped,
    kinds_in_order,
    measured_tensors,
)
from dtbench.harness.probe.weight_pass import Orders, WeightPass, common_pass, measure_tensor, router_orders
from dtbench.harness.store.append import AppendedFiles
from dtbench.harness.store.atomic import make_folder, replace_whole
from dtbench.harness.store.weight_probe_types import (
    OptimiserReach,
    ProbedFolder,
    StoredTensor,
    UncomparedTensors,
    WeightProbe,
    WeightStage,
)

SCHEMA = 1
REPORT, LINES = "weights.json", "weights.tensors.jsonl"
_NAMED = 20
"""Names of tensors that are left out which are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsRequest:
    """Which checkpoints are compared, and with what."""

    before: Annotated[str, Argument("A", "The checkpoint before: a folder, a hub id, a stage of a training.")]
    after: Annotated[str, Argument("B", "The checkpoint after; a LoRA adapter counts with its base.")]
    later: Annotated[
        str | None,
        Argument("[C]", "A third checkpoint after B: does it continue in the same direction, or undo the change?"),
    ] = None
    control: Control = None
    learning_rate: Annotated[
        float | None,
        Option(
            "--learning-rate",
            "RATE",
            "Learning rate of the training from A to B; with --steps, shows what the optimiser explains.",
            shown="that of their training",
        ),
        above(0),
    ] = None
    steps: Annotated[
        int | None,
        Option("--steps", "N", "Steps of that training.", shown="those of their training"),
        at_least(1),
    ] = None
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "DIR",
            "Folder for weights.json and one line per tensor; the same command resumes.",
            panel=OUTPUT,
            shown="nothing is written",
            values="folders",
        ),
    ] = None


class ProbeProgress(NamedTuple):
    """How far a pass over weights is."""

    done: int
    """Bytes of all checkpoints."""
    total: int


def probe_weights(
    request: WeightsRequest, notify: Notify, progress: Callable[[ProbeProgress], None] | None = None
) -> WeightProbe:
    """Compare the weights of checkpoints, and write what was found where the request names a folder."""
    check_options(request)
    given = [one for one in (request.before, request.after, request.later, request.control) if one is not None]
    checkpoints = [open_checkpoint(one, notify) for one in given]
    bases = [0] if request.later is None else [0, 1]
    if request.control is not None:
        bases.append(0)
    reaches = _reaches(request, checkpoints, bases)
    planned = common_pass(checkpoints, [None if one is None else one["total"] for one in reaches], bases)
    orders = [router_orders(planned, number) for number in range(len(bases))]
    log = _TensorLines(request.out, planned, has_control=request.control is not None)
    try:
        stored = list(_measured(planned, orders, log, progress))
    finally:
        log.close()
    report = _report(request, planned, stored, orders, reaches)
    report["seconds"], report["gigabytes"] = round(log.seconds, 3), sum(one["bytes"] for one in stored) / 1e9
    report["seconds_per_gigabyte"] = log.new_seconds / (log.new_bytes / 1e9) if log.new_bytes else None
    if request.out is not None:
        replace_whole(request.out / REPORT, json.dumps(report, ensure_ascii=False).encode() + b"\n")
    return report


def _reaches(
    request: WeightsRequest, checkpoints: Sequence[ProbedCheckpoint], bases: Sequence[int]
) -> list[OptimiserReach | None]:
    if (request.learning_rate is None) != (request.steps is None):
        missing = "--steps" if request.steps is None else "--learning-rate"
        raise UserError(f"{missing} is missing: --learning-rate and --steps are given together.")
    if request.learning_rate is not None and request.steps is not None:
        return [given_reach(request.learning_rate, request.steps)] * len(bases)
    places = [one.adapter or one.folder for one in checkpoints]
    return [reach_between(places[base], places[number]) for number, base in enumerate(bases, 1)]


def _measured(
    planned: WeightPass,
    orders: Sequence[Orders],
    log: _TensorLines,
    progress: Callable[[ProbeProgress], None] | None,
) -> Iterator[StoredTensor]:
    total = sum(one.slices[name].bytes for one in planned.checkpoints for name in planned.names)
    done = 0
    for name in [*planned.routers(), *planned.others()]:
        stored = log.known.get(name)
        if stored is None:
            began = time.perf_counter()
            stored = measure_tensor(planned, name, orders)
            log.add(stored, time.perf_counter() - began)
        done += stored["bytes"]
        if progress is not None:
            progress(ProbeProgress(done, total))
        yield stored


class _TensorLines:
    """The lines of the tensors that were compared; those of an earlier start are known."""

    def __init__(self, folder: Path | None, planned: WeightPass, *, has_control: bool) -> None:
        self._files = AppendedFiles()
        self._path = None if folder is None else folder / LINES
        self.known: dict[str, StoredTensor] = {}
        self.seconds = self.new_seconds = 0.0
        self.new_bytes = 0
        if self._path is None:
            return
        make_folder(self._path.parent)
        head = {"probe": "weights", "schema": SCHEMA, "checkpoints": _identity(planned)}
        if has_control:
            head["control"] = True
        if self._path.exists() and (lines := _whole_lines(self._path)):
            if lines[0] != json.loads(json.dumps(head)):
                raise UserError(
                    f"--out {folder}: holds a comparison of other checkpoints, or with other steps of the optimiser: "
                    "name another folder."
                )
            for line in lines[1:]:
                self.known[line["tensor"]["name"]] = _with_products(line["tensor"])
                self.seconds += line["seconds"]
        else:
            self._files.append(self._path, json.dumps(head).encode() + b"\n")

    def add(self, stored: StoredTensor, seconds: float) -> None:
        """Append the line of a tensor."""
        self.seconds += seconds
        self.new_seconds += seconds
        self.new_bytes += stored["bytes"]
        if self._path is not None:
            line = {"tensor": stored, "seconds": round(seconds, 6)}
            self._files.append(self._path, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._path is not None:
            self._files.sync()
        self._files.close()


def _whole_lines(path: Path) -> list[Any]:
    """Read the whole lines of a file; one that a killed process left torn is no line."""
    lines = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1] if line.strip()]


def _with_products(stored: Any) -> StoredTensor:
    """Return a line as it is written now; one product stood alone before there was a control."""
    if "product" in stored:
        stored["products"] = [stored.pop("product")]
    return cast("StoredTensor", stored)


def _identity(planned: WeightPass) -> list[Any]:
    """Return what the lines depend on: the files of each checkpoint, and how far the optimiser reaches."""
    found: list[Any] = [list(planned.reaches)]
    for checkpoint in planned.checkpoints:
        files = {one.source.file for one in checkpoint.slices.values()}
        if checkpoint.adapter is not None:
            files |= set(checkpoint.adapter.glob("adapter_*"))
        found.append([[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in sorted(files)])
    return found


def _report(
    request: WeightsRequest,
    planned: WeightPass,
    stored: Sequence[StoredTensor],
    orders: Sequence[Orders],
    reaches: Sequence[OptimiserReach | None],
) -> WeightProbe:
    stages = [_stage(planned, number, stored, orders[number], reaches[number]) for number in range(len(orders))]
    report: WeightProbe = {
        "schema": SCHEMA,
        "checkpoints": [_described(one) for one in planned.checkpoints],
        "notes": list(_notes(planned)),
        "stages": stages,
        "directions": [] if request.later is None else directions(stored, 1),
        "left_out": list(_left_out(planned)),
        "gigabytes": 0.0,
        "seconds": 0.0,
        "seconds_per_gigabyte": None,
    }
    if request.control is not None:
        stages[-1]["control"] = True
        report["beside_control"] = directions(stored, len(stages) - 1)
    return report


def _stage(
    planned: WeightPass,
    number: int,
    stored: Sequence[StoredTensor],
    orders: Orders,
    reach: OptimiserReach | None,
) -> WeightStage:
    tensors = measured_tensors(stored, number)
    groups = sorted(grouped(tensors, by_layer_and_kind, reach), key=lambda one: -one["rms"])
    each = [_of_tensor(one, reach) for one in tensors]
    whole = figures_of("all", TensorPlace("", "", None), tensors, reach)
    return {
        "before": planned.checkpoints[planned.bases[number]].given,
        "after": planned.checkpoints[number + 1].given,
        "optimiser": reach,
        "answer": answer_of(whole, groups, each, reach),
        "whole": whole,
        "kinds": kinds_in_order(grouped(tensors, by_kind, reach)),
        "layers": grouped(tensors, by_layer, reach),
        "groups": groups,
        "tensors": each,
        "experts": expert_map(tensors),
        "permuted": [
            {"router": f"{name.removesuffix('.experts.')}.gate", "places": list(places)}
            for name, places in orders.items()
        ],
    }


def _of_tensor(one: MeasuredTensor, reach: OptimiserReach | None) -> Any:
    return figures_of(one.name, one.place, [one], reach)


def _described(one: ProbedCheckpoint) -> ProbedFolder:
    return {
        "given": one.given,
        "folder": str(one.folder),
        "adapter": None if one.adapter is None else str(one.adapter),
        "tensors": len(one.slices),
        "bytes": sum(each.bytes for each in one.slices.values()),
    }


def _notes(planned: WeightPass) -> Iterator[str]:
    for one in planned.checkpoints:
        if one.adapter is not None:
            yield f"{one.given}: an adapter: its change is added to its base {one.folder} unrounded"
    first = planned.checkpoints[0]
    for other in planned.checkpoints[1:]:
        pairs = {(first.slices[name].dtype, other.slices[name].dtype) for name in planned.names}
        for before, after in sorted(pair for pair in pairs if pair[0] != pair[1]):
            yield f"{other.given}: {after} where {first.given} has {before}: both are compared in the coarser of them"


def _left_out(planned: WeightPass) -> Iterator[UncomparedTensors]:
    """Yield what was not compared: tensors that not all have, and those of other types, by part of the model."""
    having: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    compared = set(planned.names)
    every = {name for one in planned.checkpoints for name in one.slices}
    for name in sorted(every - compared):
        owners = tuple(one.given for one in planned.checkpoints if name in one.slices)
        having.setdefault((place_of(name).part, owners), []).append(name)
    for (part, owners), names in sorted(having.items(), key=lambda one: PARTS.index(one[0][0])):
        yield _uncompared("only in one", part, owners, names)
    for one in planned.checkpoints:
        by_part: Mapping[str, list[str]] = {part: [] for part in PARTS}
        for tensor in one.unread:
            by_part[place_of(tensor.name).part].append(tensor.name)
        yield from (_uncompared("type", part, (one.given,), names) for part, names in by_part.items() if names)


def _uncompared(why: Any, part: str, owners: Sequence[str], names: Sequence[str]) -> UncomparedTensors:
    return {
        "why": why,
        "part": part,
        "checkpoints": list(owners),
        "tensors": len(names),
        "names": list(names[:_NAMED]),
    }
