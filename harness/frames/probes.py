"""What `dtbench probe` found, as one table: a row for each figure of each layer, whatever kind of probe it is from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.frames.as_pandas import need_pandas, to_frame
from dtbench.harness.frames.columns import Kind, table_from_rows

if TYPE_CHECKING:
    from pandas import DataFrame

PROBES = ("weights", "states", "lens")
COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {
        "probe": "string",
        "subject": "string",
        "kind": "string",
        "layer": "whole",
        "measure": "string",
        "value": "real",
        "low": "real",
        "high": "real",
    }
)
_WEIGHTS = ("rms", "relative", "changed", "coherence", "rank", "noise_rank")
_DRIFT = ("cosine", "relative_l2", "normed_cosine", "trimmed_cosine", "cka")
_ROUTING = ("load_divergence", "overlap", "changed", "entropy_a", "entropy_b")
_SWAPS = ("text_share", "answer_share", "accuracy_share")
_LENS = ("entropy", "probability", "rank", "first", "other", "margin")
Row = Mapping[str, Any]


def probe_df(folder: str | os.PathLike[str]) -> DataFrame:
    """Return every figure by layer that probes wrote into a folder: weights.json, states.json and lens.json in it.

    `layer` counts how many layers have run: 0 is the embeddings. `low` and `high` are empty where there is no interval.
    """
    need_pandas()
    path = Path(folder)
    files = {name: path / f"{name}.json" for name in PROBES if (path / f"{name}.json").is_file()}
    if not files:
        raise UserError(f"{path}: no probe wrote into it: weights.json, states.json or lens.json is expected.")
    rows = [{"probe": name, **row} for name, file in files.items() for row in _ROWS[name](_read(file))]
    return to_frame(table_from_rows(rows, COLUMNS), ["probe", "subject", "kind", "measure"])


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}).") from None


def _row(subject: str, kind: str, layer: int, measure: str, figure: Any) -> Row:
    """Return a row of a plain figure, or of one with its interval."""
    values = figure if isinstance(figure, Mapping) else {"value": figure}
    whole = {name: values.get(name) for name in ("value", "low", "high")}
    return {"subject": subject, "kind": kind, "layer": layer, "measure": measure, **whole}


def _weight_rows(found: Any) -> Iterator[Row]:
    for stage in found["stages"]:
        for one in stage["groups"]:
            if one["part"] == "decoder" and one["layer"] is not None:
                for name in _WEIGHTS:
                    yield _row(_stage_name(stage), one["kind"], one["layer"] + 1, name, one[name])


def _stage_name(stage: Any) -> str:
    return f"{'control: ' if 'control' in stage else ''}{stage['before']} -> {stage['after']}"


def _state_rows(found: Any) -> Iterator[Row]:
    for names, key in ((_DRIFT, "drift"), (_ROUTING, "routing")):
        for one in found[key]:
            yield from _compared_rows(one, names)
    for one in found["swaps"]:
        if one["first"] == one["last"]:
            for subject, shares in (
                ("weights of B in A", one),
                ("weights of the control in A", one.get("control", {})),
            ):
                for name in (name for name in _SWAPS if name in shares):
                    yield _row(subject, one["part"], one["first"] + 1, name, shares[name])


def _compared_rows(one: Any, names: Sequence[str]) -> Iterator[Row]:
    """Yield the figures of a layer in a segment: B's, and those that they stand beside."""
    subjects = {f"texts of {one['text']}": one}
    subjects |= {f"null: {null}": figures for null, figures in one.get("null", {}).items()}
    if "control" in one:
        subjects[f"control at texts of {one['text']}"] = one["control"]
    for subject, figures in subjects.items():
        for name in (name for name in names if name in figures):
            yield _row(subject, one["segment"], one["layer"] + 1, name, figures[name])


def _lens_rows(found: Any) -> Iterator[Row]:
    for checkpoint in found["checkpoints"]:
        yield from _checkpoint_rows(checkpoint)
    for one in found.get("changes", ()):
        yield _row("last less first", one["kind"], one["layer"], one["measure"], one["change"])
        if "control" in one:
            yield _row("control less first", one["kind"], one["layer"], one["measure"], one["control"])


def _checkpoint_rows(checkpoint: Any) -> Iterator[Row]:
    subject = f"{'control: ' if 'control' in checkpoint else ''}{checkpoint['checkpoint']}"
    for key, names in (("kinds", _LENS), ("patched", ("changed", "fall"))):
        for one in checkpoint[key]:
            for at in one["layers"]:
                for name in names:
                    if at[name] is not None:
                        yield _row(subject, one["kind"], at["layer"], name, at[name])


_ROWS = {"weights": _weight_rows, "states": _state_rows, "lens": _lens_rows}
