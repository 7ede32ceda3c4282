"""What `dtbench probe weights` prints: the answer first, then tables of kinds, layers, routers and directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dtbench.harness.cli.tables import print_rows
from dtbench.harness.cli.terminal import print_line
from dtbench.harness.store.weight_probe_types import WeightDirection, WeightFigures, WeightProbe, WeightStage

_LABEL, _NO = 18, "-"
_TITLES = ("", "size", "chg.", "steps", "rms", "rel.", "coh.", "rank", "")
_STEPS = 3
"""The place of the steps, which leave room for a control."""
_COLUMNS = (
    "chg.: share of elements whose stored value differs; steps: of bfloat16, as many as half of those that moved or "
    "more; rms: of the change of an element; rel.: relative to the size of the weights, which says more of their scale "
    "than of the training; coh.: coherence, rms in what learning rate and steps can move at most; rank: effective rank "
    "of the change / that of noise"
)
_GROUPS = 10
"""Groups by layer and kind that are shown."""


def print_probe(found: WeightProbe) -> None:
    """Print what was found."""
    control = next((one for one in found["stages"] if "control" in one), None)
    for number, stage in enumerate(found["stages"]):
        if number:
            print_line("")
        _print_stage(stage, control if number == 0 else None)
    _print_directions(
        "second change beside the first: 1 goes on in its direction, 0 turns aside, -1 undoes it", found["directions"]
    )
    _print_directions(
        "change of the control beside that of B: 1 where B did what training alone does, 0 nothing of it",
        found.get("beside_control", []),
    )
    for one in found["left_out"]:
        what = "only in" if one["why"] == "only in one" else "of a type that is not compared, in"
        owners = " and ".join(one["checkpoints"])
        _line("left out", f"{one['part']}: {one['tensors']} tensors {what} {owners}: {', '.join(one['names'][:2])}")
    for note in found["notes"]:
        _line("note", note)
    rate = found["seconds_per_gigabyte"]
    speed = "all from an earlier start" if rate is None else f"{rate:.2f} s per GB"
    _line("read", f"{found['gigabytes']:.3g} GB in {found['seconds']:.1f} s: {speed}")


def _print_stage(stage: WeightStage, control: WeightStage | None) -> None:
    print_line(f"{stage['before']} -> {stage['after']}{' (control)' if 'control' in stage else ''}")
    answer, reach = stage["answer"], stage["optimiser"]
    _line("changed", answer["changed"])
    _line("beyond optimiser", answer["beyond"])
    _line("below resolution", answer["below_resolution"])
    for one in stage["permuted"]:
        moved = sum(place != number for number, place in enumerate(one["places"]))
        _line(
            "permuted",
            f"{one['router']}: {moved} of {len(one['places'])} experts changed places; compared as they were",
        )
    if reach is not None:
        total = f"{reach['total']:.2g} at most, {reach['random']:.2g} without a direction"
        _line(
            "optimiser",
            f"{reach['steps']} steps up to a rate of {reach['learning_rate']:g}: {total} ({reach['source']})",
        )
    beside = _rms_by_name(control)
    titles: Sequence[str] = _TITLES
    if control is not None:
        titles = (*_TITLES[:_STEPS], "rms", "ctrl.", *_TITLES[_STEPS + 2 :])
    print_rows(titles, [_row(one, beside) for one in (*stage["kinds"], stage["whole"])])
    groups = [one for one in stage["groups"] if one["changed"]]
    if groups:
        print_rows(titles, [_row(one, beside) for one in groups[:_GROUPS]])
        if len(groups) > _GROUPS:
            print_line(f"and {len(groups) - _GROUPS} more groups that changed less: --json has all")
    _print_routers(stage)
    print_line(f"{_COLUMNS}; ctrl.: rms of the change of the control" if control is not None else _COLUMNS)


def _rms_by_name(stage: WeightStage | None) -> Mapping[str, float] | None:
    """Return the rms of each kind and group of a stage; None where there is none."""
    if stage is None:
        return None
    return {one["name"]: one["rms"] for one in (*stage["kinds"], *stage["groups"], stage["whole"])}


def _print_routers(stage: WeightStage) -> None:
    experts = stage["experts"]
    routers = [] if experts is None else [one for one in experts["routers"] if one["router_rms"] or one["experts_rms"]]
    if not routers:
        return
    rows = [
        (
            f"layer {one['layer']}",
            _percent(one["router_relative"]),
            _percent(one["experts_relative"]),
            _times(one["ratio"]),
            _times(one["rms_ratio"]),
        )
        for one in routers
    ]
    print_rows(("relative change", "router", "experts", "ratio", "of rms"), rows)


def _print_directions(told: str, directions: Sequence[WeightDirection]) -> None:
    rows = [
        (one["name"], _count(one["elements"]), _signed(one["cosine"]), f"{one['chance']:.4f}", _share(one["kept"]))
        for one in directions
        if one["part"] is None
    ]
    if not rows:
        return
    print_line("")
    print_line(told)
    print_rows(("", "size", "cosine", "by chance", "kept"), rows)


def _row(one: WeightFigures, beside: Mapping[str, float] | None) -> Sequence[str]:
    return (
        one["name"].replace("layer ", "L"),
        _count(one["elements"]),
        f"{one['changed']:.0%}",
        *((str(one["usual_steps"]),) if beside is None else ()),
        _small(one["rms"]),
        *(() if beside is None else (_small(beside.get(one["name"])),)),
        _percent(one["relative"]),
        _NO if one["coherence"] is None else f"{one['coherence']:.2f}",
        _NO if one["rank"] is None else f"{one['rank']:.0f}/{one['noise_rank']:.0f}",
        one["verdict"],
    )


def _line(label: str, text: str) -> None:
    print_line(f"{label:<{_LABEL}}{text}", _LABEL)


def _count(number: int) -> str:
    """Return a number of elements in three digits."""
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g}{sign}"
    return str(number)


def _small(value: float | None) -> str:
    return _NO if value is None else "0" if not value else f"{value:.1e}".replace("e-0", "e-")


def _percent(value: float | None) -> str:
    return _NO if value is None else f"{value:.2g}" if value >= 10 else f"{100 * value:.2g}%"


def _times(value: float | None) -> str:
    return _NO if value is None else f"{value:.2f}"


def _signed(value: float | None) -> str:
    return _NO if value is None else f"{value:+.3f}"


def _share(value: float | None) -> str:
    return _NO if value is None else f"{value:.2f}"
