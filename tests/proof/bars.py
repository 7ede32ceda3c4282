"""What the proof in miniature promises, each promise held against the figures: met, or missed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trained import NEAR, TASK, Trained

from dtbench.harness.compare.paired import comparison, pair_runs
from dtbench.harness.store.comparison_types import Comparison
from dtbench.harness.store.run_folder import StoredRun

SEEDS = 3
FORMED, POINTS, TIMES, CHANCE = 0.95, 0.10, 2.0, 0.01
"""Share of chains in form; gain over direct answers; criteria met, as a multiple; p of the paired test."""


class Bar(NamedTuple):
    """One promise."""

    claim: str
    met: bool
    figures: Sequence[str]


def bars(trained: Sequence[Trained]) -> list[Bar]:
    """The four promises of the recipe itself; an arm is only there to compare."""
    own = [one for one in trained if one.recipe.arm is None]
    return [_form(own), _criteria(own), _accuracy(own), _second_stage(own, trained)]


def mean_and_spread(values: Iterable[float], show: Callable[[float], str]) -> str:
    """The mean, and the standard deviation over seeds where there are several."""
    given = list(values)
    if not given:
        return "none"
    spread = f" ± {show(statistics.stdev(given)).lstrip('+')}" if len(given) > 1 else ""
    return f"{show(statistics.fmean(given))}{spread}"


def points(value: float) -> str:
    """A difference of shares."""
    return f"{100 * value:+.1f}"


def percent(value: float) -> str:
    """A share."""
    return f"{100 * value:.1f}"


def figure(value: float) -> str:
    """A plain number."""
    return f"{value:.2f}"


def _form(own: Sequence[Trained]) -> Bar:
    shares = [one.row(one.last)["formed"] for one in own]
    before = mean_and_spread((one.as_trained["formed"] for one in own), percent)
    return Bar(
        f"chains in form in at least {FORMED:.0%} of answers",
        _held(share >= FORMED for share in shares),
        [f"{_each(own, map(percent, shares))} %; under the same prompt before training {before} %"],
    )


def _criteria(own: Sequence[Trained]) -> Bar:
    marks = [(one.as_trained["criteria"] or 0.0, one.row(one.last)["criteria"] or 0.0) for one in own]
    highest = max((row for one in own for row in one.base_rows), key=lambda row: row["criteria"] or 0.0, default=None)
    under = "" if highest is None else f"; the most under any untrained prompt {figure(highest['criteria'] or 0.0)}"
    return Bar(
        f"criteria met in right answers at least {TIMES:g} times those under the same prompt before training",
        _held(after >= TIMES * before and after > 0 for before, after in marks),
        [
            _each(own, (f"{figure(before)} to {figure(after)}" for before, after in marks))
            + (f"{under} ({highest['name']})" if highest is not None else "")
        ],
    )


def _accuracy(own: Sequence[Trained]) -> Bar:
    direct = [one.gain(one.last, best=False).all["difference"] for one in own]
    best = [one.gain(one.last, best=True).groups[NEAR] for one in own]
    names = ", ".join(dict.fromkeys(one.best["name"] for one in own))
    tried = len(own[0].base_rows) if own else 0
    won = (group["difference"] > 0 and group["p"] < CHANCE for group in best)
    return Bar(
        f"at least {100 * POINTS:.0f} points over the untrained model's direct answers, and over its best prompt on "
        f"`{NEAR}` with p < {CHANCE}",
        _held(round(gain, 9) >= POINTS and over for gain, over in zip(direct, won, strict=True)),
        [
            f"over direct answers: {_each(own, map(points, direct))} points",
            f"on `{NEAR}` over {names}, the best of {tried} untrained prompts: "
            + _each(own, (f"{points(group['difference'])} (p {group['p']:.2g})" for group in best)),
        ],
    )


def _second_stage(own: Sequence[Trained], trained: Sequence[Trained]) -> Bar:
    pairs = [(one, arm) for one in own for arm in trained if _is_long_first_stage(one, arm)]
    told, runs = [_added(one, arm) for one, arm in pairs], [one for one, _ in pairs]
    near = [_near(one) for one in told]
    return Bar(
        "an arm with as many steps on the data of stage 1 alone says what stage 2 adds",
        _held(True for _ in pairs) and {one.recipe.seed for one in runs} == {one.recipe.seed for one in own},
        [
            f"stage 2 adds, {what}: {_each(runs, map(_with_p, found))}; mean "
            f"{mean_and_spread((one['difference'] for one in found), points)} points"
            for what, found in (("all questions", told), (f"`{NEAR}`", near))
        ]
        if pairs
        else ["no such arm with the same seeds is among these trainings"],
    )


def _is_long_first_stage(one: Trained, arm: Trained) -> bool:
    """Whether this is the same seed, for as many steps, and nothing but the data and rewards of the first stage."""
    first = one.recipe.stage[0]
    alike = all((stage.data, stage.rewards) == (first.data, first.rewards) for stage in arm.recipe.stage)
    named = arm.recipe.arm is not None and arm.recipe.seed == one.recipe.seed
    return named and alike and arm.steps == one.steps


def _added(one: Trained, arm: Trained) -> Comparison:
    """The recipe's last stage over the arm's, question by question."""
    before, after = (StoredRun.open(each.layout.stage(each.last).eval) for each in (arm, one))
    return comparison(pair_runs(before, after, TASK, "strict"))


def _near(pair: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(group for group in pair["groups"] if group["value"] == NEAR)


def _with_p(pair: Mapping[str, Any]) -> str:
    return f"{points(pair['difference'])} (p {pair['p']:.2g})"


def _held(marks: Iterable[bool]) -> bool:
    """Whether it is so for every seed, and there are enough of them."""
    given = list(marks)
    return len(given) >= SEEDS and all(given)


def _each(runs: Sequence[Trained], told: Iterable[str]) -> str:
    """A figure a seed."""
    return ", ".join(f"seed {one.recipe.seed}: {text}" for one, text in zip(runs, told, strict=True)) or "not run"
