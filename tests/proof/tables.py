"""The figures of several trainings as Markdown, for LOG.md."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from bars import SEEDS, bars, figure, mean_and_spread, percent, points
from trained import NEAR, Row, Trained, accuracy

from dtbench.training.stages.layout import BASE
from dtbench.training.stages.outcome import base_prompts

_MARKS = ("in form", "criteria", "words", "all", "easy", NEAR)
"""Shares in %, but criteria met in right answers, of five, and words of a chain."""
_AGAINST = ("over direct", f"{NEAR}, over best prompt", "p", "shuffled clips")
Cells = Sequence[str]


def report(trained: Sequence[Trained]) -> Iterator[str]:
    """All of it, line by line."""
    yield "In %; criteria: of five, in right answers, none where there is no chain; ±: standard deviation over seeds."
    yield ""
    yield from _table(("untrained", "asked with", *_MARKS), _untrained(trained))
    yield from _table(("trained", "seed", "after", *_MARKS, *_AGAINST), _stages(trained))
    if described := list(_described(trained)):
        yield from _table(("descriptions", "seed", "of", "exact before", "after", "sounds before", "after"), described)
    for number, bar in enumerate(bars(trained), 1):
        yield f"{number}. **{'met' if bar.met else 'missed'}**: {bar.claim}, in {SEEDS} seeds of {SEEDS}."
        yield from (f"   - {line}" for line in bar.figures)


def _table(titles: Cells, rows: Iterator[Cells] | Sequence[Cells]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|---|{'--:|' * (len(titles) - 1)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _untrained(trained: Sequence[Trained]) -> Iterator[Cells]:
    """A row a prompt; those of further trainings only where they differ."""
    rows: dict[Cells, None] = {}
    for one in trained:
        prompts = base_prompts(one.recipe)
        for row in one.base_rows:
            words = prompts.get(row["name"].removeprefix(f"{BASE}, "))
            shown = "the task's own words" if words is None else f"`{' / '.join(words.splitlines())}`"
            rows[(f"{row['name']}{' **(best)**' if row['best'] else ''}", shown, *_marks(row))] = None
    yield from rows


def _marks(row: Row) -> Cells:
    shares = (percent(accuracy(row, part)) for part in (None, "easy", NEAR))
    return (_or_none(row["formed"], 100, 1), _or_none(row["criteria"], 1, 2), _or_none(row["words"], 1, 1), *shares)


def _or_none(value: float | None, times: float, decimals: int) -> str:
    return "none" if value is None else f"{times * value:.{decimals}f}"


def _stages(trained: Sequence[Trained]) -> Iterator[Cells]:
    """The stages of each seed, then their mean."""
    for label, runs in itertools.groupby(trained, lambda one: one.label):
        seeds = list(runs)
        for one in seeds:
            for stage in one.recipe.stage:
                yield (
                    label,
                    str(one.recipe.seed),
                    stage.name,
                    *_marks(one.row(stage.name)),
                    *_against(one, stage.name),
                )
        for stage in seeds[0].recipe.stage if len(seeds) > 1 else ():
            yield _mean(label, stage.name, seeds)


def _against(one: Trained, stage: str) -> Cells:
    over, best = one.gain(stage, best=False).all, one.gain(stage, best=True).groups[NEAR]
    heard = one.shuffled if stage == one.last else None
    shuffled = "" if heard is None else percent(accuracy(heard))
    return (points(over["difference"]), points(best["difference"]), f"{best['p']:.2g}", shuffled)


def _mean(label: str, stage: str, seeds: Sequence[Trained]) -> Cells:
    rows = [one.row(stage) for one in seeds]
    heard = [one.shuffled for one in seeds if stage == one.last]
    marks = (
        mean_and_spread((row["formed"] for row in rows if row["formed"] is not None), percent),
        mean_and_spread((row["criteria"] for row in rows if row["criteria"] is not None), figure),
        mean_and_spread((row["words"] for row in rows if row["words"] is not None), figure),
        *(mean_and_spread((accuracy(row, part) for row in rows), percent) for part in (None, "easy", NEAR)),
    )
    direct = mean_and_spread((one.gain(stage, best=False).all["difference"] for one in seeds), points)
    best = mean_and_spread((one.gain(stage, best=True).groups[NEAR]["difference"] for one in seeds), points)
    shuffled = mean_and_spread((accuracy(row) for row in heard if row is not None), percent) if any(heard) else ""
    return (label, f"mean of {len(seeds)}", stage, *marks, direct, best, "", shuffled)


def _described(trained: Sequence[Trained]) -> Iterator[Cells]:
    """The untrained model's descriptions beside those of the last stage."""
    for one in trained:
        rows = {(row["name"], row["difficulty"]): row for row in one.table["described"] or ()}
        for part in dict.fromkeys(difficulty for _, difficulty in rows):
            pair = [rows[name, part] for name in (BASE, one.last) if (name, part) in rows]
            if len(pair) == 2:
                exact, sounds = (
                    [percent(row["exact"]["accuracy"]) for row in pair],
                    [percent(row["sounds"]) for row in pair],
                )
                yield (one.label, str(one.recipe.seed), part, *exact, *sounds)
