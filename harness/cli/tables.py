"""Print results: the table that papers print for the benchmark, what it rests on below, and plain tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from dtbench.harness.cli.forced_table import forced_lines, reliability_lines
from dtbench.harness.core.errors import one_line
from dtbench.harness.store.summary_types import (
    AblationFigures,
    AllFigures,
    CountedFigures,
    IntervalFigures,
    OrderFigures,
    RepeatsFigures,
    ShareFigures,
    TaskSummary,
)

if TYPE_CHECKING:
    from rich.console import Console

NONE = "none"


def print_note(message: str) -> None:
    """Print one line on stderr, whatever the names and values in the message hold."""
    typer.echo(one_line(f"dtbench: {message}"), err=True)


def progress_printer(*, quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a line of progress on stderr, or nothing."""
    return (lambda line: None) if quiet else (lambda line: typer.echo(one_line(line), err=True))


def print_summary(summary: TaskSummary, *, groups: bool = False) -> None:
    """Print a task's summary; with groups, the tables of the benchmark's script too."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_title(summary), markup=False, soft_wrap=True)
    _print_paper(console, summary)
    if groups:
        _print_groups(console, summary)
    for name, text in _lines(summary):
        console.print(f"{name:<13}{one_line(text)}", markup=False, soft_wrap=True)
    for line in reliability_lines(summary):
        console.print(line, markup=False, soft_wrap=True)


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a plain table, words on the left and figures on the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    for place, title in enumerate(titles):
        table.add_column(title, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell) if cell.strip() else cell) for cell in row))
    Console(highlight=False).print(table)


def percent(value: float | None, decimals: int = 1) -> str:
    """Return a share as tables show it; `none` where there is none."""
    return NONE if value is None else f"{100 * value:.{decimals}f}"


def _title(summary: TaskSummary) -> str:
    data = f", data {summary['data']}" if summary.get("data") else ""
    repeats = summary["repeats"]
    answers = f" ({repeats['k']} to each question)" if repeats else ""
    return one_line(f"{summary['task']}, script {summary['scorer']}{data}: {summary['n']} answers{answers}")


def _print_paper(console: Console, summary: TaskSummary) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("in %", no_wrap=True)
    for column in summary["paper"]:
        # A narrow column for each: the titles break where a word ends.
        title = one_line(column["column"]).replace(" ", "\n").replace("-", "-\n")
        table.add_column(Text(title), justify="right", overflow="fold")
    for name in ("official", "strict"):
        table.add_row(name, *(percent(column[name]) for column in summary["paper"]))
    table.add_row("answers", *(str(column["n"]) for column in summary["paper"]), style="dim")
    console.print(table)


def _print_groups(console: Console, summary: TaskSummary) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("in %", overflow="fold")
    for title in ("official", "correct", "counted", "strict", "answers"):
        table.add_column(title, justify="right", no_wrap=True)
    for heading, official in summary["official"]["groups"].items():
        table.add_section()
        table.add_row(Text(one_line(heading)), style="bold")
        for value, count in official.items():
            strict = summary["strict"]["groups"][heading][value]
            shown = (percent(count["accuracy"], 2), _or_none(count["correct"]), str(count["counted"]))
            table.add_row(Text(f"  {one_line(value)}"), *shown, percent(strict["accuracy"], 2), str(strict["n"]))
    if table.row_count:
        console.print(table)


def _lines(summary: TaskSummary) -> Iterator[tuple[str, str]]:
    official, strict = summary["official"], summary["strict"]
    yield "official", _accuracy(official, f"{official['counted']} that the script counts", official)
    yield "strict", _accuracy(strict, f"all {strict['n']}", strict)
    if (over := summary["clustered"]) is not None:
        parts = (("official", over["official"]), ("strict", over["strict"]))
        both = (f"{name} {_range(part)}" for name, part in parts if part)
        yield "by clip", f"{', '.join(both)} (bootstrap over {over['clips']} clips)"
    if official["raw"] is not None:
        yield "raw text", _accuracy(official["raw"], f"{official['raw']['counted']}; the script on untouched responses")
    yield (
        "unanswered",
        f"{summary['unanswered']} (no option could be read from the text; wrong in the strict score)",
    )
    yield "failed", _counted(summary["failed"], summary["failed_why"])
    if summary["missing"]:
        yield "not asked", f"{summary['missing']} (wrong in the strict score)"
    why = f": {_listed(summary['dropped_why'])}" if summary["dropped"] else ""
    yield "dropped", f"{summary['dropped']} from the official denominator{why}"
    yield from _more(summary)
    for note in summary["notes"]:
        yield "note", note


def _more(summary: TaskSummary) -> Iterator[tuple[str, str]]:
    if (repeats := summary["repeats"]) is not None:
        yield "repeats", _repeats(repeats)
    if set(summary["clips"]) - {"whole"}:
        yield "clips", _listed(summary["clips"])
    if summary["finish_reasons"] and "forced" not in summary:
        yield "finished by", _listed(summary["finish_reasons"])
    if (chains := summary["chains"])["n"]:
        length = f"mean {chains['mean']:,.0f}, median {chains['median']:,.0f}, 95 % within {chains['p95']:,.0f}"
        yield "chains", f"{chains['n']}, characters: {length}"
    tokens = {name: count for name, count in summary["tokens"].items() if count is not None}
    if tokens:
        yield "tokens", ", ".join(f"{count:,} {name}" for name, count in tokens.items())
    if (seconds := summary["seconds"])["mean"]:
        yield "seconds", f"a response: mean {seconds['mean']:.2f}, median {seconds['median']:.2f}"
    if (differ := summary.get("differ")) is not None:
        first = f" (first: {', '.join(differ['ids'][:3])})" if differ["n"] else ""
        yield "read again", f"{differ['n']} verdicts differ from the stored ones{first}"
    if (ablation := summary.get("audio_ablation")) is not None:
        yield "listening", _audio_ablation(ablation)
    if (orders := summary.get("order_sensitivity")) is not None:
        yield "order", _orders(orders)
    yield from _lm_eval_lines(summary)
    yield from forced_lines(summary)


def _lm_eval_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each figure that lm-eval would report, with its standard error."""
    figures = summary["lm_eval"]["results"] if "lm_eval" in summary else {}
    for name, value in figures.items():
        metric, _, way = name.partition(",")
        if not metric.endswith("_stderr"):
            error = figures.get(f"{metric}_stderr,{way}")
            spread = f" ± {error:.4f}" if isinstance(error, float) else ""
            yield "lm-eval", f"{metric} {_figure(value)}{spread} (filter {way})"


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _accuracy(part: CountedFigures | AllFigures, of: str, interval: IntervalFigures | None = None) -> str:
    if part["accuracy"] is None:
        return NONE
    end = "" if interval is None else f"; 95 % interval {_range(interval)}"
    return f"{part['accuracy']:.2%} ({part['correct']} of {of}{end})"


