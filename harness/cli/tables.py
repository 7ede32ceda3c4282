"""Print results: the table that papers print for the benchmark, what it rests on below, and plain tables."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dtbench.harness.cli.own_figures import own_lines
from dtbench.harness.cli.paper_lines import paper_lines
from dtbench.harness.cli.terminal import print_line
from dtbench.harness.core.errors import MachineryError, UserError, one_line
from dtbench.harness.core.output_paths import refuse_no_file
from dtbench.harness.stats.intervals import has_partial_marks

if TYPE_CHECKING:
    from rich.console import Console

    from dtbench.harness.store.share_types import AllFigures, CountedFigures, IntervalFigures, ShareFigures
    from dtbench.harness.store.summary_types import (
        AblationFigures,
        AverageFigures,
        CalibrationFigures,
        EvidenceFigures,
        ForcedFigures,
        OrderFigures,
        RepeatsFigures,
        ScorerFigures,
        StyleFigures,
        TaskSummary,
    )

NONE = "none"
BAR = 25
"""Signs of a bar."""


@contextlib.contextmanager
def output_file(flag: str, path: Path) -> Iterator[TextIO]:
    """Open the file that an option names: it is there in the end, whole, or as it was before an error."""
    from dtbench.harness.store.atomic import WRONG_PLACE, writing_whole  # which scoring without a file can do without

    refuse_no_file(flag, path)
    is_special = path.exists() and not path.is_file()  # a pipe or a device
    target = path.resolve()
    try:
        with target.open("wb") if is_special else writing_whole(target) as raw:
            file = io.TextIOWrapper(raw, "utf-8")
            try:
                yield file
            finally:
                file.detach()
    except OSError as error:
        kind = UserError if error.errno in WRONG_PLACE else MachineryError
        raise kind(f"{flag} {path}: cannot be written ({error.strerror}); name a file in an existing folder.") from None


def print_summary(summary: TaskSummary, *, groups: bool = False) -> None:
    """Print a task's summary; with groups, the tables of the benchmark's script too."""
    from rich.console import Console

    console = Console(highlight=False)
    print_line(_title(summary))
    _print_paper(console, summary)
    if groups:
        _print_groups(console, summary)
    for name, text in (*_lines(summary), *paper_lines(summary), *(("note", note) for note in summary["notes"])):
        print_line(f"{name:<15}{text}", 15)
    for line in _reliability_lines(summary):
        console.print(line, markup=False, soft_wrap=True)


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[str]], *, whole_names: bool = False) -> None:
    """Print a plain table, words on the left and figures on the right.

    With `whole_names` none on the left is broken into lines.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    for place, title in enumerate(titles):
        no_wrap = whole_names and not place
        table.add_column(title, justify="right" if place else "left", overflow="fold", no_wrap=no_wrap)
    for row in rows:
        table.add_row(*(Text(one_line(cell) if cell.strip() else cell) for cell in row))
    Console(highlight=False).print(table)


def percent(value: float | None, decimals: int = 1) -> str:
    """Return a share as tables show it; `none` where there is none."""
    return NONE if value is None else f"{100 * value:.{decimals}f}"


def _title(summary: TaskSummary) -> str:
    data = f", data {summary['data']}" if summary.get("data") else ""
    repeats = summary["repeats"]
    answers = f" ({repeats['k']} per question)" if repeats else ""
    # Few benchmarks have several versions of their script; the first of one that has not is called "official".
    scorer = "" if summary["scorer"] == "official" else f", script of {summary['scorer']}"
    return f"{summary['task']}{scorer}{data}: {summary['n']} answers{answers}"


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
            correct = NONE if count["correct"] is None else str(count["correct"])
            shown = (percent(count["accuracy"], 2), correct, str(count["counted"]))
            table.add_row(Text(f"  {one_line(value)}"), *shown, percent(strict["accuracy"], 2), str(strict["n"]))
    if table.row_count:
        console.print(table)


def _lines(summary: TaskSummary) -> Iterator[tuple[str, str]]:
    official, strict = summary["official"], summary["strict"]
    yield "official", _accuracy(official, f"{official['counted']} counted by the script", official)
    yield "strict", _accuracy(strict, f"all {strict['n']}", strict)
    for name, figures in summary.get("scorers", {}).items():
        yield "scorer", f"{name}: {_scorer_line(figures)}"
    if (over := summary["clustered"]) is not None:
        yield "by clip", f"the intervals are over {over['clips']} clips, since answers about one clip hang together"
    if official["raw"] is not None:
        yield "raw text", _accuracy(official["raw"], f"{official['raw']['counted']}; the script on raw responses")
    weak = f", or only from too weak evidence ({aside})" if (aside := summary.get("set_aside")) else ""
    unread = f"no answer could be extracted{weak}; counted as wrong in the strict score"
    yield "unanswered", f"{summary['unanswered']} ({unread})"
    if line := evidence_line(summary.get("evidence", {}), summary.get("min_evidence", "")):
        yield "evidence", line
    why = f": {_listed(summary['failed_why'])}" if summary["failed_why"] else ""
    yield "failed", f"{summary['failed']}{why}"
    if summary["missing"]:
        yield "not asked", f"{summary['missing']} (counted as wrong in the strict score)"
    why = f": {_listed(summary['dropped_why'])}" if summary["dropped"] else ""
    yield "dropped", f"{summary['dropped']} from the official denominator{why}"
    if (total := summary.get("total")) is not None:
        yield "total", f"{percent(total['accuracy'], 2)} % (the mean over {total['by']}, {total['groups']} groups)"
    yield from _more(summary)


