"""Pictures of what `dtbench probe` found: weights as a map of experts, drift and swaps of states, the lens by layer.

Each is drawn from the JSON that a probe wrote into its folder, and has the null beside what was found: steps without a
direction, numerics alone, another question's token.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.plot.look import CHANCE, add_legend, mark_of, new_figure, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILES = {"weights": "weights.json", "states": "states.json", "lens": "lens.json"}
"""Kind of picture -> what its probe writes."""
_PANEL, _ROW = 2.0, 0.22
LENS_NAMES = {
    "opening": "opening tag",
    "first": "first token",
    "content": "words for what is heard",
    "answer": "answer",
    "direct": "answer at once",
}


class LayerPoint(NamedTuple):
    """A figure of one layer with its interval."""

    layer: int
    value: float
    low: float
    high: float


class LayerLine(NamedTuple):
    """A figure over the layers, of one checkpoint, segment or part."""

    label: str
    points: Sequence[LayerPoint]
    null: bool = False
    """Whether it is what chance alone gives."""
    control_of: str | None = None
    """Of the control: the line that it stands beside, in whose colour it is dotted; none where it has its own."""


class LayerPanel(NamedTuple):
    """One picture of lines over layers."""

    title: str
    y: str
    lines: Sequence[LayerLine]


def draw_probe(kind: str, folder: Path) -> Figure:
    """Draw what a probe found; a UserError where the folder has none of this kind."""
    found = read_probe(kind, folder)
    panels = list(_PANELS[kind](found))
    experts = expert_maps(found) if kind == "weights" else []
    if not panels and not experts:
        raise UserError(f"{folder / FILES[kind]}: there is no figure by layer in it.")
    heights = [_PANEL] * len(panels) + [0.9 + _ROW * len(one.layers) for one in experts]
    figure, all_axes = new_figure(heights)
    for place, (axes, panel) in enumerate(zip(all_axes, panels, strict=False)):
        draw_layers(axes, panel, place)
    for axes, one in zip(all_axes[len(panels) :], experts, strict=True):
        draw_experts(axes, one)
    return figure


def read_probe(kind: str, folder: Path) -> Any:
    """Read the JSON of a probe from its folder, or the file itself."""
    path = folder / FILES[kind] if folder.is_dir() else folder
    if not path.is_file():
        raise UserError(f"{path}: not there: `dtbench probe {kind} ... --out {folder}` writes it.")
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}).") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: not what `dtbench probe {kind}` writes.")
    return found


def draw_layers(axes: Axes, panel: LayerPanel, place: int) -> None:
    """Draw lines over layers with a band for the interval; chance is grey and dashed, a control dotted."""
    from matplotlib.ticker import MaxNLocator

    marks, handles, labels = itertools.count(), [], []
    colours: dict[str, str] = {}
    for number, line in enumerate(panel.lines):
        own = colours.get(line.control_of or "")
        colour = CHANCE if line.null else own or mark_of(next(marks)).colour
        colours[line.label] = colour
        xs = [point.layer for point in line.points]
        (drawn,) = axes.plot(
            xs,
            [point.value for point in line.points],
            color=colour,
            linestyle="--" if line.null else "-" if line.control_of is None else ":",
            linewidth=1.2,
            marker="o" if len(xs) <= 60 and not line.null else None,
            markersize=3,
        )
        drawn.set_gid(f"line-{place}-{number}")
        axes.fill_between(
            xs, [point.low for point in line.points], [point.high for point in line.points], color=colour, alpha=0.15
        )
        handles.append(drawn)
        labels.append(short_label(line.label))
    axes.set_xlabel("Layer")
    axes.set_ylabel(panel.y, fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    axes.set_title(panel.title, loc="right", fontsize=9)
    add_legend(axes, handles, labels)


def _estimated(layer: int, estimate: Mapping[str, Any]) -> LayerPoint:
    value = float(estimate["value"] or 0.0)
    low, high = estimate.get("low"), estimate.get("high")
    return LayerPoint(layer, value, value if low is None else float(low), value if high is None else float(high))


def lens_panels(found: Mapping[str, Any]) -> Iterator[LayerPanel]:
    """Yield probability, entropy, margin and the effect of another clip over the layers, for each kind of token."""
    checkpoints = found["checkpoints"]
    for kind in dict.fromkeys(one["kind"] for checkpoint in checkpoints for one in checkpoint["kinds"]):
        for field, y in (("probability", "Probability"), ("entropy", "Entropy (bits)"), ("margin", "Margin (nats)")):
            lines = list(_lens_lines(checkpoints, kind, field))
            if field == "probability":
                lines += [line._replace(null=True) for line in list(_lens_lines(checkpoints, kind, "other"))[-1:]]
                lines = [line._replace(label="another question's token") if line.null else line for line in lines]
            if lines:
                yield LayerPanel(LENS_NAMES[kind], y, lines)
        patched = [
            _line_of(checkpoint, [_estimated(at["layer"], at["fall"]) for at in one["layers"]])
            for checkpoint in checkpoints
            for one in checkpoint["patched"]
            if one["kind"] == kind
        ]
        if patched:
            yield LayerPanel(LENS_NAMES[kind], "Fall by another clip", patched)


def _lens_lines(checkpoints: Sequence[Mapping[str, Any]], kind: str, field: str) -> Iterator[LayerLine]:
    for checkpoint in checkpoints:
        for one in checkpoint["kinds"]:
            points = [_estimated(at["layer"], at[field]) for at in one["layers"] if at[field] is not None]
            if one["kind"] == kind and points:
                yield _line_of(checkpoint, points)


def _line_of(checkpoint: Mapping[str, Any], points: Sequence[LayerPoint]) -> LayerLine:
    name = checkpoint["checkpoint"]
    return (
        LayerLine(f"control: {name}", points, control_of=name) if "control" in checkpoint else LayerLine(name, points)
    )


def states_panels(found: Mapping[str, Any]) -> Iterator[LayerPanel]:
    """Yield the drift of each segment over the layers with the null of numerics, and the share of each part."""
    for field, y in (("normed_cosine", "1 - cosine after the norm"), ("cka", "1 - CKA")):
        own = [one for one in found["drift"] if one["text"] == "b" and one[field] is not None]
        segments = dict.fromkeys(one["segment"] for one in own)
        lines = [
            LayerLine(segment, [_plain(one["layer"] + 1, one[field]) for one in own if one["segment"] == segment])
            for segment in segments
        ]
        beside = [one for one in own if "control" in one and one["control"][field] is not None]
        for segment in segments if beside else ():
            points = [_plain(one["layer"] + 1, one["control"][field]) for one in beside if one["segment"] == segment]
            lines.append(LayerLine(f"control: {segment}", points, control_of=segment))
        nulls: dict[str, dict[int, list[float]]] = {}
        for one in own:
            for name, null in one.get("null", {}).items():
                if null[field] is not None:
                    nulls.setdefault(name, {}).setdefault(one["layer"] + 1, []).append(float(null[field]))
        lines += [
            LayerLine(name, [_plain(layer, max(values)) for layer, values in layers.items()], null=True)
            for name, layers in nulls.items()
        ]
        if lines:
            yield LayerPanel("drift of the states", y, lines)
    swaps = [one for one in found["swaps"] if one["first"] == one["last"] and one["text_share"]["value"] is not None]
    names = dict.fromkeys(one["part"] for one in swaps)
    parts = [
        LayerLine(
            part,
            [_estimated(one["first"] + 1, one["text_share"]) for one in swaps if one["part"] == part],
        )
        for part in names
    ]
    beside = [one for one in swaps if "control" in one]
    for part in names if beside else ():
        shares = [_estimated(one["first"] + 1, one["control"]["text_share"]) for one in beside if one["part"] == part]
        parts.append(LayerLine(f"control: {part}", shares, control_of=part))
    if parts:
        yield LayerPanel("weights of B in A", "Share of the change", parts)


def _plain(layer: int, value: float) -> LayerPoint:
    return LayerPoint(layer, float(value), float(value), float(value))


def weights_panels(found: Mapping[str, Any]) -> Iterator[LayerPanel]:
    """Yield the rms of the change over the layers, by kind, with what steps without a direction give."""
    for stage in found["stages"]:
        own = [one for one in stage["groups"] if one["part"] == "decoder" and one["layer"] is not None]
        lines = [
            LayerLine(kind, sorted(_plain(one["layer"] + 1, one["rms"]) for one in own if one["kind"] == kind))
            for kind in dict.fromkeys(one["kind"] for one in sorted(own, key=lambda one: str(one["kind"])))
        ]
        if lines and stage["optimiser"] is not None:
            layers = sorted({point.layer for line in lines for point in line.points})
            random = stage["optimiser"]["random"]
            lines.append(LayerLine("steps without a direction", [_plain(layer, random) for layer in layers], null=True))
        if lines:
            yield LayerPanel(_title(stage), "rms of the change", lines)


def _title(stage: Mapping[str, Any]) -> str:
    return f"{stage['before']} to {stage['after']}{' (control)' if 'control' in stage else ''}"


_PANELS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[LayerPanel]]] = {
    "weights": weights_panels,
    "states": states_panels,
    "lens": lens_panels,
}


class ShownExperts(NamedTuple):
    """The change of each expert of each layer."""

    title: str
    layers: Sequence[int]
    experts: Sequence[int]
    rms: Sequence[Sequence[float | None]]


def expert_maps(found: Mapping[str, Any]) -> list[ShownExperts]:
    """Return a map of layers and experts for each stage of a model with experts."""
    maps = [(stage, stage["experts"]) for stage in found["stages"] if stage["experts"] is not None]
    return [ShownExperts(_title(stage), one["layers"], one["experts"], one["rms"]) for stage, one in maps]


def draw_experts(axes: Axes, shown: ShownExperts) -> None:
    """Draw a map with a row for each layer and a column for each expert, and a scale that begins at 0."""
    import numpy

    values = numpy.array([[numpy.nan if one is None else one for one in row] for row in shown.rms], dtype=float)
    image = axes.imshow(values, aspect="auto", cmap="viridis", vmin=0.0, interpolation="nearest")
    image.set_gid(f"experts-{shown.title}")
    step = -(-len(shown.experts) // 16)
    axes.set_xticks(range(0, len(shown.experts), step), [str(one) for one in shown.experts[::step]])
    rows = -(-len(shown.layers) // 16)
    axes.set_yticks(range(0, len(shown.layers), rows), [str(one + 1) for one in shown.layers[::rows]])
    axes.set_xlabel("Expert")
    axes.set_ylabel("Layer")
    axes.set_title(shown.title, loc="right", fontsize=9)
    bar = axes.figure.colorbar(image, ax=axes)
    bar.set_label("rms of the change", fontsize=8)