def _range(part: IntervalFigures | ShareFigures) -> str:
    return f"{part['low']:.2%} to {part['high']:.2%}"


def _counted(total: int, why: Mapping[str, int]) -> str:
    return f"{total}: {_listed(why)}" if why else str(total)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{times} {name}" for name, times in counts.items())


def _or_none(value: int | None) -> str:
    return NONE if value is None else str(value)


def _repeats(repeats: RepeatsFigures) -> str:
    strict, k = repeats["strict"], repeats["k"]
    passed = ", ".join(f"pass@{at} {share:.1%}" for at, share in repeats["pass"].items())
    spread = f"strict {strict['mean']:.2%} with a standard deviation of {100 * (strict['sd'] or 0.0):.2f} points"
    return f"{spread}; majority@{k} {repeats['majority']['accuracy']:.1%}; {passed}"


def _audio_ablation(ablation: AblationFigures) -> str:
    if ablation["gap"] is None:
        return "no question was answered in both runs"
    gap, same = ablation["gap"], ablation["same_choice"]
    points, low, high = (f"{100 * value:+.1f}" for value in (gap["gap"], gap["low"], gap["high"]))
    told = f"{points} points come from the clip (95 % interval {low} to {high})"
    kept = f"; {same['accuracy']:.1%} of the choices are the same without it" if same else ""
    return f"{told}{kept}; {ablation['n']} questions, {ablation['unmatched']} left out"


def _orders(orders: OrderFigures) -> str:
    if orders["moved"] is None:
        return "no question was answered in every order"
    moved = orders["moved"]
    return (
        f"over {orders['orders']} orders of the options, {moved['accuracy']:.1%} of {orders['n']} choices move "
        f"(95 % interval {_range(moved)}); right in every order {orders['right_in_all']:.1%}, "
        f"in some {orders['right_in_some']:.1%}"
    )