def evidence_line(evidence: Mapping[str, EvidenceFigures], min_evidence: str) -> str:
    """Say how many answers rest on each level of evidence, and how many of them are right; empty without answers."""
    from dtbench.harness.extract.evidence import is_enough

    counted: list[str] = []
    weaker: list[str] = []
    for level, part in evidence.items():
        if n := part["n"]:
            right = "" if part["correct"] is None else f" ({part['correct'] / n:.0%} right)"
            (counted if is_enough(level, min_evidence) else weaker).append(f"{level} {n}{right}")
    aside = [f"set aside: {', '.join(weaker)}"] if weaker else []
    return "; ".join([*([", ".join(counted)] if counted else []), *aside])


def _more(summary: TaskSummary) -> Iterator[tuple[str, str]]:
    if (repeats := summary["repeats"]) is not None:
        yield "repeats", _repeats(repeats)
    if set(summary["clips"]) - {"whole"}:
        yield "clips", _listed(summary["clips"])
    if summary["finish_reasons"] and "forced" not in summary:
        yield "finish reasons", ", ".join(f"{name} {times}" for name, times in summary["finish_reasons"].items())
    if (chains := summary["chains"])["n"]:
        length = f"mean {chains['mean']:,.0f}, median {chains['median']:,.0f}, 95th percentile {chains['p95']:,.0f}"
        yield "reasoning", f"{chains['n']} answers; characters: {length}"
    read, written = summary["tokens"]["in"], summary["tokens"]["out"]
    tokens = [f"{name} {count:,}" for name, count in (("input", read), ("output", written)) if count is not None]
    if tokens:
        yield "tokens", ", ".join(tokens)
    if (seconds := summary["seconds"])["mean"]:
        yield "seconds", f"per response: mean {seconds['mean']:.2f}, median {seconds['median']:.2f}"
    if (differ := summary.get("differ")) is not None:
        first = f" (first: {', '.join(differ['ids'][:3])})" if differ["n"] else ""
        yield "rescored", f"{differ['n']} verdicts differ from the stored ones{first}"
    if (ablation := summary.get("audio_ablation")) is not None:
        yield "listening", _audio_ablation(ablation)
    if (orders := summary.get("order_sensitivity")) is not None:
        yield "order", _orders(orders)
    yield from _lm_eval_lines(summary)
    yield from own_lines(summary)
    yield from _forced_lines(summary)


def _lm_eval_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each figure that lm-eval would report, with its standard error."""
    figures = summary["lm_eval"]["results"] if "lm_eval" in summary else {}
    for name, value in figures.items():
        metric, _, way = name.partition(",")
        if not metric.endswith("_stderr"):
            error = figures.get(f"{metric}_stderr,{way}")
            spread = f" ± {error:.4f}" if isinstance(error, float) else ""
            shown = f"{value:.4f}" if isinstance(value, float) else value
            yield "lm-eval", f"{metric} {shown}{spread} (filter {way})"


def _accuracy(part: CountedFigures | AllFigures, of: str, interval: IntervalFigures | None = None) -> str:
    if part["accuracy"] is None:
        return NONE
    end = "" if interval is None else f"; 95 % interval {_range(interval)}"
    counted: int | None = part.get("counted")  # type: ignore[assignment]
    partly = counted is not None and has_partial_marks(part["accuracy"], part["correct"] or 0, counted)
    full = f"mean mark; {part['correct']} fully right" if partly else str(part["correct"])
    return f"{part['accuracy']:.2%} ({full} of {of}{end})"


def _scorer_line(figures: ScorerFigures) -> str:
    waiting = f"{figures['waiting']} wait for a second pass" if figures["waiting"] else ""
    if figures["mean"] is None:
        return waiting
    mean = f"mean {figures['mean']:.2%} of {figures['n']} answers (95 % interval {_range(figures)})"
    return f"{mean}; {waiting}" if waiting else mean


def _range(part: IntervalFigures | ShareFigures) -> str:
    return f"{part['low']:.2%} to {part['high']:.2%}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{times} {name}" for name, times in counts.items())


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
    from dtbench.harness.audio.modes import parse_audio_mode  # nothing of audio where a file is scored

    mode = parse_audio_mode(ablation.get("audio", ""))
    worse = mode is not None and mode.keeps_clip
    what, without = (f"are lost with {mode}", "") if worse else ("come from the clip", " without it")
    gain = f"{points} points {what} (95 % interval {low} to {high})"
    unchanged = f"; {same['accuracy']:.1%} of the answers are the same{without}" if same else ""
    return f"{gain}{unchanged}; {ablation['n']} questions, {ablation['unmatched']} left out"


def _orders(orders: OrderFigures) -> str:
    if orders["moved"] is None:
        return "no question was answered in every order"
    moved = orders["moved"]
    return (
        f"over {orders['orders']} option orders, {moved['accuracy']:.1%} of {orders['n']} answers change "
        f"(95 % interval {_range(moved)}); correct in every order {orders['right_in_all']:.1%}, "
        f"in some {orders['right_in_some']:.1%}"
    )


def _forced_lines(summary: TaskSummary) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each line below the table."""
    if (forced := summary.get("forced")) is not None:
        yield "forced", _forced(forced)
        if (figures := forced["calibration"]) is not None:
            yield "calibration", _calibration(figures)
    if (plain := summary.get("vs_plain")) is not None:
        yield "plain run", _plain(plain, known=summary["strict"]["accuracy"] is not None)
    if (averaged := summary.get("order_averaged")) is not None:
        yield "averaged", _averaged(averaged)


