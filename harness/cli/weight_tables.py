"""What `dtbench probe weights` prints: the answer first, then tables of kinds, layers, routers and directions."""

from __future__ import annotations

from collections.abc import Sequence

from dtbench.harness.cli.tables import print_rows
from dtbench.harness.cli.terminal import print_line
from dtbench.harness.store.weight_probe_types import WeightDirection, WeightFigures, WeightProbe, WeightStage

_LABEL, _NO = 18, "-"
_TITLES = ("", "size", "chg.", "steps", "rms", "rel.", "coh.", "rank", "")
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
    for number, stage in enumerate(found["stages"]):
        if number:
            print_line("")
        _print_stage(stage)
    if found["directions"]:
        print_line("")
        _print_directions(found["directions"])
    for one in found["left_out"]:
        what = "only in" if one["why"] == "only in one" else "of a type that is not compared, in"
        owners = " and ".join(one["checkpoints"])
        _line("left out", f"{one['part']}: {one['tensors']} tensors {what} {owners}: {', '.join(one['names'][:2])}")
    for note in found["notes"]:
        _line("note", note)
    rate = found["seconds_per_gigabyte"]
    speed = "all from an earlier start" if rate is None else f"{rate:.2f} s per GB"
    _line("read", f"{found['gigabytes']:.3g} GB in {found['seconds']:.1f} s: {speed}")


def _print_stage(stage: WeightStage) -> None:
    print_line(f"{stage['before']} -> {stage['after']}")
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
    print_rows(_TITLES, [_row(one) for one in (*stage["kinds"], stage["whole"])])
    groups = [one for one in stage["groups"] if one["changed"]]
    if groups:
        print_rows(_TITLES, [_row(one) for one in groups[:_GROUPS]])
        if len(groups) > _GROUPS:
            print_line(f"and {len(groups) - _GROUPS} more groups that changed less: --json has all")
    _print_routers(stage)
    print_line(_COLUMNS)


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


def _print_directions(directions: Sequence[WeightDirection]) -> None:
    rows = [
        (one["name"], _count(one["elements"]), _signed(one["cosine"]), f"{one['chance']:.4f}", _share(one["kept"]))
        for one in directions
        if one["part"] is None
    ]
    print_line("second change beside the first: 1 goes on in its direction, 0 turns aside, -1 undoes it")
    print_rows(("", "size", "cosine", "by chance", "kept"), rows)


def _row(one: WeightFigures) -> Sequence[str]:
    return (
        one["name"].replace("layer ", "L"),
        _count(one["elements"]),
        f"{one['changed']:.0%}",
        str(one["usual_steps"]),
        _small(one["rms"]),
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