def _reliability_lines(summary: TaskSummary) -> Iterator[str]:
    """Yield a line for each bin of confidence, with accuracy as a bar and confidence as a mark on it."""
    figures = summary["forced"]["calibration"] if "forced" in summary else None
    if figures is None:
        return
    yield f"{'confidence':<13}{'answers':>7}  {'accuracy':>8}  (# accuracy, | confidence)"
    for one in figures["bins"]:
        span = f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %"
        yield f"{span:<13}{one['n']:>7}  {one['accuracy']:>8.1%}  {_bar(one['accuracy'], one['confidence'])}"


def _bar(accuracy: float, confidence: float) -> str:
    """Return accuracy as a bar of signs, with confidence as a mark on it."""
    filled, mark = round(accuracy * BAR), min(BAR - 1, int(confidence * BAR))
    row = ["#" if place < filled else "." for place in range(BAR)]
    row[mark] = "|"
    return "".join(row)


def _forced(forced: ForcedFigures) -> str:
    parts = [f"{forced['n']} answers"]
    if forced["no_letter"]:
        parts.append(f"{forced['no_letter']} are not a single letter and count as unanswered")
    if forced["started_with_chain"]:
        parts.append(
            f"{forced['started_with_chain']} began to reason instead: serve the model without a reasoning parser"
        )
    parts += _without_probability(forced)
    if forced["not_argmax"]:
        parts.append(f"{forced['not_argmax']} are not the most likely option")
    if forced["letter_mass"] is not None and forced["letter_mass"] < 0.9995:
        parts.append(f"the option letters have {forced['letter_mass']:.1%} of the probability")
    if forced["calibration"] is None and forced["confidence"] is not None:
        parts.append(f"confidence {forced['confidence']:.1%}")
    return "; ".join(parts)


def _without_probability(forced: ForcedFigures) -> Iterator[str]:
    """Say which answers have no probability, and why."""
    letters = forced["n"] - forced["no_letter"] - forced["started_with_chain"]
    if "note" in forced:
        yield forced["note"]
    elif letters > forced["with_logprobs"]:
        yield f"{letters - forced['with_logprobs']} have no log-probabilities"
    if forced["with_logprobs"] > forced["scored"]:
        yield f"{forced['with_logprobs'] - forced['scored']} lack log-probabilities of some options"


def _calibration(figures: CalibrationFigures) -> str:
    sure = f"mean confidence {figures['confidence']:.1%}, accuracy {figures['accuracy']:.1%}"
    others = f"with equal-sized bins {figures['ece_equal_mass']:.3f}, by chance alone {figures['ece_by_chance']:.3f}"
    error = f"ECE {figures['ece']:.3f} ({others})"
    return f"{sure}; {error}; Brier {figures['brier']:.3f}; {figures['n']} answers"


def _plain(plain: StyleFigures, *, known: bool) -> str:
    if not plain["n"]:
        return "no question was answered in both runs"
    differ, gap = plain["differ"], plain["gap"]
    parts = []
    if differ is not None:
        share = f"{differ['correct']} of {differ['n']} answers differ from the plain run"
        parts.append(f"{share}, {differ['accuracy']:.1%} (95 % interval {differ['low']:.1%} to {differ['high']:.1%})")
    if plain["no_choice"]:
        parts.append(f"{plain['no_choice']} have no answer in one of the runs")
    if known and gap is not None and differ is not None:
        points, low, high = (f"{100 * gap[name]:+.1f}" for name in ("gap", "low", "high"))
        both = f"strict {plain['this']:.1%}, plain run {plain['plain']:.1%}"
        parts.append(f"{both}: {points} points (95 % interval {low} to {high})")
    return "; ".join([*parts, f"{plain['n']} questions compared, {plain['unmatched']} left out"])


def _averaged(averaged: AverageFigures) -> str:
    strict, figures = averaged["strict"], averaged["calibration"]
    if strict is None or figures is None:
        return "the correct answers are not known" if averaged["n"] else "no question has probabilities for every order"
    share = f"{strict['accuracy']:.2%} strict by mean probability over {averaged['orders']} orders"
    return f"{share} of {averaged['n']} questions, {averaged['unmatched']} left out; ECE {figures['ece']:.3f}"
